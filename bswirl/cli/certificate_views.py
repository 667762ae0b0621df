"""Certificates as tables, facts and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bswirl.cli.output import number, print_facts, print_table
from bswirl.records import to_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bswirl.certificates import Certificate, DepthRates, Estimate, Rates


def print_certificates(found: Iterable[Certificate]) -> None:
    """One a line."""
    print_table(
        (
            "number",
            "judge",
            "model",
            "prompt",
            "on",
            "solutions",
            "gold",
            "F1",
            "TPR",
            "TNR",
            "kappa",
            "when",
        ),
        (
            (
                one.certificate_id,
                one.judge,
                one.model,
                one.prompt_sha[:12],
                f"{one.benchmark} {one.file}",
                f"{one.solutions}/{one.file_solutions}" if one.is_part else one.solutions,
                one.with_gold,
                one.f1.value,
                one.overall.steps.tpr.value,
                one.overall.steps.tnr.value,
                one.kappa.value,
                one.created_at[:19],
            )
            for one in found
        ),
        right=("number", "solutions", "gold", "F1", "TPR", "TNR", "kappa"),
    )


def certificate_json(certificate: Certificate) -> dict[str, Any]:
    """A certificate with every rate spelled out, and the rates that training would correct with."""
    from bswirl.certificates import certified_rates

    steps = certificate.overall
    return {
        **to_json(certificate),
        "is_part": certificate.is_part,
        "labelled": certificate.labelled,
        "judged_share": 1 - steps.unjudged / certificate.labelled if certificate.labelled else None,
        "overall": _depth_json(steps),
        "depths": [_depth_json(at) for at in certificate.depths],
        "correction": [
            {"depth": rates.depth, "fpr": rates.fpr, "fnr": rates.fnr}
            for rates in certified_rates(certificate)
        ],
    }


def _depth_json(at: DepthRates) -> dict[str, Any]:
    return {
        "depth": at.depth,
        "unjudged": at.unjudged,
        "steps": _rates_json(at.steps),
        "progress": _rates_json(at.progress),
    }


def _rates_json(rates: Rates) -> dict[str, Any]:
    return {
        "correct": rates.correct,
        "wrong": rates.wrong,
        **{name: getattr(rates, name) for name in _COUNTS},
        **{name: to_json(getattr(rates, name)) for name in ("tpr", "tnr", "fpr", "fnr")},
    }


_COUNTS = ("true_positive", "false_negative", "false_positive", "true_negative")


def print_certificate(certificate: Certificate) -> None:
    """Its figures, and a table by step."""
    rates = certificate.overall.steps
    correct = certificate.solutions - certificate.erroneous
    labelled, unjudged = certificate.labelled, certificate.overall.unjudged
    open_ones = f"; {certificate.undetermined} open for want of a verdict" if certificate.undetermined else ""
    print_facts(
        [
            ("judge", f"{certificate.judge} ({certificate.model}, prompt {certificate.prompt_sha[:12]})"),
            (
                "on",
                f"{certificate.benchmark} {certificate.file}: {solution_words(certificate)} to "
                f"{certificate.questions} questions, {certificate.with_gold} with a gold solution",
            ),
            ("F1", _words(certificate.f1)),
            ("erroneous solutions", f"{_words(certificate.accuracy_erroneous)} of {certificate.erroneous}"),
            ("correct solutions", f"{_words(certificate.accuracy_correct)} of {correct}{open_ones}"),
            ("steps judged", f"{labelled - unjudged} of {labelled}{_by_votes(certificate)}"),
            ("TPR", f"{_words(rates.tpr)} of {rates.correct} correct steps"),
            ("TNR", f"{_words(rates.tnr)} of {rates.wrong} wrong steps"),
            ("FPR", _words(rates.fpr)),
            ("FNR", _words(rates.fnr)),
            ("kappa", _words(certificate.kappa)),
            ("with progress", _progress_words(certificate)),
        ]
    )
    click.echo()
    print_table(
        ("step", "correct", "TPR", "", "wrong", "TNR", " ", "unjudged"),
        (
            (
                at.depth,
                at.steps.correct,
                *_cells(at.steps.tpr),
                at.steps.wrong,
                *_cells(at.steps.tnr),
                at.unjudged,
            )
            for at in certificate.depths
        ),
        right=("step", "correct", "TPR", "wrong", "TNR", "unjudged"),
    )


def _progress_words(certificate: Certificate) -> str:
    """How often the judge errs where it says that a step makes progress, and what training can do with it."""
    from bswirl.certificates import LEAST_STEPS, certified_rates
    from bswirl.training.objectives import LEAST_INFORMED

    rates = certificate.overall.progress
    words = f"FPR {_words(rates.fpr)} of {rates.wrong}, FNR {_words(rates.fnr)} of {rates.correct}"
    if certificate.is_part:
        return f"{words}; a trial, by which nothing is corrected"
    usable = certified_rates(certificate)
    if not usable:
        return f"{words}; too few to correct rewards with (fewer than {LEAST_STEPS} of a kind)"
    informed = min(1 - rate.fpr - rate.fnr for rate in usable)
    if informed < LEAST_INFORMED:
        return f"{words}; 1 - FPR - FNR goes down to {number(informed)}, too little to correct rewards with"
    return f"{words}; rewards can be corrected"


def solution_words(certificate: Certificate) -> str:
    """How many solutions were judged, and of how many where that is not all."""
    of = f" of {certificate.file_solutions}" if certificate.is_part else ""
    return f"{certificate.solutions}{of} solutions"


def _by_votes(certificate: Certificate) -> str:
    return f", by {certificate.votes} votes each" if certificate.votes > 1 else ""


def _words(estimate: Estimate) -> str:
    value, interval = _cells(estimate)
    return f"{number(value)} ({interval})" if interval else number(value)


def _cells(estimate: Estimate) -> tuple[float | None, str]:
    if estimate.low is None or estimate.high is None:
        return estimate.value, ""
    return estimate.value, f"{estimate.low:.3f} to {estimate.high:.3f}"
