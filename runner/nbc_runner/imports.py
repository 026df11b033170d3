"""Settings of libraries, made at the moment when the notebook itself imports them."""

from __future__ import annotations

import importlib.machinery
import random
import sys
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import TypeAlias

    # Sets a module up.
    Action: TypeAlias = Callable[[Any], None]


def log(text: str) -> None:
    """Writes where the process would, which is no part of the page."""
    if sys.__stderr__ is not None:
        sys.__stderr__.write(f"nbc: {text}\n")


class _Finder:
    def __init__(self, actions: dict[str, Action]) -> None:
        self._actions = actions

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in self._actions:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        loader: Any = None if spec is None else spec.loader
        if not hasattr(loader, "exec_module"):
            return spec
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            # Only now: a module may be looked for and not imported.
            action = self._actions.pop(name, None)
            try:
                if action is not None:
                    action(module)
            except Exception as problem:
                log(f"{name} could not be set up: {problem}")

        loader.exec_module = exec_module
        return spec


def after_import(actions: dict[str, Action]) -> None:
    """Calls `actions[name](module)` once the module of that name is imported, or now if it is already."""
    for name, action in actions.items():
        if name in sys.modules:
            action(sys.modules[name])
    sys.meta_path.insert(0, _Finder({name: it for name, it in actions.items() if name not in sys.modules}))


def make_repeatable() -> None:
    """Replaces random ids that libraries put into their outputs by counted ones."""
    numbers = random.Random(42)

    def uuid4() -> uuid.UUID:
        return uuid.UUID(int=numbers.getrandbits(128), version=4)

    def styler(module: Any) -> None:
        # Ids and classes in the HTML of pandas' `Styler`.
        module.uuid4 = uuid4

    after_import({"pandas.io.formats.style_render": styler})
