"""How faithfully nbc shows stored outputs: every output of real notebooks, looked up in the built page.

    python3 -m venv /tmp/judge && /tmp/judge/bin/pip install playwright==1.61.0
    cargo build --release && /tmp/judge/bin/python benches/faithful.py target/release/nbc NOTEBOOKS [REPORT]

NOTEBOOKS is a folder of `.ipynb` files, or one file; REPORT a file for the exceptions. Needs Chromium
(`CHROMIUM`, else /usr/bin/chromium). nbc's own opinion counts for nothing: what an output should show is
read from its MIME bundle, what it does show from the page as Chromium has it. For an output shown by its
richest representation that is safe (the order is that of docs/outputs.md):

- every table has the same rows, and each cell the same text; all other text is there, in order;
- a picture is an image with the same bytes that Chromium could decode, a player has the same bytes;
- an SVG is an image, or inline, with as many shapes;
- a formula is MathML; text is what a terminal would hold in the end (an emulator here, not nbc's);
- a chart is a figure that its library drew, or the picture that came with it;
- a widget with saved state shows the texts and values of its models.
"""

from __future__ import annotations

import base64
import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from playwright.sync_api import Page, sync_playwright

OLD_NAMES = {
    "text": "text/plain", "html": "text/html", "markdown": "text/markdown", "latex": "text/latex", "png": "image/png",
    "jpeg": "image/jpeg", "svg": "image/svg+xml", "json": "application/json", "javascript": "application/javascript",
}  # fmt: skip
CHARTS = ("application/vnd.vegalite.", "application/vnd.vega.", "application/vnd.plotly.", "application/vnd.bokehjs_exec", "application/vnd.holoviews_exec")
LOADERS = ("application/vnd.bokehjs_load", "application/vnd.holoviews_load")
VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
RICHEST_FIRST = [
    "text/html", "image/svg+xml", "text/latex", "image/png", "image/jpeg", "image/gif", "image/webp", "video/mp4", "video/webm", "audio/mpeg",
    "audio/wav", "audio/x-wav", "audio/ogg", "text/vnd.mermaid", "text/markdown", "application/vnd.dataresource+json",
    "application/geo+json", "application/json", "application/pdf", "text/plain",
]  # fmt: skip
# A call with which a library's markup draws a chart.
DRAWS = re.compile(r"Plotly\.newPlot\(|vegaEmbed\(|docs_json\s*=|embed_document\(")
BARE_OBJECT = re.compile(r"^<[\w.]+(?: object)?(?: at 0x[0-9a-f]+)?>$")

