"""Opens a page with islands in real Chromium: they run, and reach nothing.

    python tests/browser/islands.py FOLDER

`FOLDER` is the site that `nbc build tests/browser/islands.ipynb --layout site --allow-island html --allow-island
anywidget` wrote. Its island `attacks` tries whatever a frame might do to its page, its site and its reader, and
writes what came of it into itself.
"""

from __future__ import annotations

import json
import pathlib
import socket
import sys

from playwright.sync_api import Browser
from support import Files, check, chromium, serve, summary


class Host:
    """A site on loopback; every request is remembered."""

    def __init__(self, folder: str) -> None:
        asked = self.asked = []

        class Handler(Files):
            def do_GET(self) -> None:
                asked.append(self.path)
                super().do_GET()

            def do_POST(self) -> None:
                asked.append(f"POST {self.path}")
                self.send_error(405)

        self.address = f"http://127.0.0.1:{serve(Handler, folder).server_port}"


def page_with_islands(browser: Browser, host: Host, other: Host) -> None:
    context = browser.new_context()
    page = context.new_page()
    seen: list[str] = []
    page.on("dialog", lambda it: (seen.append(f"dialog {it.message}"), it.dismiss()))
    page.on("popup", lambda it: seen.append(f"popup {it.url}"))
    page.on("download", lambda it: seen.append(f"download {it.url}"))
    page.on("request", lambda it: None if it.url.startswith((host.address, "data:")) else seen.append(f"request {it.url}"))
    context.add_init_script(
        "window.__violations = []; document.addEventListener('securitypolicyviolation', (it) =>"
        " window.__violations.push(it.violatedDirective + ' ' + it.blockedURI));"
    )
    context.add_cookies([{"name": "session", "value": "reader", "url": host.address}])
    url = f"{host.address}/islands.html"
    page.goto(url)
    page.evaluate("localStorage.setItem('key', 'of the reader')")
    title = page.title()
    page.evaluate("document.querySelectorAll('iframe').forEach((it) => { it.loading = 'eager'; })")
    page.wait_for_timeout(1000)
    peers = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peers.bind(("127.0.0.1", 34780))
    peers.setblocking(False)
    page.reload()
    page.evaluate("document.querySelectorAll('iframe').forEach((it) => { it.loading = 'eager'; })")
    page.wait_for_timeout(1000)
    frames = {it.evaluate("document.body.dataset.name ?? 'widget'"): it for it in page.frames[1:]}
    check(set(frames) == {"plain", "attacks", "navigates", "widget"}, f"the islands are {sorted(frames)}")

    plain = frames["plain"]
    check(plain.inner_text("#out") == "1 2 3", f"scripts run in their order: {plain.inner_text('#out')!r}")
    check(plain.evaluate("getComputedStyle(document.getElementById('out')).color") == "rgb(0, 128, 0)", "its style counts")
    check(plain.evaluate("getComputedStyle(document.getElementById('made')).color") == "rgb(255, 0, 0)", "a made style counts")
    check(plain.evaluate("document.getElementById('out').style.fontWeight") == "700", "a style attribute counts")
    check(plain.evaluate("window.__violations") == [], f"it does nothing forbidden: {plain.evaluate('window.__violations')}")
    check(plain.evaluate("self.origin") == "null", "its origin is opaque")

    widget = frames["widget"]
    check(widget.inner_text("button") == "count 7", f"the widget shows {widget.inner_text('body')!r}")
    widget.click("button")
    check(widget.inner_text("button") == "count 8", "the widget reacts")

    attacks = frames["attacks"]
    attacks.wait_for_selector("#done", state="attached", timeout=10_000)
    told = json.loads(attacks.inner_text("#told"))
    for name, outcome in sorted(told.items()):
        check(outcome.startswith("blocked"), f"the attack {name!r} gave {outcome!r}")
    check(len(told) >= 25, f"{len(told)} attacks were made")

    page.wait_for_timeout(500)
    check(page.url == url, f"the page navigated to {page.url}")
    check(page.title() == title, "the page is as it was")
    # An island that navigates itself: the page's own policy keeps it from going elsewhere, and says so.
    page.wait_for_timeout(3000)
    violations = page.evaluate("window.__violations")
    check(violations == ["frame-src http://evil.example"], f"violations of the page: {violations}")
    # Playwright tells of requests that the browser then refuses; the other host tells of those that arrived.
    check(other.asked == [], f"another host was asked for {other.asked}")
    check([it for it in seen if not it.startswith("request")] == [], f"{seen}")
    allowed = ("/islands.html", "/assets/", "/islands/", "/favicon.ico")
    check([it for it in host.asked if not it.startswith(allowed)] == [], f"the site was asked for {host.asked}")
    try:
        check(peers.recv(2000) == b"", "a peer was asked for, which no policy governs")
    except BlockingIOError:
        pass
    peers.close()
    check(page.evaluate("localStorage.getItem('key')") == "of the reader", "storage is as it was")
    context.close()


def islands_by_themselves(browser: Browser, folder: str, host: Host, other: Host) -> None:
    """Opened as a page of the site, an island has its origin, and must do nothing."""
    for file in sorted(pathlib.Path(folder, "islands").iterdir()):
        for way in ("opened", "framed"):
            page = browser.new_page()
            if way == "opened":
                page.goto(f"{host.address}/islands/{file.name}")
            else:
                # By a page of the same host, without a sandbox and without a policy.
                page.goto(f"{host.address}/manifest.json")
                page.evaluate("(it) => { document.body.append(Object.assign(document.createElement('iframe'), { src: it })); }", f"/islands/{file.name}")
            page.wait_for_timeout(500)
            frame = page.frames[-1]
            check("nothing by itself" in frame.inner_text("body"), f"{file.name} runs when it is {way}")
            check(frame.evaluate("document.querySelector('#out, #told') === null"), f"{file.name} is put together when it is {way}")
            page.close()
    check(other.asked == [], f"another host was asked for {other.asked}")
    # It could have been.
    page = browser.new_page()
    page.goto("http://evil.example/control")
    check(other.asked[:1] == ["/control"], "the other host cannot be reached at all")
    page.close()


def main(folder: str) -> int:
    host = Host(folder)
    other = Host("/var/empty")
    with chromium(f"--host-resolver-rules=MAP evil.example {other.address.removeprefix('http://')}") as browser:
        page_with_islands(browser, host, other)
        islands_by_themselves(browser, folder, host, other)
    return summary()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
