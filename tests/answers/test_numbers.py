"""Numbers as people and models write them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.answers import format_number, parse_number
from bswirl.answers.numbers import is_odd, last_number, read_quantity


def quantity(text: str) -> str | None:
    found = read_quantity(text)
    return None if found is None else str(found)


class TestParseNumber:
    """The number that a text states."""

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("24", 24),
            ("-3", -3),
            ("−3", -3),
            ("+72", 72),
            (".5", Fraction(1, 2)),
            ("24.", 24),
            ("007", 7),
            ("24 apples in 2 bags", 24),
            ("about 72", 72),
            ("~72", 72),
            ("72!", 72),
            ("(72)", 72),
            ("eighteen (18)", 18),
            ("negative 7", -7),
            ("minus $5", -5),
            ("2 and a half", Fraction(5, 2)),
            ("<b>42</b>", 42),
            ("42 and 42", 42),
            ("48 + 24 = 72", 72),
            ("48/2=<<48/2=24>>24", 24),
            ("24 =", 24),
            ("x = 5", 5),
            ("π ≈ 3.14", Fraction(157, 50)),
            ("答案是72个", 72),
            ("72", 72),
            ("1/2 or 0.5", Fraction(1, 2)),
            ("50%", 50),
        ],
    )
    def test_plain(self, text: str, value: Fraction | int) -> None:
        """The first number behind the last equals sign."""
        assert parse_number(text) == value

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("$1,234.50 dollars", Fraction(2469, 2)),
            ("-$5", -5),
            ("$-5", -5),
            ("\\$18", 18),
            ("US$5", 5),
            ("USD 500", 500),
            ("Rs. 500", 500),
            ("£20", 20),
            ("20 €", 20),
            ("$0.99/lb", Fraction(99, 100)),
            ("60 miles/hour", 60),
            ("35 m2", 35),
            ("35 m^2", 35),
            ("45°", 45),
            ("21st", 21),
        ],
    )
    def test_currencies_and_units(self, text: str, value: Fraction | int) -> None:
        """They change nothing."""
        assert parse_number(text) == value

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("1,319", 1319),
            ("1,234,567.89", Fraction(123456789, 100)),
            ("12,34,567", 1234567),
            ("1.234,56", Fraction(123456, 100)),
            ("1.234.567", 1234567),
            ("1.234", Fraction(1234, 1000)),
            ("1.000.000,00", 1000000),
            ("€3,50", Fraction(7, 2)),
            ("3,50 €", Fraction(7, 2)),
            ("1'234", 1234),
            ("1\u202f234,5", Fraction(2469, 2)),
            ("200 000", 200000),
            ("1 234 567", 1234567),
            ("1{,}234", 1234),
            ("1,\\!234", 1234),
            ("1\\,234", 1234),
        ],
    )
    def test_separators(self, text: str, value: Fraction | int) -> None:
        """Thousands, in English, Indian and, where it cannot be anything else, European style."""
        assert parse_number(text) == value

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("3/4", Fraction(3, 4)),
            ("3 / 4", Fraction(3, 4)),
            ("1 1/2 cups", Fraction(3, 2)),
            ("1 and 1/3", Fraction(4, 3)),
            ("½ cup", Fraction(1, 2)),
            ("3½ hours", Fraction(7, 2)),
            ("\\frac{3}{4}", Fraction(3, 4)),
            ("\\frac34", Fraction(3, 4)),
            ("\\dfrac{7}{2}\\text{ cups}", Fraction(7, 2)),
            ("2\\frac{1}{2}", Fraction(5, 2)),
            ("-\\frac{3}{4}", Fraction(-3, 4)),
            ("\\frac{-3}{4}", Fraction(-3, 4)),
            ("1,000/4", 250),
        ],
    )
    def test_fractions(self, text: str, value: Fraction | int) -> None:
        """Plain, mixed, and LaTeX's."""
        assert parse_number(text) == value

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("\\boxed{5}", 5),
            ("\\boxed{\\$1{,}000}", 1000),
            ("$72$", 72),
            ("\\(72\\)", 72),
            ("\\[72\\]", 72),
            ("72\\text{ clips}", 72),
            ("\\textbf{72}", 72),
            ("\\mathrm{72}", 72),
            ("90^\\circ", 90),
            ("90^{\\circ}", 90),
            ("\\15", 15),
            ("**72**", 72),
            ("50\\%", 50),
        ],
    )
    def test_latex_and_markdown(self, text: str, value: int) -> None:
        """Layout is taken off."""
        assert parse_number(text) == value

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("5e3", 5000),
            ("1.5E+6", 1500000),
            ("1.5 × 10^6", 1500000),
            ("1.5 \\times 10^{6}", 1500000),
            ("3 × 10⁵", 300000),
            ("2*10^-3", Fraction(1, 500)),
            ("10^6", 1000000),
            ("10**6", 1000000),
        ],
    )
    def test_scientific(self, text: str, value: Fraction | int) -> None:
        """Powers of ten."""
        assert parse_number(text) == value

    @pytest.mark.parametrize(
        "text",
        [
            *("", "x", "one", "$", "cm^2", "H2O"),
            *("3-5", "3–5 days", "$3-$5", "3 to 5", "10-4"),
            *("3:30", "12:30:45", "1/2/2024", "2024-01-05", "5'10"),
            *("1, 2", "3 or 4", "3 and 5", "7 apples and 3 pears", "x = 5, y = 3"),
            *("Tom: 5, Jim: 7", "2.5 1/2", "5 7", "10 minus 4"),
            *("5 feet 4 inches", "3 hours 20 minutes", "2 dollars and 50 cents"),
            *("3,5", "0,5", "0,123", "1,23,4", "1,234.567.890", "2.5.1"),
            *(
                "2^10",
                "5x",
                "3n + 2",
                "T - 18",
                "48+24",
                "72 - 3",
                "x^2",
                "3π",
                "√16",
                "sqrt(16)",
                "f(5)",
                "log 5",
            ),
            *("\\sqrt{16}", "5\\sqrt{2}", "\\frac{1}{2}x", "\\frac{\\sqrt{3}}{2}", "\\frac{x}{2}", "-(5)"),
            *("> 5", "x ≥ 5", "x >= 5", "x \\le 5", "5 < x", "72 ± 3"),
            *("3/0", "1e400", "9" * 61, "9" * 5000, "- 72"),
        ],
    )
    def test_no_number(self, text: str) -> None:
        """Words, ranges, times, dates, lists, formulas, and what may be one thing or another."""
        assert parse_number(text) is None

    @pytest.mark.parametrize("text", ["3:30 pm", "3-5 cm", "1/2/2024", "5'10", "$3-$5"])
    def test_odd(self, text: str) -> None:
        """Times, dates and ranges are known for what they are."""
        assert is_odd(text)

    @pytest.mark.parametrize("text", ["3", "3/4", "(1,2)", "x - 5", "2^{10}-1", "3 and 5"])
    def test_not_odd(self, text: str) -> None:
        assert not is_odd(text)

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("24 apples in 2 bags", 24),
            ("In 4 weeks she did 34 hours of yoga", 34),
            ("The cost for 3 shirts is $45", 45),
            ("Of the 20 pupils, 5 passed", 5),
            ("After the first 2 days he has 12 left", 12),
            ("a total of 73 in 2 days", 73),
            ("for 5 hours at 3 mph", 5),
            ("in 5 days", 5),
            ("Thomas has 240 5-dollar bills", 240),
            ("from 3 to 5 days", None),
            ("between 3 and 5 of 20", None),
        ],
    )
    def test_prose(self, text: str, value: int | None) -> None:
        """Numbers behind a preposition come last."""
        assert parse_number(text) == value


