"""Going from match to match of a search, and back and forth through what one has seen."""

from __future__ import annotations

from bswirl.errors import BswirlError
from bswirl.records import QuestionTree
from bswirl_tui import actions
from bswirl_tui.memory import Place
from bswirl_tui.outline import ROOT
from bswirl_tui.screens.inspecting import Inspecting
from bswirl_tui.visits import Visit, Visits
from bswirl_tui.widgets.question_list import QuestionList

_SEARCH_KEYS = ("question.match", "question.match_back", "question.clear")


class Finding(Inspecting):
    """The part of the main screen that jumps. `arrive` is called when a tree that was asked for is shown."""

    def __init__(self, *about: object) -> None:
        super().__init__(*about)  # type: ignore[arg-type]
        self.visits = Visits()
        self._land_on: Visit | None = None  # where the cursor shall go on the question that is being read
        self._enter_at: int | None = None  # 0: at its first match, -1: at its last
        self._onward = 0  # so many questions on from one whose place in the list is being asked for

    @property
    def questions(self) -> QuestionList:
        raise NotImplementedError

    @property
    def comparing(self) -> bool:
        raise NotImplementedError

    def set_comparing(self, comparing: bool) -> None:
        raise NotImplementedError

    def open_question(self, question_id: int) -> None:
        """Shows another question's tree, whichever the list shows."""
        raise NotImplementedError

    @property
    def off_cursor(self) -> int | None:
        """The question on screen, where the list's cursor is not on it; None where it is."""
        raise NotImplementedError

    def go_to_question(self, index: int) -> None:
        """Shows the question at that place of the list."""
        raise NotImplementedError

    # questions

    def to_question_beside(self, direction: int, enter_at: int | None = None) -> None:
        """Goes on from the question on screen; where that is not listed, from the list's cursor."""
        here, query = self.off_cursor, self.questions.query_shown
        if here is None:
            self._go_by(self.questions.cursor, direction, enter_at)
            return
        index = self.questions.index_of(here)
        if index is not None:
            self._go_by(index, direction, enter_at)
            return
        self._onward += direction

        def found(index: int | None) -> None:
            onward, self._onward = self._onward, 0
            if here != self.off_cursor or query != self.questions.query_shown or not onward:
                return
            if index is None:
                index = self.questions.cursor
                selected = self.questions.selected
                if onward > 0 and selected is not None and selected.question_id == here:
                    onward -= 1  # it has left the list, and the next has come to its place
                elif not 0 <= index + onward < self.questions.row_count():
                    onward = 0
            self._go_by(index, onward, enter_at)

        def failed(error: BswirlError) -> None:
            self._onward = 0
            self.bswirl.tell_problem(error)

        self.bswirl.ask_owner(
            self, "beside", lambda client: query.place_of(client, here), found, failed=failed
        )

    def _go_by(self, index: int, by: int, enter_at: int | None) -> None:
        wanted = index + by
        if 0 <= wanted < self.questions.row_count():
            self._enter_at = enter_at
            self.go_to_question(wanted)
        elif enter_at is not None:
            self.tell("No match beyond this one.")

    # matches

    @property
    def words(self) -> str:
        """What is searched for."""
        return self.questions.query_shown.search

    def action_question_match(self) -> None:
        self._to_match(1)

    def action_question_match_back(self) -> None:
        self._to_match(-1)

    def to_first_match(self) -> None:
        """Goes to the first step with the words searched for, unless the cursor is on one."""
        outline = self.tree_view.outline
        if outline is None or not self.words or self.awaits_tree:
            return
        matches = outline.matches(self.words)
        steps = [key for key in matches if key != ROOT]
        if steps and self.tree_view.key not in matches:
            self.tree_view.goto(steps[0])

    def tell_of_search(self) -> None:
        """Says how to go on once the words are typed."""
        if self.words and self.questions.total == 0:
            self.tell(f"Nothing matches; {actions.spec('question.clear').key_display} shows all questions.")
        elif self.words:
            on, back, everything = (actions.spec(name).key_display for name in _SEARCH_KEYS)
            self.tell(
                f"{on} goes to the next step with these words, {back} back; {everything} shows all questions."
            )

    def _to_match(self, direction: int) -> None:
        outline = self.tree_view.outline
        if not self.words:
            self.tell(f"Search first: {actions.spec('question.search').key_display} and some words.")
        elif self.awaits_tree:
            self.tell("The next question is still being read: the key was not taken.")
        elif outline is None:
            self.tell("No question has these words.")
        else:
            key = outline.match_beside(self.tree_view.key or ROOT, self.words, direction)
            if key is not None and not (self.comparing and key == ROOT):  # side by side stand steps alone
                self.visits.leave()
                self.tree_view.goto(key)
            else:
                # The list holds the questions that match, so the next of them has a match.
                self.to_question_beside(direction, 0 if direction > 0 else -1)

    # arriving

    def arrive(self, tree: QuestionTree, *, new: bool) -> None:
        """Puts the cursor where it was meant to go, now that a tree is there."""
        land_on, self._land_on = self._land_on, None
        enter_at = self._enter_at if new else None
        if new:
            self._enter_at = None
        outline = self.tree_view.outline
        if land_on is not None and land_on.question_id == tree.question.question_id:
            self.tree_view.goto(land_on.key)
        elif enter_at is not None and outline is not None and (matches := outline.matches(self.words)):
            self.tree_view.goto(matches[enter_at])
        elif new:
            self.to_first_match()

    def open_step(self, question_id: int, key: int, *, comparing: bool = False) -> None:
        """Goes to a step of any question."""
        self.set_comparing(comparing)
        outline = self.tree_view.outline
        if outline is not None and outline.tree.question.question_id == question_id and not self.awaits_tree:
            self.tree_view.goto(key)
        else:
            self._land_on = Visit(question_id, key, comparing)
            self.open_question(question_id)

    def land(self, question_id: int, place: Place) -> None:
        """Has the cursor go there when that question's tree, which the list shall select, is there."""
        self._land_on = Visit(question_id, place.key, place.comparing)
        self.set_comparing(place.comparing)

    # history

    def here(self) -> Visit | None:
        """What is on screen; None where that is not what is wanted there."""
        outline, key = self.tree_view.outline, self.tree_view.key
        if outline is None or key is None or self.awaits_tree or self._land_on is not None:
            return None
        return Visit(outline.tree.question.question_id, key, self.comparing)

    def seen(self) -> None:
        """Notes what is on screen."""
        visit, outline = self.here(), self.tree_view.outline
        if visit is not None and outline is not None:
            self.visits.see(visit)
            self.show_ways()
            self.bswirl.reattaching.see(Place(outline.tree.question.address, visit.key, visit.comparing))

    def action_view_back(self) -> None:
        self._travel(-1)

    def action_view_forward(self) -> None:
        self._travel(1)

    def came_from(self, number: int | None) -> None:
        """What is shown next was opened from that list."""
        if number is not None:
            self.seen()
            self.visits.leave(number)
        self.show_ways()

    def show_ways(self) -> None:
        """Says in the line of keys where escape leads."""
        raise NotImplementedError

    def _travel(self, direction: int) -> None:
        self.seen()
        gone = self.tree_view.outline is None and not self.awaits_tree  # no question fits: back to the last
        visit = self.visits.current if gone and direction < 0 else None
        if visit is None and direction < 0 and self.bswirl.way_back.return_to(self.visits.came_from):
            return
        visit = visit or self.visits.go(direction)
        if visit is None:
            self.tell("Nothing was seen before this." if direction < 0 else "Nothing was seen after this.")
            return
        self.open_step(visit.question_id, visit.key, comparing=visit.comparing)
