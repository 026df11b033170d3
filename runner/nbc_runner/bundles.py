"""MIME bundles: from what libraries hand over to what the protocol carries."""

from __future__ import annotations

import base64
import json
import math
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from nbc_runner import charts
from nbc_runner.protocol.constants import constants

if TYPE_CHECKING:
    from nbc_runner.protocol.messages import Bundle, Json, LeftOut

# Types as they go into findings.
NAMED = re.compile(r"[A-Za-z0-9.+_-]+/[A-Za-z0-9.+_-]+")


def bundle(data: dict[Any, Any], metadata: object, limit: int, draws: bool = True) -> tuple[Bundle, list[LeftOut]]:
    """A bundle within bounds, and what was left out; never raises for what a library put into it."""
    carried: dict[str, Json] = {}
    left_out: list[LeftOut] = []
    if len(data) > constants.representations:
        left_out.append({"what": "types", "count": len(data) - constants.representations})
    for name, given in list(data.items())[: constants.representations]:
        mime = _spelling(str(name)[:200])
        value = _value(mime, given)
        if value is None:
            continue
        size = _size(value)
        if size > limit:
            left_out.append(over(mime, size))
            continue
        carried[mime] = value
    if draws:
        _add_chart_image(carried, limit, left_out)
    metadata = plain(metadata) if isinstance(metadata, dict) else {}
    if not isinstance(metadata, dict):
        metadata = {}
    size = _size(metadata)
    if size > constants.metadata:
        left_out.append({"what": "metadata", "bytes": size})
        metadata = {}
    return {"data": carried, "metadata": metadata}, left_out


def over(mime: str, size: int) -> LeftOut:
    """Says that a representation is over the limit of one output."""
    name = mime if len(mime) <= constants.mime and NAMED.fullmatch(mime) else "application/octet-stream"
    return {"what": "display", "mime": name, "bytes": size, "count": 1}


def is_json(mime: str) -> bool:
    """Whether data of this type is JSON and not text."""
    return mime == "application/json" or mime.endswith("+json")


def _value(mime: str, value: Any) -> Json:
    if isinstance(value, (bytes, bytearray, memoryview)):
        if mime.startswith("text/") or mime == "image/svg+xml":
            return bytes(value).decode("utf-8", "replace")
        return base64.b64encode(bytes(value)).decode("ascii")
    if isinstance(value, str):
        value = str(value)
        if value.startswith("data:") and not mime.startswith("text/"):
            value = _data_url(mime, value)
        if is_json(mime):
            try:
                value = json.loads(value)
            except ValueError:
                return value
            return plain(value)
        return value
    if isinstance(value, (list, tuple)) and not is_json(mime):
        if all(isinstance(line, str) for line in value):
            return "".join(value)
    if value is None:
        return None
    return plain(value)


def _data_url(mime: str, url: str) -> str:
    head, comma, body = url.partition(",")
    if not comma:
        return url
    if head.endswith(";base64"):
        if mime != "image/svg+xml" and not is_json(mime):
            return body
        try:
            raw = base64.b64decode(body)
        except ValueError:
            return url
    else:
        raw = unquote_to_bytes(body)
        if mime != "image/svg+xml" and not is_json(mime):
            return base64.b64encode(raw).decode("ascii")
    return raw.decode("utf-8", "replace")


def plain(value: Any, depth: int = 0) -> Json:
    """`value` as JSON: a copy, without NaN, foreign classes and endless nesting."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is int:
        return value if -(1 << 63) <= value < (1 << 64) else str(value)
    if kind is float:
        return value if math.isfinite(value) else None
    if depth > constants.nesting:
        return None
    if isinstance(value, dict):
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value]
    for base in (str, int, float):
        if isinstance(value, base):
            return plain(base(value), depth)
    for name in ("tolist", "item"):
        # numpy's scalars and arrays.
        try:
            return plain(getattr(value, name)(), depth + 1)
        except Exception:
            continue
    return str(value)


def _size(value: Json) -> int:
    """Bytes of a text, or of a value as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def _spelling(mime: str) -> str:
    """Altair 6 writes `.v6.json` in some renderers and `.v6+json` in others."""
    match = charts.VEGA.match(mime)
    return f"application/vnd.{match[1]}.v{match[2]}+json" if match else mime


def _add_chart_image(data: dict[str, Json], limit: int, left_out: list[LeftOut]) -> None:
    """A picture of a Vega chart, for pages that cannot run Vega, made by vl-convert if it is there."""
    if "image/svg+xml" in data:
        return
    for mime in ("text/html", "text/markdown"):
        markup = data.get(mime)
        if isinstance(markup, str) and "<marimo-" in markup:
            pictures = charts.pictures(markup)
            if pictures and any(pictures):
                _add(data, constants.charts_mime, pictures, limit, left_out)
            return
    for mime, spec in list(data.items()):
        match = charts.VEGA.match(mime)
        if match and isinstance(spec, dict):
            image = charts.chart_image(match[1], match[2], spec)
            if image is not None:
                _add(data, "image/svg+xml", image, limit, left_out)
            return


def _add(data: dict[str, Json], mime: str, value: Json, limit: int, left_out: list[LeftOut]) -> None:
    size = _size(value)
    if size <= limit:
        data[mime] = value
    else:
        left_out.append(over(mime, size))
