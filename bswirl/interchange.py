"""Samples as interchange files have them (docs/formats.md), before they are stored."""

from __future__ import annotations

from dataclasses import dataclass

from bswirl.records import NewQuestion


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One sample of the `branched` interchange format (docs/formats.md), checked but not yet stored."""

    question_id: str  # the dataset's id
    step: int
    branch_id: int
    is_backbone: bool
    state: str
    action: str
    reward: float | None = None
    dataset: str | None = None
    split: str | None = None
    gold: str | None = None
    solution: str | None = None
    trajectory_id: str | None = None
    judge: str | None = None
    rationale: str | None = None
    label: str | None = None
    auditor: str | None = None
    logprob: float | None = None
    n_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class PlacedSample:
    """A sample whose place in its question's tree is known: the steps before it are spelled out."""

    trajectory_id: str
    step: int
    branch_id: int
    is_backbone: bool
    prefix: tuple[str, ...]
    action: str
    is_answer: bool
    reward: float | None = None
    judge: str | None = None
    rationale: str | None = None
    label: str | None = None
    auditor: str | None = None
    logprob: float | None = None
    n_tokens: int | None = None
    line: int = 0  # where in the file it stood, for messages


@dataclass(frozen=True, slots=True)
class PlacedQuestion:
    """A question with all samples of it that a file holds."""

    question: NewQuestion
    samples: tuple[PlacedSample, ...]
