"""Starting a run from the command line and waiting for it: progress, Ctrl-C, and how it ended."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from bswirl.cli.output import Command, note, print_facts, print_json
from bswirl.display import money, spending_words
from bswirl.errors import BswirlError, CancelledError, ExitCode
from bswirl.records import LIVE_STATUSES, to_json

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from bswirl.client import Client
    from bswirl.project import Project
    from bswirl.records import Run

QUIET_SECONDS = 10.0  # between lines where stderr is no terminal


def detach_option(command: Command) -> Command:
    """Adds `--detach` to a command that starts a run."""
    return click.option(
        "--detach", is_flag=True, help="Print the run's number and leave it running instead of waiting."
    )(command)


def finish(client: Client, project: Project, run: Run, *, detach: bool, as_json: bool) -> None:
    """Waits for a started run and prints its summary; with `detach` prints its number at once."""
    if not detach:
        run = wait(client, project, run)
    if as_json:
        print_json(to_json(run))
    elif detach:
        click.echo(run.run_id)
        note(f"{run.kind} run {run.run_id} goes on by itself; {_how_it_stands(run)}")
    else:
        print_run(run)


def print_run(run: Run) -> None:
    """A finished run's number and summary."""
    summary = {**run.summary, "spending": spending_words(run.summary)}
    facts = [(name.replace("_", " "), _in_words(value)) for name, value in summary.items() if value != ""]
    print_facts([("run", run.run_id), *facts])


def _in_words(value: object) -> object:
    """Counts by name, such as the reasons why actions stayed unjudged, as people write them."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items()) or None
    return value


def _how_it_stands(run: Run) -> str:
    return f"`bswirl runs show {run.run_id}` says how it stands"


def wait(client: Client, project: Project, run: Run) -> Run:
    """Waits for a run with a progress bar. Returns it when it is done.

    Ctrl-C cancels the run. Raises the run's own failure, or CancelledError where it was cancelled.
    """
    from bswirl import launch

    note(f"{run.kind} run {run.run_id} started; Ctrl-C cancels it")
    try:
        with _progress(run) as show:
            ended = launch.wait_run(client, run.run_id, show)
    except KeyboardInterrupt:
        ended = _cancel(client, project, run)
    return _checked(ended)


def _cancel(client: Client, project: Project, run: Run) -> Run:
    """Cancels a run and waits until it has ended; a second Ctrl-C leaves at once."""
    from bswirl import launch

    note(f"cancelling run {run.run_id} …")
    try:
        launch.cancel_run(client, project, run.run_id)
        return launch.wait_run(client, run.run_id, lambda _: None)
    except KeyboardInterrupt:
        raise CancelledError(
            f"left run {run.run_id} while it was ending",
            f"`bswirl runs show {run.run_id}` says how it stands",
        ) from None


def _checked(run: Run) -> Run:
    """The run if it is done. Raises what became of it otherwise."""
    if run.status == "done":
        return run
    name = f"run {run.run_id}"
    if run.status == "cancelled":
        raise CancelledError(f"{name} was cancelled", f"`bswirl runs resume {run.run_id}` goes on from there")
    if run.status in LIVE_STATUSES:
        raise BswirlError(f"{name} is still {run.status}", _how_it_stands(run))
    if run.status == "lost":
        raise BswirlError(
            f"{name} was lost: its worker ended without a word", f"`bswirl runs resume {run.run_id}` goes on"
        )
    error = BswirlError(
        f"{name} failed: {run.error or 'no reason given'}", f"`bswirl runs logs {run.run_id}` shows its log"
    )
    if run.exit_code in (ExitCode.USAGE, ExitCode.BAD_INPUT):
        error.exit_code = ExitCode(run.exit_code)
    raise error


@contextmanager
def _progress(run: Run) -> Iterator[Callable[[Run], None]]:
    """A function that shows how far the run is: a bar on a terminal, else a line now and then."""
    if sys.stderr.isatty():
        with progress_bar() as bar:
            task = bar.add_task(f"{run.kind} {run.run_id}", total=None, state=run.status)

            def show(now: Run) -> None:
                bar.update(task, **_bar_fields(now))

            yield show
    else:
        yield _Lines(run)


def progress_bar() -> Bar:
    """A bar on stderr that leaves nothing behind; a task has a text, `state`."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[state]}"),
        console=Console(stderr=True),
        refresh_per_second=2,
        transient=True,
    )


def _bar_fields(run: Run) -> dict[str, Any]:
    state = (how_far(run) or "running") if run.status == "running" else run.status
    if run.progress is None or not run.progress.total:
        return {"state": state}
    return {"state": state, "total": run.progress.total, "completed": run.progress.done}


class _Lines:
    """Progress as lines on stderr: when the status changes, and every few seconds."""

    def __init__(self, run: Run) -> None:
        self._status = run.status
        self._said = 0.0

    def __call__(self, run: Run) -> None:
        import time

        if run.status != self._status:
            self._status = run.status
            if run.status == "queued":
                note(f"run {run.run_id} is queued")
        if run.progress is not None and time.monotonic() - self._said >= QUIET_SECONDS:
            self._said = time.monotonic()
            note(f"run {run.run_id}: {how_far(run)}")


def how_far(run: Run) -> str:
    """What is done of how much, and for a running run the time that the rest takes; empty where unknown.

    Of a queued run, which device it waits for and who has it.
    """
    waiting = run.summary.get("waiting")
    if run.status == "queued" and isinstance(waiting, str):
        return waiting
    progress = run.progress
    if progress is None or not progress.total:
        return ""
    done = f"{progress.done}/{progress.total} {progress.unit}".rstrip()
    seconds = progress.eta_seconds
    if run.status != "running" or seconds is None or progress.done == progress.total:
        return done
    return ", ".join(filter(None, [done, _cost(run), time_left(seconds)]))


def _cost(run: Run) -> str:
    """What the run's calls have cost so far; empty where nothing was paid."""
    spending = run.summary.get("spending")
    cost = spending.get("cost") if isinstance(spending, dict) else None
    return money(cost) if cost else ""


def time_left(seconds: float) -> str:
    """`1:02:03 left`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} left"
