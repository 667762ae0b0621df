"""Asking in a dialog whether a key may be sent to an endpoint that is new to this user."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bswirl.errors import BswirlError
from bswirl.launch import trust_question
from bswirl_tui.screens.dialogs import Confirm

if TYPE_CHECKING:
    from textual.app import App

    from bswirl.serving.calls import ServedModel


class TrustWantedError(BswirlError):
    """Nothing was sent or started yet: a person has to be asked about this model's key first."""

    def __init__(self, model: ServedModel) -> None:
        super().__init__(trust_question(model), "")
        self.model = model


class Trust:
    """The answers that were given in one attempt to start something."""

    def __init__(self) -> None:
        self._answers: dict[ServedModel, bool] = {}

    def __call__(self, model: ServedModel) -> bool:
        """The answer for that model; for threads. Raises TrustWantedError where there is none yet."""
        if model not in self._answers:
            raise TrustWantedError(model)
        return self._answers[model]

    def ask(self, app: App[Any], wanted: TrustWantedError, again: Callable[[], None]) -> None:
        """Asks on the UI loop, then calls `again`; only `y` is a yes."""

        def answered(yes: bool | None) -> None:
            self._answers[wanted.model] = bool(yes)
            again()

        app.push_screen(Confirm("Send a key", wanted.message, enter_is_yes=False), answered)
