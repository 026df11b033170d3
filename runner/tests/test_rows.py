"""Rows of numbers that controls stand on."""

from __future__ import annotations

import unittest

from nbc_runner.inputs.rows import Unbounded, every, number_text, pairs_of, row_of


class Rows(unittest.TestCase):
    def test_whole_numbers_between_two_bounds(self) -> None:
        self.assertEqual(row_of({"start": 0, "stop": 4}, None), ([0, 1, 2, 3, 4], ["0", "1", "2", "3", "4"], 5))
        self.assertEqual(row_of({"start": 0, "stop": 10, "step": 5}, None)[0], [0, 5, 10])

    def test_decimals_are_those_of_the_bounds(self) -> None:
        row, labels, _ = row_of({"start": 0.1, "stop": 0.5, "step": 0.1}, None)
        self.assertEqual(row, [0.1, 0.2, 0.3, 0.4, 0.5])
        self.assertEqual(labels[2], "0.3")

    def test_a_continuous_control_has_a_hundred_steps(self) -> None:
        row, _, total = row_of({"start": 0.0, "stop": 1.0}, None)
        self.assertEqual((len(row), total, row[1]), (101, 101, 0.01))

    def test_the_present_value_is_among_them(self) -> None:
        self.assertEqual(row_of({"start": 0, "stop": 10, "step": 5}, None, [7])[0], [0, 5, 7, 10])

    def test_an_author_chooses_values_or_a_stride(self) -> None:
        arguments = {"start": 0, "stop": 10, "step": 1}
        self.assertEqual(row_of(arguments, [3, 5, 99, True, "a", 2.5], [0])[0], [0, 3, 5])
        self.assertEqual(row_of(arguments, "every 4")[0], [0, 4, 8, 10])
        self.assertEqual(row_of({"steps": [1, 10, 100]}, [10], [0]), ([0, 1], ["1", "10"], 3))
        self.assertEqual(every("every 0.5", 1), 0.5)
        self.assertEqual(every(None, 3), 3)

    def test_controls_without_an_end_are_refused(self) -> None:
        for arguments in ({}, {"start": 0}, {"start": 0, "stop": float("inf")}, {"start": 0, "stop": 5, "step": -1}):
            with self.assertRaises(Unbounded):
                row_of(arguments, None)

    def test_numbers_read_as_readers_write_them(self) -> None:
        self.assertEqual([number_text(it) for it in (2.0, 0.5, 3, 1e20)], ["2", "0.5", "3", "1e+20"])

    def test_pairs_have_the_lower_one_first(self) -> None:
        values, labels, total = pairs_of([1, 2, 3], ["1", "2", "3"], 3, [1, 3])
        self.assertEqual(values, [[1, 1], [1, 2], [1, 3], [2, 2], [2, 3], [3, 3]])
        self.assertEqual((labels[1], total), ("1 – 2", 6))

    def test_very_many_pairs_are_thinned_and_keep_the_present_one(self) -> None:
        row = list(range(1000))
        values, labels, total = pairs_of(row, [str(it) for it in row], 1000, [123, 877])
        self.assertIn([123, 877], values)
        self.assertEqual((len(values), total), (len(labels), 500_500))
        self.assertLess(len(values), 12_000)
