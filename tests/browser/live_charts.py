"""Moves the inputs of charts in real Chromium: Altair's, Plotly's and Bokeh's, drawn anew for each value.

    python tests/browser/live_charts.py NBC

The environment is that of the example `living_charts`, whose lock is used. Both layouts; the policy is never violated,
nothing stays behind of a drawing that left, and the last drawing is there until the next one is.
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from playwright.sync_api import Browser
from support import Watch, check, chromium, served, summary, until

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples"
NOTEBOOK = '''
import marimo

app = marimo.App()


@app.cell
def _():
    import altair as alt
    import marimo as mo
    import pandas as pd
    import plotly.graph_objects as go
    from bokeh.plotting import figure
    return alt, figure, go, mo, pd


@app.cell
def _(mo):
    n = mo.ui.slider(1, 12, value=2, label="Number")
    n
    return (n,)


@app.cell
def _(alt, n, pd):
    data = pd.DataFrame({"a": range(n.value), "b": [i * i for i in range(n.value)]})
    alt.Chart(data, title=f"{n.value} points").mark_point().encode(x="a", y="b")


@app.cell
def _(mo):
    m = mo.ui.slider(1, 5, label="Stacked")
    kind = mo.ui.dropdown(["bars", "text", "dots"], value="bars", label="Kind")
    return kind, m


@app.cell
def _(go, m, mo):
    bars = go.Figure(go.Bar(x=list(range(m.value)), y=[1 + i for i in range(m.value)]))
    bars.update_layout(title=f"{m.value} bars")
    mo.vstack([m, bars])


@app.cell
def _(figure, m):
    dots = figure(width=300, height=200, title=f"{m.value} dots")
    dots.scatter(list(range(m.value)), list(range(m.value)), size=12)
    dots


@app.cell
def _(alt, figure, kind, mo, pd):
    if kind.value == "bars":
        shown = alt.Chart(pd.DataFrame({"k": ["x"], "v": [3]})).mark_bar().encode(x="k", y="v")
    elif kind.value == "dots":
        shown = figure(width=300, height=200)
        shown.line([1, 2], [3, 4])
    else:
        shown = mo.md("No chart")
    mo.vstack([kind, shown])


if __name__ == "__main__":
    app.run()
'''

# Every figure that is there is drawn, once, and none is being drawn.
SETTLED = """(labels) => {
  const figures = [...document.querySelectorAll('figure[data-chart]')];
  return figures.every((it) => it.dataset.state === 'drawn' && it.querySelectorAll('.nbc-chart-stage').length === 1
      && it.querySelector('.nbc-chart-still').hidden)
    && labels.every((label) => figures.some((it) => it.getAttribute('aria-label') === label));
}"""


def use(browser: Browser, url: str, allowed: str, name: str) -> None:
    page = browser.new_page(viewport={"width": 1100, "height": 2400})
    watch = Watch(page, allowed)
    page.goto(url)
    check(until(page, SETTLED, ["Chart: 2 points", "Chart: 1 bars", "Chart: 1 dots"]), f"{name}: first paint")
    before = page.evaluate("document.querySelectorAll('*').length")

    number, stacked = (page.get_by_role("slider", name=it, exact=True) for it in ("Number", "Stacked"))
    number.focus()
    page.keyboard.press("End")
    check(until(page, SETTLED, ["Chart: 12 points"]), f"{name}: Altair's chart of another value")
    points = "document.querySelectorAll('.mark-symbol path').length"
    check(page.evaluate(points) == 12, f"{name}: {page.evaluate(points)} points")
    stacked.focus()
    page.keyboard.press("End")
    check(until(page, SETTLED, ["Chart: 5 bars", "Chart: 5 dots"]), f"{name}: Plotly's and Bokeh's charts of another value")
    check(page.locator(".bars .point").count() == 5, f"{name}: five bars")
    check("5 bars" in page.locator(".gtitle").text_content(), f"{name}: title of the bars")
    check(page.evaluate("document.activeElement.type") == "range", f"{name}: the focus stays")

    # Faster than anything draws: the last value counts, and an old drawing is there all the time.
    gaps = page.evaluate(
        """async () => {
          const [number, stacked] = document.querySelectorAll('input[type=range]');
          let gaps = 0;
          for (let at = 0; at < 60; at += 1) {
            for (const [input, size] of [[number, 12], [stacked, 5]]) {
              input.value = at % size;
              input.dispatchEvent(new Event('input', { bubbles: true }));
            }
            await new Promise(requestAnimationFrame);
            for (const it of document.querySelectorAll('figure[data-chart]')) {
              const stage = it.querySelector('.nbc-chart-stage');
              if (!stage?.hasChildNodes() || getComputedStyle(stage).visibility !== 'visible') gaps += 1;
            }
          }
          return gaps;
        }"""
    )
    check(gaps == 0, f"{name}: {gaps} times no chart was to be seen")
    check(until(page, SETTLED, ["Chart: 12 points", "Chart: 5 bars", "Chart: 5 dots"]), f"{name}: the last value is shown")
    documents = page.evaluate("[Bokeh.documents.length, Bokeh.index.roots.length > 3]")
    check(documents == [1, False], f"{name}: Bokeh keeps {documents}")

    kind = page.locator("select")
    for label, count in (("text", 3), ("dots", 4), ("bars", 4)):
        kind.select_option(label=label)
        check(until(page, SETTLED, []), f"{name}: {label} is drawn")
        check(page.locator("figure[data-chart]").count() == count, f"{name}: {count} charts with {label}")
    after = page.evaluate("document.querySelectorAll('*').length")
    check(after < before + 150, f"{name}: {before} elements became {after}")

    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    check(until(page, SETTLED, ["Chart: 12 points"]), f"{name}: drawn in other colours")
    address = page.url
    watch.report(page, name)
    page.close()

    again = browser.new_page(viewport={"width": 1100, "height": 2400})
    watch = Watch(again, allowed)
    # Charts may be drawn before the inputs' script comes.
    again.route("**/states.*.js", lambda route: (time.sleep(2), route.continue_()))
    again.goto(address)
    check(until(again, SETTLED, ["Chart: 12 points", "Chart: 5 dots"]), f"{name}: a page opened at its address")
    watch.report(again, f"{name} at its address")
    again.close()


def main() -> int:
    nbc = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as temporary, chromium() as browser:
        root = pathlib.Path(temporary)
        example = (EXAMPLE / "living_charts.py").read_text()
        (root / "live.py").write_text(example[: example.index("# [tool.nbc]")].rstrip("#\n ") + "\n# ///\n" + NOTEBOOK)
        shutil.copy(EXAMPLE / "pylock.living_charts.toml", root / "pylock.live.toml")
        for layout in ("single", "site"):
            out = root / layout
            subprocess.run([nbc, "build", root / "live.py", "-o", out, "--layout", layout], check=True)
            subprocess.run([nbc, "verify", out], check=True)
            with served(out) as base:
                url = (out / "live.html").as_uri() if layout == "single" else base + "live.html"
                use(browser, url, url if layout == "single" else base, layout)
    return summary()


if __name__ == "__main__":
    raise SystemExit(main())
