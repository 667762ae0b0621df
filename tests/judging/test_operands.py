"""The numbers that a step may compute with."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.judging.operands import constants_for, converted, numbers_in


class TestNumbersIn:
    """Numbers in a text, in digits or words."""

    @pytest.mark.parametrize(
        ("text", "numbers"),
        [
            ("She has 16 eggs and $1,200.50", ["16", "2401/2"]),
            ("three ducks, twenty-five hens, two hundred and five geese", ["3", "25", "205"]),
            ("twice as many, half of it", ["2", "1/2"]),
            ("two thirds of them", ["2", "3", "2/3", "1/3"]),
            ("a third of 60", ["3", "1/3", "60"]),
            ("3/4 of it", ["3/4", "3", "4", "1/4"]),
            ("20% off", ["20", "1/5", "80", "4/5", "120", "6/5"]),
            ("forty percent", ["40", "2/5", "60"]),
            ("4 dozen", ["4", "12", "48"]),
            ("2 million people", ["2000000"]),
            ("a 5-day trip at .5 each", ["5", "1/2"]),
            ("$400 000 budget", ["400000"]),
        ],
    )
    def test_found(self, text: str, numbers: list[str]) -> None:
        """Each form that a number may be used in is there."""
        assert {Fraction(number) for number in numbers} <= numbers_in(text)

    def test_nothing_else(self) -> None:
        """A text without numbers has none, and one number brings no others."""
        assert numbers_in("She sells the rest at the market.") == set()
        assert numbers_in("There are 17 hens.") == {Fraction(17)}

    @given(st.text(max_size=80))
    def test_any_text(self, text: str) -> None:
        """No text breaks the reader."""
        numbers_in(text)
        constants_for(text)


class TestConstants:
    """Plain constants go with what a text is about."""

    @pytest.mark.parametrize(
        ("text", "there", "not_there"),
        [
            ("How long in minutes?", 60, 52),
            ("every day of the week", 7, 60),
            ("20% of them", 100, 60),
            ("two dozen", 12, 7),
            ("The hens are red.", 1, 2),
            ("some money on Monday", 7, 52),
            ("some moneyed man", 1, 7),
        ],
    )
    def test_constants(self, text: str, there: int, not_there: int) -> None:
        """A constant needs its subject."""
        assert there in constants_for(text)
        assert not_there not in constants_for(text)

    def test_smaller_units(self) -> None:
        """Hours may be used in minutes, dollars in cents."""
        assert Fraction(30) in converted({Fraction(1, 2)}, "half an hour")
        assert Fraction(150) in converted({Fraction(3, 2)}, "it costs $1.50")
        assert converted({Fraction(3)}, "three hens") == set()
