"""What may be asked of which kind of judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bswirl.errors import UsageError
from bswirl.judging.catalogue import JudgeSpec
from bswirl.launch.options import options_of
from bswirl.policies.devices import check_device_name

JUDGE_SETTINGS: dict[str, set[str]] = {
    "rules": set(),
    "served": {"prompt", "votes", "extra_votes", "near_duplicates", "max_cost", "reuse", "batch"},
    "local": {"prompt", "near_duplicates", "batch_size", "load_in_4bit", "device"},
}
_HARMLESS = {"max_cost", "reuse"}  # a judge that makes no calls keeps to any limit
_KINDS = {
    "rules": "goes by rules",
    "served": "runs where its endpoint is",
    "local": "is a local model, which says how sure it is itself",
}


def with_judge_options(judge: JudgeSpec, options: Mapping[str, Any]) -> JudgeSpec:
    """The judge with the votes that were asked for.

    Raises UsageError where an option is for another kind of judge, votes are even, or a device is none.
    """
    for option in options_of("judge"):
        elsewhere = any(option.name in names - _HARMLESS for names in JUDGE_SETTINGS.values())
        given = options[option.name] != option.default
        if given and elsewhere and option.name not in JUDGE_SETTINGS[judge.kind]:
            raise UsageError(
                f"{option.flag} does nothing for judge {judge.name}, which {_KINDS[judge.kind]}",
                "leave it out",
            )
    if judge.kind == "local":
        check_device_name(options["device"])
    votes = options["votes"]
    if votes is None:
        return judge
    if votes % 2 == 0:
        raise UsageError(f"--votes {votes} can end in a tie", "give an odd number")
    return replace(judge, votes=votes)
