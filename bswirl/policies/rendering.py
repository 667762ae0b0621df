"""The canonical rendering of a state and an action into tokens, which defines log π everywhere.

A state is the model's chat template with the question as the user's turn, and the steps so far, each with a
newline behind it, as the beginning of the assistant's turn. An intermediate action ends with a newline, an
answer with the template's end-of-turn token.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from bswirl.errors import InputError

Message = tuple[str, str]  # role, text
Span = tuple[int, int]
_PROBE = "probe7f3a"


@dataclass(frozen=True, slots=True)
class Row:
    """An action in its state as tokens: `ids[action_start:]` are the action's, terminator included."""

    ids: tuple[int, ...]
    action_start: int


def render_state(
    tokenizer: Any, question: str, steps: Sequence[str], *, preamble: Sequence[Message] = ()
) -> str:
    """The text of a state. The canonical rendering has no `preamble` of chat turns in front."""
    return _head(tokenizer, question, preamble)[0] + "".join(step + "\n" for step in steps)


def render_action(tokenizer: Any, action: str, is_answer: bool) -> str:
    """The text of an action with its terminator."""
    return action + (end_of_turn(tokenizer) if is_answer else "\n")


def encode_row(tokenizer: Any, question: str, steps: Sequence[str], action: str, is_answer: bool) -> Row:
    """The tokens of a state and an action, tokenised as one text.

    Tokenizers merge across the boundary between the two: every token that overlaps the action's characters
    is the action's. What the vocabulary cannot spell has no token. Raises InputError where the tokenizer
    reports no character offsets.
    """
    head, written = _head(tokenizer, question, ())
    state = head + "".join(step + "\n" for step in steps)
    text = state + render_action(tokenizer, action, is_answer)
    ids, ends = _encode(tokenizer, text, [written, (len(head), len(state) + len(action))])
    start = next((index for index, end in enumerate(ends) if end > len(state)), len(ids))
    return Row(tuple(ids), start)


def encode_state(
    tokenizer: Any, question: str, steps: Sequence[str], *, preamble: Sequence[Message] = ()
) -> tuple[int, ...]:
    """The tokens of a state alone: what a policy is prompted with."""
    head, written = _head(tokenizer, question, preamble)
    text = head + "".join(step + "\n" for step in steps)
    ids, _ = _encode(tokenizer, text, [written, (len(head), len(text))])
    return tuple(ids)


def encode_chat(tokenizer: Any, messages: Sequence[Message], reply: str) -> tuple[int, ...]:
    """The tokens of a chat that ends with a user's turn, and of how the reply to it begins.

    The names of special tokens in that last turn and in the reply are plain characters.
    """
    *preamble, (_, asked) = messages
    head, written = _head(tokenizer, asked, preamble)
    text = head + reply
    ids, _ = _encode(tokenizer, text, [written, (len(head), len(text))])
    return tuple(ids)


def fold_system(tokenizer: Any, messages: Sequence[Message]) -> tuple[Message, ...]:
    """The chat as the model's template takes it: some know no system turn, which then opens the user's."""
    if not messages or messages[0][0] != "system" or _takes_system(tokenizer):
        return tuple(messages)
    (_, system), (role, first), *rest = messages
    return ((role, f"{system}\n\n{first}"), *rest)


@lru_cache(maxsize=16)
def _takes_system(tokenizer: Any) -> bool:
    if not tokenizer.chat_template:
        return True
    chat = [{"role": "system", "content": _PROBE}, {"role": "user", "content": "?"}]
    try:
        return _PROBE in tokenizer.apply_chat_template(chat, tokenize=False)
    except Exception as error:  # templates refuse with an error of the template language's
        if type(error).__module__.partition(".")[0] != "jinja2":
            raise
        return False


@lru_cache(maxsize=16)
def end_of_turn(tokenizer: Any) -> str:
    """The special token that ends the assistant's turn in the chat template; else the EOS token."""
    eos = tokenizer.eos_token
    if tokenizer.chat_template:
        turns = [{"role": "user", "content": _PROBE}, {"role": "assistant", "content": _PROBE}]
        tail = tokenizer.apply_chat_template(turns, tokenize=False).rpartition(_PROBE)[2]
        found = [(tail.find(token), token) for token in _special_tokens(tokenizer) if token in tail]
        if found:
            return str(min(found, key=lambda item: (item[0], -len(item[1])))[1])
    if not eos:
        raise InputError(
            "the tokenizer has neither a chat template with an end-of-turn token nor an EOS token",
            "use an instruction-tuned model",
        )
    return str(eos)


def _head(tokenizer: Any, question: str, preamble: Sequence[Message]) -> tuple[str, Span]:
    """Everything before the assistant's first step, and where the question stands in it."""
    before, behind, strips = _frame(tokenizer, tuple(preamble))
    shown = question.strip() if strips else question
    return before + shown + behind, (len(before), len(before) + len(shown))


