"""Parts of engines and their inputs that need no run. marimo and IPython are those of the test tools."""

from __future__ import annotations

import ast
import unittest

from nbc_runner import engine as engines
from nbc_runner.engine import plain
from nbc_runner.inputs import widgets
from nbc_runner.inputs.rows import Unbounded


class Plain(unittest.TestCase):
    def test_a_semicolon_silences_the_last_expression(self) -> None:
        for code, is_silenced in (("x;", True), ("x ; # a", True), ("x", False), ("'ä';", True), ("f(\n1)\n;", False)):
            try:
                last = ast.parse(code).body[-1]
            except SyntaxError:
                continue
            assert isinstance(last, ast.Expr)
            self.assertEqual(plain._is_silenced(code, last), is_silenced, code)

    def test_representations_are_those_of_the_object(self) -> None:
        class Shown:
            def _repr_html_(self) -> str:
                return "<b>"

            def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
                return b"p", {"width": 1}

            def _repr_latex_(self) -> str:
                raise NotImplementedError

        represented = plain.represent(Shown())
        assert represented is not None
        data, metadata = represented
        self.assertEqual((data["text/html"], data["image/png"]), ("<b>", b"p"))
        self.assertNotIn("text/latex", data)
        self.assertEqual(metadata["image/png"], {"width": 1})

    def test_an_engine_that_there_is_not_is_told(self) -> None:
        with self.assertRaises(engines.Unavailable):
            engines.load("julia")


class Marimo(unittest.TestCase):
    def test_ids_of_cells_are_those_of_marimo(self) -> None:
        from nbc_runner.engine import marimo

        ids = marimo._marimo_ids(
            [{"id": at, "code": "", "kind": kind} for at, kind in enumerate(("code", "setup", "code"))]
        )
        self.assertEqual(ids, {0: "Hbol", 1: "setup", 2: "MJUe"})

    def test_sets_are_given_by_size_with_all_items_last(self) -> None:
        from nbc_runner.inputs import marimo

        values, total = marimo._sets(list("abc"), 3)
        self.assertEqual((values[0], values[1], values[-1], total), ([], ["a"], ["a", "b", "c"], 8))
        values, total = marimo._sets([str(it) for it in range(30)], 30)
        self.assertEqual((total, len(values[-1])), (1 << 30, 30))
        self.assertEqual(marimo._sets(list("abc"), 1), ([[], ["a"], ["b"], ["c"]], 4))

    def test_days_lie_between_their_bounds(self) -> None:
        from nbc_runner.inputs import marimo

        arguments = {"start": "2026-02-27", "stop": "2026-03-02"}
        self.assertEqual(marimo._days(arguments, None, [])[0], ["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"])
        self.assertEqual(marimo._days(arguments, "every 2", [])[0], ["2026-02-27", "2026-03-01"])
        with self.assertRaises(Unbounded):
            marimo._days({"start": "0001-01-01", "stop": "2026-03-02"}, None, [])


class References(unittest.TestCase):
    def test_models_that_a_state_names_are_found_however_deep(self) -> None:
        state = {"children": ["IPY_MODEL_a", ["IPY_MODEL_b"]], "layout": "IPY_MODEL_c", "text": "IPY"}
        self.assertEqual(widgets._references(state), ["a", "b", "c"])

    def test_observers_name_widgets_in_their_code(self) -> None:
        from nbc_runner.inputs import ipython

        names = {"a": 1, "b": 2, "c": 3}
        code = compile("def f():\n    a\n    def g():\n        b", "<cell>", "exec")
        self.assertEqual(ipython._globals(code, names), [1, 2])
