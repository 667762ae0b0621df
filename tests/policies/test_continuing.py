"""The one new step in replies of chat models."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.policies.continuing import is_refusal, new_step, next_number

EARLIER = ("Step 1: 5 * 18 = 90 eggs.", "**Step 2:** 90 - 12 = 78 are whole.")


class TestNewStep:
    @pytest.mark.parametrize(
        ("reply", "step"),
        [
            ("Step 3: They bring 78 * 2 = 156.", "Step 3: They bring 78 * 2 = 156."),
            ("**Step 3:** a\n\n**Step 4:** b\nAnswer: 5", "**Step 3:** a"),
            ("Sure! Here it is:\n\nStep 3: a", "Step 3: a"),
            ("Step 1: 5*18 are 90.\nStep 2: so 78.\nStep 3: a\nAnswer: 4", "Step 3: a"),
            ("Step 1: 5 * 18 = 90 eggs.\nStep 2: 90 - 12 = **78** are whole.\nAnswer: 78", "Answer: 78"),
            ("Step 1: a thing that is new", "Step 1: a thing that is new"),
            ("1. 5 * 18 = 90 eggs.\n2. a", "2. a"),
            ("**Answer:** 78", "**Answer:** 78"),
            ("78 * 2 = 156", "78 * 2 = 156"),
            ("The next step is:\n78 * 2 = 156", "78 * 2 = 156"),
            ("Step 3: a\nover two lines\nStep 4: b", "Step 3: a\nover two lines"),
        ],
    )
    def test_it_is_the_one_that_goes_on(self, reply: str, step: str) -> None:
        found = new_step(reply, EARLIER)
        assert found is not None
        assert found.text == step
        assert reply[found.start : found.end] == step

    @pytest.mark.parametrize("reply", ["", " \n\t", "Step 3:", "Step 1: 5 * 18 = 90 eggs.", "**Step 2**"])
    def test_where_there_is_none(self, reply: str) -> None:
        """Nothing, a label alone, or an old step in other dress."""
        assert new_step(reply, EARLIER) is None

    def test_a_step_that_ran_out_of_tokens_is_none(self) -> None:
        """One that is closed by the next line is one."""
        assert new_step("Step 3: They bring", EARLIER, complete=False) is None
        found = new_step("Step 3: They bring 156.\nStep 4: Th", EARLIER, complete=False)
        assert found is not None
        assert found.text == "Step 3: They bring 156."

    @given(st.text(max_size=300), st.lists(st.text(max_size=40), max_size=4), st.booleans())
    def test_any_text_gives_a_piece_of_itself_or_nothing(
        self, text: str, earlier: list[str], complete: bool
    ) -> None:
        found = new_step(text, earlier, complete=complete)
        if found is not None:
            assert text[found.start : found.end] == found.text
            assert found.text.strip()

    def test_numbers_go_on_from_the_last_step_that_says_its_own(self) -> None:
        assert next_number(()) == 1
        assert next_number(EARLIER) == 3
        assert next_number(("Let us see.", "Step 1: a")) == 2
        assert next_number(("Step 1: a", "b", "c")) == 4
        assert next_number(("a", "b")) == 3


class TestRefusals:
    @pytest.mark.parametrize(
        "text",
        [
            "I'm sorry, but I can't help with that.",
            "I cannot assist with this request.",
            "As an AI, I am not able",
        ],
    )
    def test_words_of_refusal(self, text: str) -> None:
        assert is_refusal(text)

    @pytest.mark.parametrize(
        "text",
        [
            "Step 1: I'm sorry to say that 3 are left.",
            "I can't be more than 7.",
            "Sorry!\nStep 1: go",
            "4 + 4 = 8",
            "",
        ],
    )
    def test_steps_are_none(self, text: str) -> None:
        assert not is_refusal(text)
