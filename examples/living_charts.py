# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "altair>=5.5",
#     "bokeh>=3.8",
#     "marimo==0.25.2",
#     "pandas>=2.2",
#     "plotly>=6.5",
# ]
#
# [tool.nbc]
# description = "Altair, Plotly and Bokeh on a page without a server: hover, zoom and select."
# authors = ["The nbc founders"]
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Charts that stay alive")


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # Charts that stay alive

    Three chart libraries, one page, no server: point at a mark, drag to zoom, click an entry of a
    legend. The page carries the data and what draws them, and may ask nobody for anything.
    """)
    return


@app.cell
def _():
    import altair as alt
    import marimo as mo
    import pandas as pd
    import plotly.express as px
    from bokeh.models import HoverTool
    from bokeh.plotting import figure

    return HoverTool, alt, figure, mo, pd, px


@app.cell
def _(mo, pd):
    weather = pd.read_csv(mo.notebook_dir() / "data" / "weather.csv")
    monthly = weather.groupby(["city", "month"], as_index=False)[["temperature_c", "rain_mm"]].mean()
    return monthly, weather


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Altair

    Pick a city in the legend; the others step back.
    """)
    return


@app.cell
def _(alt, monthly):
    _city = alt.selection_point(fields=["city"], bind="legend")
    alt.Chart(monthly, title="A year of temperatures").mark_line(point=True).encode(
        x=alt.X("month:O", title="Month"),
        y=alt.Y("temperature_c", title="Mean temperature in °C"),
        color=alt.Color("city", title="City"),
        opacity=alt.when(_city).then(alt.value(1)).otherwise(alt.value(0.15)),
        tooltip=["city", "month", alt.Tooltip("temperature_c", format=".1f")],
    ).add_params(_city).properties(width=560, height=280)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Plotly

    Drag to zoom, double-click to come back, and save the drawing with the camera.
    """)
    return


@app.cell
def _(px, weather):
    px.scatter(
        weather,
        x="temperature_c",
        y="rain_mm",
        color="city",
        hover_data=["year", "month"],
        title="Warm months and wet months",
        labels={"temperature_c": "Temperature in °C", "rain_mm": "Rain in mm", "city": "City"},
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Bokeh

    Move along the bars to read them.
    """)
    return


@app.cell
def _(HoverTool, figure, monthly):
    _bergen = monthly[monthly["city"] == "Bergen"]
    _plot = figure(height=280, width=640, title="Rain in Bergen", x_axis_label="Month", y_axis_label="mm")
    _plot.vbar(x="month", top="rain_mm", width=0.7, source=dict(month=_bergen["month"], rain_mm=_bergen["rain_mm"]))
    _plot.add_tools(HoverTool(tooltips=[("Month", "@month"), ("Rain", "@rain_mm{0} mm")]))
    _plot
    return


if __name__ == "__main__":
    app.run()
