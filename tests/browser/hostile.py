"""Builds notebooks that attack their readers, and opens them in real Chromium.

    python tests/browser/hostile.py target/release/nbc [FOLDER]

The payloads are those of `tests/hostile/cases/` and `tests/hostile/payloads/` (one a line; `RUN` stands
for JavaScript, `EVIL` for an address), as outputs of every type, in every attribute of marimo's elements,
in figures of every chart library, in titles, names and metadata. The notebooks are built as single files,
which are opened from disk, and as a site, which is opened from a loopback server. Nothing may happen: no
script of a notebook, no dialog, no request, no navigation, no violation of the policy, nothing on the
console; and the page's own controls stay where they are, uncovered, and work.
"""

from __future__ import annotations

import html
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from playwright.sync_api import Browser, Page
from support import Watch, check, chromium, pages_of, served, summary, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
CODE = "alert(window.__pwned=document.title='pwned')"
ADDRESS = "https://evil.invalid/x"
PER_PAGE = 40


def filled(text: str) -> str:
    return text.replace("RUN", CODE).replace("EVIL", ADDRESS)


def payloads(name: str) -> list[str]:
    lines = (ROOT / "tests/hostile/payloads" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    lines = [filled(line) for line in lines]
    if name == "latex":
        return lines
    for escape, character in {"\\n": "\n", "\\0": "\0", "\\u202e": "\u202e", "\\u2028": "\u2028"}.items():
        lines = [line.replace(escape, character) for line in lines]
    return lines


def cases(name: str) -> list[str]:
    return (ROOT / "tests/hostile/cases" / name).read_text(encoding="utf-8").split("\n----\n")


# Attributes of each of marimo's elements, as JSON with `P` where text of the notebook stands.
TEXT = '"P"'
LABELS = '["P", "b"]'
ROWS = json.dumps(json.dumps([{"P": "P", "b": 1}, {"P": "text/html:P", "b": "P"}]))
ELEMENTS: dict[str, dict[str, str]] = {
    "slider": {"initial-value": "1", "start": TEXT, "stop": "3", "label": TEXT, "orientation": TEXT},
    "range-slider": {"initial-value": '["P", 2]', "steps": LABELS, "label": TEXT},
    "dropdown": {"initial-value": LABELS, "options": LABELS, "label": TEXT},
    "multiselect": {"initial-value": LABELS, "options": LABELS, "label": TEXT},
    "radio": {"initial-value": TEXT, "options": LABELS, "label": TEXT},
    "checkbox": {"initial-value": "true", "label": TEXT},
    "switch": {"initial-value": TEXT, "label": TEXT},
    "number": {"initial-value": TEXT, "start": TEXT, "step": TEXT, "label": TEXT},
    "text": {"initial-value": TEXT, "placeholder": TEXT, "kind": TEXT, "label": TEXT},
    "text-area": {"initial-value": TEXT, "placeholder": TEXT, "label": TEXT},
    "code-editor": {"initial-value": TEXT, "language": TEXT, "label": TEXT},
    "date": {"initial-value": TEXT, "start": TEXT, "label": TEXT},
    "datetime": {"initial-value": TEXT, "label": TEXT},
    "date-range": {"initial-value": LABELS, "label": TEXT},
    "button": {"initial-value": "0", "kind": TEXT, "label": TEXT},
    "tabs": {"initial-value": TEXT, "tabs": LABELS, "label": TEXT},
    "table": {"data": ROWS, "total-rows": TEXT, "total-columns": "2", "field-types": '[["P", ["string", "P"]]]', "label": TEXT},
    "dataframe": {"columns": '[["P", "P", "P"]]', "total": "2", "label": TEXT},
    "data-editor": {"data": TEXT, "label": TEXT},
    "data-explorer": {"data": TEXT, "label": TEXT},
    "array": {"label": TEXT},
    "dict": {"element-ids": '{"P": "P"}', "label": TEXT},
    "batch": {"initial-value": '{"P": "P"}', "label": TEXT},
    "form": {"element-id": TEXT, "submit-button-label": TEXT, "label": TEXT},
    "plotly": {"figure": '{"data": [{"type": "bar", "x": ["P"], "y": [1], "name": "P", "hovertemplate": "P"}], "layout": {"title": {"text": "P"}}}', "config": '{"plotlyServerURL": "P"}', "label": TEXT},
    "vega": {"spec": '{"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "title": "P", "data": {"values": [{"P": "P", "b": 1}]}, "mark": {"type": "bar", "tooltip": true}, "encoding": {"x": {"field": "b", "title": "P"}, "href": {"value": "P"}}}', "label": TEXT},
    "file": {"filetypes": LABELS, "kind": TEXT, "label": TEXT},
    "file-browser": {"initial-path": TEXT, "label": TEXT},
    "refresh": {"options": LABELS, "default-interval": TEXT, "label": TEXT},
    "matrix": {"initial-value": '[["P"]]', "row-labels": LABELS, "column-labels": LABELS, "label": TEXT},
    "chatbot": {"initial-value": '[{"role": "P", "content": "P", "parts": [{"type": "text", "text": "P"}]}]', "prompts": LABELS},
    "microphone": {"label": TEXT},
    "download": {"data": TEXT, "filename": TEXT, "label": TEXT},
    "lazy": {"initial-value": TEXT, "show-loading-indicator": "true"},
    "routes": {"routes": LABELS},
    "accordion": {"labels": LABELS, "multiple": "true", "expanded": '["P", 0]'},
    "callout-output": {"html": TEXT, "kind": TEXT},
    "stat": {"value": TEXT, "label": TEXT, "caption": TEXT, "direction": TEXT},
    "carousel": {"index": TEXT, "height": TEXT},
    "json-output": {"json-data": '{"P": ["text/html:P", "text/markdown:P", "image/png:P", "video/mp4:P", "P"], "text/plain+int:P": "application/x-P:P"}', "value-types": TEXT},
    "mermaid": {"diagram": json.dumps('graph TD; A["P"]-->B; click A "P"')},
    "tex": {"x": TEXT},
    "nav-menu": {"items": '[{"href": "P", "label": "P", "description": "P", "items": [{"href": "P", "label": "P"}]}]', "orientation": TEXT},
    "sidebar": {"width": TEXT, "footer": TEXT},
    "outline": {"label": TEXT},
    "progress": {"title": TEXT, "subtitle": TEXT, "progress": TEXT, "total": "2"},
    "anywidget": {"js-url": TEXT, "css": TEXT, "initial-value": '{"P": "P"}', "label": TEXT},
    "panel": {"docs-json": '{"P": {}}', "render-json": '{"P": "P"}', "label": TEXT},
    "mpl-interactive": {"initial-value": TEXT, "label": TEXT},
    "iframe": {"src": TEXT},
    "speech": {"text": TEXT, "label": TEXT},
    "pdf": {"src": TEXT, "label": TEXT},
    "image-comparison": {"before-src": TEXT, "after-src": TEXT, "label": TEXT},
    "inspector": {"data": TEXT},
    "error": {"errors": '[{"type": "P", "msg": "P"}]'},
    "P": {"P": TEXT},
}


def elements() -> Iterator[str]:
    texts = payloads("texts")
    for name, attributes in ELEMENTS.items():
        for start in range(0, len(texts), 5):
            yield "\n".join(element(name, attributes, text) for text in texts[start : start + 5])


def element(name: str, attributes: dict[str, str], text: str) -> str:
    """As marimo writes it, and as marimo would never write it."""
    if name == "P":
        return f"<marimo-{text} data-{text}={text}>{text}</marimo-{text}>"
    inside = json.dumps(text, ensure_ascii=False)[1:-1]
    # The text of a table is JSON in JSON.
    inside = {"table": json.dumps(inside)[1:-1]}.get(name, inside)
    values = (f"data-{attribute}='{html.escape(value.replace('P', inside))}'" for attribute, value in attributes.items())
    children = f"<div data-kind='tab'>{text}</div>"
    raw = f"<marimo-{name} {' '.join(f'data-{it}={json.dumps(text)}' for it in attributes)}>{text}</marimo-{name}>"
    return f"<marimo-ui-element object-id='{html.escape(text)}'><marimo-{name} {' '.join(values)}>{children}</marimo-{name}></marimo-ui-element>{raw}"


def charts() -> Iterator[dict[str, object]]:
    """Figures of each library, with a payload in each place that a library might show or follow."""
    lite = "application/vnd.vegalite.v5+json"
    for text in [*payloads("texts"), ADDRESS]:
        yield {
            "application/vnd.plotly.v1+json": {
                "data": [{"type": "scatter", "mode": "markers+text", "x": [text, "b"], "y": [1, 2], "name": text, "text": [text, "b"], "customdata": [text], "hovertext": text, "hovertemplate": text + "%{x}<extra>" + text + "</extra>", "meta": text, "uid": text}],
                "layout": {"title": {"text": text, "subtitle": {"text": text}}, "xaxis": {"title": {"text": f"<a href='{text}'>x</a>"}, "ticktext": [text], "tickvals": [0]}, "annotations": [{"text": text, "showarrow": False, "hovertext": text}], "images": [{"source": text, "x": 0, "y": 1, "sizex": 1, "sizey": 1}], "font": {"family": text}, "updatemenus": [{"buttons": [{"label": text, "method": "relayout", "args": ["title.text", text]}]}], "sliders": [{"steps": [{"label": text, "method": "skip"}]}], "modebar": {"add": [text]}, "template": {"layout": {"images": [{"source": ADDRESS}]}}},
                "config": {"plotlyServerURL": text, "showSendToCloud": True, "displaylogo": True, "modeBarButtonsToAdd": [text], "mapboxAccessToken": text, "topojsonURL": text, "editable": True},
                "frames": [{"name": text, "data": [{"text": [text]}]}],
            }
        }
        yield {
            lite: {
                "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
                "title": {"text": text, "subtitle": [text]},
                "data": {"values": [{"a": text, "b": 1, "u": text, text: text}, {"a": "b", "b": 2, "u": ADDRESS}]},
                "transform": [{"calculate": "datum.b * 2", "as": text}],
                "mark": {"type": "point", "tooltip": {"content": "data"}, "size": 900, "href": text, "cursor": f"url({text})", "description": text},
                "encoding": {"x": {"field": "a", "type": "nominal", "title": text}, "y": {"field": "b", "type": "quantitative", "axis": {"labelExpr": "datum.label", "labelFont": text}}, "href": {"field": "u"}, "tooltip": [{"field": "a", "title": text}, {"field": "u"}], "url": {"field": "u"}, "color": {"field": "a", "legend": {"title": text}}},
                "usermeta": {"embedOptions": {"loader": {"baseURL": text}, "actions": True, "sourceHeader": text, "patch": text}},
                "config": {"font": text},
            }
        }
        yield {
            "application/vnd.vega.v5+json": {
                "$schema": "https://vega.github.io/schema/vega/v5.json",
                "width": 99,
                "height": 99,
                "title": text,
                "signals": [{"name": "s", "value": text, "bind": {"input": "select", "options": [text], "name": text}}],
                "data": [{"name": "t", "values": [{"a": text}]}],
                "marks": [{"type": "symbol", "from": {"data": "t"}, "encode": {"enter": {"x": {"value": 20}, "y": {"value": 20}, "size": {"value": 2000}, "tooltip": {"field": "a"}, "href": {"field": "a"}, "cursor": {"value": f"url({text})"}, "fill": {"value": f"url({text})"}}}}, {"type": "text", "encode": {"enter": {"text": {"value": text}, "font": {"value": text}}}}],
            }
        }
    # Expressions and addresses that reach out or would run code, in each library's own words.
    for expression in ("alert(1)", "this.constructor.constructor('return alert')()()", "event.view.alert(1)", "datum['constructor']['constructor']('alert(1)')()", "[1].map.call.constructor('alert(1)')()"):
        yield {lite: {"data": {"values": [{"a": 1}]}, "mark": "point", "transform": [{"calculate": expression, "as": "b"}], "params": [{"name": "p", "expr": expression}], "encoding": {"x": {"field": "b"}}}}
    for data in ({"url": ADDRESS}, {"url": "javascript:" + CODE}, {"name": "x"}, {"sequence": {"start": 0, "stop": 1e8}}):
        yield {lite: {"data": data, "mark": {"type": "image", "url": ADDRESS}, "encoding": {"url": {"value": ADDRESS}, "x": {"field": "a"}}}}
    for kind in ("choropleth", "scattergeo", "scattermapbox", "densitymap", "image", "table", "indicator", "sunburst"):
        text = f'<b onclick="{CODE}">a</b><img src=x onerror={CODE}><a href="javascript:{CODE}" target=_blank style="position:fixed;inset:0">a</a>'
        trace = {"type": kind, "locations": ["FRA"], "z": [[[1, 2, 3]]], "source": ADDRESS, "labels": [text], "parents": [""], "values": [1], "value": 1, "title": {"text": text}, "header": {"values": [text]}, "cells": {"values": [[text]]}, "lat": [1], "lon": [1], "text": [text]}
        yield {"application/vnd.plotly.v1+json": {"data": [trace], "layout": {"mapbox": {"style": ADDRESS, "accesstoken": "x"}, "geo": {"resolution": 50}, "title": {"text": text}}}}
    for text in payloads("texts"):
        yield {"text/html": bokeh(text)}


def bokeh(text: str) -> str:
    def of(name: str, number: int, **attributes: object) -> dict[str, object]:
        return {"type": "object", "name": name, "id": f"p{number}", "attributes": attributes}

    code = of("CustomJS", 30, code=CODE, args={"type": "map", "entries": []})
    source = of("ColumnDataSource", 3, selected=of("Selection", 4, indices=[]), selection_policy=of("UnionRenderers", 5), data={"type": "map", "entries": [["x", [1, 2]], ["y", [1, 2]], [text, [text, text]]]})
    glyph = of("Scatter", 6, x={"type": "field", "field": "x"}, y={"type": "field", "field": "y"}, size={"type": "value", "value": 30})
    figure = of(
        "Figure",
        1,
        width=300,
        height=200,
        x_range=of("Range1d", 7, start=0, end=3),
        y_range=of("Range1d", 8, start=0, end=3),
        x_scale=of("LinearScale", 9),
        y_scale=of("LinearScale", 10),
        title=of("Title", 2, text=text),
        renderers=[of("GlyphRenderer", 11, data_source=source, view=of("CDSView", 12, filter=of("AllIndices", 13)), glyph=glyph)],
        toolbar=of("Toolbar", 14, tools=[of("HoverTool", 15, renderers="auto", tooltips=[[text, f"@{{{text}}}{{safe}}"], ["a", text]]), of("TapTool", 16, renderers="auto", callback=of("OpenURL", 17, url="javascript:" + CODE))]),
        below=[of("LinearAxis", 18, axis_label=text, ticker=of("BasicTicker", 19), formatter=of("CustomJSTickFormatter", 20, code=CODE), major_label_policy=of("AllLabels", 21))],
        js_event_callbacks={"type": "map", "entries": [["tap", [code]], ["document_ready", [code]]]},
    )
    column = of("Column", 40, children=[figure, of("Div", 41, text=text, disable_math=True, stylesheets=[f"@import '{ADDRESS}'; *{{position:fixed}}", of("ImportedStyleSheet", 42, url=ADDRESS)]), of("Button", 43, label=text), of("PreText", 44, text=text)])
    documents = json.dumps({"d": {"version": "3.9.2", "title": text, "roots": [column]}}).replace("<", "\\u003c")
    return f'<div id="x" data-root-id="p40"></div><script type="text/javascript">(function(root){{const docs_json = {documents};const render_items = [{{"docid":"d","roots":{{"p40":"x"}},"root_ids":["p40"]}}];root.Bokeh.embed.embed_items_notebook(docs_json, render_items);}})(window);</script>'


def bundles() -> Iterator[dict[str, object]]:
    """Every type that nbc shows, with what is hostile in it, and a few that it does not."""
    texts = payloads("texts")
    for text in [*payloads("html"), *cases("elements.html"), *cases("marimo.html"), *cases("mutation.html"), *cases("style.html"), *cases("inline-svg.html")]:
        yield {"text/html": text}
    for text in payloads("svg"):
        figure = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="99" height="99">{text}</svg>'
        yield {"image/svg+xml": figure}
        yield {"text/html": figure}
    for text in payloads("markdown"):
        yield {"text/markdown": text}
    for text in payloads("latex"):
        yield {"text/latex": text if text.startswith("$") else f"${text}$"}
    for text in texts:
        yield {"application/json": {text: [text, {text: text}], "__proto__": {"a": text}}}
        yield {"application/geo+json": {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"name": text, text: text}, "geometry": {"type": "Point", "coordinates": [1, text]}}]}}
        yield {"application/vnd.jupyter.widget-view+json": {"model_id": text, "version_major": 2}, "text/plain": text}
        yield {f"application/vnd.{text}+json": {"a": text}}
        yield {f"x/{text}": text, "text/plain": text}
        yield {"application/javascript": f"{CODE};'{text}'", "text/html": text, "text/plain": text}
        yield {"image/png": text, "image/jpeg": text, "image/gif": f"data:{text}", "text/plain": text}
        yield {"application/pdf": text}
        yield {"audio/wav": text, "video/mp4": text}
        yield {"application/vnd.marimo+mimebundle": json.dumps({"image/png": text, "text/html": text, "__metadata__": {"image/png": {"width": text}}})}
        yield {"application/vnd.marimo+error": [{"type": text, "msg": text}]}
        yield {"application/vnd.dataresource+json": {"schema": {"fields": [{"name": text, "type": text}]}, "data": [{text: text}]}}
        yield {"text/html": f"<table border='1' class='dataframe'><thead><tr><th>{text}</th></tr></thead><tr><td title='{html.escape(text)}'>{text}</td></tr></table>"}
        yield {"text/plain": text}
    for text in elements():
        yield {"text/html": text}


