"""Rounds of sampling until groups are live, conducted by a process of their own that outlives its starter."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bswirl.client import Client
from bswirl.client.spawn import module_environment, spawn_module
from bswirl.errors import BswirlError, InputError, UsageError
from bswirl.launch.keys import AskTrust
from bswirl.launch.options import Option, command_line, options_of, typed
from bswirl.launch.requests import RunRequest, make_request
from bswirl.launch.rounds import Rounds, UntilLive, check_rule
from bswirl.launch.rounds_record import LOG_NAME, RoundsWork, read_record, under_way
from bswirl.launch.scope import scope_prefix
from bswirl.launch.selected import with_selection
from bswirl.launch.start import cancel_run
from bswirl.project import Project
from bswirl.records import LIVE_STATUSES
from bswirl.runs.locks import lock_holder

_POLL_SECONDS = 0.1
_START_SECONDS = 60.0  # of a process that neither begins nor ends

_RULE = (
    Option("judge", "text", None, "with until live: who judges; must be ranked", optional=True),
    Option("round_size", "whole", 2, "with until live: samples a round adds to an undecided group", least=1),
    Option("max_branches", "whole", 12, "with until live: most branches of a state", least=1, most=1000),
    Option(
        "dead_below",
        "number",
        0.05,
        "with until live: give a group up where the chance that it becomes live is below this",
        least=0.0,
        below=1.0,
    ),
)
ROUND_OPTIONS = (
    Option(
        "until_live",
        "flag",
        False,
        "begin with these branches, judge, and sample more only where a group is undecided",
    ),
    *_RULE,
)


def form_options(kind: str) -> tuple[Option, ...]:
    """All that a form of that kind of run offers."""
    return (*options_of(kind), *(ROUND_OPTIONS if kind == "generate" else ()))


def form_command(kind: str, values: Mapping[str, Any]) -> str:
    """The shell command that does what the form says. Raises UsageError as the command would."""
    options, rule = split_rule(values)
    words = command_line(kind, options)
    if not rule:
        return words
    told = [(option, rule.get(option.name)) for option in _RULE]
    flags = [
        f"{option.flag} {shlex.quote(typed(value))}"
        for option, value in told
        if value is not None and value != option.default
    ]
    return " ".join([words, "--until-live", *flags])


def checked_command(client: Client, project: Project, kind: str, values: Mapping[str, Any]) -> str:
    """The command, where a shell in any folder would take it.

    Raises as the run's start would, before it reads its input. Whether the keys of endpoints are there is not
    looked at.
    """
    options, rule = split_rule(values)
    request = make_request(kind, project, options)
    if rule:
        check_rule(client, project, request, UntilLive(**rule))
    with_selection(client, request)
    return form_command(kind, _in_any_folder(request, values))


def _in_any_folder(request: RunRequest, values: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for, with files and folders by their absolute paths."""
    paths = {name: request.settings.get(name) for name in ("policy", "prompt")}
    return {**values, **{name: path for name, path in paths.items() if values.get(name) and path}}


def split_rule(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of the runs, and the rule of the rounds; that one is empty without `until_live`.

    Raises UsageError where a rule is given without it, or the judge is missing.
    """
    if "until_live" not in values:
        return dict(values), {}
    names = {option.name for option in ROUND_OPTIONS}
    options = {name: value for name, value in values.items() if name not in names}
    said = [option for option in _RULE if values.get(option.name) not in (None, "")]
    given = {option.name: option.check(values[option.name]) for option in said}
    if not values["until_live"]:
        if given:
            flags = " ".join(option.flag for option in _RULE if option.name in given)
            raise UsageError(f"{flags}: only with --until-live", "switch that on, or leave it empty")
        return options, {}
    if "judge" not in given:
        raise UsageError("--judge is needed for rounds: a group is live by its rewards", "it must be ranked")
    return options, given


def start_rounds(
    client: Client, project: Project, values: Mapping[str, Any], *, ask_trust: AskTrust | None = None
) -> Path:
    """Checks what was asked for and starts the process that conducts the rounds; returns its log.

    Each stage is a run of the project. Where one fails or is cancelled the process ends, and the same request
    goes on from there. Raises as `Rounds`, and BswirlError where no process can be started.
    """
    options, rule = split_rule(values)
    made = Rounds(client, project, options, UntilLive(**rule), ask_trust=ask_trust)  # only to be checked
    if lock_holder(made.record.lock_file) is not None:
        raise under_way(made.record.lock_file)
    request = make_request("generate", project, options)
    return _conduct(project, _in_any_folder(request, values), made.record.lock_file)


def continue_rounds(
    client: Client, project: Project, work: RoundsWork, *, ask_trust: AskTrust | None = None
) -> Path:
    """Starts the process anew that conducts rounds which ended early. Raises as `start_rounds`."""
    if work.status in ("running", "done"):
        raise InputError(f"these rounds are {work.status}", "only what ended early can be gone on with")
    made = Rounds(client, project, dict(work.options), UntilLive(**work.rule), ask_trust=ask_trust)
    if made.record.path != work.path:
        raise InputError("these rounds are of another version", "start them anew with the same settings")
    return _conduct(project, values_of(work), made.record.lock_file)


def cancel_rounds(client: Client, project: Project, work: RoundsWork) -> None:
    """Asks the rounds to end, with the run of them that is under way; they can be gone on with.

    Raises InputError where they have ended.
    """
    try:
        record = read_record(work.path)
    except FileNotFoundError:
        raise InputError("these rounds are done already", "nothing of them is under way") from None
    if lock_holder(record.lock_file) is not None:
        record.cancel_file.touch()
        return
    runs = [client.run(number) for number in record.runs.values()]
    live = [run.run_id for run in runs if run.status in LIVE_STATUSES]
    if not live:
        raise InputError(f"these rounds are {work.status} already", "nothing of them is under way")
    for number in live:
        cancel_run(client, project, number)


def values_of(work: RoundsWork) -> dict[str, Any]:
    """What a form would have said for these rounds."""
    return {**work.options, "until_live": True, **work.rule}


def _conduct(project: Project, values: Mapping[str, Any], lock_file: Path) -> Path:
    """Starts the process, and returns once it holds that lock. Raises BswirlError where it ends before."""
    words = shlex.split(form_command("generate", values))[1:]
    log_path = project.state_folder / LOG_NAME
    try:
        with log_path.open("ab") as log:
            begin = log.tell()
            process = spawn_module(
                "bswirl.cli",
                ["-p", str(project.root), *words],
                environment=module_environment(os.environ),
                output=log,
                prefix=scope_prefix(),
            )
    except OSError as error:
        raise BswirlError(
            f"the rounds could not be started: {error.strerror or error}",
            "the same command does it from a shell",
        ) from error
    waited = 0.0
    while lock_holder(lock_file) is None and process.poll() is None and waited < _START_SECONDS:
        time.sleep(_POLL_SECONDS)
        waited += _POLL_SECONDS
    if process.poll():
        said = log_path.read_bytes()[begin:].decode("utf-8", "replace").strip().splitlines()
        raise BswirlError(
            f"the rounds ended at once: {said[-1] if said else 'no word why'}", f"see {log_path}"
        )
    return log_path
