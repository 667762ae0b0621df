"""What `bswirl doctor` says of endpoints: their keys, and with `--endpoints` what they can do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from bswirl.cli.findings import Finding
from bswirl.cli.invocation import Invocation
from bswirl.errors import InputError, UsageError

if TYPE_CHECKING:
    from bswirl.serving.calls import ServedModel
    from bswirl.serving.probing import Probe
    from bswirl.settings import Settings


def endpoint_findings(invocation: Invocation) -> Iterator[Finding]:
    """Each endpoint: whether its key is set, never what it is, and whether it may be sent."""
    from bswirl.serving.endpoints import at_endpoint
    from bswirl.serving.keys import is_set, is_trusted, trust_problem

    settings = _settings(invocation)
    used = {model.endpoint for model in _models(settings)}
    if (problem := trust_problem()) is not None:
        yield Finding("trusted endpoints", "bad", problem, "`bswirl doctor --trust ENDPOINT` writes it anew")
    for name, endpoint in settings.endpoints.items():
        about = f"endpoint {name}"
        if endpoint.key is None:
            yield Finding(about, "ok", f"{endpoint.url}, without a key")
            continue
        says = f"{endpoint.url}, key in ${endpoint.key}"
        # What nobody uses is no worry: Together is always there.
        missing: Literal["note", "ok"] = "note" if name in used else "ok"
        if not is_set(endpoint.key):
            yield Finding(about, missing, f"{says}: not set", f"`export {endpoint.key}=…`")
        elif not is_trusted(at_endpoint(endpoint, "")):
            yield Finding(
                about, missing, f"{says}: set, may not be sent yet", f"`bswirl doctor --trust {name}`"
            )
        else:
            yield Finding(about, "ok", f"{says}: set, may be sent")


def trust_endpoint(invocation: Invocation, named: str) -> str:
    """Notes that an endpoint's key may be sent there; `named` is its name, or VARIABLE@URL. Returns words.

    Raises UsageError where there is no such endpoint, InputError where VARIABLE@URL is none.
    """
    from bswirl.serving.keys import is_set, trust

    variable, at, url = named.partition("@")
    if not at:
        variable, url = _pair(invocation, named)
    else:
        url = _checked_pair(variable, url)
    trust(url, variable)
    state = "" if is_set(variable) else "; it is not set now"
    return f"the key in ${variable} may be sent to {url}{state}"


def probes(invocation: Invocation) -> list[Probe]:
    """What the endpoints can do, each for the models that policies and judges name there. Asks them."""
    from bswirl.serving.endpoints import at_endpoint
    from bswirl.serving.probing import probe

    settings = _settings(invocation)
    models = _models(settings)
    used = {model.endpoint for model in models}
    from_settings = _named(invocation)
    others = [
        at_endpoint(endpoint, "")
        for name, endpoint in settings.endpoints.items()
        if name not in used and name in from_settings
    ]
    return probe([*models, *others])


def probe_findings(found: list[Probe]) -> Iterator[Finding]:
    """What was found out, a line for each."""
    if not found:
        yield Finding("endpoints", "note", "none is named in bswirl.toml", "see docs/endpoints.md")
    for one in found:
        about = f"{one.endpoint}: {one.model}" if one.model else one.endpoint
        if one.problem is not None:
            yield Finding(about, "bad", one.problem, one.remedy)
        else:
            yield Finding(about, "ok", _words(one))


def _words(found: Probe) -> str:
    listed = {True: "the model is listed", False: "the model is not listed", None: ""}[found.listed]
    seconds = f"answers in {found.seconds:.1f} s" if found.seconds is not None else "answers"
    key = "key accepted" if found.key == "accepted" else ""
    supports = ", ".join(f"{name} {state}" for name, state in found.supports.items())
    return "; ".join(words for words in (seconds, key, listed, supports) if words)


def _settings(invocation: Invocation) -> Settings:
    from bswirl.project import account_name, load_settings
    from bswirl.settings import Settings, builtin_endpoints

    project = invocation.project_if_any()
    if project is None:
        return Settings(auditor=account_name(), endpoints=builtin_endpoints())
    return load_settings(project)


def _named(invocation: Invocation) -> set[str]:
    """The endpoints that the settings name themselves; the builtin one is asked only where it is used."""
    from bswirl.settings import builtin_endpoints

    return set(_settings(invocation).endpoints) - set(builtin_endpoints())


def _models(settings: Settings) -> list[ServedModel]:
    """The models behind endpoints that policies and judges name, each once."""
    from bswirl.serving.endpoints import at_endpoint

    entries: list[Any] = [*settings.policies.values(), *settings.judges.values()]
    served = [entry.served for entry in entries if entry.served is not None]
    return list(dict.fromkeys(at_endpoint(model.endpoint, model.model) for model in served))


def _pair(invocation: Invocation, name: str) -> tuple[str, str]:
    endpoints = _settings(invocation).endpoints
    if name not in endpoints:
        raise UsageError(
            f"there is no endpoint {name!r}",
            f"known: {', '.join(endpoints)}; outside of a project write --trust VARIABLE@URL",
        )
    endpoint = endpoints[name]
    if endpoint.key is None:
        raise UsageError(f"endpoint {name} wants no key", "there is nothing to be sent, and nothing to trust")
    return endpoint.key, endpoint.url


def _checked_pair(variable: str, url: str) -> str:
    from bswirl.settings.addresses import plain_http_fault, url_fault, variable_fault

    fault = variable_fault(variable) or url_fault(url) or plain_http_fault(url, variable)
    if fault is not None:
        raise InputError(f"--trust VARIABLE@URL: {fault[0]}", fault[1])
    return url.rstrip("/")
