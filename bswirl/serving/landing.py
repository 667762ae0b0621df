"""An answer on its way into the ledger, whole or as the single choices that it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bswirl.serving.calls import Call, Reply, ServedModel
from bswirl.serving.ledger import Ledger, reply_row
from bswirl.serving.reading import Reading
from bswirl.serving.request import part_of


def land(
    ledger: Ledger,
    model: ServedModel,
    call: Call,
    key: str,
    reply: Reply,
    read: Reading,
    more: Mapping[str, Any],
    *,
    is_part: bool,
) -> Reply | None:
    """Writes a reply down; None where it has too few choices, which are then kept as single calls.

    `more` are fields that only some rows have. Raises OSError where the disk is full.
    """
    fields = {**more, "estimated": True} if read.estimated else dict(more)
    if len(read.choices) == call.n:
        if is_part:
            fields["part"] = True
        ledger.append(reply_row(key, model.model, reply, read.reasoning, **fields))
        return reply
    for index, choice in enumerate(read.choices):
        part = replace(reply, choices=(choice,))
        thoughts = read.reasoning[index : index + 1]
        ledger.append(
            reply_row(part_of(call, index).key(model), model.model, part, thoughts, **fields, part=True)
        )
        reply, fields = replace(reply, prompt_tokens=0, completion_tokens=0, cost=0.0, attempts=0), {}
    return None