def stored(outputs: list[dict[str, object]], title: str, widgets: str) -> dict[str, object]:
    """A notebook that holds its outputs; everything that has a name has a hostile one."""
    metadata = {"width": title, "height": title, "needs_background": title, "isolated": title, "alt": title}
    cells: list[dict[str, object]] = [{"cell_type": "markdown", "id": "title", "metadata": {"name": title}, "source": f"# {title}\n\n{title}", "attachments": {title: {"image/png": title}}}]
    for number, data in enumerate(outputs):
        made: list[dict[str, object]] = [{"output_type": "display_data", "data": data, "metadata": {key: metadata for key in data}}]
        if number % 8 == 0:
            made.append({"output_type": "stream", "name": "stdout", "text": f"\x1b[31m{title}\x1b]8;;javascript:{CODE}\x07{title}\x1b]8;;\x07\x1b]0;{title}\x07\x1b[999C\r{title}\n"})
        cells.append({"cell_type": "code", "id": f"c{number}", "metadata": {"name": title, "tags": [title], "jupyter": {"source_hidden": True}}, "execution_count": 1, "source": f"# {title}\nx = {title!r}", "outputs": made})
    state = {"state": {widgets: {"model_name": "HTMLModel", "model_module": "@jupyter-widgets/controls", "model_module_version": "2.0.0", "state": {"value": title, "description": title, "_dom_classes": [title], "layout": f"IPY_MODEL_{title}"}}}, "version_major": 2, "version_minor": 0}
    language = {"name": "python", "version": title, "codemirror_mode": {"name": title}, "file_extension": title, "pygments_lexer": title}
    return {"cells": cells, "metadata": {"title": title, "authors": [{"name": title}], "date": title, "lang": title, "description": title, "kernelspec": {"name": "python3", "display_name": title, "language": "python"}, "language_info": language, "widgets": {"application/vnd.jupyter.widget-state+json": state}}, "nbformat": 4, "nbformat_minor": 5}


