"""Reads the source archive of a package, or builds its wheel: code of the package runs, so this is inside.

Arguments: the archive, a folder for work, and for a build: the backend, its paths and the requirements that
are there already, as JSON. One record comes back on descriptor 3, two lengths, a name and data:
`pyproject.toml`, `requires` (as JSON) or the name of the wheel.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import socket
import struct
import sys
import tarfile
from typing import Any

ARCHIVE, FOLDER, *BUILD = sys.argv[1:]
sys.argv[1:] = []


def send(title: str, data: bytes) -> None:
    name = os.fsencode(title)
    channel = socket.socket(fileno=3)
    channel.sendall(struct.pack("<II", len(name), len(data)) + name)
    channel.sendall(data)


def unpacked() -> str:
    folder = os.path.join(FOLDER, "source")
    is_filtered = hasattr(tarfile, "data_filter") and not ARCHIVE.endswith(".zip")
    options: dict[str, Any] = {"filter": "data"} if is_filtered else {}
    shutil.unpack_archive(ARCHIVE, folder, **options)
    entries = [it for it in os.scandir(folder) if it.is_dir(follow_symlinks=False)]
    return entries[0].path if len(entries) == 1 else folder


def build(name: str, paths: str, present: str) -> None:
    sys.path[:0] = [os.path.join(os.getcwd(), path) for path in json.loads(paths)]
    module, _, attributes = name.partition(":")
    backend: Any = importlib.import_module(module)
    for attribute in attributes.split(".") if attributes else []:
        backend = getattr(backend, attribute)
    hook = getattr(backend, "get_requires_for_build_wheel", None)
    missing = [it for it in (hook({}) if hook else []) if it not in json.loads(present)]
    if missing:
        send("requires", json.dumps(missing).encode())
        return
    folder = os.path.join(FOLDER, "wheel")
    os.mkdir(folder)
    wheel = backend.build_wheel(folder, {}, None)
    with open(os.path.join(folder, wheel), "rb") as file:
        send(wheel, file.read())


os.chdir(unpacked())
if BUILD:
    build(*BUILD)
elif os.path.isfile("pyproject.toml"):
    with open("pyproject.toml", "rb") as file:
        send("pyproject.toml", file.read(1 << 20))
else:
    send("pyproject.toml", b"")
