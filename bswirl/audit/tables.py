"""The audit report as titled tables of texts, for the command line and the app."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bswirl.audit.report import AuditReport, ReportRow
from bswirl.certificates import Estimate
from bswirl.display import number

METHOD = (
    "Rates are from the random draws alone, each weighted by one over its probability of being drawn; 95 % "
    "intervals are Wilson's with questions as clusters, those of kappa by leaving out one question or "
    "step each. docs/method.md tells more."
)
TOO_FEW = (
    "Where the project has fewer judged steps left than 3 points take, it says how many are left. Labelling "
    "them all tells the share among these steps, but for the undecided ones; the intervals, which are of "
    "further steps of the policy too, take more steps."
)
Headings = Sequence[str]
Lines = Sequence[Sequence[str]]
Section = tuple[str, Headings, Lines]


def sections(report: AuditReport) -> list[Section]:
    """The report as titled tables of texts."""
    drawn, effect = report.drawn, report.effect
    unlabelled = "no blind vote" if report.votes == "blind" else "no label yet"
    found: list[Section] = [
        (
            "Judges against people, from the random draws",
            (*_WHO, "n", "accuracy", "TPR", "TNR", "kappa"),
            [(*_who(row), str(row.random.n), *_rates(row)) for row in report.rows],
        ),
        (
            "Further labelled random draws until 3 points either way",
            (*_WHO, "accuracy", "TPR", "TNR"),
            [(*_who(row), *_more(row)) for row in report.rows],
        ),
        (
            "All labels as they are, biased by how the steps were chosen",
            (*_WHO, "n", "accuracy", *(cell.replace("-", " ") for cell in _CELLS)),
            [
                (
                    *_who(row),
                    str(row.labelled.n),
                    percent(row.labelled.accuracy, interval=False),
                    *(str(row.cells[cell]) for cell in _CELLS),
                )
                for row in report.rows
            ],
        ),
        (
            "Random draws",
            ("drawn", "decided", "unsure or skipped", "conflict", unlabelled, "labelled open"),
            [
                tuple(
                    map(
                        str,
                        (
                            drawn.drawn,
                            drawn.decided,
                            drawn.undecided,
                            drawn.conflict,
                            drawn.waiting,
                            drawn.open,
                        ),
                    )
                )
            ],
        ),
        (
            "Auditors",
            ("auditor", "labelled", "reveals", "turned by them", "median seconds"),
            [
                (
                    one.auditor,
                    str(one.labelled),
                    str(one.reveals),
                    percent(one.share),
                    "–" if one.median_seconds is None else f"{one.median_seconds:.1f}",
                )
                for one in report.reveals
            ],
        ),
    ]
    if report.pairs:
        lines = [
            (f"{pair.first}, {pair.second}", str(pair.agreement.n), percent(pair.agreement.agreement),
             plain(pair.agreement.kappa))
            for pair in report.pairs
        ]  # fmt: skip
        found.append(("Between auditors", ("auditors", "n", "agreement", "kappa"), lines))
    if report.consistency:
        lines = [
            (one.auditor, str(one.agreement.n), percent(one.agreement.agreement), plain(one.agreement.kappa))
            for one in report.consistency
        ]
        found.append(("With themselves, on hidden repeats", ("auditor", "n", "agreement", "kappa"), lines))
    found.append(
        (
            "What the labels did",
            ("rewards overruled", "advantages changed", "mean change", "live groups", "revived", "died"),
            [
                (
                    str(effect.overruled),
                    str(effect.changed),
                    number(effect.mean_change),
                    f"{effect.live_before} → {effect.live_after}",
                    str(effect.revived),
                    str(effect.died),
                )
            ],
        )
    )
    return found


def method(report: AuditReport) -> str:
    """What the numbers are; more where the project has too few steps for ±3 points."""
    short = any(exceeds(value, row.left) for row in report.rows for value in more(row))
    return f"{METHOD} {TOO_FEW}" if short else METHOD


def without_rates(report: AuditReport) -> str:
    """Why there are no unbiased rates; empty where there are."""
    drawn = report.drawn
    if drawn.decided:
        return ""
    lack = "decided" if drawn.undecided or drawn.conflict else "labelled"
    how = f"{lack} by blind votes" if report.votes == "blind" else lack
    return f"no random draw is {how} yet: there are no unbiased rates"


_WHO = ("judge", "model", "prompt", "depth")
_CELLS = ("judge1-human1", "judge1-human0", "judge0-human1", "judge0-human0")


def _who(row: ReportRow) -> tuple[str, str, str, str]:
    depth = "all" if row.depth is None else str(row.depth)
    return row.judge, row.model or "", (row.prompt_sha or "")[:12], depth


def _rates(row: ReportRow) -> tuple[str, ...]:
    rates = row.random
    return percent(rates.accuracy), percent(rates.tpr), percent(rates.tnr), plain(rates.kappa)


def _more(row: ReportRow) -> tuple[str, ...]:
    return tuple(_more_words(value, row.left) for value in more(row))


def more(row: ReportRow) -> tuple[int | None, ...]:
    """How many more labelled random draws accuracy, TPR and TNR take."""
    return row.random.more_accuracy, row.random.more_tpr, row.random.more_tnr


def exceeds(value: int | None, left: int | None) -> bool:
    """Whether it takes more draws than there can be."""
    return value is not None and left is not None and value > left


def _more_words(value: int | None, left: int | None) -> str:
    if exceeds(value, left):
        return f"all {left} left ({value})" if left else f"none left ({value})"
    return "–" if value is None else str(value)


def percent(estimate: Estimate, *, interval: bool = True) -> str:
    """A share in percent with its interval: `87.5 (80.1–92.4)`; `–` for none."""
    if estimate.value is None:
        return "–"
    if not interval or estimate.low is None or estimate.high is None:
        return f"{100 * estimate.value:.1f}"
    return f"{100 * estimate.value:.1f} ({100 * estimate.low:.1f}–{100 * estimate.high:.1f})"


def plain(estimate: Estimate) -> str:
    if estimate.value is None or math.isnan(estimate.value):
        return "–"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f}"
    return f"{estimate.value:.2f} ({estimate.low:.2f}–{estimate.high:.2f})"
