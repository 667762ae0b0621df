"""The one registry of what keys do: bindings, footer, help screen and command palette are made from it."""

from __future__ import annotations

from textual.binding import Binding

from bswirl_tui.keys.audit import AUDITING
from bswirl_tui.keys.everywhere import EVERYWHERE, MOVING
from bswirl_tui.keys.main import READING
from bswirl_tui.keys.runs import RUNNING
from bswirl_tui.keys.spec import (
    APP,
    AUDIT,
    CELL,
    CHOICE,
    COMPARE,
    COMPARISON,
    CONFLICTS,
    CURVES,
    DIALOG,
    EVALUATIONS,
    FORM,
    LOG,
    MAIN,
    MOVED,
    PAIR,
    REPORT,
    ROUNDS,
    ROWS,
    RUN,
    RUNS,
    SETUP,
    SIGNS,
    TEXT,
    TOKENS,
    TREE,
    ActionSpec,
    display_key,
)

__all__ = [
    "ACTIONS",
    "APP",
    "AUDIT",
    "CELL",
    "CHOICE",
    "COMPARE",
    "COMPARISON",
    "CONFLICTS",
    "CURVES",
    "DEFAULTS",
    "DIALOG",
    "EVALUATIONS",
    "FORM",
    "LOG",
    "MAIN",
    "MOVED",
    "PAIR",
    "REPORT",
    "ROUNDS",
    "ROWS",
    "RUN",
    "RUNS",
    "SETUP",
    "SIGNS",
    "TEXT",
    "TOKENS",
    "TREE",
    "ActionSpec",
    "bindings",
    "display_key",
    "find",
    "has_key",
    "keys_of",
    "spec",
    "use",
]

# The help screen and the documentation of the keys go in this order.
DEFAULTS: tuple[ActionSpec, ...] = (*READING, *AUDITING, *MOVING, *RUNNING, *EVERYWHERE)
ACTIONS = DEFAULTS  # with the settings' keys, once these are read
_BY_ID = {spec.id: spec for spec in ACTIONS}


def use(registry: tuple[ActionSpec, ...]) -> None:
    """Makes these the actions, with the keys that they have there."""
    global ACTIONS, _BY_ID
    ACTIONS = registry
    _BY_ID = {entry.id: entry for entry in registry}


def spec(action_id: str) -> ActionSpec:
    """The action of that id. Raises KeyError where there is none."""
    return _BY_ID[action_id]


def find(action_id: str | None) -> ActionSpec | None:
    """The action of that id, where the registry has it."""
    return _BY_ID.get(action_id or "")


def has_key(name: str) -> bool:
    """Whether that key, as Textual names it, does anything anywhere."""
    return any(name in entry.keys for entry in ACTIONS)


def keys_of(*action_ids: str) -> tuple[str, ...]:
    """Each one's first key, as people write it."""
    return tuple(spec(action_id).key_display for action_id in action_ids)


def bindings(*contexts: str) -> list[Binding]:
    """The bindings of a screen or widget that carries out the actions of these contexts, with default keys.

    The app lays the settings' keys over them.
    """
    return [
        Binding(
            key=key,
            action=f"{entry.method}('{key}')" if entry.takes_key else entry.method,
            description=entry.label,
            show=False,
            key_display=entry.key_display,
            tooltip=entry.description,
            id=entry.id,
        )
        for entry in DEFAULTS
        if any(context in entry.contexts for context in contexts)
        for key in (entry.keys if entry.takes_key else (",".join(entry.keys),))
    ]
