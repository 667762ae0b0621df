"""Greedy validation: how many held-out questions the policy in training solves (docs/method.md §6)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from bswirl.policies.local import LocalPolicy
from bswirl.policies.scoring import score, solution_request, summarise
from bswirl.records import Question
from bswirl.training.adapter import set_dropout
from bswirl.training.sampling import sample_within_memory

_NAMES = ("accuracy", "accuracy_low", "accuracy_high", "mean_tokens", "unparsed")


def choose_questions(questions: Sequence[Question], most: int, seed: int) -> list[Question]:
    """At most `most` questions that have a gold answer, the same ones for the same seed in any order."""

    def place(question: Question) -> bytes:
        return hashlib.sha256(f"validation:{seed}:{question.question_id}".encode()).digest()

    with_gold = [question for question in questions if question.gold is not None]
    return sorted(sorted(with_gold, key=place)[:most], key=lambda question: question.question_id)


class Validation:
    """Held-out questions, and how they are asked. Draws no random numbers, so training goes on as without."""

    def __init__(
        self,
        model: Any,
        policy: LocalPolicy,
        questions: Sequence[Question],
        max_tokens: int,
        warn: Callable[[str], None],
    ) -> None:
        self.questions = list(questions)
        self._model = model
        self._policy = policy
        self._max_tokens = max_tokens
        self._warn = warn

    def metrics(self, check: Callable[[], None]) -> dict[str, float]:
        """Strict accuracy with its 95% Wilson interval, mean tokens of a solution, share without an answer.

        `check` is called every few tokens and may raise.
        """
        set_dropout(self._model, False)
        sampled = sample_within_memory(
            self._policy,
            [solution_request(question) for question in self.questions],
            self._warn,
            temperature=1.0,
            max_tokens=self._max_tokens,
            seed=0,
            greedy=True,
            check=check,
        )
        answers = {
            question.question_id: score(question, found[0])
            for question, found in zip(self.questions, sampled, strict=True)
        }
        summary = summarise(self.questions, answers)
        return {f"validation/{name}": float(summary[name]) for name in _NAMES}


def has_collapsed(now: dict[str, float], start: dict[str, float]) -> bool:
    """Whether accuracy is below half of what it was before training, and surely so: intervals are disjoint.

    Both are metrics of a validation.
    """
    return (
        now["validation/accuracy"] < 0.5 * start["validation/accuracy"]
        and now["validation/accuracy_high"] < start["validation/accuracy_low"]
    )
