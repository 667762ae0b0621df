"""Texts for the screen: safe, aligned, in few characters."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from bswirl.records import Action, Progress
from bswirl_tui import glyphs, text
from bswirl_tui.themes import _PALETTES, DARK
from tests.tui.content import HOSTILE

COLOURS = _PALETTES[DARK]
UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


class TestClean:
    """Foreign text is shown, never obeyed."""

    @given(st.text())
    def test_no_character_acts_on_a_terminal(self, foreign: str) -> None:
        """Neither controls nor escapes, bidirectional marks or variation selectors are left."""
        shown = text.clean(foreign, one_line=True)
        assert not {unicodedata.category(character) for character in shown} & UNSAFE
        assert not any(0xFE00 <= ord(character) <= 0xFE0F for character in shown)

    @pytest.mark.parametrize(
        "disputed", ["\ufe0f", "\u20e3", "🏽", "\u3164", "\uffa0", "\u302e", "\U0001d165", "㉈"]
    )
    def test_what_terminals_measure_differently_is_spelled_out(self, disputed: str) -> None:
        """By its code, which is as wide everywhere."""
        assert text.clean(f"a{disputed}b") == f"a‹U+{ord(disputed):04X}›b"

    @pytest.mark.parametrize(
        ("words", "shown"), [("हिन्दी", "ह◌िन्द◌ी"), ("कः ो", "क◌ः ◌ो"), ("◌ा ◌◌", "◌ा ◌◌"), ("กำ ที่", "กำ ที่")]
    )
    def test_spacing_marks_have_room(self, words: str, shown: str) -> None:
        """A cell of their own, once; marks above and below a letter take none."""
        assert text.clean(words) == shown
        assert text.clean(shown) == shown

    def test_markup_stays_as_it_is(self) -> None:
        """Brackets are text."""
        assert text.line("[/foo] [bold]").plain == "[/foo] [bold]"

    def test_hostile_text_is_spelled_out(self) -> None:
        """An escape shows as its picture."""
        shown = text.clean(HOSTILE, one_line=True)
        assert "␛[31mred" in shown
        assert "\x1b" not in shown


class TestFit:
    """Cells of a line are cut or padded, never shifted."""

    @given(st.text(), st.integers(min_value=0, max_value=40))
    def test_width_is_exact(self, foreign: str, width: int) -> None:
        """Wide and combining characters count as the terminal counts them."""
        assert cell_len(text.fit(text.line(foreign), width).plain) == width

    def test_cut_text_says_so(self) -> None:
        """An ellipsis stands for what is missing."""
        assert text.fit(Text("abcdef"), 4).plain == "abc…"


class TestParagraph:
    """Paragraphs wrap with a hanging indent."""

    @given(st.text(max_size=300), st.integers(min_value=4, max_value=60), st.sampled_from([0, 3]))
    def test_no_line_is_too_wide(self, foreign: str, width: int, indent: int) -> None:
        """However wide its characters are."""
        paragraph = text.Paragraph(Text(text.clean(foreign)), Text("12"), indent=indent)
        assert all(cell_len(line.plain) <= width for line in paragraph.lines(width))

    def test_lead_stands_before_the_first_line_alone(self) -> None:
        """Later lines are indented as far, and the lead's style does not spread."""
        first, second = text.Paragraph(Text("one two"), Text("1", "red"), indent=3).lines(7)
        assert (first.plain.rstrip(), second.plain) == ("1  one", "   two")
        assert [str(span.style) for span in first.spans if span.end > 3] == []


class TestPieces:
    """Short texts are not broken where a line has room for them."""

    @given(st.lists(st.text(min_size=1, max_size=40), max_size=12), st.integers(min_value=4, max_value=60))
    def test_no_line_is_too_wide(self, foreign: list[str], width: int) -> None:
        """However wide a piece is by itself."""
        pieces = text.Pieces(pieces=tuple(text.line(words) for words in foreign))
        assert all(cell_len(line.plain) <= width for line in pieces.lines(width))

    def test_lines_are_full(self) -> None:
        """To the last cell."""
        lines = text.Pieces(pieces=(Text("1 one"), Text("2 two"), Text("3 three")), gap=2).lines(12)
        assert [line.plain for line in lines] == ["1 one  2 two", "3 three"]


