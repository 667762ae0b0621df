"""Judging runs on a served judge: a real server on loopback, a real run folder, the worker's own work."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bswirl.errors import CancelledError
from bswirl.judging.served import AGAIN_TEMPERATURE
from bswirl.judging.work import run
from bswirl.records import FrozenTree
from bswirl.serving.calls import CostLimitError, RefusedError
from tests.judging.served_run import (
    SHIPPED,
    by_content,
    intermediate,
    judge_spec,
    judged_step,
    opened,
    rows,
    run_folder,
    tree,
    verdict,
)
from tests.serving.server import HANG, FaultServer, Request, completion, status

ONE = [tree(3, depth=1)]  # one step and an answer
Reply = Callable[[Request], Any]


def judged(folder: Path, reply: Reply, trees: list[FrozenTree] = ONE, **more: Any) -> tuple[Any, ...]:
    """The run's summary, its verdicts on steps, and the requests that it made."""
    settings = {name: more.pop(name) for name in ("extra_votes", "near_duplicates") if name in more}
    with FaultServer(reply, more.pop("faults", ())) as server:
        made = run_folder(folder, trees, judge_spec(server.url, **more), **settings)
        with opened(made) as context:
            summary = run(context)
    return summary, [row for row in rows(made) if row["judge"] == "mine"], server.requests


def in_turn(*replies: Any) -> Reply:
    """Those replies, one after the other."""
    left = iter(replies)
    return lambda _: next(left)


class TestVerdicts:
    def test_every_selected_action_gets_one_outcome(self, tmp_path: Path) -> None:
        """Steps by the judge, with its words and what they cost; answers by the answer check, unsent."""
        trees = [tree(number, branches=["Step 1: No."]) for number in range(1, 9)]
        summary, said, requests = judged(tmp_path / "7", by_content, trees)
        assert sorted(row["action_id"] for row in said) == sorted(intermediate(trees))
        assert all("Answer:" not in judged_step(request) for request in requests)
        for row in said:
            assert (row["status"], row["model"], row["latency_ms"] >= 0) == ("judged", "m", True)
            assert row["raw"].startswith(row["rationale"])
            assert (row["prompt_tokens"], row["completion_tokens"]) == (100, 10)
            assert row["cost"] == pytest.approx((100 * 1.0 + 10 * 2.0) / 1e6)
            assert row["votes"] == {
                "correct": [int(row["correct"]), int(not row["correct"])],
                "progress": [int(row["progress"]), int(not row["progress"])],
                "asked": 1,
            }
        assert summary["calls"] == len(said) == len(requests) == 32
        assert summary["cost"] == pytest.approx(32 * 120e-6)
        assert (summary["answers"], summary["verdicts"]) == (8, 40)
        assert summary["cost_per_live_group"] == pytest.approx(summary["cost"] / summary["live_groups"])

    def test_what_the_judge_is_asked(self, tmp_path: Path) -> None:
        """The shipped prompt, filled in, without the gold solution; the schema says how to answer."""
        trees = [tree(3, depth=3)]
        _, _, requests = judged(tmp_path / "7", by_content, trees, prompt=SHIPPED)
        asked = max(requests, key=lambda request: len(request.prompt))
        body = asked.body
        assert body["messages"][0]["role"] == "system"
        assert "What is 3 + 1?" in asked.prompt
        assert "Step 1: 3 + 0 = ?\nStep 2: 3 + 1 = ?" in asked.prompt
        assert body["temperature"] == 0.0
        assert "seed" not in body
        properties = body["response_format"]["json_schema"]["schema"]["properties"]
        assert list(properties) == ["rationale", "correct", "progress"]

    def test_the_prompt_is_journaled_once(self, tmp_path: Path) -> None:
        """For the store, where its hash alone would say little."""
        with FaultServer(by_content) as server:
            spec = judge_spec(server.url)
            made = run_folder(tmp_path / "7", ONE, spec)
            for _ in range(2):
                with opened(made) as context:
                    run(context)
        (row,) = rows(made, "prompt")
        assert row == {"t": "prompt", "sha": spec.prompt_sha, "purpose": "judge", "text": spec.prompt}

    def test_questions_come_depth_first(self, tmp_path: Path) -> None:
        """With one request at a time: the actions of a state follow each other, then what they lead to."""
        trees = [tree(1, branches=["a", "b"]), tree(2)]
        _, _, requests = judged(tmp_path / "7", by_content, trees, in_flight=1)
        states = [request.prompt.partition("J: ")[0] for request in requests]
        assert [place for place, state in enumerate(states) if state not in states[:place]] == [
            0,
            3,
            4,
            5,
            6,
            7,
        ]
        assert len(requests[4].prompt) > len(requests[3].prompt)

    def test_json_replies(self, tmp_path: Path) -> None:
        """A server that keeps to the schema."""
        reply = json.dumps({"rationale": "3 is known.", "correct": True, "progress": False})
        _, (row,), _ = judged(tmp_path / "7", lambda _: reply)
        assert (row["correct"], row["progress"], row["reward"]) == (True, False, 0.0)
        assert (row["rationale"], row["raw"]) == ("3 is known.", reply)


