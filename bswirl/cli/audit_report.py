"""`bswirl audit report`: what the audit says of the judges, of the auditors, and of what the labels did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from bswirl.cli.flips import report_flips
from bswirl.cli.invocation import Invocation, pass_invocation
from bswirl.cli.output import json_option, note_wrapped, print_fitting, print_json, print_table
from bswirl.display import safe_text
from bswirl.errors import UsageError
from bswirl.records import to_json

if TYPE_CHECKING:
    from bswirl.audit.records import AuditedItem
    from bswirl.audit.report import AuditReport
    from bswirl.audit.tables import Section

GROUPINGS = ("judge", "prompt", "depth")
VOTES = ("final", "blind")


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
    from bswirl.audit.tables import sections, without_rates

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
    if not markdown and (why := without_rates(made)):
        note_wrapped(f"{why}; `bswirl audit next` makes some")
    _print(sections(made), markdown)
    _print_method(made, markdown)


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
            print_fitting(headings, lines)
            click.echo()


def _markdown_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(safe_text(cell, one_line=True).replace("|", "\\|") for cell in cells) + " |"


def _print_method(report: AuditReport, markdown: bool) -> None:
    from bswirl.audit.tables import method

    if markdown:
        click.echo(method(report))
    else:
        note_wrapped(method(report))


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
