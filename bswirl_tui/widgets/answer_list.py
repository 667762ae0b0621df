"""What an evaluation's questions were answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual.binding import BindingType

from bswirl_tui import actions
from bswirl_tui.glyphs import glyphs
from bswirl_tui.text import fit, fit_end, line
from bswirl_tui.themes import palette
from bswirl_tui.widgets.row_list import RowList


def accuracy_words(answers: Sequence[dict[str, Any]]) -> str:
    """Accuracy with its 95% Wilson interval, by the strict reading."""
    from bswirl.statistics import wilson_interval

    correct = sum(bool(answer["is_correct"]) for answer in answers)
    low, high = wilson_interval(correct, len(answers))
    return f"{100 * correct / len(answers):.1f}% correct ({100 * low:.1f} to {100 * high:.1f})"


class AnswerList(RowList):
    """A line a question: right or wrong, what was read, what was written."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.CHOICE)]
    HAS_HEADER = True

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.name_pane(Text(" Answers "))
        self.answers: Sequence[dict[str, Any]] = ()

    def show_answers(self, answers: Sequence[dict[str, Any]]) -> None:
        """Replaces the list."""
        self.answers = answers
        facts = f"{len(answers):,}{glyphs().separator}{accuracy_words(answers)}" if answers else ""
        self.name_pane(Text(f" Answers {facts} "))
        self.rows_changed()

    def row_count(self) -> int:
        return len(self.answers)

    def empty_lines(self) -> list[str]:
        return ["", "No answers yet: they appear as the policy writes them."]

    def draw_header(self, width: int) -> Text:  # noqa: ARG002
        return Text(f"   {'question':<18} {'read':<12} written", palette(self.app).muted)

    def draw_row(self, index: int, width: int) -> Text:
        answer, colours, signs = self.answers[index], palette(self.app), glyphs()
        right = bool(answer["is_correct"])
        text = Text(" ").append(signs.good if right else signs.bad, colours.good if right else colours.bad)
        address = line(str(answer.get("address", "")), colours.muted)
        text.append(" ").append_text(fit_end(address, 18)).append(" ")
        read = answer.get("strict") or answer.get("flexible") or signs.dash
        text.append_text(fit(line(str(read)), 12)).append(" ")
        return text.append_text(line(str(answer.get("text", "")), limit=width))
