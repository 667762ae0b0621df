"""Fields of a run's form, each made from one option."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult, RenderResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input, Static

from bswirl.errors import UsageError
from bswirl.launch import Option, default_of
from bswirl_tui.glyphs import glyphs
from bswirl_tui.text import fit, line
from bswirl_tui.themes import palette
from bswirl_tui.widgets.entry import NameEntry

ANY = "any"  # no choice
NONE = "none"  # the same, of names on offer
NAME_PADDING = 2  # cells beside a field's name


class Choices(Widget, can_focus=True):
    """A few words of which one is chosen, side by side; left, right and space move the choice.

    Where they are wider than their place, it shows the part with the chosen one.
    """

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "step(-1)", show=False),
        Binding("right,l,space", "step(1)", show=False),
    ]
    chosen: reactive[int] = reactive(0)

    class Changed(Message):
        """Another word was chosen."""

    def __init__(self, words: Sequence[str], chosen: str | None, *, nothing: str | None = None) -> None:
        """With `nothing`, that word stands first for no choice, whose value is None."""
        super().__init__()
        self._nothing = [nothing] if nothing is not None else []
        self.words = [*self._nothing, *words]
        self.set_reactive(Choices.chosen, self._place(chosen))

    def render(self) -> RenderResult:
        colours = palette(self.app)
        text = Text()
        for index, word in enumerate(self.words):
            if index != self.chosen:
                text.append(f" {word} ", colours.muted)
            elif self.has_focus:
                text.append(f"[{word}]", colours.accent + colours.strong)
            else:
                text.append(f"[{word}]", colours.strong)
        hidden, width = self._hidden(), self.content_size.width
        if hidden:
            text = Text(glyphs().ellipsis, colours.muted).append_text(text[hidden + 1 :])
        return fit(text, width) if width and len(text.plain.rstrip()) > width else text

    def _hidden(self) -> int:
        """How many cells are cut off on the left, for the chosen word, and a sign of more, to be seen."""
        end = sum(len(word) + 2 for word in self.words[: self.chosen + 1])
        more = self.chosen + 1 < len(self.words)
        return max(0, end + more - self.content_size.width) if self.content_size.width else 0

    @property
    def value(self) -> str | None:
        return self.words[self.chosen] if self.chosen >= len(self._nothing) else None

    def has(self, word: str) -> bool:
        """Whether the word can be chosen; the one for no choice is none of them."""
        return word in self.words[len(self._nothing) :]

    def choose(self, word: str | None) -> None:
        self.chosen = self._place(word)

    def _place(self, word: str | None) -> int:
        return 0 if word is None else self.words.index(word, len(self._nothing))

    def offer(self, words: Sequence[str]) -> None:
        """Other words to choose from; the chosen one stays, or else it is the first."""
        before, self.words = self.value, [*self._nothing, *words]
        self.set_reactive(Choices.chosen, self._place(before) if before in words else 0)
        self.refresh()
        if self.value != before:
            self.post_message(self.Changed())

    def watch_chosen(self) -> None:
        self.post_message(self.Changed())

    def action_step(self, by: int) -> None:
        self.chosen = (self.chosen + by) % len(self.words)

    def on_click(self, event: events.Click) -> None:
        at = -self._hidden()
        for index, word in enumerate(self.words):
            at += len(word) + 2
            if event.x < at:
                self.chosen = index
                return

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()


class OptionField(Horizontal):
    """A name, an editor, and what the option is or what is wrong with it."""

    class Changed(Message):
        """The field says something else now."""

        def __init__(self, field: OptionField) -> None:
            super().__init__()
            self.field = field

    def __init__(self, option: Option, *, offered: bool = False) -> None:
        """With `offered` the names that can be chosen come later."""
        super().__init__()
        self.option = option
        self.problem = ""
        self.about = option.help  # what to say of it
        self._offered = offered
        self._default: Any = option.default
        self._noted = Text()
        if option.kind == "flag":
            self.editor: Choices | NameEntry = Choices(("no", "yes"), "yes" if option.default else "no")
        elif offered:
            self.editor = Choices((), None, nothing=NONE)
        elif option.kind == "choice":
            chosen = str(option.default) if option.default is not None else None
            self.editor = Choices(option.choices, chosen, nothing=ANY if option.optional else None)
        else:
            self.editor = NameEntry(placeholder=self._placeholder(option), compact=True)

    def compose(self) -> ComposeResult:
        yield Static(Text(self.label), classes="name", markup=False)
        yield self.editor
        yield Static(classes="note", markup=False)

    def on_mount(self) -> None:
        if isinstance(self.editor, NameEntry):
            self.watch(self.editor, "selection", self._show_note, init=False)

    def on_resize(self) -> None:
        self._show_note()

    def on_descendant_focus(self) -> None:
        self._show_note()

    def on_descendant_blur(self) -> None:
        self._show_note()

    @property
    def label(self) -> str:
        """Its name as people write it."""
        return self.option.name.replace("_", " ")

    def widen_name(self, cells: int) -> None:
        """Gives the name that many cells, so that the editors of a form stand in a column."""
        self.query_one(".name").styles.width = cells

    @property
    def value(self) -> Any:
        """What was filled in; None where the default stands."""
        if isinstance(self.editor, Input):
            return self.editor.value.strip() or None
        if self.option.kind == "flag":
            return self.editor.value == "yes"
        return self.editor.value

    @property
    def default(self) -> Any:
        """What stands where nothing is filled in."""
        return self._default

    def fill(self, value: str) -> None:
        """Fills in a value for a person, who replaces it by typing, or moves the cursor to change it."""
        if isinstance(self.editor, Input):
            self.editor.value = value
            if self.editor.has_focus:
                self.editor.select_all()
        elif self.editor.has(value):
            self.editor.choose(value)

    def reset(self) -> None:
        """Back to the default."""
        if isinstance(self.editor, Input):
            self.editor.value = ""
        elif self.option.kind == "flag":
            self.editor.choose("yes" if self._default else "no")
        else:
            self.editor.choose(str(self._default) if self._default is not None else None)

    def suggest(self, names: Sequence[str]) -> None:
        """Offers names: those to choose from, or to complete what is typed."""
        if isinstance(self.editor, Input):
            self.editor.names = list(names)
            self._show_note()
        elif self._offered:
            self.editor.offer(names)

    def describe(self, words: str) -> None:
        """Says that of what is chosen; with an empty text what the option is."""
        self.about = words or self.option.help
        self._show_note()

    def use_objective(self, objective: str | None) -> None:
        """Shows the default that goes with a training objective."""
        self._default = default_of(self.option, objective=objective)
        if isinstance(self.editor, Input):
            self.editor.placeholder = self._placeholder(replace(self.option, default=self._default))

    def check(self) -> bool:
        """Whether the value can stand; what is wrong shows beside it."""
        problem = ""
        value = self.value
        if value is None:
            problem = "needed" if self.option.required else ""
        else:
            try:
                self.option.check(value)
            except UsageError as error:
                problem = error.message.removeprefix(f"{self.option.flag} ")
        self.show_problem(problem)
        return not problem

    def show_problem(self, problem: str) -> None:
        """Says what is wrong, or with an empty text what the option is."""
        self.problem = problem
        self.set_class(bool(problem), "wrong")
        self._show_note()

    def _show_note(self) -> None:
        note = self.query_one(".note", Static)
        words = self._note(note.content_size.width)
        if words != self._noted:
            self._noted = words
            note.update(words)

    def _note(self, room: int) -> Text:
        """What is wrong, or the name that could be taken, or what the option is where all of it fits."""
        colours = palette(self.app)
        if self.problem:
            return line(f"{glyphs().bad} {self.problem}", colours.bad)
        taken = self.editor.completion if isinstance(self.editor, NameEntry) else ""
        if taken:
            return Text("right takes ", colours.muted).append_text(line(taken, colours.accent))
        about = line(self.about, colours.muted, limit=400)
        return about if about.cell_len <= room else Text()

    def _placeholder(self, option: Option) -> str:
        if option.shown_default or option.required:
            return option.shown_default
        return "no limit" if option.kind in ("whole", "number") else ANY

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(self))

    @on(Choices.Changed)
    def _chosen(self, event: Choices.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(self))
