"""A state that fails, one that stops, text on the console, and panels that need no run."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Recipe")


@app.cell
def _():
    import marimo as mo

    return (mo,)


@app.cell
def _(mo):
    people = mo.ui.slider(0, 4, value=2, label="People", show_value=True, debounce=True)
    unit = mo.ui.radio({"gram": 1, "ounce": 28.35}, value="gram", label="Unit")
    mo.accordion({"Who comes": people, "How to weigh": unit})
    return people, unit


@app.cell
def _(mo, people):
    mo.stop(people.value > 3, mo.callout("The pot is too small.", kind="warn"))
    share = 12 / people.value
    mo.md(f"Each gets {share:g} dumplings.")
    return (share,)


@app.cell
def _(mo, people, share, unit):
    print("weighing for", people.value)
    mo.md(f"Flour: {150 * people.value / unit.value:.1f} units, {share:g} dumplings for each.")
    return


@app.cell
def _(mo):
    salt = mo.ui.checkbox(value=True, label="Salt the water")
    mo.carousel([mo.md("Boil water."), salt, mo.md("Wait ten minutes.")])
    return (salt,)


@app.cell
def _(mo, salt):
    mo.accordion({"Tip": mo.md("The water is salted." if salt.value else "Serve with soy sauce."), "Source": mo.md("Grandmother.")})
    return


if __name__ == "__main__":
    app.run()
