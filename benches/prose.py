"""Formulas of public notebooks: nbc's pages next to Jupyter's own (nbconvert and MathJax), by what Chromium shows.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install -r benches/requirements.txt playwright
    npm install --prefix /tmp/mathjax mathjax@3.2.2
    cargo build --release
    /tmp/peers/bin/python benches/prose.py target/release/nbc /tmp/mathjax/node_modules/mathjax/es5 REPOSITORY...

A repository is a folder with its checkout, or a bare one. Its notebooks, at the commit that HEAD names, are built with
`--execute never`, and converted by nbconvert. In both pages each formula is reduced to its letters (NFKC, without spaces);
those of a page are aligned in their order. Counted are

    drawn       formulas that MathJax draws without an error
    nbc         those of them that nbc draws with the same letters
    other       those that nbc draws with other letters
    source      those that nbc shows as their source; each must be told (NBC416)
    lost        those of which nbc shows nothing
    own         formulas that only nbc draws

`--list N` prints the first N of each kind. Nothing is loaded from a network but by the two installations above.
"""

from __future__ import annotations

import argparse
import collections
import difflib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unicodedata

CHROMIUM = "/usr/bin/chromium"

# As nbconvert's template configures MathJax 2, for MathJax 3.
MATHJAX = """
window.MathJax = {
  tex: {
    inlineMath: [['$', '$'], ['\\\\(', '\\\\)']], displayMath: [['$$', '$$'], ['\\\\[', '\\\\]']],
    processEscapes: true, processEnvironments: true, tags: 'ams',
  },
  startup: {typeset: false},
};
"""

# Formulas in the order of the page: their TeX, letters, and whether MathJax shows an error in them.
OF_MATHJAX = """async () => {
  await MathJax.startup.promise;
  await MathJax.typesetPromise();
  return Array.from(MathJax.startup.document.math, (it) => {
    const root = document.createElement('div');
    root.innerHTML = MathJax.startup.toMML(it.root);
    const isBroken = root.querySelector('merror, [mathcolor="red"][data-mjx-error]') !== null;
    root.querySelectorAll('mlabeledtr > :first-child, mphantom').forEach((it) => it.remove());
    const undefined_ = [...root.querySelectorAll('mtext[mathcolor="red"]')].some((it) => it.textContent.startsWith('\\\\\\\\'));
    return {source: it.math, letters: root.textContent, broken: isBroken || undefined_, section: it.start.node?.parentElement?.closest('[data-n]')?.dataset.n ?? ''};
  });
}"""

OF_NBC = """() => Array.from(document.querySelectorAll('.nbc-out .x-math'), (it) => {
  const source = it.querySelector('code.x-math-source');
  const shown = it.cloneNode(true);
  shown.querySelectorAll('.x-math-number, mphantom').forEach((it) => it.remove());
  return {source: source?.textContent ?? '', letters: source ? '' : shown.textContent};
})"""

# Letters that both write differently.
SAME = str.maketrans({"∣": "|", "−": "-", "∗": "*", "⋅": "·", "‖": "∥", "ˉ": "¯", "⁄": "/", "ϵ": "ε", "ϕ": "φ", "′": "'", "∧": "^", "ˆ": "^", "˜": "~", "∼": "~", "⟨": "<", "⟩": ">", "〈": "<", "〉": ">", "→": "→", "‾": "¯", "―": "¯", "_": "¯", "∘": "°"})


def letters(text: str) -> str:
    """What is left of a formula when only its letters count."""
    text = "".join(it for it in text.translate(SAME) if not it.isspace() and unicodedata.category(it) != "Cf")
    text = unicodedata.normalize("NFKC", text).translate(SAME).replace("...", "…").replace("''", "″")
    return "".join(it for it in text if not it.isspace() and unicodedata.category(it) not in ("Cf", "Mn"))


