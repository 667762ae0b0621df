"""The judges that can be asked for, by name. Light: nothing here loads a model or calls one."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from bswirl.errors import UsageError
from bswirl.judging import answer_check, reference
from bswirl.policies.catalogue import PolicySpec, local_spec, read_prompt
from bswirl.project import Project, load_settings
from bswirl.records import from_json
from bswirl.serving.calls import ServedModel
from bswirl.serving.endpoints import served_model
from bswirl.settings import JudgeSettings

JudgeKind = Literal["rules", "served", "local"]


@dataclass(frozen=True, slots=True)
class JudgeSpec:
    """A judge. `prompt_sha` names its exact rules or prompt, so that verdicts of each stay apart.

    Frozen into a run's config: a judge that is a model needs no settings any more.
    """

    name: str
    model: str  # "rules", or the model's name
    prompt_sha: str
    kind: JudgeKind = "rules"
    served: ServedModel | None = None
    local: PolicySpec | None = None
    prompt: str | None = None  # the prompt file's text
    votes: int = 1  # odd
    temperature: float = 0.0
    max_tokens: int = 1024  # longest reply

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> JudgeSpec:
        """The spec that `to_json` wrote. Raises InputError where a key is missing."""
        return from_json(cls, value)


def _by_rules(name: str, version: str) -> JudgeSpec:
    return JudgeSpec(name, "rules", hashlib.sha256(version.encode()).hexdigest())


ANSWER_CHECK = _by_rules("answer-check", answer_check.VERSION)
REFERENCE = _by_rules("reference", reference.VERSION)
JUDGES: dict[str, JudgeSpec] = {spec.name: spec for spec in (REFERENCE, ANSWER_CHECK)}


def judge_names(project: Project | None = None) -> list[str]:
    """The judges by rules, and those of the project's settings."""
    return [*JUDGES, *(load_settings(project).judges if project is not None else ())]


def resolve_judge(
    name: str, project: Project | None = None, prompt_file: str | Path | None = None
) -> JudgeSpec:
    """The judge that `name` means: one by rules, or one of the project's settings.

    `prompt_file` goes before the settings' prompt. Raises UsageError, naming those there are, where the name
    is unknown or a judge by rules is given a prompt, and InputError where a prompt or a model is wrong.
    """
    if name in JUDGES:
        if prompt_file is not None:
            raise UsageError(
                f"judge {name} goes by rules, not by a prompt",
                "leave it out, or name a judge that is a model",
            )
        return JUDGES[name]
    judges = load_settings(project).judges if project is not None else {}
    if name not in judges:
        raise UsageError(
            f"unknown judge {name!r}",
            f"known: {', '.join(judge_names(project))}; others are named in bswirl.toml: [judges.NAME]",
        )
    return _from_settings(judges[name], prompt_file)


def _from_settings(settings: JudgeSettings, prompt_file: str | Path | None) -> JudgeSpec:
    prompt = read_prompt(settings.prompt if prompt_file is None else str(prompt_file), "judge")
    served = served_model(settings.served) if settings.served is not None else None
    local = None if served is not None else local_spec(settings.name, settings.path)
    return JudgeSpec(
        name=settings.name,
        model=served.model if served is not None else settings.model,
        prompt_sha=prompt.sha,
        kind="served" if served is not None else "local",
        served=served,
        local=local,
        prompt=prompt.text,
        votes=settings.votes,
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
    )
