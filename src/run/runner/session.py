"""What every engine shares: cells, their results, bounds, and the events about them."""

import faulthandler
import json
import platform
import sys
import threading
import time

from nbc_runner import bundles, errors, uncaught
from nbc_runner.console import Console

PROTOCOL = 1
LARGEST_FRAME = 48 << 20


class Unavailable(Exception):
    """The notebook cannot be run; the text says why."""


class Session:
    """One run of one notebook."""

    def __init__(self, channel, start):
        self.channel = channel
        self.start = start
        self.file = start["file"]
        self.allow_errors = bool(start.get("allow_errors"))
        self.cells = {cell["id"]: cell for cell in start["cells"]}
        self.order = [cell for cell in start["order"] if cell in self.cells]
        limits = start.get("limits") or {}
        self.output_bytes = limits.get("output_bytes", 16 << 20)
        self.table_rows = limits.get("rows", 5000)
        self.output_count = limits.get("outputs", 1000)
        self._left = limits.get("total_bytes", 128 << 20)
        self.current = None
        # Seconds that each cell took, the last time that it ran.
        self.seconds = {}
        self.began = 0
        self.results = {}
        # Whether this process is a fork of the one that ran the notebook.
        self.is_fork = False
        # Cells that ran since this process became what it is.
        self.ran = set()
        # Takes text that belongs to a widget and not to the cell, and then gives True.
        self.divert = None
        # `(cell, line)` of a line of a file, if the file is a cell; the engine knows.
        self.locate = lambda file, line: None
        # Exceptions that nothing caught, since the last time that somebody asked.
        self.escaped = []
        self.console = Console(self.stream, self._failed_elsewhere)
        sys.__stderr__ = self.console.original
        faulthandler.enable(self.console.original)

    def install(self, locate):
        """Takes the streams over, and the exceptions that would be printed to them."""
        self.locate = locate
        self.console.install()
        uncaught.install(self)

    def hello(self, engine, version):
        self.channel.send({
            "event": "hello",
            "protocol": PROTOCOL,
            "engine": engine,
            "engine_version": version,
            "python": platform.python_version(),
        })

    def done(self):
        self.console.drain()
        self.resend()
        self.channel.send({"event": "done"})

    def fork(self):
        """This process is a fork that runs one state: it speaks to nobody, and to no other's streams."""
        self.channel.leave()
        self.console.adopt()
        self.is_fork = True
        self.ran = set()
        self.escaped = []

    def begin(self, cell):
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

    def finish(self, cell, status):
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

    def skip(self, cell):
        """`cell` is not run at all."""
        self.finish(cell, {"kind": "skipped"})

    def resend(self):
        """Reports finished cells that changed afterwards; once, at the end, however often they did."""
        for cell, result in list(self.results.items()):
            if result.sent and result.changed:
                self._send("updated", cell, result)

    # Exceptions that nothing catches: they fail the cell that runs, or the last one that ran.

    def uncaught(self, problem, kind=None):
        """`problem` was raised where only Python itself would tell about it."""
        if problem is None:
            status = errors.status(getattr(kind, "__name__", "Exception"), "")
        else:
            status = errors.failed(problem, self.locate)
        if self.console.is_fork():
            self.console.report(json.dumps(status["error"]) + "\n")
        else:
            self._fail(status)

    def _failed_elsewhere(self, line):
        """A child that a cell forked met such an exception; the notebook can write here, too."""
        try:
            told = json.loads(line)
            frames = [
                {"cell": it["cell"], "line": it["line"]} for it in told["frames"]
                if it["cell"] in self.cells and type(it["line"]) is int and 0 < it["line"] < 1 << 31
            ]
            status = errors.status(told["name"], str(told["message"]), frames, str(told["traceback"]))
        except (KeyError, TypeError, ValueError, RecursionError):
            return
        self._fail(status)

    def _fail(self, status):
        if not self.escaped:
            self.escaped.append(status)
        result = self.results.get(self.current)
        if result is None or not result.fail(status):
            # There is no cell, or it has failed already.
            self.log(status["error"]["traceback"])

    def log(self, text):
        """Writes where the process would, which is no part of the page."""
        try:
            self.console.original.write(f"nbc: {text.rstrip()}\n")
            self.console.original.flush()
        except OSError:
            pass

    def _send(self, event, cell, result):
        result.changed = False
        body = self.channel.encode({"event": event, "cell": cell, "run": result.report()})
        if len(body) > min(self._left, LARGEST_FRAME):
            run = {"status": result.status, "outputs": [
                notice(f"the outputs of this cell ({len(body)} bytes) are over the limit of the notebook")
            ]}
            body = self.channel.encode({"event": event, "cell": cell, "run": run})
        self._left = max(0, self._left - len(body))
        self.channel.send_encoded(body)

    # Sinks of the engines. They write to the cell that runs, or to the last one that ran: threads
    # of a cell may speak after its end.

    def stream(self, name, text):
        if self.divert is not None and self.divert(name, text):
            return
        result = self.results.get(self.current)
        if result is not None and text:
            result.stream(name, text)

    def bundle(self, data, metadata=None):
        # What draws charts has threads, which a fork has not; and who has states has scripts that draw.
        return bundles.bundle(data, metadata, self.output_bytes, not self.is_fork)

    def display(self, data, metadata=None, display_id=None):
        result = self.results.get(self.current)
        if result is not None:
            self.console.drain()
            result.display(self.bundle(data, metadata), display_id)

    def update(self, data, metadata, display_id):
        """Replaces every display that has this id, in whatever cell it is."""
        bundle = self.bundle(data, metadata)
        for result in self.results.values():
            result.update(bundle, display_id)

    def clear(self, wait):
        result = self.results.get(self.current)
        if result is not None:
            self.console.drain()
            result.clear(wait)


