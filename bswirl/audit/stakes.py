"""What a wrong reward would cost: how likely it is wrong, times how much of the training signal hangs on it.

The change of the signal is Σ |ΔA|·samples over the group if this reward were the other one, with B-SWiRL's
advantage A = R − mean. Flipping one action's reward by δ moves the mean by δ·n/N: its own advantage changes
by δ(1 − n/N), each other sample's by δ·n/N, in sum

    2 δ n (N − n) / N

whatever the other rewards are; so a dead group that the flip would revive counts like a live one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bswirl.certificates import Certificate, DepthRates

PRIOR_WRONG = 0.1  # the stated prior: one verdict in ten is wrong
PRIOR_STEPS = 10.0  # how many audited steps a prior weighs as much as


def signal_change(samples: float, group_samples: float, reward: float) -> float:
    """Σ |ΔA|·samples over a group if an action's reward were flipped: to 1 below a half, else to 0."""
    flipped = 1.0 if reward < 0.5 else 0.0
    return 2 * abs(flipped - reward) * samples * (group_samples - samples) / group_samples


@dataclass(frozen=True, slots=True)
class Cell:
    """Verdicts of one judge (by number) that said `said`, at one depth."""

    judge_id: int
    said: bool
    depth: int


@dataclass(frozen=True, slots=True)
class Audited:
    """Of a cell's verdicts: how many there are, how many people checked, how many of those were wrong."""

    verdicts: int
    checked: int = 0
    wrong: int = 0


def chances_wrong(
    cells: Mapping[Cell, Audited], certificates: Mapping[int, Certificate]
) -> dict[Cell, float]:
    """The probability that a verdict of each cell is wrong.

    The cell's own audited share, drawn by PRIOR_STEPS steps to that of all depths together, and that in turn
    to what the judge's certificate says (by judge number), or to PRIOR_WRONG without one.
    """
    found = {}
    for cell, audited in cells.items():
        same = {
            other: counts
            for other, counts in cells.items()
            if (other.judge_id, other.said) == (cell.judge_id, cell.said)
        }
        yes = sum(n.verdicts for key, n in cells.items() if key.judge_id == cell.judge_id and key.said)
        every = sum(n.verdicts for key, n in cells.items() if key.judge_id == cell.judge_id)
        certificate = certificates.get(cell.judge_id)
        prior = certified_chance(certificate.overall, yes / every, said=cell.said) if certificate else None
        overall = _drawn(
            sum(counts.wrong for counts in same.values()),
            sum(counts.checked for counts in same.values()),
            PRIOR_WRONG if prior is None else prior,
        )
        found[cell] = _drawn(audited.wrong, audited.checked, overall)
    return found


def certified_chance(rates: DepthRates, said_good: float, *, said: bool) -> float | None:
    """The chance that a verdict is wrong, from a certificate's TPR and FPR and the share of good verdicts.

    The share of good steps follows from said_good = TPR·share + FPR·(1 − share). None where the rates say
    nothing: one kind of step is missing, or TPR ≤ FPR.
    """
    tpr, tnr = rates.steps.tpr.value, rates.steps.tnr.value
    if tpr is None or tnr is None or tpr + tnr <= 1:
        return None
    fpr = 1 - tnr
    share = min(0.99, max(0.01, (said_good - fpr) / (tpr - fpr)))
    right = tpr * share if said else (1 - fpr) * (1 - share)
    wrong = fpr * (1 - share) if said else (1 - tpr) * share
    return wrong / (right + wrong) if right + wrong else None


def _drawn(wrong: int, checked: int, prior: float) -> float:
    return (wrong + PRIOR_STEPS * prior) / (checked + PRIOR_STEPS)


def vote_closeness(correct: float, progress: float) -> float:
    """How close a judge was to a tie on the reward: 1 at even odds, 0 where it left no doubt.

    Takes the shares of its votes (or its probabilities) for each. The reward needs both, so its odds are
    their product: a split on progress says little of a step that all votes call wrong.
    """
    return 1 - abs(2 * correct * progress - 1)