class TestNumbers:
    """Numbers take as few characters as they can."""

    @pytest.mark.parametrize(
        ("reward", "words"),
        [
            (1.0, "1"),
            (0.0, "0"),
            (0.5, ".5"),
            (0.25, ".25"),
            (1 / 3, ".33"),
            (0.996, ">.99"),
            (0.004, "<.01"),
            (0.006, ".01"),
            (None, "–"),
        ],
    )
    def test_rewards(self, reward: float | None, words: str) -> None:
        """Whole ones as a digit, soft ones without the zero; what is all but whole is not said to be."""
        assert text.reward_number(reward) == words

    @pytest.mark.parametrize(
        ("value", "words"), [(0.4, "+0.40"), (-1.0, "−1.00"), (0.0, "0.00"), (-0.001, "0.00"), (None, "")]
    )
    def test_signed(self, value: float | None, words: str) -> None:
        """A sign on everything but zero."""
        assert text.signed(value) == words

    @pytest.mark.parametrize(
        ("seconds", "words"), [(0, "0s"), (59.6, "1m 00s"), (3600, "1h 00m"), (90061, "1d 1h"), (None, "")]
    )
    def test_durations(self, seconds: float | None, words: str) -> None:
        """The two largest units."""
        assert text.duration(seconds) == words

    def test_age(self) -> None:
        """The largest unit, whatever way the time is written."""
        now = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
        assert text.age("2026-01-02T11:15:00.000Z", now) == "45m"
        assert text.age("2026-01-01T11:00:00", now) == "1d"
        assert text.age("nonsense", now) == ""


class TestMarks:
    """A reward's sign says it without colour."""

    @pytest.mark.parametrize(
        ("about", "sign"),
        [
            ({"reward": 1.0}, "✓"),
            ({"reward": 0.0}, "✗"),
            ({}, "·"),
            ({"reward": 1.0, "source": "judge", "label": "unsure"}, "?"),
            ({"reward": 1.0, "conflict": True}, "?"),
        ],
    )
    def test_signs(self, about: dict[str, object], sign: str) -> None:
        """Good, bad, not rated, unsure, in dispute."""
        action = Action(1, 1, 1, False, "Step 1: x", **about)  # type: ignore[arg-type]
        assert text.mark(action, COLOURS).plain == sign

    def test_source_letters(self) -> None:
        """J, H and A say who decided."""
        for source, letter in (("judge", "J"), ("human", "H"), ("answer", "A")):
            action = Action(1, 1, 1, False, "x", reward=1.0, source=source)  # type: ignore[arg-type]
            assert text.reward_cell(action, COLOURS).plain == f"1{letter}"


class TestProgress:
    """Progress is a bar and words."""

    def test_bar_is_as_long_as_asked(self) -> None:
        """Even when more is done than there was to do."""
        assert text.bar(5, 10, 8, COLOURS).plain == "━━━━────"
        assert text.bar(12, 10, 8, COLOURS).plain == "━━━━━━━━"
        assert text.bar(0, 0, 8, COLOURS).plain == "────────"

    def test_words(self) -> None:
        """What is done of what."""
        assert text.progress_words(Progress(1200, 4000, "samples")) == "1,200 of 4,000 samples"


class TestFitEnd:
    """Of an address the end is kept."""

    @pytest.mark.parametrize("width", [1, 5, 12, 40])
    @pytest.mark.parametrize("address", ["templates:test-0042", "数据集:问题-0042", "a:1", ""])
    def test_end_is_kept_and_the_width_is_right(self, address: str, width: int) -> None:
        found = text.fit_end(Text(address), width).plain
        assert cell_len(found) == width
        if cell_len(address) > width:
            assert found.startswith(glyphs.glyphs().ellipsis)
            assert address.endswith(found[1:].rstrip())
        else:
            assert found.rstrip() == address


class TestAscii:
    """Every sign has a plain twin."""

    @pytest.mark.parametrize(
        ("step", "spelt"),
        [
            ("3½ ≤ √2·π²", "3 1/2 <= sqrt2*pi^2"),
            ("x₁ ≠ θ ÷ 45° → ±5", "x_1 != theta / 45 deg -> +-5"),
            ("10⁻³ ≈ 0 ⇒ Σ ≥ ⅓", "10^-3 ~= 0 => Sigma >=  1/3"),
            ("3·4=12, 6∕2, 8 ➗ 2 ➕ 1 ➖ 3, 2✕3✖4", "3*4=12, 6/2, 8 / 2 + 1 - 3, 2x3x4"),
            ("１２＋ｘ＝￥３０, 50¢, 𝟑𝒙+𝜋", "12+x=JPY30, 50 cents, 3x+pi"),
            ("José isst 漢字", "José isst 漢字"),
        ],
    )
    def test_mathematics_is_spelt(self, monkeypatch: pytest.MonkeyPatch, step: str, spelt: str) -> None:
        """A step must be judged in ASCII too; elsewhere it is shown as it is."""
        assert text.clean(step) == step
        monkeypatch.setattr(glyphs, "_active", glyphs.ASCII)
        assert text.clean(step) == spelt

    def test_line_end_is_no_money(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """And no part of the numbers beside it."""
        monkeypatch.setattr(glyphs, "_active", glyphs.ASCII)
        assert text.clean("costs 12\n10", one_line=True) == "costs 12<nl>10"

    def test_ascii_set_is_ascii(self) -> None:
        """And as wide as the other."""
        for name in glyphs.Glyphs.__slots__:
            plain, drawn = getattr(glyphs.ASCII, name), getattr(glyphs.UNICODE, name)
            if name == "braille":
                assert (plain, drawn) == (False, True)
                continue
            assert plain.isascii()
            assert cell_len(plain) == cell_len(drawn)
