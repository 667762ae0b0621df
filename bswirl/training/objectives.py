"""The objectives: which coefficient c an action has in −E[c·log π_θ(a|s)]. Formulas: docs/method.md §3."""

from __future__ import annotations

import math
from collections.abc import Sequence


def advantages(rewards: Sequence[float], samples: Sequence[int]) -> list[float]:
    """A_j = R_j − the group's mean R over samples (docs/method.md §3, `bswirl`).

    `rewards` and `samples` (how many samples each action has) are one group's, in the same order.
    """
    mean = sum(reward * count for reward, count in zip(rewards, samples, strict=True)) / sum(samples)
    return [reward - mean for reward in rewards]


def is_live(rewards: Sequence[float]) -> bool:
    """A group is live when its rewards differ."""
    return len(set(rewards)) > 1


def weighted_negative(coefficient: float, negative_weight: float) -> float:
    """c if c ≥ 0, else λ·c, λ in [0, 1]: 1 is the formula as written, 0 the positive part max(c, 0)."""
    return coefficient if coefficient >= 0 else negative_weight * coefficient


def taper(coefficient: float, logprob: float, start_logprob: float) -> float:
    """c if c ≥ 0, else c·min(1, π_θ(a|s)/π_start(a|s)), the ratio without gradient.

    The truncated importance weight of negative terms in Tapered Off-Policy REINFORCE (TOPR,
    arXiv 2503.14286). Log-probs are sums over the action's tokens, in nats.
    """
    return coefficient if coefficient >= 0 else coefficient * math.exp(min(0.0, logprob - start_logprob))
