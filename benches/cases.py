"""The table of the prose cases, line by line: each is built, opened in Chromium, and asked for what a reader must see.

    cargo build --release
    target/test-tools/bin/python benches/cases.py target/release/nbc FOLDER

FOLDER holds the cases (`03-images`, `09-dollars.ipynb`, …); they are not part of the project. The Python that runs this has
playwright, marimo and what the notebooks import: cases that are run are run by it. A case that is missing fails. Prints each
line that fails, with what was found, then the commit of this project and the number of checks.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import html
import http.server
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from collections.abc import Callable, Iterator

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
# Text of a page as a reader sees it: what `display: none` and closed disclosures hide is absent.
TEXT = "() => document.querySelector('main').innerText"
# Formulas of the page, as their letters.
FORMULAS = "() => Array.from(document.querySelectorAll('main math'), (it) => it.textContent.replace(/\\s/g, ''))"
# Pictures that are drawn: decoded, with a size on the page.
PICTURES = """() => Promise.all(Array.from(document.querySelectorAll('main img'), async (it) => {
  await it.decode().catch(() => {});
  const box = it.getBoundingClientRect();
  return {alt: it.alt, width: Math.round(box.width), height: Math.round(box.height), isDrawn: it.naturalWidth > 0 && box.width > 0};
}))"""
# Links within the site, as their text, address and place.
WITHIN = """() => [...document.querySelectorAll('main a[href]')].map((it) => [it.textContent, new URL(it.getAttribute('href'), location.href)])
  .filter(([, url]) => url.origin === location.origin).map(([text, url]) => [text, url.href.split('#')[0], decodeURIComponent(url.hash.slice(1))])"""
# The link of a text: where it leads, without the server's address. None for text that is no link.
LINK = """(text) => {
  const found = [...document.querySelectorAll('main a')].find((it) => it.textContent.trim() === text);
  return found?.hasAttribute('href') ? decodeURIComponent(found.href.replace(location.origin + '/', '')) : null;
}"""


def dead(page: Page) -> list[str]:
    """Texts of the links within the site whose page or place is not there."""
    found = []
    for text, address, place in page.evaluate(WITHIN):
        answer = page.request.get(address)
        names = [f' {it}="{html.escape(place)}"' for it in ("id", "name")]
        if not answer.ok or place and not any(it in answer.text() for it in names):
            found.append(text)
    return found


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves a folder without a line on the console for each request."""

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def served(folder: pathlib.Path) -> Iterator[str]:
    """The address of a folder."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()


class Case:
    """One case: what the build said, and its pages."""

    def __init__(self, table: Table, name: str, how: str) -> None:
        self.table, self.name, self.how = table, name, how
        source = table.folder / name
        if not source.exists():
            sys.exit(f"{source} is not there")
        self.out = table.work / f"{len(list(table.work.iterdir()))}"
        execute = ["never"] if how == "stored" else ["always", "--python", sys.executable]
        layout = "single" if source.is_file() and how == "stored" else "site"
        command = [table.nbc, "build", source, "-o", self.out, "--layout", layout, "--no-cache", "--execute", *execute]
        done = subprocess.run(command, capture_output=True, text=True)
        self.code, self.said = done.returncode, done.stdout + done.stderr

    def check(self, is_so: bool, what: str, found: object = "") -> None:
        self.table.count += 1
        if not is_so:
            self.table.failed += 1
            print(f"FAILED {self.name} ({self.how}): {what}; found {str(found)[:400]}")

    def same(self, found: object, wanted: object, what: str) -> None:
        self.check(found == wanted, f"{what}: {wanted!r}", repr(found))

    def says(self, *texts: str) -> None:
        for text in texts:
            self.check(text in self.said, f"the build says `{text}`", self.said)

    @contextlib.contextmanager
    def page(self, name: str = "", scheme: str = "light") -> Iterator[Page]:
        """A page of the case in Chromium; without a name, its only one."""
        self.check(self.code == 0, "it is built", self.said)
        if not name:
            pages = [it.name for it in self.out.glob("*.html") if it.name not in ("404.html", "index.html")]
            name = pages[0] if pages else "index.html"
        context = self.table.browser.new_context(color_scheme=scheme, viewport={"width": 1000, "height": 800})
        with served(self.out) as address:
            page = context.new_page()
            errors: list[str] = []
            page.on("console", lambda it: errors.append(it.text) if it.type == "error" else None)
            page.goto(address + urllib.parse.quote(name))
            yield page
            self.same(errors, [], f"errors of the page {name}")
        context.close()


class Table:
    """All that the cases share."""

    def __init__(self, nbc: str, folder: pathlib.Path, work: pathlib.Path, browser: Browser) -> None:
        self.nbc, self.folder, self.work, self.browser = nbc, folder, work, browser
        self.count, self.failed = 0, 0


def images(table: Table) -> None:
    case = Case(table, "03-images", "run")
    with case.page("03-local-images.html") as page:
        pictures = page.evaluate(PICTURES)
        case.same([it["isDrawn"] for it in pictures], [True] * 6, "six pictures of prose are drawn")
        sized = [it for it in pictures if it["alt"] == "htmlimg"]
        case.same([it["width"] for it in sized], [200], "the width of `<img>` stays")
        case.check("python.org" in page.evaluate(TEXT), "the picture of the web is named with its host")
    with case.page("03b-marimo-image.html") as page:
        case.same([it["isDrawn"] for it in page.evaluate(PICTURES)], [True] * 5, "five pictures of marimo are drawn")
    case.says("image of the web")


def pipes(table: Table) -> None:
    case = Case(table, "07-table-pipe-math.ipynb", "stored")
    with case.page() as page:
        rows = page.evaluate("() => [...document.querySelectorAll('main tbody tr')].map((it) => it.cells.length)")
        case.same(rows, [2, 2, 2, 2], "cells of each row")
        formulas = [it.replace("∣", "|") for it in page.evaluate(FORMULAS)]
        case.same(formulas, ["P(A|B)", "|x|", "|y|", "|z|"], "formulas")


def attachments(table: Table) -> None:
    case = Case(table, "08-attachments.ipynb", "stored")
    with case.page() as page:
        case.same([it["isDrawn"] for it in page.evaluate(PICTURES)], [True] * 3, "three pictures are drawn")
        case.check("missing" in page.evaluate(TEXT), "the fourth is told on the page", page.evaluate(TEXT))
    case.says("image that is not in the notebook", "cell 2:1:1")
    case = Case(table, "58-raw-attach.ipynb", "stored")
    with case.page() as page:
        pictures = page.evaluate(PICTURES)
        case.same([it["isDrawn"] for it in pictures], [True] * 2, "both pictures are drawn")
        case.same(pictures[0]["width"], 100, "the width of `<img>` stays")


def dollars(table: Table) -> None:
    case = Case(table, "09-dollars.ipynb", "stored")
    with case.page() as page:
        text = page.evaluate(TEXT)
        for price in ["It costs $5 and $6.", "Between $1 guaranteed or $100 with", "$1,000 to $2,000 (US$)", "$20 million", "A $10 and $20", "$PATH"]:
            case.check(price in text, f"`{price}` is text", text)
        case.same(page.evaluate(FORMULAS), ["180", "x1", "a", "E=mc2"], "formulas")
    case = Case(table, "09b-marimo-dollars.py", "run")
    with case.page() as page:
        text = page.evaluate(TEXT)
        case.check("It costs $5 and $6. Escaped $5 and $6." in text, "prices are text", text)
        case.same(page.evaluate(FORMULAS), ["x2"], "formulas")


def links(table: Table) -> None:
    case = Case(table, "10-headings.ipynb", "stored")
    with case.page() as page:
        lost = page.evaluate("() => [...document.querySelectorAll('main a[href]')].filter((it) => !it.hash || !document.getElementById(decodeURIComponent(it.hash.slice(1)))).map((it) => it.textContent)")
        case.same((lost, page.evaluate(LINK, "nowhere")), ([], None), "links without a place")
    case.says("`#nope`")
    case = Case(table, "35-anchors", "run")
    with case.page("toc.html") as page:
        case.same(dead(page), [], "dead links")
        for text in ["Intro", "Method", "Same cell", "head", "uml", "ü"]:
            case.check(page.evaluate(LINK, text) is not None, f"`{text}` is a link")
        case.same(page.evaluate(LINK, "Next"), "other.html#intro2", "a fragment of another notebook")
    case = Case(table, "11-links", "run")
    with case.page("a.html") as page:
        case.same(dead(page), [], "dead links")
        wanted = {"b": "b.html", "b sec": "b.html#section-two", "b lower": "b.html#section-two", "deep": "sub/c.html", "dot": "b.html",
            "enc": "my-notes.html", "mar": "m.html", "q": "b.html?x=1", "abs": "sub/c.html", "html": "b.html", "raw": "b.html",
            "index": "index.html", "ext": "https://example.org/x.ipynb", "mail": "mailto:a@b.org", "tel": "tel:123",
            "missing": None, "js": None, "ftp": None, "file": None}
        for text, address in wanted.items():
            case.same(page.evaluate(LINK, text), address, f"the link `{text}`")
        case.check(bool(re.fullmatch(r"assets/data\.[0-9a-f]+\.csv", page.evaluate(LINK, "data") or "")), "data are published", page.evaluate(LINK, "data"))
    for name in ["m.html", "b.html", "sub/c.html"]:
        with case.page(name) as page:
            case.same(dead(page), [], f"dead links of {name}")
    case.says("`zzz.ipynb`", "`javascript:` link", "`README.md` is not published")
    case = Case(table, "41-names", "run")
    with case.page("東京.html") as page:
        case.same(dead(page), [], "dead links")
        found = [page.evaluate(LINK, it) for it in ["大阪", "enc", "sp"]]
        case.same(found, ["大阪.html", "大阪.html", "my-file.html"], "links by names of any script")


def scripts(table: Table) -> None:
    case = Case(table, "13-unicode.ipynb", "stored")
    with case.page() as page:
        found = page.evaluate("() => getComputedStyle(document.querySelector('main ul')).direction")
        case.same(found, "rtl", "direction of the list")
        bullets = page.evaluate("() => { const list = document.querySelector('main ul').getBoundingClientRect(), item = document.querySelector('main li').getBoundingClientRect(); return list.right - item.right > 10; }")
        case.check(bullets, "room for bullets is on the right")
        side = """() => { const range = document.createRange(); range.selectNodeContents([...document.querySelectorAll('main p')].find((it) => it.textContent.includes('مرحبا')));
            const box = range.getBoundingClientRect(), all = range.commonAncestorContainer.getBoundingClientRect(); return all.right - box.right < 5 && box.left - all.left > 5; }"""
        case.check(page.evaluate(side), "Arabic begins at the right")
        case.same(page.evaluate("() => [...document.querySelectorAll('main a')].filter((it) => !document.getElementById(decodeURIComponent(it.hash.slice(1)))).length"), 0, "dead links")


def numbers(table: Table) -> None:
    for name, text in [("18-nan.ipynb", "a"), ("43-nan-papermill.ipynb", "1")]:
        case = Case(table, name, "stored")
        with case.page() as page:
            case.check(text in page.evaluate(TEXT), "the output is shown", page.evaluate(TEXT))
        case.says("`NaN` and `Infinity` are no numbers of JSON")


def broken(table: Table) -> None:
    for name, texts in {
        "18c-utf16.ipynb": ["is written in UTF-16"],
        "18f-conflict.ipynb": ["a merge conflict of git", "18f-conflict.ipynb:13:"],
        "18k-html.ipynb": ["a page of HTML that was saved as a notebook"],
        "18l-lfs.ipynb": ["a pointer of Git LFS"],
    }.items():
        case = Case(table, name, "stored")
        case.says(*texts)
        case.same((case.code, len(re.findall(r"^error\[", case.said, re.M)), case.out.exists()), (1, 1, False), "code, messages, site")


# The luminances of a picture's ground and of its darkest ink, on what lies behind it.
LEGIBLE = """async (it) => {
  await it.decode();
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [it.naturalWidth, it.naturalHeight];
  const context = canvas.getContext('2d');
  let behind = it, colour = 'rgba(0, 0, 0, 0)';
  while (behind && colour === 'rgba(0, 0, 0, 0)') { colour = getComputedStyle(behind).backgroundColor; behind = behind.parentElement; }
  context.fillStyle = colour === 'rgba(0, 0, 0, 0)' ? getComputedStyle(document.documentElement).backgroundColor : colour;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(it, 0, 0);
  const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
  const counts = new Array(256).fill(0);
  for (let at = 0; at < data.length; at += 4) counts[Math.round(0.2126 * data[at] + 0.7152 * data[at + 1] + 0.0722 * data[at + 2])] += 1;
  const ground = counts.indexOf(Math.max(...counts));
  const ink = counts.reduce((sum, count, value) => sum + (Math.abs(value - ground) > 120 ? count : 0), 0);
  return {ground, ink: ink / (data.length / 4)};
}"""


def figures(table: Table) -> None:
    case = Case(table, "25-figs.ipynb", "run")
    for scheme in ("light", "dark"):
        with case.page(scheme=scheme) as page:
            pictures = page.query_selector_all("main img")
            case.same(len(pictures), 5, "figures")
            for picture in pictures:
                found = page.evaluate(LEGIBLE, picture)
                case.check(found["ink"] > 0.005, f"a figure stands out from its ground ({scheme})", found)


def errors(table: Table) -> None:
    for name in ["28b-error-expected.ipynb", "49-error-allowed.ipynb"]:
        for how in ["stored", "run"]:
            case = Case(table, name, how)
            with case.page() as page:
                text = page.evaluate(TEXT)
                if how == "run" or name.startswith("49"):
                    case.check("ValueError: invalid literal for int() with base 10: 'x'" in text, "type and message", text)
                if how == "run" and name.startswith("28b"):
                    case.check("goes on" in text, "the notebook goes on", text)
                case.check(not re.search(r"/work|/tmp|/home|site-packages|Traceback", page.content().split("<main")[1]), "no path", text)


def pairs(table: Table) -> None:
    case = Case(table, "31-pair", "run")
    case.says("a.py: one page with a.ipynb")
    pages = sorted(str(it.relative_to(case.out)) for it in case.out.rglob("*.html"))
    case.check("a.html" in pages and not any(it.startswith("a-ipynb") or it.startswith("a-py") for it in pages), "one page", pages)
    with case.page("a.html") as page:
        case.check("2" in page.evaluate(TEXT).split(), "the output is shown", page.evaluate(TEXT))


def addresses(table: Table) -> None:
    case = Case(table, "36-urls.ipynb", "stored")
    with case.page() as page:
        for text, address in {"https://example.org/page": "https://example.org/page", "www.example.org": "http://www.example.org/", "me@example.org": "mailto:me@example.org",
            "https://angle.org": "https://angle.org/", "https://a.org/x_(y)": "https://a.org/x_(y)"}.items():
            case.same(page.evaluate(LINK, text), address, "a bare address is a link")
        colours = page.evaluate("() => [...document.querySelectorAll('main span')].filter((it) => /RED|span red/.test(it.textContent)).map((it) => getComputedStyle(it).color)")
        case.same(colours, ["rgb(255, 0, 0)"] * 2, "colours stay")
        aligned = page.evaluate("() => [...document.querySelectorAll('main p')].filter((it) => /center/.test(it.textContent)).map((it) => getComputedStyle(it).textAlign)")
        case.same(aligned, ["center"] * 2, "`align` stays")


def widgets(table: Table) -> None:
    case = Case(table, "40-nested-widget.ipynb", "run")
    with case.page() as page:
        text = page.evaluate(TEXT)
        case.check("HTML(value" not in text and "IntSlider(" not in text, "no widget is shown as its `repr`", text)
        case.check("inner widget" in text and "x=1" in text, "widgets in `Output` and `interactive`", text)
        case.same(page.evaluate("() => document.querySelectorAll('main input[type=range]').length"), 2, "sliders")
        slider = page.query_selector("main .nbc-slot input[type=range]")
        slider.evaluate("(it) => { it.value = 2; it.dispatchEvent(new Event('input', {bubbles: true})); it.dispatchEvent(new Event('change', {bubbles: true})); }")
        page.wait_for_timeout(500)
        case.check("x=2" in page.evaluate(TEXT), "the widget in `interactive` follows its slider", page.evaluate(TEXT))


def landing(table: Table) -> None:
    case = Case(table, "42-index", "run")
    with case.page("index.html") as page:
        case.check("Home" in page.evaluate(TEXT), "the notebook is the first page")
        page.click("header a:has-text('All notebooks')")
        page.click("main a:has-text('Other')")
        case.check(page.evaluate("() => decodeURIComponent(location.pathname)").endswith("other.html"), "other pages can be reached", page.url)
        page.click("header a:has-text('Home')")
        case.check(page.url.endswith("index.html"), "and the first one from there", page.url)


def alerts(table: Table) -> None:
    case = Case(table, "44-alert.ipynb", "stored")
    with case.page() as page:
        for text in ["info", "danger", "adm"]:
            look = """(text) => { const box = [...document.querySelectorAll('main div')].filter((it) => it.textContent.includes(text)).pop();
                const style = getComputedStyle(box); return [style.borderInlineStartWidth !== '0px' || style.borderTopWidth !== '0px', style.backgroundColor !== 'rgba(0, 0, 0, 0)', parseFloat(style.paddingTop) > 2]; }"""
            found = page.evaluate(look, text)
            case.check(sum(found) >= 2, f"`{text}` stands in a box", found)
    case.says("directives", "divs")


def formulas(table: Table) -> None:
    case = Case(table, "45-mathdelims.ipynb", "stored")
    with case.page() as page:
        case.same(page.evaluate(FORMULAS)[:6], ["x2", "y2", "sales_usd=price_usd×q", "ifx>0", "𝔼[x]", "a=b"], "formulas")
        case.same(page.evaluate(LINK, "(1)"), re.sub(r".*?/", "", urllib.parse.urlsplit(page.url).path) + "#equation-eq-1", "`\\eqref` in prose is a link")
        count = page.evaluate("() => [...document.querySelectorAll('main a[href]')].filter((it) => it.textContent.trim() === '(1)' && document.getElementById(it.hash.slice(1))).length")
        case.same(count, 2, "links to the equation, from prose and from a formula")
    case = Case(table, "56-macros.ipynb", "stored")
    with case.page() as page:
        wanted = ["𝔼x", "𝔼[x]", "𝔼∑txt", "argmaxxf", "𝔼x", "a", "bc", "x=1", "x=1", "q", "VarX"]
        found = [it.replace("⁡", "") for it in page.evaluate(FORMULAS)]
        case.same(found, wanted, "formulas with macros of other cells")
        case.check("\\" not in page.evaluate(TEXT), "no source is shown", page.evaluate(TEXT))
    case = Case(table, "57-math-trailing.ipynb", "stored")
    with case.page() as page:
        text = page.evaluate(TEXT)
        case.check("\\begin" not in text and "$" not in text, "no source is shown", text)
        for words in ["trailing words here", "before", "after", "after on next line", "next", "words after", "Here"]:
            case.check(words in text, f"`{words}` stays", text)
        case.same(len(page.evaluate(FORMULAS)), 9, "formulas")
        case.same(page.evaluate("() => document.querySelectorAll('main td math').length"), 2, "formulas in the table")
    case = Case(table, "59-spaced-dollar.ipynb", "stored")
    with case.page() as page:
        case.same(page.evaluate(FORMULAS), ["ai", "n", "x", "y", "z", "c′x=∑i=1ncixi"], "formulas with blanks at their ends")
        case.check("1710733973" not in page.evaluate(TEXT), "the date is a day, and no number", page.evaluate(TEXT))


def long_output(table: Table) -> None:
    case = Case(table, "48-long-output.ipynb", "stored")
    with case.page() as page:
        scrolls = "() => [...document.querySelectorAll('main pre, main .nbc-out')].filter((it) => it.scrollHeight > it.clientHeight + 100 && ['auto', 'scroll'].includes(getComputedStyle(it).overflowY)).map((it) => it.clientHeight)"
        found = page.evaluate(scrolls)
        case.check(len(found) == 1 and found[0] < 800, "the output scrolls in its own box", found)
        page.emulate_media(media="print")
        case.same(page.evaluate(scrolls), [], "boxes that scroll on paper")
        case.check(page.evaluate("() => document.documentElement.scrollHeight > 20000"), "the output is whole on paper")


def hidden(table: Table) -> None:
    case = Case(table, "60-kaggle.ipynb", "stored")
    with case.page() as page:
        page.evaluate("document.querySelectorAll('details').forEach((it) => { it.open = true; })")
        text = page.evaluate(TEXT)
        case.check("secret setup" not in text and "Form title" not in text, "code is hidden", text)
        case.check("colab form" in text, "the output of the form is shown", text)
    case.check("secret setup" not in (next(case.out.rglob("*.html"))).read_text(), "hidden code is nowhere in the page")


def public(table: Table) -> None:
    case = Case(table, "63-public", "run")
    with case.page("nb.html") as page:
        case.same([it["isDrawn"] for it in page.evaluate(PICTURES)], [True] * 5, "five pictures are drawn")


# The lines of the table, in its order.
LINES: list[Callable[[Table], None]] = [
    images, pipes, attachments, dollars, links, scripts, numbers, broken, figures, errors, pairs, addresses, widgets, landing, alerts, formulas, long_output, hidden, public
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nbc")
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    if not arguments.folder.is_dir():
        sys.exit(f"{arguments.folder} is not there")
    commit = subprocess.run(["git", "-C", pathlib.Path(__file__).parent, "rev-parse", "--short=12", "HEAD"], check=True, capture_output=True, text=True)
    with tempfile.TemporaryDirectory() as work, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"])
        table = Table(arguments.nbc, arguments.folder, pathlib.Path(work), browser)
        for line in LINES:
            try:
                line(table)
            except Exception as error:  # A line that cannot be asked has failed, and the others are asked.
                table.failed += 1
                print(f"FAILED {line.__name__}: {type(error).__name__}: {str(error)[:400]}")
        browser.close()
    print(f"{commit.stdout.strip()}: {len(LINES)} lines of the table, {table.count} checks, {table.failed} failed")
    return 1 if table.failed else 0


if __name__ == "__main__":
    sys.exit(main())
