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
    kind = mo.ui.dropdown(
        ["fine", "sleep", "fork", "exit", "disk", "memory", "script", "descriptors", "outlive", "also fine"],
        value="fine",
        label="<img src=x onerror=alert(1)>",
    )
    kind
    return (kind,)


@app.cell
def _(kind, mo, os, time):
    if kind.value == "sleep":
        time.sleep(1000)
    elif kind.value == "fork":
        while True:
            try:
                if os.fork() == 0:
                    os.setsid()
                    time.sleep(1000)
            except OSError:
                time.sleep(1000)
    elif kind.value == "exit":
        os._exit(3)
    elif kind.value == "disk":
        with open("/tmp/fill", "wb") as file:
            while True:
                file.write(b"x" * (1 << 20))
    elif kind.value == "memory":
        held = []
        while True:
            held.append(b"x" * (1 << 24))
    elif kind.value == "descriptors":
        for descriptor in range(3, 1000):
            try:
                os.write(descriptor, b"\x00\x00\x00\x02\x00\x00\x00\x0b[]{\"cells\":1}")
            except OSError:
                pass
    elif kind.value == "outlive":
        if os.fork() == 0:
            os.setsid()
            time.sleep(1000)
    script = "<script>alert(1)</script><img src=x onerror=alert(1)>" if kind.value == "script" else ""
    mo.Html(f"<p>{script}{kind.value}</p>")
    return


if __name__ == "__main__":
    app.run()
