"""States without a fork of the run: processes that have run nothing yet run the whole notebook, then set the inputs.

For libraries whose threads do not survive a fork. The processes are forked before the first cell runs, while there
are no such threads.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import socket
import time
from typing import TYPE_CHECKING, Any

from nbc_runner.states import processes, wire
from nbc_runner.states.plan import Plan
from nbc_runner.states.traces import Traces

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from nbc_runner.engine import Engine
    from nbc_runner.protocol.messages import Options, Step

    # Takes an answer: the path of a state, the sets below it, and what came.
    TakeAnswer: TypeAlias = Callable[[list[Step], list[list[str]], dict[str, Any]], None]


class Replays:
    """Processes that wait for states to run."""

    def __init__(self, engine: Engine, count: int) -> None:
        self._sockets: list[socket.socket] = []
        self._pids: dict[socket.socket, int] = {}
        self.options: Options
        # How things are before the first cell runs.
        self._blank = Traces(keep=False)
        # Files that the run left, to be put aside while it runs again.
        self._left: Traces | None = None
        # How many at once.
        self.most = count
        for _ in range(count):
            ours, theirs = socket.socketpair()
            try:
                pid = os.fork()
            except OSError:
                ours.close()
                theirs.close()
                break
            if pid == 0:
                try:
                    os.setpgid(0, 0)
                    for one in (ours, *self._sockets):
                        one.close()
                    _serve(engine, theirs)
                finally:
                    os._exit(0)
            theirs.close()
            self._sockets.append(ours)
            self._pids[ours] = pid

    def look(self) -> tuple[Traces, bool]:
        """The files as the run left them, and whether it left any."""
        present = Traces(keep=False)
        is_blank = present.entries == self._blank.entries
        if not is_blank:
            self._left = present = Traces()
            self.most = 1
        return present, not is_blank

    def close(self) -> None:
        """Takes the processes out of reach of a fork."""
        for one in self._sockets:
            one.close()
        self._sockets = []

    def run(self, states: list[tuple[list[Step], list[list[str]]]], take: TakeAnswer) -> None:
        """Runs states: paths, each with the sets below it. `take` gets what each gave."""
        if self._left is not None:
            if not self._left.is_whole:
                for path, rest in states:
                    take(path, rest, {"lost": "process"})
                return
            self._blank.restore()
        try:
            self._run(list(reversed(states)), take)
        finally:
            if self._left is not None:
                self._left.restore()

    def _run(self, states: list[tuple[list[Step], list[list[str]]]], take: TakeAnswer) -> None:
        busy: dict[socket.socket, tuple[list[Step], list[list[str]], float]] = {}
        free = self._sockets[: self.most]
        while states or busy:
            while states and free:
                one, (path, rest) = free.pop(), states.pop()
                try:
                    wire.send(one, {"path": path, "rest": rest, "options": self.options})
                    busy[one] = (path, rest, time.monotonic() + self.options["replay_seconds"] + processes.PATIENCE)
                except OSError:
                    self._sockets.remove(one)
                    states.append((path, rest))
            if not busy:
                for path, rest in states:
                    take(path, rest, {"lost": "process"})
                return
            ready = select.select(list(busy), [], [], 0.5)[0]
            late = [one for one, (_, _, end) in busy.items() if one not in ready and end < time.monotonic()]
            for one in [*ready, *late]:
                path, rest, _ = busy.pop(one)
                # A notebook may stop the process that serves it.
                said = None if one in late else wire.receive(one)
                if said is None:
                    self._sockets.remove(one)
                    processes.end_group(self._pids[one])
                    said = {"lost": "time" if one in late else "end"}
                else:
                    free.append(one)
                if self._left is not None:
                    self._blank.restore()
                take(path, rest, said if wire.is_answer(said) else {"lost": "end"})


def _serve(engine: Engine, connection: socket.socket) -> None:
    """Forks a process for each state that is asked for."""
    while True:
        wish = wire.receive(connection)
        if wish is None:
            return
        pipe, workers_pipe = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.setpgid(0, 0)
                os.close(pipe)
                connection.close()
                wire.write_all(workers_pipe, _state(engine, wish))
            finally:
                os._exit(0)
        os.close(workers_pipe)
        said = _read(pipe, time.monotonic() + wish["options"]["replay_seconds"], engine.session.state_bytes)
        processes.end_group(pid)
        os.close(pipe)
        try:
            wire.send(connection, json.loads(said))
        except ValueError:
            wire.send(connection, {"lost": "end"})


def _state(engine: Engine, wish: dict[str, Any]) -> bytes:
    """Runs the notebook and then sets the inputs of a path."""
    session, options = engine.session, wish["options"]
    session.fork()
    processes.limit_memory(max(processes.LEAST_MEMORY, options["replay_memory"]))
    engine.loop = asyncio.new_event_loop()
    asyncio.set_event_loop(engine.loop)
    engine.loop.run_until_complete(engine.run())
    # A run that went another way says nothing about this one's states.
    if {str(it): one.status["kind"] for it, one in session.results.items()} != options["statuses"]:
        return b'{"lost":"end"}'
    engine.reach = options["reach"]
    plan = Plan(engine.inputs(options["samples"]), options["most_states"], options["most_values"])
    if json.loads(json.dumps([it.report() for it in plan.widgets])) != options["inputs"]:
        return b'{"lost":"end"}'
    from nbc_runner.states.explore import Explorer

    explorer = Explorer(engine, plan, options)
    present, path = plan.widgets, wish["path"]
    for at, step in enumerate(path):
        widget = next(it for it in present if it.id == step["widget"])
        cells, made = engine.apply(widget, step["value"])
        if at < len(path) - 1:
            present = explorer.merged(present, made)
    rest = [frozenset(one) for one in wish["rest"]]
    below, sets = explorer.below(path, present, widget, rest, made)
    tasks = [(it.widget.id, it.index, [sorted(one) for one in it.rest]) for it in explorer.tasks(below, sets)]
    said = {"cells": cells, "widgets": [it.report() for it in made], "below": tasks}
    body = session.channel.encode(said)
    return body if len(body) <= session.state_bytes else session.channel.encode({"lost": "size"})


def _read(pipe: int, deadline: float, most: int) -> bytes:
    """All that is written until the end, if it has at most `most` bytes."""
    pieces: list[bytes] = []
    size = 0
    while select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
        piece = os.read(pipe, 1 << 20)
        if not piece:
            return b"".join(pieces) or b'{"lost":"end"}'
        pieces.append(piece)
        size += len(piece)
        if size > most:
            return b'{"lost":"size"}'
    return b'{"lost":"time"}'
