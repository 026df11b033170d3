# OpenMP waits in a fork for threads that are not there.
import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo
    import numpy as np
    from sklearn.ensemble import HistGradientBoostingRegressor

    X = np.random.default_rng(0).normal(size=(2000, 4))
    y = X.sum(axis=1)
    HistGradientBoostingRegressor(max_iter=3).fit(X, y)
    return HistGradientBoostingRegressor, X, mo, y


@app.cell
def _(mo):
    n = mo.ui.slider(1, 3)
    n
    return (n,)


@app.cell
def _(HistGradientBoostingRegressor, X, n, y):
    _model = HistGradientBoostingRegressor(max_iter=3 * n.value).fit(X, y)
    f"{_model.predict(X[:9]).sum():.6f}"
    return


if __name__ == "__main__":
    app.run()
