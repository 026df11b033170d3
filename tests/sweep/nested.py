import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo
    return (mo,)


@app.cell
def _(mo):
    a = mo.ui.slider(1, 5, label="A")
    kind = mo.ui.dropdown(["x", "y"], value="x")
    mo.vstack([a, kind])
    return a, kind


@app.cell
def _(kind, mo):
    options = {"x": ["p", "q"], "y": ["r", "s", "t"]}[kind.value]
    sub = mo.ui.dropdown(options, value=options[0])
    sub
    return (sub,)


@app.cell
def _(a, sub):
    f"{a.value} {sub.value}"
    return


@app.cell
def _(a, mo):
    mo.stop(a.value == 3, "stopped")
    b = a.value * 2
    print("b", b)
    return (b,)


@app.cell
def _(b):
    b
    return


if __name__ == "__main__":
    app.run()
