"""Engines: marimo, IPython and plain Python run cells, each in a module that is imported only when it is needed."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio

    from nbc_runner.inputs.values import Widget
    from nbc_runner.protocol.messages import CellRun, Samples
    from nbc_runner.session import Session


class Unavailable(Exception):
    """The notebook cannot be run; the text says why."""


class Engine:
    """One run of a notebook's cells, and of its states."""

    name = ""
    version = ""
    # The loop of the run.
    loop: asyncio.AbstractEventLoop
    # Cells that inputs reach and the inputs that make them anew, by id, where another process has found it out.
    reach: dict[str, tuple[list[int], list[str]]] | None = None

    def __init__(self, session: Session) -> None:
        self.session = session

    def __enter__(self) -> Engine:
        raise NotImplementedError

    def __exit__(self, *problem: object) -> None:
        # The end of the process frees everything.
        pass

    async def run(self) -> None:
        """Runs all cells."""
        raise NotImplementedError

    def inputs(self, samples: Samples) -> list[Widget]:
        """The inputs after the run; `samples` are values that the author chose, by the input's name."""
        return []

    def vanished(self, widgets: list[Widget]) -> set[str]:
        """Ids of inputs that are no more."""
        raise NotImplementedError

    def apply(self, widget: Widget, index: int) -> tuple[dict[int, CellRun], list[Widget]]:
        """Sets an input as a reader would; gives the new results of cells, and the inputs made anew."""
        raise NotImplementedError


class EngineModule(Protocol):
    """A module with an engine."""

    ENGINE: type[Engine]

    def prepare(self) -> None:
        """Sets what packages look at when they are imported."""


def load(name: str) -> EngineModule:
    """The module of an engine; imports the engine, so this is where start-up time goes."""
    if name == "jupyter":
        try:
            import IPython  # noqa: F401
        except ImportError:
            name = "plain"
        else:
            name = "ipython"
    if name not in ("marimo", "ipython", "plain"):
        raise Unavailable(f"there is no engine named `{name}`")
    return importlib.import_module(f"nbc_runner.engine.{name}")
