"""What a server answered, made into choices and token counts. Nothing in it is taken on trust."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from bswirl.serving.calls import Call, Choice
from bswirl.tokens import as_bytes

_LETTERS_A_TOKEN = 4  # for servers that do not count
_NO_LOGPROB = -9000.0  # servers write -9999 for a token of which they know nothing
_MOST_TOKENS = 10**9
_SHORTEST_SECRET = 8  # shorter keys are placeholders ("EMPTY"), and words of replies
_FINISH_LENGTH = 40


class MalformedError(ValueError):
    """A reply that cannot be used, and why. `tokens` are those it says that it cost, if it does."""

    def __init__(self, message: str, tokens: tuple[int, int] | None = None) -> None:
        super().__init__(message)
        self.tokens = tokens


@dataclass(frozen=True, slots=True)
class Reading:
    """The choices of a reply and its tokens; `estimated` where the server did not count them."""

    choices: tuple[Choice, ...]
    prompt_tokens: int
    completion_tokens: int
    estimated: bool = False
    reasoning: tuple[str, ...] = ()  # what models that think apart thought, one a choice


def without_key(text: str, key: str | None) -> str:
    """The text without the key that a server may have repeated."""
    if key is None or len(key) < _SHORTEST_SECRET or key not in text:
        return text
    return text.replace(key, "[key]")


def read_reply(content: bytes, call: Call, prompt_bytes: int, key: str | None = None) -> Reading:
    """Raises MalformedError where there is not one choice in it."""
    try:
        reply = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"the reply is no JSON: {_short(content)}") from error
    if not isinstance(reply, dict):
        raise MalformedError("the reply is no JSON object")
    usage = _usage(reply.get("usage"))
    found = reply.get("choices")
    if not isinstance(found, list) or not found:
        said = reply.get("error")
        words = f"an error: {_short(json.dumps(said).encode())}" if said else "no choices"
        raise MalformedError(without_key(f"the reply has {words}", key), usage)
    items = sorted(found, key=_place)[: call.n]
    reasoning = tuple(_reasoning(item, key) for item in items)
    choices = tuple(_choice(item, call, key, usage) for item in items)
    if usage is None:
        letters = sum(len(choice.text) for choice in choices) + sum(map(len, reasoning))
        tokens = -(-prompt_bytes // _LETTERS_A_TOKEN), -(-letters // _LETTERS_A_TOKEN)
    else:
        tokens = usage
    if len(choices) == 1 and choices[0].n_tokens is None and usage is not None and not any(reasoning):
        only = choices[0]
        choices = (Choice(only.text, only.finish, usage[1]),) if len(found) == 1 else choices
    return Reading(choices, *tokens, usage is None, reasoning if any(reasoning) else ())


def _choice(item: Any, call: Call, key: str | None, usage: tuple[int, int] | None) -> Choice:
    if not isinstance(item, dict):
        raise MalformedError("a choice of the reply is no object", usage)
    message = item.get("message")
    if not isinstance(message, dict):
        raise MalformedError("a choice of the reply has no message", usage)
    finish = item.get("finish_reason")
    finish = finish[:_FINISH_LENGTH] if isinstance(finish, str) else "unknown"
    text = _text(message.get("content"))
    if text is None:
        refusal = message.get("refusal")
        if message.get("content") is not None:
            raise MalformedError("the content of a reply is no text", usage)
        text, finish = (refusal, "refusal") if isinstance(refusal, str) else ("", finish)
    tokens, logprobs = _logprobs(item.get("logprobs"), text) if call.logprobs else ((), ())
    if key is not None and without_key("".join(tokens), key) != "".join(tokens):
        tokens = ()
    safe = without_key(text, key)
    return Choice(
        safe,
        "stop" if finish == "eos" else without_key(finish, key),
        len(logprobs) or None,
        math.fsum(logprobs) if logprobs else None,
        tokens if safe is text else (),
        logprobs if tokens and safe is text else (),
    )


def _text(content: Any) -> str | None:
    """The text of a message, which some servers cut into parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and content:
        parts = [part.get("text") if isinstance(part, dict) else None for part in content]
        texts = [part for part in parts if isinstance(part, str)]
        return "".join(texts) if len(texts) == len(parts) else None
    return None


def _reasoning(item: Any, key: str | None) -> str:
    message = item.get("message") if isinstance(item, dict) else None
    if not isinstance(message, dict):
        return ""
    said = message.get("reasoning_content") or message.get("reasoning")
    return without_key(said, key) if isinstance(said, str) else ""


def _logprobs(value: Any, text: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Tokens and their log-probs in either of two formats; nothing where one of them is no log-prob."""
    if not isinstance(value, dict):
        return (), ()
    tokens: list[Any]
    numbers: list[Any]
    content = value.get("content")
    if isinstance(content, list):
        entries = [entry if isinstance(entry, dict) else {} for entry in content]
        tokens = [entry.get("token") for entry in entries]
        numbers = [entry.get("logprob") for entry in entries]
    else:
        entries = []
        tokens, numbers = value.get("tokens") or [], value.get("token_logprobs") or []
    if not isinstance(tokens, list) or not isinstance(numbers, list) or len(tokens) != len(numbers):
        return (), ()
    if not all(isinstance(token, str) for token in tokens) or not all(map(_is_logprob, numbers)):
        return (), ()
    if not "".join(tokens).startswith(text):
        tokens = _by_bytes(entries, text) or tokens
    return tuple(tokens), tuple(map(float, numbers))


def _by_bytes(entries: list[dict[Any, Any]], text: str) -> list[str] | None:
    """The tokens as their bytes say, where these spell the text: a token may hold a part of a character.

    Bytes of such a part are surrogate escapes.
    """
    try:
        pieces = [bytes(entry["bytes"]) if isinstance(entry["bytes"], list) else b"" for entry in entries]
    except (KeyError, TypeError, ValueError):
        return None
    if not b"".join(pieces).startswith(as_bytes(text)):
        return None
    return [piece.decode("utf-8", "surrogateescape") for piece in pieces]


def _is_logprob(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and _NO_LOGPROB < value < 1e-3  # rounding makes some a little larger than 0


def _usage(value: Any) -> tuple[int, int] | None:
    if not isinstance(value, dict):
        return None
    counts = value.get("prompt_tokens"), value.get("completion_tokens")
    if all(type(count) is int and 0 <= count <= _MOST_TOKENS for count in counts):
        return counts[0], counts[1]  # type: ignore[return-value]
    return None


def _place(item: Any) -> int:
    index = item.get("index") if isinstance(item, dict) else None
    return index if type(index) is int else 0


def _short(content: bytes) -> str:
    words = " ".join(content[:200].decode("utf-8", "replace").split())
    return f"`{words[:80]}`" if words else "nothing"
