"""Runs Jupyter cells with IPython's `InteractiveShell`, in this process: no kernel, no sockets.

What a notebook sees is what it sees under ipykernel; where libraries ask which shell they are in,
they get the answers that ipykernel gives.
"""

from __future__ import annotations

import asyncio
import builtins
import importlib.util
import os
import subprocess
import sys
import types
from typing import TYPE_CHECKING, Any

from nbc_runner import errors
from nbc_runner.engine import Engine, Unavailable
from nbc_runner.imports import after_import
from nbc_runner.inputs.widgets import Widgets

if TYPE_CHECKING:
    from nbc_runner.inputs.values import Widget
    from nbc_runner.protocol.messages import CellRun, Place, Samples, Status
    from nbc_runner.session import Session

try:
    import IPython
    from IPython.core.compilerop import CachingCompiler
    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.error import StdinNotImplementedError
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets import Type
    from traitlets.config import Config
except ImportError as problem:
    raise Unavailable(f"the environment has no IPython that nbc can drive ({problem})") from None


def prepare() -> None:
    """Sets what packages look at when they are imported."""
    inline = importlib.util.find_spec("matplotlib_inline") is not None
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline" if inline else "agg"
    for name, value in {
        "TERM": "xterm-color",
        "CLICOLOR": "1",
        "FORCE_COLOR": "1",
        "CLICOLOR_FORCE": "1",
        "PAGER": "cat",
        "GIT_PAGER": "cat",
    }.items():
        os.environ.setdefault(name, value)


class IPythonEngine(Engine):
    """One shell; cells in document order."""

    name = "ipython"
    version = IPython.__version__

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._files: dict[str, tuple[int, int]] = {}
        self._cell = -1
        self._code = ""
        self._shown: list[BaseException] = []

    def __enter__(self) -> IPythonEngine:
        prepare()
        after_import({"altair": lambda altair: altair.renderers.enable("mimetype")})
        self.session.install(self._locate)
        self.widgets = Widgets(self.session)
        self.widgets.install()
        self.session.divert = self.widgets.capture_text
        module = types.ModuleType("__main__")
        module.__file__ = self.session.file
        sys.modules["__main__"] = module
        config = Config()
        # Libraries look for this section to learn that they run under Jupyter.
        config.IPKernelApp.connection_file = ""
        config.HistoryManager.enabled = False
        self.shell = ZMQInteractiveShell.instance(config=config, user_module=module, user_ns=module.__dict__, nbc=self)
        self.shell.kernel = self.widgets.kernel
        self.shell.events.trigger = self._trigger
        self.shell.set_hook("show_in_pager", lambda *_, **__: None)
        builtins.input = _no_input
        import getpass

        getpass.getpass = _no_input
        return self

    async def run(self) -> None:
        """Runs all cells."""
        for cell in self.session.order:
            options = self.session.cells[cell]
            if options.get("skip_execution"):
                self.session.skip(cell)
                continue
            self.session.begin(cell)
            problem = await self._run(cell, options["code"])
            self.widgets.attach(self.session.results[cell])
            if problem is None:
                self.session.finish(cell, {"kind": "finished"})
                continue
            self.session.finish(cell, errors.failed(problem, self._locate))
            if not (self.session.allow_errors or options.get("raises_exception")):
                break
        self.widgets.is_over = True
        self.widgets.follow_links()
        for result in self.session.results.values():
            # Later cells may have changed what earlier ones show.
            self.widgets.attach(result)

    # States of the notebook: see `nbc_runner.states`.

    def inputs(self, samples: Samples) -> list[Widget]:
        """The inputs that cells show; `samples` are values that the author chose, by variable or description."""
        if not any(self.widgets.shown(it) for it in self.session.results.values()):
            return []
        from nbc_runner.inputs import ipython as ipython_inputs

        self._failed: dict[str, tuple[frozenset[int], Status]] = {}
        self._samples = samples
        self._inputs = ipython_inputs.inputs(self, samples, self.reach)
        return self._inputs

    def vanished(self, widgets: list[Widget]) -> set[str]:
        """Ids of inputs that are no more."""
        return {it.id for it in widgets if self.widgets.model(it.id).get("disabled")}

    def apply(self, widget: Widget, index: int) -> tuple[dict[int, CellRun], list[Widget]]:
        """Sets an input as a reader would; gives what each cell shows then, and the inputs made anew."""
        from nbc_runner.inputs import ipython as ipython_inputs

        self.session.escaped.clear()
        raised = ipython_inputs.set_value(self, widget, widget.value(index))
        self.session.console.drain()
        # An observer that fails outside `Output` widgets leaves them as they were, which is not this state.
        self._failed.pop(widget.id, None)
        if raised:
            self._failed[widget.id] = widget.reach, errors.failed(raised[0], self._locate)
        cells: dict[int, CellRun] = {}
        for cell in sorted(widget.reach):
            result = self.session.results[cell]
            self.widgets.attach(result)
            failed = [status for reach, status in self._failed.values() if cell in reach] + self.session.escaped
            cells[cell] = result.report()
            if failed:
                cells[cell]["status"] = failed[0]
        return cells, ipython_inputs.followers(self, widget, self._inputs, self._samples)

    def send(self, id: str, state: dict[str, Any]) -> list[BaseException]:
        """Sets what a widget says, as a front end does; gives the exceptions that nothing shows."""
        linked = self.widgets.linked()
        raised: list[BaseException] = []
        self._shown = raised
        try:
            self.widgets.send(id, state)
        except Exception as problem:
            raised.append(problem)
        # The ends of links that follow have a list of their own.
        self._shown = []
        self.widgets.follow_links(linked)
        return raised

    async def _run(self, cell: int, code: str) -> BaseException | None:
        shell = self.shell
        self._cell, self._code = cell, code
        self._shown = []
        early = None
        try:
            transformed = shell.transform_cell(code)
        except Exception:
            transformed, early = code, sys.exc_info()
        try:
            result = await shell.run_cell_async(
                code, store_history=True, transformed_cell=transformed, preprocessing_exc_tuple=early
            )
            # `run_cell_async` leaves these to its caller; matplotlib shows its figures here.
            shell.events.trigger("post_execute")
            shell.events.trigger("post_run_cell", result)
        except (Exception, KeyboardInterrupt, asyncio.CancelledError) as problem:
            return problem
        failure = result.error_before_exec or result.error_in_exec
        # A representation, a figure or a `%run` script that fails shows a traceback under Jupyter, and the cell
        # goes on. A page shows nothing of it, since such texts hold paths and values: the cell has failed.
        return failure or next(iter(self._shown), None)

    def file_name(self, raw: str) -> str:
        """The name under which the shell compiles a piece of code."""
        name, offset = f"<cell {self._cell}>", 0
        if raw != self._code and name in self._files:
            # Code that a cell magic runs: most are the rest of their cell.
            name = f"<cell {self._cell} part {len(self._files)}>"
            before, found, _ = self._code.partition(raw.strip("\n"))
            offset = before.count("\n") if found else 0
        self._files[name] = (self._cell, offset)
        return name

    def _trigger(self, event: str, *rest: Any, **named: Any) -> None:
        """Calls what waits for an event. IPython's own way prints the callback and its arguments when one fails."""
        for callback in self.shell.events.callbacks[event][:]:
            try:
                callback(*rest, **named)
            except (Exception, KeyboardInterrupt):
                self.shell.showtraceback()

    def _locate(self, file: str, line: int) -> Place:
        known = self._files.get(file)
        return None if known is None else (known[0], known[1] + line)

    def show_error(self, problem: BaseException) -> None:
        """Notes an exception that nothing else shows."""
        if not self.widgets.capture_error(problem):
            self._shown.append(problem)

    # Displays of the shell.

    def display(self, data: dict[Any, Any], metadata: Any, display_id: Any = None, update: bool = False) -> None:
        """Shows a display, or replaces those with its id."""
        if update and not self.widgets.is_capturing():
            self.session.update(data, metadata, display_id)
        elif not self.widgets.capture(data, metadata):
            self.session.display(data, metadata, display_id)

    def clear(self, wait: bool) -> None:
        """Removes the outputs of the cell that runs."""
        if not self.widgets.clear():
            self.session.clear(wait)


