"""Exceptions that nothing catches and that Python prints: of threads, destructors, tasks, handlers and forks.

Such a text holds lines of code, paths and values. A stream of a cell is published, so the exception goes to the
session instead, where it fails the cell. Text that a cell writes itself is not touched.
"""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

from nbc_runner.imports import after_import

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from nbc_runner.session import Session

    # Takes an exception, or only its class.
    Note: TypeAlias = Callable[..., None]

# Loggers to which the standard library passes exceptions of callbacks and tasks.
LOGGERS = ("asyncio", "concurrent.futures")


def install(session: Session) -> None:
    """Passes to `session.uncaught` what Python and its library would print."""

    def note(problem: BaseException | None, kind: type[BaseException] | None = None) -> None:
        try:
            session.uncaught(problem, kind)
        except Exception:
            # Python would print what a hook raises.
            pass

    def of_thread(told: threading.ExceptHookArgs) -> None:
        if told.exc_type is not SystemExit:
            note(told.exc_value, told.exc_type)

    threading.excepthook = of_thread
    sys.unraisablehook = lambda told: note(told.exc_value, told.exc_type)
    sys.excepthook = lambda kind, problem, trace: note(problem, kind)
    warnings.formatwarning = format_warning
    _of_loggers(session, note)
    after_import(
        {
            "multiprocessing.process": lambda module: _of_processes(module, note),
            "multiprocess.process": lambda module: _of_processes(module, note),
            "socketserver": lambda module: _of_servers(module, note),
            "wsgiref.handlers": lambda module: _of_applications(module, note),
        }
    )


def format_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """A warning without the line of code that gave it: a page may hide its code."""
    return f"{filename}:{lineno}: {category.__name__}: {message}\n"


def of_charts(utils: Any, session: Session) -> None:
    """A chart of Altair that is wrong prints its traceback outside of IPython, and shows nothing."""
    utils.display_traceback = lambda *_, **__: session.uncaught(sys.exc_info()[1])


def _of_loggers(session: Session, note: Note) -> None:
    def is_for_the_page(record: logging.LogRecord) -> bool:
        problem = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if problem is not None:
            note(problem)
            return False
        if record.levelno >= logging.ERROR:
            # "Task was destroyed but it is pending!" and the like: representations, but no exception.
            session.log(record.getMessage())
            return False
        return True

    for name in LOGGERS:
        logging.getLogger(name).addFilter(is_for_the_page)

    def handle_error(_handler: logging.Handler, _record: logging.LogRecord) -> None:
        # "--- Logging error ---", with the stack and the arguments.
        if logging.raiseExceptions:
            note(sys.exc_info()[1])

    setattr(logging.Handler, "handleError", handle_error)  # noqa: B010 (a checker takes methods for fixed)


def _of_processes(module: Any, note: Note) -> None:
    """A fork prints what its function raises, and ends with 1."""
    bootstrap = module.BaseProcess._bootstrap

    def _bootstrap(self: Any, *rest: Any, **named: Any) -> Any:
        run = self.run

        def guarded() -> Any:
            try:
                return run()
            except SystemExit:
                raise
            except BaseException as problem:
                note(problem)
                raise SystemExit(1) from None

        self.run = guarded
        return bootstrap(self, *rest, **named)

    module.BaseProcess._bootstrap = _bootstrap


def _of_servers(module: Any, note: Note) -> None:
    module.BaseServer.handle_error = lambda self, request, address: note(sys.exc_info()[1])


def _of_applications(module: Any, note: Note) -> None:
    module.BaseHandler.log_exception = lambda self, told: note(told[1])
