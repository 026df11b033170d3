"""What a loan costs: a slider, a number, choices and a switch."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Loan")


@app.cell
def _():
    import marimo as mo

    return (mo,)


@app.cell
def _(mo):
    amount = mo.ui.slider(100_000, 300_000, step=100_000, value=200_000, label="Amount", show_value=True)
    rate = mo.ui.number(1, 3, step=1, value=2, label="Interest, percent a year")
    years = mo.ui.dropdown({"ten": 10, "twenty": 20, "thirty": 30}, value="twenty", label="Years")
    mo.vstack([mo.md("# A loan"), amount, rate, years])
    return amount, rate, years


@app.cell
def _(amount, mo, rate, years):
    months = years.value * 12
    _factor = rate.value / 1200
    payment = amount.value * _factor / (1 - (1 + _factor) ** -months)
    mo.hstack([
        mo.stat(f"{payment:,.2f} €", label="Each month", bordered=True),
        mo.stat(f"{payment * months - amount.value:,.0f} €", label="Interest in all", bordered=True),
    ])
    return months, payment


@app.cell
def _(mo, months, payment):
    mo.callout(mo.md(f"**{months} payments** make {payment * months:,.0f} €."), kind="info")
    return


@app.cell
def _(mo):
    kind = mo.ui.radio(["Fixed rate", "Variable rate"], value="Fixed rate", label="Kind of loan")
    early = mo.ui.switch(label="May be paid back early")
    mo.hstack([kind, early])
    return early, kind


@app.cell
def _(early, kind, mo):
    mo.md(f"{kind.value}, {'with' if early.value else 'without'} a right to pay back early.")
    return


if __name__ == "__main__":
    app.run()