EXECUTED = '''import marimo

app = marimo.App(app_title={title!r}, layout_file={title!r})


@app.cell
def __proto__():
    import json

    import marimo as mo
    import pandas as pd

    texts = json.loads({texts!r})
    return mo, pd, texts


@app.cell
def constructor(mo, texts):
    mo.vstack([mo.Html(text) for text in texts] + [mo.md(text) for text in texts])
    return


@app.cell
def content(mo, pd, texts):
    frame = pd.DataFrame([texts, texts], columns=texts, index=texts[:2])
    mo.vstack([frame, mo.ui.table(frame), mo.accordion({{text: text for text in texts}}), mo.ui.tabs({{text: mo.md(text) for text in texts}})])
    return (frame,)


@app.cell
def _(frame):
    frame.style.set_caption(str(list(frame.columns))).set_table_attributes("onclick=alert(1)").set_uuid("x onclick=alert(1)")
    return


@app.cell
def _(mo, texts):
    mo.vstack([mo.vstack([mo.ui.slider(1, 3, label=text), mo.ui.dropdown([text, "b"], value=text, label=text), mo.ui.text(text, placeholder=text, label=text), mo.ui.button(label=text), mo.callout(text, kind="warn"), mo.stat(text, label=text, caption=text), mo.download(b"x", filename=text, label=text)]) for text in texts])
    return


@app.cell
def _(mo, texts):
    for _text in texts:
        print(_text)
    mo.hstack([mo.tree({{text: [text] for text in texts}}), mo.nav_menu({{"#" + str(n): text for n, text in enumerate(texts)}}), mo.carousel(texts), mo.mermaid(f"graph TD; A[{{texts[1]!r}}]-->B")])
    return


@app.cell
def _(mo, texts):
    class Shown:
        def _repr_html_(self):
            return "".join(texts)

        def _repr_mimebundle_(self, *_a, **_b):
            return {{"text/html": "".join(texts), texts[0]: texts[0]}}

    Shown()
    return


if __name__ == "__main__":
    app.run()
'''


