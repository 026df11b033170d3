"""Runs marimo cells with marimo's own kernel, in this process and thread, without its server.

Cells, their order, what an exception or `mo.stop` skips, `mo.state` and the formatting of values are
all marimo's. This file feeds the kernel and reads its messages.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import queue
import random
import string
import sys
from typing import TYPE_CHECKING, Any

from nbc_runner import errors, uncaught
from nbc_runner.console import Writer
from nbc_runner.engine import Engine, Unavailable
from nbc_runner.imports import after_import, log
from nbc_runner.protocol.constants import constants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nbc_runner.inputs.values import Widget
    from nbc_runner.protocol.messages import Cell, CellRun, Place, Samples, Status
    from nbc_runner.session import Session

try:
    import marimo
except ImportError as problem:
    raise Unavailable(f"this is a marimo notebook, and its environment has no marimo ({problem})") from None

try:
    from marimo import _loggers
    from marimo._ast import compiler
    from marimo._ast.app_config import _AppConfig
    from marimo._ast.cell import CellConfig
    from marimo._config.config import DEFAULT_CONFIG
    from marimo._entrypoints import registry as entry_points
    from marimo._messaging.notification_utils import CellNotificationUtils
    from marimo._messaging.types import KernelStreams, Stderr, Stdin, Stdout, Stream
    from marimo._output import formatting
    from marimo._output.formatters import formatters
    from marimo._plugins.ui._core.ui_element import UIElement
    from marimo._runtime.commands import AppMetadata, ExecuteCellCommand, UpdateUIElementCommand
    from marimo._runtime.control_flow import MarimoStopError
    from marimo._runtime.kernel_lifecycle import KernelArgs, kernel_session
    from marimo._runtime.runner import cell_runner
    from marimo._runtime.runner.hooks import Priority
    from marimo._session.model import SessionMode
except ImportError as problem:
    raise Unavailable(
        f"marimo {marimo.__version__} is not one that nbc can drive ({problem}); 0.25.2 is known to work"
    ) from None

SETUP = "setup"
# Bytes that these characters cost there beyond themselves.
ESCAPES = (('"', 10), ("\\", 9), ("'", 5), ("&", 4))
# Errors of marimo that say "this cell was not run", not "this cell is wrong".
NOT_RUN = {"MarimoAncestorStoppedError", "MarimoAncestorPreventedError", "MarimoInterruptionError"}


def prepare() -> None:
    """Sets what packages look at when they are imported: nothing but the environment of the run."""
    # marimo looks through all installed packages whenever cells run; they do not change meanwhile.
    find = getattr(entry_points, "get_entry_points", None)
    if find is not None and not hasattr(find, "found"):
        found: dict[str, Any] = {}

        def get_entry_points(group: str) -> Any:
            if group not in found:
                found[group] = find(group)
            return found[group]

        setattr(get_entry_points, "found", found)  # noqa: B010 (a checker knows no attributes of functions)
        entry_points.get_entry_points = get_entry_points


def remembered() -> list[str]:
    """Groups of entry points that a run has looked up."""
    return list(getattr(entry_points.get_entry_points, "found", ()))


def remember(groups: list[str]) -> None:
    """Looks the same things up."""
    for group in groups:
        entry_points.get_entry_points(group)


class MarimoEngine(Engine):
    """One marimo kernel."""

    name = "marimo"
    version = marimo.__version__

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._marimo_id = _marimo_ids(session.start["cells"])
        self._nbc_id = {theirs: ours for ours, theirs in self._marimo_id.items()}
        self._files: dict[str, int] = {}
        self._reported: dict[int, Status] = {}
        self._outcomes: Status = {"kind": "finished"}
        self._raised: BaseException | None = None
        self._unformatted: list[Status] = []
        self._rendering = False
        self._room = constants.table

    def __enter__(self) -> MarimoEngine:
        # Ids of elements are random by design; a page needs the same ones in every build.
        UIElement._random_seed = random.Random(42)
        # Each cell is compiled under a file name of its own, which traces a frame back to the cell:
        # not under the notebook's, and not in a folder that is named after the process.
        compiler.solve_source_position = lambda code, filename: None
        compiler.get_tmpdir = lambda: "/nbc"
        for ours, theirs in self._marimo_id.items():
            self._files[compiler.get_filename(theirs)] = ours
        held = self._register_formatters()
        prepare()
        self._listen_to_errors()
        self._listen_to_formatters()
        self._embed_rows()
        for handler in _loggers.marimo_logger().handlers:
            # marimo's own log is no output of a cell.
            if hasattr(handler, "setStream"):
                handler.setStream(sys.__stderr__)
        console = self.session.console
        self.session.install(self._locate)
        after_import({"altair.utils": lambda utils: uncaught.of_charts(utils, self.session)})
        self._scope = kernel_session(
            KernelArgs(
                streams=KernelStreams(
                    stream=_Messages(self._message),
                    stdout=_Stdout(console, "stdout", 1),
                    stderr=_Stderr(console, "stderr", 2),
                    stdin=_Stdin(),
                ),
                debugger=None,
                configs={
                    self._marimo_id[cell["id"]]: CellConfig(disabled=bool(cell.get("disabled")))
                    for cell in self.session.start["cells"]
                },
                app_metadata=self._metadata(),
                user_config=self._config(),
                mode=SessionMode.RUN,
                control_queue=queue.Queue(),
                set_ui_element_queue=queue.Queue(),
                virtual_file_storage=None,
            )
        )
        self.kernel, _ = self._scope.__enter__()
        for factory in held:
            factory.register()
        hooks = self.kernel._hooks
        hooks.add_pre_execution(self._before, Priority.EARLY)
        hooks.add_post_execution(self._outcome, Priority.EARLY)
        hooks.add_post_execution(self._after, Priority.FINAL)
        return self

    async def run(self) -> None:
        """Runs all cells."""
        commands = {
            self._marimo_id[cell]: ExecuteCellCommand(
                cell_id=self._marimo_id[cell], code=self.session.cells[cell]["code"]
            )
            for cell in self.session.order
        }
        self._render_markdown(commands)
        await self.kernel.run(list(commands.values()))
        for cell in self.session.order:
            if cell in self.session.results:
                continue
            status = self._reported.get(cell)
            if status is None:
                self.session.skip(cell)
            else:
                self.session.finish(cell, status)

    def _register_formatters(self) -> list[Any]:
        """Has marimo set packages up when they are imported; gives what is to be done for those that a warm process
        holds: some ask whether a notebook runs, which it does only later."""
        warm = sys.modules.get("nbc_runner.warm")
        packages = {it for it in formatters.THIRD_PARTY_FACTORIES if warm is not None and it in warm.held()}
        held = {it: formatters.THIRD_PARTY_FACTORIES.pop(it) for it in sorted(packages)}
        formatters.register_formatters()
        formatters.THIRD_PARTY_FACTORIES.update(held)
        return list(held.values())

    # States of the notebook: see `nbc_runner.states`.

    def inputs(self, samples: Samples) -> list[Widget]:
        """The inputs that the run made; `samples` are values that the author chose, by variable."""
        from nbc_runner.inputs import marimo as marimo_inputs

        self._samples = samples
        return marimo_inputs.inputs(self.kernel, self._nbc_id, samples)

    def vanished(self, widgets: list[Widget]) -> set[str]:
        """Ids of inputs that are no more."""
        from marimo._runtime.context import get_context

        objects = get_context().ui_element_registry._objects
        return {it.id for it in widgets if it.id not in objects or objects[it.id]() is None}

    def apply(self, widget: Widget, index: int) -> tuple[dict[int, CellRun], list[Widget]]:
        """Sets an input as a reader would; gives what each cell shows then, and the inputs made anew."""
        from nbc_runner.inputs import marimo as marimo_inputs

        self.session.ran.clear()
        self._reported.clear()
        # A button counts clicks, and its handler sees each of them.
        values = range(1, index + 1) if widget.kind == "button" else [widget.value(index)]
        coroutine = self._set(widget.id, values)
        if any(self.kernel.graph.cells[self._marimo_id[it]].is_coroutine() for it in widget.reach):
            # Descriptors of such cells must not end in a selector that other processes have too.
            asyncio.run(coroutine)
        else:
            self.loop.run_until_complete(coroutine)
        self.session.console.drain()
        cells: dict[int, CellRun] = {}
        for cell in sorted(widget.reach | self.session.ran):
            result = self.session.results.get(cell)
            if cell not in self.session.ran and cell in widget.certain:
                # An ancestor stopped or failed.
                status = self._reported.get(cell, {"kind": "skipped"})
                cells[cell] = {"status": status, "outputs": []}
            elif result is not None:
                cells[cell] = result.report()
        made = marimo_inputs.inputs(self.kernel, self._nbc_id, self._samples, self.session.ran)
        return cells, made

    async def _set(self, id: str, values: Iterable[Any]) -> None:
        for value in values:
            command = UpdateUIElementCommand(object_ids=[id], values=[value])
            await self.kernel.set_ui_element_value(command, notify_frontend=False)

    def _render_markdown(self, commands: dict[str, Any]) -> None:
        """Lets marimo render cells that are nothing but Markdown, as it does when it opens a notebook.

        It takes them out of `commands`; their text loses its indentation in another way than when
        the cells run, so the result may differ from a run's.
        """
        render = getattr(self.kernel, "_handle_markdown_cells_on_instantiate", None)
        if render is None:
            return
        self._rendering = True
        try:
            render(commands)
        finally:
            self._rendering = False

    def _metadata(self) -> AppMetadata:
        start = self.session.start
        options = {
            key: value
            for key, value in (start.get("app") or {}).items()
            if value is not None and hasattr(_AppConfig(), key)
        }
        arguments = list(start.get("argv") or ())
        try:
            from marimo._cli.parse_args import parse_args

            named = parse_args(tuple(arguments)) if arguments else {}
        except Exception:
            named = {}
        return AppMetadata(
            query_params={},
            cli_args=named,
            app_config=_AppConfig(**options),
            argv=arguments,
            filename=self.session.file,
        )

    def _config(self) -> Any:
        try:
            from marimo._config.manager import get_default_config_manager

            manager = get_default_config_manager(current_path=self.session.file)
            config = manager.get_config(hide_secrets=False)
        except Exception:
            import copy

            config = copy.deepcopy(DEFAULT_CONFIG)
        if "default_table_max_columns" in config.get("display", {}):
            config["display"]["default_table_max_columns"] = 200
        # marimo would put its own words in the place of an output over its limit; the session has limits that are told.
        config["runtime"]["output_max_bytes"] = config["runtime"]["std_stream_max_bytes"] = sys.maxsize
        config["runtime"]["show_tracebacks"] = False
        return config

    def _embed_rows(self) -> None:
        """Puts more than a table's first page into its output: a page without Python cannot ask for the next.

        marimo's own bound on the size of pages is 200 rows, so this hooks into what makes the first one.
        """
        table: Any = getattr(marimo.ui, "table", None)
        search = getattr(table, "_search", None)
        if search is None:
            return

        def search_more(this: Any, arguments: Any) -> Any:
            found = search(this, arguments)
            # Before the element is made, marimo asks for its first page.
            if "_args" in vars(this) or this._session_rows == arguments.page_size:
                return found
            return self._more_rows(this, arguments, found, search)

        table._session_rows = self.session.table_rows
        table._search = search_more

    def _more_rows(self, table: Any, arguments: Any, found: Any, search: Any) -> Any:
        # Words of the author's functions about single cells are no part of the page.
        own = {name: vars(table)[name] for name in ("_style_cell", "_hover_cell") if name in vars(table)}
        vars(table).update(dict.fromkeys(own))
        # Never less than marimo's own first page, which is unbounded only where the author asked for one page.
        least = min(arguments.page_size, 200)
        room, rows = min(self._room // 2, self.session.output_bytes // 4), self.session.table_rows
        try:
            while True:
                more = search(table, dataclasses.replace(arguments, page_size=rows))
                texts = [it for it in (more.data, more.raw_data) if isinstance(it, str)]
                # JSON in JSON in an attribute: `"` becomes `&#92;&quot;`.
                size = sum(len(it.encode()) + sum(more * it.count(one) for one, more in ESCAPES) for it in texts)
                if size <= room:
                    break
                if rows <= least:
                    break
                rows = max(min(rows, found.total_rows) * room // size * 9 // 10, least)
        except Exception:
            return found
        finally:
            vars(table).update(own)
        self._room = max(self._room - size, 0)
        return dataclasses.replace(found, data=more.data, raw_data=more.raw_data)

    # Hooks of the kernel: around each evaluation of a cell.

    def _before(self, cell: Any, _context: Any) -> None:
        ours = self._nbc_id.get(cell.cell_id)
        if ours is not None:
            self._outcomes = {"kind": "finished"}
            self._raised, self._unformatted = None, []
            self._room = constants.table
            self.session.begin(ours)

    def _outcome(self, cell: Any, _context: Any, result: Any) -> None:
        """Reads the exception itself: what marimo broadcasts in run mode hides it from readers."""
        problem = result.exception
        if problem is None:
            self._outcomes = {"kind": "finished"}
        elif isinstance(problem, MarimoStopError):
            self._outcomes = {"kind": "stopped"}
        elif isinstance(problem, BaseException):
            original = getattr(problem, "name_error", None)
            self._outcomes = errors.failed(original or problem, self._locate)
        else:
            # marimo has put its own words in the place of the exception, which names the lines.
            name = getattr(problem, "exception_type", None) or type(problem).__name__
            raised = self._raised and errors.failed(self._raised, self._locate)["error"]
            self._outcomes = errors.status(
                name,
                _describe(problem),
                raised["frames"] if raised else (),
                raised["traceback"] if raised else "",
            )

    def _after(self, cell: Any, _context: Any, _result: Any) -> None:
        ours = self._nbc_id.get(cell.cell_id)
        if ours is not None:
            if self._unformatted and self._outcomes["kind"] != "failed":
                self._outcomes = self._unformatted[0]
            self.session.finish(ours, self._outcomes)

    def _locate(self, file: str, line: int) -> Place:
        cell = self._files.get(file)
        return None if cell is None else (cell, line)

    # Messages of the kernel.

    def _message(self, data: Any) -> None:
        message = json.loads(data)
        if message.get("op") != "cell-op":
            return
        cell = self._nbc_id.get(message.get("cell_id"))
        if cell is None:
            return
        output = message.get("output")
        if output and output["channel"] != "marimo-error":
            self._output(cell, output["mimetype"], output["data"])
        console = message.get("console")
        for item in console if isinstance(console, list) else [console] if console else []:
            if item["channel"] in ("stdout", "stderr") and item["mimetype"] == "text/plain":
                self.session.stream(item["channel"], item["data"])
            elif item["channel"] == "media":
                self.session.display({item["mimetype"]: item["data"]})

    def _listen_to_errors(self) -> None:
        """Keeps what marimo says about cells that it refuses to run; its messages to readers hide it."""

        def broadcast_error(data: Any, clear_console: bool = False, cell_id: Any = None, **_: Any) -> None:
            ours = self._nbc_id.get(cell_id)
            for problem in data:
                name = type(problem).__name__
                if ours is None or name in NOT_RUN or getattr(problem, "raising_cell", None) is not None:
                    continue
                self._reported.setdefault(ours, errors.status(name, _describe(problem)))

        CellNotificationUtils.broadcast_error = staticmethod(broadcast_error)
        unwrap: Any = getattr(cell_runner, "unwrap_user_exception", None)

        def unwrap_user_exception(*rest: Any, **named: Any) -> Any:
            problem = unwrap(*rest, **named)
            self._raised = getattr(problem, "name_error", None) or problem
            return problem

        if unwrap is not None:
            cell_runner.unwrap_user_exception = unwrap_user_exception

    def _listen_to_formatters(self) -> None:
        """Keeps what is raised while a value is displayed: marimo shows nothing then, and says nothing in run mode."""
        format_value = formatting.try_format

        def try_format(obj: Any, *rest: Any, **named: Any) -> Any:
            if named.get("include_opinionated") is False and self._unformatted:
                # The second try, without marimo's own formatters, counts instead of the first.
                self._unformatted.pop()
            written, divert = self._hold_errors()
            try:
                output = format_value(obj, *rest, **named)
            finally:
                self.session.console.drain()
                self.session.divert = divert
            problem, text = getattr(output, "exception", None), getattr(output, "traceback", None)
            if isinstance(problem, BaseException):
                self._unformatted.append(errors.failed(problem, self._locate))
            elif text:
                name, _, message = text.strip().rpartition("\n")[2].partition(": ")
                self._unformatted.append(errors.status(name, message, (), text))
            for piece in written:
                # Libraries print the traceback of what they then raise.
                self.session.log(piece) if problem or text else self.session.stream("stderr", piece)
            return output

        formatting.try_format = try_format

    def _hold_errors(self) -> tuple[list[str], Callable[[str, str], bool] | None]:
        """Keeps what is written to standard error from here on; gives the list, and what took it before."""
        session, divert = self.session, self.session.divert
        written: list[str] = []
        session.console.drain()

        def hold(name: str, text: str) -> bool:
            if name == "stderr":
                written.append(text)
            return name == "stderr"

        session.divert = hold
        return written, divert

    def _output(self, cell: int, mime: str, data: Any) -> None:
        if self._rendering:
            self.session.begin(cell)
        result = self.session.results.get(cell)
        if result is None:
            return
        if data == "" and mime == "text/plain":
            result.remove("output")
            return
        if mime == "application/vnd.marimo+mimebundle":
            bundle = json.loads(data) if isinstance(data, str) else dict(data)
            metadata = bundle.pop("__metadata__", {})
        else:
            bundle, metadata = {mime: data}, {}
        self.session.console.drain()
        result.put("output", *self.session.bundle(bundle, metadata))
        if self._rendering:
            self.session.finish(cell, {"kind": "finished"})


ENGINE = MarimoEngine


class _Messages(Stream):
    def __init__(self, take: Callable[[Any], None]) -> None:
        self._take = take
        self.cell_id = None

    def write(self, data: Any) -> None:
        try:
            self._take(data)
        except (KeyError, TypeError, ValueError) as problem:
            log(f"a message of marimo was not understood: {problem!r}")

    def copy_for_thread(self) -> _Messages:
        return self


class _Console(Writer):
    def _write_with_mimetype(self, data: Any, mimetype: str) -> int:
        # Tracebacks are reported as errors, not as text.
        return self.write(data) if mimetype == "text/plain" else len(data)


class _Stdout(_Console, Stdout):
    pass


class _Stderr(_Console, Stderr):
    pass


class _Stdin(Stdin):
    def _readline_with_prompt(self, prompt: str = "", password: bool = False) -> str:
        raise EOFError("a notebook that is compiled cannot ask its reader")


def _marimo_ids(cells: list[Cell]) -> dict[int, str]:
    """marimo's own cell ids, which are part of element ids: four letters from a seeded generator,
    in document order; the setup cell has a fixed one and takes none from the generator."""
    letters = random.Random(42)
    seen: set[str] = set()
    ids: dict[int, str] = {}
    for cell in cells:
        if cell.get("kind") == "setup":
            ids[cell["id"]] = SETUP
            continue
        while True:
            name = "".join(letters.choices(string.ascii_letters, k=4))
            if name not in seen:
                break
        seen.add(name)
        ids[cell["id"]] = name
    return ids


def _describe(problem: Any) -> str:
    for part in ("msg", "hint"):
        text = getattr(problem, part, None)
        if isinstance(text, str) and text:
            return text
    try:
        return str(problem.describe())
    except Exception:
        return repr(problem)
