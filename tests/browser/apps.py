"""Every state of the apps in `tests/apps/`: what the page shows after real clicks, drags and keys is what marimo computes.

    python tests/browser/apps.py BUILT [APP …]

BUILT holds `single/` and `site/`, built of `tests/apps`. The states are found as a reader finds them, by
the values that the page's controls offer; how many there must be is written down here. In `single`, opened
from disk, one page goes through all states, with the mouse; in `site`, from a server, each state starts with
a fresh page and is reached with the keyboard. The judge is `oracle.py`: a fresh process and a fresh kernel
of marimo for each state, which is given the values that the reader chose.
"""

from __future__ import annotations

import base64
import concurrent.futures
import gzip
import hashlib
import io
import json
import pathlib
import re
import subprocess
import sys
import time
import urllib.parse
from contextlib import nullcontext

from PIL import Image
from playwright.sync_api import Browser, Locator, Page
from support import Watch, check, chromium, served, summary, until

HERE = pathlib.Path(__file__).resolve().parent
APPS = HERE.parent / "apps"
DESCRIBE = (HERE / "describe.js").read_text()

# Of each app the inputs that act together, and how many states they have. Inputs stand in the order in
# which they are set: what makes others anew comes first, what runs only when pressed comes last.
SPACES: dict[str, list[tuple[list[str], int]]] = {
    "converter": [(["quantity", "source", "target", "amount"], 54)],
    "distribution": [(["shape", "size", "mark"], 18), (["ends"], 15)],
    "loan": [(["amount", "rate", "years"], 27), (["kind", "early"], 4)],
    "order_form": [(["pizza"], 13), (["bell"], 2), (["people", "split"], 6)],
    "orders": [(["regions", "picked"], 24)],
    "places": [(["country", "city", "sight"], 18), (["country", "city", "days"], 8)],
    "recipe": [(["people", "unit"], 10), (["salt"], 2)],
    "studio": [(["lamps"], 8), (["camera"], 24), (["frame"], 6)],
    "thermostat": [(["preset", "target"], 21), (["window"], 2)],
    "trip": [(["day"], 4), (["stay", "guests"], 30), (["plan"], 2)],
}

# Steps of a reader, where their order matters: (input, index of the value).
SEQUENCES: dict[str, list[list[tuple[str, int]]]] = {
    "order_form": [
        [("people", 1), ("split", 1), ("people", 2)],
        [("split", 1), ("bell", 1)],
        [("pizza", 3), ("people", 2), ("split", 1)],
        [("pizza", 2), ("pizza", 9)],
    ],
    "orders": [[("picked", 1), ("regions", 7)], [("regions", 0), ("regions", 5), ("picked", 2)]],
    "places": [[("country", 1), ("city", 1), ("country", 0)], [("sight", 1), ("days", 1), ("city", 1)]],
    "recipe": [[("people", 0), ("salt", 1), ("people", 3)], [("people", 4), ("unit", 1), ("people", 1)]],
    "thermostat": [[("preset", 2), ("target", 0), ("preset", 0)], [("target", 6), ("window", 1)]],
    "trip": [[("stay", 0), ("plan", 0), ("day", 3)]],
}

# Going back to where one came from is not the same as never having left: a page for each state.
REMEMBERS = {"order_form", "thermostat", "orders", "places"}

# The state that a control shows, as the reader sees it; of a group or form the parts are asked.
SHOWN = """(at) => {
  const frame = [...document.querySelectorAll(`[data-widget="${at}"]`)][0];
  if (!frame) return null;
  const own = (selector) => [...frame.querySelectorAll(selector)].filter((it) => it.closest('[data-widget]') === frame);
  const text = (it) => it.textContent.trim();
  const label = (it) => text(it.closest('label'));
  return {
    ranges: own('input[type=range]').map((it) => Number(it.value)),
    numbers: own('input[type=number]').map((it) => it.value),
    dates: own('input[type=date]').map((it) => it.value),
    selects: own('select').map((it) => [...it.selectedOptions].map(text)),
    radios: own('input[type=radio]').map((it) => ({ label: it.closest('label') ? label(it) : '', on: it.checked })),
    boxes: own('input[type=checkbox]').map((it) => ({ label: it.closest('label') ? label(it) : '', on: it.checked })),
    open: own('details.nbc-tab, [role=tab]').map((it) => it.open === true || it.getAttribute('aria-selected') === 'true'),
  };
}"""

