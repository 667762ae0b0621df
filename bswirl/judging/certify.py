"""Certifying a judge: its `correct` against human step labels (docs/method.md, certificates)."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from bswirl.certificates import Certificate, DepthRates, Estimate, Rates
from bswirl.formats.processbench import Benchmark, LabelledSolution
from bswirl.judging.catalogue import JudgeSpec
from bswirl.judging.judgement import Judgement
from bswirl.judging.stepwise import StepJudge, StepToJudge
from bswirl.records import NewQuestion
from bswirl.statistics import cluster_bootstrap_interval, clustered_wilson_interval, cohen_kappa

Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Step:
    """A step with a human label, and what the judge said of it."""

    question: str
    depth: int  # from 1
    is_correct: bool
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class _Outcome:
    """One solution in ProcessBench's terms."""

    question: str
    erroneous: bool
    matched: bool
    undetermined: bool


def gold_solutions(questions: Iterable[NewQuestion]) -> dict[str, str]:
    """Gold solutions by `question_key`; the first of equal questions counts."""
    found: dict[str, str] = {}
    for question in questions:
        if question.solution:
            found.setdefault(question_key(question.text), question.solution)
    return found


def question_key(text: str) -> str:
    """What two copies of a question have in common: its words, however they are spaced."""
    return " ".join(text.split())


def drawn(solutions: Sequence[LabelledSolution], limit: int | None) -> list[LabelledSolution]:
    """So many solutions, drawn at random and in the file's order; all of them without a limit.

    The same ones every time, and a larger limit holds those of a smaller one: files are often sorted by
    outcome, and a trial's verdicts serve again.
    """
    places = list(range(len(solutions)))
    random.Random(0).shuffle(places)
    return [solutions[place] for place in sorted(places[:limit])]


def certify(
    spec: JudgeSpec,
    judge: StepJudge,
    benchmark: Benchmark,
    *,
    name: str,
    file: str,
    gold: Mapping[str, str],
    limit: int | None = None,
    told: Told | None = None,
) -> Certificate:
    """Asks the judge about every step with a human label and counts how often it is right.

    `name` is the benchmark's, `gold` has solutions by `question_key`. With `limit` so many of the file's
    solutions are judged, drawn at random: a trial. `told` hears how many steps are judged, and of how many.
    A solution's first wrong step is the first that the judge calls not correct, −1 where there is none. Rates
    have Wilson's interval with the effective number of steps, F1 and κ a bootstrap's; both take the solutions
    to one question as one cluster.
    """
    solutions = drawn(benchmark.solutions, limit)
    keys = [question_key(solution.problem) for solution in solutions]
    judgements = _judgements(judge, solutions, [gold.get(key) for key in keys], told)
    rows = list(zip(keys, solutions, judgements, strict=True))
    steps = [step for row in rows for step in _steps(*row)]
    outcomes = [_outcome(*row) for row in rows]
    used = {key: gold[key] for key in keys if key in gold}
    return Certificate(
        judge=spec.name,
        model=spec.model,
        prompt_sha=spec.prompt_sha,
        benchmark=name,
        file=file,
        file_sha=benchmark.sha256,
        solutions_sha=hashlib.sha256(json.dumps(sorted(used.items())).encode()).hexdigest() if used else None,
        file_solutions=len(benchmark.solutions),
        solutions=len(outcomes),
        erroneous=sum(outcome.erroneous for outcome in outcomes),
        questions=len(set(keys)),
        with_gold=sum(key in gold for key in keys),
        votes=spec.votes,
        undetermined=sum(outcome.undetermined for outcome in outcomes),
        f1=_f1(outcomes),
        accuracy_erroneous=_accuracy([outcome for outcome in outcomes if outcome.erroneous]),
        accuracy_correct=_accuracy([outcome for outcome in outcomes if not outcome.erroneous]),
        kappa=_kappa(steps),
        overall=_depth_rates(None, steps),
        depths=tuple(
            _depth_rates(depth, [step for step in steps if step.depth == depth])
            for depth in sorted({step.depth for step in steps})
        ),
    )


def _judgements(
    judge: StepJudge, solutions: Sequence[LabelledSolution], gold: Sequence[str | None], told: Told | None
) -> list[list[Judgement]]:
    """What the judge said of each solution's labelled steps."""
    asked = [
        StepToJudge(solution.problem, known, solution.steps[:place], solution.steps[place])
        for solution, known in zip(solutions, gold, strict=True)
        for place in range(solution.labelled)
    ]
    said = [Judgement(None, None, "") for _ in asked]
    with closing(judge(asked)) as judged:
        for done, (index, judgement) in enumerate(judged, start=1):
            said[index] = judgement
            if told is not None:
                told(done, len(asked))
    rest = iter(said)
    return [[next(rest) for _ in range(solution.labelled)] for solution in solutions]


