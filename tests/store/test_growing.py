"""Further samples at states that are there: which states, and what their rows do."""

from __future__ import annotations

from typing import Any

import pytest

from bswirl.records import GrowingState
from bswirl.store.growing import select_to_grow
from bswirl.store.judges import apply_ranking
from bswirl.store.queries import read_ingest_errors
from bswirl.store.selection import Outcome, Scope, select_to_judge
from bswirl.store.trees import read_action, read_tree
from tests.store.kit import Kit, branches, trajectory, verdict


@pytest.fixture
def grown(kit: Kit) -> Kit:
    """Question 1: a live state and one with three equal rewards; question 2: one without rewards."""
    kit.questions(2)
    run = kit.run()
    kit.feed(
        run,
        trajectory(1, 1, "a", "b", answer=False),
        branches(1, 1, 1, "A", "A"),
        branches(1, 1, 2, "B", "B"),
        trajectory(2, 1, "c", answer=False),
    )
    with kit.writer.transaction():
        apply_ranking(kit.writer, ["reference"])
    rewards = {"a": 1.0, "A": 0.0, "b": 1.0, "B": 1.0}
    found = [(action.action_id, rewards[action.text]) for action in read_tree(kit.cursor, 1).actions]
    kit.feed(kit.run("judge", 2), *(verdict(action_id, reward) for action_id, reward in found))
    return kit


def select(kit: Kit, scope: Scope | None = None, **more: Any) -> tuple[list[GrowingState], dict[str, Any]]:
    outcome = Outcome()
    options: dict[str, Any] = {"runs": [1], "round_size": 2, "most": 6, "dead_below": 0.05, **more}
    rows = list(select_to_grow(kit.cursor, scope or Scope(), outcome, **options))
    return rows, outcome.to_json()


def row(state: GrowingState, *texts: str, **more: Any) -> dict[str, Any]:
    return {
        "t": "grown",
        "question_id": state.question.question_id,
        "state_id": state.state_id,
        "trajectory": state.trajectory,
        "step": state.step,
        "seed": 3,
        "temperature": 0.7,
        "prompt_sha": "s",
        "samples": [
            {"branch_id": number, "text": text, "is_answer": False, "n_tokens": None, "logprob": None}
            for number, text in enumerate(texts, start=1)
        ],
        "unparsed": [{"branch_id": len(texts) + 1, "text": "", "finish": "length"}],
        **more,
    }


class TestWhichStates:
    def test_undecided_ones_with_what_they_lack(self, grown: Kit) -> None:
        """The live one and the one without rewards are counted."""
        (state,), outcome = select(grown)
        assert (state.question.question_id, state.steps, state.step, state.more) == (1, ("a",), 2, 2)
        assert outcome == {"rows": 1, "considered": 3, "reasons": {"live": 1, "not judged": 1}}

    def test_the_budget_is_never_passed(self, grown: Kit) -> None:
        """The last round is smaller; a full group gets none."""
        (state,), _ = select(grown, most=4)
        assert state.more == 1
        assert select(grown, most=3)[1]["reasons"]["budget used up"] == 1

    def test_a_group_that_is_surely_dead_gets_none(self, grown: Kit) -> None:
        assert select(grown, dead_below=0.9)[1]["reasons"]["surely dead"] == 1

    def test_other_runs_and_questions_are_left_alone(self, grown: Kit) -> None:
        assert select(grown, runs=[7])[1] == {"rows": 0, "considered": 0, "reasons": {}}
        assert select(grown, Scope(limit=1))[1]["considered"] == 2

    def test_what_a_human_says_decides(self, grown: Kit) -> None:
        """An override makes the group live."""
        action = next(a for a in read_tree(grown.cursor, 1).actions if a.text == "b")
        grown.label(action.action_id, "0")
        assert select(grown)[1] == {"rows": 0, "considered": 3, "reasons": {"live": 2, "not judged": 1}}


class TestTheirRows:
    def test_numbers_go_on_in_the_home_trajectory(self, grown: Kit) -> None:
        """Equal texts join their action; the run, and not the trajectory's, is the sampler."""
        (state,), _ = select(grown)
        run = grown.run("generate", 3)
        grown.feed(run, row(state, "B", "new"))
        assert grown.all(
            "SELECT branch_id, text, s.run_id, is_backbone, n_tokens, logprob FROM samples s"
            " JOIN actions USING (action_id) WHERE step = 2 AND s.question_id = 1 ORDER BY branch_id"
        ) == [
            (0, "b", 1, True, 3, -1.5),
            (1, "B", 1, False, 2, -2.5),
            (2, "B", 1, False, 2, -2.5),
            (3, "B", run, False, None, None),
            (4, "new", run, False, None, None),
        ]
        assert grown.all("SELECT step, branch_id, text FROM unparsed") == [(2, 5, "")]
        new = next(a for a in read_tree(grown.cursor, 1).actions if a.text == "new")
        assert [s.policy for s in read_action(grown.cursor, new.action_id).samples] == ["generate"]

    def test_two_runs_that_grew_one_state_both_count(self, grown: Kit) -> None:
        """The store numbers what comes in, so that no row is in the way of another."""
        (state,), _ = select(grown)
        for number in (3, 4):
            grown.feed(grown.run("generate", number), row(state, "B", "x"))
        assert grown.one("SELECT count(*) FROM samples WHERE step = 2 AND question_id = 1") == 7
        assert grown.one("SELECT count(DISTINCT branch_id) FROM samples WHERE step = 2") == 7
        assert select(grown)[1]["reasons"] == {"budget used up": 1, "live": 1, "not judged": 1}

    @pytest.mark.parametrize(
        ("broken", "words"),
        [
            ({"trajectory": "nowhere"}, "no trajectory `nowhere`"),
            ({"state_id": 99}, "no state 99"),
            ({"step": 9}, "no step 9"),
            ({"question_id": 77}, "no question 77"),
        ],
    )
    def test_a_broken_row_stops_no_other(self, grown: Kit, broken: dict[str, Any], words: str) -> None:
        (state,), _ = select(grown)
        run = grown.run("generate", 3)
        grown.feed(run, row(state, "x", **broken), row(state, "y"))
        (error,) = read_ingest_errors(grown.cursor, run, 10)
        assert words in error["error"]
        assert "y" in {action.text for action in read_tree(grown.cursor, 1).actions}

    def test_only_what_a_run_sampled_is_judged_on_request(self, grown: Kit) -> None:
        """As rounds do, so that nobody pays for what else is in the project."""
        (state,), _ = select(grown)
        run = grown.run("generate", 3)
        grown.feed(run, row(state, "new"))
        (tree,) = select_to_judge(grown.cursor, Scope(), Outcome(), judge="reference", runs=[run])
        assert [a.text for a in tree.tree.actions if a.action_id in tree.selected] == ["new"]
