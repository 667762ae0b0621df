"""Typed access to JSON objects that come from outside: journals, requests, uploads."""

from __future__ import annotations

from typing import Any

from bswirl.store.database import storable

INT32 = 2**31 - 1
INT64 = 2**63 - 1


class RowError(ValueError):
    """Something that cannot be used, and why."""


class Fields:
    """Typed access to one JSON object. Everything raises RowError that names the field."""

    def __init__(self, value: Any, what: str = "row") -> None:
        if not isinstance(value, dict):
            raise RowError(f"{what}: not an object")
        self._values: dict[str, Any] = value

    def names(self) -> set[str]:
        """The fields that are there."""
        return set(self._values)

    def integer(self, name: str, *, low: int = 0, high: int = INT32) -> int:
        value = self.optional_integer(name, low=low, high=high)
        if value is None:
            raise RowError(f"`{name}` is missing")
        return value

    def optional_integer(self, name: str, *, low: int = 0, high: int = INT32) -> int | None:
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise RowError(f"`{name}` is no whole number from {low} to {high}")
        return value

    def number(self, name: str) -> float | None:
        return checked_number(self._values.get(name), name)

    def text(self, name: str) -> str:
        value = self.optional_text(name)
        if value is None:
            raise RowError(f"`{name}` is missing")
        return value

    def optional_text(self, name: str) -> str | None:
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise RowError(f"`{name}` is no text")
        return storable(value)

    def flag(self, name: str) -> bool | None:
        value = self._values.get(name)
        if value is not None and not isinstance(value, bool):
            raise RowError(f"`{name}` is neither true nor false")
        return value

    def items(self, name: str) -> list[Any]:
        value = self._values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise RowError(f"`{name}` is no list")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A text or a list of texts; empty where it is missing."""
        value = self._values.get(name)
        items = [value] if isinstance(value, str) else self.items(name)
        if not all(isinstance(item, str) for item in items):
            raise RowError(f"`{name}` is neither a text nor a list of texts")
        return tuple(storable(item) for item in items)

    def integers(self, name: str) -> tuple[int, ...]:
        """A list of whole numbers; empty where it is missing."""
        return tuple(Fields({name: item}).integer(name) for item in self.items(name))

    def numbers_of(self, name: str) -> frozenset[int] | None:
        """A set of rows' numbers; None where it is missing."""
        if self._values.get(name) is None:
            return None
        return frozenset(Fields({name: item}).integer(name, high=INT64) for item in self.items(name))

    def number_or_text(self, name: str) -> int | str:
        """A whole number or a text."""
        if isinstance(self._values.get(name), str):
            return self.text(name)
        return self.integer(name, high=INT64)

    def object(self, name: str) -> dict[str, Any]:
        value = self._values.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise RowError(f"`{name}` is no object")
        return value


def checked_number(value: Any, name: str) -> float | None:
    """A number as a float (also NaN and infinities), None for null. Raises RowError for anything else."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RowError(f"`{name}` is no number")
    try:
        return float(value)
    except OverflowError as error:
        raise RowError(f"`{name}` is too large") from error
