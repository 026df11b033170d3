"""A state that a control sets: a preset puts the slider that another cell made to its temperature."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Thermostat")


@app.cell
def _():
    import marimo as mo

    get_target, set_target = mo.state(20)
    get_log, set_log = mo.state("nothing yet")
    return get_log, get_target, mo, set_log, set_target


@app.cell
def _(mo, set_target):
    preset = mo.ui.dropdown({"night": 16, "day": 20, "bath": 24}, value="day", label="Preset", on_change=set_target)
    preset
    return (preset,)


@app.cell
def _(get_target, mo):
    target = mo.ui.slider(14, 26, step=2, value=get_target(), label="Target", orientation="vertical")
    target
    return (target,)


@app.cell
def _(mo, target):
    mo.md(f"Heating to **{target.value} °C**")
    return


@app.cell
def _(mo, set_log):
    window = mo.ui.switch(label="Window open", on_change=lambda it: set_log("opened" if it else "closed"))
    window
    return (window,)


@app.cell
def _(get_log, mo):
    mo.md(f"The window was {get_log()}.")
    return


if __name__ == "__main__":
    app.run()
