"""Runs one notebook and reports every cell over a socket.

Started by nbc inside the sandbox as `python -s /runner/main.py`. Takes a `start` frame, answers
`hello`, then `started` and `finished` for each cell, and `done`. Standard library only, plus the
engine (marimo or IPython) of the notebook's environment.
"""

import os
import sys

# The files beside this one live in a package of their own: as top-level modules they would shadow
# modules of the same name that the notebook imports. (`-P` does the same, but only from Python 3.11 on.)
FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [entry for entry in sys.path if entry != FOLDER]

import asyncio  # noqa: E402
import gc  # noqa: E402
import json  # noqa: E402
import random  # noqa: E402
import signal  # noqa: E402
import site  # noqa: E402
import time  # noqa: E402
import types  # noqa: E402

package = types.ModuleType("nbc_runner")
package.__path__ = [FOLDER]
sys.modules["nbc_runner"] = package

from nbc_runner import sweep  # noqa: E402
from nbc_runner.channel import Channel, Disconnected  # noqa: E402
from nbc_runner.imports import make_repeatable  # noqa: E402
from nbc_runner.replay import Replays  # noqa: E402
from nbc_runner.session import PROTOCOL, Session, Unavailable  # noqa: E402


def prepare_process(overlays):
    """Sets the process up for any notebook, before any engine is imported."""
    for overlay in overlays or ():
        site.addsitedir(overlay)
    make_repeatable()
    # A file named here is read only when the notebook's folder has none of its own.
    os.environ.setdefault("MATPLOTLIBRC", os.path.join(FOLDER, "matplotlibrc"))
    # Dates inside SVG and PDF files, where nbc has not said another one.
    os.environ.setdefault("SOURCE_DATE_EPOCH", "315532800")


def prepare(start):
    """Sets the process up as this notebook expects it."""
    sys.argv = [start["file"], *(start.get("argv") or ())]
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    if start.get("seed") is not None:
        random.seed(start["seed"])


def module_of(name):
    """The module of an engine; imports the engine, so this is where start-up time goes."""
    if name == "jupyter":
        try:
            import IPython  # noqa: F401
        except ImportError:
            name = "plain"
        else:
            name = "ipython"
    if name == "marimo":
        from nbc_runner import marimo_engine as module
    elif name == "ipython":
        from nbc_runner import ipython_engine as module
    elif name == "plain":
        from nbc_runner import plain_engine as module
    else:
        raise Unavailable(f"there is no engine named `{name}`")
    return module


ENGINES = {"marimo_engine": "MarimoEngine", "ipython_engine": "IPythonEngine", "plain_engine": "PlainEngine"}


def choose(name):
    """The engine's class."""
    module = module_of(name)
    return getattr(module, ENGINES[module.__name__.rpartition(".")[2]])


def converse(channel, is_prepared=False):
    """Answers commands until nbc says `finish` or goes away."""
    # Cells see an interrupt as an exception.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    command = channel.receive()
    if command is None or command["command"] == "finish":
        return
    if command["command"] == "warm" and not is_prepared:
        from nbc_runner import warm

        prepare_process(command["overlays"])
        module = module_of(command["engine"])
        module.prepare()
        warm.get_ready(channel, command, module, rehearse)
        # Comes back in a fork, which has the channel to itself.
        warm.serve(channel)
        converse(channel, True)
        return
    if command["command"] != "start":
        raise Unavailable(f"there is no command named `{command['command']}`")
    start = command["start"]
    if start.get("protocol") != PROTOCOL:
        raise Unavailable(f"the runner speaks protocol {PROTOCOL}")
    if not is_prepared:
        prepare_process(start.get("overlays"))
    prepare(start)
    run(channel, start)


def run(channel, start, is_rehearsal=False):
    """Runs the cells, and then does as nbc asks."""
    session = Session(channel, start)
    with choose(start["engine"])(session) as engine:
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


def rehearse(start):
    """Runs a notebook that nobody hears of."""
    prepare(start)
    run(Nobody(), start, True)


class Nobody(Channel):
    """A channel with no other end."""

    def __init__(self):
        pass

    def send_encoded(self, body):
        pass


def follow(channel, engine, replays, run_seconds):
    """Answers what nbc asks about a run: for its inputs, and for its states."""
    plan = None
    while True:
        command = channel.receive()
        if command is None or command["command"] == "finish":
            return
        if command["command"] == "widgets":
            asked = {name: command[name] for name in ("samples", "most_states", "most_values")}
            inputs = engine.inputs(asked["samples"]) if hasattr(engine, "inputs") else []
            plan = sweep.Plan(inputs, asked["most_states"], asked["most_values"])
            channel.send({
                "event": "widgets",
                "widgets": [it.report() for it in plan.widgets],
                "wanted": min(plan.wanted, (1 << 53) - 1),
                "states": plan.states,
            })
        elif command["command"] == "sweep" and plan is not None:
            options = {**command["options"], **asked, "run_seconds": run_seconds}
            if replays is not None:
                longest = 10 + 5 * run_seconds + options["state_seconds"]
                options["replay_seconds"] = min(options["replay_seconds"], longest)
                # What trials have found out is not tried again.
                own = sweep.resident()
                left = max(options["memory"] - own, 0)
                replays.most = max(1, min(replays.most, left // max(own, 1)))
                replays.options = {
                    **options,
                    "reach": {it.id: (sorted(it.reach), sorted(it.makers or ())) for it in plan.widgets},
                    "inputs": [it.report() for it in plan.widgets],
                    "statuses": {str(it): one.status["kind"] for it, one in engine.session.results.items()},
                    "replay_memory": left // replays.most,
                }
            explorer = sweep.Explorer(engine, plan, options, replays)
            explorer.run(lambda path, body: tell(channel, path, body))
            channel.send({"event": "swept"})
        else:
            raise Unavailable(f"`{command['command']}` cannot follow a run")


# Why a state may be lost, as the protocol has it.
LOSSES = {"time", "end", "size", "process", "limit"}


def tell(channel, path, body):
    """Passes on what one state gave; a process that wrote something else lost its state."""
    try:
        said = json.loads(body)
        if "lost" in said:
            message = {"event": "lost", "path": path, "why": said["lost"] if said["lost"] in LOSSES else "end"}
        else:
            cells = [(int(cell), run) for cell, run in said["cells"].items()]
            message = {"event": "state", "path": path, "cells": cells, "widgets": said["widgets"]}
        body = channel.encode(message)
    except Exception:
        body = channel.encode({"event": "lost", "path": path, "why": "end"})
    channel.send_encoded(body)


def main():
    # An engine stays as long as the process: looking for garbage in it would be a tenth of its import.
    gc.disable()
    channel = Channel(int(os.environ.pop("NBC_CHANNEL")))
    status = 0
    try:
        converse(channel)
    except Disconnected:
        status = 2
    except Unavailable as problem:
        channel.send({"event": "fatal", "message": str(problem)})
        channel.receive()
        status = 2
    except BaseException as problem:
        import traceback

        text = "".join(traceback.format_exception(type(problem), problem, problem.__traceback__))
        channel.send({"event": "fatal", "message": f"the runner failed: {text[-8000:]}"})
        channel.receive()
        status = 2
    return status


if __name__ == "__main__":
    try:
        code = main()
    except Disconnected:
        code = 2
    # Threads and exit handlers of the notebook's libraries have no work left that a page needs, and
    # some would wait for ever; the sandbox ends what is still running.
    os._exit(code)
