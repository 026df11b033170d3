"""A unit converter: which units there are depends on what is measured."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Units")


@app.cell
def _():
    import marimo as mo

    UNITS = {
        "Length": {"metre": 1, "kilometre": 1000, "mile": 1609.344},
        "Mass": {"gram": 0.001, "pound": 0.45359237},
    }
    return UNITS, mo


@app.cell
def _(UNITS, mo):
    quantity = mo.ui.dropdown(list(UNITS), value="Length", label="Measured")
    amount = mo.ui.number(0, 20, step=10, value=10, label="Amount", debounce=True)
    mo.hstack([quantity, amount])
    return amount, quantity


@app.cell
def _(UNITS, mo, quantity):
    units = UNITS[quantity.value]
    source = mo.ui.radio(list(units), value=list(units)[0], label="From", inline=True)
    target = mo.ui.dropdown(units, label="To")
    mo.vstack([source, target])
    return source, target, units


@app.cell
def _(amount, mo, source, target, units):
    mo.stop(target.value is None, mo.md("_Choose a unit to convert to._"))
    _result = amount.value * units[source.value] / target.value
    mo.md(f"{amount.value} {source.value} = **{_result:.6g}** {target.selected_key}")
    return


if __name__ == "__main__":
    app.run()
