"""Answers compared as numbers and as text."""

from __future__ import annotations

import pytest

from bswirl.answers import Comparison, algebra, answers_match, compare, is_plain, plain_match


@pytest.fixture(autouse=True)
def without_math_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here nothing may need it."""
    monkeypatch.setattr(algebra, "is_installed", lambda: False)


class TestPlainMatch:
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
            ("**yes**", "Yes", True),
            ("ice-cream", "ice cream", True),
            ("(C)", "c", True),
            ("(C)", "(D)", False),
            (None, "24", False),
            ("24", None, False),
            ("?", "!", False),
            ("1/2", "0.5", True),
            ("0.3333", "1/3", False),
            ("-3", "3", False),
            ("50%", "0.5", True),
            ("3:30", "3:30 ", True),
            ("3:30", "330", False),
            ("3:30", "0.1", False),
            ("3-5 days", "3-5 Days", True),
            ("3-5", "-2", False),
            ("3,5", "3.5", False),
            ("7 apples and 3 pears", "7", False),
            ("7 apples and 3 pears", "10", False),
            ("(3, 4)", "(3,4)", True),
            ("x + 1", "x+1", True),
        ],
    )
    def test_match(self, answer: str | None, gold: str | None, same: bool) -> None:
        """Equal numbers match however they are written, words and signs without case and spaces."""
        assert plain_match(answer, gold) is same
        assert answers_match(answer, gold) is same

    @pytest.mark.parametrize(
        ("answer", "gold"),
        [("x+1", "x-1"), ("\\sqrt{16}", "4"), ("T - 18", "18"), ("2^10", "1024"), ("3x", "x+2x")],
    )
    def test_formulas_are_left_open(self, answer: str, gold: str) -> None:
        """Only algebra can tell."""
        assert plain_match(answer, gold) is None

    @pytest.mark.parametrize(
        ("answer", "gold"), [("about half", "x/2"), ("x" + "+1" * 200, "5"), ("3:30 pm", "5"), ("none", "0")]
    )
    def test_words_and_long_texts_are_no_formulas(self, answer: str, gold: str) -> None:
        assert plain_match(answer, gold) is False

    @pytest.mark.parametrize(("gold", "plain"), [("72", True), ("yes", True), ("3:30", True), ("x+1", False)])
    def test_plain_golds(self, gold: str, plain: bool) -> None:
        """Golds that need no algebra."""
        assert is_plain(gold) is plain


class TestCompare:
    def test_without_math_verify_formulas_are_open(self) -> None:
        """The note says what to install; what cannot be told is no match."""
        found = compare("\\sqrt{16}", "4")
        assert found.matches is None
        assert "pip install 'bswirl[math]'" in found.note
        assert not answers_match("\\sqrt{16}", "4")

    def test_two_true_equations_are_not_the_same(self) -> None:
        """`1 + 1 = 2` and `2 + 2 = 4` are equivalent, and different answers."""
        assert compare("x + 1 = 2 + 2 = 4 - y", "5").matches is None
        assert compare("1+1=1+1", "2+2=2+2") == Comparison(False)
