"""Reading and comparing final answers."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.answers import (
    answers_match,
    flexible_answer,
    format_number,
    last_number,
    parse_number,
    read_answer,
    strict_answer,
)


class TestParseNumber:
    """Numbers as models write them."""

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("$1,234.50 dollars", Fraction(2469, 2)),
            ("24", 24),
            ("-3", -3),
            ("−3", -3),
            ("-$5", -5),
            ("$-5", -5),
            ("3/4", Fraction(3, 4)),
            ("1 1/2 cups", Fraction(3, 2)),
            ("\\frac{3}{4}", Fraction(3, 4)),
            ("50%", 50),
            ("24 apples in 2 bags", 24),
            ("48 + 24 = 72", 72),
            ("\\$18", 18),
            ("1,319", 1319),
            ("1, 2", 1),
            (".5", Fraction(1, 2)),
            ("24.", 24),
            ("10-4", 10),
            ("x", None),
            ("", None),
            ("3/0", None),
            ("24 =", 24),
            ("9" * 5000, None),
        ],
    )
    def test_number(self, text: str, value: Fraction | None) -> None:
        """The first number behind the last equals sign."""
        assert parse_number(text) == value

    @pytest.mark.parametrize(
        ("text", "value"), [("16 - 3", 3), ("10-4", 4), ("we get 5, not -2", -2), ("no", None)]
    )
    def test_last(self, text: str, value: int | None) -> None:
        """A minus between two numbers is no sign."""
        assert last_number(text) == value

    @given(st.fractions(max_denominator=10**6))
    def test_format_round_trip(self, value: Fraction) -> None:
        """A formatted number reads back as itself."""
        assert parse_number(format_number(value)) == value

    @given(st.text(max_size=60))
    def test_any_text(self, text: str) -> None:
        """No text breaks the readers."""
        for read in (parse_number, last_number, strict_answer, flexible_answer, read_answer):
            read(text)


class TestReadingAnswers:
    """Strict, flexible and an action's own answer."""

    @pytest.mark.parametrize(
        ("text", "strict", "flexible"),
        [
            ("Step 1: 3 + 4 = 7\nAnswer: 7", "7", "7"),
            ("3 + 4 = 7 in 2 days", None, "2"),
            ("so\n#### 1,200", "1200", "1200"),
            ("**Answer:**\n24 clips in 2 months", "24", "2"),
            ("Answer: yes", "yes", None),
            ("Answer: 3\nno wait\nAnswer: 4", "4", "4"),
            ("Answer:", None, None),
        ],
    )
    def test_strict_and_flexible(self, text: str, strict: str | None, flexible: str | None) -> None:
        """Strict needs the label, flexible takes the last number."""
        assert strict_answer(text) == strict
        assert flexible_answer(text) == flexible

    @pytest.mark.parametrize(
        ("text", "answer"),
        [
            ("Answer: $1,234", "1234"),
            ("The answer is 7.", "7"),
            ("So \\boxed{\\frac{1}{2}}", "0.5"),
            ("#### 5", "5"),
            ("The answer is 7 apples and 3 pears", "7"),
            ("It is 12", "12"),
            ("Answer: none", "none"),
            ("hm", None),
        ],
    )
    def test_answer_action(self, text: str, answer: str | None) -> None:
        """An answer action's answer is found in each of its styles."""
        assert read_answer(text) == answer


class TestMatching:
    """Answers as numbers, else as words."""

    @pytest.mark.parametrize(
        ("answer", "gold", "same"),
        [
            ("24", "24", True),
            ("24.0", "24", True),
            ("$1,200", "1200", True),
            ("25", "24", False),
            ("yes", "24", False),
            ("Yes.", "yes", True),
            ("yes", "no", False),
            (None, "24", False),
            ("24", None, False),
            ("?", "!", False),
            ("1/2", "0.5", True),
            ("-3", "3", False),
        ],
    )
    def test_match(self, answer: str | None, gold: str | None, same: bool) -> None:
        """Equal numbers match however they are written."""
        assert answers_match(answer, gold) is same
