"""One request to a served model and what comes of it. Light: no client is imported here."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, Protocol

from bswirl.errors import BswirlError
from bswirl.records import from_json

ChatMessage = tuple[str, str]  # role, content
FailureKind = Literal["refused", "too-long", "malformed", "gave-up"]


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model behind an OpenAI-compatible endpoint. Frozen into a run's config; holds no key.

    Prices are in dollars a million tokens; None where they are not known. `key_variable` names the
    environment variable with the key; None where the server wants none.
    """

    endpoint: str  # its name in the settings
    url: str  # with the version in it: https://api.together.xyz/v1
    model: str
    key_variable: str | None = None
    price_in: float | None = None
    price_out: float | None = None
    in_flight: int = 64  # most requests at a time
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    timeout: float = 120.0  # seconds for one attempt
    batch_discount: float = 0.0  # what a batch costs less than single calls, as a share

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ServedModel:
        """The model that `to_json` wrote. Raises InputError where a key is missing."""
        return from_json(cls, value)

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Dollars for that many tokens; what has no price counts as free."""
        return (prompt_tokens * (self.price_in or 0.0) + completion_tokens * (self.price_out or 0.0)) / 1e6

    def at_batch_price(self) -> ServedModel:
        """The same model, at what its calls cost in a batch."""
        share = 1.0 - self.batch_discount
        prices = (None if price is None else price * share for price in (self.price_in, self.price_out))
        price_in, price_out = prices
        return replace(self, price_in=price_in, price_out=price_out, batch_discount=0.0)


@dataclass(frozen=True, slots=True)
class Call:
    """One chat request. Two calls with the same content are the same call, in whatever run.

    `tag` keeps apart calls that ask the same on purpose: the second vote, the draws of two trajectories.
    """

    messages: tuple[ChatMessage, ...]
    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    n: int = 1
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    schema: str | None = None  # JSON schema, as JSON text, of what is to be answered
    tag: str = ""

    def key(self, model: ServedModel) -> str:
        """SHA-256 over what is asked of which model, at which address."""
        asked = {name: getattr(self, name) for name in _ASKED}  # in order: asdict would copy every message
        return hashlib.sha256(json.dumps([model.url, model.model, asked]).encode()).hexdigest()


_ASKED = sorted(field.name for field in fields(Call))


@dataclass(frozen=True, slots=True)
class Choice:
    """One text of a reply."""

    text: str
    finish: str  # "stop", "length", or the server's own word
    n_tokens: int | None = None  # where the server says it
    logprob: float | None = None  # the sum over its tokens, where the server gives log-probs
    tokens: tuple[str, ...] = ()
    token_logprobs: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a call brought: `n` choices, and what they cost."""

    choices: tuple[Choice, ...]
    prompt_tokens: int
    completion_tokens: int
    cost: float  # dollars
    latency: float  # seconds of the attempt that brought it
    attempts: int = 1  # requests that were sent for it
    recorded: bool = False  # from the record of an earlier call; nothing was paid for it now


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that brought nothing, and will not; others may go on."""

    kind: FailureKind
    message: str
    attempts: int = 1


class RefusedError(BswirlError):
    """The server refuses all calls: key, model or address are wrong. Nothing was paid."""


class CostLimitError(BswirlError):
    """The run has cost what it may."""


class Caller(Protocol):
    """Whoever can make calls: the engine, or one that gathers them for a batch."""

    @property
    def model(self) -> ServedModel: ...

    async def call(self, call: Call) -> Reply | Failure:
        """The reply, from the run's record where the same call was made before.

        Raises RefusedError and CostLimitError, which end the run, and CancelledError (bswirl's).
        """
        ...
