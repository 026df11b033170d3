"""Draws Vega charts that a notebook stores without a picture. It stands after the runner's `charts.py`.

Over descriptor 3 comes a list of `[language, major, spec]`, its length first; for each goes back the length of
an SVG and the SVG, or a length of zero.
"""

import json
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbc_runner.charts import chart_image  # noqa: TC004 (it stands in the same program)


def draw_all() -> None:
    channel = socket.socket(fileno=3)
    with channel.makefile("rb") as received:
        (length,) = struct.unpack("<I", received.read(4))
        charts = json.loads(received.read(length))
    for language, major, spec in charts:
        drawing = (chart_image(language, major, spec) or "").encode()
        channel.sendall(struct.pack("<I", len(drawing)) + drawing)


draw_all()
