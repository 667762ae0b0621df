"""What the readings say: figures computed from the record's raw answers, rewards and curves alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from bswirl.evaluation.compare import compare
from bswirl.experiment.configurations import OBJECTIVES
from bswirl.statistics import clustered_mean_interval, sign_flip_p, wilson_interval

BASE = "base"
AIM_OVER_BASE = 0.10
AIM_P = 0.05

Values = dict[str, Any]


def results_of(record: Values) -> Values:
    """Every figure of the report that needs computing, from the raw parts of the record."""
    answers: dict[str, str] = record["test"]["answers"]
    results: Values = {
        "accuracy": {name: accuracy(bits) for name, bits in answers.items()},
        "objectives": {},
        "differences": {},
        "seeds": [],
    }
    by_objective = {objective: seeds_of(answers, objective) for objective in OBJECTIVES}
    for objective, policies in by_objective.items():
        if policies:
            rights = [sum(bit == "1" for bit in column) for column in zip(*policies.values(), strict=True)]
            mean, low, high = interval([right / len(policies) for right in rights])
            results["objectives"][objective] = {
                "seeds": len(policies), "accuracy": mean, "low": low, "high": high
            }  # fmt: skip
            results["differences"][f"{objective} − base"] = difference(
                list(policies.values()), [answers[BASE]]
            )
    bswirl, swirl = by_objective["bswirl"], by_objective["swirl"]
    if bswirl and swirl:
        results["differences"]["bswirl − swirl"] = difference(list(bswirl.values()), list(swirl.values()))
    results["seeds"] = [
        {"seed": seed, **mcnemar(swirl[seed], bswirl[seed])} for seed in sorted(bswirl.keys() & swirl.keys())
    ]
    results["process"] = {name: step_reward(rows) for name, rows in record.get("process", {}).items()}
    results["margins"] = {name: last_margin(curve) for name, curve in record.get("margins", {}).items()}
    results["aims"] = aims(results, record["options"]["seeds"])
    return results


def seeds_of(answers: dict[str, str], objective: str) -> dict[int, str]:
    """The test answers of an objective's policies, by seed."""
    start = f"{objective} seed "
    return {int(name[len(start) :]): bits for name, bits in answers.items() if name.startswith(start)}


def accuracy(bits: str) -> Values:
    """Right answers of `bits` with the 95% Wilson interval."""
    right = bits.count("1")
    low, high = wilson_interval(right, len(bits))
    return {"n": len(bits), "right": right, "accuracy": right / len(bits), "low": low, "high": high}


def interval(values: Sequence[float]) -> tuple[float, float | None, float | None]:
    """The mean of one value a question, and its 95% interval over questions; None where there is none."""
    mean, low, high = clustered_mean_interval(values, range(len(values)))
    return (mean, low, high) if math.isfinite(low) else (mean, None, None)


def difference(first: Sequence[str], second: Sequence[str]) -> Values:
    """Accuracy of `first` minus that of `second`, each a policy (a seed) a string, on the same questions.

    The interval is over questions, of the mean over seeds; p is the sign-flip test's on these differences.
    """
    differences = []
    for number in range(len(first[0])):
        one = sum(bits[number] == "1" for bits in first)
        other = sum(bits[number] == "1" for bits in second)
        differences.append(one * len(second) - other * len(first))  # whole, in units of 1 / (seeds · seeds)
    unit = len(first) * len(second)
    mean, low, high = interval([value / unit for value in differences])
    return {"difference": mean, "low": low, "high": high, "p": sign_flip_p(differences)}


def mcnemar(before: str, after: str) -> Values:
    """The exact McNemar test of two policies' answers, and the counts of fixed and broken questions."""
    rows = [
        [{"question_id": number, "is_correct": bit == "1"} for number, bit in enumerate(bits)]
        for bits in (before, after)
    ]
    found = compare(*rows)
    return {
        "difference": found.difference, "fixed": len(found.fixed), "broken": len(found.broken), "p": found.p
    }  # fmt: skip


def step_reward(rows: Sequence[Values]) -> Values:
    """Mean reward over the reasoning steps of fresh samples (answers apart), its interval by question."""
    values = [reward for row in rows for reward in row["rewards"]]
    clusters = [row["question"] for row in rows for _ in row["rewards"]]
    right = sum(row["right"] for row in rows)
    found: Values = {"samples": len(rows), "steps": len(values), "right": right}
    if values:
        mean, low, high = clustered_mean_interval(values, clusters)
        found |= {"mean": mean, "low": low if math.isfinite(low) else None}
        found["high"] = high if math.isfinite(high) else None
    return found


def last_margin(curve: Sequence[Values]) -> Values:
    """The last probe of a run: its margin with its interval."""
    return dict(curve[-1]) if curve else {}


def aims(results: Values, seeds: int) -> list[Values]:
    """Whether what was aimed for came about; `held` is None where it was not measured."""
    over_base = results["differences"].get("bswirl − base")
    over_swirl = results["differences"].get("bswirl − swirl")
    margins = [
        margin for name, margin in results["margins"].items() if name.startswith("bswirl seed ") and margin
    ]
    return [
        {
            "aim": "bswirl beats the base policy by 10 points or more",
            "held": None if over_base is None else over_base["difference"] >= AIM_OVER_BASE,
        },
        {
            "aim": "bswirl beats swirl at p < 0.05",
            "held": None if over_swirl is None else over_swirl["difference"] > 0 and over_swirl["p"] < AIM_P,
        },
        {
            "aim": "the probe's margin opens in every seed of bswirl",
            "held": None
            if not margins
            else len(margins) == seeds and all((margin.get("low") or 0.0) > 0 for margin in margins),
        },
    ]