# Everything that a reader would see now, and whether it is all there.
ALL = """(cells) => ({
  cells: Object.fromEntries(cells.map((id) => [id, describePage(document.getElementById(id))])),
  ready: [...document.images].every((it) => it.complete && it.naturalWidth > 0),
})"""


class Model:
    """The page's own model (`data-states="model"`)."""

    def __init__(self, page: pathlib.Path) -> None:
        found = re.search(r'<script [^>]*data-states="model"[^>]*>([^<]*)</script>', page.read_text())
        self.is_there = found is not None
        data = json.loads(gzip.decompress(base64.b64decode(found[1]))) if found else {"widgets": [], "slots": {}}
        self.widgets, self.slots = data["widgets"], data["slots"]

    def count(self, at: int) -> int:
        widget = self.widgets[at]
        if widget["kind"] == "form":
            return 1 + self.count(widget["parts"][0])
        if widget["kind"] == "group":
            product = 1
            for part in widget["parts"]:
                product *= self.count(part)
            return product
        return len(widget["values"])

    def split(self, at: int, index: int) -> list[tuple[int, int]]:
        """The parts of a group with their values; the first part is the most significant."""
        found = []
        for part in reversed(self.widgets[at]["parts"]):
            index, rest = divmod(index, self.count(part))
            found.append((part, rest))
        return found[::-1]

    def value(self, at: int, index: int):
        """As the oracle takes it."""
        widget = self.widgets[at]
        if widget["kind"] == "form":
            return {"submit": self.value(widget["parts"][0], index - 1)}
        if widget["kind"] == "group":
            return {"parts": [self.value(*it) for it in self.split(at, index)]}
        return widget["values"][index]

    def initial(self, at: int) -> int:
        widget = self.widgets[at]
        if widget["kind"] == "form":
            return 0
        if widget["kind"] == "group":
            index = 0
            for part in widget["parts"]:
                index = index * self.count(part) + self.initial(part)
            return index
        return widget["initial"]

    def holes(self) -> int:
        """States that were not computed."""

        def of(node) -> int:
            return 1 if node is None else sum(of(it) for it in node[1]) if isinstance(node, list) else 0

        return sum(of(node) for node in self.slots.values())


