"""`bswirl runs`: how runs stand, their logs, and cancelling, resuming and attaching them."""

from __future__ import annotations

import math
from pathlib import Path

import click

from bswirl import curves
from bswirl.cli.invocation import Invocation, pass_invocation
from bswirl.cli.output import (
    json_option,
    note,
    number,
    print_csv,
    print_facts,
    print_json,
    print_table,
)
from bswirl.cli.trusting import ask_trust
from bswirl.cli.waiting import detach_option, finish, how_far
from bswirl.display import safe_text, spending_words
from bswirl.errors import UsageError
from bswirl.records import RUN_KINDS, to_json


@click.group(invoke_without_command=True)
@click.pass_context
def runs(context: click.Context) -> None:
    """The project's runs. Without a command, lists them."""
    if context.invoked_subcommand is None:
        context.invoke(runs_list)


@runs.command("list")
@click.option("--kind", type=click.Choice(RUN_KINDS), help="Only runs of this kind.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@json_option
@pass_invocation
def runs_list(
    invocation: Invocation, kind: str | None = None, limit: int = 50, as_json: bool = False
) -> None:
    """Lists the newest runs."""
    with invocation.connect() as client:
        found = client.runs(kind=kind, limit=limit)
    if as_json:
        print_json({"runs": [to_json(run) for run in found]})
        return
    print_table(
        ("run", "kind", "name", "status", "progress", "made", "by"),
        (
            (run.run_id, run.kind, run.name, run.status, how_far(run), run.created_at[:16], run.created_by)
            for run in found
        ),
        right=("run",),
    )


@runs.command("show")
@click.argument("run_id", metavar="RUN", type=int)
@json_option
@pass_invocation
def runs_show(invocation: Invocation, run_id: int, as_json: bool) -> None:
    """Shows one run: settings, how it stands, what came of it and its metrics."""
    with invocation.connect() as client:
        run = client.run(run_id)
        metrics = client.metrics(run_id)
    if as_json:
        print_json({**to_json(run), "metrics": metrics})
        return
    settings = run.config.get("settings", {})
    facts: list[tuple[str, object]] = [
        ("run", run.run_id),
        ("kind", run.kind),
        ("name", run.name),
        ("status", f"{run.status}, attempt {run.attempt}"),
        ("progress", how_far(run) or None),
        ("made", f"{run.created_at} by {run.created_by}"),
        ("ended", run.ended_at),
        ("folder", run.folder),
        ("input", f"{run.config.get('input_rows')} rows, sha256 {str(run.config.get('input_sha256'))[:12]}"),
    ]
    if run.error:
        facts.append(("error", run.error))
    facts += [(f"  {name}", value) for name, value in settings.items()]
    results = {**run.summary, "spending": spending_words(run.summary) or None}
    facts += [(f"= {name}", value) for name, value in results.items() if name in run.summary]
    print_facts(facts)
    if metrics:
        print_table(
            ("metric", "points", "first", "last"),
            (
                (name, len(points), number(points[0][1]), number(points[-1][1]))
                for name, points in sorted(metrics.items())
                if points
            ),
            right=("points", "first", "last"),
        )


@runs.command("metrics")
@click.argument("run_id", metavar="RUN", type=int)
@click.option(
    "--name", metavar="REGEX", help="Only curves whose name this regular expression matches somewhere."
)
@click.option("--csv", "as_csv", is_flag=True, help="Print every point as CSV: run, metric, step, value.")
@json_option
@pass_invocation
def runs_metrics(invocation: Invocation, run_id: int, name: str | None, as_csv: bool, as_json: bool) -> None:
    """Shows a run's curves: a line each, or all of their points."""
    if as_csv and as_json:
        raise UsageError("--csv and --json exclude each other")
    pattern = curves.name_pattern(name) if name else None
    with invocation.connect() as client:
        found = curves.chosen(client.metrics(run_id), pattern)
    if as_json:
        print_json({"run": run_id, "metrics": found})
    elif as_csv:
        print_csv(run_id, found)
    else:
        print_table(
            ("metric", "points", "first", "last", "lowest", "highest"),
            ((metric, len(points), *_summary(points)) for metric, points in found.items()),
            right=("points", "first", "last", "lowest", "highest"),
        )


def _summary(points: curves.Points) -> tuple[str, ...]:
    """First, last, lowest and highest value; the latter two of what is a finite number."""
    finite = [value for _, value in points if value is not None and math.isfinite(value)]
    ends = (min(finite), max(finite)) if finite else (None, None)
    return tuple(number(value) for value in (points[0][1], points[-1][1], *ends))


@runs.command("logs")
@click.argument("run_id", metavar="RUN", type=int)
@click.option("-n", "--lines", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run ends.")
@pass_invocation
def runs_logs(invocation: Invocation, run_id: int, lines: int, follow: bool) -> None:
    """Prints the end of a run's log."""
    from bswirl import launch

    with invocation.connect() as client:
        run = client.run(run_id)
        for line in launch.tail_log(run, lines, follow):
            click.echo(safe_text(line.rstrip("\n")))


@runs.command("cancel")
@click.argument("run_id", metavar="RUN", type=int)
@json_option
@pass_invocation
def runs_cancel(invocation: Invocation, run_id: int, as_json: bool) -> None:
    """Asks a run to end; what it has done stays, and it can be resumed."""
    from bswirl import launch

    project = invocation.project()
    with invocation.connect(project) as client:
        launch.cancel_run(client, project, run_id)
        run = launch.wait_run(client, run_id, lambda _: None)
    if as_json:
        print_json(to_json(run))
    else:
        note(f"run {run_id} is {run.status}; `bswirl runs resume {run_id}` goes on from there")


@runs.command("resume")
@click.argument("run_id", metavar="RUN", type=int)
@click.option(
    "--max-cost",
    type=click.FloatRange(min=0, min_open=True),
    metavar="DOLLARS",
    help="From now on the run's calls may cost so much, over all its attempts.",
)
@detach_option
@json_option
@pass_invocation
def runs_resume(
    invocation: Invocation, run_id: int, max_cost: float | None, detach: bool, as_json: bool
) -> None:
    """Goes on with a run that was cancelled, failed or lost its worker."""
    from bswirl import launch

    project = invocation.project()
    with invocation.connect(project) as client:
        run = launch.resume_run(client, project, run_id, max_cost=max_cost, ask_trust=ask_trust)
        finish(client, project, run, detach=detach, as_json=as_json)


@runs.command("attach")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@json_option
@pass_invocation
def runs_attach(invocation: Invocation, folder: Path, as_json: bool) -> None:
    """Takes in the run folder FOLDER, worked on elsewhere with `bswirl worker`."""
    with invocation.connect() as client:
        run = client.attach_run(folder)
    if as_json:
        print_json(to_json(run))
    else:
        note(f"{run.kind} run {run.run_id} is {run.status}")
