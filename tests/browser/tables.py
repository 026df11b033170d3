"""Uses the tables of two pages in real Chromium: by mouse, by keyboard, on a phone, in print, without scripts.

    python tests/browser/tables.py NBC

Builds a notebook that marimo runs and one that holds what pandas wrote, in both layouts.
"""

from __future__ import annotations

import csv
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from playwright.sync_api import Browser, Locator, Page
from support import Watch, accessible, check, chromium, served, summary, until

MARIMO = '''
import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo
    cities = ["Oslo", "Århus", "Zürich", "Ålesund", "bergen", "Izmir"]
    rows = [
        {
            "city": cities[i % 6],
            "value": None if i % 50 == 0 else (i * 37) % 300 - 100,
            "day": f"2024-{i % 12 + 1:02}-{i % 28 + 1:02}",
            "note": 'he said "a, b"\\n=1+1' if i == 3 else f"n{i}",
        }
        for i in range(300)
    ]
    mo.ui.table(rows)
    return mo, rows


@app.cell
def _(mo):
    mo.ui.table([{"n": i} for i in range(9000)])


if __name__ == "__main__":
    app.run()
'''


def pandas_table(head: str, rows: list[str]) -> str:
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<div><table border="1" class="dataframe"><thead>{head}</thead><tbody>{body}</tbody></table></div>'


def cells(*values: str) -> str:
    return f"<th>{values[0]}</th>" + "".join(f"<td>{it}</td>" for it in values[1:])


HEAD = "<tr><th></th><th>a</th><th>b</th></tr>"
PANDAS = [
    pandas_table(HEAD, [cells(str(i), f"{i * 1000:,}.5", "NaN" if i % 2 else f"<b>{9 - i}</b>") for i in range(12)]),
    # Rows that pandas left out, and cells that it joined, must not be torn apart.
    pandas_table(HEAD, [cells("0", "1", "2"), cells("...", "...", "..."), cells("99", "3", "4")] * 4),
    pandas_table(HEAD, ["<th rowspan=2>x</th><td>1</td><td>2</td>", "<td>3</td><td>4</td>"] * 6),
]


