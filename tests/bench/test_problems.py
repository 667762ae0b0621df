"""The measured trees: their shape, and that they are real problems."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from bswirl.bench.problems import bench_trees
from bswirl.errors import UsageError


def words(text: str) -> int:
    return len(text.split())


class TestBenchTrees:
    def test_shape(self) -> None:
        """Every question has K states in a row, with G distinct actions each, every second one wrong."""
        for frozen in bench_trees(3, 5, 4, 90, words):
            tree = frozen.tree
            assert [state.depth for state in tree.states] == [0, 1, 2, 3, 4]
            for group in tree.by_state().values():
                assert len({action.text for action in group}) == 4
                assert [action.reward for action in group] == [1.0, 0.0, 1.0, 0.0]
            texts = {action.action_id: action.text for action in tree.actions}
            backbone = [action.text for action in tree.actions if action.backbone]
            assert tree.prefixes()[tree.states[-1].state_id] == tuple(backbone[:-1])
            assert len(frozen.selected) == len(texts) == 20

    def test_prompts_come_close_to_the_wish(self) -> None:
        """Whole sentences are added while they fit; a question that is longer by itself stays whole."""
        for frozen in bench_trees(6, 5, 2, 90, words):
            assert 80 <= words(frozen.tree.question.text) <= 90
        assert all(words(f.tree.question.text) > 20 for f in bench_trees(3, 5, 2, 1, words))

    def test_rewarded_steps_are_right_and_the_others_wrong(self) -> None:
        """The last calculation of a step holds exactly where its reward is 1."""
        for frozen in bench_trees(4, 5, 4, 90, words):
            for action in frozen.tree.actions:
                *_, (expression, result) = re.findall(r"(\d[\d */+-]*) = \$?(\d+)", action.text)
                assert (value_of(expression) == int(result)) == (action.reward == 1.0), action.text

    def test_is_the_same_every_time(self) -> None:
        """Processes that measure apart measure the same trees."""
        assert bench_trees(2, 3, 3, 90, words) == bench_trees(2, 3, 3, 90, words)

    def test_too_many(self) -> None:
        """More than there are is a usage error."""
        with pytest.raises(UsageError):
            bench_trees(2, 500, 2, 90, words)


def value_of(expression: str) -> Fraction:
    """A chain of operations from left to right."""
    first, *rest = re.findall(r"\d+|[*/+-]", expression)
    value = Fraction(first)
    for operator, number in zip(rest[::2], rest[1::2], strict=True):
        operand = Fraction(number)
        value = {"+": value + operand, "-": value - operand, "*": value * operand, "/": value / operand}[
            operator
        ]
    return value