@lru_cache(maxsize=32)
def _frame(tokenizer: Any, preamble: tuple[Message, ...]) -> tuple[str, str, bool]:
    """What the template puts before and behind a question, and whether it strips the question's blanks.

    A model without a template reads plain lines.
    """
    padded = f" \n{_PROBE}\n "
    turns = [*preamble, ("user", padded)]
    if tokenizer.chat_template:
        chat = [{"role": role, "content": text} for role, text in turns]
        text = str(tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))
    else:
        text = _begin_of_text(tokenizer) + "".join(f"{text}\n" for _, text in turns)
    found = padded if padded in text else _PROBE
    before, _, behind = text.rpartition(found)
    return before, behind, found == _PROBE


@lru_cache(maxsize=16)
def _begin_of_text(tokenizer: Any) -> str:
    first = tokenizer(_PROBE)["input_ids"][:1]
    return str(tokenizer.bos_token) if first == [tokenizer.bos_token_id] and tokenizer.bos_token else ""


@lru_cache(maxsize=16)
def _special_tokens(tokenizer: Any) -> frozenset[str]:
    added = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    return frozenset(added | set(tokenizer.all_special_tokens))


def _encode(tokenizer: Any, text: str, content: list[Span]) -> tuple[list[int], list[int]]:
    """Token ids of `text` and the character at which each token ends.

    Inside `content` (what people and models wrote) the name of a special token is plain characters. Special
    tokens part a text before it is tokenised, so the stretches between the real ones can be encoded alone.
    """
    written = [text[start:end] for start, end in content]
    if not any(_special_names(tokenizer).search(part) for part in written):
        return _tokenise(tokenizer, text, plain=False)
    ids: list[int] = []
    ends: list[int] = []
    cursor = 0
    for start, end, token_id in (
        *_real_special_tokens(tokenizer, text, content),
        (len(text), len(text), None),
    ):
        if cursor < start:
            part_ids, part_ends = _tokenise(tokenizer, text[cursor:start], plain=True, inside=cursor > 0)
            ids += part_ids
            ends += [cursor + part_end for part_end in part_ends]
        if token_id is not None:
            ids.append(token_id)
            ends.append(end)
        cursor = end
    return ids, ends


def _real_special_tokens(tokenizer: Any, text: str, content: list[Span]) -> list[tuple[int, int, int]]:
    """(start, end, id) of every special token that stands outside `content`, in order.

    Some take the blanks beside them along, as they do in a text that is tokenised in one piece.
    """
    added = {token.content: token for token in tokenizer.added_tokens_decoder.values()}
    edges = [0, *(edge for span in sorted(content) for edge in span), len(text)]
    found: list[tuple[int, int, int]] = []
    for span in zip(edges[::2], edges[1::2], strict=True):
        for match in _special_names(tokenizer).finditer(text, *span):
            start, end = match.span()
            token = added.get(match[0])
            if token is not None and token.lstrip:
                start = max(found[-1][1] if found else 0, len(text[:start].rstrip()))
            if token is not None and token.rstrip:
                end = len(text) - len(text[end:].lstrip())
            found.append((start, end, tokenizer.convert_tokens_to_ids(match[0])))
    return found


@lru_cache(maxsize=16)
def _special_names(tokenizer: Any) -> re.Pattern[str]:
    """Matches the name of any special token, the longest first."""
    names = sorted(_special_tokens(tokenizer), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, names)) or r"(?!)")


def _tokenise(tokenizer: Any, text: str, *, plain: bool, inside: bool = False) -> tuple[list[int], list[int]]:
    """Ids and ends of a text, or of a stretch `inside` one; if `plain`, it holds no special token."""
    if not tokenizer.is_fast:
        raise InputError(
            "the model's tokenizer reports no character offsets",
            "use a model that ships tokenizer.json",
        )
    backend = _exact_backend(tokenizer, plain, inside)
    if backend is not None:
        exact = backend.encode(text, add_special_tokens=False)
        return list(exact.ids), [end for _, end in exact.offsets]
    encoded = tokenizer(
        text, add_special_tokens=False, return_offsets_mapping=True, split_special_tokens=plain
    )
    return list(encoded["input_ids"]), [end for _, end in encoded["offset_mapping"]]


@lru_cache(maxsize=16)
def _exact_backend(tokenizer: Any, plain: bool, inside: bool) -> Any | None:
    """A copy of the tokenizer's backend that keeps to the text; None where its own does.

    Some post-processors leave blanks out of their tokens' offsets, and some pre-tokenizers put a blank before
    whatever text they are given first, also where that is a stretch `inside` a text.
    """
    own = tokenizer.backend_tokenizer
    trims = own.post_processor is not None and b'"trim_offsets":true' in own.post_processor.__getstate__()
    leads = inside and getattr(own.pre_tokenizer, "prepend_scheme", None) == "first"
    if not trims and not leads:
        return None
    copied = deepcopy(own)
    copied.no_truncation()
    copied.no_padding()
    copied.encode_special_tokens = plain
    copied.post_processor = None
    if leads:
        copied.pre_tokenizer.prepend_scheme = "never"
    return copied
