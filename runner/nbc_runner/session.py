"""State that every engine shares: cells, their results, bounds, and the events about them."""

from __future__ import annotations

import faulthandler
import json
import platform
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from nbc_runner import bundles, errors, uncaught
from nbc_runner.console import Console
from nbc_runner.protocol.constants import constants

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbc_runner.protocol.channel import Channel
    from nbc_runner.protocol.messages import Bundle, CellRun, Frame, LeftOut, Locate, Start, Status


class Session:
    """One run of one notebook."""

    def __init__(self, channel: Channel, start: Start) -> None:
        self.channel = channel
        self.start = start
        self.file = start["file"]
        self.allow_errors = bool(start.get("allow_errors"))
        self.cells = {cell["id"]: cell for cell in start["cells"]}
        self.order = [cell for cell in start["order"] if cell in self.cells]
        limits = start["limits"]
        constants.take(limits["constants"])
        self.output_bytes = limits["output_bytes"]
        self.table_rows = limits["rows"]
        self.output_count = limits["outputs"]
        self.cell_bytes = limits["cell_bytes"]
        self.state_bytes = limits["state_bytes"]
        self._left = limits["total_bytes"]
        self.current = -1
        # Seconds that each cell took, the last time that it ran.
        self.seconds: dict[int, float] = {}
        self.began = 0.0
        self.results: dict[int, Result] = {}
        # Whether this process is a fork of the one that ran the notebook.
        self.is_fork = False
        # Cells that ran since this process became what it is.
        self.ran: set[int] = set()
        # Takes text that belongs to a widget and not to the cell, and then gives True.
        self.divert: Callable[[str, str], bool] | None = None
        # `(cell, line)` of a line of a file, if the file is a cell; the engine knows.
        self.locate: Locate = lambda file, line: None
        # Exceptions that nothing caught, since the last time that somebody asked.
        self.escaped: list[Status] = []
        self.console = Console(self.stream, self._failed_elsewhere)
        setattr(sys, "__stderr__", self.console.original)  # noqa: B010 (a checker takes the name for fixed)
        faulthandler.enable(self.console.original)

    def install(self, locate: Locate) -> None:
        """Takes the streams over, and the exceptions that would be printed to them."""
        self.locate = locate
        self.console.install()
        uncaught.install(self)

    def hello(self, engine: str, version: str) -> None:
        """Tells that the engine is ready."""
        self.channel.send(
            {
                "event": "hello",
                "protocol": self.start.get("protocol"),
                "engine": engine,
                "engine_version": version,
                "python": platform.python_version(),
            }
        )

    def done(self) -> None:
        """Tells that no cell is left."""
        self.console.drain()
        self.resend()
        self.channel.send({"event": "done"})

    def fork(self) -> None:
        """This process is a fork that runs one state: it speaks to nobody, and to no other's streams."""
        self.channel.leave()
        self.console.adopt()
        self.is_fork = True
        self.ran = set()
        self.escaped = []

    def begin(self, cell: int) -> None:
        """`cell` runs from here on: streams and displays are its own."""
        self.console.drain()
        self.current = cell
        self.began = time.monotonic()
        self.ran.add(cell)
        if cell in self.results:
            # A cell that marimo runs again replaces what it showed.
            self.results[cell].restart()
            return
        self.results[cell] = Result(self)
        self.channel.send({"event": "started", "cell": cell})

    def finish(self, cell: int, status: Status) -> None:
        """`cell` is over."""
        self.console.drain()
        if cell == self.current:
            self.seconds[cell] = time.monotonic() - self.began
        result = self.results.setdefault(cell, Result(self))
        result.is_over = True
        result.status = status if status["kind"] == "failed" else result.uncaught or status
        if not result.sent:
            result.sent = True
            self._send("finished", cell, result)

    def skip(self, cell: int) -> None:
        """`cell` is not run at all."""
        self.finish(cell, {"kind": "skipped"})

    def resend(self) -> None:
        """Reports finished cells that changed afterwards; once, at the end, however often they did."""
        for cell, result in list(self.results.items()):
            if result.sent and result.changed:
                self._send("updated", cell, result)

    # Exceptions that nothing catches: they fail the cell that runs, or the last one that ran.

    def uncaught(self, problem: BaseException | None, kind: type[BaseException] | None = None) -> None:
        """`problem` was raised where only Python itself would tell about it."""
        if problem is None:
            status = errors.status(getattr(kind, "__name__", "Exception"), "")
        else:
            status = errors.failed(problem, self.locate)
        if self.console.is_fork():
            self.console.report(json.dumps(status["error"]) + "\n")
        else:
            self._fail(status)

    def _failed_elsewhere(self, line: str) -> None:
        """A child that a cell forked met such an exception; the notebook can write here, too."""
        try:
            told = json.loads(line)
            frames: list[Frame] = [
                {"cell": it["cell"], "line": it["line"]}
                for it in told["frames"]
                if it["cell"] in self.cells and type(it["line"]) is int and 0 < it["line"] < 1 << 31
            ]
            status = errors.status(told["name"], str(told["message"]), frames, str(told["traceback"]))
        except (KeyError, TypeError, ValueError, RecursionError):
            return
        self._fail(status)

    def _fail(self, status: Status) -> None:
        if not self.escaped:
            self.escaped.append(status)
        result = self.results.get(self.current)
        if result is None or not result.fail(status):
            # There is no cell, or it has failed already.
            self.log(status["error"]["traceback"])

    def log(self, text: str) -> None:
        """Writes where the process would, which is no part of the page."""
        try:
            self.console.original.write(f"nbc: {text.rstrip()}\n")
            self.console.original.flush()
        except OSError:
            pass

    def _send(self, event: str, cell: int, result: Result) -> None:
        result.changed = False
        body = self.channel.encode({"event": event, "cell": cell, "run": result.report()})
        if len(body) > min(self._left, self.cell_bytes):
            run = {"status": result.status, "outputs": [], "left_out": [{"what": "cell", "bytes": len(body)}]}
            body = self.channel.encode({"event": event, "cell": cell, "run": run})
        self._left = max(0, self._left - len(body))
        self.channel.send_encoded(body)

    # Sinks of the engines. They write to the cell that runs, or to the last one that ran: threads
    # of a cell may speak after its end.

    def stream(self, name: str, text: str) -> None:
        """Adds text to the cell that runs."""
        if self.divert is not None and self.divert(name, text):
            return
        result = self.results.get(self.current)
        if result is not None and text:
            result.stream(name, text)

    def bundle(self, data: dict[Any, Any], metadata: object = None) -> tuple[Bundle, list[LeftOut]]:
        """A bundle within bounds, and what was left out of it."""
        # The library that draws charts has threads, which a fork has not; and pages with states have scripts that draw.
        return bundles.bundle(data, metadata, self.output_bytes, not self.is_fork)

    def display(self, data: dict[Any, Any], metadata: object = None, display_id: Any = None) -> None:
        """Adds a display to the cell that runs."""
        result = self.results.get(self.current)
        if result is not None:
            self.console.drain()
            result.display(*self.bundle(data, metadata), display_id)

    def update(self, data: dict[Any, Any], metadata: object, display_id: Any) -> None:
        """Replaces every display that has this id, in whatever cell it is."""
        bundle, left_out = self.bundle(data, metadata)
        for result in self.results.values():
            result.update(bundle, left_out, display_id)

    def leave_out(self, left_out: list[LeftOut]) -> None:
        """Notes what was left out of an output that is part of another."""
        result = self.results.get(self.current)
        if result is not None:
            result.leave_out(left_out)

    def clear(self, wait: bool) -> None:
        """Removes the outputs of the cell that runs."""
        result = self.results.get(self.current)
        if result is not None:
            self.console.drain()
            result.clear(wait)


