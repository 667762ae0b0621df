"""Which steps say the same, and which only look alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.judging.duplicates import alike, wording

TOKENS = ("12", "34", "+", "-", "*", "/", "=", "(", ")", "x", "y", "cat", "Dog")
PLAIN = "Step 2: She sells 48 / 2 = 24 clips in May."


class TestWording:
    @pytest.mark.parametrize(
        "step",
        [
            "**Step 2:** She sells 48 / 2 = 24 clips in May.",
            "Step 2: she sells 48 / 2 = 24 clips in may",
            "step 2 -  She sells 48/2=24 clips, in May!",
            "2. She sells 48 / 2 = **24** clips in May.",
            "### Step 2: She sells 48 ÷ 2 = 24 clips in May…",
            "- Step 2: *She* sells `48 / 2 = 24` clips in \u201cMay\u201d.\n",
            "She sells\n48 / 2 = 24\nclips in May;",
        ],
    )
    def test_typography_does_not_matter(self, step: str) -> None:
        """Case, blanks, markdown, punctuation of sentences, labels and spellings of operators."""
        assert wording(step) == wording(PLAIN)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("48 / 2 = 24", "48 / 2 = 25"),
            ("48 / 2 = 24", "48 * 2 = 24"),
            ("48 - 2", "48 + 2"),
            ("2.5 cups", "25 cups"),
            ("0.5", ".5"),
            ("1,000", "1.000"),
            ("3:30", "3 30"),
            ("(5 + 3) * 2", "5 + (3 * 2)"),
            ("2 ** 3", "2 * 3"),
            ("2**3**4", "2 3 4"),
            ("2 *3 + 4* 5", "2 3 + 4 5"),
            ("3 * 4", "3 4"),
            ("x = 3", "X = 3"),
            ("x_1 = 3", "x_2 = 3"),
            ("a - b", "a b"),
            ("5 < 6", "5 > 6"),
            ("5%", "5"),
            ("$5", "5"),
            ("4!", "4"),
            ("x²", "x2"),
            ("5 ≤ 6", "5 6"),
            ("-5 apples", "5 apples"),
            ("is –3", "is 3"),
            ("is \u20113", "is 3"),
            ("is －3", "is 3"),
            ("10 – 3", "10 3"),
            ("- 5 = x", "5 = x"),
            ("√16", "16"),
            ("She has 5", "She has not 5"),
            ("two", "three"),
            ("\\frac{1}{2}", "frac 1 2"),
        ],
    )
    def test_what_is_calculated_matters(self, one: str, other: str) -> None:
        """Numbers, operators, brackets, units of money, variables and words."""
        assert wording(f"Step 1: {one}") != wording(f"Step 1: {other}")

    @given(st.text(max_size=80))
    def test_any_text_has_one(self, step: str) -> None:
        """It does not raise, and spaces around change nothing."""
        assert wording(f"  {step}\n") == wording(step) or step != step.strip()

    @given(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=8))
    def test_what_differs_in_more_than_case_differs(self, words: list[str]) -> None:
        """Bold type, capitals and a full stop change nothing; leaving a token out always does."""
        step = " ".join(["then", *words])
        assert wording(f"**Step 3:** {step}.") == wording(f"Step 3: {step}")
        shorter = " ".join(["then", *words[:-1]])
        assert wording(f"Step 3: {shorter}") != wording(f"Step 3: {step}")


def test_alike_groups_by_state() -> None:
    """The first of a group leads it; another state's steps are another's, and signs alone stay themselves."""
    first, second, third = "The cats.", "the CATS", "The cats!"
    items = [(1, first), (1, "b"), (1, second), (2, second), (1, "..."), (1, "?"), (1, third)]
    found = alike(items, lambda item: item)
    assert found == [
        [(1, first), (1, second), (1, third)],
        [(1, "b")],
        [(2, second)],
        [(1, "...")],
        [(1, "?")],
    ]
