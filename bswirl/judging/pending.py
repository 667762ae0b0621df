"""What a judging run still has to do, tree by tree, in the order in which prompts begin alike."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from bswirl.judging.books import Books
from bswirl.judging.catalogue import JudgeSpec
from bswirl.judging.duplicates import alike
from bswirl.judging.judgement import Judgement, Outcome, StepToJudge
from bswirl.records import Action, FrozenTree, Question, from_json
from bswirl.runs.journal import Row


@dataclass(frozen=True, slots=True)
class PendingStep:
    """An intermediate action to judge, and those that get a copy of its verdict."""

    step: StepToJudge
    action: Action
    copies: tuple[Action, ...] = ()

    def open_to(self, done: Collection[int]) -> bool:
        """Whether one of its actions has no outcome yet."""
        return any(action.action_id not in done for action in (self.action, *self.copies))


def pending_steps(
    rows: Iterable[Row], done: Collection[int], *, near_duplicates_once: bool = False
) -> Iterator[PendingStep]:
    """The selected intermediate actions of frozen trees that have no outcome.

    A question's come depth-first: the actions of a state, then what each of them leads to. So prompts that
    begin alike follow each other. With `near_duplicates_once` those of a state that say the same are one.
    """
    for row in rows:
        frozen = from_json(FrozenTree, row)
        prefixes = frozen.tree.prefixes()
        question = frozen.tree.question
        actions = [action for action in _depth_first(frozen) if not action.is_answer]
        groups = (
            alike(actions, lambda action: (action.state_id, action.text))
            if near_duplicates_once
            else [[action] for action in actions]
        )
        for first, *others in groups:
            step = StepToJudge(question.text, question.solution, prefixes[first.state_id], first.text)
            pending = PendingStep(step, first, tuple(others))
            if pending.open_to(done):
                yield pending


def pending_answers(rows: Iterable[Row], done: Collection[int]) -> Iterator[tuple[Question, Action]]:
    """The selected answer actions that have no outcome, with their questions."""
    for row in rows:
        frozen = from_json(FrozenTree, row)
        selected = set(frozen.selected)
        for action in frozen.tree.actions:
            if action.is_answer and action.action_id in selected and action.action_id not in done:
                yield frozen.tree.question, action


def _depth_first(frozen: FrozenTree) -> Iterator[Action]:
    """The selected actions of a tree."""
    selected = set(frozen.selected)
    groups = frozen.tree.by_state()
    after = {state.via_action_id: state.state_id for state in frozen.tree.states}
    waiting = [state.state_id for state in reversed(frozen.tree.states) if state.via_action_id is None]
    while waiting:
        group = groups[waiting.pop()]
        yield from (action for action in group if action.action_id in selected)
        waiting += [after[action.action_id] for action in reversed(group) if action.action_id in after]


def settle_all(books: Books, spec: JudgeSpec, pending: PendingStep, outcome: Outcome) -> None:
    """Notes the outcome of an action and, as copies that cost nothing, of those worded like it."""
    books.settle(pending.action, spec, outcome)
    for action in pending.copies:
        books.settle(action, spec, _copied(outcome, pending.action))


def _copied(outcome: Outcome, original: Action) -> Outcome:
    said = outcome.judgement
    words = f"Worded like action {original.action_id}, whose verdict this is. {said.rationale}".rstrip()
    return Outcome(
        Judgement(said.correct, said.progress, words), reason=outcome.reason, duplicate_of=original.action_id
    )
