"""What filters leave of random trees, from the store to the loss, against a plain slow version."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bswirl.records import FrozenTree, from_json, to_json
from bswirl.selections import Filters, Selection
from bswirl.store.judges import apply_ranking
from bswirl.store.selection import Outcome, Scope, count_selection, held_out, select_to_train
from bswirl.training.selection import logged_states, select
from bswirl.training.settings import TrainSettings
from tests.store.kit import Kit, branches, kit_in, memory_folder, trajectory, verdict

Place = tuple[tuple[str, ...], str]  # the steps before, and the step
Weighted = dict[Place, int]


@dataclass(frozen=True)
class Path:
    """One full solution, and the branches that were sampled along it."""

    steps: tuple[str, ...]
    answered: bool
    is_correct: bool | None
    unread: bool
    branches: tuple[tuple[int, str], ...] = ()  # step from 1, text

    @property
    def places(self) -> list[Place]:
        return [(self.steps[:at], step) for at, step in enumerate(self.steps)]


@dataclass
class Plain:
    """A question's tree as lists and dicts."""

    paths: list[Path]
    reward: dict[Place, float] = field(default_factory=dict)

    @property
    def samples(self) -> Counter[Place]:
        counted: Counter[Place] = Counter()
        for path in self.paths:
            counted.update(path.places)
            counted.update((path.steps[: step - 1], text) for step, text in path.branches)
        return counted

    def is_kept(self, path: Path, wanted: str) -> bool:
        steps = path.places[:-1] if path.answered else path.places
        process = bool(steps) and not path.unread and all(self.reward.get(place) == 1 for place in steps)
        outcome = False
        if path.answered:
            found = self.reward.get(path.places[-1])
            outcome = path.is_correct is True if found is None else found == 1
        return {"none": True, "process": process, "outcome": outcome, "both": process and outcome}[wanted]

    def mean(self, places: list[Place]) -> float | None:
        counted = [(self.reward[place], self.samples[place]) for place in places if place in self.reward]
        total = sum(n for _, n in counted)
        return sum(reward * n for reward, n in counted) / total if total else None

    def states(self, filters: Filters) -> set[tuple[str, ...]]:
        """Where the groups are that the filters leave."""
        found = {prefix for prefix, _ in self.samples}
        if filters.filter != "none":
            kept = [path for path in self.paths if path.steps and self.is_kept(path, filters.filter)]
            found &= {prefix for path in kept for prefix, _ in path.places}
        if filters.difficulty is None:
            return found
        low, high = filters.difficulty
        left = set()
        for state in found:
            by_group = filters.difficulty_by == "group"
            mean = self.mean([place for place in self.samples if place[0] == state or not by_group])
            if mean is not None and low - 1e-9 <= mean <= high + 1e-9:
                left.add(state)
        return left

    def own(self, filters: Filters) -> Weighted:
        """The steps that kept solutions took themselves, at states that are left, how often."""
        states = self.states(filters)
        return dict(
            Counter(
                place
                for path in self.paths
                if self.is_kept(path, filters.filter)
                for place in path.places
                if place[0] in states
            )
        )

    def trained(self, filters: Filters, objective: str) -> Weighted:
        """The actions in the loss, how often each counts."""
        states, own = self.states(filters), self.own(filters)
        rewarded = {
            place: n for place, n in self.samples.items() if place in self.reward and place[0] in states
        }
        if objective == "swirl":
            return {place: n for place, n in own.items() if place in rewarded}
        if objective == "sft":
            counts = rewarded if filters.filter == "none" else own
            return {place: n for place, n in counts.items() if self.reward.get(place, 0) >= 1}
        groups = {state: {self.reward[place] for place in rewarded if place[0] == state} for state in states}
        return {place: n for place, n in rewarded.items() if len(groups[place[0]]) > 1}

    def is_left(self, filters: Filters) -> bool:
        return any(place[0] in self.states(filters) for place in self.samples if place in self.reward)


