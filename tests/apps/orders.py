"""A table that a choice filters; a row of it that a reader picks; nothing chosen stops the rest."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Orders")


@app.cell
def _():
    import marimo as mo
    import pandas as pd

    return mo, pd


@app.cell
def _(pd):
    orders = pd.DataFrame({
        "order": ["A-1", "A-2", "B-1", "C-1"],
        "region": ["North", "North", "South", "West"],
        "amount": [120, 75, 310, 42],
    })
    return (orders,)


@app.cell
def _(mo):
    regions = mo.ui.multiselect(["North", "South", "West"], value=["North", "South"], label="Regions")
    regions
    return (regions,)


@app.cell
def _(mo, orders, regions):
    mo.stop(not regions.value, mo.md("_Choose a region to see its orders._"))
    chosen = orders[orders["region"].isin(regions.value)]
    picked = mo.ui.table(chosen, selection="single", label="Orders")
    mo.vstack([picked, mo.md(f"In all: **{chosen['amount'].sum()} €**")])
    return chosen, picked


@app.cell
def _(chosen, mo, picked):
    _row = picked.value
    if len(_row):
        _text = f"Order **{_row['order'].iloc[0]}** is {_row['amount'].iloc[0] / chosen['amount'].sum():.0%} of what is shown."
    else:
        _text = f"Pick one of {len(chosen)} orders."
    mo.md(_text)
    return


if __name__ == "__main__":
    app.run()
