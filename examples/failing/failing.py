# /// script
# requires-python = ">=3.11"
# dependencies = ["marimo==0.25.2"]
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="A report that fails")


@app.cell
def _():
    import marimo as mo

    return (mo,)


@app.cell
def _(mo):
    mo.md("""# A report that fails""")
    return


@app.cell
def _():
    orders = [120, 80, 0, 45]
    return (orders,)


@app.cell
def _(orders):
    # The third order is zero.
    ratios = [orders[0] / order for order in orders]
    ratios
    return (ratios,)


@app.cell
def _(mo, ratios):
    mo.md(f"The largest ratio is {max(ratios)}.")
    return


if __name__ == "__main__":
    app.run()
