"""`bswirl audit`: labels without a screen, line by line."""

from __future__ import annotations

import click

from bswirl.cli.audit_queue import adjudicate, audit_next, conflicts, flags
from bswirl.cli.audit_report import report
from bswirl.cli.audit_show import show
from bswirl.cli.certificates import certificates, certify
from bswirl.cli.invocation import Invocation, pass_invocation
from bswirl.cli.output import json_option, note, number, print_json, print_table
from bswirl.errors import UsageError
from bswirl.records import to_json

VALUES = ("1", "0", "unsure", "skip")


@click.group(invoke_without_command=True)
@click.pass_context
def audit(context: click.Context) -> None:
    """What people say of single steps. Without a command, lists the newest labels."""
    if context.invoked_subcommand is None:
        context.invoke(audit_list)


audit.add_command(certify)
audit.add_command(certificates)
for command in (audit_next, show, conflicts, adjudicate, flags, report):
    audit.add_command(command)


@audit.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@json_option
@pass_invocation
def audit_list(invocation: Invocation, limit: int = 20, as_json: bool = False) -> None:
    """Lists the newest labels."""
    with invocation.connect() as client:
        labels = client.labels(limit=limit)
    if as_json:
        print_json({"labels": [to_json(label) for label in labels]})
        return
    print_table(
        ("action", "label", "auditor", "when", "reason"),
        (
            (
                label.action_id,
                label.value + (" (adjudicates)" if label.adjudicates else ""),
                label.auditor,
                label.created_at[:19],
                label.reason or "",
            )
            for label in labels
        ),
        right=("action",),
    )


@audit.command("set")
@click.argument("action", type=int)
@click.argument("value", type=click.Choice(VALUES))
@click.option("--reason", metavar="TEXT", help="Why.")
@click.option("--adjudicate", is_flag=True, help="Decide between auditors who disagree.")
@click.option("--flag", is_flag=True, help="Mark the step for another look.")
@click.option("--draw", type=int, metavar="NUMBER", help="The draw that `audit next --json` named.")
@json_option
@pass_invocation
def audit_set(
    invocation: Invocation,
    action: int,
    value: str,
    reason: str | None,
    adjudicate: bool,
    flag: bool,
    draw: int | None,
    as_json: bool,
) -> None:
    """Labels the action with the number ACTION: 1 good, 0 not, unsure or skip."""
    with invocation.connect() as client:
        if draw is None:
            label = client.set_label(action, value, reason=reason, adjudicates=adjudicate, flagged=flag)
        elif adjudicate:
            raise UsageError("a vote on a draw adjudicates nothing", "leave out --draw or --adjudicate")
        else:
            label = client.audit_label(draw, value, reason=reason, flagged=flag, action_id=action).label
        after = client.action(action).action
    if as_json:
        print_json({"label": to_json(label), "action": to_json(after)})
        return
    note(
        f"action {action}: label {value} by {label.auditor}; reward {number(after.reward)}, "
        f"advantage {number(after.advantage, signed=True)}"
        + ("; auditors disagree" if after.conflict else "")
    )


@audit.command("undo")
@json_option
@pass_invocation
def audit_undo(invocation: Invocation, as_json: bool) -> None:
    """Withdraws your newest label."""
    with invocation.connect() as client:
        label = client.undo_label()
    if as_json:
        print_json({"withdrawn": to_json(label) if label else None})
    elif label is None:
        note("no label of yours is left to withdraw")
    else:
        note(f"action {label.action_id}: withdrew the label {label.value}")
