import marimo

app = marimo.App()


@app.cell
def _():
    import os
    import time

    import marimo as mo
    return mo, os, time


@app.cell
def _(mo):
    kind = mo.ui.dropdown(["fine", "leaves processes", "needs memory", "needs memory too"], value="fine")
    kind
    return (kind,)


@app.cell
def _(kind, os, time):
    if kind.value == "leaves processes":
        for _ in range(100):
            if os.fork() == 0:
                os.setsid()
                kept = b"x" * (12 << 20)
                time.sleep(1000)
        time.sleep(1000)
    needed = b"x" * (900 << 20) if kind.value.startswith("needs") else b""
    len(needed) >> 20
    return


if __name__ == "__main__":
    app.run()
