"""Opens every page that `tests/run.sh` built in real Chromium, and says what a reader would see.

For each page, in each way that a reader may open it: no violation of the policy, no error on the
console, no request to anywhere else, no dialog, no navigation; the text and pictures that the page
promises are there; it works by keyboard, on a phone, in print and without scripts.
"""

from __future__ import annotations

import pathlib
import sys

from playwright.sync_api import Browser
from support import Watch, accessible, check, chromium, draw_charts, pages_of, served, summary, until

# Texts that each example must show, and the number of pictures.
EXPECTED = {
    "weather_report": {"text": ["Ten years of weather", "A typical year", "Sevilla", "°C a year"], "pictures": 1, "tables": 2, "math": 1},
    "weather_report_jupyter": {"text": ["Jupyter notebook", "360 monthly means of 3 cities", "2024"], "pictures": 1, "tables": 2, "math": 1},
    "energy_mix": {"text": ["Where the electricity comes from", "percentage points"], "pictures": 2, "tables": 2},
    "newton_method": {"text": ["Newton's method", "digits that are right", "bisection"], "pictures": 1, "tables": 2, "math": 3},
    "living_charts": {"text": ["Charts that stay alive", "no server", "Bokeh"], "pictures": 3, "tables": 0},
    "loan_calculator": {"text": ["Loan calculator", "First payment", "work without a server", "still owed"], "pictures": 0, "tables": 1},
}


def open_page(browser: Browser, url: str, allowed: str, name: str, **context: object) -> None:
    """Opens one page, acts as a reader, and checks what it promises."""
    made = browser.new_context(**context)
    page = made.new_page()
    watch = Watch(page, allowed)
    page.goto(url, wait_until="networkidle")
    if context.get("java_script_enabled", True):
        draw_charts(page, name)
    stem = pathlib.PurePosixPath(url).stem
    text = page.inner_text("body")
    expected = EXPECTED.get(stem)
    if expected:
        for wanted in expected["text"]:
            check(wanted in text, f"{name}: the text {wanted!r} is missing")
        pictures = page.evaluate(
            "Array.from(document.querySelectorAll('main img, main figure[data-state=drawn], main .nbc-chart-still > p'))"
            ".filter((it) => it.getBoundingClientRect().width > 100 && (it.tagName !== 'IMG' || it.naturalWidth > 0)).length"
        )
        check(pictures >= expected["pictures"], f"{name}: {pictures} pictures instead of {expected['pictures']}")
        tables = page.locator("main table").count()
        check(tables >= expected["tables"], f"{name}: {tables} tables instead of {expected['tables']}")
        math = page.locator("main math").count()
        check(math >= expected.get("math", 0), f"{name}: {math} formulas instead of {expected.get('math')}")
    check("Traceback" not in text and "/root/" not in text and "/tmp/" not in text, f"{name}: the page tells of the machine")
    dead = page.evaluate(
        "Array.from(document.querySelectorAll('a[href^=\"#\"]'), (it) => it.getAttribute('href').slice(1))"
        ".filter((it) => it && !document.getElementById(it))"
    )
    check(dead == [], f"{name}: links within the page lead nowhere: {dead[:3]}")
    scripts = context.get("java_script_enabled", True)
    if scripts:
        before = page.evaluate("document.title")
        buttons = page.locator("button[data-action]:visible")
        for index in range(min(buttons.count(), 3)):
            buttons.nth(index).click()
        for fold in page.locator("main details > summary:visible").all()[:6]:
            fold.click()
        page.keyboard.press("Tab")
        check(page.evaluate("document.title") == before != "attacked", f"{name}: the title changed")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        check(wide <= 0, f"{name}: the page scrolls sideways by {wide} px")
        watch.report(page, name)
        check(page.url.split("#")[0] == url, f"{name}: the page navigated to {page.url}")
    else:
        check(watch.seen == [], f"{name}: {watch.seen[:3]}")
    made.close()


def every_way(browser: Browser, url: str, allowed: str, name: str) -> None:
    open_page(browser, url, allowed, f"{name}, desktop")
    open_page(browser, url, allowed, f"{name}, phone in the dark", viewport={"width": 390, "height": 844}, color_scheme="dark")
    open_page(browser, url, allowed, f"{name}, without scripts", java_script_enabled=False)


