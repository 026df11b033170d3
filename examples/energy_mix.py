# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "altair>=5.5",
#     "marimo==0.25.2",
#     "polars>=1.20",
# ]
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Where the electricity comes from")


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # Where the electricity comes from

    The shares of six sources in the electricity of an invented country, drawn with Altair. The
    charts are drawn once, when the page is compiled, and need no script to be seen.
    """)
    return


@app.cell
def _():
    import altair as alt
    import marimo as mo
    import polars as pl

    return alt, mo, pl


@app.cell
def _(pl):
    mix = pl.read_csv("data/energy.csv")
    return (mix,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""## Shares over time""")
    return


@app.cell
def _(alt, mix):
    alt.Chart(mix).mark_area().encode(
        x=alt.X("year:O", title=None, axis=alt.Axis(labelAngle=0)),
        y=alt.Y("share_percent:Q", title="share in percent", stack="normalize"),
        color=alt.Color("source:N", title=None, scale=alt.Scale(scheme="tableau10")),
    ).properties(width=560, height=300)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## First and last year

    | | meaning |
    |---|---|
    | **change** | share in the last year minus share in the first, in percentage points |
    """)
    return


@app.cell
def _(mix, pl):
    first, last = mix["year"].min(), mix["year"].max()
    change = (
        mix.filter(pl.col("year").is_in([first, last]))
        .pivot(on="year", index="source", values="share_percent")
        .with_columns(change=(pl.col(str(last)) - pl.col(str(first))).round(1))
        .sort("change", descending=True)
    )
    change
    return change, first, last


@app.cell
def _(alt, change, first, last):
    alt.Chart(change, title=f"Change from {first} to {last}").mark_bar().encode(
        x=alt.X("change:Q", title="percentage points"),
        y=alt.Y("source:N", sort="-x", title=None),
        color=alt.condition("datum.change > 0", alt.value("#2a7f62"), alt.value("#b3541e")),
    ).properties(width=560)
    return


if __name__ == "__main__":
    app.run()
