"""Operates ipywidgets on pages in real Chromium, by mouse and keyboard.

    python tests/browser/widgets.py NBC

Builds a Jupyter notebook in both layouts. What its states hold is the matter of `tests/runner/widgets.rs`.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from playwright.sync_api import Browser, Locator, Page
from support import Watch, accessible, check, chromium, served, summary, until

CELLS = [
    """
import ipywidgets as w
from IPython.display import display
""",
    """
@w.interact(n=(1, 5), kind=["rain", "snow"])
def show(n=2, kind="rain"):
    if n == 4 and kind == "snow":
        raise ValueError("no snow on day 4")
    print(n, "days of", kind)
""",
    """
span = w.IntRangeSlider(value=(1, 3), min=0, max=4, description="span")
unit = w.ToggleButtons(options=["<b>mm</b>", "inch"], description="unit")
grid = w.ToggleButton(description="grid")
scale = w.BoundedFloatText(value=1, min=0, max=2, step=0.5, description="scale")
speed = w.SelectionSlider(options=["slow", "fast"], description="speed")
w.VBox([span, unit, grid, scale, speed])
""",
    """
log = w.Output()

def draw(change=None):
    log.clear_output(wait=True)
    with log:
        print(span.value, unit.value, grid.value, scale.value, speed.value)

for it in (span, unit, grid, scale, speed):
    it.observe(draw, "value")
draw()
log
""",
    """
cities = {"fr": ["Paris", "Lyon"], "it": ["Rome", "Milan", "Turin"]}
land = w.Dropdown(options=["fr", "it"], description="land")
city = w.Dropdown(options=cities["fr"], description="city")
land.observe(lambda it: setattr(city, "options", cities[it.new]), "value")
out = w.interactive_output(lambda city: display(w.HTML(f"<script>1</script>{city}!")) or print(city), {"city": city})
w.Tab([w.VBox([land, city, out]), w.Text("any", description="text")], titles=["Place", "More"])
""",
]


def write(folder: pathlib.Path) -> None:
    def code(text: str) -> dict:
        return {"cell_type": "code", "metadata": {}, "source": text.strip(), "execution_count": None, "outputs": []}

    book = {"cells": [code(it) for it in CELLS], "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 4}
    (folder / "widgets.ipynb").write_text(json.dumps(book))


def control(page: Page, label: str) -> Locator:
    """The input with this description."""
    return page.locator("[data-ready]").filter(has=page.get_by_text(label, exact=True))


def shows(page: Page, text: str, name: str) -> None:
    """Whether some output comes to say this."""
    condition = "(text) => [...document.querySelectorAll('.nbc-slot')].some((it) => it.innerText.includes(text))"
    check(until(page, condition, text, 5), f"{name}: no output says {text!r}: {page.locator('.nbc-slot').all_inner_texts()}")


def operate(browser: Browser, url: str, allowed: str, name: str) -> None:
    context = browser.new_context(viewport={"width": 1000, "height": 1400})
    page = context.new_page()
    watch = Watch(page, allowed)
    page.goto(url)
    check(until(page, "document.querySelectorAll('[data-ready]').length === 9"), f"{name}: inputs that work")
    shows(page, "2 days of rain", name)
    slider = control(page, "n").locator("input")
    slider.focus()
    page.keyboard.press("ArrowRight")
    shows(page, "3 days of rain", name)
    control(page, "kind").locator("select").select_option(label="snow")
    shows(page, "3 days of snow", name)
    slider.focus()
    page.keyboard.press("ArrowRight")
    shows(page, "This cell failed.", name)
    check(slider.evaluate("(it) => it === document.activeElement"), f"{name}: the focus stays")
    page.keyboard.press("End")
    shows(page, "5 days of snow", name)

    shows(page, "(1, 3) <b>mm</b> False 1.0 slow", name)
    control(page, "span").locator("input").nth(1).focus()
    page.keyboard.press("ArrowRight")
    control(page, "unit").get_by_label("inch").check()
    control(page, "grid").locator("input").check()
    control(page, "scale").locator("input").fill("1.6")
    page.keyboard.press("Enter")
    control(page, "speed").locator("input").focus()
    page.keyboard.press("ArrowRight")
    shows(page, "(1, 4) inch True 1.5 fast", name)
    check("unit=inch" in page.url and "speed=fast" in page.url, f"{name}: {page.url}")

    control(page, "land").locator("select").select_option(label="it")
    shows(page, "Rome", name)
    options = control(page, "city").locator("option").all_inner_texts()
    check(options == ["Rome", "Milan", "Turin"], f"{name}: {options}")
    control(page, "city").locator("select").select_option(label="Turin")
    shows(page, "Turin", name)
    text = page.get_by_label("text", exact=True)
    check(text.is_disabled(), f"{name}: a text has no states")
    page.locator("summary", has_text="More").click()
    check(text.is_visible(), f"{name}: a tab opens")

    page.reload()
    shows(page, "5 days of snow", name)
    shows(page, "(1, 4) inch True 1.5 fast", name)
    shows(page, "Turin", name)
    page.locator("[data-action=reset]").click()
    shows(page, "2 days of rain", name)
    shows(page, "Paris", name)
    watch.report(page, name)
    context.close()


def another_start(browser: Browser, url: str) -> None:
    """A page that was built for other values, without scripts."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(url)
    shown = page.locator(".nbc-slot").all_inner_texts()
    check("5 days of rain" in shown[0], f"another start: {shown[0]}")
    check("inch" in shown[1], f"another start: {shown[1]}")
    check(page.get_by_label("inch").is_checked(), "another start: the control of another cell")
    check(page.locator("input:enabled, select:enabled").count() == 0, "without scripts no control works")
    context.close()


def main() -> int:
    nbc = str(pathlib.Path(sys.argv[1]).resolve())
    python = os.environ.get("NBC_TEST_PYTHON", sys.executable)
    with tempfile.TemporaryDirectory() as temporary, chromium() as browser:
        root = pathlib.Path(temporary)
        books = root / "books"
        books.mkdir()
        write(books)

        def build(out: pathlib.Path, *flags: str) -> None:
            command = [nbc, "build", books / "widgets.ipynb", "-o", out, "--python", python, "--max-states", "3000", *flags]
            subprocess.run(command, check=True)
            subprocess.run([nbc, "verify", out], check=True)

        for layout in ("single", "site"):
            out = root / layout
            build(out, "--layout", layout)
            with served(out) as base:
                url = (out / "widgets.html").as_uri() if layout == "single" else base + "widgets.html"
                operate(browser, url, url if layout == "single" else base, layout)
                if layout == "single":
                    accessible(browser, url, layout)
        build(root / "other", "--state", "n=5", "--state", "unit=inch")
        another_start(browser, (root / "other" / "widgets.html").as_uri())
    return summary()


if __name__ == "__main__":
    raise SystemExit(main())
