"""Results of states as bytes: from a fork to its parent through a pipe, and from a replay through a socket.

The notebook's process writes them, so readers hold every length and every form to what a writer of this file sends.
"""

from __future__ import annotations

import json
import os
import struct
from typing import TYPE_CHECKING, Any

from nbc_runner.protocol.constants import constants

if TYPE_CHECKING:
    import socket

    from nbc_runner.protocol.messages import Json, Step

# The end of a process's frames; no frame begins so.
END = b"\xff" * 8
# Bytes of a path in JSON.
LARGEST_PATH = 16_000


def write_all(pipe: int, data: bytes) -> None:
    """Writes all of it, however much a pipe takes at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(pipe, rest) :]


def write(pipe: int, path: list[Step], body: bytes) -> None:
    """Writes a frame: two lengths, the path below the writer's own, and the message."""
    told = json.dumps(path).encode()
    write_all(pipe, struct.pack(">II", len(told), len(body)) + told + body)


def is_path(steps: Any) -> bool:
    """Whether these are steps as the protocol has them."""
    return (
        isinstance(steps, list)
        and len(steps) <= constants.deepest_inputs
        and all(
            isinstance(step, dict)
            and step.keys() == {"widget", "value"}
            and isinstance(step["widget"], str)
            and type(step["value"]) is int
            and 0 <= step["value"] < 1 << 32
            for step in steps
        )
    )


def frames(data: bytes, most: int) -> tuple[list[tuple[list[Step], bytes]], bytes]:
    """The whole frames in what a child wrote: paths below its own, and bodies of at most `most` bytes; and the rest."""
    found: list[tuple[list[Step], bytes]] = []
    while len(data) >= 8 and not data.startswith(END):
        path, body = struct.unpack_from(">II", data)
        if body > most or path > LARGEST_PATH:
            return found, b"\0" * (most + LARGEST_PATH + 1)
        if len(data) < 8 + path + body:
            break
        try:
            below = json.loads(data[8 : 8 + path])
        except (ValueError, RecursionError):
            below = None
        if is_path(below):
            found.append((below, data[8 + path : 8 + path + body]))
        data = data[8 + path + body :]
    return found, data


def is_answer(said: Any) -> bool:
    """Whether this has the form of a replay's answer."""
    if not isinstance(said, dict):
        return False
    if "lost" in said:
        return said.keys() == {"lost"} and isinstance(said["lost"], str)
    below = said.get("below")
    return (
        said.keys() == {"cells", "widgets", "below"}
        and isinstance(below, list)
        and all(
            isinstance(it, list)
            and len(it) == 3
            and isinstance(it[0], str)
            and type(it[1]) is int
            and 0 <= it[1] < 1 << 32
            and isinstance(it[2], list)
            and all(isinstance(one, list) and all(isinstance(id, str) for id in one) for one in it[2])
            for it in below
        )
    )


def send(connection: socket.socket, message: Json) -> None:
    """Sends a message to the other end of a pair of sockets."""
    body = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
    connection.sendall(struct.pack(">I", len(body)) + body)


def receive(connection: socket.socket) -> Json:
    """The next message; `None` when there is none."""
    pieces = b""
    try:
        while len(pieces) < 4 or len(pieces) < 4 + struct.unpack(">I", pieces[:4])[0]:
            piece = connection.recv(1 << 20)
            if not piece:
                return None
            pieces += piece
        return json.loads(pieces[4:])
    except (OSError, ValueError):
        return None
