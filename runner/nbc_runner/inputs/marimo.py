"""The inputs of a marimo notebook: which objects they are, which values they can have, what they reach."""

from __future__ import annotations

import datetime
import itertools
import json
import math
import types
from typing import TYPE_CHECKING, Any

import marimo
from marimo._plugins.ui._impl.batch import _batch_base
from marimo._plugins.ui._impl.run_button import run_button
from marimo._runtime.dataflow import transitive_closure
from marimo._runtime.state import SetFunctor, State

from nbc_runner import bundles
from nbc_runner.imports import log
from nbc_runner.inputs.rows import Unbounded, every, pairs_of, row_of
from nbc_runner.inputs.values import Widget
from nbc_runner.protocol.constants import constants

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from nbc_runner.protocol.messages import Json, Samples, Wish

    # Values, their labels, and the number of values if none is left out.
    Domain: TypeAlias = tuple[list[Any], list[str], int]

ui = marimo.ui

# Most options or rows that are tried all together.
LARGEST_SET = 1000


def inputs(kernel: Any, nbc_id: dict[str, int], samples: Samples, cells: set[int] | None = None) -> list[Widget]:
    """The inputs that cells made (all, or those of `cells`), in the order in which they were made."""
    from marimo._runtime.context import get_context

    registry = get_context().ui_element_registry
    inner = set()
    elements = []
    for id, reference in list(registry._objects.items()):
        element = reference()
        cell = nbc_id.get(registry._constructing_cells.get(id))
        if element is None or cell is None:
            continue
        for part in _parts(element).values():
            inner.add(part._id)
        if element._lens is None and (cells is None or cell in cells):
            elements.append((id, cell, element))
    found: list[Widget] = []
    for id, cell, element in elements:
        if id in inner:
            continue
        try:
            widget = _input(kernel, nbc_id, registry, id, cell, element, samples)
        except KeyboardInterrupt:
            raise
        except BaseException as problem:
            # A class of the notebook's own may do anything.
            log(f"an input is left as it is: {type(problem).__name__}")
            continue
        # Rows that nobody asks for are not to be chosen.
        if widget is not None and (widget.kind != "table" or widget.reach):
            found.append(widget)
    found.sort(key=lambda it: (it.cell, _number(it.id)))
    return found


def _input(
    kernel: Any,
    nbc_id: dict[str, int],
    registry: Any,
    id: str,
    cell: int,
    element: Any,
    samples: Samples,
) -> Widget | None:
    """One element as an input; `None` where it is none."""
    names = sorted(name for name in registry.bound_names(id) if not name.startswith("_cell_"))
    name = next((it for it in names if kernel.globals.get(it) is element), None)
    widget = _widget(element, id, cell, name, samples, 0)
    if widget is None:
        return None
    widget.name = name
    direct, by_state = _reach(kernel, element, names)
    for leaf in widget.leaves():
        leaf.labels = [it if len(it) <= constants.label else f"{it[: constants.label]}…" for it in leaf.labels]
    widget.certain = frozenset(nbc_id[it] for it in direct if it in nbc_id)
    widget.reach = widget.certain | frozenset(nbc_id[it] for it in by_state if it in nbc_id)
    # An input that cannot be sent is left out alone.
    json.dumps(widget.report(), allow_nan=False)
    return widget


def _number(id: str) -> int:
    tail = id.rsplit("-", 1)[-1]
    return int(tail) if tail.isdigit() else 0


def _parts(element: Any) -> dict[str, Any]:
    if isinstance(element, _batch_base):
        return dict(element._elements)
    if isinstance(element, ui.array):
        return {str(at): it for at, it in enumerate(element._elements)}
    if isinstance(element, ui.form):
        return {"": element.element}
    return {}


