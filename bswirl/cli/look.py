"""Commands that only read: stats, questions, tree, judges, policies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from bswirl.cli.invocation import Invocation, pass_invocation
from bswirl.cli.output import (
    cell,
    json_option,
    note,
    number,
    print_facts,
    print_json,
    print_renderable,
    print_table,
)
from bswirl.records import SPLITS, to_json

if TYPE_CHECKING:
    from rich.text import Text

    from bswirl.client import Client
    from bswirl.records import Action, QuestionTree, Run

QUESTION_FILTERS = ("all", "sampled", "unjudged", "labelled", "live", "dead", "conflict", "unsolved")
QUESTION_SORTS = ("id", "actions", "reward", "live", "labelled", "address")


@click.command()
@json_option
@pass_invocation
def stats(invocation: Invocation, as_json: bool = False) -> None:
    """Counts what the project holds."""
    with invocation.connect() as client:
        values = client.stats()
        values["curves"] = [_curve(client, run) for run in client.runs(kind="train")]
        values["evaluations"] = [_evaluation(run) for run in client.runs(kind="evaluate")]
    if as_json:
        print_json(values)
    else:
        print_facts(_readable(values))


def _curve(client: Client, run: Run) -> dict[str, Any]:
    """A training run's metrics: how many points each has, and its last value."""
    metrics = {name: points for name, points in client.metrics(run.run_id).items() if points}
    return {
        "run": run.run_id,
        "name": run.name,
        "status": run.status,
        "points": {name: len(points) for name, points in metrics.items()},
        "last": {name: points[-1][1] for name, points in metrics.items()},
    }


def _evaluation(run: Run) -> dict[str, Any]:
    """An evaluation's accuracy, as its summary says it."""
    keys = ("accuracy", "accuracy_low", "accuracy_high", "n")
    return {
        "run": run.run_id,
        "policy": run.name,
        "status": run.status,
        **{key: run.summary.get(key) for key in keys},
    }


def _readable(values: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """The stats for people, a line for each training run and evaluation at the end."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield name.replace("_", " "), ", ".join(f"{key} {item}" for key, item in value.items())
        elif not isinstance(value, list):
            yield name.replace("_", " "), value
    for curve in values["curves"]:
        longest = max(curve["points"].values(), default=0)
        yield (
            f"run {curve['run']}",
            f"{curve['name']}: {len(curve['points'])} curves of up to {longest} points",
        )
    for found in values["evaluations"]:
        said = found["status"]
        if found["accuracy"] is not None:
            interval = f"{number(found['accuracy_low'])} to {number(found['accuracy_high'])}"
            said = f"accuracy {number(found['accuracy'])} ({interval}) on {found['n']} questions"
        yield f"run {found['run']}", f"{found['policy']}: {said}"


@click.command()
@click.option("--search", default="", metavar="TEXT", help="Only questions whose text holds TEXT.")
@click.option("--dataset", metavar="NAME", help="Only this dataset.")
@click.option("--split", type=click.Choice(SPLITS), help="Only this split.")
@click.option("--filter", "which", type=click.Choice(QUESTION_FILTERS), default="all", show_default=True)
@click.option("--sort", type=click.Choice(QUESTION_SORTS), default="id", show_default=True)
@click.option("--descending", is_flag=True, help="Largest first.")
@click.option("--offset", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@json_option
@pass_invocation
def questions(invocation: Invocation, /, which: str, limit: int, as_json: bool, **options: Any) -> None:
    """Lists questions and what their trees hold."""
    with invocation.connect() as client:
        rows, total = client.questions(filter=which, limit=limit, **options)
    if as_json:
        print_json({"total": total, "questions": [{"address": row.address, **to_json(row)} for row in rows]})
        return
    counts = ("actions", "judged", "labels", "live", "dead", "reward", "solved")
    print_table(
        ("question", "split", *counts, "text"),
        (
            (
                row.address,
                row.split,
                row.actions,
                row.judged,
                row.labelled,
                row.live_groups,
                row.dead_groups,
                row.mean_reward,
                f"{row.solved}/{row.trajectories}",
                row.text,
            )
            for row in rows
        ),
        right=counts,
    )
    if total > len(rows):
        note(f"{len(rows)} of {total} questions; more with --offset and --limit")


@click.command()
@click.argument("question")
@json_option
@pass_invocation
def tree(invocation: Invocation, question: str, as_json: bool) -> None:
    """Shows a question's tree: every state's candidate steps with their rewards.

    QUESTION is a number or `dataset:id`.
    """
    with invocation.connect() as client:
        found = client.tree(int(question) if question.isdecimal() else question)
    if as_json:
        print_json({"address": found.question.address, **to_json(found)})
    else:
        _print_tree(found)


def _print_tree(found: QuestionTree) -> None:
    from rich.text import Text
    from rich.tree import Tree

    question = found.question
    title = Text.assemble(cell(f"{question.question_id}  {question.address}", style="bold"), "  ")
    title.append_text(cell(question.text))
    if question.gold is not None:
        title.append_text(cell(f"  (gold answer {question.gold})", style="dim"))
    root = Tree(title, guide_style="dim")
    if not found.actions:
        root.add(Text("no steps yet: `bswirl generate` samples some", style="dim"))
    groups = found.by_state()
    node_of: dict[int | None, Tree] = {None: root}
    for state in found.states:
        parent = node_of[state.via_action_id]
        for action in groups[state.state_id]:
            node_of[action.action_id] = parent.add(_action_line(action))
    print_renderable(root)


def _action_line(action: Action) -> Text:
    """One action: its number, reward and source, advantage, samples, text."""
    from rich.text import Text

    style = {1.0: "green", 0.0: "red"}.get(action.reward, "yellow") if action.reward is not None else "dim"
    line = Text.assemble(cell(action.action_id, style="bold"), "  ")
    source = f" {action.source}" if action.source else ""
    line.append(f"R={number(action.reward)}{source}", style=style)
    if action.conflict:
        line.append(" conflict", style="bold yellow")
    line.append(f"  A={number(action.advantage, signed=True)}  ×{action.samples}", style="dim")
    line.append("  ● " if action.backbone else "  ○ ")
    line.append_text(cell(action.text))
    return line