# Describes what a reader would see of an element, whoever wrote it.
DESCRIBE = """
const squeeze = (text) => text.replace(/\\s+/g, ' ').trim();
const hidden = 'script, style, template, noscript, title, annotation, .nbc-hidden-label, .nbc-shortened, figcaption';
const shapes = 'path, rect, circle, ellipse, line, polyline, polygon, text, use, image';
window.describe = (root) => {
  const charts = [...root.querySelectorAll('figure.nbc-chart')].map((it) => ({
    state: it.dataset.state || '', picture: !!it.querySelector('img, svg, canvas') }));
  const copy = root.cloneNode(true);
  copy.querySelectorAll(hidden).forEach((it) => it.remove());
  const pictures = [...root.querySelectorAll('img')].filter((it) => !it.closest('.bk-root, .vega-embed'))
    .map((it) => ({ src: it.getAttribute('src') || '', seen: it.naturalWidth > 0, width: it.getAttribute('width'), shown: it.clientWidth }));
  const media = [...copy.querySelectorAll('audio, video')].map((it) =>
    it.getAttribute('src') || it.querySelector('source')?.getAttribute('src') || '');
  const frames = [...copy.querySelectorAll('iframe')].map((it) => it.getAttribute('src') || '');
  // Their content is for browsers that know none, and buttons do nothing without their scripts.
  copy.querySelectorAll('audio, video, iframe, button svg').forEach((it) => it.remove());
  const tables = [...copy.querySelectorAll('table')].filter((it) => !it.querySelector('table'))
    .map((table) => [...table.rows].map((row) => [...row.cells].map((it) => squeeze(it.textContent))).filter((row) => row.join('')));
  const drawings = [...copy.querySelectorAll('svg')].filter((it) => !it.parentElement?.closest('svg')).map((it) => it.querySelectorAll(shapes).length);
  const controls = [...copy.querySelectorAll('input, select, textarea, progress, button')].map((it) => it.localName + ':' + (it.getAttribute('value') || ''));
  const pre = [...copy.querySelectorAll('pre')].map((it) => it.textContent);
  const links = [...copy.querySelectorAll('a[href]')].map((it) => it.getAttribute('href'));
  const notes = [...copy.querySelectorAll('.nbc-note')].map((it) => squeeze(it.textContent));
  const math = copy.querySelectorAll('math').length;
  // The text of formulas is not comparable.
  copy.querySelectorAll('math, svg, .nbc-note').forEach((it) => it.remove());
  return { charts, pictures, tables, media, drawings, frames, controls, pre, links, notes, math, text: copy.textContent.replace(/\\s+/g, '') };
};
window.describeMarkup = (text) => describe(new DOMParser().parseFromString('<body>' + text, 'text/html').body);
window.describePage = () => {
  const found = {};
  for (const frame of document.querySelectorAll('.cell > .nbc-out')) {
    const place = [...frame.classList].map((it) => it.match(/^nbc-out-c(\\d+)-(\\d+|failed)$/)).find((it) => it);
    if (!place) continue;
    const kind = [...frame.classList].map((it) => it.match(/^nbc-out-([a-z]+)$/)).find((it) => it);
    found[place[1] + '-' + place[2]] = { kind: kind ? kind[1] : '', ...describe(frame) };
  }
  return found;
};
"""


def text_of(value: object) -> str:
    if isinstance(value, list):
        return "".join(it for it in value if isinstance(it, str))
    return value if isinstance(value, str) else json.dumps(value)


def bundle_of(output: dict) -> dict:
    if "data" in output and isinstance(output["data"], dict):
        return output["data"]
    return {mime: output[old] for old, mime in OLD_NAMES.items() if old in output}


def is_hidden(cell: dict) -> bool:
    """Whether the author asks that outputs are not seen."""
    metadata = cell.get("metadata") or {}
    tags = metadata.get("tags") or []
    hidden = {"remove-output", "remove_output", "hide-output", "hide_output", "remove-cell", "remove_cell"}
    return bool(hidden.intersection(tags)) or (metadata.get("jupyter") or {}).get("outputs_hidden") is True


def outputs_of(notebook: dict) -> list[tuple[int, int | str, str, object]]:
    """Cell, place in the cell, kind and content; streams of one name that follow each other are one."""
    cells = notebook.get("cells") or [it for sheet in notebook.get("worksheets", []) for it in sheet.get("cells", [])]
    found = []
    for number, cell in enumerate(cells, 1):
        if is_hidden(cell):
            found += [(number, 0, "hidden", None) for _ in cell.get("outputs") or []]
            continue
        merged: list[tuple[str, object]] = []
        failed = False
        for output in cell.get("outputs") or []:
            kind = output.get("output_type")
            if kind == "stream":
                name = "stderr" if (output.get("name") or output.get("stream")) == "stderr" else "stdout"
                text = text_of(output.get("text", ""))
                if merged and merged[-1][0] == name:
                    merged[-1] = (name, str(merged[-1][1]) + text)
                else:
                    merged.append((name, text))
            elif kind in ("display_data", "execute_result", "pyout"):
                merged.append(("bundle", bundle_of(output)))
            elif kind in ("error", "pyerr"):
                failed = True
            else:
                found.append((number, 0, "unknown", kind))
        # An output that prints nothing but blanks has no place of its own.
        merged = [it for it in merged if it[0] == "bundle" or str(it[1]).strip()]
        found += [(number, at, kind, content) for at, (kind, content) in enumerate(merged, 1)]
        if failed:
            found.append((number, "failed", "error", None))
    return found


