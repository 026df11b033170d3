import marimo

__generated_with = "0.25.2"
app = marimo.App()


@app.cell
def _():
    import marimo as mo
    return (mo,)


@app.cell
def _(mo):
    days = mo.ui.slider(1, 3, value=2, label="Days")
    days
    return (days,)


@app.cell
def _(mo):
    kind = mo.ui.dropdown(["rain", "snow"], value="rain", label="Kind")
    mo.hstack([kind, mo.md("of all the weather")])
    return (kind,)


@app.cell
def _(days, kind, mo):
    mo.md(f"**{days.value}** days of {kind.value}")
    return


@app.cell
def _(days, mo):
    hours = mo.ui.slider(0, days.value, label="Hours")
    hours
    return (hours,)


@app.cell
def _(days, hours):
    print("day " * days.value + "hour " * hours.value)
    return


@app.cell
def _(days, mo):
    mo.stop(days.value == 1)
    mo.md(f"More than one: <a href='/x' onclick='x()'>{days.value - 1}</a> more")
    return


@app.cell
def _(days):
    10 / (days.value - 3)
    return


@app.cell
def _(mo):
    mo.ui.text(value="static", label="Note")
    return


@app.cell
def _(days):
    days.value * 0
    return


if __name__ == "__main__":
    app.run()
