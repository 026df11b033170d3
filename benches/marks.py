"""Marks of Quarto and MyST that pages show as they are written, and that nbc does not tell: the aim is none.

    cargo build --release
    python3 benches/marks.py target/release/nbc FOLDER...

A FOLDER holds a checkout of a repository. Each `.qmd` with cells of Python, and each `.md` with `{code-cell}`, is built with
`--execute never`; marks in the text of its page, outside of code and formulas, are looked for by expressions of their own,
which share nothing with nbc's. Each kind that is on a page without a finding of that kind (NBC113) is printed, and makes the
exit code 1. A folder that is missing, or has no such file, fails.
"""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys
import tempfile
from html.parser import HTMLParser

CELL_OF_QUARTO = re.compile(r"(?m)^ *(?:```+|~~~+) *\{python")
REFERENCE = "(?:fig|tbl|sec|eq|lst|thm|tip|nte|wrn|imp|cau)-"
# Kinds: a part of the finding's message, and how the mark reads.
KINDS = {
    "divs (`:::`)|directives": r"(?m)^\s*:::+",
    "shortcodes": r"\{\{<.*?>\}\}",
    "cross-references": rf"(?<![\w.])@{REFERENCE}\w",
    "citations": rf"\[[^\]\n]*@(?!{REFERENCE})\w[^\]\n]*\]|(?<![\w.@/(])@(?!{REFERENCE})[A-Za-z]\w+",
    "attributes": r"(?m)^(?!\s*:::).*\{\s*[.#][A-Za-z][^}\n]*\}",
    "inline footnotes": r"\^\[",
    "roles": r"\{(?:ref|cite|eq|doc|numref|glue|term|eval)[\w:]*\}",
    "targets": r"(?m)^\s*\([\w:-]+\)=",
    "substitutions": r"\{\{\s*\w+\s*\}\}",
    "captions of tables|definition lists": r"(?m)^\s*:\s+\S",
    "subscripts": r"\w~\w+~|\w\^\w+\^",
    "tables drawn": r"(?m)^\s*\+[-=]+\+|^\s*-{2,} +-{2,}",
    "line blocks": r"(?m)^\s*\|\s+[^|\n]+$",
    "options of cells": r"(?m)^\s*#\|",
    "directives|cells that do not run": r"```",
    "numbered examples": r"(?m)^\s*\(@\w*\)\s",
}


class Text(HTMLParser):
    """The text of a page, without code and formulas."""

    SILENT = {"pre", "code", "script", "style", "head", "math", "nav", "footer", "header", "textarea", "button", "svg"}
    BLOCKS = {"p", "li", "div", "h1", "h2", "h3", "h4", "td", "th", "br", "section", "tr", "blockquote", "dd", "dt"}

    def __init__(self, page: str) -> None:
        super().__init__()
        self.depth, self.parts = 0, [""]
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.SILENT:
            self.depth += 1
            # Code at the start of a line is no blank.
            self.parts.append("·")
        if tag in self.BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag in self.SILENT

    def handle_data(self, data: str) -> None:
        if not self.depth:
            self.parts.append(data)


def documents(folder: pathlib.Path) -> list[pathlib.Path]:
    """Quarto's and MyST's documents with cells of Python, but for files that only speak about them."""
    quarto = [it for it in sorted(folder.rglob("*.qmd")) if CELL_OF_QUARTO.search(it.read_text(errors="replace"))]
    myst = [it for it in sorted(folder.rglob("*.md")) if re.search(r"(?m)^(?:```+|:::+) *\{code-cell", it.read_text(errors="replace"))]
    return quarto + myst


def untold(nbc: str, document: pathlib.Path) -> tuple[str | None, list[tuple[str, str]]]:
    """Why there is no page, and the marks on it that are not told: kind, and the text around."""
    with tempfile.TemporaryDirectory() as folder:
        target = pathlib.Path(folder) / "page"
        command = [nbc, "build", document, "-o", target, "--execute", "never", "--layout", "single", "--format", "json", "--no-cache", "--charts", "static"]
        done = subprocess.run(command, capture_output=True, text=True)
        pages = list(target.rglob("*.html"))
        if not pages:
            return done.stderr[-200:], []
        told = " ".join(it["message"] for it in json.loads(done.stdout or "[]") if it["code"] == "NBC113")
        text = "".join(Text(pages[0].read_text()).parts)
    found = []
    for kind, expression in KINDS.items():
        mark = re.search(expression, text)
        if mark and not any(it in told for it in kind.split("|")):
            found.append((kind, text[max(0, mark.start() - 40) : mark.end() + 40]))
    return None, found


def main() -> int:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    nbc, folders = sys.argv[1], [pathlib.Path(it) for it in sys.argv[2:]]
    is_good = True
    for folder in folders:
        all_documents = documents(folder) if folder.is_dir() else []
        if not all_documents:
            sys.exit(f"{folder} holds no document with cells of Python")
        marks, without = 0, 0
        for document in all_documents:
            reason, found = untold(nbc, document)
            without += reason is not None
            if reason is not None:
                print(f"no page: {document}: {reason}")
            for kind, around in found:
                marks += 1
                print(f"{document}: {kind}: {around!r}")
        print(f"{folder.name}: {len(all_documents)} documents, {without} without a page, {marks} kinds of marks that are not told")
        is_good &= not marks and not without
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
