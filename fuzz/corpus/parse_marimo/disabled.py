import marimo

__generated_with = "0.25.2"
app = marimo.App()


@app.cell
def _():
    a = 1
    return

@app.cell(disabled=True)
def _():
    b = a
    return

@app.cell
def _():
    c = b
    return

@app.cell
def _():
    d = a
    return

@app.cell(hide_code=True, column=1, name="q")
def named(a):
    e = a
    return (e,)


if __name__ == "__main__":
    app.run()
