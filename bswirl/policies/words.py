"""How probable it is that a local model goes on with one word or with another, however they are spelled."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch

from bswirl.policies.rendering import Message, encode_chat

YES = (" yes", " Yes", " YES", "yes", "Yes", "YES")
NO = (" no", " No", " NO", "no", "No", "NO")
_MOST_ROWS = 16  # at a time: their logits are rows × rows × vocabulary

Ids = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class YesOrNo:
    """How probable yes is where it is one of the two, and how probable that is."""

    yes: float
    mass: float


@torch.no_grad()
def yes_or_no(
    model: Any, tokenizer: Any, begun: Sequence[tuple[Sequence[Message], str]], batch_size: int
) -> list[YesOrNo]:
    """For each chat, with its reply as far as it goes, whether yes or no comes next.

    A spelling of several tokens has the product of their probabilities; those of all spellings are summed.
    """
    spelled = [_spellings(tokenizer, messages, reply) for messages, reply in begun]
    wanted = {
        context + suffix[:known]
        for context, suffixes in spelled
        for suffix in suffixes
        for known in range(len(suffix))
    }
    following = dict(_following(model, wanted, min(batch_size, _MOST_ROWS)))
    return [_summed(context, suffixes, following) for context, suffixes in spelled]


def _spellings(tokenizer: Any, messages: Sequence[Message], reply: str) -> tuple[Ids, dict[Ids, bool]]:
    """What all spellings begin with, and how each goes on: with yes (True) or no."""
    whole = {
        encode_chat(tokenizer, messages, reply + word): says_yes
        for says_yes, words in ((True, YES), (False, NO))
        for word in words
    }
    same = takewhile(lambda column: len(set(column)) == 1, zip(*whole, strict=False))
    context: Ids = tuple(column[0] for column in same)
    return context, {ids[len(context) :]: says_yes for ids, says_yes in whole.items()}


def _following(model: Any, rows: Iterable[Ids], at_once: int) -> Iterator[tuple[Ids, torch.Tensor]]:
    """Each row with the log-probs, in float32 on the CPU, of what comes behind it."""
    ordered = sorted(rows, key=len)
    for start in range(0, len(ordered), at_once):
        batch = ordered[start : start + at_once]
        ids = torch.zeros((len(batch), len(batch[-1])), dtype=torch.long)
        for place, row in enumerate(batch):
            ids[place, : len(row)] = torch.tensor(row)
        ends = sorted({len(row) - 1 for row in batch})
        # Padding stands on the right, where causal attention keeps it from the tokens before it.
        logits = model(
            input_ids=ids.to(model.device),
            logits_to_keep=torch.tensor(ends, device=model.device),
            use_cache=False,
        ).logits
        for place, row in enumerate(batch):
            yield row, logits[place, ends.index(len(row) - 1)].float().log_softmax(-1).cpu()


def _summed(context: Ids, suffixes: dict[Ids, bool], following: dict[Ids, torch.Tensor]) -> YesOrNo:
    found = {True: 0.0, False: 0.0}
    for suffix, says_yes in suffixes.items():
        logprobs = [following[context + suffix[:known]][token] for known, token in enumerate(suffix)]
        found[says_yes] += math.exp(sum(map(float, logprobs)))
    mass = found[True] + found[False]
    return YesOrNo(found[True] / mass if mass > 0 else 0.5, min(mass, 1.0))
