"""Print what marimo's own library makes of notebooks, one JSON object a line.

Usage: facts.py FILE...   or   facts.py -   with one path a line on standard input.

Nothing of a notebook runs: files are parsed, cells are compiled, and the graph is built by
marimo. Names are printed as their author wrote them, without marimo's mangling of private names.
"""

import contextlib
import io
import json
import logging
import sys
import warnings

warnings.simplefilter("ignore")

from marimo._ast.compiler import compile_cell  # noqa: E402
from marimo._ast.errors import ImportStarError  # noqa: E402
from marimo._ast.load import get_notebook_status, load_notebook_ir  # noqa: E402
from marimo._ast.variables import unmangle_local  # noqa: E402
from marimo._lint.validate_graph import check_for_errors  # noqa: E402
from marimo._runtime.dataflow import DirectedGraph, topological_sort  # noqa: E402

logging.disable(logging.CRITICAL)


def names(found):
    return sorted({unmangle_local(it).name for it in found})


def why_not(code):
    try:
        compile_cell(code, cell_id="0")
    except ImportStarError:
        return "import-star"
    except Exception:
        return "syntax"
    # `app._unparsable_cell` stays out of the graph even if it parses by now.
    return "syntax"


def facts(path):
    loaded = get_notebook_status(path)
    notebook = loaded.notebook
    if notebook is None or not notebook.valid or loaded.status == "invalid":
        return {"file": path, "notebook": False}
    manager = load_notebook_ir(notebook, filepath=path)._cell_manager
    records = list(manager.cell_data())
    index = {it.cell_id: at for at, it in enumerate(records)}
    graph = DirectedGraph()
    for it in records:
        if it.cell is not None:
            graph.register_cell(it.cell_id, it.cell._cell)
    cells, errors = [], set()
    for at, it in enumerate(records):
        cell = {"index": at, "name": it.name.lstrip("*"), "code": it.code}
        cell["compiled"] = it.cell is not None
        if it.cell is None:
            errors.add((at, why_not(it.code), ""))
        else:
            impl = it.cell._cell
            cell["defs"] = names(impl.defs)
            cell["refs"] = names(impl.refs)
            cell["private"] = names(impl.temporaries)
            cell["deleted_refs"] = names(impl.deleted_refs)
            cell["language"] = impl.language
            cell["parents"] = sorted(index[c] for c in graph.parents[it.cell_id])
            cell["children"] = sorted(index[c] for c in graph.children[it.cell_id])
        cells.append(cell)
    for cell_id, found in check_for_errors(graph).items():
        for error in found:
            kind = error.__struct_config__.tag
            errors.add((index[cell_id], kind, getattr(error, "name", "")))
    order = topological_sort(graph, list(graph.cells))
    return {
        "file": path,
        "notebook": True,
        "cells": cells,
        "order": [index[it] for it in order],
        "run_order": [index[it] for it in order if not graph.is_disabled(it)],
        "errors": sorted(map(list, errors)),
    }


def main():
    paths = sys.argv[1:]
    if paths == ["-"]:
        paths = sys.stdin.read().splitlines()
    for path in paths:
        with contextlib.redirect_stderr(io.StringIO()):
            try:
                found = facts(path)
            except Exception as error:
                found = {"file": path, "notebook": False, "why": repr(error)}
        print(json.dumps(found), flush=True)


main()
