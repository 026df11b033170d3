"""A notebook with 31 MB of stored outputs to a page: nbc next to nbconvert, and next to the floor.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install -r benches/requirements.txt
    cargo build --release && /tmp/peers/bin/python benches/stored.py target/release/nbc

The floor is a Python process that reads the notebook, takes its SHA-384 (OpenSSL) and writes it again. Each
repetition runs every program once, so that noise of the machine hits all alike; ratios are taken within a
repetition, and medians are printed. CPU time is user and system time of the whole process tree, memory the most
that one process held.

    python3 benches/stored.py --write notebook.ipynb          only writes the notebook
    python3 benches/stored.py target/release/nbc --many       1,000 small notebooks instead, and fewer
"""

from __future__ import annotations

import base64
import json
import os
import pathlib
import platform
import random
import shutil
import statistics
import struct
import sys
import tempfile
import time
import zlib

REPETITIONS = int(os.environ.get("REPETITIONS", "5"))
WORDS = "alpha beta gamma region total mean median price volume day week model error rate of the and in".split()

FLOOR = """
import hashlib, sys
data = open(sys.argv[1], "rb").read()
hashlib.sha384(data).digest()
open(sys.argv[2], "wb").write(data)
"""


def png(chance: random.Random, width: int, height: int) -> str:
    """A plot as matplotlib stores it: base64 in one line. Noise, so that it compresses as little as the lines of a plot."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + chance.randbytes(width) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")
    return base64.b64encode(data).decode()


def table(chance: random.Random, rows: int) -> str:
    """What pandas writes, its style element included."""
    style = "<style scoped>\n    .dataframe tbody tr th:only-of-type {\n        vertical-align: middle;\n    }\n\n    .dataframe tbody tr th {\n        vertical-align: top;\n    }\n</style>\n"
    columns = ["region", "price", "volume", "share", "date", "note"]
    head = '    <tr style="text-align: right;">\n      <th></th>\n' + "".join(f"      <th>{it}</th>\n" for it in columns) + "    </tr>\n"
    body = ""
    for row in range(rows):
        cells = [chance.choice(WORDS), f"{chance.random():.6f}", str(chance.randrange(10**6)), f"{chance.gauss(0, 1):.6f}", "2024-03-05", sentence(chance, 4)]
        body += f"    <tr>\n      <th>{row}</th>\n" + "".join(f"      <td>{it}</td>\n" for it in cells) + "    </tr>\n"
    frame = f'<table border="1" class="dataframe">\n  <thead>\n{head}  </thead>\n  <tbody>\n{body}  </tbody>\n</table>\n'
    return f"<div>\n{style}{frame}<p>{rows} rows × {len(columns)} columns</p>\n</div>"


def svg(chance: random.Random, points: int) -> str:
    path = " L ".join(f"{chance.random() * 400:.3f} {chance.random() * 300:.3f}" for _ in range(points))
    uses = "".join(f'<use xlink:href="#m1" x="{chance.random() * 400:.3f}" y="{chance.random() * 300:.3f}"/>\n' for _ in range(points // 4))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="400pt" height="300pt" viewBox="0 0 400 300">\n'
        f'<defs><path id="m1" d="M 0 3 C 1 3 2 2 3 0" style="stroke: #1f77b4"/></defs>\n<g id="axes_1">\n<path d="M {path}" style="fill: none; stroke: #1f77b4; stroke-width: 1.5"/>\n{uses}</g>\n</svg>\n'
    )


def plotly(chance: random.Random, points: int) -> dict:
    data = [{"type": "scatter", "mode": "lines", "x": list(range(points)), "y": [round(chance.gauss(0, 1), 6) for _ in range(points)]}]
    return {"data": data, "layout": {"title": {"text": "A walk"}}, "config": {"plotlyServerURL": "https://plot.ly"}}


def vega(chance: random.Random, points: int) -> dict:
    values = [{"a": row, "b": round(chance.random(), 6), "c": chance.choice(WORDS)} for row in range(points)]
    encoding = {"x": {"field": "a", "type": "quantitative"}, "y": {"field": "b", "type": "quantitative"}}
    return {"$schema": "https://vega.github.io/schema/vega-lite/v5.20.1.json", "data": {"values": values}, "mark": "point", "encoding": encoding}


def sentence(chance: random.Random, words: int) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(words))


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def display(data: dict) -> dict:
    return {"output_type": "display_data", "metadata": {}, "data": data}


def notebook(cells: int, seed: int, pixels: tuple[int, int] = (300, 270), rows: int = 60) -> str:
    """Of ten cells, six show a plot, one a table, one text, one prose, and one a drawing or a chart."""
    chance = random.Random(seed)
    found = []
    for number in range(cells):
        cell = {"cell_type": "code", "id": f"c{number}", "metadata": {}, "execution_count": number + 1, "source": lines(f"result_{number} = plot({number})\nresult_{number}"), "outputs": []}
        kind = number % 10
        if kind == 0:
            cell = {"cell_type": "markdown", "id": f"c{number}", "metadata": {}, "source": lines(f"## Part {number}\n\n{sentence(chance, 80)} $x_{number}^2$\n\n- {sentence(chance, 8)}\n- *{sentence(chance, 8)}*")}
        elif kind == 1:
            cell["outputs"] = [display({"text/html": lines(table(chance, rows)), "text/plain": lines(sentence(chance, 300))})]
        elif kind == 2:
            text = "".join(f"epoch {epoch}: {sentence(chance, 6)} {chance.random():.5f}\n" for epoch in range(200))
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": lines(text)}]
        elif kind == 3 and number % 40 == 3:
            cell["outputs"] = [display({"image/svg+xml": lines(svg(chance, 2000)), "text/plain": ["<Figure size 640x480 with 1 Axes>"]})]
        elif kind == 3 and number % 40 == 13:
            cell["outputs"] = [display({"application/vnd.plotly.v1+json": plotly(chance, 2000)})]
        elif kind == 3 and number % 40 == 23:
            image = png(chance, *pixels) + "\n"
            cell["outputs"] = [display({"application/vnd.vegalite.v5+json": vega(chance, 800), "image/png": image, "text/plain": ["<VegaLite 5 object>"]})]
        else:
            image = png(chance, *pixels) + "\n"
            cell["outputs"] = [display({"image/png": image, "text/plain": ["<Figure size 640x480 with 1 Axes>"]})]
        found.append(cell)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}, "language_info": {"name": "python"}}
    return json.dumps({"cells": found, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}, indent=1, ensure_ascii=False)


def large() -> str:
    return notebook(400, 1)


def measure(command: list[str], folder: pathlib.Path) -> tuple[float, float, float]:
    """Wall and CPU seconds of the process tree, and the largest memory in MB."""
    start = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(folder)
        os.execv(command[0], command)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"{command} failed:\n{(folder / 'log').read_text()[-2000:]}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


def compare(programs: dict[str, list[str]], folder: pathlib.Path) -> dict[str, list[tuple[float, float, float]]]:
    results: dict[str, list[tuple[float, float, float]]] = {name: [] for name in programs}
    for command in programs.values():
        measure(command, folder)  # Fills the page cache and the bytecode caches.
    for _ in range(REPETITIONS):
        for program, command in programs.items():
            results[program].append(measure(command, folder))
    return results


def machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {REPETITIONS} repetitions, medians\n"


def one_large(nbc: str, folder: pathlib.Path) -> None:
    (folder / "large.ipynb").write_text(large())
    python = sys.executable
    build = [nbc, "build", "large.ipynb", "--execute", "never", "--no-cache"]
    programs = {
        "read, SHA-384, write": [python, "-I", "-S", "-c", FLOOR, "large.ipynb", "copy"],
        "nbc build": [*build, "-o", "out", "--charts", "static"],
        "nbc build, interactive charts": [*build, "-o", "interactive"],
    }
    peer = pathlib.Path(python).parent / "jupyter-nbconvert"
    if peer.exists():
        programs["jupyter nbconvert --to html"] = [python, str(peer), "--to", "html", "large.ipynb", "--output", "peer.html"]
    results = compare(programs, folder)
    floor, own = results["read, SHA-384, write"], results["nbc build"]
    print(f"{(folder / 'large.ipynb').stat().st_size / 1e6:.1f} MB notebook; {machine()}")
    print("| program | wall s | CPU s | peak MB | wall, CPU: times the floor | wall, CPU: times nbc |\n|---|---|---|---|---|---|")
    for program, runs in results.items():
        middle = [statistics.median(run[at] for run in runs) for at in range(3)]

        def times(base: list[tuple[float, float, float]]) -> str:
            return ", ".join(f"{statistics.median(run[at] / other[at] for run, other in zip(runs, base)):.1f}" for at in range(2))

        print(f"| {program} | {middle[0]:.3f} | {middle[1]:.3f} | {middle[2]:.0f} | {times(floor)} | {times(own)} |")


def many_small(nbc: str, folder: pathlib.Path) -> None:
    print(f"{machine()}\n| small notebooks | wall s | CPU s | peak MB | CPU ms a notebook |\n|---|---|---|---|---|")
    for number in (10, 100, 1000, 3000):
        inputs = folder / f"in-{number}"
        inputs.mkdir()
        for at in range(number):
            (inputs / f"n{at}.ipynb").write_text(notebook(4, at, (60, 40), 5))
        runs = compare({"nbc": [nbc, "build", str(inputs), "-o", f"out-{number}", "--execute", "never", "--no-cache"]}, folder)["nbc"]
        wall, cpu, peak = (statistics.median(run[at] for run in runs) for at in range(3))
        print(f"| {number} | {wall:.3f} | {cpu:.3f} | {peak:.0f} | {cpu / number * 1000:.2f} |")
        shutil.rmtree(folder / f"out-{number}")


def main() -> None:
    if sys.argv[1] == "--write":
        pathlib.Path(sys.argv[2]).write_text(large())
        return
    nbc = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as name:
        (many_small if "--many" in sys.argv else one_large)(nbc, pathlib.Path(name))


if __name__ == "__main__":
    main()
