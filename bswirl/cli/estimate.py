"""What a run on a served model would call and cost, in words: `--dry-run`, and before such a run starts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from bswirl.cli.invocation import Invocation
from bswirl.cli.output import Command, note, print_facts, print_json
from bswirl.display import money as money
from bswirl.display import safe_text

if TYPE_CHECKING:
    from bswirl.launch.estimate import Estimate, Range


def dry_run_option(command: Command) -> Command:
    """Adds `--dry-run` to a command that starts a run."""
    return click.option(
        "--dry-run",
        is_flag=True,
        help="Say what the run would call and cost (calls, tokens, dollars), and start nothing.",
    )(command)


def show_estimate(invocation: Invocation, kind: str, options: dict[str, Any], *, as_json: bool) -> None:
    """Prints the estimate of the run that the options describe."""
    from bswirl import launch

    project = invocation.project()
    given = {name: value for name, value in options.items() if value is not None}
    request = launch.make_request(kind, project, given)
    with invocation.connect(project) as client:
        estimate = launch.estimate_run(client, request)
    if as_json:
        print_json(estimate.to_json())
    else:
        print_facts(estimate_facts(estimate))


def note_estimate(estimate: Estimate) -> None:
    """The estimate in a line on stderr."""
    cost = "" if estimate.cost is None else f", {_dollars(estimate.cost)}"
    note(
        f"{safe_text(estimate.model, one_line=True)}: {_count(estimate.calls)} calls, "
        f"{_count(estimate.prompt_tokens)} tokens in, {_count(estimate.completion_tokens)} out{cost}"
    )


def estimate_facts(estimate: Estimate) -> Iterator[tuple[str, object]]:
    """The estimate as names and values."""
    yield "model", estimate.model
    yield "calls", _count(estimate.calls)
    yield "tokens in", _count(estimate.prompt_tokens)
    yield "tokens out", _count(estimate.completion_tokens)
    yield "cost", None if estimate.cost is None else _dollars(estimate.cost)
    for line in estimate.notes:
        yield "by", line
    if estimate.measured_runs:
        yield "measured in", ", ".join(f"run {number}" for number in estimate.measured_runs)


def _count(value: Range) -> str:
    if round(value.low) == round(value.high):
        return f"{value.likely:,.0f}"
    return f"{value.likely:,.0f} ({value.low:,.0f} to {value.high:,.0f})"


def _dollars(value: Range) -> str:
    return f"{money(value.likely)} ({money(value.low)} to {money(value.high)})"