def terminal(text: str) -> str:
    """What a terminal without bounds holds in the end, without its blanks: a second opinion to nbc's."""
    rows: list[list[str]] = [[]]
    row = column = 0
    pattern = re.compile(r"\x1b\[([0-9;?]*)([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][A-Z0-9]|\x1b.|([\s\S])")
    for found in pattern.finditer(text.replace("\r\n", "\n")):
        numbers, final, plain = found.groups()
        count = int(numbers) if numbers and numbers.isdigit() else 1
        if final == "A":
            row = max(0, row - count)
        elif final == "B":
            row += count
        elif final == "C":
            column += count
        elif final == "D":
            column = max(0, column - count)
        elif final == "G":
            column = count - 1
        elif final == "K" and row < len(rows):
            mode = numbers or "0"
            rows[row] = {"0": rows[row][:column], "1": [" "] * column + rows[row][column:]}.get(mode, [])
        elif final == "J" and (numbers or "0") in "23":
            rows, row, column = [[]], 0, 0
        elif plain == "\n":
            row, column = row + 1, 0
        elif plain == "\r":
            column = 0
        elif plain == "\b":
            column = max(0, column - 1)
        elif plain and plain != "\x07":
            while len(rows) <= row:
                rows.append([])
            rows[row] += [" "] * (column - len(rows[row]))
            rows[row][column : column + 1] = [plain]
            column += 1
    return squeeze("\n".join("".join(it) for it in rows))


def squeeze(text: str) -> str:
    # Control characters have no picture, and NUL may not stand in HTML.
    return re.sub(r"[\s\x00-\x1f\x7f\ufffd]+", "", text)


HIDDEN = re.compile(r"0x…|…|~|(?:site|dist)-packages")


def same(wanted: str, given: str) -> bool:
    """Whether texts are the same but for what nbc hides: addresses in memory and the build machine's folders."""
    if wanted == given:
        return True
    at = 0
    pieces = HIDDEN.split(given)
    for number, piece in enumerate(pieces):
        found = wanted.find(piece, at, at + len(piece) + (160 if number else 0))
        if found < 0:
            return False
        at = found + len(piece)
    return len(pieces) > 1 and len(wanted) - at <= 160


def digest(text: str) -> str:
    text = text.split(",", 1)[1] if text.lstrip().startswith("data:") and "," in text else text
    text = re.sub(r"\s", "", text).rstrip("=")
    return hashlib.sha256(base64.b64decode(text + "=" * (-len(text) % 4))).hexdigest()


def same_bytes(given: str, shown: list[str]) -> bool:
    try:
        wanted = digest(given)
        return any(digest(it) == wanted for it in shown if it.startswith("data:"))
    except ValueError:
        return False


