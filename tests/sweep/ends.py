# numba ends a process that was forked beside its threads.
import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo
    import numba
    import numpy as np

    @numba.njit(parallel=True)
    def total(numbers, times):
        found = 0.0
        for at in numba.prange(numbers.size):
            found += numbers[at] * times
        return found

    total(np.arange(10.0), 1)
    return mo, np, total


@app.cell
def _(mo):
    n = mo.ui.slider(1, 3)
    n
    return (n,)


@app.cell
def _(n, np, total):
    total(np.arange(1000.0), n.value)
    return


if __name__ == "__main__":
    app.run()
