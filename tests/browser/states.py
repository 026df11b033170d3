"""Operates the script of `assets/states/` in real Chromium, on a page made by hand with the markup that nbc writes.

Every kind of input, with clicks, drags and keys: what is shown, what the address says, what a screen reader hears, and
that the policy is never violated. `tests/browser/run.py` does the same on pages that nbc built from notebooks.

    states.py SITE [PICTURES]

The scripts are those of a site that nbc built, of which one page has states and another has tables.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import itertools
import json
import pathlib
import sys
import tempfile
import threading
import time
from html import escape

from playwright.sync_api import Page
from support import AXE, AXE_RULES, Files, check, chromium, same, serve, summary, until

ASSETS = pathlib.Path(__file__).parents[2] / "assets"


# Markup, as src/output/element/control.rs and layout.rs write it ---------------------------------------------------------

SELECTED, CHECKED, OPEN, ROLE, SWITCH = "selected", "checked", "open", "role", "switch"
TITLE = 'title="Needs a running notebook"'


def flag(name: str, is_set: bool, value: str = "") -> str:
    return f' {name}="{value}"' if is_set else ""


def labelled(kind: str, label: str, inner: str, *, group: bool = False, extra: str = "") -> str:
    shown = f'<span class="nbc-widget-label">{label}</span>' if label else '<span class="nbc-hidden-label">input</span>'
    if group:
        return f'<div class="nbc-widget nbc-widget-{kind}{extra}" role="group" {TITLE}>{shown}{inner}</div>'
    return f'<div class="nbc-widget nbc-widget-{kind}{extra}" {TITLE}><label class="nbc-widget-row">{shown}{inner}</label></div>'


def value_text(text: object) -> str:
    return f'<span class="nbc-widget-value">{text}</span>'


def slider(label: str, low: float, high: float, value: float, extra: str = "") -> str:
    return labelled("slider", label, f'<input type="range" min="{low}" max="{high}" step="1" value="{value}" disabled="">{value_text(value)}', extra=extra)


def two_ends(label: str, low: int, high: int, ends: tuple[int, int]) -> str:
    one = "".join(
        f'<input type="range" min="{low}" max="{high}" step="any" value="{end}" aria-label="{name}" disabled="">' for end, name in zip(ends, ["From", "To"])
    )
    return labelled("slider", label, one + value_text(f"{ends[0]} – {ends[1]}"), group=True)


def field(label: str, kind: str, value: object) -> str:
    return labelled("field", label, f'<input type="{kind}" value="{value}" disabled="">')


def choice(label: str, options: list[str], chosen: list[str], multiple: bool = False) -> str:
    items = "".join(f'<option{flag(SELECTED, it in chosen)}>{escape(it)}</option>' for it in options)
    more = f' multiple="" size="{len(options)}"' if multiple else ""
    return labelled("field", label, f'<select disabled=""{more}>{items}</select>')


def radio(label: str, options: list[str], chosen: str) -> str:
    items = "".join(
        f'<label class="nbc-widget-option"><input type="radio" disabled=""{flag(CHECKED, it == chosen)}> {it}</label>' for it in options
    )
    return labelled("radio", label, items, group=True)


def tick(label: str, checked: bool, role: str = "") -> str:
    return labelled("check", label, f'<input type="checkbox" disabled=""{flag(ROLE, role, SWITCH)}{flag(CHECKED, checked)}>')


def button(label: str) -> str:
    return f'<div class="nbc-widget nbc-widget-button" {TITLE}><button type="button" disabled="">{label}</button></div>'


def tabs(panels: dict[str, str], name: str) -> str:
    items = "".join(
        f'<details class="nbc-tab" name="{name}"{flag(OPEN, at == 0)}><summary>{label}</summary><div class="nbc-tab-panel">{panel}</div></details>'
        for at, (label, panel) in enumerate(panels.items())
    )
    return f'<div class="nbc-tabs">{items}</div>'


def table(columns: list[str], rows: list[list[object]]) -> str:
    head = "".join(f'<th scope="col" class="nbc-string">{it}</th>' for it in columns)
    body = "".join(f'<tr>{"".join(f"<td class=nbc-string>{it}</td>" for it in row)}</tr>' for row in rows)
    return (
        '<div class="nbc-table-frame" tabindex="0" role="group" aria-label="Table"><table class="nbc-table">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def live(at: int, inner: str) -> str:
    return f'<div class="nbc-live" data-widget="{at}">{inner}</div>'


def out(inner: str, scope: str = "") -> str:
    return f'<div class="nbc-out nbc-out-html {scope}">{inner}</div>'


# The notebook ------------------------------------------------------------------------------------------------------------

WIDGETS: list[dict] = []
NAMES: dict[str, int] = {}


def widget(kind: str, name: str | None, values: list, labels: list[str] | None = None, initial: int = 0, total: int | None = None, **more) -> int:
    labels = labels or [str(it) for it in values]
    WIDGETS.append({"kind": kind, "name": name, "values": values, "labels": labels, "initial": initial, "total": total or len(values), **more})
    NAMES[name or f"w{len(WIDGETS) - 1}"] = len(WIDGETS) - 1
    return len(WIDGETS) - 1


def holder(kind: str, name: str | None, parts: list[int]) -> int:
    WIDGETS.append({"kind": kind, "name": name, "parts": parts})
    NAMES[name or f"w{len(WIDGETS) - 1}"] = len(WIDGETS) - 1
    return len(WIDGETS) - 1


DAYS = [f"2024-01-{day:02}" for day in range(1, 11)]
n = widget("slider", "n", [0, 5, 10, 15, 20, 25, 30], total=31, initial=1)
span = widget("range", "span", [list(it) for it in itertools.combinations_with_replacement(range(5), 2)], initial=0)
WIDGETS[span]["labels"] = [f"{a} – {b}" for a, b in WIDGETS[span]["values"]]
k = widget("number", "k", [0.5, 1, 2.5, 10], total=20)
kind = widget("choice", "kind", [["a"], ["b"], ["c & d"]], ["a", "b", "c & d"])
tags = widget("multi", "tags", [[], ["x"], ["y"], ["z"], ["x", "y"], ["x", "z"]], ["none", "x", "y", "z", "x, y", "x, z"], total=8)
mode = widget("radio", "mode", ["fast", "slow"], total=3)
on = widget("check", "on", [False, True], ["off", "on"])
day = widget("date", "day", DAYS[::3], total=10)
stay = widget("dates", "stay", [list(it) for it in itertools.combinations(DAYS[:4], 2)])
WIDGETS[stay]["labels"] = [f"{a} – {b}" for a, b in WIDGETS[stay]["values"]]
clicks = widget("button", "clicks", [0, 1, 2])
go = widget("run_button", "go", [0, 1], ["not pressed", "pressed"])
view = widget("tabs", "view", ["0", "1"], ["First", "Second"])
rows = widget("table", "rows", [[], ["0"], ["1"], ["2"]], ["none", "row 1", "row 2", "row 3"])
many = widget("table", "many", [[], ["0"], ["1"], ["0", "1"]], ["none", "row 1", "row 2", "rows 1, 2"])
name = widget("text", "who", ["Ada", "Bob", "Zoë & <b>"])
part_a = widget("slider", None, [0, 1, 2])
part_b = widget("check", None, [False, True], ["off", "on"])
pair = holder("group", "pair", [part_a, part_b])
form_k = widget("number", None, [1, 2, 3])
form_c = widget("choice", None, [["u"], ["v"]], ["u", "v"])
form_g = holder("group", None, [form_k, form_c])
form = holder("form", "form", [form_g])
outer = widget("choice", "outer", [["p"], ["q"]], ["p", "q"])
inner_p = widget("slider", "inner", [0, 1, 2])
inner_q = widget("slider", "inner", [0, 10, 20, 30, 40], initial=2)
WIDGETS[outer]["resets"] = [inner_p, inner_q]
own = widget("slider", "own", list(range(21)))
late = widget("choice", "late", [["now"], ["slow"], ["quick"], ["broken"]], ["now", "slow", "quick", "broken"])
upright = widget("slider", "upright", [0, 1, 2])
single = widget("slider", "single", [4])
switch = widget("check", "switch", [True, False], ["on", "off"])

own_rows = widget("table", "own_rows", [[], ["0"], ["1"], ["2"]], ["none", "row 1", "row 2", "row 3"])
plus = widget("slider", "plus", [0, 1, 2, 3])

CONTENTS: list[list[str]] = []
SLOTS: dict[str, object] = {}
FIRST: dict[int, str] = {}
INITIAL: dict[int, int] = {}


def content(html: str, css: str = "") -> int:
    CONTENTS.append([html, css])
    return len(CONTENTS) - 1


def size(at: int) -> int:
    it = WIDGETS[at]
    if it["kind"] == "group":
        product = 1
        for part in it["parts"]:
            product *= size(part)
        return product
    return 1 + size(it["parts"][0]) if it["kind"] == "form" else len(it["values"])


def trie(on_widgets: list[int], make, chosen: tuple[int, ...] = ()) -> object:
    if not on_widgets:
        text = make(*chosen)
        return None if text is None else content(*text) if isinstance(text, tuple) else content(text)
    return [on_widgets[0], [trie(on_widgets[1:], make, (*chosen, value)) for value in range(size(on_widgets[0]))]]


def label(at: int, value: int) -> str:
    return escape(WIDGETS[at]["labels"][value])


def slot(number: int, on_widgets: list[int], make) -> str:
    """The markup of a slot in its first state, and its trie."""
    SLOTS[str(number)] = trie(on_widgets, make)
    first = make(*(WIDGETS[it].get("initial", 0) for it in on_widgets))
    html = first[0] if isinstance(first, tuple) else first or ""
    return f'<div class="nbc-slot" data-slot="{number}">{html.replace("s-x", f"nbc-out-c{number}-1")}</div>'


def says(*on_widgets: int):
    def make(*values: int) -> str:
        shown = "; ".join(f"{WIDGETS[at]['name']}={label(at, value)}" for at, value in zip(on_widgets, values))
        return out(f'<p class="shown">{shown}</p>', "s-x")

    return make


CELLS: list[str] = []


def cell(number: int, *pieces: str) -> None:
    CELLS.append(f'<section class="cell" id="cell-{number}">{"".join(pieces)}</section>')


def pair_text(index: int) -> str:
    return out(f'<p class="shown">pair={index // 2},{index % 2}</p>')


def form_text(index: int) -> str:
    if index == 0:
        return out('<p class="shown">form not submitted</p>')
    return out(f'<p class="shown">form={[1, 2, 3][(index - 1) // 2]},{"uv"[(index - 1) % 2]}</p>')


def styled(value: int) -> tuple[str, str]:
    return out(f'<p class="shown s3-n">n={label(n, value)}</p>', f"s3-{value}"), f".s3-{value} .s3-n {{ border-inline-start: {value + 1}px solid currentColor; }}"


def own_text(value: int) -> str:
    bars = "".join(f'<rect x="{at * 12}" y="{40 - at * value / 10}" width="10" height="{at * value / 10}" fill="currentColor"></rect>' for at in range(20))
    control = live(own, slider("own", 0, 20, 0))
    note = out("<p>more than ten</p>") if value > 10 else ""
    return f'{note}{out(f"<div><div>{control}</div><div><svg width=240 height=40>{bars}</svg><p class=shown>own={value}</p></div></div>")}'


def outer_text(value: int) -> str:
    which, low, high, start = [(inner_p, 0, 2, 0), (inner_q, 0, 40, 20)][value]
    return out(f"<p>outer={'pq'[value]}</p>{live(which, slider('inner', low, high, start))}")


def inner_trie() -> list:
    p = [inner_p, [content(out(f'<p class="shown">inner p={it}</p>')) for it in (0, 1, 2)]]
    q = [inner_q, [content(out(f'<p class="shown">inner q={it}</p>')) for it in (0, 10, 20, 30, 40)]]
    return [outer, [p, q]]


def tabs_panels(value: int) -> str:
    return tabs({"First": f"<p>on={value}</p>", "Second": f"<p>second, on={value}</p>"}, f"group-{value}")


row = live(n, slider("n", 0, 30, 5)) + live(99, slider("unknown", 0, 3, 1)) + live(single, slider("single", 0, 9, 4))
cell(1, out(f'<div class="nbc-box nbc-box-row">{row}</div>'), slot(1, [n], styled))
cell(2, out(live(span, two_ends("span", 0, 4, (0, 0)))), slot(2, [span], says(span)))
cell(3, out(f'<div class="nbc-box nbc-box-row">{live(k, field("k", "number", 0.5))}{live(kind, choice("kind", ["a", "b", "c & d"], ["a"]))}</div>'), slot(3, [k, kind], says(k, kind)))
cell(4, out(live(tags, choice("tags", ["x", "y", "z"], [], multiple=True))), slot(4, [tags], says(tags)))
cell(5, out(live(mode, radio("mode", ["fast", "slow", "odd"], "fast")) + live(on, tick("on", False)) + live(switch, tick("switch", True, "switch"))), slot(5, [mode, on], says(mode, on)), slot(55, [switch], says(switch)))
cell(6, out(live(day, field("day", "date", DAYS[0]))), slot(6, [day], says(day)))
both = " – ".join(f'<input type="date" value="{it}" disabled="">' for it in DAYS[:2])
cell(7, out(live(stay, labelled("field", "stay", both, group=True))), slot(7, [stay], says(stay)))
cell(8, out(live(clicks, button("Click"))), slot(8, [clicks], says(clicks)))
cell(9, out(live(go, button("Run"))), slot(9, [go], says(go)), slot(10, [go, kind], says(go, kind)))
cell(11, slot(11, [on], lambda value: out(live(view, tabs_panels(value)))), slot(12, [view], says(view)))
cell(13, out(live(rows, table(["city", "°C"], [["Oslo", 6], ["Rome", 16], ["Cairo", 22]]))), slot(13, [rows], says(rows)))
cell(14, out(live(many, table(["city", "°C"], [["Oslo", 6], ["Rome", 16], ["Cairo", 22]]))), slot(14, [many], says(many)))
cell(15, out(f'<div class="x-markdown"><span class="x-paragraph">In prose: {live(name, field("who", "text", "Ada"))} is who is meant.</span></div>'), slot(15, [name], says(name)))
cell(16, out(live(pair, f'<div class="nbc-widget-group">{live(part_a, slider("a", 0, 2, 0))}{live(part_b, tick("b", False))}</div>')), slot(16, [pair], pair_text))
inside = f'<div class="nbc-widget-group">{live(form_k, field("number", "number", 1))}{live(form_c, choice("letter", ["u", "v"], ["u"]))}</div>'
submit = '<button type="button" disabled="">Submit</button>'
cell(17, out(live(form, f'<div class="nbc-widget-form" role="group"><div class="nbc-widget-label">A form</div>{live(form_g, inside)}{submit}</div>')), slot(17, [form], form_text))
cell(18, out(live(outer, choice("outer", ["p", "q"], ["p"]))), slot(18, [outer], outer_text))
SLOTS["19"] = inner_trie()
cell(19, f'<div class="nbc-slot" data-slot="19">{out("<p class=shown>inner p=0</p>")}</div>')
cell(20, slot(20, [own], own_text))
cell(22, out(live(upright, slider("upright", 0, 2, 0, extra=" nbc-widget-vertical nbc-widget-debounced"))), slot(22, [upright], lambda value: None if value == 1 else out(f'<p class="shown">upright={value}</p>')))
CITIES = [["Oslo", 6], ["Rome", 16], ["Cairo", 22]]
cell(24, slot(24, [own_rows], lambda value: out(live(own_rows, table(["city", "°C"], CITIES)) + f'<p class="shown">own rows={value}</p>')))
ACCORDION = '<div class="nbc-accordion"><details name="{0}"><summary>More</summary><div class="nbc-accordion-body">more {0}</div></details></div><img alt="" src="data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEA{1}">'
cell(26, slot(26, [plus], lambda value: out(ACCORDION.format(value, "ADs=" if value else "Ow=="))))
cell(25, out(live(plus, slider("plus", 0, 3, 0))), slot(25, [plus], lambda value: out(f'<p><a href="#cell-1">link {value}</a></p>' + table(["n"], [[it + value] for it in range(12)]))))
INLINE = len(CONTENTS)
SLOTS["21"] = [late, [INLINE, INLINE + 1, INLINE + 2, INLINE + 3]]
for text in ("now", "slow", "quick", "broken"):
    content(out(f'<p class="shown">late={text}</p>'))
cell(21, out(live(late, choice("late", ["now", "slow", "quick", "broken"], ["now"]))), f'<div class="nbc-slot" data-slot="21">{out("<p class=shown>late=now</p>")}</div>')
cell(23, '<div class="nbc-out"><p><a href="#cell-1">To the first cell</a></p></div>')


# The page ----------------------------------------------------------------------------------------------------------------


def digest(data: bytes) -> str:
    return "sha384-" + base64.b64encode(hashlib.sha384(data).digest()).decode()


def packed(value: object) -> bytes:
    return gzip.compress(json.dumps(value, ensure_ascii=False).encode(), mtime=0)


def script_of(site: pathlib.Path, name: str) -> str:
    [file] = site.glob(f"assets/{name}.*.js")
    return file.read_text()


def write(folder: pathlib.Path, built: pathlib.Path, *, has_files: bool) -> None:
    style = "".join((ASSETS / it).read_text() for it in ("nbc.css", "output.css", "states.css", "tables.css"))
    scripts = [script_of(built, it) for it in ("nbc", "states", "tables")]
    # Contents that are seldom wanted come last, one in each chunk.
    cuts = [0, INLINE // 2, INLINE + 1, INLINE + 2, INLINE + 3, INLINE + 4]
    chunks = [CONTENTS[a:b] for a, b in itertools.pairwise(cuts)]
    model = {"widgets": WIDGETS, "slots": SLOTS, "chunks": [len(it) for it in chunks]}
    parts = [f'<script type="text/plain" data-states="model">{base64.b64encode(packed(model)).decode()}</script>']
    for at, chunk in enumerate(chunks):
        data = packed(chunk)
        if has_files and at >= 2:
            file = folder / f"chunk-{['slow', 'quick', 'broken'][at - 2]}.bin"
            file.write_bytes(data)
            parts.append(f'<script type="text/plain" data-states="{at}" data-src="{file.name}" data-integrity="{digest(data)}"></script>')
        else:
            parts.append(f'<script type="text/plain" data-states="{at}">{base64.b64encode(data).decode()}</script>')
    sources = " ".join(f"'{digest(it.encode())}'" for it in scripts)
    policy = (
        f"default-src 'none'; script-src {sources}; style-src '{digest(style.encode())}'; img-src data:; font-src data:; "
        f"connect-src {chr(39) + 'self' + chr(39) if has_files else chr(39) + 'none' + chr(39)}; base-uri 'none'; form-action 'none'; "
        "object-src 'none'; require-trusted-types-for 'script'; trusted-types nbc-states"
    )
    (folder / "index.html").write_text(f"""<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>States</title>