class Judge:
    def __init__(self, page: Page) -> None:
        self.page = page

    def describe(self, markup: str) -> dict:
        return self.page.evaluate("(text) => describeMarkup(text)", markup)

    def is_chart(self, shown: dict) -> str:
        states = [it["state"] for it in shown["charts"]]
        if states and all(it == "drawn" for it in states):
            return "richest"
        if shown["pictures"] or shown["drawings"] or any(it["picture"] for it in shown["charts"]):
            return "richest"
        return "box" if shown["notes"] else "no figure"

    def html(self, given: str, shown: dict) -> str | None:
        """`None` when the markup shows nothing without its scripts."""
        scripts = " ".join(re.findall(r"<script[^>]*>([\s\S]*?)</script", given))
        wanted = self.describe(given)
        if DRAWS.search(scripts):
            return self.is_chart(shown)
        if wanted["frames"] and not wanted["tables"] and len(wanted["text"]) < 80:
            return "link" if shown["links"] or shown["charts"] else "box" if shown["notes"] else "link" if any(it in shown["text"] for it in wanted["frames"] if it) else "an iframe without a link"
        pictures = [it["src"] for it in wanted["pictures"]]
        inside = [it for it in pictures if it.startswith("data:") and "svg" not in it[:20]]
        players = [it for it in wanted["media"] if it.startswith("data:")]
        if not any([wanted["text"], wanted["tables"], pictures, wanted["drawings"], wanted["media"], wanted["math"], wanted["controls"]]):
            return None
        if len(wanted["tables"]) != len(shown["tables"]):
            return f"{len(shown['tables'])} of {len(wanted['tables'])} tables"
        for one, other in zip(wanted["tables"], shown["tables"]):
            differing = [(a, b) for a, b in zip(one, other) if not same(" ".join(a), " ".join(b))][:1]
            if (len(one) != len(other) or differing) and not shown["math"]:
                return f"a table differs ({len(one)} rows, {len(other)} shown): {differing}"[:300]
        if any(not same_bytes(it, [at["src"] for at in shown["pictures"] if at["seen"]]) for it in inside):
            return "a picture in markup is not the same"
        if any(not same_bytes(it, shown["media"]) for it in players):
            return "a player does not have the same bytes"
        if sum(wanted["drawings"]) > sum(shown["drawings"]) and not any("svg" in it["src"][:20] for it in shown["pictures"]):
            return f"{sum(shown['drawings'])} of {sum(wanted['drawings'])} shapes of inline SVG"
        if not same(squeeze(wanted["text"]), squeeze(shown["text"])) and not shown["math"] and squeeze(wanted["text"]) not in squeeze(shown["text"]):
            return "its text differs: " + difference(squeeze(wanted["text"]), squeeze(shown["text"]))
        away = [it for it in pictures + wanted["media"] if it and not it.startswith("data:")]
        return "richest, without files that are elsewhere" if away else "richest"

    def one(self, mime: str, value: object, shown: dict) -> str | None:
        text = text_of(value)
        if mime == "text/html":
            return self.html(text, shown)
        if mime == "image/svg+xml":
            images = [it for it in shown["pictures"] if it["src"].startswith("data:image/svg+xml") and it["seen"]]
            if not images:
                return "no SVG image"
            wanted = sum(self.describe(re.sub(r"<\?xml[\s\S]*?\?>|<!DOCTYPE[^>]*>", "", text))["drawings"])
            drawn = sum(self.describe(base64.b64decode(images[0]["src"].split(",", 1)[1]).decode())["drawings"])
            return "richest" if wanted == drawn else f"{drawn} of {wanted} shapes"
        if mime.startswith("image/"):
            return "richest" if same_bytes(text, [it["src"] for it in shown["pictures"] if it["seen"]]) else "no image with these bytes"
        if mime.startswith(("audio/", "video/")):
            return "richest" if same_bytes(text, shown["media"]) else "no player with these bytes"
        if mime == "text/latex":
            return "richest" if shown["math"] and "$" not in shown["text"] else "no MathML"
        if mime == "text/markdown":
            plain = re.sub(r"```\w+|\$[^$]*\$|<[^>]*>|\(\S*\)|&\w+;|https?://\S*|\\\w+", " ", text)
            missing = [it for it in re.findall(r"\w{3,}", plain) if it not in shown["text"]]
            return "richest" if not missing else f"Markdown without {missing[:5]}"
        if mime in ("application/json", "application/geo+json", "application/vnd.dataresource+json"):
            missing = [it for it in leaves(json.loads(text)["data"] if "dataresource" in mime else json.loads(text)) if squeeze(it) not in shown["text"]]
            return "richest" if not missing else f"{mime} without {missing[:3]}"
        if mime == "application/pdf":
            return "richest" if any(it.startswith("data:application/pdf") for it in shown["links"]) else "no link to the PDF"
        if mime == "text/plain" or mime.startswith("text/"):
            wanted = terminal(text)
            if same(wanted, squeeze("".join(shown["pre"]))):
                return "richest"
            return "its text differs: " + difference(wanted, squeeze("".join(shown["pre"])))
        return f"nothing is known of {mime}"

    def widget(self, view: dict, models: dict, shown: dict) -> str | None:
        """`None` when its state is not in the notebook."""
        root = models.get(str(view.get("model_id")))
        if root is None:
            return None
        seen, waiting, wanted = set(), [str(view["model_id"])], []
        while waiting:
            name = waiting.pop()
            model = models.get(name)
            if model is None or name in seen:
                continue
            seen.add(name)
            state, kind = model.get("state", {}), str(model.get("model_name", "")).removesuffix("Model")
            layout = models.get(str(state.get("layout", "")).removeprefix("IPY_MODEL_"), {}).get("state", {})
            if layout.get("display") == "none" or layout.get("visibility") == "hidden":
                continue
            waiting += [str(it).removeprefix("IPY_MODEL_") for it in state.get("children") or []]
            if kind in ("HTML", "Label", "HTMLMath"):
                wanted.append(self.describe(str(state.get("value", "")))["text"])
            elif kind in ("IntProgress", "FloatProgress"):
                wanted.append(("progress:", state.get("value")))
            elif kind.endswith(("Box", "Layout", "Style", "Tab", "Accordion", "Output", "Image")):
                pass
            elif kind.endswith(("Slider", "Text", "Button", "Checkbox", "Dropdown", "Select", "Picker")):
                wanted.append(str(state.get("description", "")).replace(" ", ""))
            else:
                return f"box: widget {kind}"
        for it in wanted:
            if isinstance(it, tuple):
                if not any(at.startswith(it[0]) for at in shown["controls"]):
                    return "a widget without its progress bar"
            elif squeeze(it) not in squeeze(shown["text"]) and "$" not in it:
                return f"a widget without its text {it[:60]!r}"
        return "richest"

    def judge(self, kind: str, content: object, models: dict, shown: dict | None) -> tuple[str, str, str]:
        """The type that should be shown, the verdict, and why."""
        if kind == "hidden":
            return "(hidden by its author)", "blank", ""
        if kind == "error":
            return "error", "box" if shown else "nothing", "the cell failed: a box without the message, by design"
        if kind == "unknown":
            return f"output_type {content}", "nothing", "no output of nbformat"
        if kind in ("stdout", "stderr"):
            wanted = terminal(str(content))
            given = squeeze("".join(shown["pre"])) if shown else ""
            if not wanted and not given:
                return "stream", "blank", "shows nothing in a terminal"
            return ("stream", "richest", "") if same(wanted, given) else ("stream", "poorer" if shown else "nothing", difference(wanted, given))
        bundle = {mime.split(";")[0].strip().lower(): value for mime, value in content.items()}  # type: ignore[attr-defined]
        if not bundle:
            return "(no type)", "blank", ""
        empty = {"pictures": [], "tables": [], "media": [], "drawings": [], "controls": [], "links": [], "notes": [], "charts": [], "pre": [], "math": 0, "text": "", "frames": []}
        at = shown or empty
        if any(mime.startswith(LOADERS) for mime in bundle):
            return "(loads a library)", "blank", ""
        if any(mime.startswith(CHARTS) for mime in bundle):
            name = next(mime for mime in bundle if mime.startswith(CHARTS))
            script = text_of(bundle.get("application/javascript", "")) + text_of(bundle.get("text/html", ""))
            if "bokehjs" in name and not DRAWS.search(script):
                return name, "box" if at["notes"] else "nothing", "its data are not in the notebook"
            verdict = self.is_chart(at)
            return (name, verdict, "; ".join(at["notes"])) if verdict in ("richest", "box") else (name, "nothing", verdict)
        reasons = []
        if VIEW in bundle:
            verdict = self.widget(bundle[VIEW], models, at)
            if verdict == "richest":
                return VIEW, "richest", ""
            if verdict:
                return VIEW, "box" if verdict.startswith("box") else "poorer", verdict
            name = f"{VIEW}, no saved state"
            rest = [mime for mime in RICHEST_FIRST if mime in bundle]
            if not rest:
                return name, "box" if at["notes"] else "nothing", ""
            is_there = any(self.one(it, bundle[it], at) == "richest" for it in rest)
            return (name, "box and text", "") if is_there else (name, "poorer", "its text is not there")
        known = [mime for mime in RICHEST_FIRST if mime in bundle]
        others = sorted(mime for mime in bundle if mime not in known)
        should = known[0] if known else (others[0] if others else "")
        if len(others) and not known:
            text = next((it for it in others if it.startswith("text/")), None)
            if text:
                known = [text]
            else:
                return should, "poorer" if at["text"] and not at["notes"] else "box" if at["notes"] else "nothing", "an unknown type"
        if "application/javascript" in bundle and not any(it.startswith("image/") or it == "text/html" for it in bundle):
            return "application/javascript", "box" if at["notes"] else "nothing", "JavaScript is not run"
        for place, mime in enumerate(known):
            value = bundle[mime]
            if mime == "text/plain" and place and BARE_OBJECT.match(text_of(value).strip()):
                # `<IPython.core.display.HTML object>` says nothing.
                continue
            verdict = self.one(mime, value, at)
            if verdict is None:
                should = known[place + 1] if len(known) > place + 1 else "text/html (script only)"
                continue
            if verdict.startswith("richest"):
                return should, "poorer" if reasons else verdict, "; ".join(reasons)
            if verdict == "link":
                return "text/html (iframe)", "link", ""
            if verdict == "box":
                return mime + " (chart)", "box", "; ".join(at["notes"])
            reasons.append(f"{mime}: {verdict}")
        if not reasons:
            html = text_of(bundle.get("text/html", ""))
            if not at["text"] and not at["notes"] and "<script" in html:
                return "(loads a library)", "blank", ""
            if not self.describe(html)["text"] and "<script" not in html:
                return "(nothing to see)", "blank" if not at["text"] else "poorer", "text where there is nothing"
            return "text/html (script only)", "box" if at["notes"] else "poorer", "; ".join(at["notes"]) or "shows " + at["text"][:60]
        return should, "box" if at["notes"] else "nothing" if shown is None else "poorer", "; ".join(reasons)


