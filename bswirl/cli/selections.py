"""`bswirl selections`: what is trained, saved by name and counted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from bswirl.cli.invocation import Invocation, pass_invocation
from bswirl.cli.output import Command, json_option, note, print_facts, print_json, print_table
from bswirl.cli.work import run_options
from bswirl.records import to_json
from bswirl.selections import SELECTION_FIELDS, Selection

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl.selections import SavedSelection, SelectionCounts


def selection_options(command: Command) -> Command:
    """Adds the options that make a selection; one that is not given is None."""
    by = click.option(
        "--by",
        "--difficulty-by",
        "difficulty_by",
        type=click.Choice(["group", "question"]),
        help="Whose mean reward the difficulty is: each group's, or the question's.  [group]",
    )
    return run_options("train", only=SELECTION_FIELDS, but=("difficulty_by",))(by(command))


@click.group()
def selections() -> None:
    """What is trained: which questions, which of their solutions, how hard; saved by name.

    `bswirl train --selection NAME` trains on a saved one.
    """


@selections.command("list")
@json_option
@pass_invocation
def list_(invocation: Invocation, as_json: bool) -> None:
    """Lists the saved selections."""
    with invocation.connect() as client:
        found = client.selections()
    if as_json:
        print_json({"selections": [saved_json(saved) for saved in found]})
        return
    print_table(
        ("name", "selection", "by", "when"),
        ((one.name, one.selection.words, one.created_by, one.created_at[:19]) for one in found),
    )


@selections.command()
@click.argument("name", metavar="[NAME]", required=False)
@selection_options
@json_option
@pass_invocation
def show(invocation: Invocation, /, name: str | None, as_json: bool, **options: Any) -> None:
    """Counts what a selection leaves now, and what it leaves out and why.

    Of a saved one by its NAME, or of the one that the options make.
    """
    if name is not None and any(value is not None for value in options.values()):
        raise click.UsageError("a saved selection says all of itself: give NAME or options")
    made = None if name is not None else _selection(options)
    with invocation.connect() as client:
        saved = None if name is None else client.selection(name)
        selection = saved.selection if saved is not None else made or Selection()
        counts = client.count_selection(selection)
    if as_json:
        about = saved_json(saved) if saved is not None else selection.to_json()
        print_json({**about, **to_json(counts)})
        return
    if saved is not None:
        print_facts([("name", saved.name), ("saved", f"{saved.created_at[:19]} by {saved.created_by}")])
    print_facts([("selection", selection.words), *_left(counts)])


@selections.command()
@click.argument("name", metavar="NAME")
@selection_options
@click.option("--replace", is_flag=True, help="Put this in the place of the selection of that name.")
@json_option
@pass_invocation
def save(invocation: Invocation, /, name: str, replace: bool, as_json: bool, **options: Any) -> None:
    """Saves the selection that the options make, for this project's commands and apps."""
    selection = _selection(options)
    with invocation.connect() as client:
        saved = client.save_selection(name, selection, replace=replace)
    if as_json:
        print_json(saved_json(saved))
    else:
        note(f"saved {saved.name}: {saved.selection.words}")


@selections.command()
@click.argument("name", metavar="NAME")
@json_option
@pass_invocation
def delete(invocation: Invocation, name: str, as_json: bool) -> None:
    """Forgets a saved selection. Runs keep what they were given."""
    with invocation.connect() as client:
        saved = _delete(client, name)
    if as_json:
        print_json({"deleted": saved_json(saved)})
    else:
        note(f"deleted {saved.name}: {saved.selection.words}")


def saved_json(saved: SavedSelection) -> dict[str, Any]:
    """A saved selection as one flat object."""
    return {
        "name": saved.name,
        **saved.selection.to_json(),
        "created_by": saved.created_by,
        "created_at": saved.created_at,
    }


def _delete(client: Client, name: str) -> SavedSelection:
    saved = client.selection(name)
    client.delete_selection(name)
    return saved


def _selection(options: dict[str, Any]) -> Selection:
    """The selection that options make. Raises UsageError where it makes no sense."""
    from bswirl.launch import parse_options

    given = {name: value for name, value in options.items() if value is not None}
    chosen = parse_options("train", {**given, "objective": "bswirl", "policy": "any"})
    return Selection(**{name: chosen[name] for name in SELECTION_FIELDS})


def _left(counts: SelectionCounts) -> Iterable[tuple[str, object]]:
    yield "questions", f"{counts.questions} of {counts.considered}"
    yield "trajectories", counts.trajectories
    yield "groups", f"{counts.groups}: {counts.live_groups} live, {counts.dead_groups} dead"
    yield "actions", f"{counts.actions} with {counts.samples} samples"
    yield "of trajectories", f"{counts.own_actions} with {counts.own_samples} samples"
    for reason, count in counts.reasons.items():
        yield "left out", f"{count} ({reason})"
