"""What an action is: its keys, words and contexts."""

from __future__ import annotations

import string
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from textual.keys import _character_to_key

# Contexts name who carries an action out: the app, a screen, or a kind of widget.
APP, MAIN, ROWS, CHOICE, TREE, COMPARE, TEXT, RUNS, RUN, LOG, FORM, DIALOG = (
    "app",
    "main",
    "rows",
    "choice",
    "tree",
    "compare",
    "text",
    "runs",
    "run",
    "log",
    "form",
    "dialog",
)
CURVES, MOVED, ROUNDS = "curves", "moved", "rounds"
TOKENS = "tokens"
AUDIT, REPORT, CELL, CONFLICTS, SETUP = "audit", "report", "cell", "conflicts", "setup"
EVALUATIONS, COMPARISON, PAIR = "evaluations", "comparison", "pair"
SUB_SCREENS = (RUNS, RUN, ROUNDS, EVALUATIONS, COMPARISON, PAIR, REPORT, CELL, CONFLICTS, MOVED)


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """Something a key does. The widget of its context carries it out in `action_<id with _ for .>`."""

    id: str  # stable: settings may map keys to it
    keys: tuple[str, ...]  # as Textual names them
    label: str  # one or two words
    description: str  # one sentence
    group: str  # its heading on the help screen
    contexts: tuple[str, ...]
    footer: int = 0  # its place in the footer; 0: not there
    palette: bool = True  # offered in the command palette
    takes_key: bool = False  # which of its keys was pressed is a parameter

    @property
    def method(self) -> str:
        """The Textual action that carries it out."""
        return self.id.replace(".", "_")

    @property
    def key_display(self) -> str:
        """Its first key, as people write it."""
        return display_key(self.keys[0])

    @property
    def all_keys_display(self) -> str:
        return " ".join(dict.fromkeys(display_key(key) for key in self.keys))


SIGNS = {_character_to_key(sign): sign for sign in string.punctuation}  # by the names that Textual gives them
_SHORT = {"escape": "esc", "pagedown": "pgdn", "pageup": "pgup"}


def display_key(key: str) -> str:
    """A key as people write it: `/`, `esc`, `^p`."""
    *modifiers, name = key.split("+")
    shown = SIGNS.get(name) or _SHORT.get(name, name)
    for modifier in reversed(modifiers):
        shown = f"^{shown}" if modifier == "ctrl" else f"{modifier}+{shown}"
    return shown


def placed(
    group: str, contexts: str | tuple[str, ...], rows: Iterable[tuple[Any, ...]]
) -> tuple[ActionSpec, ...]:
    """Actions under one heading of the help screen: id, keys, label, description and what else a row says."""
    names = (contexts,) if isinstance(contexts, str) else contexts
    return tuple(
        ActionSpec(
            id=row[0],
            keys=tuple(row[1].split(" ")),
            label=row[2],
            description=row[3],
            group=group,
            contexts=names,
            footer=row[4] if len(row) > 4 else 0,
            palette=row[5] if len(row) > 5 else True,
            takes_key=row[6] if len(row) > 6 else False,
        )
        for row in rows
    )
