"""`bswirl.toml` into settings: every mistake is one error that says where it is and how to mend it."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from bswirl.settings.addresses import checked_url, checked_variable, plain_http_fault
from bswirl.settings.audit import read_audit
from bswirl.settings.keys import read_keys
from bswirl.settings.records import (
    DEFAULT_RANKING,
    EndpointSettings,
    JudgeSettings,
    PolicySettings,
    ServedSettings,
    Settings,
    builtin_endpoints,
)
from bswirl.settings.tables import SettingsFile, Table

_TOP = ("auditor", "judges", "policies", "endpoints", "audit", "keys")
_DISCOUNT = "batch_discount"
_ENDPOINT = ("url", "key", "in_flight", "requests_per_minute", "tokens_per_minute", "timeout", _DISCOUNT)
_SERVED = ("endpoint", "model", "price_in", "price_out", _DISCOUNT)
_LOCAL = ("path", "adapter")
_PROMPTS = ("solution_prompt", "step_prompt")
_JUDGING = ("prompt", "votes", "temperature", "max_tokens")
_RULES = ("reference", "answer-check")
_RANKING = "ranking"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}")

_MOST = 1_000_000_000
_MOST_IN_FLIGHT = 10_000
_MOST_SECONDS = 24 * 3600.0
_MOST_VOTES = 99
_MOST_TOKENS = 1_000_000
_MOST_PRICE = 1_000_000.0
_VOTES_TEMPERATURE = 0.7  # several votes at temperature 0 would be one vote several times


def read_settings(path: Path, root: Path, default_auditor: str) -> Settings:
    """The settings in the file `path` of the project in `root`. Raises InputError."""
    file = SettingsFile(path)
    top = file.table()
    top.check_keys(_TOP)
    auditor = top.text("auditor") or default_auditor
    ranking = _ranking(file.table("judges"))
    endpoints = _endpoints(file)
    return Settings(
        auditor=auditor,
        ranking=ranking,
        policies=_policies(file, root, endpoints),
        judges=_judges(file, root, endpoints),
        endpoints=endpoints,
        audit=read_audit(file.table("audit"), root),
        keys=read_keys(file),
    )


def _ranking(judges: Table) -> tuple[str, ...]:
    ranking = judges.values.get(_RANKING, list(DEFAULT_RANKING))
    if isinstance(ranking, dict):
        raise judges.error(
            "a judge cannot be called `ranking`", "give it another name: that key lists names", _RANKING
        )
    if not isinstance(ranking, list) or not all(isinstance(name, str) for name in ranking):
        raise judges.error(
            "`ranking` must be a list of names", 'write ranking = ["answer-check", "reference"]', _RANKING
        )
    return tuple(ranking)


def _endpoints(file: SettingsFile) -> dict[str, EndpointSettings]:
    found = builtin_endpoints()
    for name in file.table("endpoints").values:
        table = file.table("endpoints", name)
        _check_name(table, "an endpoint", name)
        found[name] = _endpoint(table, name, found.get(name))
    return found


def _endpoint(table: Table, name: str, builtin: EndpointSettings | None) -> EndpointSettings:
    table.check_keys(_ENDPOINT)
    url = checked_url(table) or (builtin.url if builtin else None)
    if url is None:
        raise table.error("`url` is missing", 'write url = "http://127.0.0.1:8000/v1"')
    key = checked_variable(table)
    if key is None and builtin is not None and url == builtin.url:
        key = builtin.key
    if fault := plain_http_fault(url, key):
        raise table.error(*fault, "url")
    default = EndpointSettings(name, url)
    timeout = table.number("timeout", above=0, most=_MOST_SECONDS)
    discount = _discount(table)
    if discount is None and builtin is not None and url == builtin.url:
        discount = builtin.batch_discount
    return EndpointSettings(
        name=name,
        url=url,
        key=key,
        in_flight=table.whole("in_flight", least=1, most=_MOST_IN_FLIGHT) or default.in_flight,
        requests_per_minute=table.whole("requests_per_minute", least=1, most=_MOST),
        tokens_per_minute=table.whole("tokens_per_minute", least=1, most=_MOST),
        timeout=default.timeout if timeout is None else float(timeout),
        batch_discount=discount or 0.0,
    )


def _policies(
    file: SettingsFile, root: Path, endpoints: dict[str, EndpointSettings]
) -> dict[str, PolicySettings]:
    found = {}
    for name in file.table("policies").values:
        table = file.table("policies", name)
        table.check_keys((*_LOCAL, *_SERVED, *_PROMPTS, "description"))
        served = _served(table, endpoints, local=_LOCAL, only_served=_PROMPTS)
        if served is not None:
            _check_name(table, "a served policy", name)
        found[name] = PolicySettings(
            name=name,
            path=_model(root, table) if served is None else "",
            adapter=_file(root, table, "adapter"),
            description=table.text("description") or "",
            served=served,
            solution_prompt=_file(root, table, "solution_prompt"),
            step_prompt=_file(root, table, "step_prompt"),
        )
    return found


def _judges(
    file: SettingsFile, root: Path, endpoints: dict[str, EndpointSettings]
) -> dict[str, JudgeSettings]:
    found = {}
    for name, value in file.table("judges").values.items():
        if name == _RANKING:
            continue
        if not isinstance(value, dict):
            judges = file.table("judges")
            judges.check_keys(
                (_RANKING, *(key for key, item in judges.values.items() if isinstance(item, dict)))
            )
        table = file.table("judges", name)
        _check_name(table, "a judge", name)
        if name in _RULES:
            raise table.error(f"`{name}` is a judge by rules already", "give this one another name")
        table.check_keys(("path", *_SERVED, *_JUDGING, "description"))
        found[name] = _judge(table, root, name, endpoints)
    return found


def _judge(table: Table, root: Path, name: str, endpoints: dict[str, EndpointSettings]) -> JudgeSettings:
    served = _served(table, endpoints, local=("path",), only_served=())
    votes = table.whole("votes", least=1, most=_MOST_VOTES) or 1
    if votes % 2 == 0:
        raise table.error("`votes` is even, and could end in a tie", "write votes = 1, 3, 5, …", "votes")
    temperature = table.number("temperature", least=0, most=100)
    if temperature is None:
        temperature = 0.0 if votes == 1 else _VOTES_TEMPERATURE
    return JudgeSettings(
        name=name,
        path=_model(root, table) if served is None else "",
        model=(table.text("path") or "") if served is None else "",
        served=served,
        description=table.text("description") or "",
        prompt=_file(root, table, "prompt"),
        votes=votes,
        temperature=float(temperature),
        max_tokens=table.whole("max_tokens", least=1, most=_MOST_TOKENS) or JudgeSettings(name).max_tokens,
    )


def _served(
    table: Table,
    endpoints: dict[str, EndpointSettings],
    *,
    local: tuple[str, ...],
    only_served: tuple[str, ...],
) -> ServedSettings | None:
    """The served model that a table names; None for a local one. Raises InputError for half of each."""
    name = table.text("endpoint")
    if name is None:
        if table.text("path") is None:
            raise table.error(
                "neither `path` nor `endpoint` is given",
                'write path = "FOLDER" for a local model, or endpoint = "NAME" and model = "NAME"',
            )
        for key in (*_SERVED, *only_served):
            if key in table.values:
                raise table.error(f"`{key}` is for served models", "give an `endpoint`, or take it out", key)
        return None
    for key in local:
        if key in table.values:
            raise table.error(f"`{key}` is for local models", "take it or `endpoint` out", key)
    if name not in endpoints:
        meant = difflib.get_close_matches(name, endpoints, 1)
        remedy = f"did you mean `{meant[0]}`?" if meant else f"known: {', '.join(endpoints)}"
        raise table.error(
            "`endpoint` names none that there is", f"{remedy} An own one is [endpoints.NAME]", "endpoint"
        )
    model = table.text("model")
    if model is None:
        raise table.error("`model` is missing", 'write model = "…", as the server calls it')
    return ServedSettings(
        endpoints[name],
        model,
        price_in=_price(table, "price_in"),
        price_out=_price(table, "price_out"),
        batch_discount=_discount(table),
    )


def _price(table: Table, key: str) -> float | None:
    price = table.number(key, least=0, most=_MOST_PRICE)
    return None if price is None else float(price)


def _discount(table: Table) -> float | None:
    share = table.number(_DISCOUNT, least=0, most=1)
    return None if share is None else float(share)


def _check_name(table: Table, what: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise table.error(f"that is no name for {what}", "use letters, digits, `-`, `_` and `.`")


def _file(root: Path, table: Table, key: str) -> str | None:
    """The file that a key names, relative to the project, as an absolute path."""
    name = table.text(key)
    return None if name is None else str(_place(root, table, key, name))


def _model(root: Path, table: Table) -> str:
    """A model beside the project as an absolute path; anything else is a hub id and stays as it is."""
    name = table.text("path") or ""
    candidate = _place(root, table, "path", name)
    is_path = candidate.is_dir() or candidate.is_file() or name.startswith((".", "/", "~"))
    return str(candidate) if is_path else name


def _place(root: Path, table: Table, key: str, name: str) -> Path:
    try:
        place = (root / Path(name).expanduser()).resolve()
        place.exists()
    except (OSError, RuntimeError) as error:  # too long a name, a loop of links, nobody's home folder
        raise table.error(f"`{key}` is no path", "write a path relative to the project", key) from error
    return place
