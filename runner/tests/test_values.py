"""Values of inputs, and which of them stay."""

from __future__ import annotations

import itertools
import unittest

from nbc_runner.inputs.values import Widget, thinned, thinned_sets
from nbc_runner.protocol.constants import constants


def slider(id: str, count: int, initial: int = 0) -> Widget:
    values = list(range(count))
    return Widget(id, 0, "slider", values=values, labels=[str(it) for it in values], initial=initial)


class Thinning(unittest.TestCase):
    def test_few_values_all_stay(self) -> None:
        self.assertEqual(thinned(5, 2, 5), [0, 1, 2, 3, 4])
        self.assertEqual(thinned(0, 0, 3), [])

    def test_the_ends_and_the_present_value_stay(self) -> None:
        for count, most in itertools.product(range(3, 40), range(3, 12)):
            for present in range(count):
                keep = thinned(count, present, most)
                self.assertLessEqual(len(keep), max(most, 1))
                self.assertTrue({0, present, count - 1} <= set(keep), (count, present, most))
                self.assertEqual(keep, sorted(set(keep)))

    def test_one_value_is_the_present_one(self) -> None:
        self.assertEqual(thinned(9, 4, 1), [4])

    def test_values_between_are_even(self) -> None:
        self.assertEqual(thinned(101, 0, 5), [0, 25, 50, 75, 100])
        self.assertEqual(thinned(101, 30, 5), [0, 30, 50, 75, 100])

    def test_of_sets_all_or_none_of_a_size_stay(self) -> None:
        options = ["a", "b", "c", "d"]
        sets = [list(it) for size in range(5) for it in itertools.combinations(options, size)]
        keep = [sets[at] for at in thinned_sets(sets, 0, 8)]
        self.assertEqual(keep, [[], ["a"], ["b"], ["c"], ["d"], options])
        self.assertEqual(thinned_sets(sets, 3, 1), [3])
        # The present one has a place, whatever its size.
        self.assertIn(7, thinned_sets(sets, 7, 8))

    def test_more_than_can_be_chosen_alone_are_thinned_like_numbers(self) -> None:
        sets = [[], *([str(it)] for it in range(20)), [str(it) for it in range(20)]]
        keep = thinned_sets(sets, 5, 4)
        self.assertIn(5, keep)
        self.assertLessEqual(len(keep), 5)


class Inputs(unittest.TestCase):
    def test_the_values_of_a_group_are_those_of_its_parts_together(self) -> None:
        group = Widget("g", 0, "group", parts=[slider("a", 2, 1), slider("b", 3, 2)], keys=["a", "b"])
        self.assertEqual(group.count(), 6)
        values = [group.value(at) for at in range(group.count())]
        self.assertEqual(values[0], {"a": 0, "b": 0})
        self.assertEqual(values[1], {"a": 0, "b": 1})
        self.assertEqual(len({str(it) for it in values}), 6)
        self.assertEqual(group.value(group.start()), {"a": 1, "b": 2})
        self.assertEqual(list(values[0]), ["a", "b"])

    def test_a_form_can_be_left_alone(self) -> None:
        form = Widget("f", 0, "form", parts=[slider("a", 3)], keys=[""])
        self.assertEqual(form.count(), 4)
        self.assertEqual([form.value(at) for at in range(4)], [None, 0, 1, 2])
        self.assertEqual(form.start(), 0)

    def test_thinning_keeps_the_present_value_and_can_be_repeated(self) -> None:
        widget = slider("a", 100, 42)
        widget.thin(10)
        self.assertEqual(len(widget.values), 10)
        self.assertEqual(widget.values[widget.initial], 42)
        self.assertEqual(widget.labels, [str(it) for it in widget.values])
        self.assertEqual(widget.total, 100)
        widget.thin(3)
        self.assertEqual(widget.values, [0, 42, 99])
        again = slider("a", 100, 42)
        again.thin(3)
        self.assertEqual(widget.values, again.values)

    def test_a_report_has_no_number_that_a_script_cannot_hold(self) -> None:
        parts = [slider(str(at), 1000) for at in range(8)]
        group = Widget("g", 3, "group", parts=parts, keys=[str(at) for at in range(8)])
        group.reach = frozenset({5, 4})
        report = group.report()
        self.assertEqual(report["total"], constants.largest_count)
        self.assertEqual(report["reach"], [4, 5])
        self.assertIsNone(report["makers"])
