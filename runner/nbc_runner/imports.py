"""Settings of libraries, made at the moment when the notebook itself imports them."""

import importlib.machinery
import random
import sys
import uuid


class _Finder:
    def __init__(self, actions):
        self._actions = actions

    def find_spec(self, name, path=None, target=None):
        if name not in self._actions:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or not hasattr(spec.loader, "exec_module"):
            return spec
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            # Only now: a module may be looked for and not imported.
            action = self._actions.pop(name, None)
            try:
                if action is not None:
                    action(module)
            except Exception as problem:
                sys.__stderr__.write(f"nbc: {name} could not be set up: {problem}\n")

        spec.loader.exec_module = exec_module
        return spec


def after_import(actions):
    """Calls `actions[name](module)` once the module of that name is imported, or now if it is already."""
    for name, action in actions.items():
        if name in sys.modules:
            action(sys.modules[name])
    sys.meta_path.insert(0, _Finder({name: it for name, it in actions.items() if name not in sys.modules}))


def make_repeatable():
    """Replaces random ids that libraries put into their outputs by counted ones."""
    numbers = random.Random(42)

    def uuid4():
        return uuid.UUID(int=numbers.getrandbits(128), version=4)

    def styler(module):
        # Ids and classes in the HTML of pandas' `Styler`.
        module.uuid4 = uuid4

    after_import({"pandas.io.formats.style_render": styler})
