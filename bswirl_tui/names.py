"""Names that the project knows, for the fields of forms that take one, with a word about each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bswirl.errors import BswirlError
from bswirl.runs.folder import RunFolder
from bswirl_tui.text import count

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl.records import Judge, Run
    from bswirl.serving.calls import ServedModel

NAMED_RUNS = 200  # the newest, which may have made a policy


def known_names(client: Client) -> dict[str, list[str]]:
    """Names that the project knows, by the option that takes them; `used`: policies of runs, newest first."""
    from bswirl.judging.catalogue import judge_names
    from bswirl.policies.catalogue import policy_names

    runs = client.runs(limit=NAMED_RUNS)
    used = [str(run.config.get("settings", {}).get("policy") or "") for run in runs]
    judges = [*judge_names(client.project), *(judge.name for judge in client.judges())]
    return {
        "policy": [*_trained(runs), *policy_names(client.project)],
        "dataset": sorted({str(entry["dataset"]) for entry in client.datasets()}),
        "judge": list(dict.fromkeys(judges)),
        "used": list(dict.fromkeys(name for name in used if name)),
    }


def described_names(client: Client, option: str) -> list[tuple[str, str]]:
    """The names that an option takes, each with what it is: model, endpoint, whether its key is there."""
    described = {"policy": _policies, "judge": _judges, "dataset": _datasets}
    return list(described[option](client)) if option in described else []


def _trained(runs: list[Run]) -> list[str]:
    """Policies that training runs made, then the best steps of all of them."""
    made = [run for run in runs if run.kind == "train" and run.config.get("settings", {}).get("policy")]
    names = {run.run_id: f"{run.config['settings']['policy']}@{run.run_id}" for run in made}
    best = [f"{names[run.run_id]}/best" for run in made if RunFolder(Path(run.folder)).best.is_dir()]
    return [*(names[run.run_id] for run in made if run.status == "done"), *best]


def _policies(client: Client) -> Iterator[tuple[str, str]]:
    from bswirl.policies.catalogue import policy_names, resolve_policy

    yield from ((name, "trained here") for name in _trained(client.runs(limit=NAMED_RUNS)))
    for name in policy_names(client.project):
        try:
            spec = resolve_policy(name, client.project)
        except BswirlError as error:
            yield name, str(error)
        else:
            yield name, _at(spec.served) if spec.served is not None else f"local model {spec.model}"


def _judges(client: Client) -> Iterator[tuple[str, str]]:
    from bswirl.judging.catalogue import judge_names, resolve_judge

    known = client.judges()
    for name in judge_names(client.project):
        try:
            spec = resolve_judge(name, client.project)
        except BswirlError as error:
            yield name, str(error)
            continue
        where = _at(spec.served) if spec.served is not None else "by rules"
        if spec.local is not None:
            where = f"local model {spec.model}"
        same = [judge for judge in known if (judge.name, judge.prompt_sha) == (name, spec.prompt_sha)]
        yield name, "; ".join([_standing(same), where])


def _standing(judges: list[Judge]) -> str:
    if not judges:
        return "has judged nothing yet"
    rank = "no rank" if judges[0].rank is None else f"rank {judges[0].rank}"
    return f"{rank}, {count(judges[0].verdicts, 'verdict')}"


def _datasets(client: Client) -> Iterator[tuple[str, str]]:
    found: dict[str, list[str]] = {}
    for entry in client.datasets():
        words = f"{entry['split']} {entry['questions']:,}"
        found.setdefault(str(entry["dataset"]), []).append(words)
    yield from ((name, ", ".join(splits)) for name, splits in sorted(found.items()))


def _at(model: ServedModel) -> str:
    """Where a served model is, and what is amiss with its key."""
    from bswirl.serving.keys import is_set, is_trusted

    key = ""
    if model.key_variable is not None and not is_set(model.key_variable):
        key = f"; its key ${model.key_variable} is not set"
    elif not is_trusted(model):
        key = "; its key was never sent there: starting asks"
    return f"{model.model} at {model.endpoint}{key}"
