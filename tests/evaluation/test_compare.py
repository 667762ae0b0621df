from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.evaluation.compare import compare


def answers(right: dict[int, bool]) -> list[dict[str, Any]]:
    return [{"question_id": number, "is_correct": value} for number, value in right.items()]


outcomes = st.dictionaries(st.integers(1, 30), st.booleans())


class TestCompare:
    def test_fixed_and_broken_on_common_questions(self) -> None:
        """Only questions that both answered count."""
        found = compare(
            answers({1: False, 2: True, 3: True, 4: False}), answers({1: True, 2: False, 3: True, 9: True})
        )
        assert (found.n, found.fixed, found.broken) == (3, (1,), (2,))
        assert (found.correct_a, found.correct_b, found.difference) == (2, 2, 0.0)
        assert found.p == 1.0

    def test_p_is_the_exact_binomial(self) -> None:
        """Eight fixed and one broken: twice the tail of nine coins."""
        a = {number: number == 9 for number in range(1, 10)}
        found = compare(answers(a), answers({number: not right for number, right in a.items()}))
        tail = sum(math.comb(9, k) for k in (0, 1)) / 2**9
        assert found.p == pytest.approx(2 * tail)

    def test_nothing_in_common(self) -> None:
        """No common questions: no difference and no evidence."""
        found = compare(answers({1: True}), answers({2: True}))
        assert (found.n, found.difference, found.p) == (0, 0.0, 1.0)

    @given(outcomes, outcomes)
    def test_swapping_swaps_fixed_and_broken(self, a: dict[int, bool], b: dict[int, bool]) -> None:
        """Comparing the other way round mirrors the result."""
        one, other = compare(answers(a), answers(b)), compare(answers(b), answers(a))
        assert (one.fixed, one.broken, one.p) == (other.broken, other.fixed, other.p)
        assert one.difference == pytest.approx(-other.difference)
        assert one.correct_b - one.correct_a == len(one.fixed) - len(one.broken)
