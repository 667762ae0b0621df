"""One table of a settings file: its values by type, and errors that name file, line, table and key.

A value is never part of an error: it may be a key that was pasted into the wrong place.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bswirl.errors import InputError

_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?$")
_KEY = re.compile(r"\s*([\"']?)([\w.-]+)\1\s*=")


class SettingsFile:
    """The text of a settings file, read as TOML."""

    def __init__(self, path: Path) -> None:
        """Raises InputError where the file cannot be read or is no TOML."""
        self.path = path
        try:
            self._text = path.read_text(encoding="utf-8")
            self.values: dict[str, Any] = tomllib.loads(self._text)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}", "check that the file is readable") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"{path}: not valid TOML: {error}", "mend that line") from error

    def table(self, *names: str) -> Table:
        """The table of that name, empty where there is none. Raises InputError where it is no table."""
        values: Any = self.values
        for depth, name in enumerate(names, 1):
            values = values.get(name, {})
            if not isinstance(values, dict):
                place = ".".join(names[:depth])
                raise self.error(
                    f"`{place}` must be a table",
                    f"write [{place}] and its keys below",
                    names[: depth - 1],
                    name,
                )
        return Table(self, names, values)

    def error(
        self, message: str, remedy: str, table: tuple[str, ...] = (), key: str | None = None
    ) -> InputError:
        """An error about a table, or about a key in it; it names the line where that can be told."""
        return InputError(f"{self.place(table, key)}: {message}", remedy)

    def place(self, table: tuple[str, ...] = (), key: str | None = None) -> str:
        """The file and the line of a table or a key, where that can be told."""
        line = self._line(table, key)
        return f"{self.path}, line {line}" if line else str(self.path)

    def _line(self, table: tuple[str, ...], key: str | None) -> int | None:
        """The line of a key, else of its table's header; None where they are written in another way."""
        wanted = ".".join(table)
        place = wanted if key is None else f"{wanted}.{key}".lstrip(".")
        current, header_line = "", None
        for number, line in enumerate(self._text.splitlines(), 1):
            if header := _HEADER.match(line):
                current = _bare(header.group(1))
                if f"{current}.".startswith(f"{place}."):
                    return number
                if current == wanted:
                    header_line = number
            elif (found := _KEY.match(line)) and f"{current}.{found.group(2)}".lstrip(".") == place:
                return number
        return header_line


def _bare(header: str) -> str:
    """A header's dotted name without blanks and quotes."""
    return re.sub(r"[\"'\s]", "", header)


class Table:
    """One table of the settings, by the names that lead to it."""

    def __init__(self, file: SettingsFile, names: tuple[str, ...], values: dict[str, Any]) -> None:
        self._file = file
        self._names = names
        self.values = values

    @property
    def title(self) -> str:
        """How the table is called in the file; empty for the file itself."""
        return ".".join(self._names)

    def error(self, message: str, remedy: str, key: str | None = None) -> InputError:
        """An error about the table, or about one of its keys."""
        where = f"[{self.title}]: " if self._names else ""
        return self._file.error(where + message, remedy, self._names, key)

    def place(self, key: str) -> str:
        """The file and the line of one of its keys."""
        return self._file.place(self._names, key)

    def check_keys(self, known: Iterable[str]) -> None:
        """Raises InputError for the first key that is not known, with the one that was perhaps meant."""
        names = tuple(known)
        for key in self.values:
            if key not in names:
                meant = difflib.get_close_matches(key, names, 1)
                remedy = f"did you mean `{meant[0]}`?" if meant else f"known: {', '.join(names)}"
                raise self.error(f"unknown key {_shown(key)}", remedy, key)

    def text(self, key: str) -> str | None:
        """The text at `key`; None where there is none. Raises InputError where it is something else."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.error(f"`{key}` must be a text", f'write {key} = "…"', key)
        if any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):
            raise self.error(f"`{key}` holds a control character", "write it on one line", key)
        return value.strip() or None

    def number(
        self, key: str, *, most: float, least: float | None = None, above: float | None = None
    ) -> float | None:
        """The number at `key`; None where there is none. Raises InputError unless it is a number in range."""
        return self._number(key, "a number", (int, float), most, least, above)

    def whole(self, key: str, *, least: int, most: int) -> int | None:
        """The whole number at `key`. Raises as `number`."""
        value = self._number(key, "a whole number", (int,), most, least, None)
        return None if value is None else int(value)

    def _number(
        self,
        key: str,
        what: str,
        kinds: tuple[type, ...],
        most: float,
        least: float | None,
        above: float | None,
    ) -> float | None:
        value: Any = self.values.get(key)
        if value is None:
            return None
        fits = (
            type(value) in kinds  # true and false are no numbers
            and (least is None or value >= least)
            and (above is None or value > above)
            and value <= most  # nor is NaN at most anything
        )
        if not fits:
            limits = (("at least", least), ("above", above), ("at most", most))
            words = " and ".join(f"{word} {limit:,.15g}" for word, limit in limits if limit is not None)
            raise self.error(f"`{key}` must be {what}", f"it is {words}", key)
        return value  # type: ignore[no-any-return]


def _shown(key: str) -> str:
    """An unknown key's name where it is a plain word: anything else may be a secret."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z_-]{0,39}", key)
    return f"`{key}`" if plain else "(not shown)"
