"""Evaluations side by side, and the questions of two of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual.binding import BindingType

from bswirl_tui import actions
from bswirl_tui.evaluations import Answered, Evaluation
from bswirl_tui.evaluations_text import interval_bar, percent
from bswirl_tui.glyphs import glyphs
from bswirl_tui.text import fit, fit_end, line, status
from bswirl_tui.themes import palette
from bswirl_tui.widgets.row_list import RowList

# name, width, and the width of the list from which the column is shown
_COLUMNS = (
    ("", 1, 0),
    ("run", 4, 0),
    ("policy", 18, 0),
    ("on", 16, 0),
    ("n", 5, 0),
    ("strict, 95% interval", 22, 0),
    ("0%              50%             100%", 36, 150),
    ("flexible", 22, 110),
    ("no answer", 9, 130),
    ("cut off", 8, 130),
)


class EvaluationList(RowList):
    """A line an evaluation; one may be marked for others to be compared with."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.CHOICE)]
    HAS_HEADER = True

    def __init__(self) -> None:
        super().__init__()
        self.name_pane(Text(" Evaluations "))
        self.evaluations: Sequence[Evaluation] | None = None
        self.marked: int | None = None  # the run that others are compared with

    @property
    def current(self) -> Evaluation | None:
        """The evaluation under the cursor."""
        found = self.evaluations or ()
        return found[self.cursor] if self.cursor < len(found) else None

    def show_evaluations(self, found: Sequence[Evaluation], order: str) -> None:
        """Replaces the list; the cursor stays on its evaluation."""
        before = self.current
        self.evaluations = found
        self.name_pane(Text(f" Evaluations {len(found):,}{glyphs().separator}by {order} "))
        self.rows_changed()
        runs = [evaluation.run.run_id for evaluation in found]
        if before is not None and before.run.run_id in runs:
            self.place_cursor(runs.index(before.run.run_id))

    def mark(self, run_id: int | None) -> None:
        """Marks that evaluation, or none."""
        self.marked = run_id
        self.refresh_changed()

    def row_count(self) -> int:
        return len(self.evaluations or ())

    def empty_lines(self) -> list[str]:
        if self.evaluations is None:
            return ["", f"loading{glyphs().ellipsis}"]
        new = actions.spec("run.new").key_display
        return [
            "",
            "No evaluations yet.",
            "",
            "An evaluation lets a policy answer the questions of a split and measures its accuracy. "
            f"Go back, press {new} and then e. Or from a shell:",
            "",
            "  bswirl evaluate --policy P",
            "",
            "Two of them, such as before and after training, can be compared here question by question.",
        ]

    def draw_header(self, width: int) -> Text:
        muted = palette(self.app).muted
        return self._columns({name: Text(name, muted) for name, _, _ in _COLUMNS}, width)

    def draw_row(self, index: int, width: int) -> Text:
        evaluation = (self.evaluations or ())[index]
        colours = palette(self.app)
        strict, flexible = evaluation.strict, evaluation.flexible
        marked = evaluation.run.run_id == self.marked
        cells = (
            Text("A" if marked else "", colours.accent),
            Text(f"{evaluation.run.run_id:>4}", colours.strong),
            line(evaluation.policy, limit=60),
            line(evaluation.scope, colours.muted, limit=40),
            Text((f"{strict.n:>5,}" if strict.n < 10_000 else f"{strict.n:>5}") if strict else ""),
            Text(strict.words) if strict else status(evaluation.run, colours),
            interval_bar(strict, 36, colours) if strict else Text(),
            Text(flexible.words if flexible else glyphs().dash, colours.muted),
            Text(percent(evaluation.unparsed), colours.muted),
            Text(percent(evaluation.truncated), colours.muted),
        )
        return self._columns(dict(zip((name for name, _, _ in _COLUMNS), cells, strict=True)), width)

    def _columns(self, cells: dict[str, Text], width: int) -> Text:
        text = Text(" ")
        for name, cells_wide, shown_from in _COLUMNS:
            if width >= shown_from:
                text.append_text(fit(cells[name].copy(), cells_wide)).append(" ")
        return text


class AnsweredList(RowList):
    """A line a question: who was right, and what was read of both answers."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.CHOICE)]
    HAS_HEADER = True

    def __init__(self) -> None:
        super().__init__()
        self.questions: Sequence[Answered] | None = None

    def show_questions(self, questions: Sequence[Answered], kind: str) -> None:
        """Replaces the list, with the cursor at its top."""
        self.questions = questions
        self.name_pane(Text(f" {kind.capitalize()} {len(questions):,} "))
        self.rows_changed()
        self.place_cursor(0)

    @property
    def current(self) -> Answered | None:
        """The question under the cursor."""
        found = self.questions or ()
        return found[self.cursor] if self.cursor < len(found) else None

    def row_count(self) -> int:
        return len(self.questions or ())

    def empty_lines(self) -> list[str]:
        if self.questions is None:
            return ["", f"loading{glyphs().ellipsis}"]
        key = actions.spec("comparison.filter").key_display
        return ["", "No such question.", "", f"Press {key} to choose others."]

    def draw_header(self, width: int) -> Text:  # noqa: ARG002
        words = f" A B {'what':<11}{'question':<18} {'A says':<13} {'B says':<13} B wrote"
        return Text(words, palette(self.app).muted)

    def draw_row(self, index: int, width: int) -> Text:
        question, colours = (self.questions or ())[index], palette(self.app)
        style = {"fixed": colours.good, "broken": colours.bad}.get(question.kind, colours.muted)
        text = Text(" ")
        for answer in (question.a, question.b):
            text.append_text(self._mark(answer)).append(" ")
        text.append(f"{question.kind:<11}", style)
        text.append_text(fit_end(line(question.address, colours.muted), 18)).append(" ")
        for answer in (question.a, question.b):
            text.append_text(fit(line(read(answer)), 13)).append(" ")
        return text.append_text(line(str(question.b.get("text", "")), limit=width))

    def _mark(self, answer: Mapping[str, Any]) -> Text:
        colours, signs = palette(self.app), glyphs()
        right = bool(answer["is_correct"])
        return Text(signs.good if right else signs.bad, colours.good if right else colours.bad)


def read(answer: Mapping[str, Any]) -> str:
    """What was read of an answer: the marked one, else the last number."""
    return str(answer.get("strict") or answer.get("flexible") or glyphs().dash)
