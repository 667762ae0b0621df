"""Escape and the key behind it, arrived together as over a slow line: two keys, not one with Alt."""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._xterm_parser import XTermParser

from bswirl_tui import actions

_ESCAPE = "\x1b"


class EscapeFirst(XTermParser):
    """Textual's parser of what the terminal sends; a character comes with Alt only where the settings ask."""

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        known = [*super()._sequence_to_key_events(sequence, alt)]
        is_sign = len(sequence) == 2 and isinstance(ANSI_SEQUENCES_KEYS.get(sequence), str)  # `¡` for Alt+1
        wanted = any(event.key.startswith("alt+") and actions.has_key(event.key) for event in known)
        if (alt or is_sign) and not wanted:
            yield events.Key("escape", _ESCAPE)
            yield from super()._sequence_to_key_events(sequence[-1])
        else:
            yield from known
