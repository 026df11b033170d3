"""The inputs of a Jupyter notebook: ipywidgets that its cells show, their values, and what they reach.

An input is set by the message that a front end would send; what its observers then do is all that changes.
Which cells show something else is found in two ways: from the widgets that the code of the observers names,
and by a trial in a fork. Cells that use an input's value without an observer do not run again, as in Jupyter.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import sys
import time
import types
from typing import TYPE_CHECKING, Any

from IPython.display import DisplayHandle

from nbc_runner import bundles
from nbc_runner.inputs.rows import Unbounded, pairs_of, row_of
from nbc_runner.inputs.values import Widget
from nbc_runner.protocol.constants import constants
from nbc_runner.states.processes import end_group

if TYPE_CHECKING:
    from typing import TypeAlias

    from nbc_runner.engine.ipython import IPythonEngine
    from nbc_runner.protocol.messages import Json, Samples, Wish

    # Values, their labels, and the number of values if none is left out.
    Domain: TypeAlias = tuple[list[Any], list[str], int]
    # Models by id, as text and buffers, and outputs by cell.
    Snapshot: TypeAlias = tuple[dict[str, tuple[str, dict[Any, bytes]]], dict[int, list[Any]]]

# Seconds for the trial of one input, and those after which no other value of it is tried.
LONGEST_TRIAL = 10
SHORT_TRIAL = 0.3
# Trials that may be late before no other is begun.
MOST_LATE = 2
# Values that a trial sets at most.
MOST_TRIED = 12
# Seconds for tasks that an observer starts.
LONGEST_TASKS = 5
# Objects of the notebook's code that are looked at for the widgets that they name.
MOST_OBJECTS = 2000


def inputs(
    engine: IPythonEngine,
    samples: Samples,
    reach: dict[str, tuple[list[int], list[str]]] | None = None,
) -> list[Widget]:
    """The inputs that cells show. `reach` is what an earlier run of this notebook found out."""
    shown = _shown(engine)
    names = _names(engine)
    found: list[Widget] = []
    for id, cells in shown.items():
        if len(found) >= constants.tried_inputs:
            break
        widget = _widget(engine.widgets.model(id), id, cells[0], names.get(id), samples)
        if widget is not None:
            found.append(widget)
    found.sort(key=lambda it: (it.cell, it.id))
    if reach is not None:
        by_id = {it.id: it for it in found}
        for id, (cells, makers) in reach.items():
            by_id[id].reach, by_id[id].makers = frozenset(cells), frozenset(makers)
        return [by_id[it] for it in reach]
    ids = {it.id for it in found}
    tried = _try_all(engine, found)
    driven = {}
    for widget in found:
        changed, cells = tried.get(widget.id, ([], []))
        driven[widget.id] = ids.intersection(changed)
        models, displays = _named(engine, widget.id)
        models = models - ids | set(changed)
        reached = {cell for it in models for cell in shown.get(it, ())}.union(cells)
        reached.update(_displaying(engine, displays))
        widget.reach = frozenset(reached)
    return _in_order(found, driven)


def _in_order(widgets: list[Widget], driven: dict[str, set[str]]) -> list[Widget]:
    """Inputs that others change after those. Of two that change each other only the first is one."""
    free: list[Widget] = []
    for widget in widgets:
        if not any(widget.id in driven[it.id] and it.id in driven[widget.id] for it in free):
            free.append(widget)
    for widget in free:
        widget.makers = frozenset(it.id for it in free if widget.id in driven[it.id])
    ordered: list[Widget] = []
    placed: set[str] = set()
    while free:
        widget = next((it for it in free if (it.makers or frozenset()) <= placed), free[0])
        free.remove(widget)
        ordered.append(widget)
        placed.add(widget.id)
    return ordered


def followers(engine: IPythonEngine, widget: Widget, inputs: list[Widget], samples: Samples) -> list[Widget]:
    """The inputs that are others since this one was set."""
    found: list[Widget] = []
    for old in inputs:
        if widget.id in (old.makers or ()):
            one = _widget(engine.widgets.model(old.id), old.id, old.cell, old.name, samples)
            if one is not None:
                one.reach, one.makers = old.reach, old.makers
                found.append(one)
    return found


def _shown(engine: IPythonEngine) -> dict[str, list[int]]:
    """Models by id, each with the cells that show it."""
    shown: dict[str, list[int]] = {}
    for cell in engine.session.order:
        result = engine.session.results.get(cell)
        for id in engine.widgets.shown(result) if result is not None else ():
            cells = shown.setdefault(id, [])
            if cell not in cells:
                cells.append(cell)
    return shown


def _displaying(engine: IPythonEngine, displays: set[str]) -> set[int]:
    results = engine.session.results.items()
    return {cell for cell, result in results if displays.intersection(map(str, result.display_ids()))}


def _names(engine: IPythonEngine) -> dict[str, str]:
    """Variables of the notebook that are widgets, by id."""
    names: dict[str, str] = {}
    for name, value in list(engine.shell.user_ns.items()):
        id = _id(value)
        if id is not None and not name.startswith("_"):
            names.setdefault(id, name)
    return names


def _id(value: Any) -> str | None:
    """The id of a widget; `None` for everything else."""
    base = getattr(sys.modules.get("ipywidgets"), "Widget", None)
    try:
        if base is None or not isinstance(value, base):
            return None
        return getattr(value.comm, "comm_id", None)
    except Exception:
        # Objects of the notebook answer with code of their own.
        return None


# Values of each kind: how they are sent, what a reader reads, how many there are.


def _widget(state: dict[str, Any], id: str, cell: int, variable: str | None, samples: Samples) -> Widget | None:
    """The input of a model, with its values; `None` where it is none."""
    name = str(state.get("_model_name")).removesuffix("Model")
    known = KINDS.get(name)
    if known is None or state.get("_model_module") != "@jupyter-widgets/controls" or state.get("disabled"):
        return None
    kind, trait, domain = known
    title = variable or str(state.get("description") or "") or None
    try:
        values, labels, total = domain(state, samples.get(title) if title else None)
        present: Any = state.get(trait)
        if isinstance(present, tuple):
            present = list(present)
        if kind == "radio" and present is not None:
            present = labels[values.index(_label(state, present))]
        initial = values.index(present)
    except (Unbounded, TypeError, ValueError, OverflowError, KeyError, IndexError):
        return None
    widget = Widget(id, cell, kind, name=title, values=values, labels=labels, initial=initial, total=total)
    # Its cell shows it, and does not make it anew when it shows something else.
    widget.makers = frozenset()
    return widget


def _numbers(state: dict[str, Any], wish: Wish) -> tuple[dict[str, Any], list[Any]]:
    arguments = {"start": state["min"], "stop": state["max"], "step": state.get("step")}
    value = state["value"]
    return arguments, list(value) if isinstance(value, (list, tuple)) else [value]


def _slider(state: dict[str, Any], wish: Wish) -> Domain:
    arguments, present = _numbers(state, wish)
    return row_of(arguments, wish, present)


def _range(state: dict[str, Any], wish: Wish) -> Domain:
    arguments, present = _numbers(state, wish)
    row, labels, total = row_of(arguments, wish, present)
    return pairs_of(row, labels, total, present)


def _power(state: dict[str, Any], wish: Wish) -> Domain:
    base, present = float(state["base"]), state["value"]
    if isinstance(wish, list):
        return row_of({}, wish, [present])
    arguments = {"start": state["min"], "stop": state["max"], "step": state.get("step")}
    exponents, _, total = row_of(arguments, wish, [])
    powers = [base**it for it in exponents]
    near = min(powers, key=lambda it: abs(it - present))
    if abs(near - present) <= 1e-9 * abs(present):
        powers[powers.index(near)] = present
    else:
        powers = sorted([*powers, present])
    return powers, [f"{it:.4g}" for it in powers], max(total, len(powers))


def _options(state: dict[str, Any]) -> list[str]:
    options = [str(it) for it in state["_options_labels"]]
    if not options:
        raise Unbounded("it has no options")
    return options


def _choice(state: dict[str, Any], wish: Wish) -> Domain:
    options = _options(state)
    present = state["index"]
    at = [it for it in range(len(options)) if not isinstance(wish, list) or it == present or options[it] in wish]
    at = at[: constants.listed_values]
    values, labels = list(at), [options[it] for it in at]
    if present is None:
        return [None, *values], ["—", *labels], len(options) + 1
    return values, labels, len(options)


def _radio(state: dict[str, Any], wish: Wish) -> Domain:
    """The page finds the values by their text."""
    options = [it.strip() for it in _options(state)]
    if len(set(options)) < len(options):
        raise Unbounded("two options have the same name")
    values, labels, total = _choice(state, wish)
    return [None if it is None else options[it] for it in values], labels, total


def _label(state: dict[str, Any], index: int) -> str:
    return str(state["_options_labels"][index]).strip()


def _option_range(state: dict[str, Any], _wish: Wish) -> Domain:
    options = _options(state)
    return pairs_of(list(range(len(options))), options, len(options), list(state["index"]))


def _check(_state: dict[str, Any], _wish: Wish) -> Domain:
    return [False, True], ["off", "on"], 2


KINDS = {
    "IntSlider": ("slider", "value", _slider),
    "FloatSlider": ("slider", "value", _slider),
    "FloatLogSlider": ("slider", "value", _power),
    "SelectionSlider": ("slider", "index", _choice),
    "IntRangeSlider": ("range", "value", _range),
    "FloatRangeSlider": ("range", "value", _range),
    "SelectionRangeSlider": ("range", "index", _option_range),
    "BoundedIntText": ("number", "value", _slider),
    "BoundedFloatText": ("number", "value", _slider),
    "Dropdown": ("choice", "index", _choice),
    "Select": ("choice", "index", _choice),
    "RadioButtons": ("radio", "index", _radio),
    "ToggleButtons": ("radio", "index", _radio),
    "Checkbox": ("check", "value", _check),
    "ToggleButton": ("check", "value", _check),
}


# Setting an input.


def set_value(engine: IPythonEngine, widget: Widget, value: Any) -> list[BaseException]:
    """Sets an input as a reader would; gives the exceptions that observers raised outside of `Output` widgets."""
    model = engine.widgets.model(widget.id)
    name = str(model.get("_model_name")).removesuffix("Model")
    kind, trait, _ = KINDS[name]
    if kind == "radio" and value is not None:
        value = [str(it).strip() for it in model["_options_labels"]].index(value)
    return asyncio.run(_send(engine, widget.id, {trait: value}))


async def _send(engine: IPythonEngine, id: str, state: dict[str, Any]) -> list[BaseException]:
    raised = engine.send(id, state)
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    if tasks:
        await asyncio.wait(tasks, timeout=LONGEST_TASKS)
    engine.session.console.drain()
    return raised


# Cells and models that an input reaches, by a trial.


def _try_all(engine: IPythonEngine, widgets: list[Widget]) -> dict[str, tuple[list[str], list[int]]]:
    """The models, by id, and the cells that change when an input is set."""
    waiting, late = list(reversed(widgets)), 0
    running: dict[int, _Trial] = {}
    found: dict[str, tuple[list[str], list[int]]] = {}
    most = os.cpu_count() or 1
    while waiting or running:
        while waiting and len(running) < most:
            widget = waiting.pop()
            if len(widget.values) < 2:
                continue
            trial = _start(engine, widget, list(running))
            if trial is not None:
                running[trial.pipe] = trial
        if not running:
            continue
        now = time.monotonic()
        ready = select.select(list(running), [], [], max(0.0, min(it.deadline for it in running.values()) - now))[0]
        for trial in list(running.values()):
            piece = os.read(trial.pipe, 1 << 20) if trial.pipe in ready else None
            if piece:
                trial.said += piece
            if piece or (piece is None and time.monotonic() < trial.deadline):
                continue
            del running[trial.pipe]
            trial.end()
            late += piece is None
            if late >= MOST_LATE:
                # This notebook's libraries do not survive a fork.
                waiting.clear()
            try:
                said = json.loads(trial.said)
                found[trial.id] = said["models"], [int(it) for it in said["cells"]]
            except (ValueError, KeyError, TypeError):
                # The names in the observers' code have to be enough.
                continue
    return found


def _start(engine: IPythonEngine, widget: Widget, others: list[int]) -> _Trial | None:
    pipe, childs_pipe = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(pipe)
        os.close(childs_pipe)
        return None
    if pid == 0:
        try:
            os.setpgid(0, 0)
            for other in (pipe, *others):
                os.close(other)
            engine.session.fork()
            body = memoryview(json.dumps(_try(engine, widget)).encode())
            while body:
                body = body[os.write(childs_pipe, body) :]
        finally:
            os._exit(0)
    os.close(childs_pipe)
    return _Trial(widget.id, pid, pipe)


class _Trial:
    def __init__(self, id: str, pid: int, pipe: int) -> None:
        self.id = id
        self.pid = pid
        self.pipe = pipe
        self.said = b""
        self.deadline = time.monotonic() + LONGEST_TRIAL

    def end(self) -> None:
        end_group(self.pid)
        os.close(self.pipe)


def _try(engine: IPythonEngine, widget: Widget) -> dict[str, Json]:
    """In a fork: sets some values of an input, and compares."""
    before = _snapshot(engine)
    models: set[str] = set()
    cells: set[int] = set()
    began = time.monotonic()
    others = [it for it in range(len(widget.values)) if it != widget.initial]
    # The nearest ones, the ends, and some between.
    nearest = sorted(others, key=lambda it: abs(it - widget.initial))[:1]
    ends = [it for it in (others[-1], others[0]) if it not in nearest]
    between = [it for it in others[:: max(1, len(others) // MOST_TRIED)] if it not in nearest + ends]
    for index in (nearest + ends + between)[:MOST_TRIED]:
        set_value(engine, widget, widget.value(index))
        after = _snapshot(engine)
        models |= {id for id in {**before[0], **after[0]} if before[0].get(id) != after[0].get(id)}
        cells |= {cell for cell in after[1] if not _is_same(before[1].get(cell), after[1][cell])}
        if time.monotonic() - began > SHORT_TRIAL:
            break
    models.discard(widget.id)
    return {"models": sorted(models), "cells": sorted(cells)}


def _snapshot(engine: IPythonEngine) -> Snapshot:
    """The state of each shown model, and the outputs of each cell."""
    models = {}
    for id in _shown(engine):
        state, buffers = engine.widgets.model(id), engine.widgets.buffers(id)
        text = json.dumps(bundles.plain(state))
        models[id] = text, {path: bytes(it) for path, it in buffers.items()}
    return models, {cell: list(it.outputs) for cell, it in engine.session.results.items()}


def _is_same(before: list[Any] | None, after: list[Any]) -> bool:
    return before is not None and len(before) == len(after) and all(map(lambda it, other: it is other, before, after))


# Cells and models that an input reaches, by names in the code of its observers.


def _named(engine: IPythonEngine, own: str) -> tuple[set[str], set[str]]:
    """Widgets, by id, and displays that the observers of an input name."""
    widget = engine.widgets.object(own)
    pending = _observers(widget)
    names = engine.shell.user_ns
    models: set[str] = set()
    displays: set[str] = set()
    seen: dict[int, Any] = {}
    while pending and len(seen) < MOST_OBJECTS:
        one = pending.pop()
        if id(one) in seen:
            continue
        seen[id(one)] = one
        model = _id(one)
        if model is not None:
            models.add(model)
        elif isinstance(one, DisplayHandle):
            displays.add(str(one.display_id))
        try:
            pending += _parts(one, names, widget)
        except Exception:
            continue
    models.discard(own)
    return models, displays


def _observers(widget: Any) -> list[Any]:
    found: list[Any] = []
    try:
        for kinds in widget._trait_notifiers.values():
            for handlers in kinds.values():
                found += [it for it in handlers if callable(it) and not _is_own(it, widget)]
    except Exception:
        # The findings of a trial have to be enough.
        pass
    return found


def _is_own(handler: Any, widget: Any) -> bool:
    """Whether a handler is part of ipywidgets itself."""
    if getattr(handler, "__self__", None) is widget or not isinstance(handler, (types.FunctionType, types.MethodType)):
        return (getattr(type(widget), "__module__", None) or "").startswith("ipywidgets.")
    return False


def _parts(one: Any, names: dict[str, Any], widget: Any) -> list[Any]:
    """Objects that an object of the notebook's code refers to."""
    if isinstance(one, types.MethodType):
        owner = one.__self__
        return [one.__func__] + ([owner] if owner is not widget else []) + _attributes(owner)
    if isinstance(one, types.FunctionType):
        parts = [it.cell_contents for it in one.__closure__ or () if _is_filled(it)]
        parts += list(one.__defaults__ or ()) + list((one.__kwdefaults__ or {}).values())
        wrapped = getattr(one, "__wrapped__", None)
        own = one.__globals__ is names
        return parts + ([wrapped] if wrapped else []) + (_globals(one.__code__, names) if own else [])
    if isinstance(one, (list, tuple, set)):
        return list(one)[:200]
    if isinstance(one, dict):
        return list(one.values())[:200]
    if hasattr(one, "func") and hasattr(one, "args") and hasattr(one, "keywords"):
        return [one.func, *one.args, *one.keywords.values()]
    if getattr(type(one), "__module__", None) == "__main__":
        methods = [it for it in vars(type(one)).values() if isinstance(it, types.FunctionType)]
        return _attributes(one) + methods
    return []


def _attributes(one: Any) -> list[Any]:
    """The attributes of an object; of a widget, those of its author."""
    kept = getattr(one, "__dict__", None) or {}
    is_widget = _id(one) is not None
    return [value for name, value in kept.items() if not (is_widget and name.startswith("_"))][:200]


def _globals(code: types.CodeType, names: dict[str, Any]) -> list[Any]:
    found = [names[it] for it in code.co_names if it in names]
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found += _globals(constant, names)
    return found


def _is_filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True
