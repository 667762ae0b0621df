"""Definitions of selections: checked when made, read from what people type."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bswirl.errors import UsageError
from bswirl.records import from_json, to_json
from bswirl.selections import (
    SELECTION_FIELDS,
    Filters,
    SavedSelection,
    Selection,
    check_name,
    difficulty_text,
    parse_difficulty,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(FINITE, FINITE)
def test_a_range_comes_back_as_it_was_typed(one: float, other: float) -> None:
    """To the last bit."""
    difficulty = (min(one, other), max(one, other))
    assert parse_difficulty(difficulty_text(difficulty)) == difficulty


@given(st.text())
@example("0.2")
@example("0.8..0.2")
@example("nan..1")
@example("0..inf")
@example("..")
@example("0.2...8")
def test_whatever_is_typed_is_a_range_or_refused(text: str) -> None:
    """With how to write one."""
    try:
        low, high = parse_difficulty(text)
    except UsageError as error:
        refused = str(error)
    else:
        assert -math.inf < low <= high < math.inf
        return
    assert "difficulty" in refused
    assert "0.2..0.8" in refused


def test_words() -> None:
    """Only what leaves something out."""
    assert Selection().words == "any dataset, train"
    made = Selection("gsm8k", "validation", 40, "process", (0.25, 0.8), "question")
    assert made.words == (
        "gsm8k, validation, the first 40 questions, filter process, difficulty 0.25..0.8 by question"
    )
    assert not Filters(difficulty_by="question").active


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"filter": "good"}, "`good` is no filter"),
        ({"difficulty": (0.8, 0.2)}, "is empty"),
        ({"difficulty": (math.nan, 0.2)}, "between two numbers"),
        ({"difficulty_by": "state"}, "not told by `state`"),
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, object], words: str) -> None:
    """Wherever a selection comes from."""
    with pytest.raises(UsageError, match=words):
        Selection(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "-x", ".x", "a b", "a/b", "x" * 65, "ä", "a\n", "\x1b[2J"])
def test_names_that_nothing_can_have(name: str) -> None:
    """They would be awkward to type, or dangerous to show."""
    with pytest.raises(UsageError, match="no name for a selection"):
        check_name(name)
    assert check_name("easy-2.b_C") == "easy-2.b_C"


def test_over_the_wire_and_back() -> None:
    """Nothing is lost."""
    saved = SavedSelection("a", Selection("d", "train", 3, "both", (0.1, 0.9)), "ann", "2026")
    assert from_json(SavedSelection, to_json(saved)) == saved
    assert tuple(saved.selection.to_json()) == SELECTION_FIELDS