def notice(text):
    """An output that stands for others which were left out."""
    return {"kind": "stream", "name": "stderr", "text": f"nbc: {text}; left out\n"}


class Result:
    """What one cell gave so far."""

    def __init__(self, session):
        self._session = session
        self._lock = threading.RLock()
        self.status = {"kind": "skipped"}
        self.sent = False
        self.changed = False
        self.restart()

    def restart(self):
        self.outputs = []
        self._display_ids = []
        self._stream_bytes = 0
        self._clear_next = False
        self._full = False
        self.changed = True
        # Whether the cell ran to its end, and the status of an exception beside it.
        self.is_over = False
        self.uncaught = None

    def fail(self, status):
        """The cell has failed, whatever its own code did; gives whether that was not known yet."""
        with self._lock:
            if self.uncaught is not None or self.is_over and self.status["kind"] == "failed":
                return False
            self.uncaught = status
            if self.is_over:
                self.status = status
                self.changed = True
            return True

    def report(self):
        with self._lock:
            outputs = []
            for output in self.outputs:
                if output["kind"] == "stream":
                    text = "".join(output["text"]).replace("\r\n", "\n")
                    output = {"kind": "stream", "name": output["name"], "text": text}
                outputs.append(output)
            return {"status": self.status, "outputs": outputs}

    def stream(self, name, text):
        with self._lock:
            self._settle()
            left = self._session.output_bytes - self._stream_bytes
            if left <= 0:
                return
            self._stream_bytes += len(text)
            last = self.outputs[-1] if self.outputs else None
            if last is None or last["kind"] != "stream" or last["name"] != name:
                last = {"kind": "stream", "name": name, "text": []}
                if not self._append(last, None):
                    return
            last["text"].append(text[:left])
            if len(text) > left:
                self._append(notice("more text than the limit of one output"), None)

    def display(self, bundle, display_id):
        with self._lock:
            self._settle()
            self._append({"kind": "display", "bundle": bundle}, display_id)

    def update(self, bundle, display_id):
        with self._lock:
            for at, known in enumerate(self._display_ids):
                if known == display_id:
                    self.outputs[at] = {"kind": "display", "bundle": bundle}
                    self.changed = True

    def display_ids(self):
        """The ids of displays that may be replaced."""
        return {it for it in self._display_ids if it is not None}

    def put(self, slot, bundle):
        """Puts a display last that replaces the one of the same slot."""
        with self._lock:
            self.remove(slot)
            self.display(bundle, slot)

    def remove(self, slot):
        """Takes the display of a slot away."""
        with self._lock:
            while slot in self._display_ids:
                at = self._display_ids.index(slot)
                del self.outputs[at], self._display_ids[at]
                self.changed = True

    def clear(self, wait):
        with self._lock:
            self._clear_next = True
            if not wait:
                self._settle()

    def _settle(self):
        self.changed = True
        if self._clear_next:
            self._clear_next = False
            self.outputs.clear()
            self._display_ids.clear()
            self._stream_bytes = 0
            self._full = False

    def _append(self, output, display_id):
        if self._full:
            return False
        if len(self.outputs) >= self._session.output_count - 1:
            self._full = True
            output = notice(f"more than {self._session.output_count} outputs in one cell")
            display_id = None
        self.outputs.append(output)
        self._display_ids.append(display_id)
        return not self._full
