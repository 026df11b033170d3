"""Many small notebooks: cold beside the peers, unchanged beside `sha256sum`, and how the cost grows.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install -r benches/requirements.txt
    cargo build --release && /tmp/peers/bin/python benches/many.py target/release/nbc

Parts by name: `cold`, `unchanged`, `changed`, `growth`; all if none is named. All programs use the same interpreter and
packages, each repetition runs every program once, ratios are taken within a repetition, and medians are
printed. CPU time is user and system time of the whole process tree.
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

from compare import measure

REPETITIONS = int(os.environ.get("REPETITIONS", "3"))
COLD = int(os.environ.get("NOTEBOOKS", "100"))
CELLS = 5


def code(seed: int) -> list[str]:
    """Five cells of the standard library, no two notebooks alike."""
    return [
        "import math, statistics",
        f"values = [math.sin(k / {seed + 1}) for k in range(200)]",
        "mean = statistics.fmean(values)",
        f"print('notebook', {seed}, round(mean, 6))",
        "max(values) - min(values)",
    ]


def write_marimo(path: pathlib.Path, seed: int) -> None:
    text = "import marimo\n\napp = marimo.App()\n\n\n"
    for cell in code(seed):
        body = "".join(f"    {line}\n" for line in cell.splitlines())
        text += f"@app.cell\ndef _():\n{body}    return\n\n\n"
    path.write_text(text)


def write_jupyter(path: pathlib.Path, seed: int, is_stored: bool = False) -> None:
    cells = []
    for number, source in enumerate(code(seed)):
        outputs = []
        if is_stored and number >= 3:
            outputs = [{"output_type": "stream", "name": "stdout", "text": f"notebook {seed}, stored output {number}\n"}]
        cells.append({"cell_type": "code", "id": f"c{number}", "metadata": {}, "source": source, "outputs": outputs, "execution_count": None})
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.write_text(json.dumps({"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}))


def folder_of(root: pathlib.Path, kind: str, number: int) -> pathlib.Path:
    folder = root / f"{kind}-{number}"
    folder.mkdir()
    for seed in range(number):
        if kind == "marimo":
            write_marimo(folder / f"n{seed:05}.py", seed)
        else:
            write_jupyter(folder / f"n{seed:05}.ipynb", seed, kind == "stored")
    return folder


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def cold(nbc: str, root: pathlib.Path) -> None:
    python, scripts = sys.executable, pathlib.Path(sys.executable).parent
    marimo, jupyter = folder_of(root, "marimo", COLD), folder_of(root, "jupyter", COLD)
    build = [nbc, "build", "--python", python, "--no-cache"]
    loop = "for it in {}; do {} >/dev/null 2>&1 || exit 1; done"
    export = loop.format("marimo-*/*.py", f"'{scripts}/marimo' export html $it -o $it.html -f")
    plain = loop.format("marimo-*/*.py", f"'{python}' -c 'import math, statistics'")
    programs = {
        "marimo: nbc build": [*build, str(marimo), "-o", "out-marimo"],
        "marimo: nbc build --no-warm": [*build, "--no-warm", str(marimo), "-o", "out-marimo-cold"],
        "marimo: marimo export html, in a loop": ["sh", "-c", export],
        "Jupyter: nbc build": [*build, str(jupyter), "-o", "out-jupyter"],
        "Jupyter: nbc build --no-warm": [*build, "--no-warm", str(jupyter), "-o", "out-jupyter-cold"],
        "Jupyter: nbconvert --execute, one process": [str(scripts / "jupyter-nbconvert"), "--to", "html", "--execute", "--output-dir", "out-nbconvert", *map(str, sorted(jupyter.glob("*.ipynb")))],
        "python, once a notebook": ["sh", "-c", plain],
    }
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    for _ in range(REPETITIONS):
        for name, command in programs.items():
            results[name].append(measure(command, root))
            for page in marimo.glob("*.html"):
                page.unlink()
    print(f"\n{COLD} notebooks of {CELLS} cells, nothing cached\n")
    print("| program | wall s | CPU s (range) | CPU ms a notebook | CPU, times nbc |\n|---|---|---|---|---|")
    for name, runs in results.items():
        own = results[f"{name.split(':')[0]}: nbc build"] if ":" in name else runs
        cpu = [run[1] for run in runs]
        ratio = statistics.median(run[1] / base[1] for run, base in zip(runs, own))
        print(f"| {name} | {statistics.median(run[0] for run in runs):.2f} | {spread(cpu)} | {statistics.median(cpu) / COLD * 1000:.0f} | {ratio:.1f} |")
    shutil.rmtree(root / "out-nbconvert", ignore_errors=True)


def unchanged(nbc: str, root: pathlib.Path) -> None:
    print("\n1,000 notebooks that are as the last build read them\n")
    print("| notebooks | sha256sum wall ms | nbc build wall ms | nbc CPU ms | 3 times sha256sum + 50 ms |\n|---|---|---|---|---|")
    for kind in ("stored", "marimo"):
        folder = folder_of(root, kind, 1000)
        files = [str(it) for it in sorted(folder.iterdir())]
        build = [nbc, "build", str(folder), "-o", f"out-{kind}", "--python", sys.executable]
        measure(build, root)
        measure(build, root)
        sums, builds = [], []
        for _ in range(max(REPETITIONS, 9)):
            sums.append(measure(["sha256sum", *files], root))
            builds.append(measure(build, root))
        wall = [statistics.median(run[0] for run in runs) * 1000 for runs in (sums, builds)]
        cpu = statistics.median(run[1] for run in builds) * 1000
        print(f"| {kind} | {wall[0]:.1f} | {wall[1]:.1f} | {cpu:.1f} | {3 * wall[0] + 50:.1f} |")


def changed(nbc: str, root: pathlib.Path) -> None:
    """One changed notebook of 600 that hold outputs, and a changed stylesheet of 100 that are run."""
    stored, single = folder_of(root, "stored", 600), root / "single"
    single.mkdir()
    write_jupyter(single / "n00000.ipynb", 99_999, True)
    commands = {name: [nbc, "build", str(folder), "-o", f"out-{name}"] for name, folder in (("all", stored), ("one", single))}
    for command in commands.values():
        measure(command, root)
        measure(command, root)
    times: dict[str, list[float]] = {"none changed": [], "one notebook alone": [], "one of 600 changed": []}
    for repetition in range(max(REPETITIONS, 9)):
        times["none changed"].append(measure(commands["all"], root)[0] * 1000)
        write_jupyter(single / "n00000.ipynb", 100_000 + repetition, True)
        times["one notebook alone"].append(measure(commands["one"], root)[0] * 1000)
        write_jupyter(stored / "n00300.ipynb", 200_000 + repetition, True)
        times["one of 600 changed"].append(measure(commands["all"], root)[0] * 1000)
        # Files that changed a moment ago are looked at once more.
        time.sleep(4)
        measure(commands["all"], root)
    print("\n600 notebooks with stored outputs in one folder\n")
    print("| build | wall ms (range) |\n|---|---|")
    for name, own in times.items():
        print(f"| {name} | {statistics.median(own):.1f} ({min(own):.1f} to {max(own):.1f}) |")
    none, alone = (statistics.median(times[it]) for it in ("none changed", "one notebook alone"))
    print(f"| 1.5 times none, and one alone | {1.5 * none + alone:.1f} |")
    (root / "themed").mkdir()
    marimo = folder_of(root / "themed", "marimo", 100)
    (marimo / "nbc.toml").write_text("[theme]\ncss = 'theme.css'\n")
    build = [nbc, "build", str(marimo), "-o", "out-theme", "--python", sys.executable]
    times = {"stylesheet changed": []}
    for repetition in range(REPETITIONS + 1):
        (marimo / "theme.css").write_text(f"main {{ color: #{repetition:06} }}\n")
        times["stylesheet changed"].append(measure(build, root)[0] * 1000)
    own = times["stylesheet changed"][1:]
    print("\n100 marimo notebooks whose runs are kept\n\n| build | wall ms (range) |\n|---|---|")
    print(f"| stylesheet changed | {statistics.median(own):.1f} ({min(own):.1f} to {max(own):.1f}) |")


def growth(nbc: str, root: pathlib.Path) -> None:
    print("\nHow the cost grows with the number of notebooks: CPU ms a notebook\n")
    print("| notebooks | stored, first build | again, one changed | unchanged | marimo, run (warm) |\n|---|---|---|---|---|")
    for number in (100, 1000, 10_000):
        folder = folder_of(root, "stored", number) if not (root / f"stored-{number}").exists() else root / f"stored-{number}"
        build = [nbc, "build", str(folder), "-o", f"grown-{number}", "--python", sys.executable]
        first = measure([*build, "--no-cache"], root)[1]
        measure(build, root)
        write_jupyter(folder / "n00000.ipynb", 77_777, True)
        changed = measure(build, root)[1]
        same = measure(build, root)[1]
        folder = folder_of(root / "run", "marimo", number)
        build = [nbc, "build", str(folder), "-o", f"grown-run-{number}", "--python", sys.executable, "--no-cache"]
        run = measure(build, root)[1]
        print(f"| {number} | {first / number * 1000:.2f} | {changed / number * 1000:.2f} | {same / number * 1000:.2f} | {run / number * 1000:.1f} |")
        shutil.rmtree(root / f"grown-{number}")


def main() -> None:
    nbc = str(pathlib.Path(sys.argv[1]).resolve())
    parts = sys.argv[2:] or ["cold", "unchanged", "changed", "growth"]
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {REPETITIONS} repetitions, medians")
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        (root / "run").mkdir()
        os.environ["NBC_CACHE_DIR"] = str(root / "cache")
        for part in parts:
            {"cold": cold, "unchanged": unchanged, "changed": changed, "growth": growth}[part](nbc, root)


if __name__ == "__main__":
    main()