def write(folder: pathlib.Path) -> int:
    texts = payloads("texts")
    shown, figures = list(bundles()), list(charts())
    # Charts take time to draw.
    groups = [shown[at : at + PER_PAGE] for at in range(0, len(shown), PER_PAGE)]
    groups += [figures[at : at + 20] for at in range(0, len(figures), 20)]
    for number, group in enumerate(groups):
        title = texts[number % len(texts)]
        # A name is a name: whatever a file system takes.
        name = f"{number:02} {title}".replace("/", "∕").replace("\0", "").replace("\n", " ")[:60].strip()
        (folder / f"{name}.ipynb").write_text(json.dumps(stored(group, title, texts[-1 - number % 3])), encoding="utf-8")
    (folder / "executed.py").write_text(EXECUTED.format(title=texts[1], texts=json.dumps(texts)), encoding="utf-8")
    return len(shown) + len(figures)


# Whether a control of the page is what a reader meets at its place, and is still nbc's.
INTERFACE = """() => {
  const found = [];
  scrollTo(0, 0);
  const controls = document.querySelectorAll('body > header.bar a, body > header.bar button:not([hidden])');
  for (const control of controls) {
    const box = control.getBoundingClientRect();
    const at = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    if (!control.contains(at)) found.push(`${control.outerHTML.slice(0, 80)} is covered by ${at?.outerHTML.slice(0, 160)}`);
  }
  if (controls.length === 0) found.push('no controls');
  if (document.getElementById('content')?.tagName !== 'MAIN') found.push('#content is not the page');
  for (const name of ['body', 'head', 'title', 'documentElement', 'querySelector', 'createElement', 'cookie', 'forms']) {
    const plain = Object.getOwnPropertyDescriptor(Document.prototype, name) ?? {};
    const now = document[name];
    if (Object.hasOwn(document, name) || plain.value && now !== plain.value) found.push(`document.${name} is clobbered`);
  }
  for (const element of document.querySelectorAll('main [id], main [name]')) {
    const id = element.id || element.getAttribute('name');
    if (!/^(o-|c|cell|nbc-|fn|[0-9])/.test(id) && id in window.__clean) found.push(`the id ${id} meets a name of the page`);
  }
  if (window.__pwned) found.push('a script of the notebook ran');
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth) found.push('the page scrolls sideways');
  return found;
}"""