def git(repository: pathlib.Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", repository, *arguments], check=True, capture_output=True, text=True).stdout


def checkout(repository: pathlib.Path, target: pathlib.Path) -> str:
    """Writes the notebooks of a repository into a folder, and returns the commit."""
    commit = git(repository, "rev-parse", "HEAD").strip()
    names = [it for it in git(repository, "ls-tree", "-r", "-z", "--name-only", "HEAD").split("\0") if it.endswith(".ipynb")]
    for name in names:
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(subprocess.run(["git", "-C", repository, "show", f"HEAD:{name}"], check=True, capture_output=True).stdout)
    return commit


def without_outputs(path: pathlib.Path) -> dict | None:
    """A notebook's prose alone: outputs are the business of other scripts."""
    try:
        notebook = json.loads(path.read_text())
    except ValueError:
        return None
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        return None
    return {**notebook, "cells": [it for it in cells if it.get("cell_type") == "markdown"]}


def told(nbc: str, notebook: pathlib.Path, target: pathlib.Path) -> int | None:
    """Builds a page; returns the number of formulas that nbc says it did not draw, or None if there is no page."""
    command = [nbc, "build", notebook, "-o", target, "--layout", "single", "--execute", "never", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if not target.exists():
        print(done.stderr[-500:], file=sys.stderr)
        return None
    return done.stdout.count('"NBC416"') + done.stderr.count('"NBC416"')


class Count(collections.Counter[str]):
    """Formulas by what became of them, and examples."""

    def __init__(self) -> None:
        super().__init__()
        self.examples: dict[str, list[str]] = collections.defaultdict(list)

    def add(self, kind: str, example: str) -> None:
        self[kind] += 1
        self.examples[kind].append(example)


def compare(count: Count, name: str, jupyter: list[dict], ours: list[dict]) -> None:
    jupyter = [it for it in jupyter if letters(it["letters"])]
    ours = [it for it in ours if it["source"] or letters(it["letters"])]
    theirs_text = [letters(it["letters"]) for it in jupyter]
    ours_text = [letters(it["letters"]) or f"source {number}" for number, it in enumerate(ours)]
    for it in jupyter:
        count["broken" if it["broken"] else "drawn"] += 1
    for tag, a, b, c, d in difflib.SequenceMatcher(None, theirs_text, ours_text, autojunk=False).get_opcodes():
        if tag == "equal":
            count["nbc"] += sum(not it["broken"] for it in jupyter[a:b])
            continue
        left = list(ours[c:d])
        for it in jupyter[a:b]:
            mine = left.pop(0) if left else None
            if it["broken"]:
                continue
            if mine is None:
                count.add("lost", f"{name}: {it['source'].strip()}")
            elif mine["source"]:
                count.add("source", f"{name}: {mine['source']}")
            else:
                count.add("other", f"{name}: {it['source'].strip()}\n      MathJax {letters(it['letters'])}\n      nbc     {letters(mine['letters'])}")
        for it in left:
            count.add("own", f"{name}: {it['source'] or letters(it['letters'])}")


def of_repository(nbc: str, mathjax: pathlib.Path, repository: pathlib.Path, browser, most: int) -> Count:
    count = Count()
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        commit = checkout(repository, root / "in")
        paths = sorted((root / "in").rglob("*.ipynb"))[:most]
        (root / "prose").mkdir()
        for number, path in enumerate(paths):
            notebook = without_outputs(path)
            if notebook is None or not any("$" in "".join(it["source"]) or "\\" in "".join(it["source"]) for it in notebook["cells"]):
                continue
            count["notebooks"] += 1
            name = path.relative_to(root / "in")
            alone = root / "prose" / f"{number}.ipynb"
            alone.write_text(json.dumps(notebook))
            command = [sys.executable, "-m", "nbconvert", "--to", "html", "--log-level", "ERROR", alone]
            subprocess.run(command, check=True)
            told_here = told(nbc, alone, root / "page")
            if told_here is None:
                count.add("no page", str(name))
                continue
            count["told"] += told_here
            jupyter = formulas_of(browser, alone.with_suffix(".html"), mathjax)
            page = next((root / "page").rglob(f"{number}*.html"))
            compare(count, str(name), jupyter, formulas_of(browser, page, None))
            shutil.rmtree(root / "page")
    print(f"{repository.name} {commit[:12]}: {len(paths)} notebooks, {count['notebooks']} with formulas")
    return count


def formulas_of(browser, path: pathlib.Path, mathjax: pathlib.Path | None) -> list[dict]:
    page = browser.new_page(java_script_enabled=True)
    page.route("**/*", lambda route: route.continue_() if route.request.url.startswith("file:") else route.abort())
    try:
        page.goto(path.as_uri(), wait_until="domcontentloaded", timeout=120_000)
        if mathjax is None:
            return page.evaluate(OF_NBC)
        page.evaluate(MATHJAX)
        page.add_script_tag(path=mathjax / "tex-mml-chtml.js")
        return page.evaluate(OF_MATHJAX)
    finally:
        page.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nbc")
    parser.add_argument("mathjax", type=pathlib.Path)
    parser.add_argument("repositories", type=pathlib.Path, nargs="+")
    parser.add_argument("--list", type=int, default=0)
    parser.add_argument("--most", type=int, default=10_000, help="notebooks of each repository")
    arguments = parser.parse_args()
    for needed in [pathlib.Path(arguments.nbc), arguments.mathjax / "tex-mml-chtml.js", *arguments.repositories]:
        if not needed.exists():
            sys.exit(f"{needed} is not there")
    from playwright.sync_api import sync_playwright

    is_good = True
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--allow-file-access-from-files"])
        for repository in arguments.repositories:
            count = of_repository(arguments.nbc, arguments.mathjax, repository, browser, arguments.most)
            print("  " + ", ".join(f"{kind} {count[kind]:,}" for kind in ["drawn", "nbc", "other", "source", "lost", "own", "told", "broken", "no page"]))
            for kind, examples in count.examples.items():
                for example in examples[: arguments.list]:
                    print(f"    {kind}: {example}")
            undrawn = count["source"] + count["lost"]
            print(f"  not drawn by nbc: {undrawn:,} of {count['drawn']:,}")
            is_good &= undrawn * 1_000 <= count["drawn"] and count["told"] >= count["source"]
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