def size_of(text: str) -> int:
    """Bytes of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def sum_up(left_out: list[LeftOut]) -> list[LeftOut]:
    """Joins items of one kind, and of displays those of one type: their number, and the size of the largest."""
    joined: dict[tuple[str, str | None], LeftOut] = {}
    for it in left_out:
        key = (it["what"], it.get("mime"))
        if key not in joined:
            if len(joined) < constants.left_out:
                joined[key] = it.copy()
            continue
        known = joined[key]
        if "count" in it:
            known["count"] += it["count"]
        if "bytes" in it:
            known["bytes"] = max(known["bytes"], it["bytes"])
    return list(joined.values())


class Result:
    """Outputs and status of one cell up to now."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.RLock()
        self.status: Status = {"kind": "skipped"}
        self.sent = False
        self.changed = False
        self.restart()

    def restart(self) -> None:
        """Forgets all outputs: the cell runs again."""
        self.outputs: list[dict[str, Any]] = []
        self._display_ids: list[Any] = []
        self._stream_bytes = 0
        self._clear_next = False
        # Bytes of text and outputs that were left out, and what was left out of parts of outputs.
        self._text_left_out = 0
        self._outputs_left_out = 0
        self._parts_left_out: list[LeftOut] = []
        self.changed = True
        # Whether the cell ran to its end, and the status of an exception beside it.
        self.is_over = False
        self.uncaught: Status | None = None

    def fail(self, status: Status) -> bool:
        """The cell has failed, whatever its own code did; gives whether that was not known yet."""
        with self._lock:
            if self.uncaught is not None or (self.is_over and self.status["kind"] == "failed"):
                return False
            self.uncaught = status
            if self.is_over:
                self.status = status
                self.changed = True
            return True

    def report(self) -> CellRun:
        """The result as the protocol carries it."""
        with self._lock:
            outputs: list[dict[str, Any]] = []
            left_out = list(self._parts_left_out)
            for output in self.outputs:
                if output["kind"] == "stream":
                    text = "".join(output["text"]).replace("\r\n", "\n")
                    outputs.append({"kind": "stream", "name": output["name"], "text": text})
                else:
                    left_out += output["left_out"]
                    outputs.append({"kind": "display", "bundle": output["bundle"]})
            if self._text_left_out:
                left_out.append({"what": "text", "bytes": self._text_left_out})
            if self._outputs_left_out:
                left_out.append({"what": "outputs", "count": self._outputs_left_out})
            run: CellRun = {"status": self.status, "outputs": outputs}
            if left_out:
                run["left_out"] = sum_up(left_out)
            return run

    def stream(self, name: str, text: str) -> None:
        """Adds text."""
        with self._lock:
            self._settle()
            size, left = size_of(text), max(self._session.output_bytes - self._stream_bytes, 0)
            self._stream_bytes += size
            if size > left:
                self._text_left_out += size - left
                text = text.encode("utf-8", "replace")[:left].decode("utf-8", "ignore")
                if not text:
                    return
            last: dict[str, Any] | None = self.outputs[-1] if self.outputs else None
            if last is None or last["kind"] != "stream" or last["name"] != name:
                last = {"kind": "stream", "name": name, "text": []}
                if not self._append(last, None):
                    return
            last["text"].append(text)

    def leave_out(self, left_out: list[LeftOut]) -> None:
        """Notes what was left out of a part of an output."""
        with self._lock:
            self._settle()
            self._parts_left_out = sum_up(self._parts_left_out + left_out)

    def display(self, bundle: Bundle, left_out: list[LeftOut], display_id: Any) -> None:
        """Adds a display."""
        with self._lock:
            self._settle()
            self._append({"kind": "display", "bundle": bundle, "left_out": left_out}, display_id)

    def update(self, bundle: Bundle, left_out: list[LeftOut], display_id: Any) -> None:
        """Replaces the displays that have this id."""
        with self._lock:
            for at, known in enumerate(self._display_ids):
                if known == display_id:
                    self.outputs[at] = {"kind": "display", "bundle": bundle, "left_out": left_out}
                    self.changed = True

    def display_ids(self) -> set[Any]:
        """The ids of displays that may be replaced."""
        return {it for it in self._display_ids if it is not None}

    def put(self, slot: str, bundle: Bundle, left_out: list[LeftOut]) -> None:
        """Puts a display last that replaces the one of the same slot."""
        with self._lock:
            self.remove(slot)
            self.display(bundle, left_out, slot)

    def remove(self, slot: str) -> None:
        """Takes the display of a slot away."""
        with self._lock:
            while slot in self._display_ids:
                at = self._display_ids.index(slot)
                del self.outputs[at], self._display_ids[at]
                self.changed = True

    def clear(self, wait: bool) -> None:
        """Removes all outputs, at once or when the next one comes."""
        with self._lock:
            self._clear_next = True
            if not wait:
                self._settle()

    def _settle(self) -> None:
        self.changed = True
        if self._clear_next:
            self._clear_next = False
            self.outputs.clear()
            self._display_ids.clear()
            self._stream_bytes = 0
            self._text_left_out = self._outputs_left_out = 0
            self._parts_left_out = []

    def _append(self, output: dict[str, Any], display_id: Any) -> bool:
        if len(self.outputs) >= self._session.output_count:
            self._outputs_left_out += 1
            return False
        self.outputs.append(output)
        self._display_ids.append(display_id)
        return True
