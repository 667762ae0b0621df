"""The objectives: which coefficient c an action has in −E[c·log π_θ(a|s)] (docs/method.md, objectives)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bswirl.errors import UsageError

STANDARD_EPSILON = 1e-6  # beside the standard deviation, as verl's GRPO has it
LEAST_INFORMED = 0.2  # the least 1 − FPR − FNR that rewards can be corrected with

Advantages = Callable[[Sequence[float], Sequence[int]], list[float]]


def mean_advantages(rewards: Sequence[float], samples: Sequence[int]) -> list[float]:
    """A_j = R_j − the group's mean R over samples (docs/method.md, `bswirl`).

    `rewards` and `samples` (how many samples each action has) are one group's, in the same order.
    """
    mean = _total(rewards, samples) / sum(samples)
    return [reward - mean for reward in rewards]


def leave_one_out_advantages(rewards: Sequence[float], samples: Sequence[int]) -> list[float]:
    """A_j = R_j − (S − R_j)/(N − 1), S the sum of R over the group's N samples: RLOO (arXiv 2402.14740).

    Each sample's baseline is the mean of the group's other samples, those of its own action included.
    R − mean is (N − 1)/N of it. A sample alone has nothing to compare with: 0.
    """
    total, count = _total(rewards, samples), sum(samples)
    if count == 1:
        return [0.0 for _ in rewards]
    return [reward - (total - reward) / (count - 1) for reward in rewards]


def standardised_advantages(rewards: Sequence[float], samples: Sequence[int]) -> list[float]:
    """A_j = (R_j − mean)/(std + 1e-6), as in GRPO (arXiv 2402.03300).

    std is the sample standard deviation over the group's N samples, √(Σ n·(R − mean)²/(N − 1)), which is what
    TRL and verl compute. A sample alone has none: 0.
    """
    centred, count = mean_advantages(rewards, samples), sum(samples)
    if count == 1:
        return [0.0 for _ in rewards]
    variance = _total([value * value for value in centred], samples) / (count - 1)
    return [value / (math.sqrt(variance) + STANDARD_EPSILON) for value in centred]


ADVANTAGES: dict[str, Advantages] = {
    "mean": mean_advantages,
    "leave-one-out": leave_one_out_advantages,
    "standardised": standardised_advantages,
}


def advantages(rewards: Sequence[float], samples: Sequence[int], baseline: str = "mean") -> list[float]:
    """The advantages of one group's actions relative to `baseline`, a name in ADVANTAGES."""
    return ADVANTAGES[baseline](rewards, samples)


def _total(values: Sequence[float], samples: Sequence[int]) -> float:
    return sum(value * count for value, count in zip(values, samples, strict=True))


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


def corrected(reward: float, fpr: float, fnr: float) -> float:
    """R̃ = (R − FPR)/(1 − FPR − FNR): its mean over a noisy judge's verdicts is the true reward.

    The unbiased estimator for binary labels with class-conditional noise (Natarajan et al., NIPS 2013).
    Raises UsageError where 1 − FPR − FNR is below 0.2: such verdicts say too little.
    """
    informed = 1 - fpr - fnr
    if informed < LEAST_INFORMED - 1e-9:
        raise UsageError(
            f"judge_fpr {fpr:g} and judge_fnr {fnr:g} leave 1 - FPR - FNR = {informed:.2g}, below "
            f"{LEAST_INFORMED:g}: these verdicts cannot be corrected",
            "use a better judge, or labels",
        )
    return (reward - fpr) / informed


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """`fpr`: share of wrong steps that a judge rewards; `fnr`: share of good ones that it does not.

    Raises UsageError as `corrected`.
    """

    fpr: float = 0.0
    fnr: float = 0.0

    def __post_init__(self) -> None:
        corrected(0.0, self.fpr, self.fnr)


@dataclass(frozen=True, slots=True)
class JudgeRates:
    """Error rates by judge and depth (the step's number), with the overall ones where none were measured.

    A depth of None is a judge at all depths. With `of_correct` they are not of the reward but of the judge's
    *correct*, among the steps that it says make progress.
    """

    overall: ErrorRates = ErrorRates()
    measured: Mapping[tuple[str, int | None], ErrorRates] = field(default_factory=dict)
    of_correct: bool = False

    def of(self, judge: str | None, depth: int) -> ErrorRates:
        """The rates of `judge` at `depth`, else at all depths, else overall."""
        if judge is None:
            return self.overall
        return self.measured.get((judge, depth)) or self.measured.get((judge, None)) or self.overall

    def corrected(self, reward: float, judge: str | None, depth: int) -> float:
        """The reward that `judge` gave a step, corrected by its rates."""
        rates = self.of(judge, depth)
        return corrected(reward, rates.fpr, rates.fnr)
