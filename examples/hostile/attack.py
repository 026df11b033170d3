# /// script
# requires-python = ">=3.11"
# dependencies = ["marimo==0.25.2"]
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="</title><script>document.title='attacked'</script>")


@app.cell
def _():
    import os
    import socket
    import subprocess

    import marimo as mo

    return mo, os, socket, subprocess


@app.cell
def _(os, socket, subprocess):
    def read(path):
        with open(path, "rb") as file:
            return file.read(40)

    def write(path):
        with open(path, "w") as file:
            file.write("attacked")
        return path

    def connect(family, address):
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(2)
            connection.connect(address)
        return address

    def others():
        seen = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        assert len(seen) > 8, "only its own processes"
        return len(seen)

    def host_variables():
        known = [name for name in os.environ if "SECRET" in name or "TOKEN" in name]
        assert known, "no secret in the environment"
        return known

    attempts = {
        "read /etc/shadow": lambda: read("/etc/shadow"),
        "read a home folder": lambda: read("/root/.bashrc"),
        "read the environment of process 1": lambda: read("/proc/1/environ"),
        "list /home": lambda: os.listdir("/home")[0],
        "secrets of the host": host_variables,
        "connect to the internet": lambda: connect(socket.AF_INET, ("1.1.1.1", 53)),
        "connect to the host": lambda: connect(socket.AF_INET, ("127.0.0.1", 22)),
        "write to /usr": lambda: write("/usr/attacked"),
        "write to core_pattern": lambda: write("/proc/sys/kernel/core_pattern"),
        "other processes": others,
        "mount": lambda: subprocess.run(["mount", "-t", "tmpfs", "x", "/tmp"], check=True),
    }
    for name, attempt in attempts.items():
        try:
            print(f"REACHED  {name}: {attempt()!r}")
        except BaseException as error:
            print(f"blocked  {name} ({type(error).__name__})")
    return


@app.cell
def _(mo):
    mo.Html(
        """
        <script>document.title = 'attacked'</script>
        <img src=x onerror="document.title='attacked'">
        <svg onload="document.title='attacked'"><script>document.title='attacked'</script></svg>
        <a href="javascript:document.title='attacked'">a link</a>
        <iframe srcdoc="<script>parent.document.title='attacked'</script>"></iframe>
        <form action="https://example.org/"><button>send</button></form>
        <style>body { background: url(https://example.org/beacon.png) } .bar { display: none }</style>
        <div style="position:fixed;inset:0;background:red;z-index:99">covers the page</div>
        <math><mtext><table><mglyph><style><img src=x onerror="document.title='attacked'">
        """
    )
    return


@app.cell
def _(mo):
    mo.md(
        """
        # <img src=x onerror="document.title='attacked'"> A heading

        [a link](javascript:document.title='attacked') and <script>document.title='attacked'</script>
        ![beacon](https://example.org/beacon.png)
        """
    )
    return


@app.cell
def _(mo):
    mo.ui.slider(1, 9, label="<img src=x onerror=\"document.title='attacked'\">")
    return


@app.cell
def _(mo):
    mo.ui.table([{"<script>document.title='attacked'</script>": "<img src=x onerror=document.title='attacked'>"}])
    return


@app.cell
def _(mo):
    mo.iframe("<script>parent.document.title='attacked'</script>")
    return


@app.cell
def _():
    class Hostile:
        def _mime_(self):
            return ("image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg'><script>document.title='attacked'</script><rect width='9' height='9' onclick=\"document.title='attacked'\"/></svg>")

    Hostile()
    return


if __name__ == "__main__":
    app.run()