def _reach(kernel: Any, element: Any, names: list[str]) -> tuple[set[str], set[str]]:
    """Cells that run when the element changes: because they use it, and because it sets a state."""
    graph = kernel.graph

    def users(name: str) -> set[str]:
        return set(graph.get_referring_cells(name, language="python") - graph.get_defining_cells(name))

    def below(cells: set[str]) -> set[str]:
        return {it for it in transitive_closure(graph, cells) if not graph.is_disabled(it)}

    direct = set().union(*(users(name) for name in names)) if names else set()
    by_state: set[str] = set()
    states = _states_set(element, kernel.globals)
    if states:
        from marimo._runtime.context import get_context

        own = get_context().ui_element_registry.get_cell(element._id)
        for name, value in list(kernel.globals.items()):
            if isinstance(value, State) and any(value is it for it in states):
                cells = graph.get_referring_cells(name, language="python")
                by_state |= cells if value.allow_self_loops else cells - {own}
    return below(direct), below(by_state)


def _states_set(element: Any, names: dict[str, Any]) -> list[Any]:
    """States that the element's handlers set, as far as their code names the setters."""
    found: list[Any] = []
    seen: set[int] = set()
    pending: list[Any] = [getattr(element, "_on_change", None), getattr(element, "_on_click", None)]
    pending += [handler for part in _parts(element).values() for handler in (part._on_change,)]
    while pending and len(seen) < 100:
        one = pending.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, SetFunctor):
            found.append(one._state)
        elif isinstance(one, types.FunctionType):
            pending += [names[it] for it in one.__code__.co_names if it in names]
            pending += [cell.cell_contents for cell in one.__closure__ or () if _is_filled(cell)]
            pending += [it for it in one.__code__.co_consts if isinstance(it, types.CodeType)]
        elif isinstance(one, types.CodeType):
            pending += [names[it] for it in one.co_names if it in names]
        elif isinstance(one, types.MethodType):
            pending.append(one.__func__)
        elif hasattr(one, "func") and hasattr(one, "args"):
            pending += [one.func, *one.args]
    return found


def _is_filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _widget(element: Any, id: str, cell: int, path: str | None, samples: Samples, depth: int) -> Widget | None:
    """The input of an element, with its values; `None` where it is none."""
    parts = _parts(element)
    if parts:
        if depth >= constants.deepest_inputs or len(parts) > 64:
            return None
        made: list[Widget] = []
        keys: list[str] = []
        for key, part in parts.items():
            below = f"{path}.{key}" if path and key else path
            one = _widget(part, part._id, cell, below, samples, depth + 1)
            one = one or _fixed(part, cell)
            # Under it, links and `nbc states` know the part.
            full = f"{path}.{key or 'value'}" if path else ""
            one.name = full if 0 < len(full) <= constants.label else None
            made.append(one)
            keys.append(key)
        return Widget(id, cell, "form" if isinstance(element, ui.form) else "group", parts=made, keys=keys)
    kind = next((kind for types, kind in KINDS if isinstance(element, types)), None)
    if kind is None:
        return None
    arguments = element._component_args
    initial = element._value_frontend
    if kind == "table":
        initial = [str(it) for it in initial or ()]
    elif isinstance(initial, tuple):
        initial = list(initial)
    wish = samples.get(path) if path else None
    if arguments.get("disabled") and wish is None:
        return None
    try:
        values, labels, total = DOMAINS[kind](arguments, initial, wish, element)
    except (Unbounded, TypeError, ValueError, OverflowError, KeyError):
        return None
    if not values:
        return None
    if initial not in values:
        initial = _like(kind, initial, values)
        if initial is None:
            return None
    return Widget(
        id,
        cell,
        kind,
        values=values,
        labels=labels,
        initial=values.index(initial),
        total=total,
    )


def _fixed(part: Any, cell: int) -> Widget:
    """A part that has no values but its own."""
    return Widget(part._id, cell, "text", values=[_plain(part._value_frontend)], labels=[""], total=1)


def _plain(value: Any) -> Json:
    return bundles.plain(value)


