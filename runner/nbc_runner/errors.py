"""Exceptions as plain data: name, message, the cells they went through, and the traceback."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from nbc_runner.protocol.constants import constants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbc_runner.protocol.messages import Frame, Locate, Status


def failed(problem: BaseException, locate: Locate) -> Status:
    """The status of a cell that raised `problem`.

    `locate(file name, line)` gives `(cell, line)` for code of a cell, and `None` for other code.
    """
    frames: list[Frame] = []
    trace = getattr(problem, "__traceback__", None)
    # A recursion error has a thousand frames of which the last say most.
    for frame, line in list(traceback.walk_tb(trace))[-10 * constants.error_frames :]:
        place = locate(frame.f_code.co_filename, line or 1)
        if place is not None:
            frames.append({"cell": place[0], "line": max(1, place[1])})
    if isinstance(problem, SyntaxError) and problem.filename:
        place = locate(problem.filename, problem.lineno or 1)
        if place is not None:
            frames.append({"cell": place[0], "line": max(1, place[1])})
    return status(type(problem).__name__, _message(problem), frames, _text(problem, locate))


def status(name: str, message: str, frames: Sequence[Frame] = (), text: str = "") -> Status:
    """The status of a failed cell from its parts."""
    return {
        "kind": "failed",
        "error": {
            "name": str(name)[: constants.error_name],
            "message": message[: constants.error_message],
            "frames": list(frames)[-constants.error_frames :],
            "traceback": _shorten(text or f"{name}: {message}"),
        },
    }


def _message(problem: BaseException) -> str:
    try:
        return str(problem)
    except Exception:
        return "<the exception has no text>"


def _text(problem: BaseException, locate: Locate) -> str:
    try:
        whole = traceback.TracebackException.from_exception(problem)
        _cut(whole, locate, set())
        return "".join(whole.format())
    except Exception:
        return ""


def _cut(part: traceback.TracebackException | None, locate: Locate, seen: set[int]) -> None:
    """Drops the frames of the runner and of the engine, which come before the first cell."""
    if part is None or id(part) in seen:
        return
    seen.add(id(part))
    if part.stack:
        first = None
        for at, frame in enumerate(part.stack):
            place = locate(frame.filename, frame.lineno or 1)
            if place is not None:
                first = at if first is None else first
                frame.line  # noqa: B018 (read now: it is found by the file name)
                # Diagnostics count cells from one.
                frame.filename = f"<cell {place[0] + 1}>"
        del part.stack[: first or 0]
    _cut(part.__cause__, locate, seen)
    _cut(part.__context__, locate, seen)
    for member in getattr(part, "exceptions", None) or ():
        _cut(member, locate, seen)


def _shorten(text: str) -> str:
    if len(text) <= constants.error_traceback:
        return text
    half = constants.error_traceback // 2
    return f"{text[:half]}\n  ...\n{text[-half:]}"
