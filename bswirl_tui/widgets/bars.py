"""The line above a screen (where one is, how things stand) and the line below it (what the keys do)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text
from textual.app import RenderResult
from textual.reactive import reactive
from textual.timer import Timer
from textual.widget import Widget

from bswirl.records import Run
from bswirl_tui import actions
from bswirl_tui.actions import ActionSpec
from bswirl_tui.glyphs import glyphs
from bswirl_tui.state import AppState
from bswirl_tui.text import count, duration, fit, joined, line
from bswirl_tui.themes import Palette, palette

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
        else:
            right = joined([run_words(state.live_runs), stats_words(state.stats)], "   ")
            right.stylize(colours.muted)
        width = self.size.width - 2
        room = width - right.cell_len - 2
        if room < left.cell_len and not state.problem:
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

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_updated)

    def _bindings_updated(self, _screen: object) -> None:
        self.refresh()

    def say(self, message: Text, seconds: float = 6.0) -> None:
        """Shows a message in place of the keys."""
        self.message = message
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(seconds, self.clear)

    def clear(self) -> None:
        self.message = None

    def watch_mode(self, mode: Text | None) -> None:
        """A message from before must not hide what keys mean now."""
        if mode is not None:
            self.clear()

    def render(self) -> RenderResult:
        if self.message is not None:
            return Text(" ") + self.message
        if self.mode is not None:
            return Text(" ") + self.mode
        colours = palette(self.app)
        entries = {
            entry.id: entry
            for active in self.screen.active_bindings.values()
            if (entry := actions.find(active.binding.id)) is not None and entry.footer
        }
        pieces = {entry.id: _key_piece(entry, colours) for entry in entries.values()}
        last = pieces.pop("app.help", Text())
        text, room = Text(" "), self.size.width - 1 - last.cell_len
        for entry in sorted(entries.values(), key=lambda entry: entry.footer):
            piece = pieces.get(entry.id, Text())
            if text.cell_len + piece.cell_len <= room:
                text.append_text(piece)
        return text.append_text(last)


def _key_piece(entry: ActionSpec, colours: Palette) -> Text:
    """A key and its name."""
    return Text.assemble((entry.key_display, colours.accent), (f" {entry.label}  ", colours.muted))
