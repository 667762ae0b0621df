"""The settings of a project as plain records."""

from __future__ import annotations

from dataclasses import dataclass, field

from bswirl.settings.audit import AuditSettings

DEFAULT_RANKING = ("answer-check", "reference")
TOGETHER = "together"


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """An OpenAI-compatible server. `key` is the name of an environment variable, never a key."""

    name: str
    url: str  # with the version in it, without a slash at its end
    key: str | None = None
    in_flight: int = 64
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    timeout: float = 120.0  # seconds for one attempt
    batch_discount: float = 0.0  # what a batch costs less, as a share


@dataclass(frozen=True, slots=True)
class ServedSettings:
    """A model behind an endpoint. Prices are in dollars a million tokens."""

    endpoint: EndpointSettings
    model: str
    price_in: float | None = None
    price_out: float | None = None
    batch_discount: float | None = None  # the endpoint's where None


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """A policy named in the settings: a local model with an optional adapter, or a served one."""

    name: str
    path: str = ""  # a Hugging Face folder or hub id; empty where it is served
    adapter: str | None = None
    description: str = ""
    served: ServedSettings | None = None
    solution_prompt: str | None = None  # a prompt file; the shipped one where None
    step_prompt: str | None = None


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """A judge named in the settings: a served model, or a local chat model."""

    name: str
    path: str = ""  # as a policy's; empty where it is served
    model: str = ""  # a local model as the settings write it, by which its verdicts are known
    served: ServedSettings | None = None
    description: str = ""
    prompt: str | None = None  # a prompt file; the shipped one where None
    votes: int = 1
    temperature: float = 0.0
    max_tokens: int = 1024  # longest reply


@dataclass(frozen=True, slots=True)
class KeySettings:
    """The keys of one action of the app, as they are written, and where: `FILE, line N`."""

    action: str
    keys: tuple[str, ...]
    place: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What `bswirl.toml` says."""

    auditor: str
    ranking: tuple[str, ...] = DEFAULT_RANKING
    policies: dict[str, PolicySettings] = field(default_factory=dict)
    judges: dict[str, JudgeSettings] = field(default_factory=dict)
    endpoints: dict[str, EndpointSettings] = field(default_factory=dict)  # the builtin ones among them
    audit: AuditSettings = field(default_factory=AuditSettings)
    keys: dict[str, KeySettings] = field(default_factory=dict)  # by action


def builtin_endpoints() -> dict[str, EndpointSettings]:
    """The endpoints that need no settings."""
    together = EndpointSettings(
        TOGETHER, "https://api.together.xyz/v1", "TOGETHER_API_KEY", batch_discount=0.5
    )
    return {TOGETHER: together}
