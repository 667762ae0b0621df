"""`bswirl audit report`: what the audit says of the judges, of the auditors, and of what the labels did."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from bswirl.cli.flips import report_flips
from bswirl.cli.invocation import Invocation, pass_invocation
from bswirl.cli.output import json_option, note, number, print_json, print_table
from bswirl.display import safe_text
from bswirl.errors import UsageError
from bswirl.records import to_json

if TYPE_CHECKING:
    from bswirl.audit.records import AuditedItem
    from bswirl.audit.report import AuditReport, ReportRow
    from bswirl.certificates import Estimate

GROUPINGS = ("judge", "prompt", "depth")
VOTES = ("final", "blind")
METHOD = (
    "Rates are from the random draws alone, each weighted by one over its probability of being drawn; 95 % "
    "intervals are Wilson's with questions as clusters, those of kappa by leaving out one question each. "
    "docs/method.md tells more."
)

Headings = Sequence[str]
Lines = Sequence[Sequence[str]]
Section = tuple[str, Headings, Lines]


@click.command("report")
@click.option("--by", type=click.Choice(GROUPINGS), default="judge", show_default=True)
@click.option("--judge", metavar="NAME", help="This judge; else the verdicts in force, then each judge.")
@click.option("--votes", type=click.Choice(VOTES), default="final", show_default=True)
@click.option("--cell", metavar="CELL", help="List the steps of a cell, such as judge1-human0.")
@click.option(
    "--compare",
    nargs=2,
    metavar="A B",
    help="Two judges, by number (`bswirl judges list`) or name; one name twice compares its two prompts.",
)
@click.option("--limit", type=click.IntRange(min=0), default=50, show_default=True, help="Flips listed.")
@click.option("--markdown", is_flag=True, help="Print Markdown.")
@json_option
@pass_invocation
def report(
    invocation: Invocation,
    by: str,
    judge: str | None,
    votes: str,
    cell: str | None,
    compare: tuple[str, str] | None,
    limit: int,
    markdown: bool,
    as_json: bool,
) -> None:
    """Holds judges against people: accuracy, TPR, TNR and kappa with intervals, and how many more audits.

    `--votes blind` counts only what auditors said before they saw the judge. Also: auditors against each
    other and themselves, how often seeing the judge turned a vote, and what the labels did to advantages.
    `--compare` instead tells on which verdicts two judges disagree, those that people labelled first.
    """
    from bswirl.audit.report import cell_items, make_report

    if as_json and markdown:
        raise UsageError("--json and --markdown exclude each other", "choose one")
    if compare is not None:
        if judge is not None or cell is not None or markdown:
            raise UsageError("--compare goes with --limit and --json alone", "leave the others out")
        report_flips(invocation, compare, limit, as_json)
        return
    with invocation.connect() as client:
        record = client.audit_record()
    if cell is not None:
        _print_cell(cell_items(record, cell, judge=judge, votes=votes), cell, as_json)
        return
    made = make_report(record, by=by, judge=judge, votes=votes)
    if as_json:
        print_json(to_json(made))
        return
    if not markdown and not made.drawn.decided:
        note("no random draw is labelled yet: there are no unbiased rates; `bswirl audit next` makes some")
    _print(sections(made), markdown)
    _print_method(markdown)


def sections(report: AuditReport) -> list[Section]:
    """The report as titled tables of texts."""
    drawn, effect = report.drawn, report.effect
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
            ("drawn", "decided", "unsure or skipped", "conflict", "no label yet", "labelled open"),
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
                    number(one.median_seconds),
                )
                for one in report.reveals
            ],
        ),
    ]
    if report.pairs:
        lines = [
            (f"{pair.first}, {pair.second}", str(pair.agreement.n), percent(pair.agreement.agreement),
             _plain(pair.agreement.kappa))
            for pair in report.pairs
        ]  # fmt: skip
        found.append(("Between auditors", ("auditors", "n", "agreement", "kappa"), lines))
    if report.consistency:
        lines = [
            (one.auditor, str(one.agreement.n), percent(one.agreement.agreement), _plain(one.agreement.kappa))
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


_WHO = ("judge", "model", "prompt", "depth")
_CELLS = ("judge1-human1", "judge1-human0", "judge0-human1", "judge0-human0")


def _who(row: ReportRow) -> tuple[str, str, str, str]:
    depth = "all" if row.depth is None else str(row.depth)
    return row.judge, row.model or "", (row.prompt_sha or "")[:12], depth


def _rates(row: ReportRow) -> tuple[str, ...]:
    rates = row.random
    return percent(rates.accuracy), percent(rates.tpr), percent(rates.tnr), _plain(rates.kappa)


def _more(row: ReportRow) -> tuple[str, ...]:
    rates = row.random
    values = (rates.more_accuracy, rates.more_tpr, rates.more_tnr)
    return tuple("–" if value is None else str(value) for value in values)


def percent(estimate: Estimate, *, interval: bool = True) -> str:
    """A share in percent with its interval: `87.5 (80.1–92.4)`; `–` for none."""
    if estimate.value is None:
        return "–"
    if not interval or estimate.low is None or estimate.high is None:
        return f"{100 * estimate.value:.1f}"
    return f"{100 * estimate.value:.1f} ({100 * estimate.low:.1f}–{100 * estimate.high:.1f})"


def _plain(estimate: Estimate) -> str:
    if estimate.value is None or math.isnan(estimate.value):
        return "–"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f}"
    return f"{estimate.value:.2f} ({estimate.low:.2f}–{estimate.high:.2f})"


def _print(found: Iterable[Section], markdown: bool) -> None:
    for title, headings, lines in found:
        if markdown:
            click.echo(f"## {title}\n")
            click.echo(_markdown_row(headings))
            click.echo("|" + " --- |" * len(headings))
            for line in lines:
                click.echo(_markdown_row(line))
            click.echo()
        else:
            click.echo(f"{title}")
            print_table(headings, lines)
            click.echo()


def _markdown_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(safe_text(cell, one_line=True).replace("|", "\\|") for cell in cells) + " |"


def _print_method(markdown: bool) -> None:
    if markdown:
        click.echo(METHOD)
    else:
        note(METHOD)


def _print_cell(items: Sequence[AuditedItem], cell: str, as_json: bool) -> None:
    if as_json:
        print_json({"cell": cell, "items": [to_json(item) for item in items]})
        return
    print_table(
        ("action", "question", "depth", "labels", "step"),
        ((item.action_id, item.address, item.depth, _labels(item), item.text[:120]) for item in items),
        right=("action", "depth"),
    )


def _labels(item: AuditedItem) -> str:
    votes: list[Any] = [vote for vote in item.votes if vote.newest]
    return ", ".join(f"{vote.auditor} {vote.value}" for vote in votes)