def _like(kind: str, initial: Any, values: list[Any]) -> Any:
    """How the value of the build is written among the values; it is put there where it is missing."""
    if kind == "tabs":
        return values[0]
    if kind in ("button", "run_button"):
        return 0
    return None


def _slider(arguments: dict[str, Any], initial: Any, wish: Wish, _element: Any) -> Domain:
    return row_of(arguments, wish, [initial])


def _range(arguments: dict[str, Any], initial: Any, wish: Wish, _element: Any) -> Domain:
    initial = list(initial)
    row, labels, total = row_of(arguments, wish, initial)
    return pairs_of(row, labels, total, initial)


def _number_input(arguments: dict[str, Any], initial: Any, wish: Wish, _element: Any) -> Domain:
    present = [initial] if initial is not None else []
    row, labels, total = row_of(arguments, wish, present)
    if initial is None:
        return [None, *row], ["", *labels], total + 1
    return row, labels, total


def _wished(options: list[str], wish: Wish, present: Sequence[Any]) -> list[str]:
    if isinstance(wish, list):
        return [it for it in options if it in wish or it in present]
    return options


def _choice(arguments: dict[str, Any], initial: Any, wish: Wish, _element: Any) -> Domain:
    options = [str(it) for it in arguments["options"]]
    total = len(options)
    options = _wished(options, wish, initial)[: constants.listed_values]
    values = [[it] for it in options]
    labels = list(options)
    if arguments.get("allow-select-none") or not initial:
        values.insert(0, [])
        labels.insert(0, "—")
        total += 1
    if initial and initial not in values:
        values.append(initial)
        labels.append(initial[0])
    return values, labels, total


def _radio(arguments: dict[str, Any], initial: Any, wish: Wish, _element: Any) -> Domain:
    options = [str(it) for it in arguments["options"]]
    total = len(options)
    options = _wished(options, wish, [initial])[: constants.listed_values]
    if initial is None:
        return [None, *options], ["—", *options], total + 1
    return options, list(options), total


def _multi(arguments: dict[str, Any], initial: Any, wish: Wish, _element: Any) -> Domain:
    options = [str(it) for it in arguments["options"]]
    most = arguments.get("max-selections") or len(options)
    if isinstance(wish, list):
        sets = [it if isinstance(it, list) else [it] for it in wish]
        values = [[option for option in options if option in one] for one in sets]
        total = len(values)
    else:
        values, total = _sets(options, most)
    values = _as_chosen(values, list(initial))
    unique: list[list[str]] = []
    for value in values:
        if value not in unique:
            unique.append(value)
    return unique, [", ".join(it) or "—" for it in unique], max(total, len(unique))


def _as_chosen(values: list[list[str]], initial: list[str]) -> list[list[str]]:
    """Sets with the present one among them, as it was chosen: the order in which a reader does so does not matter."""
    values = [initial if len(it) == len(initial) and sorted(it) == sorted(initial) else it for it in values]
    return values if initial in values else [*values, initial]


def _sets(items: list[str], most: int) -> tuple[list[list[str]], int]:
    """Sets of at most so many items, smaller ones first, and all items together; and how many there are."""
    most = min(most, len(items))
    total, sizes = 0, (math.comb(len(items), size) for size in range(most + 1))
    while total <= constants.largest_count and (more := next(sizes, None)) is not None:
        total += more
    subsets = (list(it) for size in range(most + 1) for it in itertools.combinations(items, size))
    values = list(itertools.islice(subsets, constants.listed_values))
    if most == len(items) <= LARGEST_SET and items not in values:
        values.append(list(items))
    return values, total


def _check(_arguments: Any, _initial: Any, _wish: Wish, _element: Any) -> Domain:
    return [False, True], ["off", "on"], 2


