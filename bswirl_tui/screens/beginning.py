"""The start of the main screen: at the first tree, or where one was when the app was left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bswirl.errors import BswirlError
from bswirl_tui.ahead import Ahead
from bswirl_tui.glyphs import glyphs
from bswirl_tui.query import Query
from bswirl_tui.screens.comparing import Comparing

if TYPE_CHECKING:
    from bswirl.client import Client

DRAWN_SECONDS = 0.3  # by which something is drawn, whatever is still being read


class Beginning(Comparing):
    """The part of the main screen that begins."""

    def __init__(self, *about: object) -> None:
        super().__init__(*about)
        self.begun = False
        self.ahead = Ahead()
        self.list_apart = False  # what the list selects next is another question than the tree's
        self._query_to_come: Query | None = None  # of the list, after a restart
        self._draws = False

    def action_view_tour(self) -> None:
        raise NotImplementedError

    def _compositor_refresh(self) -> None:
        """Draws nothing while the first screen comes together: it would be drawn over at once.

        What is to be drawn is kept until then.
        """
        if self._draws:
            super()._compositor_refresh()

    def draw(self) -> None:
        """Draws from now on."""
        if not self._draws:
            self._draws = True
            self.refresh()

    def begin(self) -> None:
        self.set_timer(DRAWN_SECONDS, self.draw)
        self.tree_view.clear(f"reaching the project{glyphs().ellipsis}")
        place = self.bswirl.reattaching.before
        narrowed = place is not None and Query.from_kept(place.query) != Query()

        def work(client: Client) -> tuple[int, int | None]:
            return self.ahead.read(client, None if place is None else place.address, narrowed=narrowed)

        self.bswirl.ask_owner(self, "start", work, self._started, failed=self._not_started)

    def _started(self, found: tuple[int, int | None]) -> None:
        index, question_id = found
        self.begun = True
        self.bswirl.changes.read_state()
        self.tree_view.clear()
        place = self.bswirl.reattaching.before
        query = Query()
        if place is not None and question_id is not None:
            self.land(question_id, place)
            self.visits.leave(self.bswirl.way_back.remember(place.aside))
            self.bswirl.tell_where()
            query = Query.from_kept(place.query)
        if query == Query() or question_id is None:
            self.questions.reset(query, index)
        else:
            self._list_later(query, question_id)
        if self.bswirl.wants_tour():
            self.action_view_tour()

    def _list_later(self, query: Query, question_id: int) -> None:
        """Shows the tree at once, and the narrowed list when it is known where in it that question is."""
        self._query_to_come = query

        def found(index: int | None) -> None:
            if self._query_to_come is query:  # nobody has chosen others meanwhile
                self.show_query(query, index or 0, apart=index is None)

        self.open_question(question_id)
        self.tree_view.show_words(query.search)
        self.bswirl.ask_owner(
            self,
            "place",
            lambda client: query.place_of(client, question_id),
            found,
            failed=lambda _: found(None),
        )

    @property
    def query_now(self) -> Query:
        """Which questions are listed, or are about to be."""
        return self._query_to_come or self.questions.query_shown

    def _not_started(self, error: BswirlError) -> None:
        self.draw()
        self.tree_view.clear("The project's owner could not be reached.")
        self.bswirl.show_problem(error)

    def show_query(self, query: Query, index: int = 0, *, apart: bool = False) -> None:
        """Lists other questions, and shows the tree of the one at `index`; `apart`: the tree stays."""
        self._query_to_come = None
        if query != self.questions.query_shown:
            self.list_apart = apart
            self.questions.reset(query, index)
