"""Intervals and tests for reported figures. Plain Python; no figure here needs more."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from statistics import NormalDist


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927, JASA 22:209); (0, 1) where n is 0.

    Raises ValueError unless 0 ≤ successes ≤ n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}")
    if n == 0:
        return 0.0, 1.0
    return _score_interval(successes / n, n, confidence)


def _score_interval(share: float, n: float, confidence: float) -> tuple[float, float]:
    """Wilson's interval of a share among n, which may be an effective number of observations."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    scale = 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if share == 0 else max(0.0, middle - half)
    high = 1.0 if share == 1 else min(1.0, middle + half)
    return low, high


def clustered_wilson_interval(
    successes: Sequence[bool],
    clusters: Sequence[Hashable],
    confidence: float = 0.95,
    weights: Sequence[float] | None = None,
) -> tuple[float, float]:
    """Wilson's interval of a share among observations in clusters; (0, 1) where there is none.

    n is the effective number of observations, see `effective_number`.
    """
    if not successes:
        return 0.0, 1.0
    weights = [1.0] * len(successes) if weights is None else weights
    share = sum(w for w, success in zip(weights, successes, strict=True) if success) / sum(weights)
    share = 1.0 if all(successes) else share
    return _score_interval(share, effective_number(successes, clusters, weights), confidence)


def effective_number(
    successes: Sequence[bool], clusters: Sequence[Hashable], weights: Sequence[float]
) -> float:
    """How many independent observations tell as much of a weighted share as these do, in their clusters.

    The binomial variance of the share over its cluster-robust one (g/(g−1) correction), at most Kish's
    (Σw)²/Σw² (Kish 1965; Dean and Pagano 2015, J. Survey Statistics and Methodology 3:484). Where no variance
    can be estimated (a share of 0 or 1, a single cluster) it is the number of clusters g.
    """
    total = math.fsum(weights)
    most = total * total / math.fsum(w * w for w in weights)
    groups = len(set(clusters))
    if groups < 2 or len(set(map(bool, successes))) < 2:
        return min(most, float(groups))
    share = math.fsum(w for w, success in zip(weights, successes, strict=True) if success) / total
    residuals: defaultdict[Hashable, list[float]] = defaultdict(list)
    for w, success, cluster in zip(weights, successes, clusters, strict=True):
        residuals[cluster].append(w * (success - share))
    spread = math.fsum(math.fsum(group) ** 2 for group in residuals.values())
    variance = spread * groups / (groups - 1) / (total * total)
    return min(most, share * (1 - share) / variance) if variance > 0 else most


def observations_needed(share: float, margin: float, confidence: float = 0.95) -> int:
    """The least number of independent observations whose Wilson interval is at most ±`margin` wide."""

    def half(n: int) -> float:
        low, high = _score_interval(share, n, confidence)
        return (high - low) / 2

    enough = 1
    while half(enough) > margin:
        enough *= 2
    low = enough // 2
    while enough - low > 1:
        middle = (low + enough) // 2
        low, enough = (low, middle) if half(middle) <= margin else (middle, enough)
    return enough


def jackknife_interval(
    counts: Sequence[Sequence[float]],
    statistic: Callable[[Sequence[float]], float],
    confidence: float = 0.95,
) -> tuple[float, float]:
    """The t interval of a statistic of summed counts, its variance from leaving out one cluster each.

    (g−1)/g Σ (θ₋c − mean)² over the g clusters (Efron and Stein 1981, Ann. Statist. 9:586), g−1 degrees of
    freedom. (NaN, NaN) with fewer than two clusters, and where the statistic is NaN or does not vary.
    """
    groups = len(counts)
    sums = [math.fsum(column) for column in zip(*counts, strict=True)]
    value = statistic(sums) if groups > 1 else math.nan
    if math.isnan(value):
        return math.nan, math.nan
    left = [statistic([max(0.0, s - c) for s, c in zip(sums, each, strict=True)]) for each in counts]
    left = [value for value in left if not math.isnan(value)]
    mean = math.fsum(left) / len(left) if left else math.nan
    variance = (groups - 1) / groups * math.fsum((each - mean) ** 2 for each in left)
    if not left or variance <= 0:
        return math.nan, math.nan
    half = student_quantile(0.5 + confidence / 2, groups - 1) * math.sqrt(variance)
    return value - half, value + half


def student_quantile(probability: float, freedom: int) -> float:
    """The quantile of Student's t, by its expansion around the normal one (Abramowitz and Stegun, 26.7.5).

    Exact with one and two degrees of freedom; else at 97.5 % within 0.3 % (three degrees) of the true one.
    """
    if freedom == 1:
        return math.tan(math.pi * (probability - 0.5))
    if freedom == 2:
        return (2 * probability - 1) / math.sqrt(2 * probability * (1 - probability))
    z = NormalDist().inv_cdf(probability)
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * freedom**4)
    )


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
    mean = math.fsum(values) / len(values)
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * math.sqrt(_clustered_variance(values, clusters))
    return mean, mean - half, mean + half


def _clustered_variance(values: Sequence[float], clusters: Sequence[Hashable]) -> float:
    """The cluster-robust variance of the mean of `values`; NaN with fewer than two clusters."""
    mean = math.fsum(values) / len(values)
    residuals: defaultdict[Hashable, list[float]] = defaultdict(list)
    for value, cluster in zip(values, clusters, strict=True):
        residuals[cluster].append(value - mean)
    groups = len(residuals)
    if groups < 2:
        return math.nan
    spread = math.fsum(math.fsum(group) ** 2 for group in residuals.values())
    return spread * groups / (groups - 1) / len(values) ** 2


def cluster_bootstrap_interval(
    counts: Sequence[Sequence[int]],
    statistic: Callable[[Sequence[int]], float],
    *,
    resamples: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """The percentile interval of a statistic of summed counts, whole clusters drawn with replacement.

    `counts` has one vector a cluster (Field and Welsh 2007, J. R. Statist. Soc. B 69:369). A bound is the
    smallest resampled value with at least that share of them at or below it. Resamples for which `statistic`
    is NaN are left out; (NaN, NaN) where none is left. Raises ValueError where there is no cluster.
    """
    if not counts:
        raise ValueError("no cluster")
    draw = random.Random(seed)
    values = []
    for _ in range(resamples):
        value = statistic([sum(column) for column in zip(*draw.choices(counts, k=len(counts)), strict=True)])
        if not math.isnan(value):
            values.append(value)
    if not values:
        return math.nan, math.nan
    values.sort()
    tail = (1 - confidence) / 2
    ranks = (max(1, math.ceil(share * len(values) - 1e-9)) for share in (tail, 1 - tail))
    low, high = (values[rank - 1] for rank in ranks)
    return low, high


def cohen_kappa(both: float, first_only: float, second_only: float, neither: float) -> float:
    """Cohen's κ of two raters' yes and no (Cohen 1960, Educ. Psychol. Meas. 20:37), from counts or weights.

    (p_o − p_e)/(1 − p_e), p_e the agreement of independent raters with these shares of yes. NaN where nothing
    was rated, or both raters gave one and the same answer throughout. Never below −1, however weights round.
    """
    n = both + first_only + second_only + neither
    if n in (0, both, neither):
        return math.nan
    first, second = both + first_only, both + second_only
    expected = first * second + (n - first) * (n - second)  # both shares times n²
    return max(-1.0, (n * (both + neither) - expected) / (n * n - expected))


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
