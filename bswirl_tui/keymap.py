"""Keys of one's own: what the settings map is checked, then holds for bindings, footer, help and palette."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import replace

from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual.keys import Keys, _character_to_key

from bswirl.errors import InputError
from bswirl.settings.records import KeySettings
from bswirl_tui import actions
from bswirl_tui.actions import ActionSpec

# Contexts whose keys hold at the same time. One that stands nowhere here meets the app's, lists and texts.
PLACES: tuple[frozenset[str], ...] = tuple(
    map(
        frozenset,
        (
            (actions.APP, actions.MAIN, actions.ROWS, actions.TREE),
            (actions.APP, actions.MAIN, actions.ROWS, actions.CHOICE),
            (actions.APP, actions.MAIN, actions.TEXT),
            (actions.APP, actions.MAIN, actions.COMPARE, actions.TEXT),
            (actions.APP, actions.RUNS, actions.ROWS),
            (actions.APP, actions.RUN, actions.TEXT, actions.LOG),
            (actions.APP, actions.ROUNDS, actions.TEXT),
            (actions.APP, actions.CURVES),
            (actions.APP, actions.MOVED, actions.ROWS),
            (actions.APP, actions.AUDIT, actions.TEXT),
            (actions.APP, actions.REPORT, actions.ROWS, actions.TEXT),
            (actions.APP, actions.CELL, actions.ROWS),
            (actions.APP, actions.CONFLICTS, actions.ROWS, actions.TEXT),
            (actions.APP, actions.SETUP, actions.DIALOG, actions.ROWS),
            (actions.APP, actions.EVALUATIONS, actions.ROWS),
            (actions.APP, actions.COMPARISON, actions.ROWS),
            (actions.APP, actions.PAIR, actions.TEXT),
            (actions.APP, actions.FORM),
            (actions.APP, actions.DIALOG, actions.ROWS, actions.TEXT, actions.CHOICE),
            (actions.APP, actions.DIALOG, actions.TEXT, actions.TOKENS),
        ),
    )
)
_MODIFIERS = ("ctrl", "shift", "alt")
_NAMES = {key.value for key in Keys if not key.value.startswith("<")} | {"space"}
_WRITTEN = {"esc": "escape", "return": "enter", "pgup": "pageup", "pgdn": "pagedown", "del": "delete"}
_CONTROL_CODES = {" ": "\x00", "/": "\x1f"} | {sign: chr(ord(sign) & 0x1F) for sign in "@[\\]^_"}
_HOW = "write a character, `space`, `f2`, `ctrl+x`, or what `bswirl keys` shows"


def mapped(
    wanted: Mapping[str, KeySettings], registry: Iterable[ActionSpec] = actions.DEFAULTS
) -> tuple[ActionSpec, ...]:
    """The registry with the keys that the settings want.

    Raises InputError, naming file and line, for an action or key that does not exist and for a key that would
    mean two things in one place.
    """
    before = tuple(registry)
    known = {spec.id: spec for spec in before}
    keys = {}
    for entry in wanted.values():
        spec = known.get(entry.action)
        if spec is None:
            raise InputError(f"{entry.place}: {_unknown(entry.action)}", _meant(entry.action, known))
        if spec.takes_key:
            raise InputError(
                f"{entry.place}: the keys of `{spec.id}` are digits that count", "take the line out"
            )
        keys[entry.action] = tuple(
            dict.fromkeys(key for name in entry.keys for key in _keys(name, entry.place))
        )
    after = tuple(replace(spec, keys=keys.get(spec.id, spec.keys)) for spec in before)
    _check_clashes(after, wanted)
    return after


def textual_keymap(wanted: Iterable[str]) -> dict[str, str]:
    """The keys of these actions as Textual takes them."""
    return {action: ",".join(actions.spec(action).keys) for action in wanted}


def _unknown(action: str) -> str:
    plain = action.replace(".", "").replace("_", "").isalnum() and len(action) < 40
    return f"the app has no action `{action}`" if plain else "the app has no action of that name"


def _meant(action: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(action, list(known), 1)
    return f"did you mean `{close[0]}`?" if close else "`bswirl keys` lists the actions"


def _keys(name: str, place: str) -> tuple[str, ...]:
    """A key as Textual names it, from how people write it: `x`, `?`, `ctrl+x`, `^x`, `f2`, `space`.

    It has several names where terminals send it in several ways.
    """
    written = f"ctrl+{name[1:]}" if len(name) == 2 and name[0] == "^" else name
    *modifiers, last = written.split("+") if len(written) > 1 else [written]
    last = _character_to_key(last) if len(last) == 1 else _WRITTEN.get(last.lower(), last.lower())
    fits = len(last) == 1 or last in _NAMES or last in actions.SIGNS
    if not fits or not last.isprintable() or any(modifier not in _MODIFIERS for modifier in modifiers):
        raise InputError(f"{place}: that is no key", _HOW)
    held = "+".join(sorted(set(modifiers)))
    character = " " if last == "space" else actions.SIGNS.get(last, last)
    if not held or len(character) > 1:
        return (f"{held}+{last}" if held else last,)
    names = _names_held(held, character, last)
    if not names:
        raise InputError(f"{place}: terminals send no `{actions.display_key(f'{held}+{last}')}`", _HOW)
    return tuple(dict.fromkeys(names))


def _names_held(held: str, character: str, name: str) -> tuple[str, ...]:
    """The names of a character's key while others are held; none where terminals leave those out."""
    letter = character.lower() if character.isalpha() else ""
    if held == "shift" and len(letter.upper()) == 1:
        return (letter.upper(),)
    if held == "ctrl" and letter.isascii() and letter:
        return (f"ctrl+{letter}", *_sent_as(chr(ord(letter) & 0x1F)))
    if held == "ctrl" and character in _CONTROL_CODES:
        return (f"ctrl+{name}", *_sent_as(_CONTROL_CODES[character]))
    if letter and (held == "alt+shift" or (held == "alt" and character != letter)):
        return (f"alt+shift+{letter}",)
    if held == "alt" and letter:
        return (f"alt+{letter}", *_sent_as(f"\x1b{letter}"))
    return ()


def _sent_as(sequence: str) -> list[str]:
    """What Textual makes of what most terminals send; the others tell every key apart."""
    names = ANSI_SEQUENCES_KEYS.get(sequence)
    return [key.value for key in names] if isinstance(names, tuple) else []


def _check_clashes(registry: Iterable[ActionSpec], wanted: Mapping[str, KeySettings]) -> None:
    """Raises InputError where a key of the settings has another meaning in one place."""
    specs = tuple(registry)
    for spec in specs:
        entry = wanted.get(spec.id)
        if entry is None:
            continue
        for other in specs:
            shared = [key for key in spec.keys if key in other.keys]
            if other.id != spec.id and shared and _meet(spec.contexts, other.contexts):
                key = actions.display_key(shared[0])
                remedy = f"give one of them another key; `{other.id}` can be mapped too"
                raise InputError(
                    f"{entry.place}: `{key}` for `{spec.id}` is a key of `{other.id}` in the same place",
                    f"give `{spec.id}` another key" if other.takes_key else remedy,
                )


def _meet(one: Iterable[str], other: Iterable[str]) -> bool:
    placed = frozenset().union(*PLACES)
    extra = {*one, *other} - placed
    places = [*PLACES, *(frozenset((actions.APP, name, actions.ROWS, actions.TEXT)) for name in extra)]
    return any(set(one) & place and set(other) & place for place in places)
