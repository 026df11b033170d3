"""Whole-process comparison of nbc with its peers: same notebooks, one run, interleaved.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install -r benches/requirements.txt
    cargo build --release && /tmp/peers/bin/python benches/compare.py target/release/nbc

All programs use the same interpreter and packages. Each repetition runs every program once, so that
noise of the machine hits all alike; ratios are taken within a repetition, and medians are printed.
CPU time is user and system time of the whole process tree, as a control group counts it; where none can be made
(it takes root), as the kernel tells a parent, which misses processes that end with their namespace.
"""

from __future__ import annotations

import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

REPETITIONS = int(os.environ.get("REPETITIONS", "5"))
CELLS = 5


def tiny_code() -> list[str]:
    """Cells of the standard library: what remains is the cost of the tools themselves."""
    code = ["import math, statistics"]
    code += [f"values_{n} = [math.sin(k / {n + 1}) for k in range(1000)]\nprint(statistics.fmean(values_{n}))" for n in range(CELLS - 2)]
    return [*code, f"max(values_{CELLS - 3})"]


def report_code() -> list[str]:
    """25 cells: tables, six figures of matplotlib, four charts of Altair and four of Plotly."""
    cells = [
        "import numpy as np\nimport pandas as pd\nimport matplotlib.pyplot as plt\nimport altair as alt\nimport plotly.express as px",
        "rng = np.random.default_rng(1)\ntable = pd.DataFrame(rng.normal(size=(2000, 4)).cumsum(axis=0), columns=list('abcd'))",
        "table.describe()",
        "table.tail(20)",
        "monthly = table.groupby(table.index // 100).mean()\nmonthly",
        "correlation = table.corr()\ncorrelation",
        "small = table.iloc[::20].reset_index()",
    ]
    for number, column in enumerate("abcdab"):
        plot = f"plot(table['{column}'])" if number % 2 else f"hist(table['{column}'], bins=60)"
        cells.append(f"figure_{number}, axes_{number} = plt.subplots(figsize=(8, 4))\naxes_{number}.{plot}\nfigure_{number}")
    for number, column in enumerate("abcd"):
        cells.append(f"chart_{number} = alt.Chart(small).mark_line().encode(x='index', y='{column}')\nchart_{number}")
    for number, column in enumerate("abcd"):
        cells.append(f"plot_{number} = px.scatter(small, x='index', y='{column}')\nplot_{number}")
    cells += [f"ranked_{number} = table.nlargest(10, '{column}')\nranked_{number}" for number, column in enumerate("abcd")]
    return cells


def as_script(cell: str) -> str:
    """What a script has to do to have the same at its end: pictures, and the data of charts and tables."""
    lines = cell.splitlines()
    last = lines[-1]
    shown = {"figure": f"{last}.savefig('{last}.png', bbox_inches='tight')", "chart": f"{last}.to_json()", "plot": f"{last}.to_json()"}
    if last.isidentifier() and last.rstrip("0123456789").rstrip("_") in shown:
        lines[-1] = shown[last.rstrip("0123456789").rstrip("_")]
    elif last.isidentifier() or last.startswith("table."):
        lines[-1] = f"({last}).to_html()"
    return "\n".join(lines)


def write_notebooks(folder: pathlib.Path, name: str, cells: list[str]) -> None:
    marimo = "import marimo\n\napp = marimo.App()\n\n\n"
    for cell in cells:
        body = "".join(f"    {line}\n" for line in cell.splitlines())
        marimo += f"@app.cell\ndef _():\n{body}    return\n\n\n"
    (folder / f"{name}.py").write_text(marimo)
    jupyter = {
        "cells": [{"cell_type": "code", "id": f"c{n}", "metadata": {}, "source": cell, "outputs": [], "execution_count": None} for n, cell in enumerate(cells)],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (folder / f"{name}.ipynb").write_text(json.dumps(jupyter))
    (folder / f"{name}_plain.py").write_text("\n".join(map(as_script, cells)) + "\n")


class Group:
    """A control group that counts CPU time, version 1 or 2."""

    def __init__(self) -> None:
        for root, file, unit in (("/sys/fs/cgroup/cpuacct", "cpuacct.usage", 1e9), ("/sys/fs/cgroup", "cpu.stat", 1e6)):
            self.folder, self.file, self.unit = pathlib.Path(root, f"nbc-bench-{os.getpid()}"), file, unit
            try:
                self.folder.mkdir()
                (self.folder / file).read_text()
                return
            except OSError:
                if self.folder.exists():
                    self.folder.rmdir()
        self.folder = None

    def enter(self) -> None:
        if self.folder is not None:
            (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def seconds(self) -> float:
        words = (self.folder / self.file).read_text().split()
        return int(words[0] if len(words) == 1 else words[words.index("usage_usec") + 1]) / self.unit

    def close(self) -> None:
        # The last processes of a namespace take a moment to go.
        for _ in range(100):
            if not (self.folder / "cgroup.procs").read_text():
                break
            time.sleep(0.01)
        self.folder.rmdir()


def measure(command: list[str], folder: pathlib.Path) -> tuple[float, float]:
    """Wall and CPU seconds of a command."""
    group = Group()
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=group.enter)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"{command} failed:\n{said.decode()[-2000:]}")
    if group.folder is None:
        return wall, usage.ru_utime + usage.ru_stime
    cpu = group.seconds()
    group.close()
    return wall, cpu


