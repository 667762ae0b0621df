"""Two policies on the same questions: what one fixed, what it broke, and whether that could be chance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bswirl.statistics import mcnemar_exact


@dataclass(frozen=True, slots=True)
class Comparison:
    """Policy B against policy A on the questions that both answered."""

    n: int
    correct_a: int
    correct_b: int
    fixed: tuple[int, ...]  # question numbers: A wrong, B right
    broken: tuple[int, ...]  # A right, B wrong
    p: float  # two-sided exact McNemar

    @property
    def difference(self) -> float:
        """Accuracy of B minus accuracy of A; 0 without common questions."""
        return (self.correct_b - self.correct_a) / self.n if self.n else 0.0


def compare(answers_a: Iterable[Mapping[str, Any]], answers_b: Iterable[Mapping[str, Any]]) -> Comparison:
    """Compare answers (rows with `question_id` and `is_correct`) on the questions in both.

    The exact McNemar test: under no difference the questions that changed fall to either side like coins.
    """
    a = {row["question_id"]: bool(row["is_correct"]) for row in answers_a}
    b = {row["question_id"]: bool(row["is_correct"]) for row in answers_b}
    common = sorted(a.keys() & b.keys())
    fixed = tuple(number for number in common if b[number] and not a[number])
    broken = tuple(number for number in common if a[number] and not b[number])
    return Comparison(
        n=len(common),
        correct_a=sum(a[number] for number in common),
        correct_b=sum(b[number] for number in common),
        fixed=fixed,
        broken=broken,
        p=mcnemar_exact(len(fixed), len(broken)),
    )