class Reader:
    """Someone who operates a page with the mouse or with the keyboard."""

    def __init__(self, page: Page, model: Model, has_mouse: bool, cells: list[str]) -> None:
        self.page, self.model, self.has_mouse, self.cells = page, model, has_mouse, cells
        self.opened: list[tuple[int, int]] = []

    def settle(self) -> dict:
        """What stands there once nothing changes any more."""
        last, same, end = None, 0, time.monotonic() + 10
        while same < 3 and time.monotonic() < end:
            self.page.wait_for_timeout(20)
            seen = self.page.evaluate(ALL, self.cells)
            same = same + 1 if seen == last and seen["ready"] else 0
            last = seen
        return last["cells"]

    def alive(self, name: str) -> int | None:
        """The input of that name that is on the page now."""
        there = self.page.evaluate("[...document.querySelectorAll('[data-widget]')].map((it) => Number(it.dataset.widget))")
        return next((at for at in there if at < len(self.model.widgets) and self.model.widgets[at].get("name") == name), None)

    def seen(self, at: int) -> dict:
        return self.page.evaluate(SHOWN, at)

    def shown(self, at: int) -> int | None:
        """Which of its values a control shows; what has parts or is only pressed shows none."""
        widget, seen = self.model.widgets[at], self.seen(at)
        kind, values = widget["kind"], widget.get("values", [])
        if not seen or not any(seen.values()):
            return None
        if len(values) == 1:
            return 0
        if kind == "slider":
            return int(seen["ranges"][0])
        if kind == "range":
            ends = self.ends(values)
            value = [ends[int(it)] for it in seen["ranges"]]
        elif kind == "number":
            return next((at for at, it in enumerate(values) if it is not None and str(float(it)) == str(float(seen["numbers"][0] or "nan"))), None)
        elif kind == "choice":
            value = [it for it in seen["selects"][0] if it in [label for one in values for label in one]]
        elif kind == "multi":
            value = seen["selects"][0] if seen["selects"] else [it["label"] for it in seen["boxes"] if it["on"]]
            return next((at for at, it in enumerate(values) if sorted(it) == sorted(value)), None)
        elif kind == "radio":
            value = next((it["label"] for it in seen["radios"] if it["on"]), None)
        elif kind == "check":
            value = seen["boxes"][0]["on"]
        elif kind == "date":
            value = seen["dates"][0]
        elif kind == "dates":
            value = seen["dates"]
        elif kind == "tabs":
            value = str(seen["open"].index(True)) if True in seen["open"] else None
        elif kind == "table":
            value = [str(at) for at, it in enumerate(seen["radios"] or seen["boxes"]) if it["on"]]
        else:
            return None
        return values.index(value) if value in values else None

    @staticmethod
    def ends(values: list) -> list:
        return sorted({end for pair in values for end in pair})

    # Acting.

    def frame(self, at: int) -> Locator:
        return self.page.locator(f'[data-widget="{at}"]').first

    def own(self, at: int, selector: str) -> Locator:
        """What belongs to this input and to none inside it."""
        return self.frame(at).locator(f'xpath=.//*[self::{selector}][ancestor::*[@data-widget][1]/@data-widget="{at}"]')

    def reveal(self, at: int) -> None:
        """Opens the panels and tabs that hide a control, as a reader must. A tab may be an input itself."""
        for _ in range(6):
            closed = self.page.evaluate_handle(
                "(at) => { let found = null; const one = document.querySelector(`[data-widget=\"${at}\"]`);"
                " for (let it = one.parentElement; it; it = it.parentElement) if (it.localName === 'details' && !it.open) found = it; return found; }",
                at,
            ).as_element()
            if closed is None:
                return
            owner = closed.evaluate("(it) => [it.closest('[data-widget]')?.dataset.widget, [...it.parentElement.children].indexOf(it)]")
            self.press(closed.query_selector("summary"))
            if owner[0] is not None and self.model.widgets[int(owner[0])]["kind"] == "tabs":
                self.opened.append((int(owner[0]), owner[1]))
            self.page.wait_for_timeout(60)

    def press(self, what) -> None:
        what.scroll_into_view_if_needed()
        if self.has_mouse:
            what.click()
        else:
            what.focus()
            self.page.keyboard.press("Enter")

    def go(self, control: Locator, steps: int) -> None:
        """Moves with the arrow keys. Each goes to whatever has the focus: it must not be lost."""
        if steps:
            control.focus()
        for _ in range(abs(steps)):
            self.page.keyboard.press("ArrowUp" if steps > 0 else "ArrowDown")
            self.page.wait_for_timeout(5)

    def slide(self, control: Locator, target: int) -> None:
        lowest, highest, value = control.evaluate("(it) => [Number(it.min), Number(it.max), Number(it.value)]")
        if target == value:
            return
        control.scroll_into_view_if_needed()
        box = control.bounding_box()
        is_upright = box["height"] > box["width"]
        if self.has_mouse and not is_upright:
            # The thumb's middle stays half a thumb away from both ends.
            place = lambda it: box["x"] + 8 + (box["width"] - 16) * (it - lowest) / (highest - lowest)
            middle = box["y"] + box["height"] / 2
            self.page.mouse.move(place(value), middle)
            self.page.mouse.down()
            self.page.mouse.move(place((value + target) / 2), middle)
            self.page.mouse.move(place(target), middle, steps=4)
            self.page.mouse.up()
            self.page.wait_for_timeout(20)
        # The keyboard makes up for the rest of the way that the mouse did not reach.
        self.go(control, round(target - float(control.input_value())))

    def type_date(self, control: Locator, value: str) -> None:
        year, month, day = value.split("-")
        # Dates in the format of the browser's language (en-US), which asks only for the parts that the bounds leave
        # open.
        for typed in (month + day + year, month + day, day):
            # Focus by a script is on the first part.
            control.focus()
            self.page.keyboard.type(typed)
            self.page.keyboard.press("Tab")
            self.page.wait_for_timeout(20)
            if control.input_value() == value:
                return

    def set(self, at: int, target: int) -> None:
        """Brings a control to one of its values."""
        widget = self.model.widgets[at]
        kind = widget["kind"]
        if kind == "group":
            for part, index in self.model.split(at, target):
                self.set(part, index)
            return
        if kind == "form":
            if target > 0:
                self.set(widget["parts"][0], target - 1)
                self.press(self.own(at, "button").first)
            return
        if self.frame(at).count() == 0:
            check(False, f"a part of an input is not on the page: {widget['kind']} {at} of {self.page.url}")
            return
        if kind in ("button", "run_button"):
            self.reveal(at)
            for _ in range(int(widget["values"][target])):
                self.press(self.own(at, "button").first)
            return
        if not any(self.seen(at).values()):
            check(False, f"an input without its control: {kind} {at} of {self.page.url}")
            return
        if self.shown(at) == target:
            return
        self.reveal(at)
        value = widget["values"][target]
        if kind == "slider":
            self.slide(self.own(at, "input[@type='range']").first, target)
        elif kind == "range":
            self.set_range(at, value)
        elif kind == "number":
            control = self.own(at, "input[@type='number']").first
            if self.has_mouse:
                control.click(click_count=3)
                self.page.keyboard.type(str(value))
                self.page.keyboard.press("Tab")
            else:
                control.focus()
                for _ in range(abs(target - self.shown(at))):
                    self.page.keyboard.press("ArrowUp" if target > self.shown(at) else "ArrowDown")
                self.page.keyboard.press("Tab")
        elif kind == "choice":
            control = self.own(at, "select").first
            wanted = value[0] if value else None
            here, there = control.evaluate(
                "(it, wanted) => { const all = [...it.options].map((one) => one.textContent.trim());"
                " return [it.selectedIndex, wanted === null ? 0 : all.indexOf(wanted)]; }",
                wanted,
            )
            self.go(control, here - there)
        elif kind == "multi":
            self.choose_many(at, value)
        elif kind == "radio":
            labels = [it["label"] for it in self.seen(at)["radios"]]
            one = self.own(at, "input[@type='radio']").nth(labels.index(value))
            if self.has_mouse:
                one.click()
            else:
                here = next((n for n, it in enumerate(self.seen(at)["radios"]) if it["on"]), 0)
                self.own(at, "input[@type='radio']").nth(here).focus()
                for _ in range(abs(labels.index(value) - here)):
                    self.page.keyboard.press("ArrowDown" if labels.index(value) > here else "ArrowUp")
        elif kind == "check":
            control = self.own(at, "input[@type='checkbox']").first
            if self.has_mouse:
                control.click()
            else:
                control.focus()
                self.page.keyboard.press("Space")
        elif kind == "date":
            self.type_date(self.own(at, "input[@type='date']").first, value)
        elif kind == "dates":
            # Never the first after the last.
            order = (0, 1) if value[0] <= self.seen(at)["dates"][1] else (1, 0)
            for which in order:
                if self.seen(at)["dates"][which] != value[which]:
                    self.type_date(self.own(at, "input[@type='date']").nth(which), value[which])
                    self.page.wait_for_timeout(30)
        elif kind == "tabs":
            tabs = self.own(at, "summary")
            self.press(tabs.nth(int(value)) if tabs.count() else self.own(at, "*[@role='tab']").nth(int(value)))
        elif kind == "table":
            if not value:
                self.press(self.own(at, "button").last)
            for number, box in enumerate(self.own(at, "input[@type='radio' or @type='checkbox']").all()):
                if value and box.is_checked() != (str(number) in value) and (str(number) in value or box.get_attribute("type") == "checkbox"):
                    if self.has_mouse:
                        box.click()
                    else:
                        box.focus()
                        self.page.keyboard.press("Space")
        else:
            raise SystemExit(f"nobody knows how to operate a {kind}")
        self.page.wait_for_timeout(10)

    def set_range(self, at: int, value: list) -> None:
        ends = self.ends(self.model.widgets[at]["values"])
        wanted = [ends.index(it) for it in value]
        inputs = self.own(at, "input[@type='range']")
        # The ends must not meet on the way.
        order = (0, 1) if wanted[0] <= float(inputs.nth(1).input_value()) else (1, 0)
        for which in order:
            self.go(inputs.nth(which), round(wanted[which] - float(inputs.nth(which).input_value())))

    def choose_many(self, at: int, value: list[str]) -> None:
        select = self.own(at, "select")
        if select.count():
            options = select.first.locator("option")
            for number, text in enumerate(options.all_inner_texts()):
                is_on = options.nth(number).evaluate("(it) => it.selected")
                if is_on != (text.strip() in value):
                    options.nth(number).click(modifiers=["Control"])
            return
        for box in self.own(at, "input[@type='checkbox']").all():
            label = box.evaluate("(it) => it.closest('label').textContent.trim()")
            if box.is_checked() == (label in value):
                continue
            if self.has_mouse:
                box.click()
            else:
                box.focus()
                self.page.keyboard.press("Space")


