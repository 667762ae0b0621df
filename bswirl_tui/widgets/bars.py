"""The line above a screen (where one is, how things stand) and the line below it (what the keys do)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text
from textual.app import RenderResult
from textual.reactive import reactive
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, Static

from bswirl.records import Run
from bswirl_tui import actions
from bswirl_tui.actions import ActionSpec
from bswirl_tui.glyphs import glyphs
from bswirl_tui.state import AppState
from bswirl_tui.text import count, duration, fit, joined, line
from bswirl_tui.themes import Palette, palette

MESSAGE_SECONDS = 6.0  # for which a message stands when no key ends it
NOTE_LINES = 4  # of a message; a longer one is shown in a window
BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # classes of a screen by its width


class StatusBar(Widget):
    """Project, place and auditor on the left; counts, or what is wrong, on the right."""

    ALLOW_SELECT = False

    def __init__(self, state: AppState, place: str = "") -> None:
        super().__init__()
        self._state = state
        self._place = place
        self._drawn = Text()

    def refresh_changed(self) -> None:
        """Redraws the line if it says something else now."""
        if self._words() != self._drawn:
            self.refresh()

    def render(self) -> RenderResult:
        self._drawn = self._words()
        return self._drawn

    def _words(self) -> Text:
        colours, signs, state = palette(self.app), glyphs(), self._state
        left = joined(
            [
                Text("bswirl", colours.accent),
                line(state.project_name, colours.strong, limit=40),
                Text(self._place),
                line(state.auditor, colours.muted, limit=24),
            ],
            style=colours.faint,
        )
        if state.problem:
            right = Text(f"{signs.bad} no owner: trying again", colours.bad)
        elif state.waiting_problems:
            key = actions.spec("app.problems").key_display
            words = count(state.waiting_problems, "problem")
            right = Text(f"{signs.bad} {words}: {key} says what to do", colours.bad)
        else:
            right = joined([run_words(state.live_runs), stats_words(state.stats)], "   ")
            right.stylize(colours.muted)
        width = self.size.width - 2
        room = width - right.cell_len - 2
        if room < left.cell_len and not (state.problem or state.waiting_problems):
            right = run_words(state.live_runs)
            room = width - right.cell_len - 2
        return Text(" ") + fit(left, max(0, room)) + Text("  ") + right


class Rule(Widget):
    """A thin line between panes that stand side by side."""

    ALLOW_SELECT = False

    def render(self) -> RenderResult:
        return Text()


def stats_words(stats: dict[str, Any]) -> str:
    """The project's size in a few words."""
    if not stats:
        return ""
    facts = [count(stats.get("questions", 0), "question"), count(stats.get("actions", 0), "action")]
    facts.append(count(stats.get("labels", 0), "label"))
    return glyphs().separator.join(facts)


def run_words(runs: Sequence[Run]) -> Text:
    """The run that is under way, or how many are."""
    if not runs:
        return Text()
    if len(runs) > 1:
        return Text(f"{len(runs)} runs under way")
    run = runs[0]
    words = Text(f"{run.kind} {run.run_id} {run.status}")
    progress = run.progress
    if progress is not None and progress.total > 0:
        words.append(f" {100 * progress.done // progress.total}%")
        if progress.eta_seconds is not None:
            words.append(f" {duration(progress.eta_seconds)} left")
    return words


class KeyBar(Widget):
    """The keys that work here, from the registry, as many as fit; a message takes its place for a while."""

    ALLOW_SELECT = False
    message: reactive[Text | None] = reactive(None)
    mode: reactive[Text | None] = reactive(None)  # stands for the keys while they mean something else
    _timer: Timer | None = None
    _note: Note | None = None
    _lasting = False

    def __init__(self) -> None:
        super().__init__()
        self._labels: dict[str, str] = {}

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_updated)

    def _bindings_updated(self, _screen: object) -> None:
        self.refresh()

    def name_keys(self, labels: Mapping[str, str]) -> None:
        """Actions that are called something else here and now; they come first."""
        if labels != self._labels:
            self._labels = dict(labels)
            self.refresh()

    def say(self, message: Text, seconds: float | None = None) -> bool:
        """Shows a message over the keys until the next one; False where it is too long for that.

        One for more than a minute says what goes on, and keys leave it alone.
        """
        lines = message.wrap(self.app.console, self._room, no_wrap=False)
        if len(lines) > NOTE_LINES:
            return False
        seconds = MESSAGE_SECONDS if seconds is None else seconds
        self.clear()
        self.message = message
        self._lasting = seconds > 60
        self._timer = self.set_timer(seconds, self.clear)
        if len(lines) > 1:
            self._note = Note(message)
            self.screen.mount(self._note)
        return True

    @property
    def _room(self) -> int:
        return max(1, (self.size.width or self.app.size.width) - 2)

    def say_start(self, message: Text, seconds: float | None) -> None:
        """Shows as much of a long message as there is room for."""
        start = message[: (NOTE_LINES - 1) * self._room]
        self.say(start.append(glyphs().ellipsis), seconds)

    def key_pressed(self) -> None:
        """What was said has been read."""
        if not self._lasting:
            self.clear()

    def clear(self) -> None:
        """Shows the keys again."""
        self.message = None
        if self._timer is not None:
            self._timer.stop()
        if self._note is not None:
            self._note.remove()
            self._note = None

    def watch_mode(self, mode: Text | None) -> None:
        """A message from before must not hide what keys mean now."""
        if mode is not None:
            self.clear()

    def render(self) -> RenderResult:
        if self.message is not None:
            return Text(" ") + self.message
        if self.screen is not self.app.screen:
            return Text()  # keys go to what lies over it
        if self.mode is not None:
            return Text(" ") + self.mode
        colours = palette(self.app)
        entries = {
            entry.id: entry
            for active in self.screen.active_bindings.values()
            if (entry := actions.find(active.binding.id)) is not None and entry.footer
        }
        names = {entry.id: self._labels.get(entry.id, entry.label) for entry in entries.values()}
        typing = isinstance(self.screen.focused, Input)
        pieces = {entry.id: _key_piece(entry, names[entry.id], colours, typing) for entry in entries.values()}
        back = Text() if "audit.leave" in pieces else pieces.pop("screen.back", Text())
        last = back + pieces.pop("app.help", Text())
        text, room = Text(" "), self.size.width - 1 - last.cell_len
        for entry in sorted(entries.values(), key=lambda one: (one.id not in self._labels, one.footer)):
            piece = pieces.get(entry.id, Text())
            if text.cell_len + piece.cell_len <= room:
                text.append_text(piece)
        return text.append_text(last)


class Note(Static):
    """A message of several lines, over the foot of the screen; nothing else moves for it."""

    def __init__(self, message: Text) -> None:
        message = message.copy()
        message.no_wrap = False
        super().__init__(message, markup=False)


def _key_piece(entry: ActionSpec, label: str, colours: Palette, typing: bool) -> Text:
    """A key and its name; while one types, a key that is no letter or sign."""
    keys = [key for key in map(actions.display_key, entry.keys) if not typing or len(key) > 1]
    return Text.assemble((keys[0], colours.accent), (f" {label}  ", colours.muted)) if keys else Text()
