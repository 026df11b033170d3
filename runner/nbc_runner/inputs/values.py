"""An input, its values, and which of them stay where they are too many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbc_runner.protocol.constants import constants

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from nbc_runner.protocol.messages import Json


class Widget:
    """An input: an object of the notebook whose value a reader could change."""

    def __init__(
        self,
        id: str,
        cell: int,
        kind: str,
        *,
        name: str | None = None,
        values: list[Json] | None = None,
        labels: list[str] | None = None,
        initial: int = 0,
        total: int | None = None,
        parts: list[Widget] | None = None,
        keys: list[str] | None = None,
    ) -> None:
        self.id = id
        self.cell = cell
        self.kind = kind
        self.name = name
        self.values = values or []
        self.labels = labels or []
        self.initial = initial
        self.total = len(self.values) if total is None else total
        self.parts = parts or []
        self.keys = keys or []
        # Cells that depend on it, and those of them that run again whenever it changes.
        self.reach: frozenset[int] = frozenset()
        self.certain: frozenset[int] = frozenset()
        # Values with labels, and the present one, before some were left out.
        self.every: tuple[list[tuple[Json, str]], int] | None = None
        # Ids of the inputs that make it anew; `None`: those that reach its cell.
        self.makers: frozenset[str] | None = None

    def count(self) -> int:
        """The number of its values."""
        if not self.parts:
            return len(self.values)
        count = 1
        for part in self.parts:
            count *= part.count()
        return count + 1 if self.kind == "form" else count

    def all(self) -> int:
        """The number of its values before some were left out."""
        if not self.parts:
            return self.total
        total = 1
        for part in self.parts:
            total *= part.all()
        return total + 1 if self.kind == "form" else total

    def value(self, index: int) -> Json:
        """The message of a browser for the value of this index."""
        if self.kind == "form":
            return None if index == 0 else self.parts[0].value(index - 1)
        if not self.parts:
            return self.values[index]
        value = {}
        for key, part in reversed(list(zip(self.keys, self.parts))):
            count = part.count()
            value[key] = part.value(index % count)
            index //= count
        return dict(reversed(value.items()))

    def start(self) -> int:
        """Index of the value that it was made with."""
        if self.kind == "form":
            return 0
        if not self.parts:
            return self.initial
        index = 0
        for part in self.parts:
            index = index * part.count() + part.start()
        return index

    def leaves(self) -> list[Widget]:
        """The inputs without parts that it is made of."""
        return [leaf for part in self.parts for leaf in part.leaves()] if self.parts else [self]

    def thin(self, most: int) -> None:
        """Keeps at most `most` values: the first, the last, the present one, and others evenly between.

        Of sets of options or rows those of few, all or none of a size: a reader chooses one after another.
        """
        # Values that were left out before count again, so that the rest is even.
        every, present = self.every or (list(zip(self.values, self.labels)), self.initial)
        if self.kind in ("multi", "table"):
            keep = thinned_sets([value for value, _ in every], present, most)
        else:
            keep = thinned(len(every), present, most)
        if len(keep) < len(self.values):
            self.every = (every, present)
            self.initial = keep.index(present)
            self.values = [every[at][0] for at in keep]
            self.labels = [every[at][1] for at in keep]

    def report(self) -> dict[str, Any]:
        """The input as the protocol carries it."""
        return {
            "id": self.id,
            "cell": self.cell,
            "name": self.name,
            "kind": self.kind,
            "values": self.values,
            "labels": self.labels,
            "initial": self.start(),
            "total": min(self.all(), constants.largest_count),
            "parts": [part.report() for part in self.parts],
            "reach": sorted(self.reach),
            "makers": None if self.makers is None else sorted(self.makers),
        }


def thinned(count: int, present: int, most: int) -> list[int]:
    """Indices of the values that stay."""
    if count <= most or most < 1:
        return list(range(count))
    if most == 1:
        return [present]
    keep = {round(at * (count - 1) / (most - 1)) for at in range(most)}
    if present not in keep:
        # The one nearest to it gives way.
        keep.discard(min(keep - {0, count - 1} or keep, key=lambda at: abs(at - present)))
        keep.add(present)
    return sorted(keep)


def thinned_sets(values: Sequence[Collection[str]], present: int, most: int) -> list[int]:
    """Indices of the sets that stay; they are given by size, and of each size all or none stay."""
    count = len(values)
    if count <= most or most < 1:
        return list(range(count))
    if most == 1:
        return [present]
    alone = sum(len(it) < 2 for it in values)
    if alone >= most:
        return sorted({*thinned(alone, min(present, alone - 1), most - (present >= alone)), present})
    # The present one and all together have a place in any case.
    sizes = [len(it) for it in values[:-1]]
    keep = max((at for at in range(1, most - 1) if sizes[at] != sizes[at - 1]), default=alone)
    return sorted({*range(min(keep, most - 2)), present, count - 1})
