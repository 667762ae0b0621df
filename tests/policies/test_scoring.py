"""Greedy solutions against gold answers."""

from __future__ import annotations

import pytest

from bswirl.policies.base import Sampled
from bswirl.policies.scoring import score, summarise
from bswirl.records import Question


def question(number: int, gold: str | None = "4") -> Question:
    return Question(number, "tiny", "test", f"q{number}", f"What is {number} + {number}?", gold)


class TestScore:
    @pytest.mark.parametrize(
        ("text", "strict", "flexible", "is_correct"),
        [
            ("Step 1: 2 + 2 = 4\nAnswer: 4", "4", "4", True),
            ("Step 1: 2 + 2 = 4\nAnswer: $4.00", "4", "4", True),
            ("Step 1: 2 + 2 = 4", None, "4", False),
            ("Answer: 5 because 4", "5", "4", False),
            ("nothing", None, None, False),
        ],
    )
    def test_correct_is_the_strict_match(
        self, text: str, strict: str | None, flexible: str | None, is_correct: bool
    ) -> None:
        """A marked answer decides; the last number is kept apart."""
        row = score(question(2), Sampled(text, 7, -3.0, "stop"))
        assert (row["strict"], row["flexible"], row["is_correct"], row["n_tokens"]) == (
            strict,
            flexible,
            is_correct,
            7,
        )

    def test_summary(self) -> None:
        """Strict and flexible accuracy are reported apart, with the share of unmarked solutions."""
        questions = [question(number) for number in range(1, 5)]
        texts = ["Answer: 4", "it is 4", "Answer: 5", "Answer: 4"]
        rows = {
            q.question_id: score(q, Sampled(text, 10 * q.question_id, 0.0, "stop"))
            for q, text in zip(questions, texts, strict=True)
        }
        summary = summarise(questions, rows)
        assert (summary["accuracy"], summary["correct"], summary["n"]) == (0.5, 2, 4)
        assert (summary["flexible_accuracy"], summary["unparsed"], summary["mean_tokens"]) == (
            0.75,
            0.25,
            25.0,
        )
        assert summary["accuracy_low"] < 0.5 < summary["accuracy_high"]
