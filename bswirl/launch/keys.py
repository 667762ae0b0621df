"""Before a run starts: are the keys of its endpoints there, and may they be sent?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from bswirl.judging.catalogue import JudgeSpec
from bswirl.policies.catalogue import PolicySpec
from bswirl.serving.calls import ServedModel
from bswirl.serving.keys import is_set, is_trusted, key_for, trust

AskTrust = Callable[[ServedModel], bool]


def check_keys(models: Iterable[ServedModel], ask: AskTrust | None = None) -> None:
    """Raises RefusedError where a model's key is missing or may not be sent.

    `ask` is asked about each new pair of variable and address; a yes is kept.
    """
    for model in models:
        variable = model.key_variable
        if (
            variable is not None
            and is_set(variable)
            and not is_trusted(model)
            and ask is not None
            and ask(model)
        ):
            trust(model.url, variable)
        key_for(model)


def trust_question(model: ServedModel) -> str:
    """What a person is asked before a key goes to an address for the first time."""
    return f"Send the key in ${model.key_variable} to {model.url}?"


def models_of(config: dict[str, Any]) -> tuple[ServedModel, ...]:
    """The models behind endpoints that a run's config names."""
    policies = [PolicySpec.from_json(spec) for spec in (config.get("policies") or {}).values()]
    judge = config.get("judge")
    specs = (*policies, *((JudgeSpec.from_json(judge),) if judge else ()))
    return tuple(dict.fromkeys(spec.served for spec in specs if spec.served is not None))
