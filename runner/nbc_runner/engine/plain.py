"""Runs Jupyter cells without IPython: plain Python with the same display protocol.

For environments that have no IPython. Magics and shell lines are syntax errors here.
"""

from __future__ import annotations

import ast
import base64
import builtins
import inspect
import linecache
import os
import platform
import sys
import types
from typing import TYPE_CHECKING, Any

from nbc_runner import errors, uncaught
from nbc_runner.engine import Engine
from nbc_runner.imports import after_import

if TYPE_CHECKING:
    from nbc_runner.protocol.messages import Place
    from nbc_runner.session import Session

REPRESENTATIONS = [
    ("_repr_html_", "text/html"),
    ("_repr_markdown_", "text/markdown"),
    ("_repr_svg_", "image/svg+xml"),
    ("_repr_png_", "image/png"),
    ("_repr_jpeg_", "image/jpeg"),
    ("_repr_latex_", "text/latex"),
    ("_repr_json_", "application/json"),
]


def prepare() -> None:
    """Sets what packages look at when they are imported."""
    os.environ["MPLBACKEND"] = "agg"


class PlainEngine(Engine):
    """Cells in document order, in one module."""

    name = "python"
    version = platform.python_version()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._files: dict[str, int] = {}
        self._next_display = 0

    def __enter__(self) -> PlainEngine:
        prepare()
        after_import(
            {
                "altair": lambda altair: altair.renderers.enable("mimetype"),
                "altair.utils": lambda utils: uncaught.of_charts(utils, self.session),
            }
        )
        self.session.install(self._locate)
        module = types.ModuleType("__main__")
        module.__file__ = self.session.file
        self._names = module.__dict__
        self._names["__builtins__"] = builtins
        sys.modules["__main__"] = module
        vars(builtins).update(display=self.display, input=_no_input)
        return self

    async def run(self) -> None:
        """Runs all cells."""
        for cell in self.session.order:
            options = self.session.cells[cell]
            if options.get("skip_execution"):
                self.session.skip(cell)
                continue
            self.session.begin(cell)
            problem = await self._cell(cell, options["code"])
            if problem is None:
                self.session.finish(cell, {"kind": "finished"})
                continue
            self.session.finish(cell, errors.failed(problem, self._locate))
            if not (self.session.allow_errors or options.get("raises_exception")):
                return

    async def _cell(self, cell: int, code: str) -> BaseException | None:
        name = f"<cell {cell}>"
        self._files[name] = cell
        linecache.cache[name] = (len(code), None, code.splitlines(True), name)
        try:
            tree = ast.parse(code, name)
            last = None
            end = tree.body[-1] if tree.body else None
            if isinstance(end, ast.Expr) and not _is_silenced(code, end):
                tree.body.pop()
                last = ast.Expression(end.value)
            await self._evaluate(tree, name, "exec")
            if last is not None:
                value = await self._evaluate(last, name, "eval")
                if value is not None:
                    self._names["_"] = value
                    self.display(value)
            self._figures()
        except BaseException as problem:
            return problem
        return None

    async def _evaluate(self, tree: Any, name: str, mode: str) -> Any:
        code = compile(tree, name, mode, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, True)
        value = eval(code, self._names)
        if code.co_flags & inspect.CO_COROUTINE:
            value = await value
        return value

    def _locate(self, file: str, line: int) -> Place:
        cell = self._files.get(file)
        return None if cell is None else (cell, line)

    def display(
        self,
        *values: Any,
        display_id: Any = None,
        metadata: Any = None,
        raw: bool = False,
        **_: Any,
    ) -> _Handle | None:
        """The `display` of notebooks."""
        handle = None
        if display_id is not None:
            if display_id is True:
                self._next_display += 1
                display_id = f"nbc-{self._next_display}"
            handle = _Handle(self, display_id)
        for value in values:
            shown = (value, {}) if raw else represent(value)
            if shown is not None:
                self.session.display(shown[0], metadata or shown[1], display_id)
        return handle

    def update(self, value: Any, display_id: Any) -> None:
        """Replaces the displays that have this id."""
        shown = represent(value)
        if shown is not None:
            self.session.update(shown[0], shown[1], display_id)

    def _figures(self) -> None:
        """Shows the figures that are still open, as notebooks do at the end of a cell."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None:
            return
        for number in pyplot.get_fignums():
            self.display(pyplot.figure(number))
        pyplot.close("all")


ENGINE = PlainEngine


class _Handle:
    def __init__(self, engine: PlainEngine, display_id: Any) -> None:
        self._engine = engine
        self.display_id = display_id

    def display(self, value: Any, **options: Any) -> None:
        self._engine.display(value, display_id=self.display_id, **options)

    def update(self, value: Any, **_: Any) -> None:
        self._engine.update(value, self.display_id)


def represent(value: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """`(data, metadata)` of a value; `None` when it displayed itself."""
    if not isinstance(value, type):
        display = getattr(value, "_ipython_display_", None)
        if callable(display):
            display()
            return None
    data: dict[str, Any] = {"text/plain": repr(value)}
    metadata: dict[str, Any] = {}
    if isinstance(value, type):
        return data, metadata
    whole = _call(value, "_repr_mimebundle_", include=None, exclude=None)
    if whole:
        more, about = whole if isinstance(whole, tuple) else (whole, {})
        data.update(more)
        metadata.update(about or {})
    for method, mime in REPRESENTATIONS:
        if mime in data:
            continue
        shown = _call(value, method)
        if isinstance(shown, tuple) and len(shown) == 2:
            shown, metadata[mime] = shown
        if shown is not None:
            data[mime] = shown
    figure = sys.modules.get("matplotlib.figure")
    if figure is not None and isinstance(value, figure.Figure) and "image/png" not in data:
        import io

        file = io.BytesIO()
        value.savefig(file, format="png", bbox_inches="tight")
        data["image/png"] = base64.b64encode(file.getvalue()).decode("ascii")
    return data, metadata


def _call(value: Any, name: str, **options: Any) -> Any:
    method = getattr(value, name, None)
    if not callable(method):
        return None
    try:
        return method(**options)
    except NotImplementedError:
        return None


def _is_silenced(code: str, last: ast.Expr) -> bool:
    """Whether a semicolon follows the last expression."""
    lines = code.splitlines()[(last.end_lineno or 1) - 1 :]
    rest = "\n".join(lines).encode("utf-8")[last.end_col_offset :]
    return rest.lstrip().startswith(b";")


def _no_input(prompt: object = "") -> str:
    raise EOFError("a notebook that is compiled cannot ask its reader")
