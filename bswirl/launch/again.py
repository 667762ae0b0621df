"""The options that a run was started with, for another like it: from its frozen settings."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from bswirl.errors import UsageError
from bswirl.launch.options import command_line, options_of
from bswirl.records import Run
from bswirl.runs.folder import RunFolder
from bswirl.selections import SELECTION_FIELDS

_PAST_LIMIT = "past its limit of $"  # in the error of a run that ended at its cost limit


def options_again(run: Run) -> dict[str, Any]:
    """What would be asked for to start the same run once more.

    Raises UsageError where no options do: for an import, and for a round that leans on earlier ones.
    """
    config = run.config
    settings, select = dict(config.get("settings") or {}), dict(config.get("select") or {})
    if settings.get("grow"):
        raise UsageError(
            f"run {run.run_id} is a round of sampling that depends on the rounds before it",
            "`bswirl generate --until-live` starts such rounds",
        )
    known = {option.name for option in options_of(run.kind)}
    on_test = run.kind == "train" and select.get("split") == "test"
    named = config.get("selection")
    if isinstance(named, dict) and named.get("name"):
        select = {name: value for name, value in select.items() if name not in SELECTION_FIELDS}
        settings["selection"] = named["name"]
    found = {name: value for name, value in {**select, **settings}.items() if name in known}
    if on_test:
        found["allow_test"] = True
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}


def command_again(run: Run) -> str:
    """The shell command that starts the same run once more. Raises as `options_again`."""
    return command_line(run.kind, options_again(run))


def in_project(command: str, root: Path) -> str:
    """The command, from whatever folder it is given."""
    program, rest = command.split(" ", 1)
    return f"{program} -p {shlex.quote(str(root))} {rest}"


def cost_limit(run: Run) -> float | None:
    """The dollars that the run may cost now, over all its attempts; None where there is no limit."""
    try:
        return float(RunFolder(Path(run.folder)).max_cost_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        limit = (run.config.get("settings") or {}).get("max_cost")
        return float(limit) if isinstance(limit, int | float) else None


def stopped_at_limit(run: Run) -> bool:
    """Whether the run ended because its next call could have cost more than its limit."""
    return run.status == "failed" and _PAST_LIMIT in (run.error or "") and cost_limit(run) is not None
