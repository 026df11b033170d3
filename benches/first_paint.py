"""How soon a reader sees a page and its charts: Chromium, `single` against `site`, from a local server.

    python3 -m venv /tmp/paint
    /tmp/paint/bin/pip install playwright==1.61.0 altair==6.3.0 bokeh==3.9.2 plotly==7.1.0 pandas==3.1.1 ipython
    cargo build --release && /tmp/paint/bin/python benches/first_paint.py target/release/nbc

Each page is loaded in a new browser context, so nothing is cached. First paint is the browser's own
`first-contentful-paint`; the first chart is there when its figure says that it is drawn (seen within a frame).
Both from the start of the navigation, in milliseconds: medians of REPETITIONS (5), and their range. Needs
Chromium (`CHROMIUM`, else /usr/bin/chromium).
"""

from __future__ import annotations

import functools
import http.server
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import threading

from playwright.sync_api import sync_playwright

REPETITIONS = int(os.environ.get("REPETITIONS", "5"))
TABLE = "import pandas as pd\ndata = pd.DataFrame({'x': range(200), 'y': [it * it % 97 for it in range(200)]})"
NOTEBOOKS = {
    "text and tables": [TABLE, "data.head(20)", "data.describe()"],
    "Vega-Lite": [TABLE, "import altair as alt\nalt.Chart(data).mark_line().encode(x='x', y='y', tooltip='y')"],
    "Bokeh": [
        TABLE,
        "from bokeh.plotting import figure, show\nfrom bokeh.io import output_notebook\noutput_notebook(hide_banner=True)",
        "plot = figure(height=300)\nplot.line(data.x, data.y)\nshow(plot)",
    ],
    "Plotly": [TABLE, "import plotly.express as px\npx.line(data, x='x', y='y')"],
}
# Seen from inside, frame by frame: a poll from outside would add its own delay.
WATCH = """
const look = () => {
  if (document.querySelector('figure[data-state="drawn"]')) { window.drawnAt = performance.now(); } else { requestAnimationFrame(look); }
};
requestAnimationFrame(look);
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def write_notebook(path: pathlib.Path, cells: list[str]) -> None:
    prose = {"cell_type": "markdown", "id": "p", "metadata": {}, "source": "# A page\n\n" + "Some words of prose. " * 60}
    code = [{"cell_type": "code", "id": f"c{n}", "metadata": {}, "source": it, "outputs": [], "execution_count": None} for n, it in enumerate(cells)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(json.dumps({"cells": [prose, *code], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))


def weight(page: pathlib.Path, layout: str) -> float:
    """All bytes that a reader loads for the page, in kB."""
    files = [page] if layout == "single" else [page, *(it for it in page.parent.rglob("*") if it.suffix in (".js", ".css"))]
    return sum(it.stat().st_size for it in files) / 1000


def measure(browser, address: str, has_chart: bool) -> tuple[float, float]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_init_script(WATCH)
    page = context.new_page()
    page.goto(address, wait_until="load")
    if has_chart:
        wait(page, "window.drawnAt")
    wait(page, "performance.getEntriesByName('first-contentful-paint').length")
    found = page.evaluate("[performance.getEntriesByName('first-contentful-paint')[0].startTime, window.drawnAt || 0]")
    context.close()
    return found[0], found[1]


def wait(page, condition: str) -> None:
    # `wait_for_function` makes code from text, which the page's policy refuses.
    page.evaluate("() => new Promise((done) => { const look = () => (%s) ? done() : requestAnimationFrame(look); look(); })" % condition)


def shown(values: list[float]) -> str:
    return f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})" if any(values) else ""


def main() -> None:
    nbc = sys.argv[1]
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {REPETITIONS} repetitions, medians (range)\n")
    print("| page | layout | kB | first paint ms | first chart ms |\n|---|---|---:|---|---|")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        root = pathlib.Path(name)
        handler = functools.partial(Quiet, directory=name)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"])
        for number, (title, cells) in enumerate(NOTEBOOKS.items()):
            write_notebook(root / f"n{number}.ipynb", cells)
            for layout in ("single", "site"):
                out = root / f"{layout}{number}"
                command = [nbc, "build", str(root / f"n{number}.ipynb"), "--layout", layout, "--python", sys.executable, "-o", str(out)]
                subprocess.run(command, check=True, capture_output=True)
                address = f"http://127.0.0.1:{server.server_port}/{out.name}/n{number}.html"
                measure(browser, address, number > 0)
                times = [measure(browser, address, number > 0) for _ in range(REPETITIONS)]
                paint, chart = [it[0] for it in times], [it[1] for it in times]
                print(f"| {title} | {layout} | {weight(out / f'n{number}.html', layout):.0f} | {shown(paint)} | {shown(chart)} |", flush=True)


if __name__ == "__main__":
    main()
