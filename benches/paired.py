"""Two builds of nbc next to each other on stored outputs: how much slower is the second?

    python3 benches/paired.py OLD NEW                    31 MB of stored outputs, as in stored.py
    python3 benches/paired.py OLD NEW --metadata         the same, and each picture says who drew it, as matplotlib's do
    python3 benches/paired.py OLD NEW --photos           the same, and each picture is a photo with a place in it
    python3 benches/paired.py OLD NEW --html             the same, and each picture stands in markup

    python3 benches/paired.py OLD NEW [KIND] --count     executed instructions, counted by valgrind, instead of clocks

Each repetition runs both programs, the first one in turn; the ratio is taken within a repetition, and medians are
printed. A machine that does other work makes clocks useless, and counts stay the same. Exits with 1 where CPU time or
instructions are more than LIMIT percent larger (default 5).
"""

from __future__ import annotations

import base64
import json
import os
import pathlib
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import zlib

import stored

PAIRS = int(os.environ.get("PAIRS", "12"))
LIMIT = float(os.environ.get("LIMIT", "5"))


def drawn(data: bytes) -> bytes:
    """The picture with the chunk that matplotlib writes, and a size in metres."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    said = chunk(b"tEXt", b"Software\0Matplotlib version3.11.2, https://matplotlib.org/")
    return data[:33] + said + chunk(b"pHYs", struct.pack(">IIB", 3937, 3937, 1)) + data[33:]


def photo(data: bytes) -> bytes:
    """A JPEG as large as the picture: segments of a camera, then noise in the place of its scan."""

    def segment(marker: int, data: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data

    head = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0") + segment(0xE1, b"Exif\0\0" + bytes(4000)) + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b" " * 3000)
    frame = segment(0xC0, struct.pack(">BHHBBBB", 8, 270, 300, 1, 1, 0x11, 0)) + segment(0xDA, b"\1\1\0\0\x3f\0")
    return b"\xff\xd8" + head + frame + data[33:].replace(b"\xff", b"\xff\0") + b"\xff\xd9"


def changed(kind: str | None) -> str:
    notebook = json.loads(stored.large())
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            text = data.get("image/png")
            if text is None or kind is None:
                continue
            picture = base64.b64decode(text)
            if kind == "--metadata":
                data["image/png"] = base64.b64encode(drawn(picture)).decode() + "\n"
            elif kind == "--photos":
                del data["image/png"]
                data["image/jpeg"] = base64.b64encode(photo(picture)).decode() + "\n"
            else:
                del data["image/png"]
                address = "data:image/png;base64," + base64.b64encode(drawn(picture)).decode()
                data["text/html"] = [f'<p>A plot</p>\n<img alt="plot" src="{address}">']
    return json.dumps(notebook, indent=1, ensure_ascii=False)


def instructions(command: list[str], folder: pathlib.Path) -> int:
    """Of the whole program, in one thread."""
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command]
    said = subprocess.run(valgrind, cwd=folder, env={**os.environ, "RAYON_NUM_THREADS": "1"}, capture_output=True, text=True, check=True)
    return int(re.search(r"Collected : (\d+)", said.stderr)[1])


def main() -> None:
    old, new = (str(pathlib.Path(it).resolve()) for it in sys.argv[1:3])
    kind = next((it for it in sys.argv[3:] if it != "--count"), None)
    if kind not in (None, "--metadata", "--photos", "--html"):
        raise SystemExit(__doc__)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "large.ipynb").write_text(changed(kind))
        size = (folder / "large.ipynb").stat().st_size / 1e6
        rest = ["build", "large.ipynb", "--execute", "never", "--no-cache", "--charts", "static", "-o"]
        commands = [[old, *rest, "old"], [new, *rest, "new"]]
        if "--count" in sys.argv:
            before, after = (instructions(command, folder) for command in commands)
            print(f"{size:.1f} MB, {kind or 'as in stored.py'}: {before / 1e6:.0f} and {after / 1e6:.0f} million instructions, {after / before:.3f}")
            raise SystemExit(after / before > 1 + LIMIT / 100)
        for command in commands:
            stored.measure(command, folder)
        runs: list[tuple] = []
        for pair in range(PAIRS):
            order = (0, 1) if pair % 2 == 0 else (1, 0)
            found = {at: stored.measure(commands[at], folder) for at in order}
            runs.append((found[0], found[1]))
    print(f"{size:.1f} MB, {kind or 'as in stored.py'}, {PAIRS} pairs, medians\n")
    print("| | old | new | new / old | quartiles |\n|---|---|---|---|---|")
    ratios = {}
    for at, title in enumerate(("wall s", "CPU s", "peak MB")):
        pairs = [(before[at], after[at]) for before, after in runs]
        ratio = [after / before for before, after in pairs]
        low, middle, high = statistics.quantiles(ratio, n=4)
        ratios[title] = middle
        old_median, new_median = (statistics.median(it[side] for it in pairs) for side in range(2))
        print(f"| {title} | {old_median:.3f} | {new_median:.3f} | {middle:.3f} | {low:.3f}–{high:.3f} |")
    if ratios["CPU s"] > 1 + LIMIT / 100:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
