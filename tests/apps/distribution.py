"""Samples of a distribution: a picture beside the controls that change it, in one output."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Distribution")


@app.cell
def _():
    import marimo as mo
    import matplotlib.pyplot as plt
    import numpy as np

    return mo, np, plt


@app.cell
def _(mo):
    shape = mo.ui.dropdown(["normal", "uniform", "exponential"], value="normal", label="Shape")
    size = mo.ui.slider(steps=[20, 200, 2000], value=200, label="Sample size", show_value=True)
    mark = mo.ui.checkbox(label="Mark the mean")
    shape
    return mark, shape, size


@app.cell
def _(mark, mo, np, plt, shape, size):
    _draw = getattr(np.random.default_rng(7), shape.value)
    sample = _draw(size=size.value)
    figure, _axes = plt.subplots(figsize=(4, 2.2))
    _axes.hist(sample, bins=20)
    if mark.value:
        _axes.axvline(sample.mean(), color="black")
    mo.vstack([mo.hstack([size, mark]), figure, mo.md(f"{size.value} values, mean {sample.mean():.3f}")])
    return (sample,)


@app.cell
def _(mo):
    ends = mo.ui.range_slider(-2, 2, step=1, value=[-1, 1], label="Between")
    ends
    return (ends,)


@app.cell
def _(ends, mo):
    from statistics import NormalDist

    _low, _high = ends.value
    _share = NormalDist().cdf(_high) - NormalDist().cdf(_low)
    mo.md(f"From {_low} to {_high} lies a share of **{_share:.4f}** of a normal distribution.")
    return


if __name__ == "__main__":
    app.run()
