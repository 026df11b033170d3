# /// script
# requires-python = ">=3.11"
# dependencies = ["marimo==0.25.2"]
#
# [tool.nbc.states]
# amount = [50000, 100000, 150000, 200000, 300000, 400000]
# rate = [2.0, 3.0, 3.8, 5.0, 8.0]
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Loan calculator")


@app.cell
def _():
    import marimo as mo

    return (mo,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # Loan calculator

    What does a loan cost each month, and in total? The controls work without a server: what they lead
    to was computed when this page was compiled.
    """)
    return


@app.cell
def _(mo):
    amount = mo.ui.slider(10_000, 400_000, step=10_000, value=150_000, label="Amount", show_value=True)
    rate = mo.ui.number(0.5, 12.0, step=0.1, value=3.8, label="Interest, percent a year")
    years = mo.ui.dropdown(["10", "15", "20", "25", "30"], value="20", label="Years")
    kind = mo.ui.radio(["Constant payment", "Constant repayment"], value="Constant payment", label="Kind")
    early = mo.ui.checkbox(label="Allow early repayment")
    mo.vstack([amount, rate, years, kind, early])
    return amount, early, kind, rate, years


@app.function
def monthly_payment(amount: float, percent: float, months: int) -> float:
    """Payment of an annuity loan."""
    rate = percent / 1200
    return amount * rate / (1 - (1 + rate) ** -months)


@app.cell
def _(amount, kind, mo, rate, years):
    months = int(years.value) * 12
    if kind.value == "Constant payment":
        payment = monthly_payment(amount.value, rate.value, months)
        total = payment * months
    else:
        payment = amount.value / months + amount.value * rate.value / 1200
        total = amount.value * (1 + rate.value / 1200 * (months + 1) / 2)
    mo.hstack(
        [
            mo.stat(f"{payment:,.2f} €", label="First payment", bordered=True),
            mo.stat(f"{total:,.0f} €", label="In total", bordered=True),
            mo.stat(f"{total - amount.value:,.0f} €", label="Interest", bordered=True),
        ],
        widths="equal",
    )
    return months, payment, total


@app.cell
def _(amount, early, mo, months, payment, rate):
    _rest, _rows = float(amount.value), []
    for _month in range(1, months + 1):
        _interest = _rest * rate.value / 1200
        _rest = max(0.0, _rest - (payment - _interest))
        if _month % 60 == 0:
            _rows.append({"after years": _month // 12, "still owed": round(_rest, 2)})
    mo.accordion(
        {
            "What is still owed": mo.ui.table(_rows, selection=None),
            "Early repayment": mo.md("Allowed, at no cost." if early.value else "Not part of this contract."),
        }
    )
    return


if __name__ == "__main__":
    app.run()
