"""`bswirl generate`: one run, or rounds of sampling and judging until groups are live."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from bswirl.cli.estimate import dry_run_option, money, show_estimate
from bswirl.cli.invocation import Invocation, pass_invocation
from bswirl.cli.output import json_option, note, number, print_facts, print_json, print_table
from bswirl.cli.trusting import ask_trust
from bswirl.cli.waiting import QUIET_SECONDS, detach_option, how_far
from bswirl.cli.work import run_options, run_work

if TYPE_CHECKING:
    from bswirl.launch import Report, Round
    from bswirl.records import Run

_OF_ROUNDS = ("judge", "round_size", "max_branches", "dead_below")
_COLUMNS = ("round", "samples", "verdicts", "calls", "cost", "live", "dead", "undecided", "cost/new live")


@click.command()
@run_options("generate")
@click.option(
    "--until-live",
    is_flag=True,
    help="Begin with --branches, judge, and sample more only where a group is neither live nor surely dead.",
)
@click.option("--judge", metavar="JUDGE", help="With --until-live: who judges; must be ranked.")
@click.option("--round-size", type=int, metavar="N", help="Samples a round adds to an undecided group.  [2]")
@click.option("--max-branches", type=int, metavar="N", help="Most branches of a state.  [12]")
@click.option(
    "--dead-below",
    type=float,
    metavar="X",
    help="Give a group up where the chance that it becomes live is below X.  [0.05]",
)
@dry_run_option
@detach_option
@json_option
@pass_invocation
def generate(
    invocation: Invocation,
    /,
    until_live: bool,
    dry_run: bool,
    detach: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Samples solutions, and alternative steps at each of their states.

    With --until-live it is rounds of runs; interrupted, the same command goes on.
    """
    rule = {name: options.pop(name) for name in _OF_ROUNDS}
    given = {name: value for name, value in rule.items() if value is not None}
    if given and not until_live:
        flags = " ".join(f"--{name.replace('_', '-')}" for name in given)
        raise click.UsageError(f"{flags}: only with --until-live")
    if dry_run and until_live:
        raise click.UsageError("--dry-run knows no verdicts: leave out --until-live for the first round")
    if dry_run:
        show_estimate(invocation, "generate", options, as_json=as_json)
    elif not until_live:
        run_work(invocation, "generate", options, detach=detach, as_json=as_json)
    elif detach:
        raise click.UsageError("--until-live starts one run after the other: leave out --detach")
    elif "judge" not in given:
        raise click.UsageError("--until-live needs --judge: a group is live by its rewards")
    else:
        _until_live(invocation, options, given, as_json=as_json)


def _until_live(
    invocation: Invocation, options: dict[str, Any], rule: dict[str, Any], *, as_json: bool
) -> None:
    from bswirl import launch

    project = invocation.project()
    with invocation.connect(project) as client:
        rounds = launch.Rounds(
            client,
            project,
            options,
            launch.UntilLive(**rule),
            say=note,
            watch=_Watcher(),
            on_round=_note_round,
            ask_trust=ask_trust,
        )
        report = rounds.run()
    if as_json:
        print_json(report.to_json())
    else:
        _print_report(report)


def _note_round(done: Round) -> None:
    note(
        f"round {done.number}: {done.samples} samples, {done.verdicts} verdicts, {money(done.cost)}; "
        f"{done.live} groups live, {done.dead} given up, {done.undecided} undecided"
    )


def _print_report(report: Report) -> None:
    print_table(
        _COLUMNS,
        (
            (
                done.number,
                done.samples,
                done.verdicts,
                done.calls,
                money(done.cost),
                done.live,
                done.dead,
                done.undecided,
                None if done.cost_per_live_group is None else money(done.cost_per_live_group),
            )
            for done in report.rounds
        ),
        right=_COLUMNS,
    )
    total = report.total
    per_live = total["cost_per_live_group"]
    print_facts(
        (
            ("samples", total["samples"]),
            ("judge calls", total["judge_calls"]),
            ("cost", money(total["cost"])),
            ("live groups", total["live"]),
            ("cost per live group", None if per_live is None else money(per_live)),
            ("samples per live group", number(total["samples_per_live_group"])),
            ("stopped", report.stopped),
        )
    )


class _Watcher:
    """A line on stderr now and then while a run of a round is under way."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def __call__(self, stage: str, run: Run) -> None:
        if run.progress is not None and time.monotonic() - self._said >= QUIET_SECONDS:
            self._said = time.monotonic()
            note(f"{stage}: run {run.run_id}: {how_far(run)}")
