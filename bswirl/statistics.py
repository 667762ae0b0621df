"""Intervals and tests for reported figures. Plain Python; no figure here needs more."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from statistics import NormalDist


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927, JASA 22:209); (0, 1) where n is 0.

    Raises ValueError unless 0 ≤ successes ≤ n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / n
    scale = 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == n else min(1.0, middle + half)
    return low, high


def mcnemar_exact(fixed: int, broken: int) -> float:
    """The two-sided exact McNemar p of `fixed` against `broken` discordant pairs (binomial, p = ½)."""
    n = fixed + broken
    if n <= 1000:
        tail = sum(math.comb(n, k) for k in range(min(fixed, broken) + 1))
        return min(1.0, 2 * tail / (1 << n))
    logs = (
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)
        for k in range(min(fixed, broken) + 1)
    )
    return min(1.0, 2 * math.fsum(map(math.exp, logs)))


def clustered_mean_interval(
    values: Sequence[float], clusters: Sequence[Hashable], confidence: float = 0.95
) -> tuple[float, float, float]:
    """The mean of `values` and its interval (mean, low, high) with cluster-robust standard error.

    Linearisation of the ratio Σ values / n over clusters with the g/(g−1) correction, normal quantile
    (Cameron and Miller 2015, J. Human Resources 50:317). With fewer than two clusters low and high are NaN.
    Raises ValueError where there is no value.
    """
    if not values:
        raise ValueError("no value")
    n = len(values)
    mean = math.fsum(values) / n
    residuals: defaultdict[Hashable, list[float]] = defaultdict(list)
    for value, cluster in zip(values, clusters, strict=True):
        residuals[cluster].append(value - mean)
    groups = len(residuals)
    if groups < 2:
        return mean, math.nan, math.nan
    spread = math.fsum(math.fsum(group) ** 2 for group in residuals.values())
    error = math.sqrt(spread * groups / (groups - 1)) / n
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * error
    return mean, mean - half, mean + half


def sign_flip_p(differences: Sequence[int]) -> float:
    """The two-sided exact p of a paired permutation test on the sum of whole-numbered differences.

    Under no effect each pair's difference is as likely to have the other sign (Fisher 1935, The Design of
    Experiments, §21): p is the share of the 2^n sign patterns with a sum at least as far from 0. All patterns
    are counted, by convolution; no sampling.
    """
    observed = abs(sum(differences))
    sizes = [abs(value) for value in differences if value]
    reach = sum(sizes)
    shares = [0.0] * (2 * reach + 1)  # shares[s + reach]: of the patterns so far with sum s
    shares[reach] = 1.0
    bound = 0
    for size in sizes:
        after = [0.0] * len(shares)
        for place in range(reach - bound, reach + bound + 1):
            half = shares[place] / 2
            after[place - size] += half
            after[place + size] += half
        shares, bound = after, bound + size
    if observed == 0:
        return 1.0
    return min(1.0, math.fsum(shares[reach + observed :]) + math.fsum(shares[: reach - observed + 1]))
