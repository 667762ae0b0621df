"""`bswirl audit`: labels without a screen."""

import io

import pytest

from tests.cli.conftest import Call


def actions_of(on: Call) -> dict[int, dict[str, object]]:
    """The question's actions by number."""
    return {action["action_id"]: action for action in on("tree", "clips:q1", "--json").json["actions"]}


@pytest.fixture
def judged(sampled: Call) -> Call:
    """The project after the reference judge."""
    said = sampled("judge", "--judge", "reference")
    assert said.code == 0, said.err
    return sampled


class TestSet:
    """`bswirl audit set` and `undo`."""

    def test_overrules_the_judge(self, judged: Call) -> None:
        """The label decides reward and advantage at once; undo brings the verdict back."""
        number = min(actions_of(judged))
        before = actions_of(judged)[number]
        assert (before["reward"], before["source"]) == (1.0, "judge")
        said = judged("--as", "kim", "audit", "set", number, "0", "--reason", "not so", "--json")
        assert said.json["label"]["auditor"] == "kim"
        assert said.json["action"]["reward"] == 0.0
        after = actions_of(judged)[number]
        assert (after["reward"], after["source"], after["label"]) == (0.0, "human", "0")
        assert judged("--as", "kim", "audit", "undo").code == 0
        assert actions_of(judged)[number] == before

    def test_conflict_and_adjudication(self, judged: Call) -> None:
        """Where auditors disagree the judge stands until somebody adjudicates."""
        number = min(actions_of(judged))
        judged("--as", "kim", "audit", "set", number, "0")
        assert "auditors disagree" in judged("--as", "lee", "audit", "set", number, "1").err
        assert actions_of(judged)[number]["source"] == "judge"
        judged("--as", "lee", "audit", "set", number, "0", "--adjudicate")
        assert actions_of(judged)[number]["reward"] == 0.0

    def test_unknown_action(self, sampled: Call) -> None:
        """A number that no action has ends with 3."""
        said = sampled("audit", "set", "999", "1")
        assert said.code == 3
        assert "there is no action 999" in said.err

    def test_nothing_to_undo(self, sampled: Call) -> None:
        """Undo without a label says so and is no failure."""
        said = sampled("audit", "undo", "--json")
        assert (said.code, said.json) == (0, {"withdrawn": None})

    def test_lists_newest_first(self, sampled: Call) -> None:
        """`bswirl audit` lists labels with their reasons."""
        first, second = sorted(actions_of(sampled))[:2]
        sampled("audit", "set", first, "1")
        sampled("audit", "set", second, "unsure", "--reason", "hm")
        labels = sampled("audit", "list", "--json").json["labels"]
        assert [(label["action_id"], label["value"], label["reason"]) for label in labels] == [
            (second, "unsure", "hm"),
            (first, "1", None),
        ]
        assert "hm" in sampled("audit").out


class TestNext:
    """`bswirl audit next`, answered line by line."""

    def answer(self, monkeypatch: pytest.MonkeyPatch, lines: str) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(lines))

    def test_asks_until_all_are_labelled(self, judged: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every judged step is asked about once; words behind the key are the reason."""
        count = sum(action["judge_reward"] is not None for action in actions_of(judged).values())
        self.answer(monkeypatch, "0 wrong sum\n" + "1\n" * (count - 1))
        said = judged("audit", "next")
        assert said.code == 0
        assert "every judged step has a label" in said.err
        labels = judged("audit", "list", "--json").json["labels"]
        assert len({label["action_id"] for label in labels}) == len(labels) == count
        assert all(label["blind"] for label in labels)
        assert labels[-1]["reason"] == "wrong sum"

    def test_undo_and_quit(self, judged: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        """`b` withdraws the label before, an unknown key asks again, `q` leaves."""
        self.answer(monkeypatch, "1\nx\nb\nq\n")
        said = judged("audit", "next", "--seed", "3")
        assert said.code == 0
        assert "withdrew 1" in said.err
        assert judged("stats", "--json").json["judged"] == 6
        assert all(action["label"] is None for action in actions_of(judged).values())

    def test_end_of_input_leaves(self, judged: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        """A closed stdin ends the audit."""
        self.answer(monkeypatch, "")
        assert judged("audit", "next").code == 0

    def test_verdict_is_hidden_unless_asked_for(self, judged: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        """What the judge said is shown before the vote only with --open."""
        self.answer(monkeypatch, "q\n")
        assert "reference" not in judged("audit", "next").out
        self.answer(monkeypatch, "q\n")
        shown = judged("audit", "next", "--open").out
        assert "reference" in shown or "answer-check" in shown

    def test_order_follows_the_seed(self, judged: Call) -> None:
        """The same seed asks about the same step first; seeds differ."""
        first = [
            judged("audit", "next", "--seed", seed, "--json").json["next"]["action"]["action_id"]
            for seed in range(8)
        ]
        again = [
            judged("audit", "next", "--seed", seed, "--json").json["next"]["action"]["action_id"]
            for seed in range(8)
        ]
        assert first == again
        assert len(set(first)) > 1

    def test_nothing_judged(self, sampled: Call) -> None:
        """Without verdicts there is nothing to ask about."""
        assert sampled("audit", "next", "--json").json == {"next": None}
