# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "marimo==0.25.2",
#     "matplotlib>=3.9",
#     "pandas>=2.2",
# ]
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Ten years of weather in three cities")


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # Ten years of weather in three cities

    How warm and how wet are Bergen, Sevilla and Ljubljana, and how much does one year differ from
    the next? The data is synthetic: 360 monthly means, made for this example.

    ## The data
    """)
    return


@app.cell
def _():
    import marimo as mo
    import matplotlib.pyplot as plt
    import pandas as pd

    return mo, pd, plt


@app.cell
def _(pd):
    weather = pd.read_csv("data/weather.csv")
    weather.head(6)
    return (weather,)


@app.cell
def _(mo, weather):
    _warmest = weather.loc[weather["temperature_c"].idxmax()]
    _wettest = weather.loc[weather["rain_mm"].idxmax()]
    mo.hstack(
        [
            mo.stat(f"{len(weather)}", label="Monthly means", caption="2015 to 2024"),
            mo.stat(f"{_warmest.temperature_c} °C", label="Warmest month", caption=_warmest.city),
            mo.stat(f"{_wettest.rain_mm} mm", label="Wettest month", caption=_wettest.city),
        ],
        widths="equal",
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## A typical year

    For each month we average over the ten years:

    $$\bar T_m = \frac{1}{10} \sum_{y=2015}^{2024} T_{m,y}$$
    """)
    return


@app.cell
def _(weather):
    typical = weather.groupby(["city", "month"], as_index=False)[["temperature_c", "rain_mm"]].mean()
    return (typical,)


@app.cell
def _(plt, typical):
    _figure, (_left, _right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for _city, _group in typical.groupby("city"):
        _left.plot(_group["month"], _group["temperature_c"], marker="o", markersize=3, label=_city)
        _right.plot(_group["month"], _group["rain_mm"], marker="o", markersize=3, label=_city)
    _left.set(title="Temperature", xlabel="month", ylabel="°C")
    _right.set(title="Rain", xlabel="month", ylabel="mm")
    _left.legend(frameon=False)
    for _axes in (_left, _right):
        _axes.spines[["top", "right"]].set_visible(False)
    _figure
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Year by year

    The table shows each city's yearly mean temperature, and how far it lies from the mean of all
    ten years.
    """)
    return


@app.cell
def _(weather):
    yearly = (
        weather.pivot_table(index="year", columns="city", values="temperature_c").round(2).reset_index()
    )
    yearly
    return (yearly,)


@app.cell
def _(yearly):
    for _city in ["Bergen", "Ljubljana", "Sevilla"]:
        _trend = (yearly[_city].iloc[-3:].mean() - yearly[_city].iloc[:3].mean()) / 7
        print(f"{_city:<10} {_trend:+.3f} °C a year")
    return


@app.cell(hide_code=True)
def _(mo):
    mo.callout(
        mo.md("A trend over ten years says little: the spread between years is larger."),
        kind="info",
    )
    return


if __name__ == "__main__":
    app.run()
