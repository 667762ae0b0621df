"""Sequential branching: at which states more samples are worth their price (docs/method.md).

A state's samples earn 0 or 1; its group is live once both were seen. The chance that a sample earns 1 is
unknown and differs from state to state as Beta(a, b), fitted to the groups that are there.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Standing = Literal["live", "surely dead", "budget used up", "not judged", "undecided"]

JEFFREYS = 0.5
LEAST_GROUPS = 20  # of two rewarded samples or more; a prior is fitted to no fewer
_MEANS = tuple(index / 40 for index in range(1, 40))
_STRENGTHS = tuple(0.1 * 1.5**index for index in range(20))  # a + b, from 0.1 to about 220


@dataclass(frozen=True, slots=True)
class Prior:
    """Beta(a, b) of the chance that a sample at a state earns 1. `groups`: how many it was fitted to."""

    a: float = JEFFREYS
    b: float = JEFFREYS
    groups: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """The samples at a state: how many earn 1, how many 0, and all of them, rewarded or not."""

    ones: int
    zeros: int
    samples: int


@dataclass(frozen=True, slots=True)
class Rule:
    """When a state gets no more samples: `most` of them are there, or it is too likely dead."""

    most: int
    dead_below: float
    prior: Prior = Prior()

    def standing(self, group: Group) -> Standing:
        """How a group stands."""
        if group.ones and group.zeros:
            return "live"
        if not group.ones and not group.zeros:
            return "not judged"
        if group.samples >= self.most:
            return "budget used up"
        chance = chance_live(group.ones, group.zeros, self.most - group.samples, self.prior)
        return "surely dead" if chance < self.dead_below else "undecided"


def chance_live(ones: int, zeros: int, more: int, prior: Prior) -> float:
    """The chance that `more` samples make a group live that has earned but one kind of reward so far.

    The chance of a reward of the other kind is Beta(α, β + m) after m equal ones, α being the prior's weight
    of the other kind and β that of this one. None among `more` has it with the chance
    Π_{i < more} (β + m + i) / (α + β + m + i).
    """
    if ones and zeros:
        return 1.0
    other, same = (prior.b, prior.a) if ones else (prior.a, prior.b)
    seen = ones + zeros
    none = math.fsum(math.log1p(-other / (other + same + seen + index)) for index in range(more))
    return -math.expm1(none)


def fit_prior(groups: Iterable[Group]) -> Prior:
    """The Beta that makes the groups' rewards likeliest (beta-binomial), on a grid of means and strengths.

    Jeffreys' Beta(½, ½) where fewer than LEAST_GROUPS groups have two rewarded samples.
    """
    counts = Counter((group.ones, group.zeros) for group in groups if group.ones + group.zeros >= 2)
    if counts.total() < LEAST_GROUPS:
        return Prior()
    seen = list(counts.items())
    mean, strength = max(
        ((mean, strength) for mean in _MEANS for strength in _STRENGTHS),
        key=lambda at: _log_likelihood(seen, at[0] * at[1], (1 - at[0]) * at[1]),
    )
    return Prior(mean * strength, (1 - mean) * strength, counts.total())


def _log_likelihood(seen: Sequence[tuple[tuple[int, int], int]], a: float, b: float) -> float:
    whole = _log_beta(a, b)
    return math.fsum(times * (_log_beta(a + ones, b + zeros) - whole) for (ones, zeros), times in seen)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
