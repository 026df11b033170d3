"""Takes a `start` frame, answers `hello`, then `started` and `finished` for each cell, and `done`; then states."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import signal
import site
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any

from nbc_runner import engine as engines
from nbc_runner.engine import Unavailable
from nbc_runner.imports import make_repeatable
from nbc_runner.protocol.channel import Channel, Disconnected
from nbc_runner.protocol.constants import constants
from nbc_runner.session import Session
from nbc_runner.states import processes
from nbc_runner.states.plan import Plan
from nbc_runner.states.replay import Replays

if TYPE_CHECKING:
    from nbc_runner.engine import Engine
    from nbc_runner.protocol.messages import Options, Start, Step

# The folder of the program, with settings of libraries beside it.
FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def prepare_process(overlays: list[str] | None) -> None:
    """Sets the process up for any notebook, before any engine is imported."""
    for overlay in overlays or ():
        site.addsitedir(overlay)
    make_repeatable()
    # A file named here is read only when the notebook's folder has none of its own.
    os.environ.setdefault("MATPLOTLIBRC", os.path.join(FOLDER, "matplotlibrc"))


def prepare(start: Start) -> None:
    """Sets the process up as this notebook expects it."""
    sys.argv = [start["file"], *(start.get("argv") or ())]
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    if start.get("seed") is not None:
        random.seed(start["seed"])


def converse(channel: Channel, is_prepared: bool = False) -> None:
    """Answers commands until nbc says `finish` or goes away."""
    # Cells see an interrupt as an exception.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    command = channel.receive()
    if command is None or command["command"] == "finish":
        return
    if command["command"] == "warm" and not is_prepared:
        from nbc_runner import warm

        prepare_process(command["overlays"])
        module = engines.load(command["engine"])
        module.prepare()
        warm.get_ready(channel, command, module, rehearse)
        # Comes back in a fork, which has the channel to itself.
        warm.serve(channel)
        converse(channel, True)
        return
    if command["command"] != "start":
        raise Unavailable(f"there is no command named `{command['command']}`")
    start = command["start"]
    if not is_prepared:
        prepare_process(start.get("overlays"))
    prepare(start)
    run(channel, start)


def run(channel: Channel, start: Start, is_rehearsal: bool = False) -> None:
    """Runs the cells, and then does as nbc asks."""
    session = Session(channel, start)
    with engines.load(start["engine"]).ENGINE(session) as engine:
        # Only after the engine is there: a notebook beside a file `markdown.py` must not make
        # marimo import that file.
        folder = os.path.dirname(start["file"])
        if folder not in sys.path:
            sys.path.insert(0, folder)
        if "nbc_runner.warm" in sys.modules:
            sys.modules["nbc_runner.warm"].settle(session.console)
        session.hello(engine.name, engine.version)
        # It does not run while states are forked.
        engine.loop = loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        replays = Replays(engine, start["replays"]) if start.get("replays") else None
        gc.freeze()
        gc.enable()
        began = time.monotonic()
        loop.run_until_complete(engine.run())
        session.done()
        if is_rehearsal:
            return
        # Stays alive, with the notebook's objects, for commands about this run.
        follow(channel, engine, replays, time.monotonic() - began)


def rehearse(start: Start) -> None:
    """Runs a notebook that nobody hears of."""
    prepare(start)
    run(Nobody(), start, True)


class Nobody(Channel):
    """A channel with no other end."""

    def __init__(self) -> None:
        pass

    def send_encoded(self, body: bytes) -> None:
        """Nobody hears it."""


def follow(channel: Channel, engine: Engine, replays: Replays | None, run_seconds: float) -> None:
    """Answers what nbc asks about a run: for its inputs, and for its states."""
    plan = None
    asked: dict[str, Any] = {}
    while True:
        command = channel.receive()
        if command is None or command["command"] == "finish":
            return
        if command["command"] == "widgets":
            asked = {name: command[name] for name in ("samples", "most_states", "most_values")}
            inputs = engine.inputs(asked["samples"])
            plan = Plan(inputs, asked["most_states"], asked["most_values"])
            channel.send(
                {
                    "event": "widgets",
                    "widgets": [it.report() for it in plan.widgets],
                    "wanted": min(plan.wanted, constants.largest_count),
                    "states": plan.states,
                }
            )
        elif command["command"] == "sweep" and plan is not None:
            options: Options = {**command["options"], **asked, "run_seconds": run_seconds}  # type: ignore[typeddict-item]
            if replays is not None:
                prepare_replays(replays, engine, plan, options)
            # Most notebooks have no inputs, and each process compiles the modules that it imports.
            from nbc_runner.states.explore import Explorer

            explorer = Explorer(engine, plan, options, replays)
            explorer.run(lambda path, body: tell(channel, path, body))
            channel.send({"event": "swept"})
        else:
            raise Unavailable(f"`{command['command']}` cannot follow a run")


def prepare_replays(replays: Replays, engine: Engine, plan: Plan, options: Options) -> None:
    """Passes on the bounds, and the findings of trials, which are not tried again."""
    longest = 10 + 5 * options["run_seconds"] + options["state_seconds"]
    options["replay_seconds"] = min(options["replay_seconds"], longest)
    own = processes.resident()
    left = max(options["memory"] - own, 0)
    replays.most = max(1, min(replays.most, left // max(own, 1)))
    replays.options = {
        **options,
        "reach": {it.id: (sorted(it.reach), sorted(it.makers or ())) for it in plan.widgets},
        "inputs": [it.report() for it in plan.widgets],
        "statuses": {str(it): one.status["kind"] for it, one in engine.session.results.items()},
        "replay_memory": left // replays.most,
    }


def tell(channel: Channel, path: list[Step], body: bytes) -> None:
    """Passes on what one state gave; a process that wrote something else lost its state."""
    try:
        said = json.loads(body)
        if "lost" in said:
            message = {
                "event": "lost",
                "path": path,
                "why": said["lost"] if said["lost"] in constants.losses else "end",
            }
        else:
            cells = [(int(cell), run) for cell, run in said["cells"].items()]
            message = {"event": "state", "path": path, "cells": cells, "widgets": said["widgets"]}
        body = channel.encode(message)
    except Exception:
        body = channel.encode({"event": "lost", "path": path, "why": "end"})
    channel.send_encoded(body)


def main() -> int:
    """Runs until nbc says `finish` or goes away; gives the exit code."""
    # An engine stays as long as the process: looking for garbage in it would be a tenth of its import.
    gc.disable()
    channel = Channel(int(os.environ.pop("NBC_CHANNEL")))
    try:
        return answer(channel)
    except Disconnected:
        return 2


def answer(channel: Channel) -> int:
    """Answers nbc, and tells it why that cannot go on; gives the exit code."""
    try:
        converse(channel)
        return 0
    except Disconnected:
        raise
    except Unavailable as problem:
        message = str(problem)
    except BaseException as problem:
        text = "".join(traceback.format_exception(type(problem), problem, problem.__traceback__))
        message = f"the runner failed: {text[-8000:]}"
    channel.send({"event": "fatal", "message": message})
    channel.receive()
    return 2
