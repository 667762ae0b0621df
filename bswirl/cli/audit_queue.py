"""The audit queue without a screen: one step after the other in plain lines, as screen readers like them."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from bswirl.audit.sampling import ORDERS
from bswirl.cli.invocation import Invocation, pass_invocation
from bswirl.cli.output import json_option, note, number, print_json, print_table
from bswirl.display import safe_text
from bswirl.labels import labels_in_force
from bswirl.records import to_json
from bswirl.votes import votes_words

if TYPE_CHECKING:
    from bswirl.audit.records import AuditItem, AuditNext, AuditVote
    from bswirl.client import Client
    from bswirl.records import ActionDetail, Label
    from bswirl.settings.audit import AuditSettings

KEYS = {"1": "1", "0": "0", "u": "unsure", "s": "skip"}
WORDS = {"1": "good", "0": "not good", "unsure": "unsure", "skip": "skipped"}
UNDO = ("undo", "backspace", "\x7f", "\x08", "b")  # a terminal that edits lines keeps the key itself
GUIDELINES = ("t", "g")
KEYS_IN_WORDS = (
    "1 good, 0 not good, u unsure, s skip, f flag, c change, undo, r reasons, t guidelines, q leave"
)
PROMPT = "your vote, ? for the keys: "


@click.command("next")
@click.option("--order", type=click.Choice(ORDERS), default="random", show_default=True)
@click.option("--dataset", metavar="NAME", help="Only this dataset.")
@click.option("--depth", type=click.IntRange(min=1), metavar="N", help="Only steps with this number.")
@click.option("--answers", is_flag=True, help="Answer steps too.")
@click.option("--blind/--open", default=None, help="Hide or show the judge before you vote.  [blind]")
@click.option("--slice", "share", type=click.FloatRange(0, 1), help="Share of random draws.  [0.2]")
@click.option("--repeats", type=click.FloatRange(0, 1), help="Share of your own steps again.  [0.05]")
@click.option("--overlap", type=click.FloatRange(0, 1), help="Share of others' steps.  [0]")
@json_option
@pass_invocation
def audit_next(
    invocation: Invocation,
    order: str,
    dataset: str | None,
    depth: int | None,
    answers: bool,
    blind: bool | None,
    share: float | None,
    repeats: float | None,
    overlap: float | None,
    as_json: bool,
) -> None:
    """Asks about judged steps, one after the other, and begins where you stopped.

    Answer with a key and Enter; words behind the key are kept as the reason, a number is one of the short
    list. `f` flags the step you are at, `c 0` changes your last vote now that you saw the judge, `undo`
    takes your last label back; the keys are those of the app. With --json, prints the next step and asks
    nothing; `audit set ACTION VALUE --draw NUMBER` answers. docs/audit.md tells more.
    """
    from bswirl.project import load_settings

    project = invocation.project()
    settings = load_settings(project).audit
    with invocation.connect(project) as client:

        def more() -> AuditNext:
            return client.audit_next(
                order,
                slice=settings.slice if share is None else share,
                repeats=settings.repeats if repeats is None else repeats,
                overlap=settings.overlap if overlap is None else overlap,
                blind=settings.blind if blind is None else blind,
                dataset=dataset,
                depth=depth,
                answers=answers,
                reserve_minutes=settings.reserve_minutes,
            )

        item = client.audit_position().item
        if as_json:
            found = more() if item is None else None
            item = found.item if found else item
            print_json({"next": to_json(item) if item else None, "why": found.why if found else ""})
            return
        desk = _Desk(client, settings)
        if item is not None:
            note("where you were:")
            desk.put(item)
        while desk.is_open:
            if desk.is_empty:
                found = more()
                if found.item is None:
                    note(f"nothing to ask: {found.why}")
                    return
                desk.put(found.item)
            desk.ask()


@dataclass(slots=True)
class _Step:
    """A step to judge, and whether its vote will carry the flag."""

    item: AuditItem
    flagged: bool = False


class _Desk:
    """Shows items and takes answers line by line. `is_open` until somebody leaves."""

    def __init__(self, client: Client, settings: AuditSettings) -> None:
        self._client = client
        self._settings = settings
        self._steps: list[_Step] = []  # the last one is at hand; an undo lays its step on those that wait
        self._voted: AuditItem | None = None
        self._voted_flag = False
        self._prompt = f"{KEYS_IN_WORDS}: "  # read out once; then the short one
        self.is_open = True

    @property
    def is_empty(self) -> bool:
        """Whether no step is left to ask about."""
        return not self._steps

    def put(self, item: AuditItem, *, flagged: bool = False) -> None:
        """Lays a step on those that wait, to be asked about first."""
        self._steps.append(_Step(item, flagged))

    def ask(self) -> None:
        """Shows the step at hand and takes lines until it is voted on, or an undo lays another on it."""
        step = self._steps[-1]
        show_item(step.item)
        if step.flagged:
            note("flagged: your vote will carry the flag")
        shown = time.monotonic()
        while True:
            click.echo(self._prompt, nl=False, err=True)
            self._prompt = PROMPT
            line = sys.stdin.readline()
            key, _, words = line.strip().partition(" ")
            if not line or key == "q":
                self.is_open = False
                return
            if key in KEYS:
                self._cast(step.item, KEYS[key], words, time.monotonic() - shown, flagged=step.flagged)
                self._leave(step)
                return
            if key in UNDO:
                if self._back():
                    return
            elif key == "c":
                self._change(words)
            elif key == "f":
                step.flagged = not step.flagged
                note("flagged: your vote will carry the flag" if step.flagged else "no flag")
            else:
                self._other(key)

    def _leave(self, step: _Step) -> None:
        """On to the one below, unless somebody else was given it meanwhile."""
        self._steps.remove(step)
        minutes = self._settings.reserve_minutes
        while self._steps and not self._client.audit_keep(self._steps[-1].item, minutes):
            self._steps.pop()

    def _cast(self, item: AuditItem, value: str, words: str, seconds: float | None, *, flagged: bool) -> None:
        vote = self._client.audit_label(
            item, value, reason=self._reason(words), flagged=flagged, seconds=seconds
        )
        self._voted, self._voted_flag = vote.item, flagged
        if item.blind:
            _show_reveal(vote)

    def _back(self) -> bool:
        """Withdraws the newest label; whether its step is at hand now."""
        undone = self._client.audit_undo()
        if undone is None:
            note("nothing to undo")
            return False
        self._voted = None
        label, item = undone.label, undone.item
        because = f", because {label.reason}" if label.reason else ""
        note(f"action {label.action_id}: withdrew {label.value}{because}")
        if item is None:
            return False
        self._steps = [step for step in self._steps if step.item.draw_id != item.draw_id]
        self.put(item, flagged=label.flagged)
        return True

    def _change(self, words: str) -> None:
        key, _, reason = words.partition(" ")
        if self._voted is None:
            note("no vote of this session to change")
        elif key not in KEYS or KEYS[key] == "skip":
            note("c takes the new vote, 1, 0 or u, as in: c 0 wrong sum")
        else:
            self._cast(self._voted, KEYS[key], reason, None, flagged=self._voted_flag)
            note(f"action {self._voted.detail.action.action_id}: now {KEYS[key]}")

    def _other(self, key: str) -> None:
        if key == "r":
            for place, reason in enumerate(self._settings.reasons, start=1):
                note(f"{place}: {reason}")
        elif key in GUIDELINES:
            from bswirl.settings.audit import read_guidelines

            note(read_guidelines(self._settings))
        else:
            note(f"{KEYS_IN_WORDS}; then Enter. Undo takes your newest vote back")

    def _reason(self, words: str) -> str | None:
        words = words.strip()
        if words.isascii() and words.isdigit() and 0 < int(words) <= len(self._settings.reasons):
            return self._settings.reasons[int(words) - 1]
        return words or None


def show_item(item: AuditItem) -> None:
    """A step in plain lines: question, gold answer, the steps before, the step."""
    detail = item.detail
    _line("")
    _line(f"Question {detail.question.address}: {detail.question.text}")
    if detail.question.gold is not None:
        _line(f"Gold answer: {detail.question.gold}")
    for place, step in enumerate(detail.prefix, start=1):
        _line(f"Step {place} before it: {step}")
    _line(f"Step {detail.action.depth}, action {detail.action.action_id}, to judge: {detail.action.text}")
    _show_verdicts(detail)


def _show_reveal(vote: AuditVote) -> None:
    _line(f"You: {WORDS[vote.label.value]}.")
    _show_verdicts(vote.item.detail)
    for auditor, label in labels_in_force(vote.item.detail.labels).items():
        if auditor != vote.label.auditor:
            _line(f"Auditor {auditor}: {WORDS[label.value]}.")


def _show_verdicts(detail: ActionDetail) -> None:
    for verdict in detail.verdicts:
        said = f"reward {number(verdict.reward)}" if verdict.status == "judged" else "no readable verdict"
        _line(f"Judge {verdict.judge}: {said}. {verdict.rationale or ''}".rstrip())
        if words := votes_words(verdict):
            _line(f"Judge {verdict.judge}: {words}.")


def _line(text: str) -> None:
    click.echo(safe_text(text, one_line=True))


@click.command("conflicts")
@click.option("--limit", type=click.IntRange(min=1), default=1000, show_default=True)
@json_option
@pass_invocation
def conflicts(invocation: Invocation, limit: int, as_json: bool) -> None:
    """Lists the steps on which auditors disagree and nobody has adjudicated."""
    with invocation.connect() as client:
        found = client.audit_conflicts(limit)
    if as_json:
        print_json({"conflicts": [to_json(conflict) for conflict in found]})
        return
    if not found:
        note("no conflicts")
        return
    print_table(
        ("action", "question", "depth", "labels", "judge", "step"),
        (
            (
                one.action_id,
                one.address,
                one.depth,
                ", ".join(_said(label) for label in one.votes),
                "–" if one.judge is None else f"{one.judge} {number(one.judge_reward)}",
                one.text[:120],
            )
            for one in found
        ),
        right=("action", "depth"),
    )


def _said(label: Label) -> str:
    reason = f" ({label.reason})" if label.reason else ""
    return f"{label.auditor} {label.value}{reason}"


@click.command("adjudicate")
@click.argument("action", type=int)
@click.argument("value", type=click.Choice(("1", "0")))
@click.option("--reason", metavar="TEXT", help="Why.")
@json_option
@pass_invocation
def adjudicate(invocation: Invocation, action: int, value: str, reason: str | None, as_json: bool) -> None:
    """Decides the action with the number ACTION over all other labels."""
    with invocation.connect() as client:
        label = client.audit_adjudicate(action, value, reason=reason)
        after = client.action(action).action
    if as_json:
        print_json({"label": to_json(label), "action": to_json(after)})
        return
    note(f"action {action}: {label.auditor} adjudicated {value}; reward {number(after.reward)}")


@click.command("flags")
@click.option("--limit", type=click.IntRange(min=1), default=1000, show_default=True)
@json_option
@pass_invocation
def flags(invocation: Invocation, limit: int, as_json: bool) -> None:
    """Lists the labels that carry a flag, newest first."""
    with invocation.connect() as client:
        found = client.audit_flags(limit)
    if as_json:
        print_json({"flags": [to_json(label) for label in found]})
        return
    print_table(
        ("action", "label", "auditor", "when", "reason"),
        (
            (label.action_id, label.value, label.auditor, label.created_at[:19], label.reason or "")
            for label in found
        ),
        right=("action",),
    )
