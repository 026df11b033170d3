"""A process that holds the interpreter, an engine and packages, and is forked for one notebook after the other.

A fork must find what a process of its own would have found: so a package whose import does anything but define
things is not imported here, and a notebook that would have imported something else is sent back.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import importlib.util
import io
import os
import pickle
import random
import re
import signal
import socket
import sys
import tempfile
import traceback
import warnings
import weakref
from typing import TYPE_CHECKING, Any, ClassVar

from nbc_runner.states.traces import shares_memory

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from nbc_runner.console import Console
    from nbc_runner.engine import EngineModule
    from nbc_runner.protocol.channel import Channel
    from nbc_runner.protocol.messages import Cell, Start, Warm

    # Runs a notebook that nobody hears of.
    Rehearse: TypeAlias = Callable[[Start], None]

SET_DUMPABLE = 4
# Packages that look at the shell, or at what else is loaded, when they are imported, and remember it.
# Effects that show outside (output, threads, files) are found out; this list is for the rest.
NEVER = {
    # Choose a bar.
    "tqdm.auto",
    "tqdm.autonotebook",
    "tqdm.notebook",
    # Start with a loop, an engine or a server of their own.
    "nest_asyncio",
    "ray",
    "distributed",
    "pyspark",
    "torch",
    "tensorflow",
    "jax",
}
# Files of the notebook's folder that packages read when they are imported.
SETTINGS = {"matplotlib": ("matplotlibrc",), "numba": (".numba_config.yaml",)}
# Bytes of what packages left in the temporary folder; more is not put into that of each notebook.
MOST_LEFT = 4 << 20


class Held:
    """Modules and settings of this process that a new one would not have before its first cell."""

    # Names at the top that were imported, and those that were looked for and are not there.
    names: ClassVar[set[str]] = set()
    # Modules that packages have brought.
    modules: ClassVar[set[str]] = set()
    # Generators that took their seed from the system.
    generators: ClassVar[list[weakref.ref[random.Random]]] = []
    # Filters of warnings that packages have set.
    filters: ClassVar[list[Any]] = []
    # Files of packages in the temporary folder: path and content.
    files: ClassVar[list[tuple[str, bytes]]] = []
    folder = ""
    library: Any = None


def get_ready(channel: Channel, wish: Warm, engine: EngineModule, rehearse: Rehearse) -> None:
    """Imports, and tells what could not be."""
    Held.library = ctypes.CDLL(None, use_errno=True)
    # Forks need it after the cells, and have it for nothing.
    importlib.import_module("nbc_runner.states.explore")
    folder = wish["folder"]
    before = set(sys.modules)
    filters = list(warnings.filters)
    misses = _Misses()
    sys.meta_path.append(misses)
    left_out = []
    for name in wish["packages"]:
        reason = _import(name, misses)
        if reason is not None:
            left_out.append([name, reason])
    Held.modules = set(sys.modules) - before
    if not left_out:
        _import_late(rehearse, wish, engine)
        why = _spoiled()
        if why is not None:
            raise RuntimeError(f"the engine {why}")
    sys.meta_path.remove(misses)
    Held.filters = [it for it in warnings.filters if it not in filters]
    Held.names = {name.partition(".")[0] for name in sys.modules if name not in before} | misses.names
    Held.files = _left_files()
    Held.folder = folder
    gc.collect()
    # A collection would write to every page that the forks share.
    gc.freeze()
    # The forks are of the same user, and must neither read nor write this process.
    _set_dumpable(0)
    channel.send({"event": "warm", "left_out": left_out})


def _set_dumpable(value: int) -> None:
    if Held.library.prctl(SET_DUMPABLE, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "a process cannot hide itself")


class _Misses:
    """Last on the path of finders: hears of what nobody found."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if path is None:
            self.names.add(name.partition(".")[0])
        return


class _Stream(io.TextIOBase):
    """Standard output or error while packages are imported: some keep it, as the default of an argument."""

    errors = "replace"
    newlines = None
    encoding = "utf-8"

    def __init__(self, name: str) -> None:
        self._name = name
        self.is_used = False
        # The notebook's own, once there is one.
        self.target: Any = None

    @property
    def name(self) -> str:
        return f"<{self._name}>"

    @property
    def buffer(self) -> Any:
        self.is_used = True
        return (self.target or getattr(sys, f"__{self._name}__")).buffer

    def write(self, text: str) -> int:
        self.is_used = True
        return len(text) if self.target is None else self.target.write(text)

    def fileno(self) -> int:
        return 1 if self._name == "stdout" else 2

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        pass


STREAMS = _Stream("stdout"), _Stream("stderr")