def write(folder: pathlib.Path) -> None:
    (folder / "live.py").write_text(MARIMO)
    outputs = [{"output_type": "display_data", "metadata": {}, "data": {"text/html": it}} for it in PANDAS]
    code = {"cell_type": "code", "metadata": {}, "source": "show()", "execution_count": 1, "outputs": outputs}
    prose = {"cell_type": "markdown", "metadata": {}, "source": "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n"}
    book = {"cells": [prose, code], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    (folder / "kept.ipynb").write_text(json.dumps(book))


def column(table: Locator, at: int) -> list[str]:
    """The texts of a column that a reader sees."""
    return table.evaluate(
        "(it, at) => [...it.tBodies[0].rows].filter((row) => row.checkVisibility()).map((row) => row.cells[at].textContent.trim())", at
    )


def tools(table: Locator) -> tuple[Locator, Locator]:
    """What stands above and below a table."""
    frame = table.locator("xpath=..")
    return frame.locator("xpath=preceding-sibling::div[1]"), frame.locator("xpath=following-sibling::div[1]")


def sorting(table: Locator, name: str) -> None:
    before = column(table, 3)
    head = table.locator("thead th").nth(1)
    button = head.get_by_role("button", name="value")
    button.click()
    above, below = tools(table)
    check(head.get_attribute("aria-sort") == "ascending", f"{name}: ascending")
    seen = [int(it) for it in column(table, 1)]
    check(seen == sorted(seen) and seen[0] == -99, f"{name}: numbers in order, {seen[:4]}")
    button.click()
    check(head.get_attribute("aria-sort") == "descending", f"{name}: descending")
    check(column(table, 1)[:3] == ["199", "198", "197"], f"{name}: {column(table, 1)[:3]}")
    for _ in range(11):
        below.get_by_role("button", name="Next").click()
    check(column(table, 1)[-6:] == [""] * 6, f"{name}: missing values are last")
    check(column(table, 3)[-6:] == ["n0", "n50", "n100", "n150", "n200", "n250"], f"{name}: the order of equals")
    button.click()
    check(head.get_attribute("aria-sort") is None and column(table, 3) == before, f"{name}: as it was")
    table.get_by_role("button", name="city").click()
    check(column(table, 0)[0] == "Ålesund", f"{name}: first city {column(table, 0)[0]}")
    check(column(table, 3)[:3] == ["n3", "n9", "n15"] or column(table, 3)[1:3] == ["n9", "n15"], f"{name}: a stable order")
    table.get_by_role("button", name="day").click()
    days = column(table, 2)
    check(days == sorted(days), f"{name}: days in order")
    for _ in range(2):
        table.get_by_role("button", name="day").click()
    check(column(table, 3) == before, f"{name}: the order of the notebook again")


def searching(page: Page, table: Locator, name: str) -> None:
    above, below = tools(table)
    search = above.get_by_role("searchbox", name="Search in the table")
    status = above.get_by_role("status")
    check(status.inner_text() == "300 rows", f"{name}: {status.inner_text()}")
    search.fill("OSLO n1")
    expected = sum(1 for i in range(0, 300, 6) if str(i).startswith("1"))
    check(status.inner_text() == f"{expected} of 300 rows", f"{name}: {status.inner_text()}")
    check(set(column(table, 0)) == {"Oslo"}, f"{name}: only Oslo")
    page.emulate_media(media="print")
    check(len(column(table, 0)) == expected and status.is_visible(), f"{name}: print has what was found, and says so")
    check(not search.is_visible() and not below.is_visible(), f"{name}: print has no controls")
    page.emulate_media(media="screen")
    search.fill("nothing has this")
    check(status.inner_text() == "0 of 300 rows" and column(table, 0) == [], f"{name}: nothing is found")
    search.press("Control+a")
    search.press("Delete")
    check(len(column(table, 0)) == 25, f"{name}: all again")
    page.emulate_media(media="print")
    check(len(column(table, 0)) == 300 and not status.is_visible(), f"{name}: print has all rows")
    page.emulate_media(media="screen")


def paging(page: Page, table: Locator, name: str) -> None:
    _, below = tools(table)
    status, back = below.get_by_role("status"), below.get_by_role("button", name="Previous")
    check(status.inner_text() == "Page 1 of 12" and back.get_attribute("aria-disabled") == "true", f"{name}: first page")
    back.dispatch_event("click")
    check(status.inner_text() == "Page 1 of 12", f"{name}: there is no page before the first")
    # By keyboard: the button keeps the focus at the end.
    below.get_by_role("button", name="Next").focus()
    for _ in range(13):
        page.keyboard.press("Enter")
    check(status.inner_text() == "Page 12 of 12", f"{name}: {status.inner_text()}")
    check(page.evaluate("document.activeElement.textContent") == "Next", f"{name}: the focus stays")
    check(column(table, 3)[-1] == "n299", f"{name}: the last row")
    below.get_by_label("Rows per page").select_option("100")
    check(status.inner_text() == "Page 3 of 3" and len(column(table, 3)) == 100, f"{name}: {status.inner_text()}")
    below.get_by_label("Rows per page").select_option("25")


def summing_up(table: Locator, name: str) -> None:
    above, _ = tools(table)
    button = above.get_by_role("button", name="Summary")
    button.click()
    row = table.locator("tr.nbc-table-summary")
    said = [it.split("\n") for it in row.locator("td").all_inner_texts()]
    check(said[0][0] == "6 distinct" and said[0][1].startswith("commonest") and said[0][1].endswith("(50)"), f"{name}: {said[0]}")
    check(said[1][:3] == ["294 distinct", "6 missing", "min -99"] and said[1][4] == "max 199", f"{name}: {said[1]}")
    values = [(i * 37) % 300 - 100 for i in range(300) if i % 50]
    mean = float(said[1][3].removeprefix("mean "))
    check(abs(mean - sum(values) / len(values)) < 0.01, f"{name}: mean {mean}")
    check(said[2][1:] == ["min 2024-01-01", "max 2024-12-28"], f"{name}: {said[2]}")
    above.get_by_role("searchbox").fill("bergen")
    check(row.locator("td").first.inner_text() == "1 distinct\ncommonest bergen (50)", f"{name}: of what was found")
    above.get_by_role("searchbox").fill("")
    button.press("Space")
    check(row.count() == 0 and button.get_attribute("aria-pressed") == "false", f"{name}: the summary goes")


def copying(page: Page, table: Locator, name: str) -> None:
    above, _ = tools(table)
    above.get_by_role("searchbox").fill("SAID")
    above.get_by_role("button", name="Copy CSV").click()
    copied = "(it) => it.lastElementChild.textContent === 'Copied'"
    check(until(page, copied, above.element_handle(), 5), f"{name}: copied")
    text = page.evaluate("navigator.clipboard.readText()")
    read = list(csv.reader(io.StringIO(text, newline="")))
    expected = [["city", "value", "day", "note"], ["Ålesund", "11", "2024-04-04", 'he said "a, b"\n=1+1']]
    check(read == expected, f"{name}: {read}")
    above.get_by_role("searchbox").fill("")


def live(browser: Browser, url: str, allowed: str, name: str) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    watch = Watch(page, allowed)
    page.goto(url)
    tables = page.locator("table.nbc-table")
    check(tables.count() == 2, f"{name}: {tables.count()} tables")
    first = tables.first
    for work in (lambda: sorting(first, name), lambda: searching(page, first, name), lambda: paging(page, first, name)):
        work()
        page.reload()
    summing_up(first, name)
    copying(page, first, name)
    check(page.get_by_text("Rows 1 to 5,000 of 9,000.").count() == 1, f"{name}: what is not on the page is told")
    check(tables.nth(1).locator("tbody tr").count() == 5000, f"{name}: more than marimo's first page")
    took = tables.nth(1).evaluate("(it) => { const from = performance.now(); it.querySelector('th button').click(); return performance.now() - from; }")
    print(f"{name}: sorting 5,000 rows took {took:.0f} ms")
    page.set_viewport_size({"width": 360, "height": 700})
    check(page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name}: fits a phone")
    page.evaluate("document.documentElement.dir = 'rtl'")
    check(page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name}: fits a phone from right to left")
    watch.report(page, name)
    context.close()


def kept(browser: Browser, url: str, allowed: str, name: str) -> None:
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    watch = Watch(page, allowed)
    page.goto(url)
    table = page.locator("table.x-dataframe").first
    table.get_by_role("button", name="a").click()
    table.get_by_role("button", name="a").click()
    check(column(table, 0) == [str(it) for it in reversed(range(12))], f"{name}: {column(table, 1)}")
    table.get_by_role("button", name="b").click()
    check(column(table, 2) == ["-1", "1", "3", "5", "7", "9"] + ["NaN"] * 6, f"{name}: {column(table, 2)}")
    check(page.locator(".nbc-table-tools").count() == 1, f"{name}: only whole tables have tools")
    check(page.locator(".nbc-out-prose button").count() == 0, f"{name}: tables of prose stay as they are")
    watch.report(page, name)
    context.close()


def without_scripts(browser: Browser, url: str, name: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(url)
    table = page.locator("table.nbc-table").first
    check(table.locator("tbody tr").count() == 300, f"{name}: all rows without scripts")
    check(page.locator(".nbc-table-tools, .nbc-sort").count() == 0, f"{name}: no controls without scripts")
    context.close()


def main() -> int:
    nbc = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as temporary, chromium() as browser:
        root = pathlib.Path(temporary)
        books = root / "books"
        books.mkdir()
        write(books)
        for layout in ("single", "site"):
            out = root / layout
            python = os.environ.get("NBC_TEST_PYTHON", sys.executable)
            subprocess.run([nbc, "build", books, "-o", out, "--layout", layout, "--python", python, "--execute", "auto"], check=True)
            subprocess.run([nbc, "verify", out], check=True)
            with served(out) as base:
                for page, use in (("live.html", live), ("kept.html", kept)):
                    url = (out / page).as_uri() if layout == "single" else base + page
                    use(browser, url, url if layout == "single" else base, f"{layout}/{page}")
                    if layout == "single":
                        accessible(browser, url, page)
                without_scripts(browser, base + "live.html", f"{layout}/live.html")
    return summary()


if __name__ == "__main__":
    raise SystemExit(main())