def leaves(value: object) -> list[str]:
    if isinstance(value, dict):
        return [it for one in value.values() for it in leaves(one)]
    if isinstance(value, list):
        return [it for one in value for it in leaves(one)]
    return [value] if isinstance(value, str) else []


def difference(wanted: str, given: str) -> str:
    at = next((n for n, (a, b) in enumerate(zip(wanted, given)) if a != b), min(len(wanted), len(given)))
    return f"at {at} of {len(wanted)}: {wanted[max(0, at - 20) : at + 40]!r} is {given[max(0, at - 20) : at + 40]!r}"


def build(nbc: str, notebook: pathlib.Path, folder: pathlib.Path) -> pathlib.Path | None:
    out = folder / hashlib.sha256(str(notebook).encode()).hexdigest()[:12]
    done = subprocess.run([nbc, "build", "--execute", "never", "--allow-errors", "--layout", "single", str(notebook), "--output", str(out)], capture_output=True, text=True)
    pages = [it for it in out.glob("*.html")] if out.exists() else []
    if not pages:
        print(f"{notebook.name}: not built: {done.stderr.strip().splitlines()[:1]}", file=sys.stderr)
        return None
    return pages[0]


def main() -> None:
    nbc, source = sys.argv[1], pathlib.Path(sys.argv[2])
    report = open(sys.argv[3], "w") if len(sys.argv) > 3 else None
    notebooks = sorted(source.rglob("*.ipynb")) if source.is_dir() else [source]
    table: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    elsewhere = judged = 0
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright, concurrent.futures.ThreadPoolExecutor(2) as pool:
        pages = list(pool.map(lambda it: build(nbc, it, pathlib.Path(folder)), notebooks))
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"])
        # The page's own policy stands; only the judge's script is let in.
        context = browser.new_context(bypass_csp=True, viewport={"width": 1280, "height": 900})
        context.add_init_script(DESCRIBE)
        blank = context.new_page()
        blank.goto("about:blank")
        judge = Judge(blank)
        for notebook, built in zip(notebooks, pages):
            content = json.loads(notebook.read_text(encoding="utf-8", errors="replace"))
            outputs = outputs_of(content)
            if built is None or not outputs:
                table["(page not built)"]["nothing"] += len(outputs)
                continue
            judged += 1
            metadata = content.get("metadata")
            widgets = metadata.get("widgets", {}) if isinstance(metadata, dict) else {}
            models = widgets.get(STATE, {}).get("state", {}) if isinstance(widgets.get(STATE, {}), dict) else {}
            shown = look(context, built)
            for cell, place, kind, value in outputs:
                at = shown.get(f"{cell}-{place}")
                try:
                    name, verdict, why = judge.judge(kind, value, models, at)
                except Exception as problem:  # noqa: BLE001 - a judge that stumbles is a finding too
                    name, verdict, why = "(not judged)", "poorer", repr(problem)[:200]
                if verdict == "richest, without files that are elsewhere":
                    elsewhere, verdict = elsewhere + 1, "richest"
                table[name][verdict] += 1
                if report and verdict not in ("richest", "blank"):
                    print(f"{verdict}\t{name}\t{notebook.name}\tcell {cell}, output {place}\t{why}", file=report, flush=True)
    summary(table, judged, elsewhere)


