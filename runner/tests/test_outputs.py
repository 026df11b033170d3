"""Outputs: bundles, results of cells, exceptions."""

from __future__ import annotations

import json
import unittest
from typing import Any
from unittest import mock

from nbc_runner import bundles, charts, errors, session
from nbc_runner.protocol.constants import constants


class Bundles(unittest.TestCase):
    def test_values_become_plain_json(self) -> None:
        class Text(str):
            pass

        class Scalar:
            def item(self) -> int:
                return 7

        value = {1: [float("nan"), Text("a"), (True, None)], "big": 1 << 70, "it": Scalar()}
        self.assertEqual(bundles.plain(value), {"1": [None, "a", [True, None]], "big": str(1 << 70), "it": 7})
        deep: Any = []
        for _ in range(500):
            deep = [deep]
        json.dumps(bundles.plain(deep))

    def test_a_representation_over_the_limit_is_told_and_the_others_stay(self) -> None:
        data = {"text/html": "x" * 101, "text/plain": "x" * 100}
        bundle, left_out = bundles.bundle(data, None, 100)
        self.assertEqual(bundle, {"data": {"text/plain": "x" * 100}, "metadata": {}})
        self.assertEqual(left_out, [{"what": "display", "mime": "text/html", "bytes": 101, "count": 1}])

    def test_a_type_that_is_none_is_not_repeated_in_findings(self) -> None:
        self.assertEqual(bundles.over("\x1b[31m/red", 1).get("mime"), "application/octet-stream")
        self.assertEqual(bundles.over("a/b" * 100, 1).get("mime"), "application/octet-stream")

    def test_bytes_and_data_urls_become_what_notebooks_store(self) -> None:
        data = {
            "image/png": b"\x00\x01",
            "image/svg+xml": "data:image/svg+xml;base64,PHN2Zy8+",
            "image/jpeg": "data:image/jpeg,%ff",
            "application/json": '{"a": 1}',
            "text/plain": ["a\n", "b"],
            "text/none": None,
        }
        carried = bundles.bundle(data, None, 1000)[0]["data"]
        expected = {"image/png": "AAE=", "image/svg+xml": "<svg/>", "image/jpeg": "/w==", "application/json": {"a": 1}}
        self.assertEqual(carried, {**expected, "text/plain": "a\nb"})

    def test_bounds_of_nbc_are_those_that_hold(self) -> None:
        data = {f"text/{at}": "x" for at in range(constants.representations + 5)}
        bundle, left_out = bundles.bundle(data, {"a": "x" * constants.metadata}, 100)
        self.assertEqual((len(bundle["data"]), bundle["metadata"]), (constants.representations, {}))
        self.assertEqual([it["what"] for it in left_out], ["types", "metadata"])
        with self.assertRaises(ValueError):
            constants.take({"nesting": 1})

    def test_spellings_of_vega_types_are_one(self) -> None:
        mime = "application/vnd.vegalite.v6.json"
        carried = bundles.bundle({mime: {"a": 1}}, {}, 1000, draws=False)[0]["data"]
        self.assertEqual(list(carried), ["application/vnd.vegalite.v6+json"])

    def test_pictures_of_chart_elements_are_in_document_order(self) -> None:
        spec = json.dumps({"$schema": "https://vega.github.io/schema/vega-lite/v5.json"}).replace('"', "&quot;")
        markup = f"<marimo-vega data-spec='{spec}'></marimo-vega><marimo-vega data-spec='1'></marimo-vega>"
        with mock.patch.object(charts, "chart_image", lambda *it: f"{it[0]} {it[1]}"):
            self.assertEqual(charts.pictures(markup), ["vegalite 5", None])
        self.assertIsNone(charts.pictures("<p>"))


class Nothing:
    """A session, as far as results need it."""

    output_bytes = 10
    output_count = 3


def result() -> session.Result:
    return session.Result(Nothing())  # type: ignore[arg-type]