<link rel="icon" href="data:,">
<style>{style}</style>
<script>{scripts[0]}</script>
</head>
<body>
<header class="bar"><span class="bar-home">states.py</span><div class="bar-actions"><button type="button" class="bar-button" data-action="theme" hidden>Theme</button></div></header>
<div class="layout"><main id="content" tabindex="-1"><h1 class="page-title">States</h1>
{"".join(CELLS)}
</main></div>
{"".join(parts)}
{"".join(f"<script>{it}</script>" for it in scripts[1:])}
</body>
</html>""")


class Slow(Files):
    """Keeps readers waiting for one chunk."""

    wait = threading.Event()
    is_broken = False

    def do_GET(self) -> None:
        if "slow" in self.path:
            self.wait.wait(10)
        if "broken" in self.path and self.is_broken:
            return self.send_error(503)
        super().do_GET()


# Operating it ------------------------------------------------------------------------------------------------------------


class Reader:
    """A page, and what went wrong in it."""

    def __init__(self, context, address: str, fragment: str = "") -> None:
        self.page: Page = context.new_page()
        self.trouble: list[str] = []
        self.page.on("console", lambda it: self.trouble.append(it.text) if it.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda it: self.trouble.append(str(it)))
        self.page.add_init_script(
            "window.__violations = []; document.addEventListener('securitypolicyviolation', (e) => __violations.push(e.violatedDirective + ' ' + e.sample));"
        )
        self.page.goto(address + fragment)
        check(self.until("document.querySelector('[data-ready]') !== null"), "inputs become alive")

    def until(self, condition: str, seconds: float = 5) -> bool:
        return until(self.page, condition, seconds=seconds)

    def shown(self, number: int) -> str:
        return " ".join(self.page.locator(f'[data-slot="{number}"]').inner_text().split())

    def shows(self, number: int, wanted: str, message: str) -> None:
        end = time.monotonic() + 3
        while wanted not in (found := self.shown(number)) and time.monotonic() < end:
            self.page.wait_for_timeout(20)
        check(wanted in found, f"{message}: {found!r} is not {wanted!r}")

    def of(self, at: int, selector: str):
        return self.page.locator(f'[data-widget="{at}"] {selector}')

    def hash(self) -> str:
        return self.page.evaluate("location.hash")

    def drag(self, locator, start: float, end: float, during=None) -> None:
        locator.scroll_into_view_if_needed()
        box = locator.bounding_box()
        margin = 9
        x = lambda part: box["x"] + margin + (box["width"] - 2 * margin) * part
        y = box["y"] + box["height"] / 2
        mouse = self.page.mouse
        mouse.move(x(start), y)
        mouse.down()
        for step in range(1, 21):
            mouse.move(x(start + (end - start) * step / 20), y)
            self.page.wait_for_timeout(8)
            if during and step == 10:
                during()
        mouse.up()

    def done(self, name: str, expected: tuple[str, ...] = ()) -> None:
        same(self.page.evaluate("__violations"), [], f"{name}: violations")
        same([it for it in self.trouble if not any(one in it for one in expected)], [], f"{name}: console")
        self.page.close()


def every_kind(context, address: str) -> None:
    r = Reader(context, address)
    page = r.page
    same(r.shown(1), "n=5", "the first paint stays")
    same(r.hash(), "", "the address is untouched at first")
    check(page.locator('[data-action="reset"]').is_hidden(), "nothing to reset at first")
    same(page.locator('[data-ready] [title="Needs a running notebook"]').count(), 0, "titles are gone")
    check(r.of(99, "input").is_disabled(), "an unknown widget stays disabled")
    check(r.of(single, "input").is_disabled(), "one value is no choice")
    same(r.of(n, ".nbc-widget-hint").inner_text(), "7 of 31 values", "a sampled slider says so")

    # slider, by key and by drag
    knob = r.of(n, "input")
    knob.focus()
    page.keyboard.press("ArrowRight")
    r.shows(1, "n=10", "slider by key")
    same(knob.get_attribute("aria-valuetext"), "10", "the value is read")
    same(knob.get_attribute("aria-label"), "n", "the slider is named")
    same(r.of(n, ".nbc-widget-value").inner_text(), "10", "the value is shown")
    same(page.evaluate("getComputedStyle(document.querySelector('[data-slot=\"1\"] .s3-n')).borderInlineStartWidth"), "3px", "the rules of the state apply")
    same(r.hash(), "#?n=10", "the address follows")
    check(r.until("document.querySelector('body > [role=status]').textContent === 'n: 10; 1 output updated'"), "the change is told")
    page.keyboard.press("End")
    r.shows(1, "n=30", "End")
    page.keyboard.press("Home")
    r.shows(1, "n=0", "Home")
    r.drag(knob, 0, 0.5)
    r.shows(1, "n=15", "slider by drag")

    # range
    low, high = r.of(span, "input").nth(0), r.of(span, "input").nth(1)
    r.drag(high, 0, 1)
    r.shows(2, "span=0 – 4", "the upper end by drag")
    r.drag(low, 0, 0.5)
    r.shows(2, "span=2 – 4", "the lower end by drag")
    low.focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    r.shows(2, "span=4 – 4", "the lower end by key")
    high.focus()
    page.keyboard.press("ArrowLeft")
    r.shows(2, "span=3 – 3", "one end takes the other along")
    same([high.get_attribute("aria-valuetext"), low.get_attribute("aria-valuetext")], ["3", "3"], "both ends are read")

    frame = r.of(span, ".nbc-range").bounding_box()
    page.mouse.click(frame["x"] + 12, frame["y"] + frame["height"] / 2)
    r.shows(2, "span=0 – 3", "a click on the line")

    # number
    field_k = r.of(k, "input")
    field_k.fill("3")
    field_k.press("Tab")
    r.shows(3, "k=2.5", "a number snaps")
    same(field_k.input_value(), "2.5", "and shows it")
    field_k.press("ArrowUp")
    r.shows(3, "k=10", "the arrow goes to the next value")
    field_k.press("ArrowDown")
    field_k.press("ArrowDown")
    r.shows(3, "k=1", "and back")
    field_k.fill("")
    field_k.press("Tab")
    same(field_k.input_value(), "1", "an empty number that was not computed goes back")

    # choice
    r.of(kind, "select").select_option(label="c & d")
    r.shows(3, "k=1; kind=c & d", "a choice")
    check("kind=c%20%26%20d" in r.hash(), f"labels are encoded: {r.hash()}")

    # multi
    boxes = r.of(tags, 'input[type="checkbox"]')
    same(boxes.count(), 3, "a set is boxes")
    boxes.nth(0).check()
    r.shows(4, "tags=x", "one of a set")
    boxes.nth(1).check()
    r.shows(4, "tags=x, y", "two of a set")
    boxes.nth(2).click()
    r.shows(4, "tags=x, z", "the nearest set that was computed has what was clicked")
    check("not computed" in r.of(tags, ".nbc-widget-hint").inner_text(), "and says so")
    boxes.nth(0).uncheck()
    r.shows(4, "tags=z", "a box is unchecked")

    # radio, check, switch
    r.of(mode, "input").nth(0).focus()
    page.keyboard.press("ArrowDown")
    r.shows(5, "mode=slow", "a radio by key")
    check(r.of(mode, "input").nth(2).is_disabled(), "an option that was not computed is disabled")
    r.of(on, "input").focus()
    page.keyboard.press("Space")
    r.shows(5, "mode=slow; on=on", "a check by key")
    r.of(switch, "input").click()
    r.shows(55, "switch=off", "a switch")

    # dates
    r.of(day, "input").fill("2024-01-08")
    r.shows(6, "day=2024-01-07", "a date snaps")
    r.of(stay, "input").nth(0).fill("2024-01-03")
    r.shows(7, "stay=2024-01-03 – 2024-01-04", "the start of a stay takes its end along")

    # buttons
    for _ in range(4):
        r.of(clicks, "button").click(force=True)
    r.shows(8, "clicks=2", "clicks, as many as were computed")
    check("2 presses" in r.of(clicks, ".nbc-widget-hint").inner_text(), "and says so")
    r.of(go, "button").click()
    r.shows(9, "go=pressed", "a press")
    r.shows(10, "go=pressed; kind=c & d", "in both outputs")
    r.of(kind, "select").select_option(label="b")
    r.shows(10, "go=not pressed; kind=b", "a press ends with the next change")
    r.shows(9, "go=pressed", "and what only it reaches stays")
    r.of(go, "button").click()
    r.shows(10, "go=pressed; kind=b", "a second press")

    # tabs
    second = page.locator(f'[data-widget="{view}"] summary').nth(1)
    second.click()
    r.shows(12, "view=Second", "tabs")
    r.of(on, "input").uncheck()
    check(r.until("document.querySelector('[data-slot=\"11\"]').innerText.includes('second, on=0')"), "panels change, and the open one stays open")

    # tables
    r.of(rows, "tbody input").nth(1).check()
    r.shows(13, "rows=row 2", "a row")
    r.of(rows, "tbody input").nth(2).check()
    r.shows(13, "rows=row 3", "another row")
    r.of(rows, ".nbc-pick-none").click()
    r.shows(13, "rows=none", "no row")
    r.of(many, "tbody input").nth(0).check()
    r.of(many, "tbody input").nth(1).check()
    r.shows(14, "many=rows 1, 2", "two rows")
    check(r.of(many, "tbody input").nth(2).is_disabled(), "a row that was not computed")

    # text
    r.of(name, "select").select_option(index=2)
    r.shows(15, "who=Zoë & <b>", "a text is a choice of samples")

    # group
    r.of(part_a, "input").focus()
    page.keyboard.press("ArrowRight")
    r.of(part_b, "input").check()
    r.shows(16, "pair=1,1", "a group")

    # form
    r.of(form_k, "input").fill("3")
    r.of(form_k, "input").press("Tab")
    r.of(form_c, "select").select_option(label="v")
    page.wait_for_timeout(50)
    same(r.shown(17), "form not submitted", "a form waits")
    r.page.locator(f'[data-widget="{form}"] .nbc-widget-form > button').click()
    r.shows(17, "form=3,v", "a form is submitted")
    r.of(form_c, "select").select_option(label="u")
    page.wait_for_timeout(50)
    same(r.shown(17), "form=3,v", "what was submitted stays")
    r.of(form_k, "input").press("Enter")
    r.shows(17, "form=3,u", "Enter submits")
    r.of(form_k, "input").press("ControlOrMeta+a")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    r.shows(17, "form=2,u", "what was typed just before Enter")

    # null and debounce
    r.page.evaluate(f"""() => {{
      const input = document.querySelector('[data-widget="{upright}"] input');
      input.value = 1;
      input.dispatchEvent(new Event('input'));
    }}""")
    page.wait_for_timeout(50)
    same(r.shown(22), "upright=0", "a patient input waits until it is let go")
    same(r.of(upright, ".nbc-widget-value").inner_text(), "1", "and shows where it stands")
    r.page.evaluate(f"""document.querySelector('[data-widget="{upright}"] input').value = 0""")
    r.of(upright, "input").focus()
    page.keyboard.press("ArrowUp")
    r.shows(22, "This state was not computed.", "a state that was not computed")
    page.keyboard.press("ArrowUp")
    r.shows(22, "upright=2", "and on")

    # A reload keeps everything, but what only a press showed.
    page.wait_for_timeout(300)
    before = [r.shown(it) for it in map(int, SLOTS) if it not in (9, 10)]
    fragment = r.hash()
    page.reload()
    r.until("document.querySelector('[data-ready]') !== null")
    page.wait_for_timeout(200)
    same([r.shown(it) for it in map(int, SLOTS) if it not in (9, 10)], before, "a reload shows the same")
    other = Reader(context, address, fragment)
    page.wait_for_timeout(200)
    same([other.shown(it) for it in map(int, SLOTS) if it not in (9, 10)], before, "the address shows the same to others")
    same(other.of(n, "input").get_attribute("aria-valuetext"), "15", "and the inputs agree")
    same(other.of(form_k, "input").input_value(), "2", "also in forms")
    other.page.locator('[data-action="reset"]').click()
    other.shows(1, "n=5", "Reset")
    other.shows(17, "form not submitted", "Reset of a form")
    same(other.hash(), "", "Reset of the address")
    check(other.page.locator('[data-action="reset"]').is_hidden(), "Reset hides")
    same(other.of(n, "input").input_value(), "1", "Reset of the input")
    other.page.go_back()
    other.shows(1, "n=15", "back before the reset")
    other.done("address")
    r.done("every kind")


def nested(context, address: str) -> None:
    r = Reader(context, address)
    r.of(inner_p, "input").press("ArrowRight")
    r.shows(19, "inner p=1", "an inner widget")
    r.of(outer, "select").select_option(label="q")
    r.shows(19, "inner q=20", "another inner widget starts at its own value")
    same(r.of(inner_p, "input").count(), 0, "the other one is gone")
    check(r.of(inner_q, "input").is_enabled(), "and is alive")
    r.of(inner_q, "input").press("End")
    r.shows(19, "inner q=40", "it works")
    same(r.hash(), "#?outer=q&inner=40", "both are in the address")
    other = Reader(context, address, "#?outer=q&inner=40")
    other.shows(19, "inner q=40", "the address brings it back")
    same(other.of(inner_q, "input").get_attribute("aria-valuetext"), "40", "with its input")
    other.done("nested address")
    other = Reader(context, address, "#?outer=p&inner=0")
    same(other.hash(), "#?outer=p&inner=0", "an address is not written before something changes")
    check(other.page.locator('[data-action="reset"]').is_hidden(), "a widget of the same name that is not there counts for nothing")
    note = '.page-note[role="status"]'
    same(other.page.locator(note).count(), 0, "a link that is right has no note")
    other.done("nested address of the first state")
    # `40` is a value of the other `inner` only; the last names nothing.
    for fragment in ("#?outer=p&inner=40", "#?outer=nowhere", "#?nothing=1"):
        other = Reader(context, address, fragment)
        check(other.page.locator(note).is_visible(), f"{fragment} is told to be unknown")
        other.done(fragment)
    r.of(outer, "select").select_option(label="p")
    r.shows(19, "inner p=0", "what is made anew starts again")
    same(r.of(inner_p, "input").input_value(), "0", "also its input")
    r.done("nested")


def dragging(context, address: str) -> None:
    r = Reader(context, address)
    knob = r.of(own, "input")
    r.page.evaluate(f"""window.__knob = document.querySelector('[data-widget="{own}"] input')""")
    seen = []
    r.drag(knob, 0, 1, lambda: seen.append((r.shown(20), r.hash())))
    check(seen[0][0] not in ("own=0", "own=20") and "own=" in seen[0][0], f"outputs follow during a drag: {seen}")
    r.shows(20, "own=20", "a drag is not interrupted by its own output")
    check(r.page.evaluate(f"""window.__knob === document.querySelector('[data-widget="{own}"] input')"""), "the input is the same element")
    check(r.page.evaluate("document.activeElement === window.__knob"), "the focus stays")
    check(r.until("location.hash === '#?own=20'"), "the address of the end of a drag")
    r.page.go_back()
    r.shows(20, "own=0", "one drag is one step back")
    same(knob.input_value(), "0", "and the input follows")
    r.page.go_forward()
    r.shows(20, "own=20", "forward")
    r.page.get_by_text("To the first cell").click()
    same(r.hash(), "#cell-1", "anchors work")
    r.shows(20, "own=20", "and change nothing")
    r.page.go_back()
    r.page.wait_for_timeout(50)
    r.shows(20, "own=20", "nor going back from them")
    r.page.evaluate("location.hash = '#?own=3&n=nonsense&w999=1&inner=~1&%E0%A4%A'")
    r.shows(20, "own=3", "an address typed by hand")
    r.shows(1, "n=5", "nonsense in it is ignored")
    r.done("dragging")


def outputs(context, address: str) -> None:
    """What other scripts add to outputs, and where the focus goes."""
    r = Reader(context, address)
    table = r.page.locator(f'[data-widget="{own_rows}"] table')
    table.locator(".nbc-sort").first.click()
    same(table.locator("tbody tr").first.inner_text().split(), ["Cairo", "22"], "tables sort")
    table.locator("tbody input").nth(0).check()
    r.shows(24, "own rows=3", "the row that was chosen is the row that was built")
    same(table.locator("tbody tr").first.inner_text().split(), ["Cairo", "22"], "a table that shows its own choice stays sorted")
    check(r.page.evaluate("document.activeElement.closest('tr')?.innerText.includes('Cairo') ?? false"), "and keeps the focus")
    r.page.get_by_text("More", exact=True).click()
    r.page.evaluate("window.__image = document.querySelector('[data-slot=\"26\"] img')")
    link = r.page.locator('[data-slot="25"] a')
    link.focus()
    r.page.evaluate(f"""() => {{
      const input = document.querySelector('[data-widget="{plus}"] input');
      input.value = 2;
      input.dispatchEvent(new Event('change'));
    }}""")
    r.shows(25, "link 2", "a link changes")
    check(r.page.evaluate("document.activeElement.textContent === 'link 2'"), "and keeps the focus")
    r.shows(26, "more 2", "what a reader opened stays open in the next state")
    check(r.page.evaluate("window.__image.isConnected"), "a picture is replaced in place, without a flash")
    tables = r.page.locator('[data-slot="25"] table')
    same([tables.count(), r.page.locator('[data-slot="25"] input[type="search"]').count()], [1, 1], "a table of another state has its tools, once")
    same(tables.locator("tbody tr").first.inner_text(), "2", "and its rows")
    r.page.locator('[data-slot="25"] input[type="search"]').fill("13")
    same(tables.locator("tbody tr:visible").count(), 1, "and its search works")
    r.page.locator('[data-slot="25"] input[type="search"]').focus()
    r.page.evaluate(f"""() => {{
      const input = document.querySelector('[data-widget="{plus}"] input');
      input.value = 3;
      input.dispatchEvent(new Event('change'));
    }}""")
    check(r.page.evaluate("document.activeElement.closest('[data-slot=\"25\"]') !== null"), "the focus stays in the output")
    same(r.page.locator('[data-slot="25"] input[type="search"]').count(), 1, "the tools come once, again")
    r.done("outputs")


def speed(context, address: str) -> None:
    r = Reader(context, address)
    r.page.wait_for_timeout(300)
    took = r.page.evaluate(f"""() => {{
      const input = document.querySelector('[data-widget="{n}"] input');
      const times = [];
      for (let at = 0; at < 70; at += 1) {{
        const start = performance.now();
        input.value = at % 7;
        input.dispatchEvent(new Event('change'));
        times.push(performance.now() - start);
      }}
      return times.sort((a, b) => a - b);
    }}""")
    print(f"a change of state takes {took[35]:.2f} ms of script, at most {took[-1]:.2f} ms")
    r.page.close()


def late_chunks(context, address: str) -> None:
    Slow.wait.clear()
    Slow.is_broken = True
    r = Reader(context, address)
    select = r.of(late, "select")
    select.select_option(label="slow")
    r.page.wait_for_timeout(100)
    same(r.shown(21), "late=now", "the old output stays while the next one loads")
    same(r.page.locator('[data-slot="21"]').get_attribute("aria-busy"), "true", "and says that it is busy")
    select.select_option(label="quick")
    r.shows(21, "late=quick", "another chunk")
    Slow.wait.set()
    r.page.wait_for_timeout(300)
    same(r.shown(21), "late=quick", "a chunk that comes late changes nothing")
    select.select_option(label="slow")
    r.shows(21, "late=slow", "and is there when it is wanted")
    select.select_option(label="broken")
    r.shows(21, "could not be loaded", "a chunk that is not there")
    select.select_option(label="now")
    Slow.is_broken = False
    select.select_option(label="broken")
    r.shows(21, "late=broken", "it is tried again")
    select.select_option(label="now")
    r.shows(21, "late=now", "and back")
    r.done("late chunks", expected=("integrity", "Failed to find a valid digest", "Failed to load"))


def looks(browser, address: str, folder: pathlib.Path) -> None:
    for name, options in {
        "desktop": {"viewport": {"width": 1000, "height": 900}},
        "dark": {"viewport": {"width": 1000, "height": 900}, "color_scheme": "dark"},
        "phone": {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True},
    }.items():
        context = browser.new_context(**options)
        r = Reader(context, address, "#?n=15&span=1%20%E2%80%93%203&tags=x%2C%20y&mode=slow&on=on&rows=row%202&outer=q&own=14")
        r.page.wait_for_timeout(300)
        r.of(form_k, "input").fill("2")
        r.of(form_k, "input").press("Tab")
        r.page.wait_for_timeout(100)
        wide = r.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        check(wide <= 0, f"{name}: the page is {wide} px too wide")
        r.page.screenshot(path=folder / f"states-{name}.png", full_page=True)
        if name == "desktop":
            r.page.emulate_media(media="print")
            r.page.screenshot(path=folder / "states-print.png", full_page=True)
            r.page.emulate_media(media="screen")
        context.close()
        context = browser.new_context(bypass_csp=True, **options)
        page = context.new_page()
        page.goto(address)
        page.wait_for_timeout(500)
        page.evaluate(AXE + "; undefined")
        found = page.evaluate("(tags) => axe.run(document, { runOnly: tags })", AXE_RULES)
        for it in found["violations"]:
            check(False, f"{name}: axe {it['id']}: {[one['html'][:160] for one in it['nodes'][:3]]}")
        context.close()


def without_scripts(browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    same(page.locator("main input:not([disabled]), main select:not([disabled]), main button:not([disabled])").count(), 0, "without scripts nothing pretends to work")
    check("n=5" in page.locator('[data-slot="1"]').inner_text(), "and every output is there")
    context.close()


def main() -> int:
    built = pathlib.Path(sys.argv[1])
    pictures = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory() as made, chromium() as browser:
        root = pathlib.Path(made)
        for folder, has_files in (("single", False), ("site", True)):
            (root / folder).mkdir()
            write(root / folder, built, has_files=has_files)
        site = f"http://127.0.0.1:{serve(Slow, root / 'site').server_port}/index.html"
        single = (root / "single" / "index.html").as_uri()
        Slow.wait.set()
        for address in (single, site):
            context = browser.new_context()
            for step in (nested, dragging, outputs, every_kind):
                print(f"{step.__name__} {address.split(':')[0]}", flush=True)
                step(context, address)
            context.close()
        context = browser.new_context()
        late_chunks(context, site)
        speed(context, single)
        context.close()
        without_scripts(browser, single)
        looks(browser, single, pictures or root)
    return summary()


if __name__ == "__main__":
    sys.exit(main())
