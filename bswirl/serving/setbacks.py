"""Why an attempt at a call brought nothing, and what follows from it."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import httpx

from bswirl.serving.calls import Call, FailureKind, ServedModel
from bswirl.serving.headers import asked_wait
from bswirl.serving.reading import without_key
from bswirl.serving.request import rejected_parameters

Then = Literal["again", "fail", "end", "without"]
_MOST_SAID = 300
_LOAD = (429, 503, 529)
_AGAIN = (408, 409, 425)
_TOO_LONG = re.compile(
    r"context.?(length|window|size)|maximum context|too long|too many (input )?tokens|max_model_len|"
    r"max_new_tokens.{0,20} must be|exceeds? .{0,40}\b(context|tokens)\b|prompt is too",
    re.I | re.S,
)
_FLAGGED = re.compile(r"moderat|flagged|content.?(policy|filter)|safety", re.I)
_NO_MONEY = re.compile(
    r"insufficient.?(quota|funds|balance)|exceeded your current quota|credit balance", re.I
)


@dataclass(frozen=True, slots=True)
class Setback:
    """`then`: ask again, fail this call, end the run, or ask again `without` some parameters."""

    then: Then
    message: str
    kind: FailureKind = "gave-up"
    remedy: str = ""
    is_load: bool = False  # the server has too much to do
    is_unreachable: bool = False  # nothing listens there
    may_cost: bool = False  # the server may have answered, and may charge for it
    wait: float | None = None  # seconds that the server asks for
    without: frozenset[str] = frozenset()
    tokens: tuple[int, int] | None = None  # what a reply that cannot be used says that it cost


def shown_url(url: str) -> str:
    """An address without a password that may stand in it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def of_status(
    code: int,
    content: bytes,
    headers: list[tuple[bytes, bytes]],
    call: Call,
    model: ServedModel,
    without: Collection[str],
    key: str | None,
    now: float,
) -> Setback:
    """What an HTTP status other than 200 means. `now` is in seconds since 1970."""
    said = without_key(_said(content), key)
    where = f"{model.model} at {shown_url(model.url)}"
    words = f"{shown_url(model.url)} says {code}: {said}" if said else f"{shown_url(model.url)} says {code}"
    if code == 401 or (code == 403 and not _FLAGGED.search(said)):
        return _refused_key(words, model)
    if code == 402 or _NO_MONEY.search(said):
        return Setback("end", f"the server wants to be paid: {words}", remedy="resume the run when it is")
    if code == 404:
        return Setback(
            "end", f"there is no {where}: {said or code}", remedy="check `model` and `url` in bswirl.toml"
        )
    if code in _LOAD:
        return Setback("again", words, is_load=True, wait=asked_wait(headers, now))
    if code in _AGAIN or code >= 500:
        return Setback("again", words, wait=asked_wait(headers, now), may_cost=code in (408, 504))
    if code in (400, 403, 413, 422):
        if code == 413 or _TOO_LONG.search(said):
            return Setback("fail", words, "too-long")
        rejected = rejected_parameters(call, said, without) if code in (400, 422) else None
        if rejected:
            return Setback("without", words, without=frozenset(rejected))
        return Setback("fail", words, "refused")
    if 300 <= code < 400:
        target = next((value for name, value in headers if name.lower() == b"location"), b"")
        there = without_key(shown_url(target.decode("latin-1"))[:_MOST_SAID], key)
        words = f"{shown_url(model.url)} sends us on to {there or 'elsewhere'}, where no key goes by itself"
        return Setback("end", words, remedy="set `url` in bswirl.toml to the right address")
    return Setback("end", words, remedy="check `url` in bswirl.toml: it must be an OpenAI-compatible address")


def of_exception(error: Exception, model: ServedModel, key: str | None) -> Setback:
    """What it means that a request got no answer."""
    causes = _causes(error)
    where = shown_url(model.url)
    for cause in causes:
        if isinstance(cause, aiohttp.ClientConnectorError):
            reason = without_key(_reason(cause), key)
            return Setback("again", f"no server at {where}: {reason}", is_unreachable=True)
        if isinstance(
            cause, aiohttp.InvalidURL | httpx.InvalidURL | httpx.UnsupportedProtocol | UnicodeError
        ):
            return Setback("end", f"{where} is no address", remedy="correct `url` in bswirl.toml")
    for cause in causes:
        if isinstance(cause, asyncio.TimeoutError | aiohttp.ServerTimeoutError):
            return Setback("again", f"{where} did not take the connection in time", is_unreachable=True)
    reason = without_key(str(causes[-1]) or type(causes[-1]).__name__, key)[:_MOST_SAID]
    return Setback("again", f"the connection to {where} broke: {reason}", may_cost=True)


def timed_out(model: ServedModel) -> Setback:
    """The answer did not come in time."""
    words = f"{shown_url(model.url)} did not answer within {model.timeout:g} seconds"
    return Setback("again", words, may_cost=True)


def malformed(message: str, tokens: tuple[int, int] | None, key: str | None) -> Setback:
    """A reply came, and cannot be used."""
    return Setback("again", without_key(message, key), "malformed", may_cost=tokens is None, tokens=tokens)


def _refused_key(words: str, model: ServedModel) -> Setback:
    if model.key_variable is None:
        remedy = f"name the variable that holds the key as `key` of [endpoints.{model.endpoint}]"
        return Setback("end", f"the server wants a key ({words})", remedy=remedy)
    return Setback(
        "end",
        f"the server refuses the key in ${model.key_variable} ({words})",
        remedy="check the key, and that it may use this model",
    )


def _said(content: bytes) -> str:
    """The server's own words, on one line."""
    text = content[: 1 << 16].decode("utf-8", "replace")
    try:
        body = json.loads(content) if len(content) <= 1 << 16 else text
    except (ValueError, RecursionError):
        body = text
    for name in ("error", "detail", "message", "msg"):
        if isinstance(body, dict) and body.get(name):
            more = " ".join(
                f"({value})"
                for field in ("param", "code")
                if isinstance(inner := body[name], dict) and isinstance(value := inner.get(field), str)
            )
            body = body[name]
            if more and isinstance(body, dict):
                body = f"{body.get('message') or ''} {more}"
    words = body if isinstance(body, str) else json.dumps(body)
    return " ".join(words.split())[:_MOST_SAID]


def _reason(error: aiohttp.ClientConnectorError) -> str:
    """Why there is no connection, in the system's words."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted: {error.certificate_error}"
    code = error.os_error.errno
    return (
        os.strerror(code) if code is not None and code > 0 else str(error.os_error.strerror or error.os_error)
    )


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = [error]
    while (cause := found[-1].__cause__) is not None and len(found) < 10:
        found.append(cause)
    return found