@st.composite
def paths(draw: st.DrawFn) -> Path:
    steps = draw(st.lists(st.sampled_from(["a", "b"]), max_size=3))
    answered = draw(st.booleans())
    if answered:
        steps.append(draw(st.sampled_from(["Answer: 1", "Answer: 2"])))
    taken = draw(st.lists(st.sampled_from(["a", "b", "c"]), max_size=3)) if steps else []
    return Path(
        steps=tuple(steps),
        answered=answered,
        is_correct=draw(st.sampled_from([True, False, None])) if answered else None,
        unread=not answered and draw(st.booleans()),
        branches=tuple((draw(st.integers(1, len(steps))), text) for text in taken),
    )


@st.composite
def trees(draw: st.DrawFn) -> Plain:
    made = Plain(draw(st.lists(paths(), max_size=4)))
    rewards = st.sampled_from([1.0, 1.0, 1.0, 0.0, 0.5, None])
    for place in sorted(made.samples):
        reward = draw(rewards)
        if reward is not None:
            made.reward[place] = reward
    return made


@pytest.fixture(scope="module")
def stores() -> Iterator[Any]:
    """A way to a store that holds some trees; those of each call are questions of a dataset of their own."""
    with memory_folder() as folder, kit_in(folder) as kit:
        made = iter(range(1, 10_000))

        def put(plain: list[Plain]) -> tuple[Kit, str]:
            number = next(made)
            dataset = f"d{number}"
            kit.questions(len(plain), dataset=dataset)
            first = kit.one("SELECT min(question_id) FROM questions WHERE dataset = ?", dataset)
            fill(kit, first, plain, number)
            return kit, dataset

        yield put


def fill(kit: Kit, first: int, plain: list[Plain], number: int) -> None:
    """Journals that make those trees, and the verdicts on them."""
    sampled: list[dict[str, Any]] = []
    for at, tree in enumerate(plain, start=first):
        for index, path in enumerate(tree.paths):
            unread = "rest" if path.unread or not path.steps else None
            more = {"is_correct": path.is_correct, "unparsed": unread}
            sampled.append(trajectory(at, index, *path.steps, answer=path.answered, **more))
            for branch, (step, text) in enumerate(path.branches, start=1):
                sampled.append(branches(at, index, step, text, first=branch))
    kit.feed(kit.run(number=2 * number), *sampled)
    verdicts = [
        verdict(action_id, tree.reward[place], "answer-check" if place[1][0] == "A" else "reference")
        for at, tree in enumerate(plain, start=first)
        for action_id, place in places_of(kit, at).items()
        if place in tree.reward
    ]
    kit.feed(kit.run("judge", 2 * number + 1), *verdicts)
    with kit.writer.transaction():
        apply_ranking(kit.writer, ["answer-check", "reference"])


def places_of(kit: Kit, question: int) -> dict[int, Place]:
    """A question's actions by where they are, from the tables themselves."""
    states = {None: ()}
    texts = dict(kit.all("SELECT action_id, text FROM actions WHERE question_id = ?", question))
    prefixes: dict[int, tuple[str, ...]] = {}
    for state_id, parent, via in kit.all(
        "SELECT state_id, parent_state_id, via_action_id FROM states WHERE question_id = ? ORDER BY depth",
        question,
    ):
        prefixes[state_id] = states[None] if parent is None else (*prefixes[parent], texts[via])
    rows = kit.all("SELECT action_id, state_id, text FROM actions WHERE question_id = ?", question)
    return {action_id: (prefixes[state_id], text) for action_id, state_id, text in rows}


FILTERS = st.builds(
    Filters,
    st.sampled_from(["none", "process", "outcome", "both"]),
    st.none() | st.sampled_from([(0.2, 0.8), (0.5, 0.5), (0.0, 0.75), (1 / 3, 1.0), (0.0, 1.0)]),
    st.sampled_from(["group", "question"]),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plain=st.lists(trees(), min_size=1, max_size=4), filters=FILTERS)
