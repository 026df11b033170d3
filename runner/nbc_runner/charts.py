"""Pictures of Vega charts, for pages that cannot run Vega, made by vl-convert if it is there.

nbc runs this file also by itself, before `src/environment/draw.py`, for charts that a notebook stores.
"""

from __future__ import annotations

import html
import json
import re
import sys
from typing import Any

VEGA = re.compile(r"application/vnd\.(vega|vegalite)\.v(\d+)(?:\.[\d.]+)?[+.]json$")
CHART_ELEMENT = re.compile(r"<marimo-(?:vega|mime-renderer)\b([^>]*)>")
ATTRIBUTE = re.compile(r"""data-(spec|mime|data)=(?:'([^']*)'|"([^"]*)")""")
SCHEMA = re.compile(r"/schema/(vega|vega-lite)/v(\d+)")


def pictures(markup: str) -> list[str | None] | None:
    """Pictures of marimo's chart elements; `None` when there are none of them."""
    found: list[str | None] = []
    for element in CHART_ELEMENT.finditer(markup):
        values = {}
        for name, single, double in ATTRIBUTE.findall(element[1]):
            try:
                values[name] = json.loads(html.unescape(single or double))
            except ValueError:
                continue
        if not VEGA.match(str(values.get("mime", "application/vnd.vegalite.v6+json"))):
            continue
        spec = values.get("spec", values.get("data"))
        if isinstance(spec, str):
            try:
                spec = json.loads(spec)
            except ValueError:
                spec = None
        schema = SCHEMA.search(str(spec.get("$schema"))) if isinstance(spec, dict) else None
        language = "vega" if schema and schema[1] == "vega" else "vegalite"
        found.append(chart_image(language, schema[2], spec) if schema else None)
    return found or None


def chart_image(language: str, major: str, spec: Any) -> str | None:
    """The chart as SVG, or `None`."""
    try:
        import vl_convert
    except ImportError:
        return None
    try:
        # Data may be in the chart, also as a URL that holds it; nothing is loaded from elsewhere.
        if language == "vega":
            return vl_convert.vega_to_svg(spec, allowed_base_urls=["data:"])
        versions = [it for it in vl_convert.get_vegalite_versions() if it.split(".")[0] == major]
        version = versions[-1] if versions else None
        return vl_convert.vegalite_to_svg(spec, vl_version=version, allowed_base_urls=["data:"])
    except Exception as problem:
        if sys.__stderr__ is not None:
            sys.__stderr__.write(f"nbc: this chart has no picture: {problem}\n")
        return None
