"""What a judge is asked about, and what it makes of it, before it becomes a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class StepToJudge:
    """One step, with all that a judge may look at."""

    question: str
    solution: str | None  # the gold solution
    prefix: tuple[str, ...]
    action: str


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


@dataclass(frozen=True, slots=True)
class Outcome:
    """A judgement and what it took. `reason` is why an action stays unjudged, in a word to count by."""

    judgement: Judgement
    raw: str | None = None  # the deciding reply, verbatim
    votes: dict[str, Any] | None = None  # docs/formats.md
    cost: float | None = None  # dollars
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float = 0.0
    reason: str | None = None
    duplicate_of: int | None = None  # the action whose outcome this is a copy of
