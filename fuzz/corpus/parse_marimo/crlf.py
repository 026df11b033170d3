import marimo

__generated_with = "0.25.2"
app = marimo.App()


@app.cell
def _():
    a = 1
    b = """
    x
    """
    return a, b


if __name__ == "__main__":
    app.run()
