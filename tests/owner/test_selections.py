"""Selections over the socket: saved, listed, counted, told, and refused where they make no sense."""

from __future__ import annotations

from typing import Any

import pytest

from bswirl.errors import InputError, UsageError
from bswirl.project import Project
from tests.owner.kit import Wire, append

HARD = {
    "dataset": "toy",
    "split": "train",
    "limit": 3,
    "filter": "both",
    "difficulty": [0.2, 0.8],
    "difficulty_by": "question",
}
ANY = {**dict.fromkeys(HARD), "split": "train", "filter": "none", "difficulty_by": "group"}


def test_saved_told_and_deleted(wire: Wire, project: Project) -> None:
    """The reply and the list have what was sent and by whom; every call can be repeated."""
    wire.questions(2)
    with Wire(project, auditor="bob") as listener:
        listener.call("subscribe")
        saved = wire.call("selection_save", name="hard", **HARD)
        event = listener.lines.receive()
        assert event == {"event": "changed", "topics": ["selections"], "questions": [], "runs": []}
        assert listener.call("selection_save", name="hard", **HARD) == saved
    assert (saved["name"], saved["selection"], saved["created_by"]) == ("hard", HARD, "ann")
    plain = wire.call("selection_save", name="any")
    assert plain["selection"] == ANY
    assert wire.call("selections") == [plain, saved]
    assert wire.call("selection_delete", name="hard") == {"deleted": True}
    assert wire.call("selection_delete", name="hard") == {"deleted": False}
    assert wire.call("selections") == [plain]


def test_a_name_that_is_taken(wire: Wire) -> None:
    """Says by what; replaced on demand alone."""
    wire.call("selection_save", name="a")
    with pytest.raises(InputError, match="any dataset, train"):
        wire.call("selection_save", name="a", filter="process")
    wire.call("selection_save", name="a", filter="process", replace=True)
    assert [one["selection"]["filter"] for one in wire.call("selections")] == ["process"]


@pytest.mark.parametrize("method", ["selection_save", "selection_counts"])
@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"dataset": "gsm"}, InputError, "no dataset `gsm`"),
        ({"split": "dev"}, UsageError, "`dev` is no split"),
        ({"limit": 0}, UsageError, "limit of 0"),
        ({"limit": 1.5}, UsageError, "`limit` is no whole number"),
        ({"filter": "good"}, UsageError, "`good` is no filter"),
        ({"difficulty": [0.8, 0.2]}, UsageError, "is empty"),
        ({"difficulty": [0.8]}, UsageError, "no pair of numbers"),
        ({"difficulty": [True, 2]}, UsageError, "no pair of numbers"),
        ({"difficulty": "0..1"}, UsageError, "`difficulty` is no list"),
        ({"difficulty_by": "state"}, UsageError, "not told by `state`"),
    ],
)
def test_what_makes_no_sense_is_refused(
    wire: Wire, method: str, changed: dict[str, Any], error: type[Exception], words: str
) -> None:
    """One clear error; nothing is kept."""
    wire.questions(1)
    with pytest.raises(error, match=words):
        wire.call(method, name="a", **{**HARD, **changed})
    assert wire.call("selections") == []


def test_counts_are_of_what_would_be_selected(wire: Wire, project: Project) -> None:
    """The `select` of a training run with the same filters has as many rows, for the same reasons."""
    wire.questions(2)
    run = wire.register(project)
    step = {"text": "Step 1: 2+2=4.", "is_answer": False}
    journal: list[dict[str, Any]] = [
        {"t": "trajectory", "question_id": n, "number": 0, "policy": "p", "steps": [step], "is_correct": None}
        for n in (1, 2)
    ]
    append(run["folder"], {"t": "start", "attempt": 1}, *journal)
    while wire.call("stats")["actions"] < 2:
        pass
    wire.call("label_set", action_id=1, value="1")
    wire.call("label_set", action_id=2, value="0")
    counts = wire.call("selection_counts", filter="process")
    rows, told = wire.stream("select", kind="train", filter="process")
    assert (counts["questions"], counts["own_samples"], counts["live_groups"]) == (1, 1, 0)
    assert counts["reasons"] == told["reasons"]
    assert counts["reasons"]["trajectories with a bad step"] == 1
    assert [(row["tree"]["question"]["question_id"], row["kept"]) for row in rows] == [(1, [[1, 1]])]
    with pytest.raises(UsageError, match="`good` is no filter"):
        wire.stream("select", kind="train", filter="good")
