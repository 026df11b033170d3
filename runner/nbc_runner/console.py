"""Standard output and error: of Python, and of everything that writes to descriptors 1 and 2."""

from __future__ import annotations

import codecs
import fcntl
import io
import os
import sys
import tempfile
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST_FILE = 32 << 20


class Console:
    """Takes over both streams.

    Descriptors 1 and 2 become files in memory, read whenever something else is recorded: the order
    of text and displays is kept, and unlike with pipes there is no thread, which a fork would lose.
    """

    def __init__(self, sink: Callable[[str, str], None], fail: Callable[[str], None]) -> None:
        self._sink = sink
        self._fail = fail
        self._lock = threading.RLock()
        self.process = os.getpid()
        # The console of the process itself, for crashes and for the logs of libraries.
        self.original = os.fdopen(fcntl.fcntl(2, fcntl.F_DUPFD_CLOEXEC, 100), "w", errors="replace")
        self._open()
        self.stdout = Writer(self, "stdout", 1)
        self.stderr = Writer(self, "stderr", 2)

    def adopt(self) -> None:
        """Takes the streams over in a fork, which must not write where the other processes do."""
        self.process = os.getpid()
        self._open()

    def _open(self) -> None:
        self._files = [_File("stdout", 1), _File("stderr", 2)]
        # Lines about exceptions that ended children which have a copy of this process.
        self._failures, self._rest = _File("failures", None), ""

    def descriptors(self) -> set[int]:
        """Descriptors that are its own."""
        return {1, 2, self.original.fileno(), *(it._file for it in (*self._files, self._failures))}

    def install(self) -> None:
        """Makes `sys.stdout` and `sys.stderr` write here."""
        sys.stdout, sys.stderr = self.stdout, self.stderr

    def write(self, name: str, descriptor: int, text: str) -> None:
        """Records text of a stream."""
        if os.getpid() != self.process:
            # A forked child has a copy of our lists; the file it shares with us.
            os.write(descriptor, text.encode("utf-8", "replace"))
            return
        with self._lock:
            self.drain()
            self._sink(name, text)

    def is_fork(self) -> bool:
        """Whether this process is a child that a cell forked."""
        return os.getpid() != self.process

    def report(self, line: str) -> None:
        """Tells the process that forked this one about an exception; `line` ends with its only line break."""
        os.write(self._failures._file, line.encode("utf-8", "replace"))

    def drain(self) -> None:
        """Records what was written to the descriptors since the last time."""
        if os.getpid() != self.process:
            return
        with self._lock:
            for file in self._files:
                text = file.take()
                if text:
                    self._sink(file.name, text)
            text = self._failures.take()
            if text:
                *lines, self._rest = (self._rest + text).split("\n")
                for line in lines:
                    self._fail(line)


def _temporary_file() -> int:
    try:
        with tempfile.TemporaryFile(buffering=0) as opened:
            return os.dup(opened.fileno())
    except OSError:
        # A full disk costs what is written past Python, no more.
        return os.open(os.devnull, os.O_RDWR)


class _File:
    def __init__(self, name: str, descriptor: int | None) -> None:
        self.name = name
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        try:
            file = os.memfd_create(f"nbc-{name}")
        except (AttributeError, OSError):
            file = _temporary_file()
        fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_APPEND)
        if descriptor is not None:
            os.dup2(file, descriptor)
        self._file = fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, 100)
        os.close(file)

    def take(self) -> str:
        size = os.fstat(self._file).st_size
        if size <= self._offset:
            self._offset = min(self._offset, size)
            return ""
        pieces = []
        while True:
            piece = os.pread(self._file, 1 << 20, self._offset)
            if not piece:
                break
            self._offset += len(piece)
            pieces.append(self._decoder.decode(piece))
            if self._offset > LARGEST_FILE:
                os.ftruncate(self._file, 0)
                self._offset = 0
        return "".join(pieces)


class Writer(io.TextIOBase):
    """A text stream that records what is written to it."""

    encoding = "utf-8"
    errors = "replace"
    newlines = None
    line_buffering = True

    def __init__(self, console: Console, name: str, descriptor: int) -> None:
        super().__init__()
        self._console = console
        self._descriptor = descriptor
        self.name = f"<{name}>"
        self._stream = name
        self.buffer = _Bytes(self)

    def write(self, text: str) -> int:
        """Records text."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        text = str(text)
        self._console.write(self._stream, self._descriptor, text)
        return len(text)

    def fileno(self) -> int:
        """The descriptor that programs write to."""
        return self._descriptor

    def isatty(self) -> bool:
        """It is none."""
        return False

    def readable(self) -> bool:
        """There is nothing to read."""
        return False

    def writable(self) -> bool:
        """Text can be written."""
        return True

    def flush(self) -> None:
        """Text is recorded at once."""

    def close(self) -> None:
        """Does nothing: a notebook that closes standard output would silence every cell after it."""


class _Bytes(io.RawIOBase):
    def __init__(self, writer: Writer) -> None:
        super().__init__()
        self._writer = writer
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, data: Any) -> int:
        data = bytes(data)
        self._writer.write(self._decoder.decode(data))
        return len(data)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._writer.fileno()

    def close(self) -> None:
        pass