def open_page(browser: Browser, url: str, allowed: str, name: str) -> None:
    made = browser.new_context(viewport={"width": 1100, "height": 800})
    page = made.new_page()
    watch = Watch(page, allowed)
    page.add_init_script("window.__clean = Object.fromEntries(Object.getOwnPropertyNames(window).concat('content', 'nbc-theme', '__proto__', 'constructor').map((it) => [it, 1]));")
    page.goto(url, wait_until="load")
    title = page.title()
    check(page.evaluate(INTERFACE) == [], f"{name}: {page.evaluate(INTERFACE)[:3]}")
    hover(page)
    # A reader clicks what can be clicked, but for links that say that they lead elsewhere.
    page.evaluate(
        "for (const it of document.querySelectorAll('main summary, main button, main input, main label')) it.click();"
        "for (const it of document.querySelectorAll('main a[href^=\"#\"], nav.outline a')) it.click();"
    )
    try:
        page.locator("body > header.bar button:visible").last.click(timeout=3000)
    except Exception as error:
        check(False, f"{name}: the page's own button can't be clicked: {str(error)[:200]}")
    schemes = page.evaluate(
        "Array.from(document.querySelectorAll('main a'), (it) => {"
        " const href = it.getAttribute('href') ?? it.getAttribute('xlink:href') ?? '';"
        " return URL.canParse(href, document.baseURI) ? new URL(href, document.baseURI).protocol : ''; })"
    )
    strange = set(schemes) - {"http:", "https:", "mailto:", "file:", "data:", ""}
    check(not strange, f"{name}: links with the schemes {strange}")
    check(page.evaluate(INTERFACE) == [], f"{name}, after use: {page.evaluate(INTERFACE)[:3]}")
    check(page.title() == title, f"{name}: the title became {page.title()!r}")
    # Messages about drawing on a canvas are nobody's fault; libraries hand pictures to themselves as blobs.
    watch.seen = [it for it in watch.seen if not it.startswith("request: blob:") and "Canvas2D" not in it and "GL Driver" not in it and "WebGL" not in it]
    watch.report(page, name)
    check(page.url.split("#")[0] == url, f"{name}: the page navigated to {page.url}")
    made.close()


