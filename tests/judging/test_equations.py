"""Equations in steps as models really write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.judging.equations import find_equations, parse_expression
from bswirl.judging.expressions import evaluate, show


def found(text: str) -> list[tuple[str, bool]]:
    return [(equation.text, equation.is_true) for equation in find_equations(text)]


class TestFinding:
    """Where an equation begins and ends."""

    @pytest.mark.parametrize(
        ("text", "equation"),
        [
            ("Step 2: Half of it is 48 / 2 = 24 clips in May.", "48 / 2 = 24"),
            ("She makes 9 * 2 = $18 every day", "9 * 2 = 18"),
            ("It rose by 80,000*1.5=$120,000.", "80000 * 1.5 = 120000"),
            ("**Total** = 3 × 4 = **12**", "3 * 4 = 12"),
            ("3 boxes x $4/box = $12", "3 * 4 = 12"),
            ("12 ÷ 3 = 4 times a year", "12 / 3 = 4"),
            ("16 − 3 − 4 = 9", "16 - 3 - 4 = 9"),
            ("16 eggs - 3 eggs (for breakfast) - 4 eggs = 9 eggs", "16 - 3 - 4 = 9"),
            ("(3+4)*2=14", "(3 + 4) * 2 = 14"),
            ("5(3 + 2) = 25", "5 * (3 + 2) = 25"),
            ("20% of 50 = 10", "20% * 50 = 10"),
            ("half of 48 is 24", "1/2 * 48 = 24"),
            ("1/2 of 48 is 24", "1 / 2 * 48 = 24"),
            ("1/2*48=24", "1 / 2 * 48 = 24"),
            ("1 1/2 * 4 = 6", "3/2 * 4 = 6"),
            ("3 plus 4 equals 7", "3 + 4 = 7"),
            ("96 divided by 6 gives 16", "96 / 6 = 16"),
            ("5 multiplied by 3 is equal to 15", None),
            ("\\(\\frac{1}{3} \\times 18 = 6\\) flamingos", "(1 / 3) * 18 = 6"),
            ("\\[ 8 \\text{ pounds} + 4 \\text{ pounds} = 12 \\text{ pounds} \\]", "8 + 4 = 12"),
            ("- 3 + 4 = 7", "3 + 4 = 7"),
            ("1. 3 + 4 = 7", "3 + 4 = 7"),
            ("Total - 20 = 50 - 20 = 30", "50 - 20 = 30"),
            ("8 doses = 8 * 56 = 448 mL", "8 * 56 = 448"),
            ("25 classmates + his 1 teacher + 1 himself = 27", "25 + 1 + 1 = 27"),
            ("60 = 5 * 12", "5 * 12 = 60"),
            ("60 cookies = 5 * 12", "5 * 12 = 60"),
            ("Adam's age in 8 years = 34 + 8.", None),
            ("\\[ a = \\frac{500}{2} = 250 \\] \\[ b = 45 \\times 2 \\]", "500 / 2 = 250"),
            ("$400 000 x 5/100 = $20 000", "400000 * 5 / 100 = 20000"),
            ("5 million - 500,000 = 4.5 million", "5000000 - 500000 = 4500000"),
            ("3*4 = 12 - that is all", "3 * 4 = 12"),
            ("-3 + 5 = 2", "-3 + 5 = 2"),
            ("2^3 = 8", "2^3 = 8"),
            ("Cost: 3 + 4\n= 7", "3 + 4 = 7"),
        ],
    )
    def test_true_equation(self, text: str, equation: str | None) -> None:
        """The equation is read as meant, and true."""
        assert found(text) == ([(equation, True)] if equation else [])

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "She has 24 left.",
            "1 hour = 60 minutes",
            "x = 15",
            "2x + 10 = 30",
            "x + 10 = 30",
            "5y/2 = 1125",
            "12 + Total = 30",
            "sqrt(16) = 4",
            "Ratio 3:2 = 5",
            "x >= 3 + 4",
            "Let n be 3 + 4",
            "3 + 4",
            "24 = 24",
            "1/4 pound makes 1 dozen",
            "B + 2B + 4 = 5B + 4",
        ],
    )
    def test_no_equation(self, text: str) -> None:
        """Definitions, algebra and unfinished calculations are none."""
        assert found(text) == []

    def test_several(self) -> None:
        """Every equation of a step is found; a chain gives one a sign, also where it runs on."""
        assert found("3 + 4 = 7 and then 7 * 2 = 15") == [("3 + 4 = 7", True), ("7 * 2 = 15", False)]
        assert found("2*4 + 3*6 = 8 + 18 = 26") == [
            ("(2 * 4) + (3 * 6) = 8 + 18", True),
            ("8 + 18 = 26", True),
        ]
        assert found("3 + 4 = 7 * 2 = 14") == [("3 + 4 = 7", True), ("7 * 2 = 14", True)]


class TestTruth:
    """When an equation is true."""

    @pytest.mark.parametrize(
        ("text", "truth"),
        [
            ("48 / 2 = 25", False),
            ("2 * 3 * 4 = 25", False),
            ("10 / 3 = 3.33", True),
            ("2 / 3 = 0.66", True),
            ("2 / 3 = 0.67", True),
            ("10 / 3 = 3", False),
            ("10 / 3 ≈ 3", True),
            ("10 / 4 = 2.50", True),
            ("10 / 4 = 2.4", False),
            ("7 / 8 = 0.88", True),
            ("3 * 1.25 = 3.5", False),
            ("100 - 20 = 80%", True),
            ("100% - 20% = 80%", True),
            ("20% * 50 = 10", True),
            ("20 / 100 = 20%", True),
            ("20% * 50 = 11", False),
            ("5 / 0 = 0", False),
            ("0.1 + 0.2 = 0.3", True),
            ("1/3 + 1/3 = 2/3", True),
            ("3 - 5 = -2", True),
            ("3 - 5 = 2", False),
            ("2^99 = 1", False),
            ("7 - 3 = 5 - 1", True),
            ("7 - 3 = 5 - 2", False),
            ("8 = 2 * 3", False),
        ],
    )
    def test_truth(self, text: str, truth: bool) -> None:
        """Exact, except where the stated result is a rounded decimal."""
        (equation,) = found(text)
        assert equation[1] is truth


NUMBERS = st.integers(1, 400)


class TestProperties:
    """What holds of any text."""

    @given(st.lists(NUMBERS, min_size=2, max_size=5), st.data())
    def test_python_agrees(self, numbers: list[int], data: st.DataObject) -> None:
        """A calculation with + - * and brackets has Python's value, and prints as itself."""
        signs = [data.draw(st.sampled_from([" + ", " - ", " * "])) for _ in numbers[1:]]
        text = str(numbers[0])
        for sign, number in zip(signs, numbers[1:], strict=True):
            text = f"({text}){sign}{number}" if data.draw(st.booleans()) else f"{text}{sign}{number}"
        expression = parse_expression(text)
        assert expression is not None
        assert evaluate(expression, percent=True) == eval(text)
        again = parse_expression(show(expression))
        assert again is not None
        assert evaluate(again, percent=True) == eval(text)
        (equation,) = find_equations(f"So we get {text} = {eval(text)} of them.")
        assert equation.is_true
        (equation,) = find_equations(f"So we get {text} = {eval(text) + 1} of them.")
        assert not equation.is_true

    @given(
        st.one_of(
            st.text(max_size=80),
            st.text(alphabet="0123456789+-*/x=()[]{}.,%$ \n≈^of\\abs×", max_size=60),
        )
    )
    def test_any_text(self, text: str) -> None:
        """No text breaks the reader, and what it finds can be shown and checked."""
        for equation in find_equations(text):
            assert equation.text
            assert equation.is_true in (True, False)

    @pytest.mark.parametrize("piece", ["(", "1+", "1=", "x ", "1 (a) ", "9", "((1)/(2))", "\\frac{1}{2}"])
    def test_hostile_length(self, piece: str) -> None:
        """Text made to exhaust the reader is read all the same."""
        find_equations(piece * 15_000)