class TestUnreadable:
    def test_asked_again(self, tmp_path: Path) -> None:
        """Twice at most, not the same call again; what it cost is all of it."""
        reply = in_turn("Hm.", "Correct: yes", verdict(True, True))
        _, (row,), requests = judged(tmp_path / "7", reply)
        assert (row["reward"], row["votes"]["asked"]) == (1.0, 3)
        assert row["raw"] == verdict(True, True)
        assert row["prompt_tokens"] == 30
        first, *again = [request.body for request in requests]
        assert first["temperature"] == 0.0
        assert [body["temperature"] for body in again] == [AGAIN_TEMPERATURE] * 2
        assert again[0]["seed"] != again[1]["seed"]
        assert "response_format" not in again[1]

    def test_left_unjudged(self, tmp_path: Path) -> None:
        """Never a 0: no reward, the reason, and the last reply verbatim."""
        summary, (row,), requests = judged(tmp_path / "7", lambda _: "\x1b[31mCorrect: yes, or no?")
        assert (row["status"], row["reward"], row["correct"]) == ("unjudged", None, None)
        assert row["rationale"] == "No verdict could be read in 3 replies."
        assert row["raw"] == "\x1b[31mCorrect: yes, or no?"
        assert (len(requests), row["reason"]) == (3, "unreadable")
        assert summary["unjudged_reasons"] == {"unreadable": 1}
        assert (summary["judged"], summary["unjudged"]) == (1, 1)

    def test_cut_off(self, tmp_path: Path) -> None:
        """A reply that ran out of tokens is told apart."""
        summary, _, _ = judged(tmp_path / "7", lambda _: completion(["It is"], finish="length"))
        assert summary["unjudged_reasons"] == {"cut off": 1}

    def test_a_server_that_fails_one_call(self, tmp_path: Path) -> None:
        """The engine gave it up: that action stays unjudged with why, all others are judged."""
        trees = [tree(number, depth=1) for number in range(1, 13)]

        def reply(request: Request) -> Any:
            return (
                status(400, "this is not for me") if "What is 7 " in request.prompt else by_content(request)
            )

        summary, said, _ = judged(tmp_path / "7", reply, trees)
        failed = [row for row in said if row["status"] == "unjudged"]
        assert [row["action_id"] for row in failed] == [7000]
        assert "this is not for me" in failed[0]["rationale"]
        assert failed[0]["reason"] in ("refused", "gave-up", "malformed")
        assert summary["judged"] == 23


