"""The main screen: questions, the tree of one of them, and one step in detail."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Horizontal
from textual.widgets import Input

from bswirl.records import ActionDetail, QuestionShifts, QuestionTree
from bswirl_tui import actions
from bswirl_tui.ahead import measured_shifts
from bswirl_tui.link import ProjectChanged
from bswirl_tui.outline import ROOT
from bswirl_tui.query import FILTERS, SORTS
from bswirl_tui.screens.audit_entry import AuditEntry
from bswirl_tui.screens.beginning import Beginning
from bswirl_tui.screens.dialogs import Choice, Choose
from bswirl_tui.screens.runs_entry import RunsEntry
from bswirl_tui.state import AppState
from bswirl_tui.text import count
from bswirl_tui.visits import Visit
from bswirl_tui.widgets.bars import KeyBar, Rule, StatusBar
from bswirl_tui.widgets.compare_view import CompareView
from bswirl_tui.widgets.detail import DetailView
from bswirl_tui.widgets.question_list import QuestionList
from bswirl_tui.widgets.row_list import RowList
from bswirl_tui.widgets.search_line import SearchLine
from bswirl_tui.widgets.tour import Tour
from bswirl_tui.widgets.tree_view import TreeView

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl.records import QuestionRow

KEPT_DETAILS = 300
EMPTY_PROJECT = (
    "This project has no questions yet. In a shell,",
    "  bswirl import gsm8k FILE",
    "brings some in, here at once; `bswirl import --help` names the formats.",
)
NOTHING_FITS = ("No tree: no question fits.",)


class MainScreen(Beginning, RunsEntry, AuditEntry):
    """What the app opens with."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.MAIN)]

    def __init__(self, state: AppState) -> None:
        super().__init__(state)
        self._wanted: int | None = None  # the question whose tree is on screen or on its way
        self._apart: int | None = None  # what the list had selected when another question was opened
        self._details: OrderedDict[int, ActionDetail] = OrderedDict()
        self._before_search: tuple[Visit | None, int] = (None, 0)  # what was on screen, the list's cursor

    def compose(self) -> ComposeResult:
        yield StatusBar(self.state)
        with Horizontal(id="panes"):
            yield QuestionList(id="questions")
            yield Rule(id="list-rule")
            with Container(id="work"):
                yield TreeView(id="tree")
                yield Rule(id="work-rule")
                yield DetailView(id="detail")
                yield CompareView(id="compare")
        yield Tour()
        yield SearchLine()
        yield KeyBar()

    @property
    def questions(self) -> QuestionList:
        return self.query_one(QuestionList)

    @property
    def tree_view(self) -> TreeView:
        return self.query_one(TreeView)

    @property
    def detail_view(self) -> DetailView:
        return self.query_one(DetailView)

    @property
    def awaits_tree(self) -> bool:
        outline, selected = self.tree_view.outline, self.questions.selected
        shown = outline.tree.question.question_id if outline is not None else None
        chosen = selected is not None and selected.question_id not in (shown, self._apart)
        return chosen or (self._wanted is not None and shown != self._wanted)

    def on_mount(self) -> None:
        self.tree_view.focus()
        self.begin()

    # questions

    @on(QuestionList.PageWanted)
    def _page_wanted(self, event: QuestionList.PageWanted) -> None:
        query, page = event.query, event.page

        def work(client: Client) -> tuple[list[QuestionRow], int]:
            return self.ahead.page(client, query, page)

        def done(result: tuple[list[QuestionRow], int]) -> None:
            self.questions.set_page(query, page, *result)
            if self.questions.total == 0:
                if self.questions.selected is None and not self.list_apart:
                    self._show_no_tree(*(NOTHING_FITS if query.narrows else EMPTY_PROJECT))
                    self.draw()
                self.bswirl.reattaching.reopen()
                if not self.query_one(SearchLine).display:  # closed before its answer came
                    self.tell_of_search()

        self.bswirl.ask_owner(self, f"page {page}", work, done)

    def _show_no_tree(self, *words: str) -> None:
        self._wanted = None
        self.set_comparing(False)
        self.tree_view.clear(*words)
        self.detail_view.show_step(None, ROOT, None)

    @on(QuestionList.QuestionSelected)
    def _question_selected(self, event: QuestionList.QuestionSelected) -> None:
        self._apart = event.row.question_id if self.list_apart else None
        if not self.list_apart:
            self.load_question(event.row.question_id)
        self.list_apart = False

    @on(RowList.Chosen, "#questions")
    def _question_chosen(self) -> None:
        row = self.questions.row(self.questions.cursor)
        if row is not None and row.question_id != self._wanted:
            self.questions.go_to(self.questions.cursor)
        (self.compare_view if self.comparing else self.tree_view).focus()

    def open_question(self, question_id: int) -> None:
        selected = self.questions.selected
        self._apart = selected.question_id if selected is not None else None
        self.list_apart = selected is None
        self.load_question(question_id)

    @property
    def off_cursor(self) -> int | None:
        selected, under = self.questions.selected, self.questions.row(self.questions.cursor)
        if selected is None:
            return None
        if self._apart == selected.question_id != self._wanted:
            return self._wanted
        gone = under is not None and under.question_id != selected.question_id
        return selected.question_id if gone else None

    def go_to_question(self, index: int) -> None:
        self._apart = None
        self.questions.go_to(index)

    def load_question(self, question_id: int) -> None:
        """Reads a question's tree, to show it."""
        self._wanted = question_id
        run_id = self.shift_run

        def work(client: Client) -> tuple[QuestionTree, QuestionShifts]:
            return self.ahead.tree(client, question_id, run_id)

        self.bswirl.ask_owner(self, "tree", work, self._tree_read)

    def _tree_read(self, found: tuple[QuestionTree, QuestionShifts]) -> None:
        if found[0].question.question_id != self._wanted:
            return
        new = not self.tree_view.shows(found[0])
        self.tree_view.words = self.words
        self.tree_view.show_tree(*found)
        self.arrive(found[0], new=new)
        self.draw()
        self.bswirl.reattaching.reopen()

    def reload_shifts(self) -> None:
        outline, run_id = self.tree_view.outline, self.shift_run
        if outline is None:
            return
        question_id = outline.tree.question.question_id

        def done(shifts: QuestionShifts) -> None:
            shown = self.tree_view.outline
            if shown is not None and shown.tree.question.question_id == question_id:
                self.tree_view.show_shifts(shifts)
                self._show_current()

        self.bswirl.ask_owner(
            self, "shifts", lambda client: measured_shifts(client, question_id, run_id), done
        )

    # steps

    @on(TreeView.StepSelected)
    def _step_selected(self) -> None:
        self._show_current()
        self.seen()

    def _show_current(self) -> None:
        if self.comparing:
            self.show_candidates()
        else:
            self.show_step()

    def show_step(self) -> None:
        key = self.tree_view.key
        if key is None:
            return
        known = self._details.get(key)
        self.detail_view.auditor = self.state.auditor
        self.detail_view.show_step(self.tree_view.outline, key, known)
        if key != ROOT and known is None:
            self._load_detail(key)

    def _load_detail(self, action_id: int) -> None:
        def done(detail: ActionDetail) -> None:
            self.keep_detail(detail)
            if self.tree_view.key == action_id and not self.comparing:
                self.detail_view.auditor = self.state.auditor
                self.detail_view.show_step(self.tree_view.outline, action_id, detail)

        self.bswirl.ask_owner(self, "detail", lambda client: client.action(action_id), done)

    def keep_detail(self, detail: ActionDetail) -> None:
        """Remembers what the owner said of an action, until it changes."""
        self._details[detail.action.action_id] = detail
        while len(self._details) > KEPT_DETAILS:
            self._details.popitem(last=False)

    # changes

    def project_changed(self, change: ProjectChanged) -> None:
        """Reads anew what is on screen and may have changed; cursor and open lines stay."""
        self.ahead.forget()
        if not self.begun:
            self.begin()
            return
        if "metrics" in change.topics:
            self.reload_shifts()
        if not change.topics & {"questions", "labels", "verdicts"}:
            return
        self.questions.invalidate()
        self._details.clear()
        self.forget_verdicts()
        if self._wanted is not None and change.touches(self._wanted):
            self.load_question(self._wanted)
        elif self.comparing:
            self.show_candidates()
        elif "verdicts" in change.topics and (key := self.tree_view.key):  # a certificate of its judge
            self._load_detail(key)

    def refresh_tree(self, tree: QuestionTree) -> None:
        """Shows a newer state of the question on screen."""
        self._details.clear()
        self.forget_verdicts()
        self.tree_view.show_tree(tree)
        self.questions.invalidate()

    # keys

    def action_question_filter(self) -> None:
        choices = [Choice(name, name, about) for name, about in FILTERS.items()]
        shown = self.questions.query_shown

        def chosen(name: str | None) -> None:
            if name is not None:
                self.show_query(replace(shown, filter=name))

        self.app.push_screen(Choose("Show questions", choices, shown.filter), chosen)

    def action_question_sort(self) -> None:
        choices = [Choice(name, name, about) for name, about in SORTS.items()]
        shown = self.questions.query_shown

        def chosen(name: str | None) -> None:
            if name is not None:
                self.show_query(shown.sorted_by(name))

        self.app.push_screen(Choose("Order questions by", choices, shown.sort), chosen)

    def action_question_dataset(self) -> None:
        self.bswirl.ask_owner(
            self, "datasets", lambda client: client.datasets(), self._choose_dataset, opens=True
        )

    def _choose_dataset(self, datasets: list[dict[str, Any]]) -> None:
        places: list[tuple[str | None, str | None]] = [(None, None)]
        choices = [Choice("0", "all", "every dataset")]
        names = {entry["dataset"] for entry in datasets}
        for entry in datasets:
            places.append((entry["dataset"] if len(names) > 1 else None, entry["split"]))
            about = count(entry["questions"], "question")
            choices.append(Choice(str(len(choices)), f"{entry['dataset']} {entry['split']}", about))
        shown = self.questions.query_shown
        current = places.index((shown.dataset, shown.split)) if (shown.dataset, shown.split) in places else 0

        def chosen(number: str | None) -> None:
            if number is not None:
                dataset, split = places[int(number)]
                self.show_query(replace(shown, dataset=dataset, split=split))

        self.app.push_screen(Choose("Dataset", choices, str(current)), chosen)

    def action_question_clear(self) -> None:
        self.tree_view.show_words("")
        self.show_query(self.questions.query_shown.cleared())

    def action_question_next(self) -> None:
        self.to_question_beside(1)

    def action_question_previous(self) -> None:
        self.to_question_beside(-1)

    def action_question_search(self) -> None:
        self._before_search = self.here(), self.questions.cursor
        self.query_one(SearchLine).open(self.questions.query_shown.search)

    @on(SearchLine.Changed)
    def _search_changed(self, event: SearchLine.Changed) -> None:
        self.tree_view.show_words(event.words)
        query, (before, index) = self.questions.query_shown, self._before_search
        wanted = replace(query, search=event.words)
        if not event.given_up or before is None:
            self.show_query(wanted)
        elif wanted != query:
            self.show_query(wanted, index, apart=True)
            self.open_step(before.question_id, before.key, comparing=before.comparing)

    @on(SearchLine.Closed)
    def _search_closed(self, event: SearchLine.Closed) -> None:
        if not event.given_up:
            self.to_first_match()
        self.tell_of_search()
        panes = (self.compare_view, self.questions, self.tree_view)
        next(pane for pane in panes if pane.display).focus()

    def action_view_gold(self) -> None:
        if (
            self.comparing and (key := self.tree_view.key) is not None
        ):  # hidden, it may be at another question
            self.detail_view.show_step(self.tree_view.outline, key, self._details.get(key))
        self.detail_view.toggle_gold()
        self.compare_view.set_gold(self.detail_view.show_gold)

    def action_view_tour(self) -> None:
        tour = self.query_one(Tour)
        tour.display = not tour.display

    def action_view_list(self) -> None:
        self.toggle_class("-listless")
        if not self.questions.display and self.focused is None:
            self.tree_view.focus()

    def action_view_next_pane(self) -> None:
        self.focus_next()

    def action_view_previous_pane(self) -> None:
        self.focus_previous()

    def action_app_leave(self) -> None:
        if self.comparing:
            self.leave_comparing()
        else:
            self.bswirl.leave()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While words are typed, letters are letters; candidates have the list's room."""
        if isinstance(self.focused, Input):
            return action in ("screen_back",)
        if action == "view_list" and self.comparing:
            return False
        return super().check_action(action, parameters)
