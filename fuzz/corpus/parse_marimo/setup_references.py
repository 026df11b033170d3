import marimo

__generated_with = "0.25.2"
app = marimo.App()

with app.setup:
    import os
    z = x
    # trailing
    pass


@app.cell
def _():
    x = 1
    return

@app.cell
def _():
    y
    return


if __name__ == "__main__":
    app.run()