def controls_work(browser: Browser, url: str) -> None:
    """Theme, code, line wrapping, anchors, outline and print, as a reader meets them."""
    made = browser.new_context(viewport={"width": 1280, "height": 700}, color_scheme="light")
    page = made.new_page()
    page.goto(url)
    theme = page.locator("button[data-action=theme]")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    for shown in ("Auto", "Light", "Dark"):
        check(theme.inner_text() == shown, f"the theme is {theme.inner_text()!r}, not {shown!r}")
        if shown != "Dark":
            theme.click()
    dark = page.evaluate(background)
    check(light != dark, "the dark theme is not dark")
    page.reload()
    check(until(page, f"(dark) => {background} === dark", dark), "the theme is not kept")
    page.emulate_media(media="print")
    check(page.evaluate(background) == light, "dark pages are printed dark")
    check(page.locator(".bar, .anchor, .code-tools").locator("visible=true").count() == 0, "controls are printed")
    page.emulate_media(media="screen")
    page.click("button[data-action=toggle-code]")
    check(page.locator(".code pre:visible").count() > 2, "the code is not shown")
    page.locator("button[data-action=wrap]").first.focus()
    page.keyboard.press("Enter")
    check(page.evaluate("getComputedStyle(document.querySelector('.code pre')).whiteSpace") == "pre-wrap", "lines are not wrapped")
    anchor = page.locator("main h2 .anchor").first
    anchor.focus()
    page.keyboard.press("Enter")
    check(page.url.endswith(anchor.get_attribute("href")), "an anchor does not lead to its heading")
    last = page.locator(".outline a").last
    # A jump, past headings that are never in view.
    page.evaluate("document.querySelectorAll('main h2')[2].nextElementSibling?.scrollIntoView({ behavior: 'instant' }) ?? scrollTo(0, 1e6)")
    check(until(page, "document.querySelector('.outline a[aria-current]') !== null"), "the outline does not mark what is read")
    last.click()
    check(last.is_visible(), "the outline is not beside the text")
    made.close()
    bare = browser.new_context(viewport={"width": 1280, "height": 700}, java_script_enabled=False)
    page = bare.new_page()
    page.goto(url)
    check(page.locator(".outline a").first.is_visible(), "without scripts there is no outline")
    check(page.locator("button:visible").count() == 0, "without scripts there are buttons that do nothing")
    bare.close()


def main() -> int:
    out = pathlib.Path(sys.argv[1]).resolve()
    opened: set[str] = set()
    with chromium() as browser:
        for name in ("single", "hostile", "failing"):
            folder = out / name
            with served(folder) as base:
                for page in pages_of(folder):
                    path = folder / page
                    every_way(browser, path.as_uri(), path.as_uri(), f"{name}/{page} from disk")
                    every_way(browser, base + page, base, f"{name}/{page} from a server")
                    opened.add(path.stem)
                    # A hostile notebook chooses colours that nobody can read.
                    if name != "hostile":
                        accessible(browser, path.as_uri(), f"{name}/{page}")
        for name in ("site", "hostile-site"):
            folder = out / name
            with served(folder, "/project") as base:
                for page in pages_of(folder):
                    every_way(browser, base + page, base, f"{name}/{page}")
                if name == "site":
                    follow_links(browser, base)
        controls_work(browser, (out / "single" / "weather_report.html").as_uri())
        failing_tells_nothing(out / "failing")
        attack_was_blocked(out / "hostile")
    missing = set(EXPECTED) - opened
    check(not missing, f"pages that were not opened: {sorted(missing)}")
    return summary()


def follow_links(browser: Browser, base: str) -> None:
    """From the index to each notebook and back, as a reader would."""
    page = browser.new_page()
    page.goto(base + "index.html")
    links = page.locator("main a").evaluate_all("(all) => all.map((it) => it.href)")
    check(len(links) >= len(EXPECTED), f"the index leads to {len(links)} pages only")
    for link in links:
        answer = page.goto(link)
        check(answer is not None and answer.ok, f"the index leads to {link}, which is not there")
        page.click("a.bar-home")
        check(page.url == base + "index.html", f"{link} does not lead back")
    page.close()


def failing_tells_nothing(folder: pathlib.Path) -> None:
    text = "".join(path.read_text() for path in folder.rglob("*") if path.is_file())
    for word in ("ZeroDivisionError", "division by zero", "Traceback"):
        check(word not in text, f"the failing page tells {word!r}")
    check("This cell failed" in text, "the failing page does not say that a cell failed")


def attack_was_blocked(folder: pathlib.Path) -> None:
    text = (folder / "attack.html").read_text()
    check("REACHED" not in text, "an attack on the host got through")
    check(text.count("blocked  ") >= 11, f"only {text.count('blocked  ')} attempts were blocked")


if __name__ == "__main__":
    raise SystemExit(main())
