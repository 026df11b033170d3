"""Formulas of public notebooks: nbc's pages next to Jupyter's own (nbconvert and MathJax), by what Chromium shows.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install -r benches/requirements.txt playwright
    npm install --prefix /tmp/mathjax mathjax@3.2.2
    cargo build --release
    /tmp/peers/bin/python benches/prose.py target/release/nbc /tmp/mathjax/node_modules/mathjax/es5 REPOSITORY...

A repository is a folder with its checkout, or a bare one. Its notebooks, at the commit that HEAD names, are built with
`--execute never`, and converted by nbconvert. In both pages each formula is reduced to its letters (NFKC, without spaces);
those of a page are aligned in their order. MathJax is loaded once and only reads: what it would lay out costs most of its
time, and says nothing here. Counted are

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
import subprocess
import sys
import tempfile
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import nbconvert

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

# Formulas in the order of a page: their TeX, letters, and whether MathJax shows an error in them. New components forget
# the macros and numbers of the page before.
OF_MATHJAX = """async (body) => {
  await MathJax.startup.promise;
  document.body.innerHTML = body;
  MathJax.startup.getComponents();
  const read = MathJax.startup.document;
  await MathJax._.util.Retries.handleRetriesFor(() => read.findMath().compile());
  // Escaped dollars are formulas without delimiters to MathJax.
  return Array.from(read.math).filter((it) => it.start.delim !== '').map((it) => {
    const root = document.createElement('div');
    root.innerHTML = MathJax.startup.toMML(it.root);
    const isBroken = root.querySelector('merror, [mathcolor="red"][data-mjx-error]') !== null;
    root.querySelectorAll('mlabeledtr > :first-child, mphantom').forEach((it) => it.remove());
    const undefined_ = [...root.querySelectorAll('mtext[mathcolor="red"]')].some((it) => it.textContent.startsWith('\\\\'));
    return {source: it.math, letters: root.textContent, broken: isBroken || undefined_};
  });
}"""

OF_NBC = """() => Array.from(document.querySelectorAll('.nbc-out .x-math'), (it) => {
  const source = it.querySelector('code.x-math-source');
  const shown = it.cloneNode(true);
  shown.querySelectorAll('.x-math-number, mphantom').forEach((it) => it.remove());
  return {source: source?.textContent ?? '', letters: source ? '' : shown.textContent};
})"""

# Signs that both write differently.
SAME = str.maketrans({"∣": "|", "−": "-", "∗": "*", "⋅": "·", "‖": "∥", "ˉ": "¯", "⁄": "/", "ϵ": "ε", "ϕ": "φ", "′": "'", "∧": "^", "ˆ": "^", "˜": "~", "∼": "~", "⟨": "<", "⟩": ">", "〈": "<", "〉": ">", "→": "→", "‾": "¯", "―": "¯", "_": "¯", "∘": "°", "’": "'", "◻": "□", "⃗": "→"})


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


def build(nbc: str, notebooks: pathlib.Path, target: pathlib.Path) -> collections.Counter[str]:
    """Builds a site; returns the number of formulas of each notebook that nbc says it did not draw."""
    command = [nbc, "build", notebooks, "-o", target, "--layout", "site", "--execute", "never", "--format", "json", "--no-cache"]
    done = subprocess.run(command, capture_output=True, text=True)
    if not target.exists():
        sys.exit(done.stderr[-2_000:])
    told: collections.Counter[str] = collections.Counter()
    for finding in json.loads(done.stdout):
        if finding["code"] == "NBC416":
            more = finding["message"].partition(" ")[0]
            told[pathlib.PurePath(finding["location"]["file"]).stem] += int(more) if more.isdigit() else 1
    return told


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


def of_repository(nbc: str, exporter: nbconvert.HTMLExporter, repository: pathlib.Path, browser: Browser, most: int) -> Count:
    count = Count()
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        commit = checkout(repository, root / "in")
        paths = sorted((root / "in").rglob("*.ipynb"))[:most]
        (root / "prose").mkdir()
        names: dict[str, str] = {}
        for number, path in enumerate(paths):
            notebook = without_outputs(path)
            if notebook is None or not any("$" in "".join(it["source"]) or "\\" in "".join(it["source"]) for it in notebook["cells"]):
                continue
            names[f"n{number}"] = str(path.relative_to(root / "in"))
            (root / "prose" / f"n{number}.ipynb").write_text(json.dumps(notebook))
        told = build(nbc, root / "prose", root / "site")
        count["notebooks"] = len(names)
        for stem, name in names.items():
            page = root / "site" / f"{stem}.html"
            if not page.exists():
                count.add("no page", name)
                continue
            count["told"] += told[stem]
            body, _ = exporter.from_filename(str(root / "prose" / f"{stem}.ipynb"))
            compare(count, name, browser.of_jupyter(body), browser.of_nbc(page))
    print(f"{repository.name} {commit[:12]}: {len(paths)} notebooks, {count['notebooks']} with formulas")
    return count


class Browser:
    """Chromium, with a page that has MathJax, and one for pages of nbc."""

    def __init__(self, chromium, mathjax: pathlib.Path) -> None:
        self.jupyter, self.nbc = chromium.new_page(), chromium.new_page()
        for page in (self.jupyter, self.nbc):
            page.route("**/*", lambda route: route.continue_() if route.request.url.startswith("file:") else route.abort())
            page.set_default_timeout(120_000)
        # Packages that formulas ask for come from files beside the script.
        self.jupyter.goto((mathjax / "tex-mml-chtml.js").as_uri())
        self.jupyter.evaluate(MATHJAX)
        self.jupyter.add_script_tag(url=(mathjax / "tex-mml-chtml.js").as_uri())

    def of_jupyter(self, page: str) -> list[dict]:
        # Scripts of the page are not run, so all of it may be the body.
        return self.jupyter.evaluate(OF_MATHJAX, page.partition("<body")[2].partition(">")[2])

    def of_nbc(self, path: pathlib.Path) -> list[dict]:
        self.nbc.goto(path.as_uri(), wait_until="domcontentloaded")
        return self.nbc.evaluate(OF_NBC)


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
    import nbconvert
    from playwright.sync_api import sync_playwright

    is_good = True
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--allow-file-access-from-files"])
        browser = Browser(chromium, arguments.mathjax.resolve())
        for repository in arguments.repositories:
            count = of_repository(arguments.nbc, nbconvert.HTMLExporter(), repository, browser, arguments.most)
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
