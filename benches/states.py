"""What all states of a notebook cost: nbc's sweep beside a plain loop, marimo-export, marimo-book and Panel's `embed`.

    python3 -m venv /tmp/states && /tmp/states/bin/pip install marimo-export==0.2.2 marimo-book==0.1.48 panel==1.9.4 matplotlib==3.11.2
    cargo build --release && /tmp/states/bin/python benches/states.py --nbc target/release/nbc

Two jobs: `figure`, 5 × 6 × 3 = 90 states of one matplotlib figure, and `text`, 200 states of a cheap cell. All
programs use this interpreter and its packages, start with empty caches, and run by turns. CPU time is user and
system time of all processes that a program started, those that outlive it included. Each program runs the job
twice: as it is, and with one state only; the difference is what the states cost. marimo-book runs a part of the
states only (`--book`), since it takes seconds for each; its time for one state is what can be compared.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.metadata
import os
import pathlib
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

PR_SET_CHILD_SUBREAPER = 36

DRAW = """
def draw(waves, harmonics, shape):
    import matplotlib.pyplot as plt
    import numpy as np

    x = np.linspace(0, 1, 500)
    part = {"sine": np.sin, "square": lambda it: np.sign(np.sin(it)), "saw": lambda it: (it / np.pi) % 2 - 1}[shape]
    figure, axes = plt.subplots(figsize=(6, 3.5))
    for harmonic in range(1, harmonics + 1):
        axes.plot(x, part(2 * np.pi * waves * harmonic * x) / harmonic)
    axes.set_title(f"{waves} waves, {harmonics} harmonics, {shape}")
    return figure
"""
SAY = """
def say(n):
    return f"The sum of the first **{n}** squares is {sum(k * k for k in range(n + 1))}."
"""
SHAPES = ["sine", "square", "saw"]
# (waves, harmonics, shapes) and (numbers): all of a job, a tenth or so of it, one state.
FIGURE = {"all": (5, 6, 3), "part": (5, 2, 1), "one": (1, 1, 1)}
TEXT = {"all": 200, "part": 20, "one": 1}


def states_of(job: str, size: str) -> int:
    if job == "text":
        return TEXT[size]
    waves, harmonics, shapes = FIGURE[size]
    return waves * harmonics * shapes


def indented(code: str) -> str:
    return "".join(f"    {line}\n" if line else "\n" for line in code.strip().splitlines())


def notebook(job: str, size: str) -> str:
    """The job for marimo; marimo-book takes only inputs whose arguments are written out."""
    if job == "figure":
        waves, harmonics, shapes = FIGURE[size]
        names = "waves, harmonics, shape"
        inputs = (
            f"waves = mo.ui.slider(start=1, stop={waves}, step=1, value=1, label='Waves')\n"
            f"harmonics = mo.ui.slider(start=1, stop={harmonics}, step=1, value=1, label='Harmonics')\n"
            f"shape = mo.ui.dropdown(options={SHAPES[:shapes]!r}, value='sine', label='Shape')\n"
            "mo.vstack([waves, harmonics, shape])"
        )
        code, use = DRAW, "result = draw(waves.value, harmonics.value, shape.value)\nresult"
    else:
        names = "n"
        inputs = f"n = mo.ui.slider(start=1, stop={TEXT[size]}, step=1, value=1, label='n')\nn"
        code, use = SAY, "result = mo.md(say(n.value))\nresult"
    cells = [
        ("", "import marimo as mo", "mo"),
        ("", code.strip(), "draw" if job == "figure" else "say"),
        ("mo", inputs, names),
        (f"mo, {'draw' if job == 'figure' else 'say'}, {names}", use, "result"),
    ]
    text = "import marimo\n\n__generated_with = \"0.25.2\"\napp = marimo.App()\n\n\n"
    for takes, body, gives in cells:
        text += f"@app.cell\ndef _({takes}):\n{indented(body)}    return ({gives},)\n\n\n"
    return text + "if __name__ == \"__main__\":\n    app.run()\n"


def plain(job: str, size: str, options: str) -> str:
    """The user's own code in a loop; the results are written."""
    if job == "text":
        return f"{SAY}\nimport json\nopen('out.json', 'w').write(json.dumps([say(n) for n in range(1, {TEXT[size]} + 1)]))\n"
    waves, harmonics, shapes = FIGURE[size]
    return (
        f"import matplotlib\nmatplotlib.use('agg')\nimport matplotlib.pyplot as plt\n{DRAW}\n"
        f"for waves in range(1, {waves} + 1):\n  for harmonics in range(1, {harmonics} + 1):\n    for shape in {SHAPES[:shapes]!r}:\n"
        f"      figure = draw(waves, harmonics, shape)\n      figure.savefig(f'{{waves}}-{{harmonics}}-{{shape}}.png'{options})\n      plt.close(figure)\n"
    )


