# States read on in a file that the run opened, and write to one that the run made: none sees another.
import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo

    with open("/tmp/parts.bin", "wb") as _file:
        for _at in range(9):
            _file.write(bytes([_at]) * 100_000)
    parts = open("/tmp/parts.bin", "rb")
    with open("log.txt", "w") as _file:
        _file.write("run\n")
    return mo, parts


@app.cell
def _(mo):
    n = mo.ui.slider(0, 8)
    n
    return (n,)


@app.cell
def _(n, parts):
    parts.seek(n.value * 100_000)
    _found = b"".join(parts.read(1000) for _ in range(90))
    with open("log.txt", "a") as _file:
        _file.write("state\n")
    print(sorted(set(_found)), len(open("log.txt").readlines()))
    return


if __name__ == "__main__":
    app.run()
