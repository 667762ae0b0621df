"""The app: one process, one terminal, one project."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from rich.text import Text
from textual import events
from textual.app import App
from textual.binding import BindingType
from textual.css.query import NoMatches
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.message_pump import MessagePump
from textual.screen import ModalScreen, Screen

from bswirl.errors import BswirlError, InputError, UsageError
from bswirl.project import Project, load_settings
from bswirl_tui import actions, glyphs, hangup, keymap
from bswirl_tui.changes import Changes
from bswirl_tui.commands import RegistryCommands
from bswirl_tui.link import Lane, Link, LinkChanged, ProjectChanged
from bswirl_tui.memory import Memory
from bswirl_tui.reattaching import Reattaching
from bswirl_tui.screens.dialogs import Confirm, Problem, Shown
from bswirl_tui.screens.help import help_reader
from bswirl_tui.screens.main import MainScreen
from bswirl_tui.state import AppState
from bswirl_tui.terminal.kind import drop_unfit_colours, takes_mouse
from bswirl_tui.terminal.thin import ThinDriver
from bswirl_tui.text import count, line
from bswirl_tui.themes import (
    ASCII_BORDERS,
    BORDERS,
    DARK,
    FALLBACK_VARIABLES,
    ORDER,
    PLAIN,
    THEMES,
    TITLES,
    fitting_theme,
    palette,
)
from bswirl_tui.troubles import Troubles, takes_keys
from bswirl_tui.typing_order import KeyDone, Typed, TypingOrder
from bswirl_tui.way_back import WayBack
from bswirl_tui.widgets.bars import KeyBar, StatusBar

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl_tui.sitting import Sitting

T = TypeVar("T")
START_SECONDS = 2.0  # by which the first screen is there


class BswirlApp(App[int]):
    """Shows a project and lets a person label its steps and start runs on it."""

    TITLE = "bswirl"
    CSS_PATH = Path(__file__).with_name("bswirl.tcss")
    COMMANDS: ClassVar[set[type[RegistryCommands]]] = {RegistryCommands}  # type: ignore[assignment]
    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.APP)]
    COMMAND_PALETTE_BINDING = "ctrl+p"
    ENABLE_COMMAND_PALETTE = False  # ours opens it; Textual would add keys of its own

    def __init__(
        self,
        project: Project,
        auditor: str | None = None,
        *,
        memory: Memory | None = None,
        fresh: bool = False,
        tour: bool = True,
    ) -> None:
        """Without a memory, nothing is remembered and no tour offers itself."""
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        self.animation_level = "none"
        self.project = project
        self.auditor = auditor
        self.state = AppState(project.root.name, auditor or "")
        self.link = Link(self, self._connect)
        self.sitting: Sitting | None = None  # at the audit queue
        self._keys_problem = self._take_keys()
        self._memory = memory
        self.reattaching = Reattaching(self, memory, fresh=fresh)
        self._tour = tour
        self.changes = Changes(self)
        self._said_in: KeyBar | None = None  # the newest message
        self._typing = TypingOrder(self, self._hand_over, self._keys_refused)
        self.troubles = Troubles(self)
        self.way_back = WayBack(self)
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = fitting_theme(self.console.color_system, no_color=self.no_color)

    def _take_keys(self) -> InputError | None:
        """Lays the settings' keys over the usual ones; returns what is wrong; then the usual ones hold."""
        actions.use(actions.DEFAULTS)
        try:
            keys = load_settings(self.project).keys
            actions.use(keymap.mapped(keys))
        except InputError as error:
            return error
        self.set_keymap(keymap.textual_keymap(keys))
        return None

    def _connect(self) -> Client:
        from bswirl.client import connect

        return connect(self.project, auditor=self.auditor)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return FALLBACK_VARIABLES | (ASCII_BORDERS if glyphs.glyphs() is glyphs.ASCII else BORDERS)

    def get_driver_class(self) -> type[Driver]:
        fitting = super().get_driver_class()
        return ThinDriver if fitting is LinuxDriver else fitting

    def get_default_screen(self) -> Screen[Any]:
        return MainScreen(self.state)

    def on_mount(self) -> None:
        self.link.start()
        self.set_timer(START_SECONDS, _collect_from_now_on)
        if self._keys_problem is not None:
            self.call_after_refresh(self.show_problem, self._keys_problem)

    def on_unmount(self) -> None:
        self.reattaching.keep()
        self.link.stop()

    def exit(self, *given: Any, **named: Any) -> None:
        """Notes where one was while it is still there."""
        self.reattaching.look()
        super().exit(*given, **named)

    # what is remembered

    def tell_where(self) -> None:
        """Says that one is where one was."""
        self.warn("You are where you were; `bswirl --fresh` begins anew.")

    def open_within(self, screen: Screen[Any]) -> None:
        """Opens what a screen that was opened again had opened itself, and says on it where one is."""
        self.push_screen(screen)
        self.tell_where()

    def wants_tour(self) -> bool:
        """Whether the tour offers itself; it does so once to a user."""
        if self._memory is None or not self._tour or self._memory.tour_seen:
            return False
        self._memory.see_tour()
        return True

    # calls to the owner

    def ask_owner(
        self,
        node: MessagePump,
        key: str,
        work: Callable[[Client], T],
        done: Callable[[T], None],
        *,
        failed: Callable[[BswirlError], None] | None = None,
        lane: Lane = "quick",
        opens: bool = False,
    ) -> None:
        """Runs `work` off the UI loop and `done` on it; a failure that nobody handles is told.

        Where `done` opens a screen or a dialog, further keys wait for it.
        """
        failed = failed or self.tell_problem
        if opens:
            self._typing.hold((node, key))
            done, failed = self._releasing((node, key), done), self._releasing((node, key), failed)
        self.link.request(node, key, work, done, failed, lane=lane)

    def _releasing(self, what: Hashable, callback: Callable[[T], None]) -> Callable[[T], None]:
        def call(value: T) -> None:
            try:
                callback(value)
            finally:
                self._typing.release(what)

        return call

    def tell_problem(self, error: BswirlError) -> None:
        """A failure in the background: a dialog, which waits while keys are votes or text."""
        self.troubles.tell(error)

    def show_problem(self, error: BswirlError) -> None:
        """A failure of what the user just asked for: a dialog, one for the same failure of fast keys."""
        if not any(isinstance(screen, Problem) and screen.counts(error) for screen in self.screen_stack):
            self.push_screen(Problem(error))

    def say(self, message: Text, seconds: float | None = None) -> None:
        """Shows a message in the line of keys until the next key; a very long one in a window."""
        for screen in reversed(self.screen_stack):
            if not screen.is_mounted and not isinstance(screen, ModalScreen):  # just opened
                screen.call_after_refresh(self.say, message, seconds)
                return
            for bar in screen.query(KeyBar):
                if self._said_in is not None:
                    self._said_in.key_pressed()  # it may lie under the screen on top by now
                self._said_in = bar
                if bar.say(message, seconds):
                    return
                if takes_keys(self.screen):
                    bar.say_start(message, seconds)
                else:
                    self.push_screen(Shown("To read", message.plain))
                return

    def warn(self, words: str) -> None:
        """Says in the line of keys why something was not done."""
        self.say(line(words, palette(self).warn))

    # the audit

    def sitting_changed(self) -> None:
        """Shows what changed at the audit queue."""
        for screen in self.screen_stack:
            show = getattr(screen, "show_sitting", None)
            if show is not None:
                show()

    def show_in_tree(self, question_id: int, action_id: int) -> None:
        """Goes to a step among its siblings on the main screen; escape leads back to where one was."""
        main = self._to_main()
        main.open_step(question_id, action_id, comparing=True)

    def open_question(self, question_id: int) -> None:
        """Goes to that question's tree on the main screen; escape leads back to where one was."""
        self._to_main().open_question(question_id)

    def _to_main(self) -> MainScreen:
        self.main_screen.came_from(self.way_back.set_aside())
        return self.main_screen

    @property
    def main_screen(self) -> MainScreen:
        """The screen below all others, which nothing takes away."""
        return cast(MainScreen, self.screen_stack[0])

    def leave(self) -> None:
        """Ends the app once every vote is recorded; asks where that does not come about."""
        sitting = self.sitting
        if sitting is None or not len(sitting.outbox):
            self.exit(0)
        elif sitting.outbox.problem is None:
            self.warn("The app ends when your last votes are recorded.")
            sitting.outbox.when_empty(lambda: self.exit(0))
        else:
            words = f"{count(len(sitting.outbox), 'vote')} could not be recorded. Leave without?"
            self.push_screen(Confirm("Votes would be lost", words), lambda yes: self.exit(0) if yes else None)

    # what changes

    def on_link_changed(self, event: LinkChanged) -> None:
        was_lost = bool(self.state.problem)
        self.state.problem = "" if event.connected else event.problem or "the owner went away"
        self.refresh_bars()
        if event.connected and self.sitting is not None:
            self.sitting.outbox.again()
            self.sitting.poke()
        if event.connected and was_lost:
            if self._keys_problem is not None:  # perhaps what kept the owner away, and mended by now
                self._keys_problem = self._take_keys()
            self.changes.add(ProjectChanged.everything())

    def on_project_changed(self, event: ProjectChanged) -> None:
        self.changes.add(event)

    def refresh_bars(self) -> None:
        for screen in self.screen_stack:
            for bar in screen.query(StatusBar):
                bar.refresh_changed()

    # keys

    async def on_event(self, event: events.Event) -> None:
        """A key ends the message before it, and then does what it does."""
        if isinstance(event, (events.Key, events.Paste)) and not event.is_forwarded:
            await self._typing.take(event)
            return
        if isinstance(event, events.MouseDown) and not event.is_forwarded:
            self._pressed()
        await super().on_event(event)

    async def _hand_over(self, typed: Typed) -> None:
        self._pressed()
        await super().on_event(typed)

    def _pressed(self) -> None:
        if self._said_in is not None:
            self._said_in.key_pressed()
        self.reattaching.key_pressed()
        self.troubles.key_pressed()
        if self.sitting is not None and any(
            getattr(screen, "KEYS_ARE_VOTES", False) for screen in self.screen_stack
        ):
            self.sitting.key_pressed()

    def _keys_refused(self, number: int) -> None:
        self.warn(f"What you asked for is still being read: {count(number, 'key')} not taken.")

    async def on_key_done(self, message: KeyDone) -> None:
        await self._typing.came_back(message.number)

    def action_app_help(self) -> None:
        active = [actions.find(bound.binding.id) for bound in self.screen.active_bindings.values()]
        legend = isinstance(self.screen, MainScreen)
        specs = [entry for entry in active if entry is not None]
        self.push_screen(help_reader(specs, palette(self), legend=legend))

    def action_app_commands(self) -> None:
        self.action_command_palette()

    def on_resize(self) -> None:
        self._send_all()

    def _send_all(self) -> None:
        """Has the next drawing sent whole, whatever the terminal shows."""
        if isinstance(self._driver, ThinDriver):
            self._driver.thin.forget()

    def action_app_refresh(self) -> None:
        self._send_all()
        self.changes.add(ProjectChanged.everything())
        self.refresh(layout=True)

    def action_app_theme_next(self) -> None:
        order = ORDER if not self.no_color else (PLAIN,)
        self.theme = order[(order.index(self.theme) + 1) % len(order)] if self.theme in order else DARK
        self.say(Text(f"Theme: {TITLES[self.theme]}."))

    def action_app_problems(self) -> None:
        self.troubles.open()

    def action_app_end(self) -> None:
        self.leave()

    def action_command_palette(self) -> None:
        from textual.command import CommandPalette

        if not isinstance(self.screen, CommandPalette):
            self.push_screen(CommandPalette(id="--command-palette"))

    def _handle_exception(self, error: Exception) -> None:
        """A screen that is still being made when the app ends has nothing on it: that is no failure."""
        if not (self._exit and isinstance(error, NoMatches)):
            super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Ends without Textual's traceback: `run` says in one line what happened."""
        self._close_messages_no_wait()


def _collect_from_now_on() -> None:
    """Turns garbage collection on; it need never look at what the start has made."""
    gc.freeze()
    gc.enable()


def run(
    project: Project,
    auditor: str | None = None,
    *,
    ascii_only: bool = False,
    fresh: bool = False,
    tour: bool = True,
    mouse: bool = True,
) -> int:
    """Opens the app on a project and returns its exit code.

    Raises UsageError where there is no terminal, BswirlError where the app fails.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the app needs a terminal", "`bswirl stats` and `bswirl tree` work without one")
    drop_unfit_colours(os.environ)
    glyphs.use(glyphs.ASCII if ascii_only else glyphs.fitting_set())
    app = BswirlApp(project, auditor, memory=Memory(project.root, auditor=auditor), fresh=fresh, tour=tour)
    with hangup.leave_when_terminal_is_gone(app):
        code = app.run(mouse=mouse and takes_mouse(os.environ))
    error = app._exception
    if error is not None:
        raise BswirlError(
            f"the app ended over an unexpected error: {type(error).__name__}: {error}",
            "labels and runs are safe; `bswirl --debug` shows where it was",
        ) from error
    return code if code is not None else app.return_code or 0
