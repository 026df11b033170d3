"""Print whether Python compiles the snippets of a file, one JSON object a line.

Usage: compiled.py python|ipython FILE

Snippets stand between lines of `---`, which may name the first Python that knows their syntax;
those that are newer than the interpreter are left out. `ipython` first does to them what IPython
does to a cell. Nothing runs.
"""

import ast
import json
import re
import sys
import warnings

warnings.simplefilter("ignore")


def snippets(text):
    parts = re.split(r"^---(?: (\d+)\.(\d+))?\n", text, flags=re.M)
    yield parts[0]
    for major, minor, code in zip(parts[1::3], parts[2::3], parts[3::3]):
        if major is None or (int(major), int(minor)) <= sys.version_info[:2]:
            yield code


def main():
    kind, path = sys.argv[1:]
    if kind == "ipython":
        from IPython.core.inputtransformer2 import TransformerManager

        transform = TransformerManager().transform_cell
    else:

        def transform(code):
            return code

    with open(path, encoding="utf-8", newline="\n") as file:
        text = file.read()
    for code in snippets(text):
        why = None
        try:
            compile(transform(code), "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        except (SyntaxError, ValueError) as error:
            why = str(error)
        print(json.dumps({"code": code, "why": why}))


main()
