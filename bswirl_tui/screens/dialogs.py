"""Small windows over a screen: a choice, a line of text, a question, a problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from bswirl.errors import BswirlError
from bswirl_tui import actions
from bswirl_tui.glyphs import glyphs
from bswirl_tui.text import clean, line
from bswirl_tui.themes import Palette, palette
from bswirl_tui.widgets.entry import Entry
from bswirl_tui.widgets.row_list import RowList

T = TypeVar("T")

DIALOG_CELLS = 64  # the width of a window; wider where its lines are, as far as the screen goes
FRAME_CELLS = 6


def _hint(words: str) -> str:
    return f"{words}{glyphs().separator}{actions.spec('screen.back').key_display} goes back"


class Dialog(ModalScreen[T | None], Generic[T]):
    """A window with a title and a hint below; escape closes it without an answer."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.DIALOG)]

    def __init__(self, title: str, hint: str) -> None:
        super().__init__()
        self._title = title
        self._hint = hint

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = line(self._title, limit=60)
            yield from self.content()
            yield Static(Text(self._hint, palette(self.app).muted), classes="hint", markup=False)

    def content(self) -> ComposeResult:
        """What stands between title and hint."""
        raise NotImplementedError

    def action_screen_back(self) -> None:
        self.dismiss(None)


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing to choose; `key` chooses it at once."""

    value: str
    label: str
    about: str = ""
    key: str = ""


class ChoiceList(RowList):
    """The lines of a choice."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.CHOICE)]

    def __init__(self, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._choices = choices
        self._label_cells = max((len(choice.label) for choice in choices), default=0)
        self.styles.height = min(14, max(1, len(choices)))

    @property
    def cells(self) -> int:
        """How wide its widest line is."""
        keys = 3 if any(choice.key for choice in self._choices) else 0
        abouts = (line(choice.about).cell_len for choice in self._choices)
        return 1 + keys + self._label_cells + 2 + max(abouts, default=0)

    def row_count(self) -> int:
        return len(self._choices)

    def draw_row(self, index: int, width: int) -> Text:
        choice, colours = self._choices[index], palette(self.app)
        text = Text(" ")
        if choice.key:
            text.append(f"{actions.display_key(choice.key)}  ", colours.accent)
        label = line(choice.label)
        label.truncate(max(4, width - 3), overflow="ellipsis")
        label.pad_right(max(0, self._label_cells - label.cell_len))
        return text.append_text(label).append("  ").append_text(line(choice.about, colours.muted))


class Choose(Dialog[str]):
    """Asks for one of a few values."""

    def __init__(self, title: str, choices: Sequence[Choice], current: str | None = None) -> None:
        super().__init__(title, _hint(f"{actions.spec('move.choose').key_display} chooses"))
        self._choices = choices
        self._current = current

    def content(self) -> ComposeResult:
        yield ChoiceList(self._choices)

    def on_mount(self) -> None:
        values = [choice.value for choice in self._choices]
        rows = self.query_one(ChoiceList)
        self.query_one(".dialog").styles.width = max(DIALOG_CELLS, rows.cells + FRAME_CELLS)
        if self._current in values:
            rows.place_cursor(values.index(self._current))
        rows.focus()

    def on_key(self, event: events.Key) -> None:
        if not self.is_current:  # chosen already; a fast key came behind
            return
        for choice in self._choices:
            if choice.key and event.key == choice.key:
                event.stop()
                self.dismiss(choice.value)
                return

    @on(RowList.Chosen)
    def _chosen(self, event: RowList.Chosen) -> None:
        event.stop()
        self.dismiss(self._choices[event.index].value)


class Ask(Dialog[str]):
    """Asks for a line of text; an empty one is an answer too.

    What stood there comes back to the letter, anything else without blanks around it.
    """

    def __init__(self, title: str, words: str = "", value: str = "", placeholder: str = "") -> None:
        super().__init__(title, _hint("enter saves"))
        self._words = words
        self._value = value
        self._placeholder = placeholder

    def content(self) -> ComposeResult:
        if self._words:
            yield Static(Text(clean(self._words)), classes="words", markup=False)
        yield Entry(self._value, placeholder=self._placeholder)

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value if event.value == self._value else event.value.strip())


class Confirm(Dialog[bool]):
    """Asks yes or no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", show=False),
        Binding("enter", "answer_usual", show=False),
        Binding("n", "answer(False)", show=False),
    ]

    def __init__(self, title: str, words: str, *, enter_is_yes: bool = True) -> None:
        between = glyphs().separator
        back = actions.spec("screen.back").key_display
        yes, no = ("y or enter", f"n or {back}") if enter_is_yes else ("y", f"n, enter or {back}")
        super().__init__(title, f"{yes}: yes{between}{no}: no")
        self._words = words
        self._enter_is_yes = enter_is_yes

    def content(self) -> ComposeResult:
        yield Static(Text(clean(self._words)), classes="words", markup=False)

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)

    def action_answer_usual(self) -> None:
        self.dismiss(self._enter_is_yes)


class Shown(Dialog[bool]):
    """Shows a line of text as it is, to be selected with the mouse."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space,q", "screen_back", show=False)]

    def __init__(self, title: str, words: str) -> None:
        super().__init__(title, "shift and the mouse select; enter closes")
        self._words = words
        self.add_class("wide")

    def content(self) -> ComposeResult:
        yield Static(Text(clean(self._words, one_line=True)), classes="words", markup=False)


def is_same(one: BswirlError, other: BswirlError) -> bool:
    """Whether two failures say the same."""
    return (one.message, one.remedy) == (other.message, other.remedy)


def what_failed(error: BswirlError, times: int, colours: Palette) -> Text:
    """What went wrong, and how often."""
    text = Text(clean(error.message, limit=2000))
    return text.append(f" ({times} times)" if times > 1 else "", colours.muted)


class Problem(Dialog[bool]):
    """Says what went wrong and what to do about it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space,q", "screen_back", show=False)]

    def __init__(self, error: BswirlError, title: str = "That did not work") -> None:
        super().__init__(title, "enter closes")
        self._error = error
        self._times = 1
        self.add_class("problem")

    def content(self) -> ComposeResult:
        yield Static(self._words(), classes="words what", markup=False)
        if self._error.remedy:
            remedy = Text(clean(self._error.remedy, limit=2000), palette(self.app).accent)
            yield Static(remedy, classes="words", markup=False)

    def _words(self) -> Text:
        return what_failed(self._error, self._times, palette(self.app))

    def counts(self, error: BswirlError) -> bool:
        """Counts the same error once more, in place of another dialog; whether it is the same."""
        if not is_same(error, self._error):
            return False
        self._times += 1
        self._show()
        return True

    def on_mount(self) -> None:
        self._show()  # it may have been counted while it was made

    def _show(self) -> None:
        for words in self.query(".what").results(Static):
            words.update(self._words())
