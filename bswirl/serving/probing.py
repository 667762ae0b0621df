"""What an endpoint can do, found out by a few small calls."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import httpx
import together

from bswirl.serving.calls import Call, RefusedError, ServedModel
from bswirl.serving.client import Client, open_client
from bswirl.serving.keys import key_for
from bswirl.serving.request import encode_call
from bswirl.serving.sending import Answer, Sender
from bswirl.serving.setbacks import Setback, of_exception

Support = Literal["yes", "ignored", "no", "unknown"]  # "ignored": taken, and without effect

_SECONDS = 20.0  # for one call: a server may have to load the model first
_MODELS_SECONDS = 5.0
_PAUSE_SECONDS = 0.2
_MOST_BYTES = 16 * 1024 * 1024
_SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"sum": {"type": "integer"}},
        "required": ["sum"],
        "additionalProperties": False,
    }
)


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found out about one model at an endpoint. `problem`: why it cannot be used as it stands."""

    endpoint: str
    url: str
    model: str  # empty where nobody names a model there
    reachable: bool = False
    key: Literal["none", "accepted", "refused", "not sent", "unknown"] = "unknown"
    listed: bool | None = None  # whether /models has the model; None where it does not tell
    answers: bool = False
    seconds: float | None = None  # that the first answer took
    supports: dict[str, Support] = field(default_factory=dict)  # n, seed, logprobs, json_schema
    problem: str | None = None
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def probe(models: list[ServedModel]) -> list[Probe]:
    """Asks all of them at once. A key goes only where the user allowed it; nothing is raised."""
    return asyncio.run(_probe_all(models))


async def _probe_all(models: list[ServedModel]) -> list[Probe]:
    return list(await asyncio.gather(*(_probe(model) for model in models)))


async def _probe(model: ServedModel) -> Probe:
    try:
        key = key_for(model)
    except RefusedError as error:
        blank = Probe(model.endpoint, model.url, model.model, key="not sent")
        return replace(blank, problem=error.message, remedy=error.remedy)
    async with open_client(model, key) as client:
        found = await _look(Probe(model.endpoint, model.url, model.model), model, client, key)
        if found.problem is None and model.model:
            return await _try(found, model, Sender(model, client, key))
        return found


async def _look(found: Probe, model: ServedModel, client: Client, key: str | None) -> Probe:
    """Asks for the list of models, which costs nothing."""
    status, names = 0, None
    try:
        async with asyncio.timeout(_MODELS_SECONDS):
            response = await client.get("/models", cast_to=httpx.Response)
        status, names = 200, _names(response.content)
    except together.APIStatusError as error:
        status = error.response.status_code
    except TimeoutError:
        return replace(found, problem=f"{model.url} does not answer", remedy="is the server up?")
    except (together.TogetherError, OSError, ValueError) as error:
        setback = of_exception(error, model, key)
        return replace(found, problem=setback.message, remedy="start the server, or check `url`")
    found = replace(found, reachable=True)
    if status in (401, 403):
        return _refused(found, model, status)
    if status == 200:
        listed = model.model in names if names is not None and model.model else None
        # Some servers list their models to everybody: that a key is good only a call says.
        return replace(found, key="none" if key is None else "unknown", listed=listed)
    return found


def _refused(found: Probe, model: ServedModel, status: int) -> Probe:
    if model.key_variable is None:
        return replace(
            found,
            key="refused",
            problem=f"the server wants a key ({status})",
            remedy=f'name its variable: key = "MY_KEY" in [endpoints.{model.endpoint}]',
        )
    return replace(
        found,
        key="refused",
        problem=f"the server refuses the key in ${model.key_variable} ({status})",
        remedy="check the key at its provider",
    )


async def _try(found: Probe, model: ServedModel, sender: Sender) -> Probe:
    """A first small call, and where it is answered one for each thing that a server may lack."""
    first = await _ask(Call(messages=_SAY, max_tokens=1, temperature=0.0), model, sender)
    if isinstance(first, Setback):
        about_key = first.message.startswith(("the server refuses the key", "the server wants a key"))
        key = "refused" if about_key else found.key
        return replace(found, key=key, problem=first.message, remedy=first.remedy)
    supports = {
        "n": await _n(model, sender),
        "seed": await _seed(model, sender),
        "logprobs": await _logprobs(model, sender),
        "json_schema": await _schema(model, sender),
    }
    return replace(
        found,
        key="none" if model.key_variable is None else "accepted",
        answers=True,
        seconds=first.latency,
        supports=supports,
    )


_SAY = (("user", "Name a number between one and a hundred."),)


async def _n(model: ServedModel, sender: Sender) -> Support:
    found = await _ask(Call(messages=_SAY, max_tokens=1, n=2), model, sender)
    if isinstance(found, Setback):
        return _lacks(found)
    return "yes" if len(found.reading.choices) == 2 else "ignored"


async def _seed(model: ServedModel, sender: Sender) -> Support:
    """Kept where two draws with one seed are the same: at this temperature they hardly are by chance."""
    call = Call(messages=_SAY, max_tokens=12, temperature=1.5, seed=20_011)
    draws = [await _ask(call, model, sender) for _ in range(2)]
    texts = []
    for draw in draws:
        if isinstance(draw, Setback):
            return _lacks(draw)
        texts.append(draw.reading.choices[0].text)
    return "yes" if texts[0] == texts[1] else "ignored"


async def _logprobs(model: ServedModel, sender: Sender) -> Support:
    found = await _ask(Call(messages=_SAY, max_tokens=1, temperature=0.0, logprobs=True), model, sender)
    if isinstance(found, Setback):
        return _lacks(found)
    return "yes" if found.reading.choices[0].logprob is not None else "ignored"


async def _schema(model: ServedModel, sender: Sender) -> Support:
    asked = (("user", "What is 2 + 3? Think aloud."),)
    found = await _ask(Call(messages=asked, max_tokens=24, temperature=0.0, schema=_SCHEMA), model, sender)
    if isinstance(found, Setback):
        return _lacks(found)
    try:
        said = json.loads(found.reading.choices[0].text)
    except (ValueError, RecursionError):
        return "ignored"
    return "yes" if isinstance(said, dict) and set(said) == {"sum"} else "ignored"


def _lacks(setback: Setback) -> Support:
    """A refusal that names the parameter says no; load and broken connections say nothing."""
    return "no" if setback.then in ("without", "fail") else "unknown"


async def _ask(call: Call, model: ServedModel, sender: Sender) -> Answer | Setback:
    """The answer to one call; asked once more where the connection broke or the server had no room."""
    body = encode_call(call, model)
    try:
        async with asyncio.timeout(_SECONDS):
            found = await sender.send(call, body, frozenset())
            if isinstance(found, Setback) and found.then == "again":
                await asyncio.sleep(_PAUSE_SECONDS)
                found = await sender.send(call, body, frozenset())
            return found
    except TimeoutError:
        return Setback("again", f"{model.url} does not answer a call within {_SECONDS:g} seconds")


def _names(content: bytes) -> set[str] | None:
    """The models that a list names, in either of the two shapes that servers give it."""
    try:
        found = json.loads(content) if len(content) <= _MOST_BYTES else None
    except (ValueError, RecursionError):
        return None
    rows = found.get("data") if isinstance(found, dict) else found
    if not isinstance(rows, list):
        return None
    return {row["id"] for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)}
