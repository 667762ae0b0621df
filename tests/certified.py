"""Certificates to keep and to train with."""

from __future__ import annotations

from typing import Any

from bswirl.certificates import Certificate, DepthRates, Estimate, Rates
from bswirl.judging.catalogue import REFERENCE

RATES = Rates(90, 10, 40, 60, 0.8, 0.95, 0.5, 0.7)


def a_certificate(
    *,
    overall: Rates = RATES,
    depths: tuple[Rates, ...] = (),
    progress: Rates | None = None,
    **values: Any,
) -> Certificate:
    """One of the reference judge. Steps that make progress are all of them unless told otherwise."""
    about: dict[str, Any] = {
        "judge": REFERENCE.name,
        "model": REFERENCE.model,
        "prompt_sha": REFERENCE.prompt_sha,
        "benchmark": "processbench",
        "file": "f.json",
        "file_sha": "f" * 64,
        "solutions_sha": None,
        "file_solutions": 40,
        "solutions": 40,
        "erroneous": 20,
        "questions": 38,
        "with_gold": 0,
        "votes": 1,
        "undetermined": 1,
        "f1": Estimate(0.5, 0.4, 0.6),
        "accuracy_erroneous": Estimate(0.4, 0.3, 0.5),
        "accuracy_correct": Estimate(2 / 3, 0.5, 0.9),
        "kappa": Estimate(),
    }
    return Certificate(
        **about | values,
        overall=DepthRates(None, 3, overall, progress or overall),
        depths=tuple(DepthRates(depth, 1, rates, rates) for depth, rates in enumerate(depths, start=1)),
    )
