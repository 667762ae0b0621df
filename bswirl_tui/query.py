"""What the question list can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from bswirl.errors import InputError
from bswirl_tui.glyphs import glyphs
from bswirl_tui.text import clean

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl.records import QuestionRow

FILTERS: dict[str, str] = {
    "all": "every question",
    "sampled": "with steps to look at",
    "unjudged": "with steps that no judge and nobody has rated",
    "labelled": "with a label",
    "live": "with a live group: its rewards differ",
    "dead": "with a dead group: its rewards are all equal",
    "conflict": "where auditors disagree",
    "unsolved": "where no trajectory reached the gold answer",
}
SORTS: dict[str, str] = {
    "id": "number",
    "address": "dataset and id",
    "actions": "how many actions",
    "reward": "mean reward",
    "live": "live groups",
    "labelled": "labels",
}


@dataclass(frozen=True, slots=True)
class Query:
    """Which questions, in which order."""

    search: str = ""
    dataset: str | None = None
    split: str | None = None
    filter: str = "all"
    sort: str = "id"
    descending: bool = False

    @classmethod
    def from_kept(cls, kept: Mapping[str, Any]) -> Query:
        """From what was kept of one; what cannot be used is left out."""
        words = {name: value for name, value in kept.items() if isinstance(value, str)}
        text = {name: words[name] for name in ("search", "dataset", "split") if name in words}
        listed = {"filter": FILTERS, "sort": SORTS}
        chosen = {name: words[name] for name, known in listed.items() if words.get(name) in known}
        return cls(**text, **chosen, descending=kept.get("descending") is True)

    @property
    def narrows(self) -> bool:
        """Whether it leaves questions out."""
        return bool(self.search or self.dataset or self.split or self.filter != "all")

    def cleared(self) -> Query:
        """The same order over all questions."""
        return Query(sort=self.sort, descending=self.descending)

    def sorted_by(self, sort: str) -> Query:
        """In that order; turned around where it is in that order already."""
        turned = not self.descending if sort == self.sort else sort not in ("id", "address")
        return replace(self, sort=sort, descending=turned)

    def words(self) -> str:
        """What it narrows and how it sorts, for the list's title."""
        parts = [f"/{clean(self.search, one_line=True, limit=20)}"] if self.search else []
        if self.dataset or self.split:
            place = ":".join(part for part in (self.dataset, self.split) if part)
            parts.append(clean(place, one_line=True, limit=24))
        if self.filter != "all":
            parts.append(self.filter)
        if self.sort != "id" or self.descending:
            parts.append(f"by {self.sort}" + (" down" if self.descending else ""))
        return glyphs().separator.join(parts)

    def fetch(self, client: Client, offset: int, limit: int) -> tuple[list[QuestionRow], int]:
        """A page of it, and how many there are in all."""
        return client.questions(**asdict(self), offset=offset, limit=limit)

    def place_of(self, client: Client, question_id: int) -> int | None:
        """Where in it a question stands; None where it does not."""
        return client.question_place(question_id, **asdict(self))


def first_to_see(client: Client) -> int:
    """Where the first question with a live group stands in the list of all, by number; without one, the first
    with samples; 0 where none has any."""
    for wanted in ("live", "sampled"):
        rows, _ = client.questions(filter=wanted, limit=1)
        if rows:
            return place_of(client, rows[0].question_id)
    return 0


def number_of(client: Client, address: str) -> int | None:
    """The number of the question at `dataset:id`; None where there is none."""
    try:
        return client.tree(address).question.question_id
    except InputError:
        return None


def place_of(client: Client, wanted: int) -> int:
    """Where in the list of all questions, by number, that question stands, or would stand."""
    first, total = client.questions(limit=1)
    low, high = 0, max(0, total - 1)
    guess = wanted - first[0].question_id if first else 0  # right where no number is missing
    while low < high:
        middle = guess if low <= guess < high else (low + high) // 2
        page, _ = client.questions(offset=middle, limit=1)
        found = page[0].question_id if page else wanted + 1
        if found == wanted:
            return middle
        low, high = (low, middle) if found > wanted else (middle + 1, high)
        guess = -1
    return low