def _steps(key: str, solution: LabelledSolution, judgements: Sequence[Judgement]) -> list[_Step]:
    return [
        _Step(key, place + 1, place != solution.label, judgement)
        for place, judgement in enumerate(judgements)
    ]


def _outcome(key: str, solution: LabelledSolution, judgements: Sequence[Judgement]) -> _Outcome:
    """Whether the judge's first wrong step is people's. A step without a verdict before it leaves that open.

    An open one is a miss, as ProcessBench counts a reply that it cannot read. Steps behind people's first
    wrong step are not needed: by then it is decided.
    """
    erroneous = solution.label >= 0
    for place, judgement in enumerate(judgements):
        if judgement.status == "unjudged":
            return _Outcome(key, erroneous, matched=False, undetermined=True)
        if not judgement.correct:
            return _Outcome(key, erroneous, matched=place == solution.label, undetermined=False)
    return _Outcome(key, erroneous, matched=not erroneous, undetermined=False)


def _accuracy(outcomes: Sequence[_Outcome]) -> Estimate:
    matched = [outcome.matched for outcome in outcomes]
    if not matched:
        return Estimate()
    interval = clustered_wilson_interval(matched, [outcome.question for outcome in outcomes])
    return Estimate(sum(matched) / len(matched), *interval)


def _f1(outcomes: Sequence[_Outcome]) -> Estimate:
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for outcome in outcomes:
        at = 0 if outcome.erroneous else 2
        counts[outcome.question][at] += outcome.matched
        counts[outcome.question][at + 1] += 1
    return _bootstrapped(list(counts.values()), processbench_f1)


def processbench_f1(counts: Sequence[int]) -> float:
    """The harmonic mean of the accuracies on erroneous and on correct solutions (arXiv 2412.06559).

    `counts`: matched erroneous ones, erroneous ones, matched correct ones, correct ones. 0 where both
    accuracies are 0, NaN where there are no solutions of a kind.
    """
    matched_erroneous, erroneous, matched_correct, correct = counts
    if not erroneous or not correct:
        return math.nan
    first, second = matched_erroneous / erroneous, matched_correct / correct
    return 2 * first * second / (first + second) if first + second else 0.0


def _kappa(steps: Sequence[_Step]) -> Estimate:
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for step in _judged(steps):
        counts[step.question][2 * (not step.is_correct) + (not step.judgement.correct)] += 1
    return _bootstrapped(list(counts.values()), lambda summed: cohen_kappa(*summed))


def _bootstrapped(counts: Sequence[list[int]], statistic: Callable[[Sequence[int]], float]) -> Estimate:
    """The figure with its interval; without one where resamples agree, which tells nothing of its doubt.

    They do with a single question, and where the judge made no error.
    """
    value = statistic([sum(column) for column in zip(*counts, strict=True)]) if counts else math.nan
    if math.isnan(value):
        return Estimate()
    low, high = cluster_bootstrap_interval(counts, statistic)
    return Estimate(value, low, high) if low < high else Estimate(value)


def _depth_rates(depth: int | None, steps: Sequence[_Step]) -> DepthRates:
    judged = _judged(steps)
    progress = [step for step in judged if step.judgement.progress]
    return DepthRates(depth, len(steps) - len(judged), _rates(judged), _rates(progress))


def _judged(steps: Sequence[_Step]) -> list[_Step]:
    return [step for step in steps if step.judgement.status == "judged"]


def _rates(steps: Sequence[_Step]) -> Rates:
    correct = [step for step in steps if step.is_correct]
    wrong = [step for step in steps if not step.is_correct]
    true_positive = sum(bool(step.judgement.correct) for step in correct)
    false_positive = sum(bool(step.judgement.correct) for step in wrong)
    return Rates(
        true_positive,
        len(correct) - true_positive,
        false_positive,
        len(wrong) - false_positive,
        *_interval(correct, said=True),
        *_interval(wrong, said=False),
    )


def _interval(steps: Sequence[_Step], *, said: bool) -> tuple[float | None, float | None]:
    """Of the share of steps of which the judge said that."""
    if not steps:
        return None, None
    agreed = [step.judgement.correct is said for step in steps]
    return clustered_wilson_interval(agreed, [step.question for step in steps])
