"""Model text made safe to show."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.display import safe_text, spending_words


class TestSafeText:
    """safe_text."""

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("plain", "plain"),
            ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
            ("a\tb", "a    b"),
            ("a\r\nb", "a␍\nb"),
            ("\x7f", "␡"),
            ("\u202eevil", "‹U+202E›evil"),
            ("\u200b", "‹U+200B›"),
            ("\x9b31m", "‹U+009B›31m"),
            ("\ud800", "‹U+D800›"),
            ("\u2028", "‹U+2028›"),
            ("48 ÷ 2 = 24 é 数", "48 ÷ 2 = 24 é 数"),
            ("[/foo]", "[/foo]"),
        ],
    )
    def test_shown(self, text: str, shown: str) -> None:
        """What a terminal would act on is spelled out; everything else stays."""
        assert safe_text(text) == shown

    def test_one_line(self) -> None:
        """Line ends show as signs where one line is wanted."""
        assert safe_text("a\nb", one_line=True) == "a⏎b"

    @pytest.mark.parametrize(("limit", "shown"), [(10, "abcdef"), (6, "abcdef"), (4, "abc…"), (1, "…")])
    def test_limit(self, limit: int, shown: str) -> None:
        """Longer text is cut and says so."""
        assert safe_text("abcdef", limit=limit) == shown

    @given(st.text(), st.booleans())
    def test_nothing_dangerous_is_left(self, text: str, one_line: bool) -> None:
        """No control, format or surrogate character comes through, nor a line end in one line."""
        shown = safe_text(text, one_line=one_line)
        allowed = "" if one_line else "\n"
        bad = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        assert not [c for c in shown if c not in allowed and unicodedata.category(c) in bad]
        shown.encode()

    @given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Zs"])))
    def test_ordinary_text_stays(self, text: str) -> None:
        """Letters, digits, signs and spaces of any script are shown as they are."""
        assert safe_text(text) == text


def test_spending_words() -> None:
    """What a run's calls came to, in words that leave out what there was none of."""
    spent = {"calls": 1200, "cost": 0.25, "uncertain": 0.004, "recorded": 3, "failures": 1}
    assert spending_words({"spending": spent}) == (
        "1,200 calls for $0.25, and up to $0.004 for requests that broke off, 3 from the record, 1 failed"
    )
    assert spending_words({"spending": {"calls": 7, "cost": 0.0, "uncertain": None}}) == "7 calls"
    assert spending_words({"spending": {"calls": 0, "cost": 0.0}}) == ""
    assert spending_words({"judged": 3}) == ""