def _days(arguments: dict[str, Any], wish: Wish, present: list[str]) -> tuple[list[str], int]:
    if isinstance(wish, list):
        row = sorted({*map(str, wish), *present})
        return row, len(row)
    start = datetime.date.fromisoformat(arguments["start"])
    stop = datetime.date.fromisoformat(arguments["stop"])
    total = (stop - start).days + 1
    if total > 366 * 120:
        raise Unbounded("it has no bounds")
    stride = int(every(wish, 1))
    total = -(-total // stride)
    row = [(start + datetime.timedelta(days=at * stride)).isoformat() for at in range(total)]
    return sorted({*row, *present}), total


def _date(arguments: dict[str, Any], initial: Any, wish: Wish, _element: Any) -> Domain:
    if initial is None:
        raise Unbounded("it has no value")
    if "precision" in arguments and not isinstance(wish, list):
        raise Unbounded("moments are too many")
    row, total = _days(arguments, wish, [initial])
    return row[: constants.listed_values], list(row[: constants.listed_values]), total


def _dates(arguments: dict[str, Any], initial: Any, wish: Wish, _element: Any) -> Domain:
    row, total = _days(arguments, wish, list(initial))
    return pairs_of(row, list(row), total, list(initial))


def _button(_arguments: Any, _initial: Any, wish: Wish, _element: Any) -> Domain:
    clicks = max((it for it in wish if isinstance(it, int)), default=1) if isinstance(wish, list) else 1
    clicks = max(1, min(clicks, 1000))
    return list(range(clicks + 1)), [str(it) for it in range(clicks + 1)], clicks + 1


def _run_button(_arguments: Any, _initial: Any, _wish: Wish, _element: Any) -> Domain:
    return [0, 1], ["0", "1"], 2


def _tabs(arguments: dict[str, Any], initial: Any, _wish: Wish, element: Any) -> Domain:
    count = len(arguments["tabs"])
    return [str(it) for it in range(count)], [str(it) for it in element._tab_keys], count


def _table(arguments: dict[str, Any], initial: Any, wish: Wish, _element: Any) -> Domain:
    selection = arguments.get("selection")
    if selection not in ("single", "multi"):
        raise Unbounded("its rows are not chosen")
    total = arguments.get("total-rows")
    if not isinstance(total, int) or total < 0:
        raise Unbounded("it does not say how many rows it has")
    rows = [str(it) for it in range(min(total, constants.listed_values))]
    if isinstance(wish, list):
        rows = [it for it in rows if int(it) in wish]
    values, count = _sets(rows, 1 if selection == "single" else len(rows))
    if len(rows) < total:
        count = max(count, total + 1)
    values = _as_chosen(values, initial)
    return values, [", ".join(it) or "—" for it in values], max(count, len(values))


def _text(_arguments: Any, initial: Any, wish: Wish, _element: Any) -> Domain:
    if not isinstance(wish, list):
        raise Unbounded("it takes any text")
    values = list(dict.fromkeys(map(str, wish)))
    if initial not in values:
        values.insert(0, initial)
    return values, list(values), len(values)


KINDS = [
    (ui.slider, "slider"),
    (ui.range_slider, "range"),
    (ui.number, "number"),
    (ui.dropdown, "choice"),
    (ui.multiselect, "multi"),
    (ui.radio, "radio"),
    ((ui.checkbox, ui.switch), "check"),
    ((ui.date, ui.datetime), "date"),
    (ui.date_range, "dates"),
    (run_button, "run_button"),
    (ui.button, "button"),
    (ui.tabs, "tabs"),
    (ui.table, "table"),
    ((ui.text, ui.text_area, ui.code_editor), "text"),
]

DOMAINS = {
    "slider": _slider,
    "range": _range,
    "number": _number_input,
    "choice": _choice,
    "multi": _multi,
    "radio": _radio,
    "check": _check,
    "date": _date,
    "dates": _dates,
    "button": _button,
    "run_button": _run_button,
    "tabs": _tabs,
    "table": _table,
    "text": _text,
}
