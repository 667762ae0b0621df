"""`bswirl policies` and `bswirl judges`: the models that sample and those that judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bswirl.cli.invocation import Invocation, pass_invocation
from bswirl.cli.output import json_option, note, print_json, print_table
from bswirl.errors import BswirlError
from bswirl.records import to_json

if TYPE_CHECKING:
    from bswirl.project import Project
    from bswirl.records import Judge


@click.group()
def judges() -> None:
    """The judges of the project, and which of them decides."""


@judges.command("list")
@json_option
@pass_invocation
def judges_list(invocation: Invocation, as_json: bool) -> None:
    """Lists the judges by rank; the lowest rank that has a verdict decides.

    Behind those that have judged stand the others that can be asked: by rules, and of bswirl.toml.
    """
    project = invocation.project()
    with invocation.connect(project) as client:
        known = client.judges()
    found = _judges(known, project)
    if as_json:
        print_json({"judges": found})
        return
    print_table(
        ("number", "rank", "judge", "model", "at", "prompt", "verdicts", ""),
        (
            (
                judge["judge_id"],
                judge["rank"],
                judge["name"],
                judge["model"],
                judge["endpoint"],
                (judge["prompt_sha"] or "")[:12] or None,
                judge["verdicts"],
                _remark(judge),
            )
            for judge in found
        ),
        right=("number", "rank", "verdicts"),
    )


def _remark(judge: dict[str, Any]) -> str:
    if judge["error"] or judge["configured"]:
        return judge["error"] or ""
    return "with another model or prompt than now" if judge["prompt_sha"] else "imported"


def _judges(known: list[Judge], project: Project) -> list[dict[str, Any]]:
    """Judges that gave verdicts, in their order, then others that can be asked."""
    from bswirl.judging.catalogue import judge_names, resolve_judge

    unknown = {"configured": False, "kind": None, "endpoint": None, "error": None}
    found = [{**to_json(judge), **unknown} for judge in known]
    for name in judge_names(project):
        about: dict[str, Any] = {**unknown, "configured": True}
        identity: tuple[str, str | None, str | None] = (name, None, None)
        try:
            spec = resolve_judge(name, project)
            identity = (name, spec.model, spec.prompt_sha)
            about |= {
                "kind": spec.kind,
                "endpoint": spec.served.endpoint if spec.served is not None else None,
            }
        except BswirlError as error:
            about["error"] = str(error)
        same = [row for row in found if (row["name"], row["model"], row["prompt_sha"]) == identity]
        if same:
            same[0].update(about)
            continue
        new = {"judge_id": None, "name": name, "model": identity[1], "prompt_sha": identity[2], "rank": None}
        found.append({**new, "verdicts": 0, **about})
    return found


@judges.command("rank")
@click.argument("judge")
@click.argument("rank", type=click.IntRange(min=1), required=False)
@click.option("--never", is_flag=True, help="Take the rank away: the judge decides nothing.")
@pass_invocation
def judges_rank(invocation: Invocation, judge: str, rank: int | None, never: bool) -> None:
    """Gives JUDGE a rank: 1 decides before 2, and so on.

    JUDGE is a number of `bswirl judges list`, or a name, which means the newest judge of that name.
    """
    if (rank is None) != never:
        raise click.UsageError("give either a rank or --never")
    with invocation.connect() as client:
        numbered = [known for known in client.judges() if judge == str(known.judge_id)]
        if numbered:
            client.rank_judge(numbered[0].name, rank, judge_id=numbered[0].judge_id)
        else:
            client.rank_judge(judge, rank)
    note(f"judge {judge} decides nothing now" if never else f"judge {judge} has rank {rank} now")


@click.group()
def policies() -> None:
    """The models that can be sampled, trained and evaluated."""


@policies.command("list")
@json_option
@pass_invocation
def policies_list(invocation: Invocation, as_json: bool) -> None:
    """Lists the policies known by name; a folder or hub id works without being listed."""
    from bswirl.policies.catalogue import policy_names, resolve_policy

    project = invocation.project()
    found: list[dict[str, Any]] = []
    for name in policy_names(project):
        try:
            spec = resolve_policy(name, project)
            # The prompts' texts are long: `bswirl prompts list` tells which they are.
            found.append({**spec.to_json(), "prompts": sorted(spec.prompts), "error": None})
        except BswirlError as error:
            found.append({"name": name, "model": None, "adapters": [], "served": None, "error": str(error)})
    if as_json:
        print_json({"policies": found})
        return
    print_table(
        ("policy", "model", "at", "adapters", ""),
        (
            (
                policy["name"],
                policy["model"],
                policy["served"]["endpoint"] if policy["served"] else None,
                len(policy["adapters"]),
                policy["error"] or policy["description"],
            )
            for policy in found
        ),
        right=("adapters",),
    )
