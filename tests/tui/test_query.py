"""What the question list asks for."""

from __future__ import annotations

from typing import Any

import pytest

from bswirl.client import connect
from bswirl.project import Project
from bswirl_tui.query import Query, first_to_see
from tests.tui import content


class TestOrder:
    """Sorting, and turning around."""

    def test_numbers_come_highest_first(self) -> None:
        """Most live groups, then least."""
        query = Query().sorted_by("live")
        assert (query.sort, query.descending) == ("live", True)
        assert query.sorted_by("live").descending is False

    def test_names_come_from_a_on(self) -> None:
        """Addresses, then backwards."""
        assert Query().sorted_by("address").descending is False


class TestWords:
    """The list's title says what it leaves out."""

    @pytest.mark.parametrize(
        ("about", "words"),
        [
            ({}, ""),
            ({"filter": "live", "search": "a[/b]"}, "/a[/b] · live"),
            ({"dataset": "shop", "split": "test"}, "shop:test"),
            ({"sort": "reward", "descending": True}, "by reward down"),
        ],
    )
    def test_words(self, about: dict[str, Any], words: str) -> None:
        """In as few words as it takes."""
        assert Query(**about).words() == words


class TestFirstToSee:
    """Where the app opens."""

    @pytest.mark.parametrize("number", [0, 1, 6, 9])
    def test_place_of_the_first_question_with_samples(self, empty: Project, number: int) -> None:
        """Wherever it stands in the list."""
        with connect(empty) as client:
            client.import_questions([content.question(entry) for entry in range(10)])
            assert first_to_see(client) == 0
            client.import_samples([content.placed(entry) for entry in {number, 9}], "seed")
            place = first_to_see(client)
            (row,), _ = client.questions(offset=place, limit=1)
            assert row.external_id == f"q{number:02}"

    def test_a_live_group_goes_before(self, empty: Project) -> None:
        """Where rewards differ there is something to see."""
        with connect(empty) as client:
            content.fill(client)
            live, _ = client.questions(filter="live", limit=1)
            (row,), _ = client.questions(offset=first_to_see(client), limit=1)
            assert row.question_id == live[0].question_id