def look(context, built: pathlib.Path) -> dict:
    """What the page shows, once all its charts that are live are drawn or have failed."""
    page = context.new_page()
    page.goto(built.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((it) => { it.open = true })")
    # Charts are drawn when they come near the screen.
    count = page.locator("figure.nbc-chart").count()
    for number in range(count):
        page.evaluate("(n) => document.querySelectorAll('figure.nbc-chart')[n].scrollIntoView({ behavior: 'instant' })", number)
        # A chart that is not drawn is judged like any other.
        for _ in range(400):
            if page.evaluate("(n) => document.querySelectorAll('figure.nbc-chart')[n].dataset.state", number):
                break
            page.wait_for_timeout(20)
    page.evaluate("Promise.all([...document.images].map((it) => it.decode().catch(() => 0)))")
    shown = page.evaluate("() => describePage()")
    page.close()
    return shown


VERDICTS = ["richest", "box and text", "link", "poorer", "box", "nothing", "blank"]


def summary(table: dict[str, collections.Counter], notebooks: int, elsewhere: int) -> None:
    total: collections.Counter = collections.Counter()
    print("| richest type | " + " | ".join(VERDICTS) + " |\n|---|" + "---:|" * len(VERDICTS))
    for name, counts in sorted(table.items(), key=lambda it: -sum(it[1].values())):
        total.update(counts)
        print(f"| `{name}` | " + " | ".join(str(counts[it] or "") for it in VERDICTS) + " |")
    print("| all | " + " | ".join(str(total[it]) for it in VERDICTS) + " |")
    something = sum(total.values()) - total["blank"]
    errors = sum(table["error"].values())
    print(f"\n{notebooks} notebooks, {something} outputs that show something, {errors} of them errors.")
    print(f"Shown by their richest safe representation: {total['richest']} of {something - errors} without errors,", end=" ")
    print(f"{100 * total['richest'] / max(1, something - errors):.2f} %; {elsewhere} of them refer to files elsewhere, which are not fetched.")


if __name__ == "__main__":
    main()
