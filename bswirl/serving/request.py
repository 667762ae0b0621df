"""A call as the JSON that is sent, without what the server was found not to support."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from bswirl.serving.calls import Call, ChatMessage, ServedModel

_MAX_TOKENS = "max_completion_tokens"  # what newer servers call max_tokens
_SYSTEM = "system"  # a turn that some models' templates refuse
_NAMED = {
    "response_format": re.compile(r"response.?format|json.?schema|structured|guided|grammar", re.I),
    "logprobs": re.compile(r"log.?prob", re.I),
    "seed": re.compile(r"\bseed\b", re.I),
    "top_p": re.compile(r"\btop.?p\b", re.I),
    "n": re.compile(
        r"[`'\"]n[`'\"]|\bn\b\s*(?:[=><:]|must|is|has|should|param)|\bparam\w*\s+n\b|best_of", re.I
    ),
    _MAX_TOKENS: re.compile(_MAX_TOKENS),
    _SYSTEM: re.compile(
        r"\bsystem\W{1,3}(?:role|message|prompt|turn|instruction)|\broles?\b.{0,40}\bsystem\b"
        r"|roles must alternate|developer instruction",
        re.I | re.S,
    ),
}
INSTEAD = {  # what is said of those that are not just left out
    _MAX_TOKENS: f"the server calls max_tokens `{_MAX_TOKENS}`, as it is sent from now on",
    _SYSTEM: "the model takes no system turn: its text opens the user's from now on",
}
_SEED_STRIDE = 1_000_003
_TOGETHER = ("together.xyz", "together.ai")


def encode_call(call: Call, model: ServedModel, without: Collection[str] = ()) -> bytes:
    """The request's body. Lone surrogates in texts survive as JSON escapes."""
    body: dict[str, Any] = {
        "model": model.model,
        "messages": [{"role": role, "content": content} for role, content in _turns(call, without)],
        _MAX_TOKENS if _MAX_TOKENS in without else "max_tokens": call.max_tokens,
        "temperature": call.temperature,
    }
    if call.stop:
        body["stop"] = call.stop
    if call.top_p != 1.0 and "top_p" not in without:
        body["top_p"] = call.top_p
    if call.n > 1 and "n" not in without:
        body["n"] = call.n
    if call.seed is not None and "seed" not in without:
        body["seed"] = call.seed
    if call.logprobs and "logprobs" not in without:
        body["logprobs"] = 1 if _is_together(model.url) else True
    if call.schema is not None and "response_format" not in without:
        schema = {"name": "answer", "strict": True, "schema": json.loads(call.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return json.dumps(body, separators=(",", ":")).encode()


def rejected_parameters(call: Call, said: str, without: Collection[str]) -> set[str]:
    """The parameters of the call, sent this time, that the server's refusal names and that can go."""
    sent = {
        "response_format": call.schema is not None,
        "logprobs": call.logprobs,
        "seed": call.seed is not None,
        "top_p": call.top_p != 1.0,
        "n": call.n > 1,
        _MAX_TOKENS: True,
        _SYSTEM: len(call.messages) > 1 and call.messages[0][0] == _SYSTEM,
    }
    return {
        name for name, named in _NAMED.items() if sent[name] and name not in without and named.search(said)
    }


def part_of(call: Call, index: int) -> Call:
    """One of the `n` single calls that together ask the same; each draws with a seed of its own."""
    seed = None if call.seed is None else (call.seed + index * _SEED_STRIDE) % 2**31
    return replace(call, n=1, seed=seed, tag=f"{call.tag}#{index}")


def _turns(call: Call, without: Collection[str]) -> Sequence[ChatMessage]:
    if _SYSTEM not in without or len(call.messages) < 2 or call.messages[0][0] != _SYSTEM:
        return call.messages
    (_, system), (role, first), *rest = call.messages
    return [(role, f"{system}\n\n{first}"), *rest]


def _is_together(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return any(host == name or host.endswith(f".{name}") for name in _TOGETHER)
