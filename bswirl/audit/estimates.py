"""Rates of a judge against people from a random sample with known inclusion probabilities.

Each step stands for 1/π steps of the scope (Hájek's estimator: weighted shares). Questions are the clusters.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from bswirl.certificates import Estimate
from bswirl.statistics import (
    clustered_wilson_interval,
    cohen_kappa,
    effective_number,
    jackknife_interval,
    observations_needed,
)

MARGIN = 0.03  # what "how many more" aims at


@dataclass(frozen=True, slots=True)
class Pair:
    """One step as a rater and as the truth (or another rater) has it."""

    said: bool
    truth: bool
    question: int
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two raters agree: the share of steps on which they do, and Cohen's κ."""

    n: int
    questions: int
    agreement: Estimate
    kappa: Estimate


@dataclass(frozen=True, slots=True)
class Rates:
    """A judge's rates; positive is a good step. `more_…`: further labelled steps until ±3 points."""

    n: int
    questions: int
    accuracy: Estimate
    tpr: Estimate  # of the steps that people call good, the share that the judge does
    tnr: Estimate  # of the steps that people call bad, the share that the judge does
    kappa: Estimate
    more_accuracy: int | None  # None: nothing to go by
    more_tpr: int | None
    more_tnr: int | None


def rates(pairs: Sequence[Pair]) -> Rates:
    """The rates of a judge (`said`) against people (`truth`)."""
    good = [pair for pair in pairs if pair.truth]
    bad = [pair for pair in pairs if not pair.truth]
    return Rates(
        n=len(pairs),
        questions=len({pair.question for pair in pairs}),
        accuracy=_share(pairs),
        tpr=_share(good),
        tnr=_share(bad),
        kappa=_kappa(pairs),
        more_accuracy=_more(pairs, pairs),
        more_tpr=_more(good, pairs),
        more_tnr=_more(bad, pairs),
    )


def agreement(pairs: Sequence[Pair]) -> Agreement:
    """How two raters agree."""
    return Agreement(
        n=len(pairs),
        questions=len({pair.question for pair in pairs}),
        agreement=_share(pairs),
        kappa=_kappa(pairs),
    )


def _share(pairs: Sequence[Pair]) -> Estimate:
    """Of the steps on which both say the same."""
    if not pairs:
        return Estimate()
    agreed = [pair.said == pair.truth for pair in pairs]
    weights = [pair.weight for pair in pairs]
    total = math.fsum(weights)
    value = math.fsum(w for w, same in zip(weights, agreed, strict=True) if same) / total
    low, high = clustered_wilson_interval(agreed, [pair.question for pair in pairs], weights=weights)
    return Estimate(value, min(low, value), max(high, value))


def _kappa(pairs: Sequence[Pair]) -> Estimate:
    """κ; like a share's, its interval is never narrower than if every step were a question of its own."""
    steps = [_cell(pair) for pair in pairs]
    by_question: defaultdict[int, list[list[float]]] = defaultdict(list)
    for pair, step in zip(pairs, steps, strict=True):
        by_question[pair.question].append(step)
    questions = [[math.fsum(column) for column in zip(*cells, strict=True)] for cells in by_question.values()]
    value = cohen_kappa(*(math.fsum(column) for column in zip(*steps, strict=True))) if steps else math.nan
    if math.isnan(value):
        return Estimate()
    widths = [
        high - low
        for low, high in (jackknife_interval(counts, _kappa_of) for counts in (questions, steps))
        if not math.isnan(low)
    ]
    if not widths or len(questions) < 2 or abs(value) == 1:
        return Estimate(value)
    half = max(widths) / 2 / (1 - value * value)  # even on Fisher's scale, where κ is nearly normal
    return Estimate(value, math.tanh(math.atanh(value) - half), math.tanh(math.atanh(value) + half))


def _cell(pair: Pair) -> list[float]:
    """A step's weight in its place of the four: both yes, the first alone, the second alone, both no."""
    cell = [0.0] * 4
    cell[2 * (not pair.said) + (not pair.truth)] = pair.weight
    return cell


def _kappa_of(sums: Sequence[float]) -> float:
    return cohen_kappa(*sums)


def _more(pairs: Sequence[Pair], everyone: Sequence[Pair]) -> int | None:
    """How many more steps must be labelled until the share on which both agree is known to ±MARGIN.

    Goes by the weighted share so far (two of each kind added, so that a run of equal ones is not taken for
    certainty), by how much these observations were worth, and by how many of all labelled steps are of this
    kind.
    """
    if not pairs:
        return None
    agreed = [pair.said == pair.truth for pair in pairs]
    weights = [pair.weight for pair in pairs]
    worth = effective_number(agreed, [pair.question for pair in pairs], weights)
    agreeing = math.fsum(w for w, same in zip(weights, agreed, strict=True) if same) / math.fsum(weights)
    share = (agreeing * len(pairs) + 2) / (len(pairs) + 4)
    needed = observations_needed(share, MARGIN) * len(pairs) / worth
    return max(0, math.ceil((needed - len(pairs)) * len(everyone) / len(pairs)))
