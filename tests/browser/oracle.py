"""What marimo itself shows of a notebook after inputs were set: the judge of nbc's states.

    python tests/browser/oracle.py NOTEBOOK <<< '[["amount", 300000], ["years", ["ten"]]]'

A fresh process and a fresh kernel of marimo for each answer: no fork, no state left of another answer,
and no code of nbc's. Each step names a variable and gives what marimo's front end would send; of an
array, dictionary or batch `{"parts": […]}` with the values of its children in order, of a form that is
sent `{"submit": …}`. Prints JSON: for each cell in the file's order its last output, its console text
and the names of the inputs that exist in the end.
"""

from __future__ import annotations

import asyncio
import copy
import json
import pathlib
import queue
import sys

from marimo._ast.app_config import _AppConfig
from marimo._ast.cell import CellConfig
from marimo._ast.load import load_app
from marimo._config.config import DEFAULT_CONFIG
from marimo._messaging.types import KernelStreams, Stderr, Stdin, Stdout, Stream
from marimo._output.formatters.formatters import register_formatters
from marimo._plugins.ui._core.ui_element import UIElement
from marimo._runtime.commands import AppMetadata, ExecuteCellCommand, UpdateUIElementCommand
from marimo._runtime.kernel_lifecycle import KernelArgs, kernel_session
from marimo._session.model import SessionMode


class Messages(Stream):
    """Keeps of each cell what marimo's own page would show."""

    def __init__(self) -> None:
        self.cells: dict[str, dict] = {}
        self.cell_id = None

    def write(self, data: bytes) -> None:
        message = json.loads(data)
        if message.get("op") != "cell-op":
            return
        cell = self.cells.setdefault(message["cell_id"], {"output": None, "console": []})
        if message.get("output"):
            cell["output"] = {key: message["output"][key] for key in ("channel", "mimetype", "data")}
        console = message.get("console")
        if console == []:
            cell["console"] = []
        for item in console if isinstance(console, list) else [console] if console else []:
            cell["console"].append({key: item[key] for key in ("channel", "mimetype", "data")})


class Console:
    """marimo's streams know the cell that writes; the rest is as in its own."""

    def __init__(self, messages: Messages, channel: str) -> None:
        self._messages, self._channel = messages, channel

    def _write_with_mimetype(self, data: str, mimetype: str) -> int:
        cell = self._messages.cells.setdefault(str(self._messages.cell_id), {"output": None, "console": []})
        cell["console"].append({"channel": self._channel, "mimetype": mimetype, "data": data})
        return len(data)

    def write(self, data: str) -> int:
        return self._write_with_mimetype(data, "text/plain")

    def writelines(self, lines) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        pass


class Out(Console, Stdout):
    pass


class Err(Console, Stderr):
    pass


class NoInput(Stdin):
    def _readline_with_prompt(self, prompt: str = "", password: bool = False) -> str:
        raise EOFError


def of_front_end(element, value):
    """What marimo's front end would send for an input with children."""
    if isinstance(value, dict) and "submit" in value:
        return of_front_end(element.element, value["submit"])
    if isinstance(value, dict) and "parts" in value:
        children = element.elements
        named = list(children.items()) if hasattr(children, "items") else [(str(at), it) for at, it in enumerate(children)]
        if len(named) != len(value["parts"]):
            raise SystemExit(f"{len(value['parts'])} values for {len(named)} parts")
        return {key: of_front_end(child, part) for (key, child), part in zip(named, value["parts"])}
    return value


def answer(notebook: pathlib.Path, steps: list) -> dict:
    app = load_app(str(notebook))
    manager = app._cell_manager
    cells = list(manager.cell_data())
    register_formatters()
    messages = Messages()
    config = copy.deepcopy(DEFAULT_CONFIG)
    # Else an error is only an identifier, and a cell that failed looks like one below it.
    config["runtime"]["show_tracebacks"] = True
    metadata = AppMetadata(query_params={}, cli_args={}, app_config=_AppConfig(), argv=[], filename=str(notebook))
    scope = kernel_session(KernelArgs(
        streams=KernelStreams(stream=messages, stdout=Out(messages, "stdout"), stderr=Err(messages, "stderr"), stdin=NoInput()),
        debugger=None,
        configs={it.cell_id: CellConfig() for it in cells},
        app_metadata=metadata,
        user_config=config,
        mode=SessionMode.RUN,
        control_queue=queue.Queue(),
        set_ui_element_queue=queue.Queue(),
        virtual_file_storage=None,
    ))
    kernel, _ = scope.__enter__()

    async def go() -> None:
        await kernel.run([ExecuteCellCommand(cell_id=it.cell_id, code=it.code) for it in cells])
        for name, value in steps:
            element = kernel.globals[name]
            command = UpdateUIElementCommand([element._id], [of_front_end(element, value)])
            await kernel.set_ui_element_value(command, notify_frontend=False)

    asyncio.run(go())
    shown = [messages.cells.get(str(it.cell_id), {"output": None, "console": []}) for it in cells]
    names = sorted(name for name, value in kernel.globals.items() if isinstance(value, UIElement))
    return {"cells": shown, "inputs": names}


if __name__ == "__main__":
    steps = json.load(sys.stdin)
    json.dump(answer(pathlib.Path(sys.argv[1]).resolve(), steps), sys.stdout)
