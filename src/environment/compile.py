"""Compiles the packages of an environment: source on disk to bytecode on descriptor 3, running none of it.

Arguments: the folder of the packages, and a folder for a lock. Each record is two lengths, a path and the
bytecode; an empty path ends them.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import socket
import struct
import sys
import warnings
from importlib import util
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT, SCRATCH = sys.argv[1:]
# Without a view of its own the folder lies elsewhere, and no page may depend on where.
NAME = "/env/lib"
channel = socket.socket(fileno=3)


def sources() -> Iterator[str]:
    for folder, folders, files in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        yield from (os.path.join(folder, name) for name in sorted(files) if name.endswith(".py"))


def bytecode(path: str) -> bytes:
    with open(path, "rb") as file:
        source = file.read()
    name = os.path.join(NAME, os.path.relpath(path, ROOT))
    code = compile(source, name, "exec", dont_inherit=True)
    # Never compared with the source again: the environment does not change.
    unchecked = struct.pack("<I", 1)
    return util.MAGIC_NUMBER + unchecked + util.source_hash(source) + marshal.dumps(code)


def send(path: str, data: bytes, lock: IO[str]) -> None:
    name = os.fsencode(path)
    fcntl.lockf(lock, fcntl.LOCK_EX)
    channel.sendall(struct.pack("<II", len(name), len(data)) + name + data)
    fcntl.lockf(lock, fcntl.LOCK_UN)


def work(paths: list[str], lock: IO[str]) -> None:
    for path in paths:
        try:
            data = bytecode(path)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OSError):
            # A template, or a test of a syntax error: it fails when it is imported, if ever.
            continue
        send(os.path.relpath(util.cache_from_source(path), ROOT), data, lock)


def main() -> None:
    warnings.simplefilter("ignore")
    paths = list(sources())
    number = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    children = []
    for idx in range(number):
        child = os.fork()
        if child == 0:
            with open(os.path.join(SCRATCH, "lock"), "w") as lock:
                work(paths[idx::number], lock)
            os._exit(0)
        children.append(child)
    failed = [child for child in children if os.waitpid(child, 0)[1] != 0]
    if failed:
        sys.exit("a worker died")
    channel.sendall(struct.pack("<II", 0, 0))


main()
