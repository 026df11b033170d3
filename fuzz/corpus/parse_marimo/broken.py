import marimo

__generated_with = "0.25.2"
app = marimo.App()


@app.cell
def _():
    a = 1
    return (a,)


@app.cell
def bad(a):
    b = = a
    return (b,)


@app.cell
def _():
    c = """
@app.cell
def not_a_cell():
    return
"""
    return (c,)


@app.cell
def unclosed():
    d = (1,
    return


@app.cell
def _(c):
    e = c
    return


@app.function
def broken_function(:
    return 1


@app.cell
def _():
    g = 1
    return


if __name__ == "__main__":
    app.run()
