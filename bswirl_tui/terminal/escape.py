"""Escape and the key behind it, arrived together as over a slow line: two keys, not one with Alt."""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual._xterm_parser import XTermParser

from bswirl_tui import actions

_ESCAPE = "\x1b"
_BEGINNINGS = "[O"  # of what terminals send for arrows, functions, the mouse
_WORD_KEYS = "\x1b\x7f\tfb"  # Alt in fields: taken for two keys, they would leave the field and act outside


class EscapeFirst(XTermParser):
    """Textual's parser of what the terminal sends; a character comes with Alt only where the settings ask."""

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        pair = len(sequence) == 2 and sequence[0] == _ESCAPE and sequence[1] not in _BEGINNINGS + _WORD_KEYS
        if not (alt or pair):
            yield from super()._sequence_to_key_events(sequence)
            return
        character = sequence[-1]
        held = [*super()._sequence_to_key_events(character, alt=True)]
        if any(event.key.startswith("alt+") and actions.has_key(event.key) for event in held):
            yield from held
        else:
            yield events.Key("escape", _ESCAPE)
            yield from super()._sequence_to_key_events(character)
