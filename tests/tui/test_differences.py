"""What sets one candidate's words apart from another's."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl_tui.differences import Difference, difference


def apart(text: str, other: str) -> list[str]:
    """The words that `other` has not."""
    return [text[start:end] for start, end in difference(text, other).spans]


class TestWords:
    """By words, numbers and operators."""

    @pytest.mark.parametrize(
        ("text", "other", "words"),
        [
            ("There are 2*3=6 pens.", "There are 2+3=5 pens.", ["*", "6"]),
            ("He drives 1,200 miles.", "He drives 1,300 miles.", ["1,200"]),
            ("It is 0.5 of x_1", "It is 0.75 of x_2", ["0.5", "1"]),
            ("a red big pen", "a pen", ["red big"]),
            ("漢字 pens", "漢語 pens", ["漢字"]),
            ("so 6 pens left", "so 6 pens left", []),
            ("so  6\npens", "so 6 pens", []),
        ],
    )
    def test_what_differs(self, text: str, other: str, words: list[str]) -> None:
        """Neighbours are one stretch; spaces do not count."""
        assert apart(text, other) == words

    @pytest.mark.parametrize(
        ("text", "gaps"), [("are left", (0,)), ("6 left", (2,)), ("6 are", (5,)), ("", (0,))]
    )
    def test_where_words_are_missing(self, text: str, gaps: tuple[int, ...]) -> None:
        """In front, between, behind."""
        assert difference(text, "6 are left") == Difference((), gaps)

    @given(st.text("ab 1.+\n", max_size=30), st.text("ab 1.+\n", max_size=30))
    def test_spans_lie_in_the_text_in_order(self, text: str, other: str) -> None:
        """They can be painted as they are."""
        found = difference(text, other)
        edges = [edge for span in found.spans for edge in span]
        assert edges == sorted(edges)
        assert all(0 <= edge <= len(text) for edge in (*edges, *found.gaps))


class TestLong:
    """The work is bounded."""

    @pytest.mark.parametrize(
        ("text", "other"),
        [
            ("x y " * 25_000, "y x " * 25_000),
            ("x" * 100_000, "漢" * 50_000),
            ("a\u0301 " * 30_000, "a " * 30_000),
            ("1+" * 50_000, "2*" * 50_000),
            (" " * 100_000 + "a", "b"),
        ],
        ids=["turned", "solid", "combining", "operators", "spaces"],
    )
    def test_long_texts_are_quick(self, text: str, other: str) -> None:
        """100 kB in a fraction of a second of computing."""
        start = time.process_time()
        difference(text, other)
        assert time.process_time() - start < 1.5

    def test_beyond_the_bound_words_count_without_order(self) -> None:
        """What the other has not at all, and what it has less often."""
        ours = [f"w{number}" for number in range(600)]
        theirs = list(reversed(ours))
        assert apart(" ".join([*ours, "new", "w3"]), " ".join([*theirs, "end"])) == ["new w3"]
