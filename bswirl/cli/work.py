"""`bswirl judge`, `train` and `evaluate`; `bswirl.launch` says which options each has."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import click

from bswirl.cli.estimate import dry_run_option, note_estimate, show_estimate
from bswirl.cli.invocation import Invocation, pass_invocation
from bswirl.cli.output import Command, json_option, note, note_wrapped, number, print_facts, print_json
from bswirl.cli.trusting import ask_trust
from bswirl.cli.waiting import detach_option, finish, print_run, wait
from bswirl.errors import UsageError
from bswirl.launch.forecast_words import forecast_facts, forecast_lines
from bswirl.records import to_json

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl.evaluation.compare import Comparison
    from bswirl.launch import Option
    from bswirl.records import Run
    from bswirl.training.forecast import Forecast

_CLICK_TYPES: dict[str, type] = {"whole": int, "number": float, "text": str, "list": str, "range": str}
_METAVARS = {"whole": "N", "number": "X", "list": "A,B", "range": "A..B"}


def run_options(
    kind: str, *, only: Collection[str] | None = None, but: Collection[str] = ()
) -> Callable[[Command], Command]:
    """Adds the options of that kind of run (by name `only` some) to a command; one not given is None."""

    def decorate(command: Command) -> Command:
        from bswirl.launch import options_of

        for option in reversed(options_of(kind)):
            if (only is None or option.name in only) and option.name not in but:
                command = _click_option(option)(command)
        return command

    return decorate


def _click_option(option: Option) -> Callable[[Command], Command]:
    text = _sentence(option.help)
    if option.kind == "flag":
        spelled = f"{option.flag}/--no-{option.flag[2:]}" if option.default else option.flag
        return click.option(spelled, option.name, is_flag=True, default=None, help=text)
    if option.shown_default:
        text += f"  [{option.shown_default}]"
    return click.option(
        option.flag,
        option.name,
        type=click.Choice(option.choices) if option.choices else _CLICK_TYPES[option.kind],
        metavar=None if option.choices else _METAVARS.get(option.kind) or option.name.upper(),
        required=option.required,
        help=text,
    )


def _sentence(text: str) -> str:
    """The text with a capital, unless it begins with a word to be typed, and a full stop."""
    first = text.split(" ", 1)[0]
    return (text if first.endswith(",") else text[:1].upper() + text[1:]) + "."


def run_work(
    invocation: Invocation,
    kind: str,
    options: dict[str, Any],
    *,
    detach: bool,
    as_json: bool,
    compare: int | None = None,
) -> None:
    """Checks what was asked for, starts the run, waits for it and prints what came of it."""
    from bswirl import launch

    project = invocation.project()
    request = launch.make_request(kind, project, {name: v for name, v in options.items() if v is not None})
    with invocation.connect(project) as client:
        earlier = None if compare is None else _evaluation(client, compare)
        run = launch.start_run(
            client,
            project,
            request,
            say=note,
            on_forecast=_note_forecast,
            on_estimate=note_estimate,
            ask_trust=ask_trust,
        )
        if earlier is None:
            finish(client, project, run, detach=detach, as_json=as_json)
            return
        run = wait(client, project, run)
        comparison = _compared(client, earlier, run)
    if as_json:
        print_json({**to_json(run), "comparison": to_json(comparison)})
    else:
        print_run(run)
        print_facts(_comparison_facts(earlier, run, comparison))


def _note_forecast(forecast: Forecast) -> None:
    for line in forecast_lines(forecast):
        note_wrapped(line)


@click.command()
@run_options("judge")
@dry_run_option
@detach_option
@json_option
@pass_invocation
def judge(invocation: Invocation, /, dry_run: bool, detach: bool, as_json: bool, **options: Any) -> None:
    """Gives verdicts on the actions that have none yet."""
    if dry_run:
        show_estimate(invocation, "judge", options, as_json=as_json)
    else:
        run_work(invocation, "judge", options, detach=detach, as_json=as_json)


@click.command()
@run_options("train")
@click.option(
    "--forecast",
    "only_forecast",
    is_flag=True,
    help="Say what the run would be (live groups, tokens, memory, time) and start nothing.",
)
@detach_option
@json_option
@pass_invocation
def train(
    invocation: Invocation, /, only_forecast: bool, detach: bool, as_json: bool, **options: Any
) -> None:
    """Trains a LoRA adapter on a policy from the project's rewards.

    What the run will be is said before it starts; one that could learn nothing is refused. Questions of the
    test split are refused unless --allow-test is given.
    """
    from bswirl.launch import refuse_beside_selection

    refuse_beside_selection(options["selection"], [name for name, v in options.items() if v is not None])
    if not only_forecast:
        run_work(invocation, "train", options, detach=detach, as_json=as_json)
    elif detach:
        raise click.UsageError("--forecast starts nothing: leave out --detach")
    else:
        _forecast(invocation, options, as_json=as_json)


def _forecast(invocation: Invocation, options: dict[str, Any], *, as_json: bool) -> None:
    from bswirl import launch

    project = invocation.project()
    request = launch.make_request("train", project, {name: v for name, v in options.items() if v is not None})
    with invocation.connect(project) as client:
        forecast = launch.forecast_run(client, request, tokenise=True)
    if as_json:
        print_json(forecast.to_json())
    else:
        print_facts(forecast_facts(forecast))


@click.command()
@run_options("evaluate")
@click.option("--compare", type=int, metavar="RUN", help="Compare with evaluation RUN on the same questions.")
@dry_run_option
@detach_option
@json_option
@pass_invocation
def evaluate(
    invocation: Invocation,
    /,
    compare: int | None,
    dry_run: bool,
    detach: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Measures greedy accuracy on a split; every answer is kept."""
    if dry_run:
        show_estimate(invocation, "evaluate", options, as_json=as_json)
        return
    if compare is not None and detach:
        raise click.UsageError("--compare waits for the run's end: leave out --detach")
    run_work(invocation, "evaluate", options, detach=detach, as_json=as_json, compare=compare)


def _evaluation(client: Client, run_id: int) -> Run:
    """The finished evaluation of that number. Raises UsageError where it is something else."""
    run = client.run(run_id)
    if run.kind != "evaluate" or run.status != "done":
        raise UsageError(
            f"run {run_id} is no finished evaluation but a {run.kind} run that is {run.status}",
            "`bswirl runs list --kind evaluate` shows which there are",
        )
    return run


def _compared(client: Client, earlier: Run, later: Run) -> Comparison:
    from bswirl.evaluation.compare import compare

    return compare(client.answers(earlier.run_id), client.answers(later.run_id))


def _comparison_facts(earlier: Run, later: Run, found: Comparison) -> list[tuple[str, object]]:
    if not found.n:
        return [(f"against run {earlier.run_id}", "no question in common")]
    return [
        (f"against run {earlier.run_id}", f"{earlier.name}, on {found.n} questions that both answered"),
        (
            "correct",
            f"run {earlier.run_id}: {found.correct_a}, run {later.run_id}: {found.correct_b} "
            f"({number(found.difference, signed=True)})",
        ),
        ("fixed, broken", f"{len(found.fixed)}, {len(found.broken)}"),
        ("McNemar exact p", number(found.p)),
    ]