class Results(unittest.TestCase):
    def test_text_of_one_stream_is_one_output_and_has_a_limit(self) -> None:
        one = result()
        for text in ("ab\r\n", "cd", "ä" * 5):
            one.stream("stdout", text)
        report = one.report()
        self.assertEqual(report["outputs"], [{"kind": "stream", "name": "stdout", "text": "ab\ncdää"}])
        self.assertEqual(report.get("left_out"), [{"what": "text", "bytes": 6}])

    def test_outputs_over_their_number_are_counted(self) -> None:
        one = result()
        for at in range(5):
            one.display({"data": {"text/plain": str(at)}, "metadata": {}}, [], None)
        self.assertEqual(len(one.report()["outputs"]), 3)
        self.assertEqual(one.report().get("left_out"), [{"what": "outputs", "count": 2}])

    def test_displays_are_replaced_by_id_and_by_slot(self) -> None:
        def shown(text: str) -> Any:
            return {"data": {"text/plain": text}, "metadata": {}}

        one = result()
        one.display(shown("a"), [], "id")
        one.put("output", shown("b"), [])
        one.update(shown("c"), [], "id")
        one.put("output", shown("d"), [])
        texts = [it["bundle"]["data"]["text/plain"] for it in one.report()["outputs"]]
        self.assertEqual(texts, ["c", "d"])
        one.clear(wait=True)
        self.assertEqual(len(one.outputs), 2)
        one.stream("stdout", "x")
        self.assertEqual(len(one.outputs), 1)

    def test_a_failure_is_told_once(self) -> None:
        one = result()
        self.assertTrue(one.fail(errors.status("E", "first")))
        self.assertFalse(one.fail(errors.status("E", "second")))

    def test_items_that_were_left_out_are_summed_up(self) -> None:
        item = bundles.over("text/html", 5)
        joined = session.sum_up([item, bundles.over("text/html", 9), bundles.over("text/plain", 1)])
        self.assertEqual(joined[0], {"what": "display", "mime": "text/html", "bytes": 9, "count": 2})
        self.assertEqual(len(joined), 2)
        self.assertEqual(item.get("count"), 1)
        many = [bundles.over(f"text/{at}", 1) for at in range(200)]
        self.assertEqual(len(session.sum_up(many)), constants.left_out)


class Exceptions(unittest.TestCase):
    def test_frames_of_the_runner_go_and_those_of_cells_have_its_number(self) -> None:
        try:
            exec(compile("def f():\n    1 / 0\nf()", "<cell 4>", "exec"), {})
        except ZeroDivisionError as problem:
            status = errors.failed(problem, lambda file, line: (4, line) if file == "<cell 4>" else None)
        error = status["error"]
        self.assertEqual(error["frames"], [{"cell": 4, "line": 3}, {"cell": 4, "line": 2}])
        self.assertNotIn(__file__, error["traceback"])
        self.assertIn('File "<cell 5>", line 3', error["traceback"])

    def test_a_syntax_error_names_its_line(self) -> None:
        try:
            compile("x = 1\ny = (", "<cell 0>", "exec")
        except SyntaxError as problem:
            status = errors.failed(problem, lambda file, line: (0, line) if file == "<cell 0>" else None)
        self.assertEqual(status["error"]["frames"], [{"cell": 0, "line": 2}])

    def test_an_exception_without_a_text_has_one(self) -> None:
        class Odd(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        error = errors.failed(Odd(), lambda file, line: None)["error"]
        self.assertEqual((error["name"], error["message"]), ("Odd", "<the exception has no text>"))

    def test_long_texts_keep_their_ends(self) -> None:
        error = errors.status("E" * 1000, "m" * 100_000, [], "a" + "-" * 200_000 + "z")["error"]
        self.assertEqual(len(error["name"]), constants.error_name)
        self.assertEqual(len(error["message"]), constants.error_message)
        self.assertLessEqual(len(error["traceback"]), constants.error_traceback + 16)
        self.assertTrue(error["traceback"].startswith("a-") and error["traceback"].endswith("-z"))