ENGINE = IPythonEngine


class _Compiler(CachingCompiler):
    nbc: IPythonEngine

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        return self.nbc.file_name(raw_code)


class _Publisher(DisplayPublisher):
    nbc: IPythonEngine

    def publish(
        self,
        data: Any,
        metadata: Any = None,
        source: Any = None,
        *,
        transient: Any = None,
        update: bool = False,
        **_: Any,
    ) -> None:
        display_id = (transient or {}).get("display_id")
        self.nbc.display(data, metadata or {}, display_id, update)

    def clear_output(self, wait: bool = False) -> None:
        self.nbc.clear(wait)


class _Hook(DisplayHook):
    nbc: IPythonEngine

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        self.nbc.display(format_dict, md_dict or {})

    def finish_displayhook(self) -> None:
        pass


class ZMQInteractiveShell(InteractiveShell):
    """Named as ipykernel's, since libraries compare the name."""

    compiler_class = Type(_Compiler)
    display_pub_class = Type(_Publisher)
    displayhook_class = Type(_Hook)
    kernel = None

    def __init__(self, *rest: Any, nbc: IPythonEngine, **named: Any) -> None:
        self.nbc = nbc
        _Compiler.nbc = _Publisher.nbc = _Hook.nbc = nbc
        super().__init__(*rest, **named)

    def enable_gui(self, gui: Any = None) -> None:
        """There is no loop of a toolkit."""

    def ask_exit(self) -> None:
        """The run ends by itself."""

    def init_io(self) -> None:
        """The session has the streams."""

    # Every way in which IPython shows an exception; none may write to a stream, which the page shows. Nothing is
    # formatted, since exceptions can say how that is done, and what fails there is printed.

    def showtraceback(self, exc_tuple: Any = None, *_: Any, **__: Any) -> None:
        """Notes the exception."""
        try:
            problem = self._get_exc_info(exc_tuple)[1]
        except ValueError:
            # `%tb` before the first exception.
            return
        self.nbc.show_error(problem)

    def showsyntaxerror(self, *_: Any, **__: Any) -> None:
        """Notes the exception."""
        self.showtraceback()

    def show_usage_error(self, exc: BaseException) -> None:
        """Notes the exception."""
        self.nbc.show_error(exc)

    def _showtraceback(self, etype: Any, evalue: BaseException, stb: Any) -> None:
        self.nbc.show_error(evalue)

    def system(self, command: str) -> None:
        """`!command`. One stream for both outputs, as under ipykernel, where it is a terminal's."""
        done = subprocess.run(
            self.var_expand(command, depth=1),
            shell=True,
            stdin=subprocess.DEVNULL,
            stdout=1,
            stderr=1,
            check=False,
        )
        self.user_ns["_exit_code"] = done.returncode

    system_piped = system
    system_raw = system


def _no_input(prompt: object = "", stream: Any = None) -> str:
    raise StdinNotImplementedError("a notebook that is compiled cannot ask its reader")