class TestQuantities:
    """Numbers with a percent sign or a word such as million."""

    @pytest.mark.parametrize(
        ("text", "plain"),
        [
            ("50%", "50%"),
            ("50 percent", "50%"),
            ("12.5 percentage points", "12.5%"),
            ("1.5 million", "1.5 million"),
            ("$2 million", "2 million"),
            ("$5k", "5 thousand"),
            ("2 dozens", "2 dozen"),
            ("5 km", "5"),
            ("1/3%", "1/3%"),
        ],
    )
    def test_plain_form(self, text: str, plain: str) -> None:
        """The ending is kept."""
        assert quantity(text) == plain

    @pytest.mark.parametrize(
        ("one", "other", "same"),
        [
            ("50%", "50", True),
            ("50%", "0.5", True),
            ("50%", "1/2", True),
            ("50%", "50.0 percent", True),
            ("50", "0.5", False),
            ("50%", "0.5%", False),
            ("50%", "5", False),
            ("1.5 million", "1500000", True),
            ("1.5 million", "1.5", True),
            ("1.5 million", "1500 thousand", True),
            ("1.5 million", "1.5 thousand", False),
            ("2 dozen", "24", True),
            ("2 dozen", "12", False),
        ],
    )
    def test_same(self, one: str, other: str, same: bool) -> None:
        """A bare number may be in the other's unit, or the whole of it."""
        a, b = read_quantity(one), read_quantity(other)
        assert a is not None
        assert b is not None
        assert a.same(b) is b.same(a) is same


class TestLastNumber:
    @pytest.mark.parametrize(
        ("text", "last"),
        [
            ("16 - 3", "3"),
            ("we get 5, not -2", "-2"),
            ("3 + 4 = 7 in 2 days", "2"),
            ("He leaves at 3:30 pm.", "3:30"),
            ("It takes 3-5 days", "3-5"),
            ("18 m^2 of H2O in B4", "18"),
            ("2 1/2", "2.5"),
            ("20%", "20%"),
            ("no", None),
            ("9" * 5000, None),
        ],
    )
    def test_last(self, text: str, last: str | None) -> None:
        """A minus between two numbers is no sign; digits in names do not count."""
        assert last_number(text) == last


class TestFormat:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (Fraction(24), "24"),
            (Fraction(-5, 2), "-2.5"),
            (Fraction(1, 3), "1/3"),
            (Fraction(1, 80), "0.0125"),
            (Fraction(1, 2**400), f"1/{2**400}"),
        ],
    )
    def test_format(self, value: Fraction, text: str) -> None:
        """A decimal where a short one says it."""
        assert format_number(value) == text

    @given(st.fractions(max_denominator=10**6))
    def test_round_trip(self, value: Fraction) -> None:
        """A formatted number reads back as itself."""
        assert parse_number(format_number(value)) == value
