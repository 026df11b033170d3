"""Starts the runner on cells and collects its events; for experiments and for timing by hand.

    PYTHON harness.py ENGINE FILE.py|FILE.ipynb     runs a notebook, prints its events
"""

import json
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../runner")
RUNNER = os.path.join(FOLDER, "main.py")
sys.path.insert(0, FOLDER)

from tests import CONSTANTS  # noqa: E402


def run(engine, cells, python=sys.executable, file=None, environment=None, **options):
    ours, theirs = socket.socketpair()
    folder = os.path.dirname(file) if file else tempfile.mkdtemp()
    cells = [cell if isinstance(cell, dict) else {"code": cell} for cell in cells]
    for at, cell in enumerate(cells):
        cell.setdefault("id", at)
        cell.setdefault("kind", "code")
    start = {
        "protocol": 2, "engine": engine, "file": file or f"{folder}/notebook.py", "argv": [],
        "cells": cells, "order": [cell["id"] for cell in cells], "overlays": [], "seed": None,
        "allow_errors": False,
        "limits": {
            "output_bytes": 16 << 20, "total_bytes": 64 << 20, "outputs": 1000, "rows": 5000,
            "cell_bytes": 48 << 20, "state_bytes": 24 << 20, "constants": CONSTANTS,
        },
        **options,
    }
    home = tempfile.mkdtemp()
    env = {"PATH": os.environ["PATH"], "HOME": home, "LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1",
           "NBC_CHANNEL": str(theirs.fileno()), **(environment or {})}
    began = time.perf_counter()
    child = subprocess.Popen([python, "-s", RUNNER], pass_fds=[theirs.fileno()], env=env, cwd=folder)
    theirs.close()
    send(ours, {"command": "start", "start": start})
    events = []
    while True:
        event = receive(ours)
        if event is None:
            break
        events.append(event)
        if event["event"] in ("done", "fatal"):
            send(ours, {"command": "finish"})
    code = os.wait4(child.pid, 0)
    wall, cpu = time.perf_counter() - began, code[2].ru_utime + code[2].ru_stime
    return events, {"code": code[1], "wall": round(wall, 3), "cpu": round(cpu, 3), "rss": code[2].ru_maxrss}


def send(channel, message):
    body = json.dumps(message).encode()
    channel.sendall(struct.pack(">I", len(body)) + body)


def receive(channel):
    def exactly(count):
        data = b""
        while len(data) < count:
            piece = channel.recv(count - len(data))
            if not piece:
                return None
            data += piece
        return data
    try:
        head = exactly(4)
        return None if head is None else json.loads(exactly(struct.unpack(">I", head)[0]))
    except ConnectionResetError:
        return None


def read(path):
    """Cells of a notebook file; marimo's by marimo itself."""
    if path.endswith(".ipynb"):
        notebook = json.load(open(path))
        return [{"id": at, "code": "".join(cell["source"])}
                for at, cell in enumerate(notebook["cells"]) if cell["cell_type"] == "code"]
    from marimo._ast.load import load_app

    manager = load_app(path)._cell_manager
    return [{"code": data.code, "kind": "setup" if data.cell_id == "setup" else "code",
             "disabled": data.config.disabled} for data in manager.cell_data()]


if __name__ == "__main__":
    path = os.path.abspath(sys.argv[2])
    events, cost = run(sys.argv[1], read(path), file=path)
    for event in events:
        print(re.sub(r"[A-Za-z0-9+/]{200,}", "BASE64", json.dumps(event))[:int(os.environ.get("WIDTH", 400))])
    print(cost)
