"""Frames on a socket: four bytes of length, most significant first, then JSON in UTF-8."""

import fcntl
import json
import os
import struct
import threading


class Disconnected(Exception):
    """The other side is gone."""


class Channel:
    """The conversation with nbc."""

    def __init__(self, descriptor):
        self._take(descriptor)
        self._lock = threading.Lock()

    def _take(self, descriptor):
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

    def descriptor(self):
        """The number of the socket."""
        return self._descriptor

    def adopt(self, descriptor):
        """Goes on with another socket, in a fork; the one before is closed already."""
        self._take(descriptor)

    def encode(self, message):
        """The bytes of a frame's body."""
        text = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        # Half of a surrogate pair cannot be written as UTF-8.
        return text.encode("utf-8", "replace")

    def send(self, message):
        """Sends a message."""
        self.send_encoded(self.encode(message))

    def send_encoded(self, body):
        """Sends a body that `encode` gave."""
        if os.getpid() != self._process:
            # A cell forked and its child came back here: it must not speak for the notebook.
            os._exit(0)
        rest = memoryview(struct.pack(">I", len(body)) + body)
        with self._lock:
            while rest:
                try:
                    rest = rest[os.write(self._descriptor, rest):]
                except OSError as problem:
                    raise Disconnected(str(problem)) from None

    def leave(self):
        """Gives the conversation up: this process is a fork, and its results go another way."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None
        self.send_encoded = lambda body: None

    def receive(self):
        """The next message; `None` when nbc closed its end."""
        head = self._exactly(4)
        if head is None:
            return None
        body = self._exactly(struct.unpack(">I", head)[0])
        return None if body is None else json.loads(body)

    def _exactly(self, count):
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
