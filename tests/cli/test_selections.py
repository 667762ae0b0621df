"""`bswirl selections`, and training on what one leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Call
from tests.tiny import save_tiny_policy

TRAIN = ("train", "--objective", "swirl", "--device", "cpu", "--policy")

WRONG: tuple[tuple[tuple[object, ...], int, str], ...] = (
    (("show", "nope"), 3, "there is no selection `nope` — selections are none yet"),
    (("delete", "nope"), 3, "there is no selection `nope`"),
    (("show", "a", "--limit", 2), 2, "give NAME or options"),
    (("save", "a b"), 2, "`a b` is no name for a selection"),
    (("save", "a", "--dataset", "nope"), 3, "there is no dataset `nope` — datasets are clips"),
    (("save", "a", "--difficulty", "0.8"), 2, "--difficulty must be a range, not '0.8'"),
    (("save", "a", "--difficulty", "0.8..0.2"), 2, "--difficulty 0.8..0.2 is empty"),
    (("save", "a", "--by", "question"), 2, "--difficulty-by says nothing without --difficulty"),
    (("save", "a", "--filter", "good"), 2, "'good' is not one of"),
    (("save", "a", "--limit", 0), 2, "--limit must be a whole number at least 1"),
)


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_policy(tmp_path_factory.mktemp("policy") / "tiny")


@pytest.fixture
def judged(sampled: Call) -> Call:
    """One question: a right solution of two good steps, and a bad second candidate at each state."""
    assert sampled("judge").code == 0
    return sampled


class TestSelections:
    def test_saved_listed_shown_and_deleted(self, judged: Call) -> None:
        """By name, with all that it says."""
        said = judged(
            "selections", "save", "hard", "--filter", "both", "--difficulty", "0.2..0.8", "--limit", 9
        )
        assert (said.code, said.out) == (0, "")
        assert said.err == (
            "saved hard: any dataset, train, the first 9 questions, filter both, "
            "difficulty 0.2..0.8 by group\n"
        )
        (listed,) = judged("selections", "list", "--json").json["selections"]
        about = {
            "name": "hard",
            "dataset": None,
            "split": "train",
            "limit": 9,
            "filter": "both",
            "difficulty": [0.2, 0.8],
            "difficulty_by": "group",
        }
        assert about.items() <= listed.items()
        assert "filter both, difficulty 0.2..0.8 by group" in judged("selections", "list").out
        shown = judged("selections", "show", "hard", "--json").json
        assert listed.items() <= shown.items()
        assert (shown["questions"], shown["trajectories"], shown["own_samples"]) == (1, 1, 3)
        assert (shown["groups"], shown["live_groups"], shown["dead_groups"]) == (3, 3, 0)
        assert (shown["actions"], shown["samples"], shown["reasons"]) == (6, 6, {})
        said = judged("selections", "delete", "hard")
        assert (said.code, said.out, said.err[:14]) == (0, "", "deleted hard: ")
        assert judged("selections", "list", "--json").json == {"selections": []}

    def test_shows_why_things_are_left_out(self, judged: Call) -> None:
        """Also of a selection without a name."""
        assert judged("audit", "set", 1, "0").code == 0
        said = judged("selections", "show", "--filter", "process")
        assert "1 (trajectories with a bad step)" in said.out
        assert "3 (groups on no kept trajectory)" in said.out
        assert judged("selections", "show", "--filter", "outcome", "--json").json["questions"] == 1
        shown = judged("selections", "show", "--difficulty", "0.6..1", "--by", "question", "--json").json
        assert shown["reasons"] == {"questions too hard": 1, "questions with nothing left": 1}

    def test_wrong_words(self, sampled: Call) -> None:
        """One line that says what there is; nothing is saved."""
        for words, code, message in WRONG:
            said = sampled("selections", *words)
            assert (said.code, said.out, said.err.count("\n")) == (code, "", 1), words
            assert message in said.err
        assert sampled("selections", "list", "--json").json == {"selections": []}

    def test_replacing(self, sampled: Call) -> None:
        """On demand alone."""
        assert sampled("selections", "save", "a").code == 0
        said = sampled("selections", "save", "a", "--split", "validation")
        assert (said.code, said.err.count("\n")) == (3, 1)
        assert "selection a is there already: any dataset, train — --replace" in said.err
        said = sampled("selections", "save", "a", "--split", "validation", "--replace", "--json")
        assert said.json["split"] == "validation"


class TestTraining:
    def test_forecast_says_what_is_left(self, judged: Call, policy: Path) -> None:
        """By name and spelled out alike."""
        assert (
            judged("selections", "save", "mine", "--difficulty", "0.5..0.5", "--filter", "process").code == 0
        )
        assert judged("audit", "set", 1, "0").code == 0
        said = judged(*TRAIN, policy, "--selection", "mine", "--forecast")
        assert (said.code, said.out, said.err.count("\n")) == (3, "", 1)
        assert "1 (trajectories with a bad step)" in said.err
        assert "another filter or a wider difficulty" in said.err
        assert judged("audit", "undo").code == 0
        named = judged(*TRAIN, policy, "--selection", "mine", "--forecast", "--json").json
        spelled = judged(
            *TRAIN, policy, "--difficulty", "0.5..0.5", "--filter", "process", "--forecast", "--json"
        ).json
        assert named == spelled
        assert (named["trained_actions"], named["live_groups"]) == (3, 3)
        assert judged(*TRAIN, policy, "--difficulty", "0..0.4", "--forecast").code == 3

    def test_a_name_beside_what_it_says(self, sampled: Call, policy: Path) -> None:
        """Is a contradiction, even where both say the same."""
        assert sampled("selections", "save", "a").code == 0
        for option, value in (("--split", "train"), ("--dataset", "clips"), ("--filter", "none")):
            said = sampled(*TRAIN, policy, "--selection", "a", option, value)
            assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
            assert f"not beside {option}" in said.err

    def test_a_run_keeps_all_that_its_selection_said(self, judged: Call, policy: Path) -> None:
        """Also once that one is gone."""
        assert judged("selections", "save", "mine", "--filter", "both").code == 0
        said = judged(*TRAIN, policy, "--selection", "mine", "--max-steps", 1, "--json")
        assert said.code == 0, said.err
        assert judged("selections", "delete", "mine").code == 0
        config = judged("runs", "show", said.json["run_id"], "--json").json["config"]
        assert config["selection"]["name"] == "mine"
        assert config["selection"]["filter"] == config["select"]["filter"] == "both"
        assert config["select"]["split"] == "train"
        assert config["selection"]["created_at"]