def panel(job: str, size: str) -> str:
    if job == "text":
        make = f"n = pn.widgets.IntSlider(start=1, end={max(2, TEXT[size])}, value=1)\npage = pn.Column(n, pn.bind(say, n))"
        code = SAY
    else:
        waves, harmonics, shapes = FIGURE[size]
        make = (
            f"waves = pn.widgets.IntSlider(start=1, end={max(2, waves)}, value=1)\nharmonics = pn.widgets.IntSlider(start=1, end={max(2, harmonics)}, value=1)\n"
            f"shape = pn.widgets.Select(options={SHAPES[:shapes]!r})\n"
            "def view(*values):\n    import matplotlib.pyplot as plt\n    figure = draw(*values)\n    plt.close(figure)\n    return pn.pane.Matplotlib(figure)\n"
            "page = pn.Column(waves, harmonics, shape, pn.bind(view, waves, harmonics, shape))"
        )
        code = DRAW
    embed = size != "one"
    return (
        "import matplotlib\nmatplotlib.use('agg')\nimport panel as pn\nfrom bokeh.resources import INLINE\npn.extension()\n"
        f"{code}\n{make}\npage.save('panel.html', embed={embed}, max_states=1000, max_opts=1000, resources=INLINE)\n"
    )


def export_spec(job: str, size: str) -> str:
    """Each state by name."""
    if job == "text":
        rows = [{"n": n} for n in range(1, TEXT[size] + 1)]
    else:
        waves, harmonics, shapes = FIGURE[size]
        rows = [
            {"waves": w, "harmonics": h, "shape": [s]}
            for w in range(1, waves + 1) for h in range(1, harmonics + 1) for s in SHAPES[:shapes]
        ]  # fmt: skip
    text = "schema: marimo-export.spec.v2\ndefault_state: s0\nstates:\n"
    for at, row in enumerate(rows):
        inside = ", ".join(f"{name}: {value}" for name, value in row.items())
        text += f"  s{at}: {{ {inside} }}\n"
    return text + "outputs:\n  result:\n    source: { kind: output, selector: result }\n"


BOOK = """title: Bench
dependencies: { mode: env }
precompute:
  enabled: %s
  max_values_per_widget: 1000
  max_combinations_per_page: 1000
  max_seconds_per_page: 100000
toc:
  - file: content/page.py
"""


class Tool:
    """A program: how it runs a job, and what proves that it did."""

    def __init__(self, name: str, full: str, prepare, command, made) -> None:
        self.name, self.full, self.prepare, self.command, self.made = name, full, prepare, command, made


def tools(arguments: argparse.Namespace) -> dict[str, list[Tool]]:
    python, scripts = sys.executable, pathlib.Path(sys.executable).parent

    def write(name: str, make):
        return lambda folder, job, size: (folder / name).write_text(make(job, size))

    def script(options: str = ""):
        return write("plain.py", lambda job, size: plain(job, size, options))

    def of_export(folder: pathlib.Path, job: str, size: str) -> None:
        (folder / "notebook.py").write_text(notebook(job, size))
        (folder / "spec.yaml").write_text(export_spec(job, size))

    def of_book(folder: pathlib.Path, job: str, size: str) -> None:
        (folder / "content").mkdir()
        (folder / "book.yml").write_text(BOOK % ("false" if size == "one" else "true"))
        (folder / "content/page.py").write_text(notebook(job, size))

    def size_of(pattern: str):
        return lambda folder: sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file())

    run_plain = lambda _: [python, "plain.py"]
    save = "the picture that marimo makes: `bbox_inches='tight'`, twice the dpi"
    loop = Tool("plain Python loop", "all", script(), run_plain, size_of("out.json"))
    same = Tool(f"plain Python loop, {save}", "all", script(", bbox_inches='tight', dpi=2 * figure.dpi"), run_plain, size_of("*.png"))
    bare = Tool("plain Python loop, `savefig` as it is", "all", script(), run_plain, size_of("*.png"))
    shared = [
        Tool("Panel `save(embed=True)`", "all", write("app.py", panel), lambda _: [python, "app.py"], size_of("panel.html")),
        Tool(
            "marimo-export build", "all", of_export,
            lambda _: [str(scripts / "marimo-export"), "build", "notebook.py", "--spec", "spec.yaml", "--output", "out", "--repository", "repository", "--timeout", "600"],
            size_of("out/**/*"),
        ),
        Tool("marimo-book build, precompute", arguments.book, of_book, lambda _: [str(scripts / "marimo-book"), "build"], size_of("_site/**/*.html")),
    ]  # fmt: skip
    if arguments.nbc:
        flags = [*arguments.nbc_flags, "--python", python]
        build = [str(arguments.nbc.resolve()), "build", "notebook.py", "--layout", "single", "-o", "out", *flags]
        nbc = Tool(
            "nbc build", "all", lambda folder, job, size: (folder / "notebook.py").write_text(notebook(job, "all")),
            lambda size: [*build, *arguments.without] if size == "one" else [*build, *arguments.with_states], size_of("out/*.html"),
        )  # fmt: skip
        shared.insert(0, nbc)
    return {"figure": [same, bare, *shared], "text": [loop, *shared]}


