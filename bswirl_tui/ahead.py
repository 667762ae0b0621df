"""What the first screen will ask for, read while it is still being laid out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bswirl_tui.query import Query, first_to_see, number_of, place_of

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl.records import QuestionRow, QuestionShifts, QuestionTree

    Page = tuple[list[QuestionRow], int]
    Tree = tuple[QuestionTree, QuestionShifts]

PAGE = 200  # rows of the list that are read at once


class Ahead:
    """One page of the list and one tree, each handed out once to the first who asks for just that."""

    def __init__(self) -> None:
        self._page: tuple[Query, int, Page] | None = None
        self._tree: Tree | None = None

    def read(self, client: Client, address: str | None, *, narrowed: bool) -> tuple[int, int | None]:
        """Where in the list the cursor begins, and the number of the question at `address`, if there is one.

        Without that question the list begins at the first with a live group, else with steps. In a narrowed
        list its place is found later, and only its tree is read now.
        """
        question_id = None if address is None else number_of(client, address)
        if narrowed and question_id is not None:
            self._tree = fetch_tree(client, question_id, None)
            return 0, question_id
        index = first_to_see(client) if question_id is None else place_of(client, question_id)
        number = index // PAGE
        page = fetch_page(client, Query(), number)
        self._page = (Query(), number, page)
        if index % PAGE < len(page[0]):
            self._tree = fetch_tree(client, page[0][index % PAGE].question_id, None)
        return index, question_id

    def page(self, client: Client, query: Query, number: int) -> Page:
        """That page of the list."""
        held, self._page = self._page, None
        if held is not None and held[:2] == (query, number):
            return held[2]
        return fetch_page(client, query, number)

    def tree(self, client: Client, question_id: int, run_id: int | None) -> Tree:
        """A question's tree, and its log-prob shifts by a training run; None: by the newest that measured."""
        held, self._tree = self._tree, None
        if held is not None and held[0].question.question_id == question_id and run_id is None:
            return held
        return fetch_tree(client, question_id, run_id)

    def forget(self) -> None:
        """It may have changed."""
        self._page = self._tree = None


def fetch_page(client: Client, query: Query, number: int) -> Page:
    """The rows of a page, and how many there are in all."""
    return query.fetch(client, number * PAGE, PAGE)


def fetch_tree(client: Client, question_id: int, run_id: int | None) -> Tree:
    """A question's tree and shifts."""
    return client.tree(question_id), measured_shifts(client, question_id, run_id)


def measured_shifts(client: Client, question_id: int, run_id: int | None) -> QuestionShifts:
    """The log-prob shifts by that run; where it measured none here, by the newest run that did."""
    found = client.question_shifts(question_id, run_id)
    return found if found.run_id is not None or run_id is None else client.question_shifts(question_id)