class Visit:
    """A page at a state: how it was reached, and what it showed."""

    def __init__(self, name: str, steps: list, cells: dict) -> None:
        self.name, self.steps, self.cells = name, steps, cells


class App:
    """One app in one layout."""

    def __init__(self, name: str, layout: str, browser: Browser, url: str, path: pathlib.Path, allowed: str) -> None:
        self.name, self.layout, self.url = name, layout, url
        self.label = f"{layout}/{name}"
        self.model = Model(path)
        self.context = browser.new_context(viewport={"width": 1280, "height": 1000}, locale="en-US")
        self.page = self.context.new_page()
        self.watch = Watch(self.page, allowed)
        self.page.add_init_script(DESCRIBE)
        self.visits: list[Visit] = []

    def open(self, url: str | None = None) -> Reader:
        self.watch.report(self.page, self.label) if self.page.url != "about:blank" else None
        # A page that is only told another fragment is not loaded again.
        self.page.goto("about:blank")
        self.page.goto(url or self.url)
        is_alive = "document.querySelector('[data-widget] :is(input, select, button):not(:disabled)') !== null"
        check(until(self.page, is_alive, seconds=10), f"{self.label}: no control works")
        cells = self.page.evaluate("[...document.querySelectorAll('main section[id^=cell-]')].map((it) => it.id)")
        return Reader(self.page, self.model, self.layout == "single", cells)

    def check_model(self) -> bool:
        check(self.model.is_there, f"{self.label}: the page has no states")
        check(self.model.holes() == 0, f"{self.label}: {self.model.holes()} states were not computed")
        return self.model.is_there

    def go(self, reader: Reader, path: list[tuple[str, int]]) -> tuple[list, list]:
        """Sets inputs in turn; what was done, for the oracle, and what must then be shown."""
        steps, expected = [], []
        for number, (name, target) in enumerate(path):
            if number:
                # A reader looks before the next step: inputs may have been made anew.
                reader.settle()
            at = reader.alive(name)
            if at is None:
                check(False, f"{self.label}: {path}: there is no input {name!r}")
                continue
            reader.opened.clear()
            already = reader.shown(at)
            reader.set(at, target)
            for owner, tab in reader.opened:
                # Without a name no cell can read which tab is open.
                if self.model.widgets[owner].get("name"):
                    steps.append([self.model.widgets[owner]["name"], str(tab)])
            is_new = already != target if already is not None else target != self.model.initial(at)
            if is_new:
                steps.append([name, self.model.value(at, target)])
            expected.append((name, at, target))
        return steps, expected

    def visit(self, reader: Reader, path: list[tuple[str, int]], is_walk: bool = False) -> None:
        """Goes to a state and keeps what is there."""
        done, expected = self.go(reader, path)
        cells = reader.settle()
        if is_walk:
            done = self.of_fresh(reader, expected)
        name = ", ".join(f"{it}={index}" for it, index in path)
        for input_name, at, target in expected:
            last = [index for it, index in path if it == input_name][-1]
            if last == target and reader.alive(input_name) == at and reader.shown(at) is not None:
                check(reader.shown(at) == target, f"{self.label}: {name}: `{input_name}` shows value {reader.shown(at)}")
        self.visits.append(Visit(name, done, cells))

    def find(self, reader: Reader, names: list[str], path: list[tuple[str, int]]) -> list[list[tuple[str, int]]]:
        """The states of some inputs, by what the page offers once those before are set."""
        if not names:
            return [path]
        name, rest = names[0], names[1:]
        entries = [at for at, it in enumerate(self.model.widgets) if it.get("name") == name]
        if len(entries) == 1:
            at = entries[0]
        else:
            reader = self.open()
            self.go(reader, path)
            reader.settle()
            at = reader.alive(name)
        if at is None:
            return [path]
        found = []
        for index in range(self.model.count(at)):
            found += self.find(reader, rest, [*path, (name, index)])
        return found

    def run(self) -> None:
        if not self.check_model():
            return
        walks = self.layout == "single" and self.name not in REMEMBERS
        for names, wanted in SPACES[self.name]:
            reader = self.open()
            paths = self.find(reader, names, [])
            told = {json.dumps(it) for it in paths}
            check(len(told) == wanted, f"{self.label}: {' × '.join(names)} has {len(told)} states instead of {wanted}")
            reader = self.open()
            for number, path in enumerate(paths):
                if not walks:
                    reader = self.open()
                    self.visit(reader, path)
                    if number % 5 == 3:
                        self.link(reader, path)
                    continue
                self.visit(reader, path, is_walk=True)
        for sequence in SEQUENCES.get(self.name, []):
            self.visit(self.open(), sequence)
        # Buttons come last, and people alone change nothing there.
        self.back_and_on("bell" if self.name == "order_form" else SPACES[self.name][-1][0][0])
        self.watch.report(self.page, self.label)
        self.context.close()

    def of_fresh(self, reader: Reader, reached: list[tuple[str, int, int]]) -> list:
        """What someone does who has just opened the page, where this reader went through other states before."""
        tabs = [(it["name"], at) for at, it in enumerate(self.model.widgets) if it["kind"] == "tabs" and it.get("name")]
        reached = [(name, at, reader.shown(at)) for name, at in tabs if name not in [it[0] for it in reached]] + reached
        return [[name, self.model.value(at, index)] for name, at, index in reached if index != self.model.initial(at)]

    def link(self, reader: Reader, path: list[tuple[str, int]]) -> None:
        """The address of a state leads to it; what is only pressed has no address."""
        if any(name in ("split", "bell", "pizza") for name, _ in path):
            return
        # Browsers take only so many changes of an address: the page writes it a moment later.
        self.page.wait_for_timeout(400)
        here, cells = self.page.evaluate("location.href"), self.visits[-1].cells
        again = self.open(here).settle()
        for cell in cells:
            check(cells[cell] == again[cell], f"{self.label}: {urllib.parse.unquote(here.split('#')[-1])} leads elsewhere: {again[cell]} is not {cells[cell]}")

    def back_and_on(self, name: str) -> None:
        """The browser's own buttons lead to the state before and to the one after."""
        reader = self.open()
        at = reader.alive(name)
        before = reader.settle()
        reader.set(at, (self.model.initial(at) + 1) % self.model.count(at))
        after = reader.settle()
        check(before != after, f"{self.label}: `{name}` changes nothing")
        self.page.wait_for_timeout(400)
        for way, wanted in (("back", before), ("forward", after)):
            self.page.evaluate("(way) => history[way]()", way)
            self.page.wait_for_timeout(100)
            check(reader.settle() == wanted, f"{self.label}: {way} leads elsewhere after `{name}`")


