# A thread makes forks doubtful, and a state that sleeps is run again: with the files as they were at the start.
import marimo

app = marimo.App()


@app.cell
def _():
    import os
    import threading
    import time

    import marimo as mo

    threading.Thread(target=time.sleep, args=(9999,), daemon=True).start()
    os.mkdir("/tmp/made")
    with open("/tmp/made/log.txt", "a") as _file:
        _file.write("run\n")
    return mo, time


@app.cell
def _(mo):
    n = mo.ui.slider(0, 3)
    n
    return (n,)


@app.cell
def _(n, time):
    if n.value in (1, 3):
        time.sleep(3)
    with open("/tmp/made/log.txt", "a") as _file:
        _file.write("state\n")
    print(n.value, len(open("/tmp/made/log.txt").readlines()))
    return


if __name__ == "__main__":
    app.run()