class TestVotes:
    @pytest.mark.parametrize(
        ("votes", "said", "calls", "correct", "progress"),
        [
            (3, [(1, 1), (1, 1)], 2, [2, 0], [2, 0]),
            (3, [(1, 1), (1, 0), (0, 0)], 3, [2, 1], [1, 2]),
            (5, [(1, 0), (1, 0), (1, 0)], 3, [3, 0], [0, 3]),
            (5, [(1, 1), (1, 1), (0, 1), (1, 1)], 4, [3, 1], [4, 0]),
            (5, [(1, 1), (0, 0), (1, 1), (0, 0), (0, 1)], 5, [2, 3], [3, 2]),
        ],
    )
    def test_stop_once_nothing_can_change(
        self, tmp_path: Path, votes: int, said: list[Any], calls: int, correct: list[int], progress: list[int]
    ) -> None:
        """Each of the two by its own majority; the split is kept."""
        replies = iter([verdict(bool(c), bool(p), f"Vote {i}.") for i, (c, p) in enumerate(said)])
        _, (row,), requests = judged(tmp_path / "7", lambda _: next(replies), votes=votes, in_flight=1)
        assert row["votes"] == {"correct": correct, "progress": progress, "asked": calls}
        assert (row["correct"], row["progress"]) == (correct[0] > correct[1], progress[0] > progress[1])
        assert len(requests) == len({request.content for request in requests}) == calls

    def test_the_rationale_is_a_deciding_votes(self, tmp_path: Path) -> None:
        """Of the first that says both, else of the first that says each."""
        replies = in_turn(verdict(False, True, "A"), verdict(True, True, "B"), verdict(True, True, "C"))
        _, (row,), _ = judged(tmp_path / "1", replies, votes=3, in_flight=1)
        assert (row["rationale"], row["raw"]) == ("B", verdict(True, True, "B"))
        replies = in_turn(verdict(False, True, "A"), verdict(True, False, "B"), verdict(False, False, "C"))
        _, (row,), _ = judged(tmp_path / "2", replies, votes=3, in_flight=1)
        assert (row["correct"], row["progress"], row["rationale"]) == (False, False, "C")
        replies = in_turn(verdict(True, False, "A"), verdict(True, True, "B"), verdict(False, True, "C"))
        _, (row,), _ = judged(tmp_path / "3", replies, votes=3, in_flight=1)
        assert (row["correct"], row["progress"], row["rationale"]) == (True, True, "B")

    def test_void_votes(self, tmp_path: Path) -> None:
        """A vote that no attempt made readable is none; the others decide."""

        def reply(request: Request) -> str:
            return "?" if request.body.get("seed") in (None, 1, 2) else verdict(True, True)

        _, (row,), _ = judged(tmp_path / "7", reply, votes=3)
        assert row["reward"] == 1.0
        assert row["votes"] == {"correct": [2, 0], "progress": [2, 0], "asked": 5, "void": 1}

    def test_a_tie_is_unjudged(self, tmp_path: Path) -> None:
        """Where void votes leave one."""
        replies = in_turn(verdict(True, True), verdict(False, True), "?", "?", "?")
        summary, (row,), _ = judged(tmp_path / "7", replies, votes=3, in_flight=1)
        assert (row["status"], row["rationale"]) == ("unjudged", "The votes are tied on correct.")
        assert summary["unjudged_reasons"] == {"tied votes": 1}


class TestSmartSpending:
    RIGHT, WRONG = "Step 1: 3 + 0 = 3", "Step 1: 3 + 0 = 4"

    def steps(self, *texts: str) -> list[FrozenTree]:
        return [tree(3, depth=0, branches=texts)]

    def test_near_duplicates_are_judged_once(self, tmp_path: Path) -> None:
        """The copy says whose it is, and cost nothing."""
        trees = self.steps(self.RIGHT, "**Step 1:** 3 + 0 = 3.", "Step 1: 3 + 0 = 30")
        summary, said, requests = judged(tmp_path / "7", by_content, trees, near_duplicates="once")
        first, copy, other = sorted(said, key=lambda row: row["action_id"])
        assert len(requests) == 2
        assert copy["duplicate_of"] == first["action_id"]
        assert "duplicate_of" not in other
        assert (copy["correct"], copy["progress"]) == (first["correct"], first["progress"])
        assert copy["rationale"].startswith(f"Worded like action {first['action_id']}")
        assert "cost" not in copy
        assert summary["copied"] == 1

    def test_unless_each_is_asked_for(self, tmp_path: Path) -> None:
        """Which is the default."""
        trees = self.steps(self.RIGHT, "**Step 1:** 3 + 0 = 3.")
        assert len(judged(tmp_path / "7", by_content, trees)[2]) == 2

    def test_extra_votes_where_the_reference_judge_disagrees(self, tmp_path: Path) -> None:
        """There alone, and no more than change something."""
        trees = self.steps(self.RIGHT, self.WRONG)
        _, said, requests = judged(tmp_path / "7", lambda _: verdict(True, True), trees, extra_votes=4)
        asked = Counter(map(judged_step, requests))
        assert asked == {self.RIGHT: 1, self.WRONG: 3}
        assert {row["votes"]["asked"] for row in said} == {1, 3}
        assert all(row["correct"] for row in said)

    def test_extra_votes_can_turn_it(self, tmp_path: Path) -> None:
        """And a tie that they leave stands as it was decided before."""
        replies = in_turn(verdict(True, True), verdict(False, True), verdict(False, True))
        _, (row,), _ = judged(tmp_path / "1", replies, self.steps(self.WRONG), extra_votes=2, in_flight=1)
        assert (row["correct"], row["votes"]["correct"]) == (False, [1, 2])
        replies = in_turn(verdict(True, True), verdict(False, True))
        _, (row,), _ = judged(tmp_path / "2", replies, self.steps(self.WRONG), extra_votes=1, in_flight=1)
        assert (row["correct"], row["votes"]["correct"]) == (True, [1, 1])


