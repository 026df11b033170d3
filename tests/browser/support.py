"""Shared by the scripts of this folder: Chromium, a loopback server, checks that are counted, and a watch on a page."""

from __future__ import annotations

import functools
import http.server
import json
import pathlib
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import axe_playwright_python
from playwright.sync_api import Browser, Page, sync_playwright

# Chromium makes no request of its own: every request that a test sees is the page's.
QUIET = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"]

# Needs of people with disabilities, as far as a program can check them: WCAG 2.2 A and AA, and good practice.
AXE = (pathlib.Path(axe_playwright_python.__path__[0]) / "axe.min.js").read_text()
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

problems: list[str] = []
checks = 0


def check(condition: bool, message: str) -> None:
    global checks
    checks += 1
    if not condition:
        problems.append(message)
        print(f"FAILED {message}")


def same(found: object, wanted: object, message: str) -> None:
    check(found == wanted, f"{message}: {found!r} is not {wanted!r}")


def summary() -> int:
    """Prints the line that `tests/run.sh` counts, and returns the exit code of the script."""
    print(f"{checks - len(problems)} passed, {len(problems)} failed")
    return 1 if problems else 0


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*QUIET, *flags])
        yield browser
        browser.close()


def until(page: Page, condition: str, argument: object = None, seconds: float = 30) -> bool:
    """Whether the condition comes true in time.

    Playwright's `wait_for_function` makes code from text in the page when its first look fails,
    which the page's policy refuses.
    """
    end = time.monotonic() + seconds
    while not page.evaluate(condition, argument):
        if time.monotonic() > end:
            return False
        page.wait_for_timeout(20)
    return True


def is_trouble(message) -> bool:
    """What chart libraries do to their canvases makes Chromium speak of speed, which is no trouble."""
    is_about_speed = message.type == "warning" and ("willReadFrequently" in message.text or "GPU stall" in message.text)
    return message.type in ("error", "warning") and not is_about_speed


class Watch:
    """Everything that a page does and should not do."""

    def __init__(self, page: Page, allowed: str) -> None:
        self.seen: list[str] = []
        page.on("console", lambda it: self.seen.append(f"console {it.type}: {it.text}") if is_trouble(it) else None)
        page.on("pageerror", lambda it: self.seen.append(f"script error: {it}"))
        page.on("dialog", lambda it: (self.seen.append(f"dialog: {it.message}"), it.dismiss()))
        page.on("popup", lambda it: self.seen.append(f"popup: {it.url}"))
        page.on("request", lambda it: None if it.url.startswith((allowed, "data:")) else self.seen.append(f"request: {it.url}"))
        # Runs outside the page's policy, before its first byte is parsed.
        page.add_init_script(
            "window.__violations = [];"
            "document.addEventListener('securitypolicyviolation', (e) =>"
            " window.__violations.push(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample));"
        )

    def report(self, page: Page, name: str) -> None:
        violations = page.evaluate("window.__violations")
        check(violations == [], f"{name}: policy violations {violations[:3]}")
        check(self.seen == [], f"{name}: {self.seen[:3]}")


class Server(http.server.ThreadingHTTPServer):
    """Says nothing of a browser that leaves before it has an answer."""

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves a folder without a line on the console for each request."""

    def log_message(self, *_: object) -> None:
        pass


def serve(handler: type[Files], folder: pathlib.Path | str) -> Server:
    """A loopback server of a folder, in a thread that ends with the script."""
    server = Server(("127.0.0.1", 0), functools.partial(handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@contextmanager
def served(folder: pathlib.Path, prefix: str = "") -> Iterator[str]:
    """The address of a served folder; `prefix` puts the folder below a path, as GitHub Pages does."""

    class Handler(Files):
        def translate_path(self, path: str) -> str:
            return super().translate_path(path.removeprefix(prefix))

    server = serve(Handler, folder)
    try:
        yield f"http://127.0.0.1:{server.server_port}{prefix}/"
    finally:
        server.shutdown()


def draw_charts(page: Page, name: str) -> None:
    """Comes to each chart as a reader does, and points at its middle."""
    figures = page.locator("figure[data-chart]")
    for index in range(figures.count()):
        figure = figures.nth(index)
        figure.scroll_into_view_if_needed()
        until(page, "(it) => it.dataset.state !== undefined", figure.element_handle())
        state = figure.get_attribute("data-state")
        check(state == "drawn", f"{name}: the chart {figure.get_attribute('id')} is {state}")
        box = figure.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + min(box["height"] / 2, 300))
        page.wait_for_timeout(100)
    page.evaluate("scrollTo(0, 0)")


def accessible(browser: Browser, url: str, name: str) -> None:
    """No finding of axe-core, in both schemes, on a desktop and on the narrowest phone, all unfolded."""
    for scheme in ("light", "dark"):
        for width in (1280, 320):
            made = browser.new_context(
                color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True, reduced_motion="reduce"
            )
            page = made.new_page()
            page.goto(url)
            page.evaluate("document.querySelectorAll('details').forEach((it) => { it.open = true; })")
            draw_charts(page, name)
            page.evaluate(AXE)
            found = page.evaluate("(tags) => axe.run(document, { runOnly: tags }).then((it) => it.violations)", AXE_RULES)
            told = [f"{it['id']}: {it['nodes'][0]['html'][:120]}" for it in found]
            check(told == [], f"{name}, {scheme}, {width} px: {told[:3]}")
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            check(wide <= 0, f"{name}, {width} px: the page scrolls sideways by {wide} px")
            made.close()


def pages_of(folder: pathlib.Path) -> list[str]:
    manifest = json.loads((folder / "manifest.json").read_text())
    return [file["path"] for file in manifest["files"] if file["path"].endswith(".html")]
