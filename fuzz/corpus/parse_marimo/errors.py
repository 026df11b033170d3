import marimo

__generated_with = "0.25.2"
app = marimo.App()


@app.cell
def _():
    x = 1
    return

@app.cell
def _():
    x = 2
    return

@app.cell
def _():
    y = z
    return

@app.cell
def _():
    z = y
    return

@app.cell
def _():
    w = z
    return

@app.cell
def _():
    from os import *
    return

@app.cell
def _():
    def f():
        from sys import *
    return

@app.cell
def _():
    return 1
    return

@app.cell
def _():
    yield 2
    return

@app.cell
def _():
    break
    return

@app.cell
def _():
    def f10():
        print(q)
        global q
    return

@app.cell
def _():
    def f11(a, a): pass
    return

@app.cell
def _():
    del shared
    return

@app.cell
def _():
    del shared
    return

@app.cell
def _():
    shared
    return

@app.cell
def _():
    nonlocal k
    return

@app.cell
def _():
    await r
    ok = 1
    return

@app.cell
def _():
    class C:
        return 1
    return

@app.cell
def _():
    def f18():
        continue
    return

@app.cell
def _():
    if 1:
        return 3
    return


if __name__ == "__main__":
    app.run()
