"""Reads the source archive of a package, or builds its wheel: code of the package runs, so this is inside.

Arguments: the archive, a folder for work, and for a build: the backend, its paths and the requirements that
are there already, as JSON. One record comes back on descriptor 3, two lengths, a name and data:
`pyproject.toml`, `requires` (as JSON) or the name of the wheel.
"""

import importlib
import json
import os
import shutil
import socket
import struct
import sys
import tarfile

ARCHIVE, FOLDER, *BUILD = sys.argv[1:]
sys.argv[1:] = []


def send(name, data):
    name = os.fsencode(name)
    channel = socket.socket(fileno=3)
    channel.sendall(struct.pack("<II", len(name), len(data)) + name)
    channel.sendall(data)


def unpacked():
    folder = os.path.join(FOLDER, "source")
    is_filtered = hasattr(tarfile, "data_filter") and not ARCHIVE.endswith(".zip")
    shutil.unpack_archive(ARCHIVE, folder, **({"filter": "data"} if is_filtered else {}))
    entries = [it for it in os.scandir(folder) if it.is_dir(follow_symlinks=False)]
    return entries[0].path if len(entries) == 1 else folder


def build(backend, paths, present):
    sys.path[:0] = [os.path.join(os.getcwd(), path) for path in json.loads(paths)]
    module, _, attributes = backend.partition(":")
    backend = importlib.import_module(module)
    for attribute in attributes.split(".") if attributes else []:
        backend = getattr(backend, attribute)
    hook = getattr(backend, "get_requires_for_build_wheel", None)
    missing = [it for it in (hook({}) if hook else []) if it not in json.loads(present)]
    if missing:
        return send("requires", json.dumps(missing).encode())
    folder = os.path.join(FOLDER, "wheel")
    os.mkdir(folder)
    name = backend.build_wheel(folder, {}, None)
    with open(os.path.join(folder, name), "rb") as file:
        send(name, file.read())


os.chdir(unpacked())
if BUILD:
    build(*BUILD)
elif os.path.isfile("pyproject.toml"):
    with open("pyproject.toml", "rb") as file:
        send("pyproject.toml", file.read(1 << 20))
else:
    send("pyproject.toml", b"")
