"""The states of a notebook that are run: which inputs cells depend on together, and which of their values are tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TypeAlias

    from nbc_runner.inputs.values import Widget

    # Ids of inputs that some cell depends on together.
    Ids: TypeAlias = frozenset[str]


def maximal(sets: Iterable[Ids]) -> list[Ids]:
    """The sets that are part of no other one."""
    kept: list[Ids] = []
    for one in sorted(set(sets), key=lambda it: (-len(it), sorted(it))):
        if one and not any(one <= other for other in kept):
            kept.append(one)
    return kept


def spaces(widgets: Iterable[Widget], cells: frozenset[int] | None = None) -> list[Ids]:
    """For the cells that some input reaches: which inputs they depend on together."""
    by_cell: dict[int, set[str]] = {}
    for widget in widgets:
        for cell in widget.reach if cells is None else widget.reach & cells:
            by_cell.setdefault(cell, set()).add(widget.id)
    return maximal(frozenset(ids) for ids in by_cell.values())


def steps(sets: list[Ids], order: Sequence[str]) -> Iterator[tuple[str, list[Ids]]]:
    """The inputs to set next, each with the sets that are left to run after it."""
    while sets:
        first = next((it for it in order if any(it in one for one in sets)), None)
        if first is None:
            return
        rest = maximal(one - {first} for one in sets if first in one)
        yield first, rest
        sets = maximal(rest + [one for one in sets if first not in one])


def in_order(widgets: Iterable[Widget]) -> list[str]:
    """Ids in the order in which inputs are set: what starts a run comes last, since it is over after that."""
    return [it.id for it in sorted(widgets, key=lambda it: it.kind == "run_button")]


def number_of_states(
    sets: list[Ids],
    order: Sequence[str],
    counts: dict[str, int],
    known: dict[tuple[Ids, ...], int] | None = None,
) -> int:
    """States besides the present one that a sweep over these sets runs."""
    known = {} if known is None else known
    key = tuple(sets)
    if key not in known:
        total = 0
        for first, rest in steps(sets, order):
            total += (counts[first] - 1) * (1 + number_of_states(rest, order, counts, known))
        known[key] = total
    return known[key]


class Plan:
    """Which values of which inputs are run."""

    def __init__(self, widgets: list[Widget], most_states: int, most_values: int) -> None:
        self.widgets = widgets
        self.order = in_order(widgets)
        counts = {it.id: it.all() for it in widgets}
        self.wanted = self._states(counts)
        for widget in widgets:
            for leaf in widget.leaves():
                if widget.reach:
                    leaf.thin(most_values)
        self._fit(most_states)
        # Inputs that a state makes anew keep the same number of values.
        self.most = {
            leaf.id: len(leaf.values) for it in widgets for leaf in it.leaves() if len(leaf.values) < leaf.total
        }
        self.states = self._states({it.id: it.count() for it in widgets})

    def _states(self, counts: dict[str, int]) -> int:
        return number_of_states(spaces(self.widgets), self.order, counts)

    def _fit(self, most: int) -> None:
        """Leaves values out, of the inputs that have most of them, until few enough states are left."""
        while self._states({it.id: it.count() for it in self.widgets}) > most:
            leaves = [leaf for it in self.widgets if it.reach for leaf in it.leaves()]
            largest = max(leaves, key=lambda it: len(it.values), default=None)
            if largest is None or len(largest.values) <= 1:
                return
            count = len(largest.values)
            largest.thin(max(1 if count <= 3 else 3, count * 4 // 5))