def _import(name: str, misses: _Misses) -> str | None:
    """Imports a package; tells what speaks against it."""
    if name in NEVER or name.partition(".")[0] in NEVER:
        return "depends on where it is imported"
    try:
        top = name.partition(".")[0]
        was_missed = top in misses.names
        if importlib.util.find_spec(top) is None:
            # A module of the notebook's folder, or none at all: the notebook will see.
            if not was_missed:
                misses.names.discard(top)
            return None
    except (ImportError, ValueError):
        return None
    before = _state()
    out, err = sys.stdout, sys.stderr
    show, seed = warnings.showwarning, random.Random.seed
    said: list[Any] = []
    asked: list[bool] = []
    restore = _watch_shell(asked)

    def seeded(self: random.Random, a: Any = None, *rest: Any) -> None:
        if a is None:
            Held.generators.append(weakref.ref(self))
        return seed(self, a, *rest)

    saved = [os.dup(1), os.dup(2)]
    written = tempfile.TemporaryFile(buffering=0)
    os.dup2(written.fileno(), 1)
    os.dup2(written.fileno(), 2)
    sys.stdout, sys.stderr = STREAMS
    warnings.showwarning = lambda *rest, **named: said.append(rest)
    setattr(random.Random, "seed", seeded)  # noqa: B010 (a checker takes methods for fixed)
    failure = None
    try:
        exec(compile(f"import {name}", "<cell>", "exec", dont_inherit=True), {"__name__": "__main__"})
    except BaseException as problem:
        failure = problem
    finally:
        setattr(random.Random, "seed", seed)  # noqa: B010
        warnings.showwarning = show
        sys.stdout, sys.stderr = out, err
        os.dup2(saved[0], 1)
        os.dup2(saved[1], 2)
        size = os.fstat(written.fileno()).st_size
        written.close()
        for descriptor in saved:
            os.close(descriptor)
        restore()
    if failure is not None:
        return f"raised {type(failure).__name__}"
    if said or size or any(it.is_used for it in STREAMS):
        return "says something"
    if asked:
        return "asks for the shell"
    return _changed(before, _state()) or _spoiled()


def _watch_shell(asked: list[bool]) -> Callable[[], None]:
    """Notes whether a package asks for IPython's shell, which is there only in the fork."""
    module: Any = sys.modules.get("IPython.core.getipython")
    if module is None:
        return lambda: None
    places = [(it, "get_ipython") for it in (module, sys.modules["IPython"]) if hasattr(it, "get_ipython")]
    saved = [(it, name, getattr(it, name)) for it, name in places]

    def get_ipython() -> None:
        asked.append(True)
        return

    for it, name in places:
        setattr(it, name, get_ipython)

    def restore() -> None:
        for it, name, value in saved:
            setattr(it, name, value)
        # Whoever imported the name has ours.
        for other in list(sys.modules.values()):
            if getattr(other, "__dict__", {}).get("get_ipython") is get_ipython:
                setattr(other, "get_ipython", saved[0][2])  # noqa: B010

    return restore


def _state() -> dict[str, Any]:
    """State of the process that an import must not change."""
    signals = {it: signal.getsignal(it) for it in signal.valid_signals()}
    return {
        "the environment": dict(os.environ),
        "the working folder": os.getcwd(),
        "signals": signals,
        "the search path": list(sys.path),
        "open files": set(os.listdir("/proc/self/fd")),
        "hooks": (sys.excepthook, sys.displayhook, sys.gettrace(), sys.getprofile(), sys.stdout, sys.stderr),
        "the mask": _umask(),
    }


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _changed(before: dict[str, Any], after: dict[str, Any]) -> str | None:
    for what, value in before.items():
        present = after[what]
        if what == "the environment":
            # Names that a package adds would be there right after the notebook imported it.
            present = {name: present.get(name) for name in value}
        if value != present:
            return f"changes {what}"
    return None


def _spoiled() -> str | None:
    """Why this process cannot be forked; `None` if it can."""
    try:
        os.waitpid(-1, os.WNOHANG)
        return "starts processes"
    except ChildProcessError:
        pass
    if _threads() > 0:
        # Libraries that know of forks end their threads before one.
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        if _threads() > 0:
            return "has threads"
    if shares_memory():
        return "shares memory"
    return None


# jemalloc's own thread: it knows of forks, and does without in a child.
HARMLESS_THREADS = {"jemalloc_bg_thd"}


def _threads() -> int:
    """Number of threads that a fork would miss."""
    names: list[str] = []
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/comm") as file:
                names.append(file.read().strip())
        except OSError:
            # It ended meanwhile.
            continue
    return sum(it not in HARMLESS_THREADS for it in names) - 1


