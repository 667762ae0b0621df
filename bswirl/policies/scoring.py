"""Greedy solutions against gold answers: what evaluations and validations ask for, and how they count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bswirl.answers import answers_match, flexible_answer, strict_answer
from bswirl.policies.base import Sampled, SampleRequest
from bswirl.records import Question
from bswirl.statistics import wilson_interval

DEFAULT_MAX_STEPS = 16


def solution_request(question: Question, max_steps: int = DEFAULT_MAX_STEPS) -> SampleRequest:
    """One solution of the question, whose random stream is named by its number."""
    return SampleRequest(
        question=question.text, stop="solution", key=question.question_id, max_steps=max_steps
    )


def score(question: Question, sampled: Sampled) -> dict[str, Any]:
    """The journal's row of one solution. It is correct when its strict answer matches gold."""
    strict, flexible = strict_answer(sampled.text), flexible_answer(sampled.text)
    return {
        "t": "answer",
        "question_id": question.question_id,
        "text": sampled.text,
        "strict": strict,
        "flexible": flexible,
        "is_correct": answers_match(strict, question.gold),
        "n_tokens": sampled.n_tokens,
        "finish": sampled.finish,
    }


def summarise(questions: Sequence[Question], answers: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Accuracy with its 95% Wilson interval; flexible matching (the last number) is reported apart.

    `unparsed` is the share of solutions without a marked answer, `truncated` of those cut at the token limit.
    `mean_tokens` is of the solutions whose tokens are known; None where no server counted them.
    """
    n = len(questions)
    rows = [answers[question.question_id] for question in questions]
    correct = sum(bool(row["is_correct"]) for row in rows)
    flexible = sum(
        answers_match(row["flexible"], question.gold) for row, question in zip(rows, questions, strict=True)
    )
    counted = [row["n_tokens"] for row in rows if row["n_tokens"] is not None]
    low, high = wilson_interval(correct, n)
    return {
        "accuracy": correct / n,
        "accuracy_low": low,
        "accuracy_high": high,
        "n": n,
        "correct": correct,
        "flexible_accuracy": flexible / n,
        "unparsed": sum(row["strict"] is None for row in rows) / n,
        "truncated": sum(row.get("finish") == "length" for row in rows) / n,
        "mean_tokens": sum(counted) / len(counted) if counted else None,
    }