class TestEnds:
    def test_resuming_asks_for_nothing_twice(self, tmp_path: Path) -> None:
        """Also where verdicts were lost between ledger and journal: they are decided again for nothing."""
        trees = [tree(number) for number in range(1, 7)]
        with FaultServer(by_content) as server:
            made = run_folder(tmp_path / "7", trees, judge_spec(server.url))
            with opened(made) as context:
                whole = run(context)
            lines = made.journal_file.read_bytes().splitlines(keepends=True)
            kept = [line for place, line in enumerate(lines) if b'"verdict"' not in line or place % 3]
            made.journal_file.write_bytes(b"".join(kept))
            with opened(made) as context:
                again = run(context)
        assert len(kept) < len(lines)
        assert again == whole
        assert Counter(row["action_id"] for row in rows(made)) == Counter(
            action_id for one in trees for action_id in one.selected
        )
        assert set(server.paid().values()) == {1}

    def test_a_cost_limit_ends_it_resumably(self, tmp_path: Path) -> None:
        """What was decided is in the journal; a higher limit in the folder lets it go on."""
        trees = [tree(number, depth=1) for number in range(1, 31)]
        with FaultServer(by_content) as server:
            made = run_folder(tmp_path / "7", trees, judge_spec(server.url, in_flight=2), max_cost=2e-3)
            with opened(made) as context, pytest.raises(CostLimitError):
                run(context)
            first = [row for row in rows(made) if row["judge"] == "mine"]
            assert 0 < len(first) < 30
            assert rows(made, "spending")[-1]["cost"] <= 2e-3
            made.max_cost_file.write_text("1.0\n")
            with opened(made) as context:
                summary = run(context)
        assert summary["calls"] == 30
        assert set(server.paid().values()) == {1}

    def test_a_refused_key_ends_it_at_once(self, tmp_path: Path) -> None:
        """One clear line, nothing paid, no action unjudged for it."""
        trees = [tree(number) for number in range(1, 31)]
        with FaultServer(lambda _: status(401, "no such key")) as server:
            made = run_folder(tmp_path / "7", trees, judge_spec(server.url, in_flight=4))
            with opened(made) as context, pytest.raises(RefusedError):
                run(context)
        assert not server.completed
        assert not [row for row in rows(made) if row["judge"] == "mine"]

    def test_cancelled(self, tmp_path: Path) -> None:
        """The wish to stop is heard while the server hangs."""
        with FaultServer(faults=lambda _: HANG) as server:
            made = run_folder(tmp_path / "7", [tree(1)], judge_spec(server.url))
            with opened(made) as context:
                server.faults = lambda _: context.stop() or HANG  # type: ignore[func-returns-value]
                with pytest.raises(CancelledError):
                    run(context)

    def test_a_full_disk_stops_the_spending(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the journal takes no more verdicts, no more are asked for."""
        trees = [tree(number) for number in range(1, 200)]
        with FaultServer(by_content, latency=0.02) as server:
            made = run_folder(tmp_path / "7", trees, judge_spec(server.url, in_flight=4))
            with opened(made) as context:
                emit = context.emit

                def full(*found: Any) -> None:
                    if any(row["t"] == "verdict" for row in found):
                        raise OSError(28, "No space left on device")
                    emit(*found)

                monkeypatch.setattr(context, "emit", full)
                with pytest.raises(OSError, match="No space left"):
                    run(context)
        assert len(server.requests) < 400
