"""What is sent to the terminal: only what looks different, and never something else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from bswirl_tui.terminal.sgr import PLAIN, Look, change, changed_by
from bswirl_tui.terminal.thin import ThinWriter
from tests.tui.emulator import Emulator

LOOKS = ("0", "1;38;2;9;8;7;48;2;1;2;3", "38;2;9;8;7;48;2;1;2;3", "7;31;42", "4;38;5;12", "48;5;3", "2")
WIDTH, HEIGHT = 12, 3

looks = st.sampled_from(LOOKS)
words = st.text(st.sampled_from("ab  漢é\u0301"), max_size=6)
# With what terminals measure differently: a vowel sign with room for it, a trigram, a circled number.
disputed_words = st.lists(
    st.sampled_from(["a", "b", " ", "漢", "\u0301", "क", "◌ा", "☰", "㉈"]), max_size=6
).map("".join)


@st.composite
def spans(draw: st.DrawFn, words: st.SearchStrategy[str] = words) -> str:
    """A stretch of one line, as Textual writes it: a move, then pieces each in its own look."""
    row, column = draw(st.integers(1, HEIGHT)), draw(st.integers(1, WIDTH))
    pieces = [
        f"\x1b[{draw(looks)}m{text}\x1b[0m" for text in draw(st.lists(words, min_size=1, max_size=3)) if text
    ]
    return f"\x1b[{row};{column}H" + "".join(pieces)


def several(spans: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    """Frames of such spans."""
    return st.lists(st.lists(spans, min_size=1, max_size=4).map("\n".join), min_size=1, max_size=5)


def as_tmux(character: str) -> int:
    """The cells that tmux 3.3 and most terminals give a character."""
    return {"ा": 1, "☰": 1, "㉈": 2}.get(character, cell_len(character))


def letters(screen: Emulator) -> dict[tuple[int, int], str]:
    """Where plain letters stand."""
    return {place: shown[0] for place, (shown, _) in screen.cells.items() if shown[:1] in ("a", "b")}


class TestSameScreen:
    """However little is sent, the screen is that of sending everything."""

    @settings(max_examples=300, deadline=None)
    @given(several(spans()))
    def test_frames_look_the_same(self, frames: list[str]) -> None:
        """After every frame, halves of wide characters included."""
        whole, thin, writer = Emulator(), Emulator(), ThinWriter()
        for frame in frames:
            whole.feed(frame)
            thin.feed(writer.thinned(frame))
            shown = {place: cell for place, cell in thin.cells.items() if cell != (" ", PLAIN)}
            assert shown == {place: cell for place, cell in whole.cells.items() if cell != (" ", PLAIN)}
            assert thin.look == PLAIN

    @pytest.mark.parametrize("width", [as_tmux, cell_len])
    @settings(max_examples=200, deadline=None)
    @given(several(spans(disputed_words)))
    def test_drift_does_not_add_up(self, width: Callable[[str], int], frames: list[str]) -> None:
        """Where the terminal measures differently, what stands beside is where it was laid out."""
        laid_out, terminal, writer = Emulator(), Emulator(width), ThinWriter()
        for frame in frames:
            laid_out.feed(frame)
            terminal.feed(writer.thinned(frame))
            assert letters(terminal) == letters(laid_out)

    @given(st.lists(looks, min_size=1), st.lists(looks, min_size=1))
    def test_change_of_look_arrives(self, first: list[str], second: list[str]) -> None:
        """The short way between two looks ends where the long one does."""
        before, after = PLAIN, PLAIN
        for parameters in first:
            before = changed_by(before, parameters)
        for parameters in second:
            after = changed_by(after, parameters)
        sequence = change(before, after)
        parameters = sequence.removeprefix("\x1b[").removesuffix("m")
        assert (changed_by(before, parameters) if sequence else before) == after


class TestThin:
    """What is left out, and what is not."""

    def test_what_is_there_is_not_sent_again(self) -> None:
        """Not a byte."""
        writer = ThinWriter()
        line = "\x1b[2;5H\x1b[1;31mthe same\x1b[0m words"
        assert "the same" in writer.thinned(line)
        assert writer.thinned(line) == ""

    def test_one_changed_letter_is_sent_alone(self) -> None:
        """With a move to it."""
        writer = ThinWriter()
        writer.thinned("\x1b[2;5Hreward 1 of the judge")
        assert writer.thinned("\x1b[2;5Hreward 0 of the judge") == "\x1b[2;12H0"

    def test_accent_in_the_next_piece_takes_no_cell(self) -> None:
        """A search marks a word up to the accent: what stands right of it is where it was."""
        writer = ThinWriter()
        writer.thinned("\x1b[1;1H\x1b[7mcafe\x1b[0m\u0301 12")
        assert writer.thinned("\x1b[1;1H\x1b[7mcafe\x1b[0m\u0301 13").endswith("13")
        screen = Emulator()
        screen.feed("\x1b[1;1Hcafe\u0301 12" + writer.thinned("\x1b[1;1Hcafe\u0301 14"))
        assert screen.text(1) == "cafe\u0301 14"

    def test_accent_keeps_the_look_of_its_letter(self) -> None:
        """A letter that is no longer marked is sent again, whatever look its accent is written in."""
        writer = ThinWriter()
        writer.thinned("\x1b[1;1H\x1b[7me\x1b[0m\u0301")
        assert writer.thinned("\x1b[1;1He\u0301") == "\x1b[1;1He\u0301"

    def test_vowel_sign_has_a_cell(self) -> None:
        """Sent with its letter, over two empty cells, and what follows is placed behind both."""
        assert ThinWriter().thinned("\x1b[1;1Hक◌ा|") == "\x1b[1;1H  \x1b[1;1Hका\x1b[1;3H|"

    def test_border_that_may_be_drawn_over_is_drawn_again(self) -> None:
        """A character that the terminal may make wider stands left of it."""
        writer = ThinWriter()
        writer.thinned("\x1b[1;1Hab|")
        assert writer.thinned("\x1b[1;2He\u0301").endswith("\x1b[1;3H|")

    def test_empty_cells_stay_empty(self) -> None:
        """Colours of letters do not show on them."""
        writer = ThinWriter()
        writer.thinned("\x1b[1;1H\x1b[31;44m      \x1b[0m")
        assert writer.thinned("\x1b[1;1H\x1b[1;32;44m      \x1b[0m") == ""
        assert writer.thinned("\x1b[1;1H\x1b[7;32;44m \x1b[0m") != ""

    def test_unknown_sequences_pass_and_make_it_forget(self) -> None:
        """A cleared screen is drawn whole again."""
        writer = ThinWriter()
        line = "\x1b[1;1Hwords"
        writer.thinned(line)
        assert writer.thinned("\x1b[2J") == "\x1b[2J"
        assert writer.thinned(line) == line
        writer.forget()
        assert writer.thinned(line) == line

    def test_modes_and_the_last_move_pass(self) -> None:
        """Synchronised output, the cursor's place for input methods."""
        writer = ThinWriter()
        assert writer.thinned("\x1b[?2026h") == "\x1b[?2026h"
        writer.thinned("\x1b[1;1Hwords")
        assert writer.thinned("\x1b[1;1Hwords\x1b[7;9H") == "\x1b[7;9H"

    def test_look_of_a_cell(self) -> None:
        """Colours in all three notations, and what takes attributes away."""
        look = changed_by(PLAIN, "1;4;38;5;9;48;2;1;2;3")
        assert look == Look("38;5;9", "48;2;1;2;3", frozenset({"1", "4"}))
        assert changed_by(look, "24;39;49") == Look("", "", frozenset({"1"}))
        assert changed_by(look, "") == PLAIN
