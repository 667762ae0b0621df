"""The table [keys]: which keys of the app do what. The app knows which actions and keys there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bswirl.settings.records import KeySettings
from bswirl.settings.tables import SettingsFile

_EXAMPLE = 'write "label.good" = "x", or several as ["x", "f2"]'


def read_keys(file: SettingsFile) -> dict[str, KeySettings]:
    """Keys by the action's id, each with its place in the file. Raises InputError where they are no texts."""
    table = file.table("keys")
    found = {}
    for action, value in _flat(table.values):
        keys = [value] if isinstance(value, str) else value
        if not isinstance(keys, list) or not keys or not all(isinstance(key, str) and key for key in keys):
            raise table.error("an action's keys are a text or a list of texts", _EXAMPLE, action)
        found[action] = KeySettings(action, tuple(keys), table.place(action))
    return found


def _flat(values: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """The entries; TOML reads `label.good` without quotes as a table in a table."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value