# Cells that take the usual ways through an engine.
REHEARSAL = {
    "marimo": ["import marimo as mo", "x = 1\nx", "print(x)", "mo.md(f'**{x}**')", "[x, 'a', {'b': 2}]"],
    "jupyter": ["x = 1\nx", "print(x)", "[x, 'a', {'b': 2}]", "from IPython.display import HTML\nHTML('a')"],
}


def _import_late(rehearse: Rehearse, wish: Warm, engine: EngineModule) -> None:
    """Does what the engine does only when it runs, and only once: a fork tells."""
    codes = REHEARSAL.get(wish["engine"], REHEARSAL["jupyter"])
    cells: list[Cell] = [{"id": at, "code": code, "kind": "code"} for at, code in enumerate(codes)]
    start: Start = {
        "engine": wish["engine"],
        "file": os.path.join(wish["folder"], "notebook.py"),
        "cells": cells,
        "order": list(range(len(cells))),
        "allow_errors": True,
        "limits": wish["limits"],
    }
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(ours)
            rehearse(start)
            told: tuple[Any, ...] = (list(sys.modules), _patterns(), getattr(engine, "remembered", list)())
            with os.fdopen(theirs, "wb") as file:
                pickle.dump(told, file)
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as file:
        said = file.read()
    os.waitpid(pid, 0)
    if not said:
        return
    # Nobody but this process's own code has run there.
    names, patterns, remembered = pickle.loads(said)
    for name in names:
        if name not in sys.modules and not name.startswith("__"):
            try:
                importlib.import_module(name)
            except Exception:
                # It is imported in another way, or was made.
                continue
    for pattern, flags in patterns:
        re.compile(pattern, flags)
    if hasattr(engine, "remember"):
        engine.remember(remembered)


def _patterns() -> list[tuple[Any, int]]:
    """Patterns that `re` has compiled and keeps."""
    kept = [(key[1], key[2]) for key in getattr(re, "_cache", ())]
    return [(pattern, flags) for pattern, flags in kept if isinstance(pattern, (str, bytes))]


def _left_files() -> list[tuple[str, bytes]]:
    """Caches that packages write when they are imported: every notebook finds them in its own folder."""
    found: list[tuple[str, bytes]] = []
    size = 0
    for entry in os.scandir("/tmp"):
        if entry.is_file(follow_symlinks=False) and entry.name.startswith("fontlist-"):
            with open(entry.path, "rb") as file:
                content = file.read(MOST_LEFT + 1)
            size += len(content)
            if size <= MOST_LEFT:
                found.append((entry.path, content))
    return found


def serve(channel: Channel) -> None:
    """Forks for each socket that nbc passes; comes back in the forks, with a channel of their own."""
    connection = socket.socket(fileno=channel.descriptor())
    while True:
        try:
            said, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
        except InterruptedError:
            continue
        if not said or not descriptors:
            os._exit(0)
        pid = os.fork()
        if pid == 0:
            connection.close()
            _become(channel, descriptors[0])
            return
        os.close(descriptors[0])
        os.waitpid(pid, 0)


def _become(channel: Channel, descriptor: int) -> None:
    """Makes a fork what a process of its own would be."""
    os.setsid()
    _set_dumpable(1)
    channel.adopt(descriptor)
    # Settings of an open file hold for all processes that share it.
    own = os.open("/proc/self/fd/2", os.O_WRONLY)
    os.dup2(own, 1)
    os.dup2(own, 2)
    os.close(own)
    os.chdir(Held.folder)
    for path, content in Held.files:
        with open(path, "wb") as file:
            file.write(content)
    for generator in Held.generators:
        it = generator()
        if it is not None:
            it.seed()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    why = _unfit()
    if why is not None:
        channel.send({"event": "unfit", "why": why})
        os._exit(0)
    channel.send({"event": "fit"})


def _unfit() -> str | None:
    """Why this notebook needs a process of its own: its folder has what would have been imported instead."""
    settings = {file for package, files in SETTINGS.items() if package in Held.names for file in files}
    for name in os.listdir("."):
        if name.partition(".")[0] in Held.names or name in settings:
            return name
    return None


def held() -> set[str]:
    """Modules that the notebook will import, and that are here already."""
    return Held.modules


def settle(console: Console) -> None:
    """Once the engine is there: what packages have kept speaks for the notebook, and their filters of warnings come
    before those that were set earlier."""
    STREAMS[0].target, STREAMS[1].target = console.stdout, console.stderr
    if Held.filters:
        others = [it for it in warnings.filters if it not in Held.filters]
        filters: Any = warnings.filters
        filters[:] = [*Held.filters, *others]
        # The cache of `warnings` is emptied when a filter is added.
        warnings.filterwarnings("ignore", message="nbc has changed the filters")
        del filters[0]
