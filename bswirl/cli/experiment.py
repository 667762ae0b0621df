"""`bswirl experiment`: the learning proof on problems of our own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from bswirl.cli.output import Command, json_option, note, print_facts, print_json
from bswirl.experiment.options import QUICK, ExperimentOptions, flag


def experiment_options(command: Command) -> Command:
    """Adds every field of ExperimentOptions; one that is not given is None."""
    for entry in reversed(dataclasses.fields(ExperimentOptions)):
        text = entry.metadata["help"]
        kind = type(entry.default)
        add: Callable[[Command], Command] = click.option(
            flag(entry.name),
            entry.name,
            type=kind,
            metavar={int: "N", float: "X"}.get(kind, entry.name.upper()),
            help=f"{text[:1].upper()}{text[1:]}.  [{entry.default}]",
        )
        command = add(command)
    return command


@click.command()
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    metavar="DIR",
    default=Path("experiment"),
    help="The experiment's own project: runs, record and report.  [experiment]",
)
@click.option("--jobs", type=click.IntRange(1), metavar="N", default=1, help="Runs at once.  [1]")
@click.option("--quick", is_flag=True, help="Few problems, one configuration: a try of every stage.")
@experiment_options
@json_option
def experiment(work: Path, jobs: int, quick: bool, as_json: bool, **options: Any) -> None:
    """Trains swirl and bswirl on the same problems and compares what they learned.

    The same command goes on where an earlier one was interrupted, at whatever moment that was. The test
    problems are read once, after the configurations are chosen on the validation problems. The report
    (report.md) and all it says (record.json) lie in the work folder.
    """
    from bswirl.experiment.run import run_experiment

    given = {name: value for name, value in options.items() if value is not None}
    asked = ExperimentOptions(**{**(QUICK if quick else {}), **given})
    record = run_experiment(work, asked, jobs, note)
    if as_json:
        print_json(record.values)
        return
    verdicts = {True: "yes", False: "no", None: "not measured"}
    print_facts((aim["aim"], verdicts[aim["held"]]) for aim in record.values["results"]["aims"])
    note(f"the report is {work / 'report.md'}")
