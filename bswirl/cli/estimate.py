"""What a run would call and cost, or how long it would take: `--dry-run`, and before a served one starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bswirl.cli.invocation import Invocation
from bswirl.cli.output import Command, note, print_facts, print_json
from bswirl.display import money as money
from bswirl.launch.estimate_words import estimate_facts, estimate_line, time_facts

if TYPE_CHECKING:
    from bswirl.launch.estimate import Estimate


def dry_run_option(command: Command) -> Command:
    """Adds `--dry-run` to a command that starts a run."""
    return click.option(
        "--dry-run",
        is_flag=True,
        help="Say what the run would cost (calls, tokens, dollars) or, without an endpoint, how long it "
        "would take, and start nothing.",
    )(command)


def show_estimate(invocation: Invocation, kind: str, options: dict[str, Any], *, as_json: bool) -> None:
    """Prints the estimate of the run that the options describe."""
    from bswirl import launch

    project = invocation.project()
    given = {name: value for name, value in options.items() if value is not None}
    request = launch.make_request(kind, project, given)
    with invocation.connect(project) as client:
        if request.served:
            estimate = launch.estimate_run(client, request)
            found, facts = estimate.to_json(), estimate_facts(estimate)
        else:
            timed = launch.estimate_time(client, request)
            found, facts = timed.to_json(), time_facts(timed)
    if as_json:
        print_json(found)
    else:
        print_facts(facts)


def note_estimate(estimate: Estimate) -> None:
    """The estimate in a line on stderr."""
    note(estimate_line(estimate))