# The judge.


def key_of(name: str, steps: list) -> str:
    return json.dumps([name, steps], sort_keys=True)


def ask(cache: pathlib.Path, name: str, steps: list) -> dict:
    notebook = APPS / f"{name}.py"
    told = notebook.read_bytes() + (HERE / "oracle.py").read_bytes() + sys.executable.encode() + json.dumps(steps).encode()
    kept = cache / f"{hashlib.sha256(told).hexdigest()}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    done = subprocess.run(
        [sys.executable, str(HERE / "oracle.py"), str(notebook)], input=json.dumps(steps), capture_output=True, text=True, cwd=APPS
    )
    if done.returncode != 0:
        return {"problem": done.stderr[-600:]}
    kept.write_text(done.stdout)
    return json.loads(done.stdout)


def picture(source: str, near: str) -> bytes:
    if source.startswith("data:"):
        return base64.b64decode(source.split(",", 1)[1])
    url = urllib.parse.urljoin(near, source)
    path = pathlib.Path(SITE_FILES[0]) / urllib.parse.urlparse(url).path.removeprefix("/project/").lstrip("/")
    return path.read_bytes()


SITE_FILES: list[str] = []


def same_picture(one: bytes, other: bytes) -> bool:
    if one == other:
        return True
    first, second = Image.open(io.BytesIO(one)).convert("RGBA"), Image.open(io.BytesIO(other)).convert("RGBA")
    return first.size == second.size and first.tobytes() == second.tobytes()


