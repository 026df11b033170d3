import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo
    import polars as pl

    table = pl.DataFrame({"x": list(range(1000)), "group": [i % 7 for i in range(1000)]})
    table.lazy().group_by("group").agg(pl.col("x").sum()).collect()
    return mo, pl, table


@app.cell
def _(mo):
    group = mo.ui.slider(1, 4)
    twice = mo.ui.checkbox()
    mo.hstack([group, twice])
    return group, twice


@app.cell
def _(group, pl, table, twice):
    found = table.lazy().filter(pl.col("group") == group.value).group_by("group").agg(pl.col("x").sum())
    found.collect()["x"][0] * (2 if twice.value else 1)
    return


if __name__ == "__main__":
    app.run()
