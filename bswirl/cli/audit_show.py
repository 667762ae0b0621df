"""`bswirl audit show`: one action with all that was said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bswirl.cli.audit_tokens import print_samples, sample_json
from bswirl.cli.invocation import Invocation, pass_invocation
from bswirl.cli.output import cell, json_option, number, print_facts, print_json
from bswirl.display import safe_text
from bswirl.records import to_json
from bswirl.votes import votes_words

if TYPE_CHECKING:
    from bswirl.records import ActionDetail, Label


@click.command("show")
@click.argument("action", type=int)
@click.option("--raw", is_flag=True, help="Also the replies that judges gave, word for word.")
@click.option("--tokens", is_flag=True, help="Also each sample's tokens with their log-probs.")
@json_option
@pass_invocation
def show(invocation: Invocation, action: int, raw: bool, tokens: bool, as_json: bool) -> None:
    """Shows the action with the number ACTION: its place, its labels, and every verdict with why and cost."""
    with invocation.connect() as client:
        detail = client.action(action)
        sampled = client.action_tokens(action) if tokens else []
    if as_json:
        more = {"tokens": [sample_json(found, detail.action.text) for found in sampled]} if tokens else {}
        print_json({**to_json(detail), **more})
        return
    _show(detail)
    print_samples(sampled, detail.action.text)
    for verdict in detail.verdicts:
        if raw and verdict.raw:
            click.echo(f"\n{safe_text(verdict.judge, one_line=True)}, run {verdict.run_id}:")
            click.echo(safe_text(verdict.raw))
    print_facts(
        [
            (f"label by {label.auditor}", f"{_said(label)}  {label.reason or ''}".rstrip())
            for label in detail.labels
        ]
    )


def _said(label: Label) -> str:
    return label.value + (" (adjudicates)" if label.adjudicates else "")


def _show(detail: ActionDetail) -> None:
    action = detail.action
    click.echo()
    facts: list[tuple[str, object]] = [("question", f"{detail.question.address}: {detail.question.text}")]
    if detail.question.gold is not None:
        facts.append(("gold answer", detail.question.gold))
    facts += [(f"step {place}", step) for place, step in enumerate(detail.prefix, start=1)]
    facts.append((f"action {action.action_id}", cell(action.text, style="bold")))
    print_facts(facts)
    print_facts(_verdicts(detail))


def _verdicts(detail: ActionDetail) -> list[tuple[str, Any]]:
    facts: list[tuple[str, Any]] = []
    for verdict in detail.verdicts:
        said = number(verdict.reward) if verdict.status == "judged" else "unjudged"
        facts.append((safe_text(verdict.judge), f"{said}  {verdict.rationale or ''}".rstrip()))
        if words := votes_words(verdict):
            facts.append(("", words))
    return facts
