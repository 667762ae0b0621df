"""Growing trees: turning sampled texts into states, actions and samples, each distinct one stored once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bswirl.store.bulk import insert_rows
from bswirl.store.forest import KnownTrajectory, KnownTree, Step
from bswirl.store.journal_rows import Sampler
from bswirl.store.writing import StoreWriter

_ORDER = ("trajectories", "states", "actions", "samples", "unparsed")


@dataclass(frozen=True, slots=True)
class SampleFacts:
    """What is kept of one sample beside its place."""

    step: int
    branch_id: int
    is_backbone: bool
    n_tokens: int | None
    logprob: float | None
    finish: str | None
    tokens: bytes | None = None  # packed


class Planter:
    """Collects the new rows of a transaction. The trees in memory already hold them; `flush` inserts them."""

    def __init__(self, writer: StoreWriter, run_id: int) -> None:
        self._writer = writer
        self._run_id = run_id
        self._rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        self.touched: set[int] = set()  # questions

    def first_state(self, tree: KnownTree) -> int:
        """The state before any step."""
        return self._state(tree, None, None, 0)

    def state_after(self, tree: KnownTree, step: Step, depth: int) -> int:
        """The state that `step` leads to; `depth` steps lie before it."""
        return self._state(tree, step[0], step[1], depth)

    def action(self, tree: KnownTree, state_id: int, depth: int, text: str, *, is_answer: bool) -> int:
        """The action of that text at a state; `depth` is the step's number."""
        known = tree.actions.get((state_id, text))
        if known is not None:
            return known
        action_id = self._writer.numbers.next("actions")
        tree.actions[state_id, text] = action_id
        self._rows["actions"].append((action_id, state_id, tree.question_id, depth, is_answer, text))
        return action_id

    def walk(self, tree: KnownTree, prefix: Iterable[str]) -> int:
        """The state after those steps; what is missing of it is made, as actions without samples."""
        state_id = self.first_state(tree)
        for depth, text in enumerate(prefix, start=1):
            action_id = self.action(tree, state_id, depth, text, is_answer=False)
            state_id = self.state_after(tree, (state_id, action_id), depth)
        return state_id

    def trajectory(
        self,
        tree: KnownTree,
        number: int,
        external_id: str,
        policy: str,
        *,
        answer: str | None,
        is_correct: bool | None,
    ) -> KnownTrajectory:
        """A new trajectory of the question."""
        trajectory = KnownTrajectory(self._writer.numbers.next("trajectories"), external_id)
        tree.trajectories[self._run_id, number] = trajectory
        tree.by_external_id[external_id] = trajectory
        self._rows["trajectories"].append(
            (
                trajectory.trajectory_id,
                tree.question_id,
                self._run_id,
                number,
                external_id,
                policy,
                answer,
                is_correct,
            )
        )
        self.touched.add(tree.question_id)
        return trajectory

    def sample(
        self, tree: KnownTree, trajectory: KnownTrajectory, step: Step, facts: SampleFacts, sampler: Sampler
    ) -> None:
        """One more sample of an action."""
        state_id, action_id = step
        tree.samples[trajectory.trajectory_id, facts.step, facts.branch_id] = action_id
        if facts.is_backbone:
            trajectory.path[facts.step] = (state_id, action_id)
        self._rows["samples"].append(
            (
                action_id,
                tree.question_id,
                trajectory.trajectory_id,
                facts.step,
                facts.branch_id,
                facts.is_backbone,
                self._run_id,
                facts.n_tokens,
                facts.logprob,
                facts.finish,
                sampler.seed,
                sampler.temperature,
                sampler.prompt_sha,
                facts.tokens,
            )
        )
        self.touched.add(tree.question_id)

    def unparsed(
        self,
        tree: KnownTree,
        trajectory: KnownTrajectory,
        text: str,
        *,
        step: int | None = None,
        branch_id: int | None = None,
        finish: str | None = None,
    ) -> None:
        """Sampled text that is no step."""
        self._rows["unparsed"].append(
            (self._run_id, tree.question_id, trajectory.trajectory_id, step, branch_id, text, finish)
        )
        self.touched.add(tree.question_id)

    def flush(self) -> None:
        """Inserts what was collected."""
        for table in _ORDER:
            insert_rows(self._writer.cursor, table, self._rows[table])
        if self.touched:
            self._writer.touch("questions", questions=self.touched)
        self._rows.clear()
        self.touched = set()

    def _state(self, tree: KnownTree, parent: int | None, via: int | None, depth: int) -> int:
        known = tree.states.get(via)
        if known is not None:
            return known
        state_id = self._writer.numbers.next("states")
        tree.states[via] = state_id
        self._rows["states"].append((state_id, tree.question_id, depth, parent, via))
        return state_id
