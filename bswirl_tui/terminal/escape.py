"""Escape and the key behind it, arrived together as over a slow line: two keys, not one with Alt."""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._xterm_parser import XTermParser

_ESCAPE = "\x1b"


class EscapeFirst(XTermParser):
    """Textual's parser of what the terminal sends, in which no character comes with Alt."""

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        is_sign = len(sequence) == 2 and isinstance(ANSI_SEQUENCES_KEYS.get(sequence), str)  # `¡` for Alt+1
        if alt or is_sign:
            yield events.Key("escape", _ESCAPE)
            sequence = sequence[-1]
        yield from super()._sequence_to_key_events(sequence)
