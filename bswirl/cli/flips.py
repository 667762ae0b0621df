"""`bswirl audit report --compare`: which verdicts two judges, or two prompts of one, disagree on."""

from __future__ import annotations

from typing import Any

import click

from bswirl.cli.invocation import Invocation
from bswirl.cli.output import note, number, print_facts, print_json, print_table

MEASURES = ("reward", "correct", "progress")


def report_flips(invocation: Invocation, compare: tuple[str, str], limit: int, as_json: bool) -> None:
    """Prints on which verdicts two judges disagree: those that people labelled first.

    Only actions that both have judged are compared, each by the judge's newest verdict.
    """
    with invocation.connect() as client:
        found = client.judge_flips(*compare, limit=limit)
    if as_json:
        print_json(found)
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    judged = found["judged"]
    print_facts(
        [
            ("A", _judge(found["a"])),
            ("B", _judge(found["b"])),
            (
                "judged",
                f"{judged['both']} by both, {judged['only_a']} by A alone, {judged['only_b']} by B alone",
            ),
            ("people", _people(found["labelled"])),
        ]
    )
    click.echo()
    headings = ("both", "only A", "only B", "neither", "agreement", "kappa")
    rows = [(name, *_counts(found["overall"][name])) for name in MEASURES]
    rows += [(f"reward at step {at['depth']}", *_counts(at["reward"])) for at in found["depths"]]
    print_table(("", *headings), rows, right=headings)
    if found["flips"]:
        click.echo()
        print_table(
            ("action", "question", "step", "A", "B", "person", "agrees with", "text"),
            (_flip(flip) for flip in found["flips"]),
            right=("action", "step"),
        )
    if found["flipped"] > len(found["flips"]):
        note(f"{len(found['flips'])} of {found['flipped']} flips; more with --limit")


def _judge(judge: dict[str, Any]) -> str:
    rank = "decides nothing" if judge["rank"] is None else f"rank {judge['rank']}"
    return (
        f"{judge['judge_id']} {judge['name']} ({judge['model']}, prompt {judge['prompt_sha'][:12]}), {rank}"
    )


def _people(labelled: dict[str, Any]) -> str:
    if not labelled["flips"]:
        return "nobody has labelled a flipped reward"
    return (
        f"{labelled['flips']} flipped rewards labelled: {labelled['agree_a']} agree with A, "
        f"{labelled['agree_b']} with B"
    )


def _counts(table: dict[str, Any]) -> tuple[object, ...]:
    names = ("both", "only_a", "only_b", "neither", "agreement", "kappa")
    return tuple(table[name] for name in names)


def _flip(flip: dict[str, Any]) -> tuple[object, ...]:
    agrees = (flip["agrees"] or "").upper() or None
    sides = (_verdict(flip["a"]), _verdict(flip["b"]))
    human = None if flip["human"] is None else number(flip["human"])
    return flip["action_id"], flip["question"], flip["depth"], *sides, human, agrees, flip["text"]


def _verdict(said: dict[str, Any]) -> str:
    """`1`, or `0` with what is missing."""
    missing = [
        f"not {name}" if name == "correct" else f"no {name}" for name in MEASURES[1:] if said[name] is False
    ]
    return str(int(said["reward"])) + (f" ({', '.join(missing)})" if missing else "")
