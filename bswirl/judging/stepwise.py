"""Judging many steps at once: what every kind of judge offers to those who have steps and no run."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from bswirl.errors import BswirlError, UsageError
from bswirl.judging.catalogue import REFERENCE, JudgeSpec
from bswirl.judging.judgement import Judgement, StepToJudge
from bswirl.judging.reference import ReferenceJudge
from bswirl.runs.locks import FileLock, this_process

__all__ = ["Asking", "StepJudge", "StepToJudge", "keeping", "step_judge"]

# Gives the judgement of the step at an index, in whatever order they come: a judge behind a server may have
# many under way at once. A step whose index never comes could not be judged. To be closed by who asked.
StepJudge = Callable[[Sequence[StepToJudge]], Generator[tuple[int, Judgement], None, None]]


@dataclass(slots=True)
class Asking:
    """How a model is asked outside of a run. What it says is kept in `folder`, and not asked for again."""

    folder: Path
    max_cost: float | None = None  # dollars, over all attempts; of a served judge
    batch_size: int = 16  # these three of a local one
    load_in_4bit: bool = False
    device: str = "auto"
    log: Callable[[str], None] = lambda _: None
    spending: dict[str, Any] = field(default_factory=dict)  # what a served judge's calls have come to


def step_judge(spec: JudgeSpec, asking: Asking | None = None) -> StepJudge:
    """The way to ask that judge; `asking` is for models.

    Raises UsageError where it does not judge steps, RefusedError where a served one's key is missing or may
    not be sent, BswirlError where a local one's packages are missing.
    """
    if spec == REFERENCE:
        return _by_reference
    if spec.kind == "rules" or asking is None:
        raise UsageError(f"{spec.name} judges final answers alone, not steps", "use --judge reference")
    if spec.kind == "served":
        from bswirl.judging.served_steps import ServedSteps

        return ServedSteps(spec, asking)
    from bswirl.judging.local_steps import LocalSteps

    return LocalSteps(spec, asking)


@contextmanager
def keeping(folder: Path) -> Iterator[None]:
    """Makes the folder and keeps others from it. Raises BswirlError where one is at it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock")
        is_free = lock.acquire(this_process())
    except OSError as error:
        raise BswirlError(f"{folder}: {error.strerror or error}", "check that folder") from error
    if not is_free:
        raise BswirlError(f"another bswirl is asking that judge already ({folder})", "wait for it, or end it")
    try:
        yield
    finally:
        lock.release()


def _by_reference(steps: Sequence[StepToJudge]) -> Generator[tuple[int, Judgement], None, None]:
    by_question = groupby(enumerate(steps), key=lambda entry: (entry[1].question, entry[1].solution))
    for (question, solution), entries in by_question:
        judge = ReferenceJudge(question, solution)
        for index, step in entries:
            yield index, judge.judge(step.prefix, step.action)
