"""What every part of a run's form builds on: its kind, its fields, and what was filled in."""

from __future__ import annotations

from itertools import chain
from typing import Any

from bswirl.errors import BswirlError
from bswirl_tui.screens.base import SubScreen
from bswirl_tui.state import AppState
from bswirl_tui.widgets.fields import OptionField

_NAMED = ("policy", "judge", "prompt", "dataset", "selection")  # whose values an error may name


class FormBase(SubScreen):
    """A screen of fields."""

    def __init__(self, state: AppState, kind: str, fields: list[OptionField]) -> None:
        super().__init__(state)
        self.kind = kind
        self.fields = fields

    def field(self, name: str) -> OptionField | None:
        """The field of an option."""
        return next((field for field in self.fields if field.option.name == name), None)

    @property
    def values(self) -> dict[str, Any]:
        """What was filled in."""
        return {field.option.name: field.value for field in self.fields}

    def wrong_fields(self) -> list[OptionField]:
        """The fields that cannot stand; each says why."""
        raise NotImplementedError

    def go_to(self, field: OptionField) -> None:
        """Puts the cursor there, out of hiding where it must be."""
        raise NotImplementedError

    def show_help(self) -> None:
        """Says of the field with the cursor what it is, or what is wrong with it."""
        raise NotImplementedError

    def go_to_wrong(self) -> bool:
        """Whether a field cannot stand; the first of them has the cursor then."""
        wrong = self.wrong_fields()
        if wrong:
            self.go_to(wrong[0])
        return bool(wrong)

    def blame(self, error: BswirlError) -> bool:
        """Whether the error is about one of the fields, by its flag or its value; that one says so then."""
        words = [word.strip("`':,;") for word in error.message.split()]
        by_flag = (field for field in self.fields if field.option.flag in words)
        named = (field for field in self.fields if field.option.name in _NAMED and field.value)
        by_value = (field for field in named if str(field.value) in words)
        field = next(chain(by_flag, by_value), None)
        if field is not None:
            self.go_to(field)
            field.show_problem(str(error))
            self.show_help()
        return field is not None
