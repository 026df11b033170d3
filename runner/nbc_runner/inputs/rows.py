"""Rows of numbers: what a control between two bounds can stand on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nbc_runner.protocol.constants import constants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbc_runner.protocol.messages import Json, Wish


class Unbounded(Exception):
    """This input has more values than can be listed; the text says why."""


def number_text(value: object) -> str:
    """A number as a reader reads it."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)


def _decimals(*values: object) -> int:
    most = 0
    for value in values:
        if isinstance(value, float):
            text = repr(value)
            if "e-" in text:
                most = max(most, int(text.split("e-")[1]) + len(text.split("e")[0].partition(".")[2]))
            else:
                most = max(most, len(text.partition(".")[2]))
    return min(most, 15)


def row_of(arguments: dict[str, Any], wish: Wish, present: Sequence[Any] = ()) -> tuple[list[Any], list[str], int]:
    """The numbers that a control can stand on, and how many there are."""
    steps = arguments.get("steps")
    if steps:
        row: list[Any] = list(range(len(steps)))
        if isinstance(wish, list):
            row = [at for at in row if steps[at] in wish or at in present]
        elif wish is not None:
            row = [at for at in row if at % every(wish, 1) == 0 or at in present]
        return row, [number_text(steps[at]) for at in row], len(steps)
    if isinstance(wish, list):
        row = _chosen(arguments, wish, present)
        return row, [number_text(it) for it in row], len(row)
    row, total = _even(arguments, wish, present)
    return row, [number_text(it) for it in row], max(total, len(row))


def _chosen(arguments: dict[str, Any], wish: list[Any], present: Sequence[Any]) -> list[Any]:
    """The numbers of a list that the control can hold."""
    start, stop, step = arguments.get("start"), arguments.get("stop"), arguments.get("step")
    low = -math.inf if start is None else start
    high = math.inf if stop is None else stop
    # A control holds what its step leads to, and one of whole numbers no other.
    whole = not step and all(isinstance(it, int) for it in (start, stop, *present))
    unit = 1 if whole else step

    def is_held(it: Any) -> bool:
        if not isinstance(it, (int, float)) or isinstance(it, bool) or not low <= it <= high:
            return False
        if not unit or start is None:
            return True
        steps = (it - start) / unit
        return bool(abs(steps - round(steps)) < 1e-6)

    return sorted({*filter(is_held, wish), *present})


def _even(arguments: dict[str, Any], wish: Wish, present: Sequence[Any]) -> tuple[list[Any], int]:
    """Numbers from one bound to the other, and how many there are if none is left out."""
    start: Any = arguments.get("start")
    stop: Any = arguments.get("stop")
    step: Any = arguments.get("step")
    if start is None or stop is None:
        raise Unbounded("it has no bounds")
    if not all(isinstance(it, (int, float)) and math.isfinite(it) for it in (start, stop)):
        raise Unbounded("its bounds are no numbers")
    is_continuous = not step
    if is_continuous:
        whole = all(isinstance(it, int) for it in (start, stop, *present))
        step = 1 if whole else (stop - start) / 100
    is_reached = is_continuous or abs((stop - start) / step - round((stop - start) / step)) < 1e-6
    if wish is not None:
        step = every(wish, step)
    if step <= 0:
        raise Unbounded("its step is not positive")
    total = math.floor((stop - start) / step + 1e-9) + 1
    stride = max(1, -(-total // constants.listed_values))
    decimals = _decimals(start, step, stop) if not (is_continuous and isinstance(step, float)) else 12
    row: list[Any] = []
    for at in range(0, total, stride):
        value = start + at * step
        row.append(round(value, decimals) if isinstance(value, float) else value)
    # Both ends can be reached, whatever the author's stride.
    if wish is not None and row[-1] < stop and is_reached:
        row.append(stop)
        total += 1
    extra = [it for it in present if isinstance(it, (int, float)) and it not in row]
    return sorted({*row, *extra}), total


def every(wish: Wish, step: Any) -> Any:
    """`every 5` of the author's."""
    if isinstance(wish, str) and wish.startswith("every "):
        return float(wish[6:]) if "." in wish else int(wish[6:])
    return step


def pairs_of(
    row: list[Any],
    labels: list[str],
    total: int,
    initial: Sequence[Any],
) -> tuple[list[Json], list[str], int]:
    """Every two of a row, the lower first."""
    keep = row
    size = len(row)
    if size * (size + 1) // 2 > constants.listed_values:
        count = int(math.sqrt(2 * constants.listed_values)) - 1
        at = sorted({*(round(i * (size - 1) / (count - 1)) for i in range(count)), *(row.index(it) for it in initial)})
        keep = [row[it] for it in at]
    text = dict(zip(map(repr, row), labels))
    pairs = [[low, high] for i, low in enumerate(keep) for high in keep[i:]]
    return pairs, [f"{text[repr(low)]} – {text[repr(high)]}" for low, high in pairs], total * (total + 1) // 2