def differences(ours: dict, theirs: dict, url: str) -> list[str]:
    found = []
    for part in ("text", "controls", "tables", "console", "failed"):
        if ours[part] != theirs[part]:
            found.append(f"{part}: the page has {ours[part]!r}, marimo {theirs[part]!r}")
    if len(ours["pictures"]) != len(theirs["pictures"]):
        found.append(f"{len(ours['pictures'])} pictures, marimo has {len(theirs['pictures'])}")
    for one, other in zip(ours["pictures"], theirs["pictures"]):
        if not same_picture(picture(one, url), picture(other, url)):
            found.append("another picture than marimo's")
    return found


def judge(browser: Browser, apps: list[App], cache: pathlib.Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    wanted = {key_of(app.name, visit.steps): (app.name, visit.steps) for app in apps for visit in app.visits}
    print(f"{sum(len(app.visits) for app in apps)} visits, {len(wanted)} states for marimo")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = dict(zip(wanted, pool.map(lambda it: ask(cache, *it), wanted.values())))
    page = browser.new_page()
    page.add_script_tag(content=DESCRIBE)
    described = {
        key: it if "problem" in it else page.evaluate("(cells) => cells.map(describeMarimo)", it["cells"]) for key, it in answers.items()
    }
    for app in apps:
        wrong = 0
        for visit in app.visits:
            theirs = described[key_of(app.name, visit.steps)]
            if isinstance(theirs, dict):
                check(False, f"{app.label}: {visit.name}: marimo has no answer: {theirs['problem']}")
                continue
            for at, cell in enumerate(theirs, start=1):
                ours = visit.cells.get(f"cell-{at}")
                if ours is None:
                    # A cell that shows nothing may have no place on the page.
                    check(not any(cell.values()), f"{app.label}: {visit.name}: cell {at} is not on the page")
                    continue
                found = differences(ours, cell, app.url)
                wrong += bool(found)
                check(not found, f"{app.label}: {visit.name}: cell {at}: {'; '.join(found)[:500]}")
        print(f"{app.label}: {len(app.visits)} visits, {wrong} cells differ")


def main() -> int:
    out = pathlib.Path(sys.argv[1]).resolve()
    names = sys.argv[2:] or sorted(SPACES)
    written = {path.stem for path in APPS.glob("*.py")}
    check(written == set(SPACES), f"apps without a word on their states: {sorted(written ^ set(SPACES))}")
    SITE_FILES.append(str(out / "site"))
    apps: list[App] = []
    with chromium() as browser:
        for layout in ("single", "site"):
            folder = out / layout
            with served(folder, "/project") if layout == "site" else nullcontext() as base:
                for name in names:
                    path = folder / f"{name}.html"
                    url = base + path.name if base else path.as_uri()
                    app = App(name, layout, browser, url, path, base or path.as_uri())
                    started = time.monotonic()
                    app.run()
                    apps.append(app)
                    print(f"{app.label}: {len(app.visits)} visits in {time.monotonic() - started:.0f} s", flush=True)
        judge(browser, apps, out / "oracle")
    return summary()


if __name__ == "__main__":
    raise SystemExit(main())
