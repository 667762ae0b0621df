"""The trees of the questions being written to, in memory: which state, action and sample exists already."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field

from bswirl.store.database import Cursor
from bswirl.store.lookups import among, rows_for

CACHED_ACTIONS = 200_000  # about 100 MB of step texts

Step = tuple[int, int]  # a state and the action taken there


@dataclass(slots=True)
class KnownTrajectory:
    """A trajectory of a question and the path its backbone took."""

    trajectory_id: int
    external_id: str
    path: dict[int, Step] = field(default_factory=dict)  # by step, from 1


@dataclass(slots=True)
class KnownTree:
    """What the store holds below one question."""

    question_id: int
    external_id: str
    text: str
    gold: str | None
    states: dict[int | None, int] = field(
        default_factory=dict
    )  # by the action that leads there; None: the first
    actions: dict[tuple[int, str], int] = field(default_factory=dict)  # by state and text
    trajectories: dict[tuple[int, int], KnownTrajectory] = field(default_factory=dict)  # by run and number
    by_external_id: dict[str, KnownTrajectory] = field(default_factory=dict)
    samples: dict[tuple[int, int, int], int] = field(
        default_factory=dict
    )  # (trajectory, step, branch): action


class Forest:
    """Trees read from the store on demand, the least recently used forgotten first.

    Writers change a tree together with the rows they insert; after a rollback everything must be forgotten.
    """

    def __init__(self) -> None:
        self._trees: OrderedDict[int, KnownTree] = OrderedDict()

    def forget(self) -> None:
        self._trees.clear()

    def load(self, cursor: Cursor, question_ids: Collection[int]) -> dict[int, KnownTree]:
        """The trees of those questions that exist; all of them stay in memory until the next `load`."""
        self._shrink()
        missing = [question_id for question_id in question_ids if question_id not in self._trees]
        if missing:
            for tree in _read(cursor, sorted(missing)):
                self._trees[tree.question_id] = tree
        found = {}
        for question_id in question_ids:
            if question_id in self._trees:
                self._trees.move_to_end(question_id)
                found[question_id] = self._trees[question_id]
        return found

    def _shrink(self) -> None:
        held = sum(len(tree.actions) + 1 for tree in self._trees.values())
        while self._trees and held > CACHED_ACTIONS:
            held -= len(self._trees.popitem(last=False)[1].actions) + 1


_WANTED = among("question_id")


def _read(cursor: Cursor, ids: list[int]) -> list[KnownTree]:
    trees = {
        row[0]: KnownTree(*row)
        for row in rows_for(
            cursor, f"SELECT question_id, external_id, text, gold FROM questions WHERE {_WANTED}", ids
        )
    }
    for question_id, state_id, via in rows_for(
        cursor, f"SELECT question_id, state_id, via_action_id FROM states WHERE {_WANTED}", ids
    ):
        trees[question_id].states[via] = state_id
    state_of: dict[int, int] = {}
    for question_id, action_id, state_id, text in rows_for(
        cursor, f"SELECT question_id, action_id, state_id, text FROM actions WHERE {_WANTED}", ids
    ):
        trees[question_id].actions[state_id, text] = action_id
        state_of[action_id] = state_id
    known: dict[int, KnownTrajectory] = {}
    for question_id, run_id, number, trajectory_id, external_id in rows_for(
        cursor,
        f"SELECT question_id, run_id, number, trajectory_id, external_id FROM trajectories WHERE {_WANTED}",
        ids,
    ):
        known[trajectory_id] = trajectory = KnownTrajectory(trajectory_id, external_id)
        trees[question_id].trajectories[run_id, number] = trajectory
        trees[question_id].by_external_id[external_id] = trajectory
    for question_id, trajectory_id, step, branch_id, action_id, is_backbone in rows_for(
        cursor,
        "SELECT question_id, trajectory_id, step, branch_id, action_id, is_backbone FROM samples"
        f" WHERE {_WANTED}",
        ids,
    ):
        trees[question_id].samples[trajectory_id, step, branch_id] = action_id
        if is_backbone:
            known[trajectory_id].path[step] = (state_of[action_id], action_id)
    return list(trees.values())
