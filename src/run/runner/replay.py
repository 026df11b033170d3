"""States without a fork of the run: processes that have run nothing yet run the whole notebook, then set the inputs.

For libraries whose threads do not survive a fork. The processes are forked before the first cell runs, while there
are no such threads.
"""

import asyncio
import json
import os
import select
import socket
import struct
import time

from nbc_runner.sweep import (
    LARGEST_STATE, LEAST_MEMORY, Explorer, Plan, end_group, limit_memory, write_all,
)


class Replays:
    """Processes that wait for states to run."""

    def __init__(self, engine, count):
        self._sockets = []
        self.options = None
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

    def close(self):
        """Takes the processes out of reach of a fork."""
        for one in self._sockets:
            one.close()
        self._sockets = []

    def run(self, states, take):
        """Runs states: paths, each with the sets below it. `take` gets what each gave."""
        states = list(reversed(states))
        busy, free = {}, list(self._sockets)
        while states or busy:
            while states and free:
                one, (path, rest) = free.pop(), states.pop()
                try:
                    _send(one, {"path": path, "rest": rest, "options": self.options})
                    busy[one] = (path, rest)
                except OSError:
                    self._sockets.remove(one)
                    states.append((path, rest))
            if not busy:
                for path, rest in states:
                    take(path, rest, {"lost": "process"})
                return
            for one in select.select(list(busy), [], [])[0]:
                path, rest = busy.pop(one)
                said = _receive(one)
                if said is None:
                    self._sockets.remove(one)
                    said = {"lost": "end"}
                else:
                    free.append(one)
                take(path, rest, said)


def _serve(engine, connection):
    """Forks a process for each state that is asked for."""
    while True:
        wish = _receive(connection)
        if wish is None:
            return
        pipe, workers_pipe = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.setpgid(0, 0)
                os.close(pipe)
                connection.close()
                write_all(workers_pipe, _state(engine, wish))
            finally:
                os._exit(0)
        os.close(workers_pipe)
        said = _read(pipe, time.monotonic() + wish["options"]["replay_seconds"])
        end_group(pid)
        os.close(pipe)
        try:
            _send(connection, json.loads(said))
        except ValueError:
            _send(connection, {"lost": "end"})


def _state(engine, wish):
    """Runs the notebook and then sets the inputs of a path."""
    session, options = engine.session, wish["options"]
    session.fork()
    limit_memory(max(LEAST_MEMORY, options["memory"] // max(1, options["jobs"])))
    engine.loop = asyncio.new_event_loop()
    asyncio.set_event_loop(engine.loop)
    engine.loop.run_until_complete(engine.run())
    engine.reach = options["reach"]
    plan = Plan(engine.inputs(options["samples"]), options["most_states"], options["most_values"])
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
    return body if len(body) <= LARGEST_STATE else session.channel.encode({"lost": "size"})


def _read(pipe, deadline):
    """All that is written until the end."""
    pieces, size = [], 0
    while select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
        piece = os.read(pipe, 1 << 20)
        if not piece:
            return b"".join(pieces) or b'{"lost":"end"}'
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST_STATE:
            return b'{"lost":"size"}'
    return b'{"lost":"time"}'


def _send(connection, message):
    body = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
    connection.sendall(struct.pack(">I", len(body)) + body)


def _receive(connection):
    pieces = b""
    try:
        while len(pieces) < 4 or len(pieces) < 4 + struct.unpack(">I", pieces[:4])[0]:
            piece = connection.recv(1 << 20)
            if not piece:
                return None
            pieces += piece
        return json.loads(pieces[4:])
    except (OSError, ValueError):
        return None
