"""Types of the messages that nbc and the runner exchange. Only type checkers read this file."""

from __future__ import annotations

from typing import Any, Literal, Protocol, TypeAlias, TypedDict

from typing_extensions import NotRequired

# A value that `json` reads and writes.
Json: TypeAlias = Any
# Reasons for which a state gave nothing.
Loss: TypeAlias = Literal["time", "end", "size", "process", "limit"]
# `(cell, line)` of a line of a file, or nothing for a file that is no cell.
Place: TypeAlias = tuple[int, int] | None


class Locate(Protocol):
    """Finds the cell of a line of code."""

    def __call__(self, file: str, line: int, /) -> Place:
        """Gives the cell and its line."""


class Limits(TypedDict):
    """Bounds of one run."""

    output_bytes: int
    total_bytes: int
    outputs: int
    rows: int
    cell_bytes: int
    state_bytes: int
    constants: dict[str, Json]


class Cell(TypedDict):
    """A cell to run."""

    id: int
    code: str
    kind: str
    disabled: NotRequired[bool]
    raises_exception: NotRequired[bool]
    skip_execution: NotRequired[bool]


class Start(TypedDict):
    """One run of one notebook."""

    engine: str
    file: str
    cells: list[Cell]
    order: list[int]
    limits: Limits
    protocol: NotRequired[int]
    argv: NotRequired[list[str]]
    app: NotRequired[dict[str, str | None]]
    overlays: NotRequired[list[str]]
    seed: NotRequired[int | None]
    allow_errors: NotRequired[bool]
    replays: NotRequired[int]


class Warm(TypedDict):
    """Packages to import before notebooks are forked."""

    overlays: list[str]
    engine: str
    packages: list[str]
    folder: str
    limits: Limits


class Frame(TypedDict):
    """A line of a cell that an exception went through."""

    cell: int
    line: int


class Error(TypedDict):
    """An exception."""

    name: str
    message: str
    frames: list[Frame]
    traceback: str


class Status(TypedDict):
    """The end of a cell."""

    kind: Literal["finished", "stopped", "skipped", "failed"]
    error: NotRequired[Error]


class LeftOut(TypedDict):
    """Something that an output lacks because of its size."""

    what: str
    mime: NotRequired[str]
    bytes: NotRequired[int]
    count: NotRequired[int]


class Bundle(TypedDict):
    """Representations of one display, by MIME type."""

    data: dict[str, Json]
    metadata: dict[str, Json]


class CellRun(TypedDict):
    """A cell's result."""

    status: Status
    outputs: list[dict[str, Json]]
    left_out: NotRequired[list[LeftOut]]


class Step(TypedDict):
    """An input and the index of the value that it is set to."""

    widget: str
    value: int


# Values that the author chose for an input: a list, or `every N`.
Wish: TypeAlias = list[Any] | str | None
Samples: TypeAlias = dict[str, Wish]


class Options(TypedDict):
    """Bounds of all states of a notebook."""

    state_seconds: float
    replay_seconds: float
    jobs: int
    memory: int
    samples: Samples
    most_states: int
    most_values: int
    run_seconds: float
    # For replays only.
    reach: NotRequired[dict[str, tuple[list[int], list[str]]]]
    inputs: NotRequired[list[Json]]
    statuses: NotRequired[dict[str, str]]
    replay_memory: NotRequired[int]
