"""Frames on a socket: four bytes of length, most significant first, then JSON in UTF-8."""

from __future__ import annotations

import fcntl
import json
import os
import struct
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbc_runner.protocol.messages import Json


class Disconnected(Exception):
    """The other side is gone."""


class Channel:
    """The conversation with nbc."""

    def __init__(self, descriptor: int) -> None:
        self._take(descriptor)
        self._is_left = False
        self._lock = threading.Lock()

    def _take(self, descriptor: int) -> None:
        try:
            # Out of the way of code that closes or writes to small descriptors by number.
            self._descriptor = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 200)
        except OSError:
            self._descriptor = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
        if descriptor > 2:
            # A freed number below three would be taken by the next file, and then be replaced as
            # the process's standard input or output.
            os.close(descriptor)
        self._process = os.getpid()

    def descriptor(self) -> int:
        """The number of the socket."""
        return self._descriptor

    def adopt(self, descriptor: int) -> None:
        """Goes on with another socket, in a fork; the one before is closed already."""
        self._take(descriptor)

    def encode(self, message: Json) -> bytes:
        """The bytes of a frame's body."""
        text = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        # Half of a surrogate pair cannot be written as UTF-8.
        return text.encode("utf-8", "replace")

    def send(self, message: Json) -> None:
        """Sends a message."""
        self.send_encoded(self.encode(message))

    def send_encoded(self, body: bytes) -> None:
        """Sends a body that `encode` gave."""
        if self._is_left:
            return
        if os.getpid() != self._process:
            # A cell forked and its child came back here: it must not speak for the notebook.
            os._exit(0)
        rest = memoryview(struct.pack(">I", len(body)) + body)
        with self._lock:
            while rest:
                try:
                    rest = rest[os.write(self._descriptor, rest) :]
                except OSError as problem:
                    raise Disconnected(str(problem)) from None

    def leave(self) -> None:
        """Gives the conversation up: this process is a fork, and its results go another way."""
        if not self._is_left:
            os.close(self._descriptor)
        self._is_left = True

    def receive(self) -> Json:
        """The next message; `None` when nbc closed its end."""
        head = self._exactly(4)
        if head is None:
            return None
        body = self._exactly(struct.unpack(">I", head)[0])
        return None if body is None else json.loads(body)

    def _exactly(self, count: int) -> bytes | None:
        pieces = []
        while count:
            try:
                piece = os.read(self._descriptor, min(count, 1 << 20))
            except OSError as problem:
                raise Disconnected(str(problem)) from None
            if not piece:
                return None
            pieces.append(piece)
            count -= len(piece)
        return b"".join(pieces)
