"""`bswirl audit`: labels without a screen."""

import io
from pathlib import Path

import pytest

from bswirl.client import connect
from bswirl.project import Project
from tests.cli.conftest import Call
from tests.tui import content


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
        """Every judged step but answers is asked about once; words behind the key are the reason."""
        asked = {number for number, action in actions_of(judged).items() if not action["is_answer"]}
        self.answer(monkeypatch, "0 wrong sum\n" + "1\n" * (len(asked) - 1))
        said = judged("audit", "next")
        assert said.code == 0
        assert "every judged step there has a label" in said.err
        labels = judged("audit", "list", "--json").json["labels"]
        assert {label["action_id"] for label in labels} == asked
        assert len(labels) == len(asked)
        assert all(label["blind"] for label in labels)
        assert labels[-1]["reason"] == "wrong sum"

    def test_answers_on_request(self, judged: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        """With --answers those too."""
        self.answer(monkeypatch, "1\n" * 6)
        judged("audit", "next", "--answers", "--order", "unaudited")
        assert len(judged("audit", "list", "--json").json["labels"]) == 6

    def test_steps_undone_in_a_row_are_all_asked_again(
        self, judged: Call, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The newest first, then those after it and the one that was on screen; each with its flag."""
        self.answer(monkeypatch, "1\nf\n0 2 and 2\nf\nundo\nundo\n0\n1\n1\nq\n")
        said = judged("audit", "next", "--order", "unaudited", "--slice", "0")
        asked = [line.split(",")[1].split()[1] for line in said.out.splitlines() if ", to judge" in line]
        assert [int(number) for number in asked] == [1, 2, 3, 2, 1, 2, 3, 4]
        assert "action 2: withdrew 0, because 2 and 2" in said.err
        labels = {number: action["label"] for number, action in actions_of(judged).items() if action["label"]}
        assert labels == {1: "0", 2: "1", 3: "1"}
        flagged = judged("audit", "flags", "--json").json["flags"]
        assert sorted(label["action_id"] for label in flagged) == [2, 3]

    def test_undo_and_quit(self, judged: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        """`undo` or `b` withdraws the label before and asks again, an unknown key asks again, `q` leaves."""
        self.answer(monkeypatch, "1\nx\nundo\n0\nb\nq\n")
        said = judged("audit", "next", "--order", "unaudited", "--slice", "0")
        assert said.code == 0
        assert "withdrew 1" in said.err
        assert "withdrew 0" in said.err
        assert said.out.count("action 1, to judge") == 3
        assert all(action["label"] is None for action in actions_of(judged).values())

    def test_guidelines_by_the_key_of_the_app(self, judged: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        """`t`; `g`, which it was before, does the same."""
        self.answer(monkeypatch, "t\ng\nq\n")
        said = judged("audit", "next", "--order", "unaudited", "--slice", "0")
        assert said.err.count("Judge this step alone") == 2
        assert "t guidelines" in said.err

    def test_end_of_input_leaves(self, judged: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        """A closed stdin ends the audit."""
        self.answer(monkeypatch, "")
        assert judged("audit", "next").code == 0

    def test_begins_where_one_stopped(self, judged: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        """The step that was left without an answer comes first, whatever order is asked for."""
        self.answer(monkeypatch, "1\nq\n")
        judged("audit", "next", "--order", "unaudited", "--slice", "0")
        assert judged("owner", "stop").code == 0
        self.answer(monkeypatch, "q\n")
        said = judged("audit", "next", "--order", "random")
        assert "where you were" in said.err
        assert "action 2, to judge" in said.out

    def test_verdict_is_hidden_unless_asked_for(self, judged: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        """What the judge said is shown after the vote, before it only with --open."""
        self.answer(monkeypatch, "q\n")
        assert "Judge" not in judged("audit", "next", "--order", "unaudited", "--slice", "0").out
        self.answer(monkeypatch, "1\nq\n")
        revealed = judged("audit", "next").out
        assert revealed.index("to judge") < revealed.index("You: good.") < revealed.index("Judge reference")
        self.answer(monkeypatch, "q\n")
        assert "Judge reference" in judged("--as", "lee", "audit", "next", "--open").out

    def test_change_after_the_reveal(self, judged: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        """`c 0` is a second vote on the step before; both are in the record and the report."""
        self.answer(monkeypatch, "1\nc 0 it misled me\nq\n")
        judged("audit", "next", "--order", "unaudited", "--slice", "0")
        second, first = judged("audit", "list", "--json").json["labels"]
        assert (first["value"], first["blind"], first["after_reveal"]) == ("1", True, False)
        assert (second["value"], second["blind"], second["after_reveal"]) == ("0", False, True)
        assert second["reason"] == "it misled me"
        (meter,) = judged("audit", "report", "--json").json["reveals"]
        assert (meter["reveals"], meter["turned"]) == (1, 1)

    def test_flag_and_reason_by_number(self, judged: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        """`f` marks the step at hand alone; a number is a reason of the list, which `r` reads out."""
        self.answer(monkeypatch, "r\nf\n0 1\n1\nq\n")
        said = judged("audit", "next", "--order", "unaudited", "--slice", "0")
        assert "1: wrong arithmetic" in said.err
        second, first = judged("audit", "list", "--json").json["labels"]
        assert (first["reason"], first["flagged"], second["flagged"]) == ("wrong arithmetic", True, False)
        assert [flag["action_id"] for flag in judged("audit", "flags", "--json").json["flags"]] == [1]

    def test_change_keeps_flags(self, judged: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        """That of the step before, and the one that waits for the vote on this step; a skip is no change."""
        self.answer(monkeypatch, "f\n0\nf\nc 1\nc s\n1\nc 0\nq\n")
        said = judged("audit", "next", "--order", "unaudited", "--slice", "0")
        assert said.err.count("c takes the new vote") == 1
        labels = reversed(judged("audit", "list", "--json").json["labels"])
        found = [(label["value"], label["flagged"]) for label in labels]
        assert found == [("0", True), ("1", True), ("1", True), ("0", True)]

    def test_json_and_set_by_draw(self, judged: Call) -> None:
        """For scripts: the next step as JSON, the same until it is answered, and the vote by its draw."""
        item = judged("audit", "next", "--json").json["next"]
        assert item["detail"]["verdicts"] == []
        assert judged("audit", "next", "--json").json["next"]["draw_id"] == item["draw_id"]
        number = item["detail"]["action"]["action_id"]
        wrong = judged("audit", "set", number + 1, "1", "--draw", item["draw_id"])
        assert (wrong.code, f"is of action {number}" in wrong.err) == (3, True)
        said = judged("audit", "set", number, "1", "--draw", item["draw_id"], "--json")
        assert (said.json["label"]["blind"], said.json["label"]["draw_id"]) == (True, item["draw_id"])
        assert judged("audit", "next", "--json").json["next"]["draw_id"] != item["draw_id"]

    def test_plain_lines(self, judged: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        """No box drawing and no escape reaches a screen reader."""
        self.answer(monkeypatch, "1\n0\nq\n")
        said = judged("audit", "next")
        assert "\x1b" not in said.out + said.err
        assert not any(0x2500 <= ord(letter) < 0x25A0 for letter in said.out + said.err)

    def test_nothing_judged(self, sampled: Call) -> None:
        """Without verdicts there is nothing to ask about."""
        assert sampled("audit", "next", "--json").json == {
            "next": None,
            "why": "no step there has a verdict yet; `bswirl judge` makes some",
        }


class TestTokens:
    def test_a_line_a_token(self, on: Call, project: Project, tmp_path: Path) -> None:
        """The newest sample first, why one has none, and JSON with all that is known."""
        with connect(project) as client:
            content.fill(client)
            content.sampled_tokens(client, tmp_path / "run")
            wild = next(action for action in client.tree("shop:q00").actions if "[/foo]" in action.text)
        said = on("audit", "show", 1, "--tokens").out
        assert "run 2, step 1, branch 2, fresh:\nIts tokens are not stored: an earlier version" in said
        assert '15 tokens, sum -10.490, mean -0.699\n   1    -0.010 99.0%  "Step"\n' in said
        assert '  12    -4.900  0.7%  "6"\n' in said
        assert '  15    -0.010 99.0%  "⏎"\n' in said
        assert said.count("it was imported") == 2
        assert "tokens" not in on("audit", "show", 1).out
        samples = on("audit", "show", 1, "--tokens", "--json").json["tokens"]
        assert [sample["branch_id"] for sample in samples] == [2, 1, 0, 0, 0]
        assert samples[0]["tokens"] is None
        assert "earlier version" in samples[0]["why"]
        assert samples[1]["tokens"] == [{"text": "Step 1: There are 2*3=6 pens.", "logprob": -9.25}]
        assert "".join(token["text"] for token in samples[2]["tokens"]) == content.FIRST + "\n"
        hostile = on("audit", "show", wild.action_id, "--tokens")
        assert not any(sign in hostile.out for sign in "\x1b\x07\u202e\u200b")
        (sample,) = on("audit", "show", wild.action_id, "--tokens", "--json").json["tokens"]
        spelled = b"".join(
            bytes(token["bytes"]) if token["text"] is None else token["text"].encode()
            for token in sample["tokens"]
        )
        assert spelled.decode() == wild.text + "<|im_end|>"


class TestConflicts:
    """`bswirl audit conflicts` and `adjudicate`."""

    def test_listed_until_adjudicated(self, judged: Call) -> None:
        """With both words and the judge's; the decision stands over them."""
        judged("--as", "kim", "audit", "set", 1, "0", "--reason", "sum")
        judged("--as", "lee", "audit", "set", 1, "1")
        (conflict,) = judged("audit", "conflicts", "--json").json["conflicts"]
        assert [(vote["auditor"], vote["value"]) for vote in conflict["votes"]] == [
            ("kim", "0"),
            ("lee", "1"),
        ]
        assert "kim 0 (sum), lee 1" in judged("audit", "conflicts").out
        assert "adjudicated 0; reward 0" in judged("--as", "max", "audit", "adjudicate", 1, "0").err
        said = [line.split() for line in judged("audit", "show", 1).out.splitlines() if "label by" in line]
        assert [words[2:] for words in said] == [
            ["max", "0", "(adjudicates)"],
            ["lee", "1"],
            ["kim", "0", "sum"],
        ]
        assert judged("audit", "conflicts", "--json").json == {"conflicts": []}
        assert actions_of(judged)[1]["reward"] == 0.0


class TestReport:
    """`bswirl audit report`."""

    @pytest.fixture
    def audited(self, judged: Call, monkeypatch: pytest.MonkeyPatch) -> Call:
        """The four steps drawn at random and labelled against the judge's 1, 0, 1, 0: good but for one."""
        for _ in range(4):
            item = judged("audit", "next", "--repeats", "0", "--json").json["next"]
            number = item["detail"]["action"]["action_id"]
            judged("audit", "set", number, "0" if number == 2 else "1", "--draw", item["draw_id"])
        return judged

    def test_json(self, audited: Call) -> None:
        """Rates, cells, what is still needed, and the effect on rewards and groups."""
        report = audited("audit", "report", "--json").json
        whole, *judges = report["rows"]
        assert (whole["judge"], [row["judge"] for row in judges]) == ("in force", ["reference"])
        rates = whole["random"]
        assert (rates["n"], rates["accuracy"]["value"]) == (4, 0.75)
        assert (rates["tpr"]["value"], rates["tnr"]["value"]) == (pytest.approx(2 / 3), 1.0)
        assert rates["kappa"]["value"] == pytest.approx(0.5)
        assert rates["more_accuracy"] > 300
        assert whole["cells"] == {
            "judge1-human1": 2,
            "judge1-human0": 0,
            "judge0-human1": 1,
            "judge0-human0": 1,
        }
        assert report["drawn"]["decided"] == report["drawn"]["drawn"] == 4
        effect = report["effect"]
        assert (effect["overruled"], effect["live_before"] - effect["live_after"], effect["died"]) == (
            1,
            1,
            1,
        )

    def test_words_and_markdown(self, audited: Call) -> None:
        """The same as text, and as tables of Markdown; the method stands with both."""
        text = audited("audit", "report")
        assert "75.0 (" in text.out
        assert "questions as clusters" in text.err
        markdown = audited("audit", "report", "--markdown", "--by", "depth").out
        assert "## Judges against people, from the random draws" in markdown
        assert "| in force |  |  | 2 | 2 |" in markdown
        assert "questions as clusters" in markdown

    def test_by_prompt_names_the_version(self, audited: Call) -> None:
        """Model and prompt stand in the row."""
        row = audited("audit", "report", "--by", "prompt", "--judge", "reference", "--json").json["rows"][1]
        assert (row["model"], len(row["prompt_sha"])) == ("rules", 64)

    def test_items_of_a_cell(self, audited: Call) -> None:
        """The one step that the judge alone calls bad."""
        cell = audited("audit", "report", "--cell", "judge0-human1", "--json").json
        assert [item["action_id"] for item in cell["items"]] == [4]
        assert "Together 48-24=24" in audited("audit", "report", "--cell", "judge0-human1").out

    def test_wrong_words(self, audited: Call) -> None:
        """Unknown judges and cells name the known ones."""
        said = audited("audit", "report", "--judge", "nobody")
        assert (said.code, "known judges" in said.err) == (3, True)
        said = audited("audit", "report", "--cell", "x")
        assert (said.code, "judge1-human0" in said.err) == (2, True)
        assert audited("audit", "report", "--json", "--markdown").code == 2

    def test_without_random_draws_it_says_so(self, judged: Call) -> None:
        """Labels that were set by number make no rates."""
        judged("audit", "set", 1, "1")
        said = judged("audit", "report")
        assert "no random draw is labelled yet" in said.err
        assert said.code == 0
