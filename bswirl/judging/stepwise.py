"""Judging many steps at once: what every kind of judge offers to those who have steps and no run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from bswirl.errors import UsageError
from bswirl.judging.catalogue import REFERENCE, JudgeSpec
from bswirl.judging.judgement import Judgement, StepToJudge
from bswirl.judging.reference import ReferenceJudge

__all__ = ["StepJudge", "StepToJudge", "step_judge"]

# Gives the judgement of the step at an index, in whatever order they come: a judge behind a server may have
# many under way at once. A step whose index never comes could not be judged.
StepJudge = Callable[[Sequence[StepToJudge]], Iterator[tuple[int, Judgement]]]


def step_judge(spec: JudgeSpec) -> StepJudge:
    """The way to ask that judge. Raises UsageError where it does not judge steps."""
    if spec != REFERENCE:
        raise UsageError(f"{spec.name} judges final answers alone, not steps", "use --judge reference")
    return _by_reference


def _by_reference(steps: Sequence[StepToJudge]) -> Iterator[tuple[int, Judgement]]:
    by_question = groupby(enumerate(steps), key=lambda entry: (entry[1].question, entry[1].solution))
    for (question, solution), entries in by_question:
        judge = ReferenceJudge(question, solution)
        for index, step in entries:
            yield index, judge.judge(step.prefix, step.action)
