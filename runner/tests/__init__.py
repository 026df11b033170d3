"""Unit tests of the runner's pure parts: `python -m unittest discover -s tests -t .` in `runner/`."""

from __future__ import annotations

from typing import Any

from nbc_runner.protocol.constants import constants

# Of the size of nbc's own, and different from them: the runner has none of its own.
CONSTANTS: dict[str, Any] = {
    "deepest_inputs": 7,
    "listed_values": 9_000,
    "largest_count": (1 << 52) - 1,
    "tried_inputs": 250,
    "label": 150,
    "losses": ["time", "end", "size", "process", "limit"],
    "left_out": 30,
    "mime": 90,
    "representations": 30,
    "metadata": 90_000,
    "nesting": 80,
    "table": 5 << 20,
    "error_name": 150,
    "error_message": 15_000,
    "error_traceback": 60_000,
    "error_frames": 90,
    "charts_mime": "application/vnd.test.charts+json",
    "widget_view_mime": "application/vnd.jupyter.widget-view+json",
    "widget_state_mime": "application/vnd.jupyter.widget-state+json",
    "notebook_folder": "/nb",
}
constants.take(CONSTANTS)
