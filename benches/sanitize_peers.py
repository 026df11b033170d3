"""The sanitizers of others on the inputs of `cargo bench --bench sanitize`, in one run.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install nbconvert nh3
    cargo bench --bench sanitize --no-run
    /tmp/peers/bin/python benches/sanitize_peers.py target/release/deps/sanitize-… [FILE…]

nbc's program writes what it generates, and measures it; then each other sanitizer reads the same
texts. FILEs are measured as well. `nh3` is `nh3.clean` as it comes (ammonia, for Python), and once
with a policy that keeps what pages of notebooks need; `nbconvert` is what `--sanitize-html` calls:
bleach, with nbconvert's own lists. CPU time, the best of a few rounds.
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import time


def best(action, rounds=3):
    figures = []
    for _ in range(rounds):
        start = time.process_time()
        action()
        figures.append(time.process_time() - start)
        if figures[-1] > 5:
            break
    return min(figures)


def peers():
    import nh3
    from nbconvert.preprocessors.sanitize import SanitizeHTML

    sanitize = SanitizeHTML(enabled=True)
    attributes = {"*": {"class", "id", "title", "style"}, "a": {"href", "target"}, "img": {"src", "alt"}}
    policy = {"tags": nh3.ALLOWED_TAGS | {"svg", "g", "path", "use", "defs", "clipPath", "rect"}, "attributes": attributes, "clean_content_tags": {"script", "style"}}
    return {
        "nh3": lambda text: nh3.clean(text),
        "nh3, with styles": lambda text: nh3.clean(text, **policy),
        "nbconvert": lambda text: sanitize.sanitize_html_tags(text),
    }


def main():
    program, files = sys.argv[1], sys.argv[2:]
    others = peers()
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "--bench", "--write", folder]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        if files:
            printed += subprocess.run([program, *files], check=True, capture_output=True, text=True).stdout
        print(f"| output | MB | nbc MB/s | {' | '.join(f'{name} MB/s | nbc to {name}' for name in others)} |")
        print("|---" * (3 + 2 * len(others)) + "|")
        for name, own in re.findall(r"^(\S+\.html) .* ([\d.]+)$", printed, re.MULTILINE):
            path = next((pathlib.Path(it) for it in files if it.endswith("/" + name)), pathlib.Path(folder) / name)
            text = path.read_text(encoding="utf-8")
            size = len(text.encode()) / 1e6
            row = [name, f"{size:.2f}", own]
            for sanitize in others.values():
                # html5lib takes minutes for what is quadratic to it.
                speed = size / best(lambda: sanitize(text))
                row += [f"{speed:.1f}", f"{float(own) / speed:.1f}"]
            print(f"| {' | '.join(row)} |", flush=True)


main()
