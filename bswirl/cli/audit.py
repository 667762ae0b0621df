"""`bswirl audit`: labels without a screen, line by line."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from bswirl.cli.certificates import certificates, certify
from bswirl.cli.flips import report
from bswirl.cli.invocation import Invocation, pass_invocation
from bswirl.cli.output import cell, json_option, note, number, print_facts, print_json, print_table
from bswirl.display import safe_text
from bswirl.records import to_json
from bswirl.votes import votes_words

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl.records import ActionDetail

VALUES = ("1", "0", "unsure", "skip")
KEYS = {"1": "1", "0": "0", "u": "unsure", "s": "skip"}
PAGE = 1000


@click.group(invoke_without_command=True)
@click.pass_context
def audit(context: click.Context) -> None:
    """What people say of single steps. Without a command, lists the newest labels."""
    if context.invoked_subcommand is None:
        context.invoke(audit_list)


audit.add_command(certify)
audit.add_command(certificates)
audit.add_command(report)


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


@audit.command("show")
@click.argument("action", type=int)
@click.option("--raw", is_flag=True, help="Also the replies that judges gave, word for word.")
@json_option
@pass_invocation
def audit_show(invocation: Invocation, action: int, raw: bool, as_json: bool) -> None:
    """Shows the action with the number ACTION: its place, its labels, and every verdict with why and cost."""
    with invocation.connect() as client:
        detail = client.action(action)
    if as_json:
        print_json(to_json(detail))
        return
    _show(detail, shown=True)
    for verdict in detail.verdicts:
        if raw and verdict.raw:
            click.echo(f"\n{safe_text(verdict.judge, one_line=True)}, run {verdict.run_id}:")
            click.echo(safe_text(verdict.raw))
    print_facts(
        [
            (f"label by {label.auditor}", f"{label.value}  {label.reason or ''}".rstrip())
            for label in detail.labels
        ]
    )


@audit.command("set")
@click.argument("action", type=int)
@click.argument("value", type=click.Choice(VALUES))
@click.option("--reason", metavar="TEXT", help="Why.")
@click.option("--adjudicate", is_flag=True, help="Decide between auditors who disagree.")
@click.option("--flag", is_flag=True, help="Mark the step for another look.")
@json_option
@pass_invocation
def audit_set(
    invocation: Invocation,
    action: int,
    value: str,
    reason: str | None,
    adjudicate: bool,
    flag: bool,
    as_json: bool,
) -> None:
    """Labels the action with the number ACTION: 1 good, 0 not, unsure or skip."""
    with invocation.connect() as client:
        label = client.set_label(action, value, reason=reason, adjudicates=adjudicate, flagged=flag)
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


@audit.command("next")
@click.option("--dataset", metavar="NAME", help="Only this dataset.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the random order.")
@click.option("--open", "shown", is_flag=True, help="Show the judge's verdict before you vote.")
@json_option
@pass_invocation
def audit_next(invocation: Invocation, dataset: str | None, seed: int, shown: bool, as_json: bool) -> None:
    """Asks about judged steps that nobody has labelled, one after the other, in random order.

    Answer with a key and Enter: 1 good, 0 not, u unsure, s skip, b undo, q quit. Words after the key are
    kept as the reason. With --json, prints the next step and asks nothing.
    """
    with invocation.connect() as client:
        steps = _unlabelled(client, dataset, seed)
        if as_json:
            detail = next(steps, None)
            print_json({"next": to_json(detail) if detail else None})
            return
        for detail in steps:
            if not _ask(client, detail, shown):
                return
        note("every judged step has a label")


def _unlabelled(client: Client, dataset: str | None, seed: int) -> Iterator[ActionDetail]:
    """Judged actions without a label, in the random order of `seed`.

    A shuffle of question numbers, each as often as it has judged actions, is how the questions follow each
    other in a random order of all actions.
    """
    order = [question for question, judged in _judged_counts(client, dataset) for _ in range(judged)]
    random.Random(seed).shuffle(order)
    asked: set[int] = set()
    for question in order:
        actions = [action for action in client.tree(question).actions if action.judge_reward is not None]
        random.Random(f"{seed}/{question}").shuffle(actions)
        for action in actions:
            if action.label is None and action.action_id not in asked:
                asked.add(action.action_id)
                yield client.action(action.action_id)
                break


def _judged_counts(client: Client, dataset: str | None) -> Iterator[tuple[int, int]]:
    offset, total = 0, 1
    while offset < total:
        rows, total = client.questions(dataset=dataset, filter="sampled", offset=offset, limit=PAGE)
        yield from ((row.question_id, row.judged) for row in rows)
        offset += PAGE


def _ask(client: Client, detail: ActionDetail, shown: bool) -> bool:
    """Shows one action and takes the answer. Returns whether to go on."""
    _show(detail, shown)
    while True:
        click.echo("1 good · 0 not · u unsure · s skip · b undo · q quit > ", nl=False, err=True)
        line = sys.stdin.readline()
        key, _, reason = line.strip().partition(" ")
        if not line or key == "q":
            return False
        if key == "b":
            withdrawn = client.undo_label()
            note(
                f"action {withdrawn.action_id}: withdrew {withdrawn.value}"
                if withdrawn
                else "nothing to undo"
            )
        elif key in KEYS:
            client.set_label(
                detail.action.action_id, KEYS[key], reason=reason.strip() or None, blind=not shown
            )
            if not shown:
                _show_verdict(detail)
            return True
        else:
            note("one of 1, 0, u, s, b, q, then Enter")


def _show(detail: ActionDetail, shown: bool) -> None:
    action = detail.action
    click.echo()
    facts: list[tuple[str, object]] = [("question", f"{detail.question.address}: {detail.question.text}")]
    if detail.question.gold is not None:
        facts.append(("gold answer", detail.question.gold))
    facts += [(f"step {number_}", step) for number_, step in enumerate(detail.prefix, start=1)]
    facts.append((f"action {action.action_id}", cell(action.text, style="bold")))
    print_facts(facts)
    if shown:
        _show_verdict(detail)


def _show_verdict(detail: ActionDetail) -> None:
    facts: list[tuple[str, Any]] = []
    for verdict in detail.verdicts:
        said = number(verdict.reward) if verdict.status == "judged" else "unjudged"
        facts.append((safe_text(verdict.judge), f"{said}  {verdict.rationale or ''}".rstrip()))
        if words := votes_words(verdict):
            facts.append(("", words))
    print_facts(facts)
