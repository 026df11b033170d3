"""Plans of states."""

from __future__ import annotations

import itertools
import random
import unittest

from nbc_runner.states.plan import Plan, in_order, maximal, number_of_states, spaces, steps
from tests.test_values import slider


def states(sets: list[frozenset[str]], order: list[str], counts: dict[str, int]) -> set[tuple[tuple[str, int], ...]]:
    """All states by walking the steps, each as the inputs that differ from the present ones."""
    found = set()
    for first, rest in steps(sets, order):
        for index in range(1, counts[first]):
            for below in [(), *states(rest, order, counts)]:
                found.add(((first, index), *below))
    return found


class Spaces(unittest.TestCase):
    def test_sets_within_others_go(self) -> None:
        one, both = frozenset("a"), frozenset("ab")
        self.assertEqual(maximal([one, both, one, frozenset()]), [both])

    def test_inputs_that_a_cell_depends_on_together_are_one_space(self) -> None:
        one, two, three = (slider(it, 2) for it in "abc")
        one.reach, two.reach, three.reach = frozenset({1, 2}), frozenset({2}), frozenset({3})
        self.assertEqual(spaces([one, two, three]), [frozenset("ab"), frozenset("c")])
        self.assertEqual(spaces([one, two, three], frozenset({3})), [frozenset("c")])

    def test_a_run_button_comes_last(self) -> None:
        button, other = slider("a", 2), slider("b", 2)
        button.kind = "run_button"
        self.assertEqual(in_order([button, other]), ["b", "a"])

    def test_every_combination_of_a_space_is_run_once_and_no_other(self) -> None:
        numbers = random.Random(1)
        for _ in range(60):
            order = list("abcd")[: numbers.randint(1, 4)]
            counts = {it: numbers.randint(1, 3) for it in order}
            sets = maximal(frozenset(numbers.sample(order, numbers.randint(1, len(order)))) for _ in range(3))
            expected = set()
            for one in sets:
                names = [it for it in order if it in one]
                for values in itertools.product(*(range(counts[it]) for it in names)):
                    told = tuple((name, value) for name, value in zip(names, values) if value)
                    if told:
                        expected.add(told)
            self.assertEqual(states(sets, order, counts), expected)
            self.assertEqual(number_of_states(sets, order, counts), len(expected))


class Plans(unittest.TestCase):
    def test_values_are_left_out_until_few_enough_states_are_left(self) -> None:
        widgets = [slider("a", 100, 50), slider("b", 100, 0)]
        for it in widgets:
            it.reach = frozenset({1})
        plan = Plan(widgets, 50, 1000)
        self.assertEqual(plan.wanted, 100 * 100 - 1)
        self.assertLessEqual(plan.states, 50)
        self.assertGreater(plan.states, 20)
        self.assertEqual(plan.most, {it.id: len(it.values) for it in widgets})
        self.assertEqual(widgets[0].values[widgets[0].initial], 50)

    def test_an_input_that_reaches_nothing_has_no_states_and_all_values(self) -> None:
        widget = slider("a", 500)
        plan = Plan([widget], 10, 10)
        self.assertEqual((plan.states, plan.wanted, len(widget.values)), (0, 0, 500))