def test_as_a_plain_loop_would_select(stores: Any, plain: list[Plain], filters: Filters) -> None:
    """Questions, states, own steps, and for every objective which actions count in the loss how often."""
    kit, dataset = stores(plain)
    outcome = Outcome()
    rows = [
        from_json(FrozenTree, json.loads(json.dumps(to_json(row))))
        for row in select_to_train(kit.cursor, Scope(dataset, ("train",)), outcome, filters=filters)
    ]
    expected = {f"q{at}": tree for at, tree in enumerate(plain, start=1) if tree.is_left(filters)}
    assert [row.tree.question.external_id for row in rows] == list(expected)
    for row in rows:
        tree = expected[row.tree.question.external_id]
        places = places_of(kit, row.tree.question.question_id)
        assert_row(row, tree, filters, places)
        for objective in ("swirl", "sft", "bswirl"):
            chosen = select(row, TrainSettings.from_dict({"policy": "p", "objective": objective}))
            found = {places[entry.action.action_id]: entry.samples for entry in chosen}
            assert found == tree.trained(filters, objective), objective
    counts = count_selection(
        kit.cursor,
        Selection(dataset, "train", None, filters.filter, filters.difficulty, filters.difficulty_by),
    )
    assert (counts.questions, counts.groups) == (len(rows), sum(len(groups_of(row)) for row in rows))
    assert counts.own_samples == sum(
        sum(tree.trained(filters, "swirl").values()) for tree in expected.values()
    )
    assert counts.trajectories == sum(
        tree.is_kept(path, filters.filter)
        and any(p[0] in rewarded_states(tree, filters) for p in path.places)
        for tree in plain
        for path in tree.paths
    )


def assert_row(row: FrozenTree, tree: Plain, filters: Filters, places: dict[int, Place]) -> None:
    """What is frozen of one question."""
    states = tree.states(filters)
    assert {places[number] for number in row.selected} == {
        place for place in tree.samples if place in tree.reward and place[0] in states
    }
    if not filters.active:
        assert (row.states, row.kept) == (None, None)
        return
    prefixes = row.tree.prefixes()
    assert row.states is not None
    assert {prefixes[number] for number in row.states} == states
    if filters.filter == "none":
        assert row.kept is None
    else:
        assert row.kept is not None
        assert {places[number]: kept for number, kept in row.kept} == tree.own(filters)
    onpolicy = {state.steps for state in logged_states(row)}
    assert onpolicy == {place[0] for place in tree.own(filters)}


def groups_of(row: FrozenTree) -> set[int]:
    return {action.state_id for action in row.tree.actions if action.action_id in row.selected}


def rewarded_states(tree: Plain, filters: Filters) -> set[tuple[str, ...]]:
    return {place[0] for place in tree.reward} & tree.states(filters)


def test_the_probe_is_the_same_whatever_is_filtered(stores: Any) -> None:
    """Held out before the filters, whole; those to train on are what the filters leave of the others."""
    good = Path(("a", "Answer: 1"), True, True, False, ((1, "b"),))
    bad = Path(("b", "Answer: 2"), True, False, False, ((1, "a"),))
    rewards: dict[Place, float] = {((), "a"): 1.0, ((), "b"): 0.0}
    plain = [Plain([good if at % 2 else bad], rewards) for at in range(12)]
    kit, dataset = stores(plain)

    def rows(filters: Filters) -> list[FrozenTree]:
        scope = Scope(dataset, ("train",))
        return list(
            select_to_train(kit.cursor, scope, Outcome(), probe_fraction=0.4, seed=3, filters=filters)
        )

    every, process = rows(Filters()), rows(Filters("process"))
    assert [row for row in process if row.probe] == [row for row in every if row.probe]
    assert held_out([row.tree.question for row in every], 0.4, 3) == {
        row.tree.question.question_id for row in every if row.probe
    }
    left = {row.tree.question.external_id for row in process if not row.probe}
    assert left == {
        row.tree.question.external_id
        for row in every
        if not row.probe and int(row.tree.question.external_id[1:]) % 2 == 0
    }
    assert rows(Filters("none", (2.0, 3.0))) == []
