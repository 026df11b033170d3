"""Peak memory of `nbc check` on large notebooks: python benches/memory.py NBC [MEGABYTES]

Writes one notebook of each format into a temporary folder. "Times" is the peak beyond that of an
empty notebook of the same format, over the size of the file.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

BODY = """\
# Sales of one region, by month.
frame_{0} = (
    pd.DataFrame(frame_{1})
    .assign(total=lambda it: it["price"] * it["count"])
    .groupby("region", as_index=False)
)
def summarize_{0}(values, limit=10):
    return [value * 2 + len(frame_{1}) for value in values if value is not None]
"""
FIRST = "import pandas as pd\nframe_0 = []\n"


def bodies(size):
    written, cell = 0, 1
    yield FIRST
    while written < size:
        body = BODY.format(cell, cell - 1)
        written += len(body) + 40
        cell += 1
        yield body


def marimo(size):
    cells = "".join(
        "\n\n@app.cell\ndef _():\n" + "".join(f"    {line}\n" for line in body.splitlines())
        for body in bodies(size * 0.85)
    )
    return f"import marimo\n\napp = marimo.App()\n{cells}"


def percent(size):
    return "".join(f"# %%\n{body}\n" for body in bodies(size))


def jupyter(size):
    cells = [
        {
            "cell_type": "code",
            "execution_count": number,
            "id": f"cell-{number}",
            "metadata": {},
            "outputs": [
                {
                    "name": "stdout",
                    "output_type": "stream",
                    "text": [f"row {row} of {number}\n" for row in range(10)],
                }
            ],
            "source": body.splitlines(keepends=True),
        }
        for number, body in enumerate(bodies(size * 0.32), 1)
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)


def markdown(size):
    head = "---\ntitle: Memory\njupyter: python3\n---\n"
    return head + "".join(f"\nSome *prose* here.\n\n```{{python}}\n{body}```\n" for body in bodies(size))


def peak(nbc, path):
    """In bytes."""
    child = os.fork()
    if child == 0:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        os.execv(nbc, [nbc, "check", path])
    _, status, usage = os.wait4(child, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        sys.exit(f"{path}: {os.waitstatus_to_exitcode(status)}")
    return usage.ru_maxrss * 1024


def main():
    nbc = str(Path(sys.argv[1]).resolve())
    size = float(sys.argv[2]) * 1e6 if len(sys.argv) > 2 else 10e6
    formats = [("marimo.py", marimo), ("percent.py", percent), ("jupyter.ipynb", jupyter), ("quarto.qmd", markdown)]
    with tempfile.TemporaryDirectory() as folder:
        for name, write in formats:
            path = Path(folder, name)
            path.write_text(write(0))
            base = peak(nbc, str(path))
            path.write_text(write(size))
            large, length = peak(nbc, str(path)), path.stat().st_size
            times = (large - base) / length
            print(f"{name:<14} {length / 1e6:6.1f} MB, peak {large / 1e6:7.1f} MB, empty {base / 1e6:5.1f} MB, times {times:4.1f}")


main()
