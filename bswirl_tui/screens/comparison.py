"""Two evaluations question by question, and both answers to one of the questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widgets import Static

from bswirl.records import Question
from bswirl_tui import actions
from bswirl_tui.evaluations import KINDS, Answered, Compared, Evaluation, compared
from bswirl_tui.evaluations_text import evaluation_line, outcome_lines
from bswirl_tui.glyphs import glyphs
from bswirl_tui.gold import readable
from bswirl_tui.screens.base import SubScreen
from bswirl_tui.screens.dialogs import Choice, Choose
from bswirl_tui.state import AppState
from bswirl_tui.text import BLANK, Paragraph, clean, joined, line
from bswirl_tui.themes import palette
from bswirl_tui.widgets.bars import KeyBar, Rule, StatusBar
from bswirl_tui.widgets.evaluation_list import AnsweredList, read
from bswirl_tui.widgets.row_list import RowList
from bswirl_tui.widgets.text_view import TextView

if TYPE_CHECKING:
    from bswirl.client import Client


class ComparisonScreen(SubScreen):
    """What B fixed and what it broke, with the exact McNemar test above."""

    CALLED = "the comparison"
    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.COMPARISON)]

    def __init__(self, state: AppState, a: Evaluation, b: Evaluation) -> None:
        super().__init__(state)
        self._a, self._b = a, b
        self._found: Compared | None = None
        self._kind = "changed"

    def compose(self) -> ComposeResult:
        yield StatusBar(self.state, "evaluations")
        yield Static(id="compare-head", markup=False)
        yield AnsweredList()
        yield KeyBar()

    @property
    def rows(self) -> AnsweredList:
        return self.query_one(AnsweredList)

    def on_mount(self) -> None:
        kind = self.kept.get("kind")
        self._kind = kind if kind in KINDS else self._kind
        self.rows.focus()
        self._load()

    def place(self) -> dict[str, Any]:
        here = self.rows.current
        return {
            "screen": "comparison",
            "a": self._a.run.run_id,
            "b": self._b.run.run_id,
            "kind": self._kind,
            "row": here.question_id if here is not None else None,
        }

    def _load(self) -> None:
        a, b = self._a, self._b

        def work(client: Client) -> Compared:
            return compared(a, b, client.answers(a.run.run_id), client.answers(b.run.run_id))

        self._show_head([])
        self.bswirl.ask_owner(self, "compare", work, self._compared, failed=self.bswirl.show_problem)

    def _compared(self, found: Compared) -> None:
        self._found = found
        self._show_head(outcome_lines(found, palette(self.app)))
        self._show_rows()

    def _show_head(self, outcome: list[Text]) -> None:
        colours = palette(self.app)
        lines = [evaluation_line("A", self._a, colours), evaluation_line("B", self._b, colours), *outcome]
        self.query_one("#compare-head", Static).update(Text("\n").join(lines))

    def _show_rows(self) -> None:
        if self._found is not None:
            questions = self._found.of_kind(self._kind)
            self.rows.show_questions(questions, self._kind)
            numbers = [question.question_id for question in questions]
            row, within = self.row_kept(numbers), self.kept_within.pop("row", None)
            if row is not None:
                self.rows.place_cursor(row)
            if within in numbers:
                self.bswirl.open_within(PairScreen(self.state, questions, numbers.index(within)))

    @on(RowList.Chosen)
    def _chosen(self) -> None:
        self.action_comparison_open()

    def action_comparison_open(self) -> None:
        if self.rows.questions:
            self.app.push_screen(PairScreen(self.state, self.rows.questions, self.rows.cursor))

    def action_comparison_filter(self) -> None:
        if self._found is None:
            return
        choices = [
            Choice(kind, kind, f"{len(self._found.of_kind(kind)):,}: {about}")
            for kind, about in KINDS.items()
        ]

        def chosen(kind: str | None) -> None:
            if kind is not None:
                self._kind = kind
                self._show_rows()

        self.app.push_screen(Choose("Show questions", choices, self._kind), chosen)

    def action_comparison_turn(self) -> None:
        self._a, self._b = self._b, self._a
        self._load()

    def action_comparison_tree(self) -> None:
        here = self.rows.current
        if here is not None:
            self.bswirl.open_question(here.question_id)


class PairScreen(SubScreen):
    """Both answers to a question, side by side, below the question and its gold answer."""

    CALLED = "both answers"
    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.PAIR)]

    def __init__(self, state: AppState, questions: Sequence[Answered], index: int) -> None:
        super().__init__(state)
        self._questions = questions
        self._index = index

    def compose(self) -> ComposeResult:
        yield StatusBar(self.state, "evaluations")
        yield TextView(id="pair-question")
        with Horizontal(id="pair-answers"):
            yield TextView(id="pair-a")
            yield Rule()
            yield TextView(id="pair-b")
        yield KeyBar()

    def place(self) -> dict[str, Any]:
        return {"screen": "pair", "row": self.here.question_id}

    @property
    def here(self) -> Answered:
        """The question on screen."""
        return self._questions[self._index]

    def on_mount(self) -> None:
        self.query_one("#pair-b", TextView).focus()
        self._show()

    def _show(self) -> None:
        here, wanted = self.here, self.here.question_id
        self._show_answer("A", here.a)
        self._show_answer("B", here.b)
        self._show_question(None)

        def found(question: Question) -> None:
            if self.here.question_id == wanted:
                self._show_question(question)

        self.bswirl.ask_owner(self, "question", lambda client: client.tree(wanted).question, found)

    def _show_question(self, question: Question | None) -> None:
        colours, view = palette(self.app), self.query_one("#pair-question", TextView)
        place = f"{self._index + 1:,} of {len(self._questions):,}"
        title = joined([line(f" {self.here.address}", limit=60), place, f"{self.here.kind} "])
        view.name_pane(title)
        if question is None:
            view.show([Paragraph(Text(f"loading{glyphs().ellipsis}", colours.muted))])
            return
        gold = Text(clean(question.gold, one_line=True, limit=400)) if question.gold else Text(glyphs().dash)
        parts = [
            Paragraph(Text(clean(question.text))),
            Paragraph(gold, Text("gold ", colours.muted), indent=5),
        ]
        if question.solution:
            parts += [BLANK, Paragraph(Text(clean(readable(question.solution)), colours.muted))]
        view.show(parts)

    def _show_answer(self, letter: str, answer: Mapping[str, Any]) -> None:
        signs = glyphs()
        right = bool(answer["is_correct"])
        view = self.query_one(f"#pair-{letter.lower()}", TextView)
        mark = f"{signs.good} right" if right else f"{signs.bad} wrong"
        view.name_pane(Text(f" {letter} {mark} ").append_text(line(f"{read(answer)} ", limit=40)))
        view.show([Paragraph(Text(clean(str(answer.get("text", "")))))])

    def _go(self, by: int) -> None:
        index = self._index + by
        if 0 <= index < len(self._questions):
            self._index = index
            self._show()

    def action_pair_next(self) -> None:
        self._go(1)

    def action_pair_previous(self) -> None:
        self._go(-1)

    def action_pair_pane(self) -> None:
        self.focus_next()

    def action_comparison_tree(self) -> None:
        self.bswirl.open_question(self.here.question_id)