def write_book(folder: pathlib.Path, notebook: str) -> None:
    """A book of one page that Jupyter Book 1 runs each time."""
    book = folder / f"book-{notebook}"
    book.mkdir()
    shutil.copy(folder / f"{notebook}.ipynb", book)
    (book / "_toc.yml").write_text(f"format: jb-book\nroot: {notebook}\n")
    (book / "_config.yml").write_text("execute:\n  execute_notebooks: force\n  timeout: -1\n")


def main() -> None:
    nbc = str(pathlib.Path(sys.argv[1]).resolve())
    python = sys.executable
    scripts = pathlib.Path(python).parent
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_notebooks(folder, "tiny", tiny_code())
        write_notebooks(folder, "report", report_code())
        programs: dict[str, list[str]] = {}
        for notebook in ("tiny", "report"):
            programs[f"{notebook}: plain script"] = [python, f"{notebook}_plain.py"]
            programs[f"{notebook}.py: nbc build"] = [nbc, "build", f"{notebook}.py", "-o", f"out-{notebook}-py", "--python", python, "--no-cache"]
            programs[f"{notebook}.py: marimo export html"] = [str(scripts / "marimo"), "export", "html", f"{notebook}.py", "-o", "m.html", "-f"]
            programs[f"{notebook}.ipynb: nbc build"] = [nbc, "build", f"{notebook}.ipynb", "-o", f"out-{notebook}-ipynb", "--python", python, "--no-cache"]
            programs[f"{notebook}.ipynb: nbconvert --execute"] = [str(scripts / "jupyter-nbconvert"), "--to", "html", "--execute", f"{notebook}.ipynb", "--output", "n.html"]
            write_book(folder, notebook)
            programs[f"{notebook}.ipynb: jupyter-book build"] = [str(scripts / "jupyter-book"), "build", "--all", f"book-{notebook}"]
        results: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
        for command in programs.values():
            measure(command, folder)  # Fills the page cache and the bytecode caches.
        for _ in range(REPETITIONS):
            for program, command in programs.items():
                results[program].append(measure(command, folder))
        share = subprocess.run(
            [nbc, "build", "tiny.py", "-o", "out-share", "--python", python, "--no-cache", "--timings"], cwd=folder, capture_output=True, text=True, check=True
        ).stderr
        print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {REPETITIONS} repetitions, medians (range)\n")
        print("| program | wall s | CPU s | CPU, times the plain script | CPU, times nbc |\n|---|---|---|---|---|")
        for program, runs in results.items():
            notebook, _, tool = program.partition(": ")
            floor = results[f"{notebook.split('.')[0]}: plain script"]
            own = results.get(f"{notebook}: nbc build", floor)
            wall = statistics.median(run[0] for run in runs)
            cpu = statistics.median(run[1] for run in runs)
            low, high = min(run[1] for run in runs), max(run[1] for run in runs)
            of_floor = statistics.median(run[1] / base[1] for run, base in zip(runs, floor))
            of_nbc = statistics.median(run[1] / base[1] for run, base in zip(runs, own)) if tool != "plain script" else float("nan")
            times = f"{of_nbc:.1f}" if of_nbc == of_nbc else ""
            print(f"| {program} | {wall:.2f} | {cpu:.2f} ({low:.2f} to {high:.2f}) | {of_floor:.1f} | {times} |")
        print("\n`nbc build tiny.py --timings`:\n\n```text\n" + "\n".join(line for line in share.splitlines() if " ms" in line) + "\n```")
        shutil.rmtree(folder / "out-share", ignore_errors=True)


if __name__ == "__main__":
    main()