def measure(tool: Tool, job: str, size: str, root: pathlib.Path) -> tuple[float, float, int]:
    """CPU and wall seconds of one run in a new folder, and the bytes that it wrote."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=root))
    tool.prepare(folder, job, size)
    home = folder / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "XDG_DATA_HOME": str(home / "data"), "MPLBACKEND": "agg"}
    environment["PATH"] = f"{pathlib.Path(sys.executable).parent}:{environment['PATH']}"
    environment["MPLCONFIGDIR"] = str(root / "matplotlib")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(tool.command(size), cwd=folder, env=environment, capture_output=True, text=True)
    wall = time.perf_counter() - start
    # Servers that a program left behind are this process's children by now.
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.1)
        except ChildProcessError:
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise SystemExit(f"{tool.name}, {job}: exit {done.returncode}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}")
    made = tool.made(folder)
    if made == 0:
        raise SystemExit(f"{tool.name}, {job}: nothing was made\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}")
    if os.environ.get("KEEP"):
        shutil.copytree(folder, pathlib.Path(os.environ["KEEP"]) / f"{job}-{size}-{tool.name.replace('/', ' ')}", dirs_exist_ok=True)
    shutil.rmtree(folder)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall, made


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--nbc", type=pathlib.Path, help="the program; without it only the peers run")
    parser.add_argument("--without", nargs="*", default=["--states", "off"], help="flags of a build that runs no states")
    parser.add_argument("--with-states", nargs="*", default=[], help="flags of a build that runs them all")
    parser.add_argument("--nbc-flags", nargs="*", default=[])
    parser.add_argument("--book", choices=["part", "all"], default="part", help="states that marimo-book runs")
    parser.add_argument("--jobs", nargs="*", default=["figure", "text"])
    parser.add_argument("--only", default="", help="programs whose name matches this expression")
    parser.add_argument("--repetitions", type=int, default=1)
    arguments = parser.parse_args()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("marimo", "marimo-export", "marimo-book", "panel", "matplotlib"))
    load = os.getloadavg()
    print(f"{platform.machine()}, {os.cpu_count()} cores (load {load[0]:.1f} at the start), Python {platform.python_version()}, {versions}", end="")
    if arguments.nbc:
        print(", " + subprocess.run([arguments.nbc, "--version"], capture_output=True, text=True).stdout.strip(), end="")
    print(f"; {arguments.repetitions} repetitions, medians\n")
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        for job in arguments.jobs:
            chosen = [it for it in tools(arguments)[job] if re.search(arguments.only, it.name)]
            runs: dict[tuple[str, str], list[tuple[float, float, int]]] = {}
            for tool in chosen:
                measure(tool, job, "one", root)  # Fills the page cache and the bytecode caches.
            for _ in range(arguments.repetitions):
                for tool in chosen:
                    for size in ("one", tool.full):
                        runs.setdefault((tool.name, size), []).append(measure(tool, job, size, root))
                        print(f"{job}, {tool.name}, {size}: {runs[tool.name, size][-1]}", file=sys.stderr, flush=True)
            table(job, chosen, runs)


def table(job: str, chosen: list[Tool], runs: dict[tuple[str, str], list[tuple[float, float, int]]]) -> None:
    median = lambda tool, size, what: statistics.median(run[what] for run in runs[tool.name, size])
    each = {}
    for tool in chosen:
        whole, one = median(tool, tool.full, 0), median(tool, "one", 0)
        each[tool.name] = 1000 * (whole - one) / (states_of(job, tool.full) - 1)
    ours = each.get("nbc build")
    loop = next((value for name, value in each.items() if "plain" in name), None)
    print(f"`{job}`, {states_of(job, 'all')} states\n")
    print("| program | states run | CPU s, whole job | CPU s, one state | wall s, whole job | CPU ms, a further state | times the first loop | times nbc | bytes |")
    print("|---|---|---|---|---|---|---|---|---|")
    for tool in chosen:
        times = lambda base: "" if not base or job == "text" and base is loop else f"{each[tool.name] / base:.1f}"
        print(
            f"| {tool.name} | {states_of(job, tool.full)} | {median(tool, tool.full, 0):.2f} | {median(tool, 'one', 0):.2f}"
            f" | {median(tool, tool.full, 1):.1f} | {each[tool.name]:.2f} | {times(loop)} | {times(ours)} | {median(tool, tool.full, 2):,.0f} |"
        )
    print()


if __name__ == "__main__":
    main()
