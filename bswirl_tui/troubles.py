"""Failures that nobody has just asked for: one dialog for them all, and never over what is being typed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, Static

from bswirl.errors import BswirlError
from bswirl_tui import actions
from bswirl_tui.screens.dialogs import Dialog, is_same, what_failed
from bswirl_tui.text import clean
from bswirl_tui.themes import palette

if TYPE_CHECKING:
    from bswirl_tui.app import BswirlApp

KEPT = 5  # different failures, the newest
QUIET_SECONDS = 60.0  # so long after it was read, the same failure is counted and opens no dialog
clock = time.monotonic
KEY_SECONDS = 0.1  # within which a key has had its effect


@dataclass(slots=True)
class Trouble:
    """One failure, and how often it came."""

    error: BswirlError
    last: float
    times: int = 1
    seen: bool = False


class Troubles:
    """Shows failures in a dialog. While keys are votes or text, or another dialog is open, they wait."""

    def __init__(self, app: BswirlApp) -> None:
        self._app = app
        self._kept: list[Trouble] = []

    @property
    def waiting(self) -> int:
        """How many failures nobody has read."""
        return sum(not trouble.seen for trouble in self._kept)

    def tell(self, error: BswirlError) -> None:
        """Shows a failure now or as soon as nothing is typed; one that goes on and on is counted."""
        now = clock()
        known = next((one for one in self._kept if is_same(one.error, error)), None)
        if known is None:
            self._kept = [*self._kept, Trouble(error, now)][-KEPT:]
        else:
            goes_on = known.seen and now - known.last < QUIET_SECONDS
            known.times, known.last, known.seen = known.times + 1, now, goes_on
            if goes_on:
                if known.times & (known.times - 1) == 0:  # 2, 4, 8: what goes on for long is said less often
                    self._app.warn(f"Again, {known.times} times now: {error.message}")
                return
        if not self.show():
            key = actions.spec("app.problems").key_display
            self._app.warn(f"{error.message}; {key} says what to do.")

    def key_pressed(self) -> None:
        """The key may lead to where a failure can be shown."""
        if self.waiting:
            self._app.set_timer(KEY_SECONDS, self.show)

    def show(self) -> bool:
        """Opens the dialog, or brings it up to date; whether unread failures are in sight now."""
        screen = self._app.screen
        if isinstance(screen, ProblemsDialog):
            screen.show(self._unread())
        elif self.waiting and not takes_keys(screen):
            self.open()
        elif self.waiting:
            self._app.state.waiting_problems = self.waiting
            self._app.refresh_bars()
            return False
        return True

    def open(self) -> None:
        """Shows what is unread; where all is read, the newest once more."""
        if isinstance(self._app.screen, ProblemsDialog):
            return
        shown = self._unread()
        if not shown:
            self._app.warn("Nothing has gone wrong so far.")
            return
        self._app.push_screen(ProblemsDialog(shown), self._read)

    def _unread(self) -> list[Trouble]:
        return [one for one in self._kept if not one.seen] or self._kept[-1:]

    def _read(self, _answer: bool | None) -> None:
        for trouble in self._kept:
            trouble.seen = True
        self._app.state.waiting_problems = 0
        self._app.refresh_bars()


def takes_keys(screen: Screen[object]) -> bool:
    """Whether a dialog over this screen would take keys that were meant for what is there."""
    typing = isinstance(screen.focused, Input)
    return typing or isinstance(screen, ModalScreen) or getattr(screen, "KEYS_ARE_VOTES", False)


class ProblemsDialog(Dialog[bool]):
    """What went wrong, how often, and what to do. Letters and digits do nothing here."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "screen_back", show=False)]

    def __init__(self, troubles: list[Trouble]) -> None:
        again = actions.spec("app.problems").key_display
        super().__init__("Something went wrong", f"enter closes; {again} shows it again")
        self._troubles = troubles
        self.add_class("problem")

    def content(self) -> ComposeResult:
        yield Static(self._words(), classes="words", markup=False)

    def on_mount(self) -> None:
        self.show(self._troubles)  # it may have been told more while it was made

    def show(self, troubles: list[Trouble]) -> None:
        """Brings the dialog up to date."""
        self._troubles = troubles
        for words in self.query(".words").results(Static):
            words.update(self._words())

    def _words(self) -> Text:
        colours, parts = palette(self.app), []
        for trouble in self._troubles:
            text = what_failed(trouble.error, trouble.times, colours)
            if trouble.error.remedy:
                text.append(f"\n{clean(trouble.error.remedy, limit=1000)}", colours.accent)
            parts.append(text)
        return Text("\n\n").join(parts)


def when_free(app: BswirlApp, work: Callable[[], None]) -> None:
    """Does `work`, which opens a dialog, as soon as no other dialog is open and no text is typed."""
    if not isinstance(app.screen, ModalScreen) and not isinstance(app.screen.focused, Input):
        work()
    else:
        app.set_timer(_LOOK_AGAIN_SECONDS, lambda: when_free(app, work))


_LOOK_AGAIN_SECONDS = 0.2