def hover(page: Page) -> None:
    """Brings each chart into view, so that it is drawn, and moves the mouse over it."""
    figures = page.locator("figure[data-chart]")
    for index in range(figures.count()):
        figure = figures.nth(index)
        if not figure.is_visible():
            continue
        figure.scroll_into_view_if_needed(timeout=5000)
        # One that its library refuses to draw stays a picture.
        until(page, "(it) => it.querySelector('canvas, svg.main-svg, svg.marks, .bk-Figure') !== null || it.dataset.state === 'still'", figure.element_handle(), 1.5)
        box = figure.bounding_box()
        if box:
            for part in (0.15, 0.3, 0.5, 0.7, 0.85):
                page.mouse.move(box["x"] + box["width"] * part, box["y"] + min(box["height"], 600) * part)


def build(nbc: str, folder: pathlib.Path, out: pathlib.Path, layout: str) -> None:
    command = [nbc, "build", str(folder), "--output", str(out), "--layout", layout, "--python", sys.executable, "--allow-errors", "--keep-going", "--format", "concise"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})
    check(done.returncode == 0, f"the hostile notebooks were not built: {done.stderr[-800:]}")
    verified = subprocess.run([nbc, "verify", str(out)], capture_output=True, text=True)
    check(verified.returncode == 0, f"nbc verify refuses the hostile pages: {verified.stdout[-800:]}")


def main() -> int:
    nbc = str(pathlib.Path(sys.argv[1]).resolve())
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary, chromium() as browser:
        root = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else temporary)
        notebooks = root / "notebooks"
        notebooks.mkdir(parents=True, exist_ok=True)
        outputs = write(notebooks)
        count = len(list(notebooks.iterdir()))
        for layout in ("single", "site"):
            out = root / layout
            build(nbc, notebooks, out, layout)
            pages = [it for it in pages_of(out) if it != "404.html"]
            check(len(pages) >= count, f"{len(pages)} pages of {count} notebooks ({layout})")
            print(f"{layout}: {len(pages)} pages, {outputs} outputs, built after {time.monotonic() - start:.0f} s", flush=True)
            with served(out, "/project") as base:
                for page in pages:
                    path = out / page
                    url = path.as_uri() if layout == "single" else base + path.as_uri().removeprefix(out.as_uri() + "/")
                    open_page(browser, url, url if layout == "single" else base, f"{layout}/{page}")
    return summary()


if __name__ == "__main__":
    raise SystemExit(main())
