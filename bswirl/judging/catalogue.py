"""The judges that can be asked for, by name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from bswirl.errors import UsageError
from bswirl.judging import answer_check, reference


@dataclass(frozen=True, slots=True)
class JudgeSpec:
    """A judge. `prompt_sha` names its exact rules or prompt, so that verdicts of each stay apart."""

    name: str
    model: str
    prompt_sha: str


def _by_rules(name: str, version: str) -> JudgeSpec:
    return JudgeSpec(name, "rules", hashlib.sha256(version.encode()).hexdigest())


ANSWER_CHECK = _by_rules("answer-check", answer_check.VERSION)
REFERENCE = _by_rules("reference", reference.VERSION)
JUDGES: dict[str, JudgeSpec] = {spec.name: spec for spec in (REFERENCE, ANSWER_CHECK)}


def resolve_judge(name: str) -> JudgeSpec:
    """The judge of that name. Raises UsageError, naming those there are, where it is unknown."""
    if name not in JUDGES:
        raise UsageError(f"unknown judge {name!r}", f"known: {', '.join(JUDGES)}")
    return JUDGES[name]
