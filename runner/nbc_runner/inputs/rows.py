"""Rows of numbers: what a control between two bounds can stand on."""

import math

from nbc_runner.inputs.values import MOST_LISTED


class Unbounded(Exception):
    """This input has more values than can be listed; the text says why."""


def number_text(value):
    """A number as a reader reads it."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)


def _decimals(*values):
    most = 0
    for value in values:
        if isinstance(value, float):
            text = repr(value)
            if "e-" in text:
                most = max(most, int(text.split("e-")[1]) + len(text.split("e")[0].partition(".")[2]))
            else:
                most = max(most, len(text.partition(".")[2]))
    return min(most, 15)


def row_of(arguments, initial, wish, present=()):
    """The numbers that a control can stand on, and how many there are."""
    start, stop, step = arguments.get("start"), arguments.get("stop"), arguments.get("step")
    steps = arguments.get("steps")
    if steps:
        row = list(range(len(steps)))
        if isinstance(wish, list):
            row = [at for at in row if steps[at] in wish or at in present]
        elif wish is not None:
            row = [at for at in row if at % every(wish, 1) == 0 or at in present]
        return row, [number_text(steps[at]) for at in row], len(steps)
    if isinstance(wish, list):
        low = -math.inf if start is None else start
        high = math.inf if stop is None else stop
        # A control holds what its step leads to, and one of whole numbers no other.
        whole = not step and all(isinstance(it, int) for it in (start, stop, *present))
        unit = 1 if whole else step

        def is_held(it):
            if not isinstance(it, (int, float)) or isinstance(it, bool) or not low <= it <= high:
                return False
            if not unit or start is None:
                return True
            steps = (it - start) / unit
            return abs(steps - round(steps)) < 1e-6

        row = sorted({*filter(is_held, wish), *present})
        return row, [number_text(it) for it in row], len(row)
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
    total = int(math.floor((stop - start) / step + 1e-9)) + 1
    stride = max(1, -(-total // MOST_LISTED))
    decimals = _decimals(start, step, stop) if not (is_continuous and isinstance(step, float)) else 12
    row = []
    for at in range(0, total, stride):
        value = start + at * step
        row.append(round(value, decimals) if isinstance(value, float) else value)
    # Both ends can be reached, whatever the author's stride.
    if wish is not None and row[-1] < stop and is_reached:
        row.append(stop)
        total += 1
    extra = [it for it in present if isinstance(it, (int, float)) and it not in row]
    row = sorted({*row, *extra})
    return row, [number_text(it) for it in row], max(total, len(row))


def every(wish, step):
    """`every 5` of the author's."""
    if isinstance(wish, str) and wish.startswith("every "):
        return float(wish[6:]) if "." in wish else int(wish[6:])
    return step


def pairs_of(row, labels, total, initial):
    """Every two of a row, the lower first."""
    keep = row
    size = len(row)
    if size * (size + 1) // 2 > MOST_LISTED:
        count = int(math.sqrt(2 * MOST_LISTED)) - 1
        at = sorted({*(round(i * (size - 1) / (count - 1)) for i in range(count)), *(row.index(it) for it in initial)})
        keep = [row[it] for it in at]
    text = dict(zip(map(repr, row), labels))
    pairs = [[low, high] for i, low in enumerate(keep) for high in keep[i:]]
    return pairs, [f"{text[repr(low)]} – {text[repr(high)]}" for low, high in pairs], total * (total + 1) // 2
