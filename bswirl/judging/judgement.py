"""What a judge makes of one action, before it becomes a verdict."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Judgement:
    """Correct, progress and why. Both are None where the action could not be judged."""

    correct: bool | None
    progress: bool | None
    rationale: str

    @property
    def status(self) -> str:
        """`judged` or `unjudged`, as in a verdict."""
        return "unjudged" if self.correct is None or self.progress is None else "judged"

    @property
    def reward(self) -> float | None:
        """1 for a step that is correct and makes progress, else 0; None where it is unjudged."""
        if self.correct is None or self.progress is None:
            return None
        return float(self.correct and self.progress)
