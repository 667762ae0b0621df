"""Generating runs on a served policy, against a real server on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from base64 import b64decode
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bswirl.errors import BswirlError, CancelledError, InputError
from bswirl.generation import work
from bswirl.policies.served_run import ServedRun
from bswirl.prompts import shipped
from bswirl.records import GrowingState, to_json
from bswirl.runs.context import RunContext
from bswirl.runs.folder import RunFolder
from bswirl.serving.calls import CostLimitError, Failure, RefusedError
from bswirl.tokens import StepTokens, readable
from tests.generation.chat import QUESTIONS, make_run, rows_of, solve, spec_for
from tests.serving.server import DROP, FaultServer, Request, completion, status

HOSTILE = "Step 1: [/red]\x1b]0;gone\x07\x00 {question} " + "ä" * 100_000


def work_on(folder: RunFolder) -> dict[str, Any]:
    with RunContext(folder) as context:
        return work.run(context)


def key_of(row: dict[str, Any]) -> tuple[int, int, int]:
    return row["question_id"], row["number"], row.get("step", 0)


class TestAWholeRun:
    def test_every_solution_and_every_state_once(self, tmp_path: Path) -> None:
        """With n choices a call, each trajectory before its branches, and the prompts' hashes."""
        with FaultServer(solve, latency=0.002) as server:
            folder = make_run(tmp_path / "1", spec_for(server))
            summary = work_on(folder)
        assert (summary["trajectories"], summary["samples"], summary["failed"]) == (16, 16 * 3 * 4, 0)
        assert 0 < summary["accuracy"] < 1
        solved: set[tuple[int, int]] = set()
        for row in rows_of(folder):
            if row["t"] == "trajectory":
                solved.add(key_of(row)[:2])
                assert row["prompt_sha"] == shipped("solution").sha
            else:
                assert key_of(row)[:2] in solved
                assert row["prompt_sha"] == shipped("step").sha
                assert [sample["branch_id"] for sample in row["samples"]] == [1, 2, 3]
        assert set(Counter(map(key_of, rows_of(folder))).values()) == {1}
        assert len(rows_of(folder)) == 16 + 16 * 3
        assert {request.n for request in server.completed} == {1, 3}
        assert len(server.completed) == 16 + 16 * 3

    def test_the_journal_says_what_it_cost_and_with_which_prompts(self, tmp_path: Path) -> None:
        """Spending in sum, and each prompt's text once, also after a resume."""
        with FaultServer(solve) as server:
            folder = make_run(tmp_path / "1", spec_for(server), branches=1, trajectories=1)
            summary = work_on(folder)
            work_on(folder)
        (*_, spent) = rows_of(folder, "spending")
        assert (spent["calls"], spent["failures"]) == (32, 0)
        assert summary["num_tokens"] == spent["completion_tokens"] > 0
        assert spent["cost"] == pytest.approx((spent["prompt_tokens"] + 2 * spent["completion_tokens"]) / 1e6)
        prompts = rows_of(folder, "prompt")
        assert {row["purpose"]: row["sha"] for row in prompts} == {
            "solution": shipped("solution").sha,
            "step": shipped("step").sha,
        }
        assert len(prompts) == 2

    def test_states_follow_their_prefix_when_there_is_enough_else_to_do(self, tmp_path: Path) -> None:
        """With one request in flight a solution's states come one behind the other, from the first on."""
        with FaultServer(solve) as server:
            spec = spec_for(server, in_flight=1)
            work_on(make_run(tmp_path / "1", spec, questions=QUESTIONS[:3], trajectories=1))
        assert server.most_seen == 1
        for question in QUESTIONS[:3]:
            asked = [request.prompt for request in branch_calls(server) if question.text in request.prompt]
            assert [prompt.rsplit("Steps so far:", 1)[1].count("Step ") for prompt in asked] == [0, 1, 2]

    def test_few_trajectories_still_fill_the_server(self, tmp_path: Path) -> None:
        """The states of one solution go out together where there is nothing else."""
        with FaultServer(solve, latency=0.05) as server:
            work_on(make_run(tmp_path / "1", spec_for(server), questions=QUESTIONS[:1], trajectories=1))
        assert server.most_seen == 3

    def test_log_probs_are_shared_out_to_steps(self, tmp_path: Path) -> None:
        """Where the tokens spell the text; a server without them gives none, and nothing breaks."""

        def spelled(request: Request) -> dict[str, Any]:
            texts = solve(request)
            probs = [
                {"content": [{"token": token, "logprob": -0.5} for token in (text[:7], text[7:])]}
                for text in texts
            ]
            return completion(texts, logprobs=probs)

        with FaultServer(spelled) as server:
            folder = make_run(tmp_path / "1", spec_for(server), trajectories=1)
            work_on(folder)
        row = next(row for row in rows_of(folder) if row["t"] == "trajectory")
        assert [step["logprob"] for step in row["steps"]] == [-1.0, -0.5, -0.5]
        assert [step["n_tokens"] for step in row["steps"]] == [2, 1, 1]
        branch = next(row for row in rows_of(folder) if row["t"] == "branches")
        assert {sample["logprob"] for sample in branch["samples"]} == {-1.0}
        with FaultServer(solve) as server:
            bare = make_run(tmp_path / "2", spec_for(server), trajectories=1)
            work_on(bare)
        figures = [step for row in rows_of(bare) for step in (row.get("steps") or row["samples"])]
        assert {step["logprob"] for step in figures} == {None}
        assert not any("tokens" in step for step in figures)

    def test_tokens_are_kept_with_their_bytes(self, tmp_path: Path) -> None:
        """A character that two tokens share, a stop token behind the text, and sums that are the tokens'."""

        def spelled(request: Request) -> dict[str, Any]:
            texts = [text.replace("=", "→") for text in solve(request)]
            return completion(texts, logprobs=[{"content": in_pairs(text)} for text in texts])

        with FaultServer(spelled) as server:
            folder = make_run(tmp_path / "1", spec_for(server), trajectories=1)
            work_on(folder)
        broken = 0
        for sample in (step for row in rows_of(folder) for step in (row.get("steps") or row["samples"])):
            tokens = StepTokens.unpack(b64decode(sample["tokens"]))
            pieces = tokens.pieces(sample["text"])
            assert b"".join(pieces) == (tokens.before + sample["text"] + tokens.after).encode()
            assert len(pieces) == sample["n_tokens"]
            assert sum(tokens.logprobs) == pytest.approx(sample["logprob"], abs=1e-5)
            broken += "‹" in "".join(map(readable, pieces))
        assert broken > 10


class TestWhatServersSay:
    def test_hostile_text_is_kept_verbatim(self, tmp_path: Path) -> None:
        """Escapes, markup, placeholders and 100 kB of it."""
        with FaultServer(lambda request: HOSTILE) as server:
            folder = make_run(tmp_path / "1", spec_for(server), questions=QUESTIONS[:1], trajectories=1)
            summary = work_on(folder)
        row, *branches = rows_of(folder)
        assert [step["text"] for step in row["steps"]] == [HOSTILE.rstrip()]
        assert {sample["text"] for sample in branches[0]["samples"]} == {HOSTILE.rstrip()}
        assert summary["samples"] == 4

    @pytest.mark.parametrize("text", ["", " \n ", "I'm sorry, but I can't help with that."])
    def test_empty_texts_and_refusals_are_unparsed_and_counted(self, tmp_path: Path, text: str) -> None:
        """As solutions and as steps; nothing is lost, and the user hears of it."""
        with FaultServer(lambda request: text if "Next" in request.prompt else solve(request)) as server:
            folder = make_run(tmp_path / "1", spec_for(server), questions=QUESTIONS[:1], trajectories=1)
            summary = work_on(folder)
        assert (summary["samples"], summary["unparsed"]) == (3, 9)
        assert {item["text"] for row in rows_of(folder, "branches") for item in row["unparsed"]} == {text}
        with FaultServer(lambda request: text) as server:
            folder = make_run(tmp_path / "2", spec_for(server), questions=QUESTIONS[:1], trajectories=1)
            assert work_on(folder)["unparsed"] == 1
        (row,) = rows_of(folder)
        assert (row["steps"], row["unparsed"]) == ([], text)

    def test_fewer_choices_than_asked_for(self, tmp_path: Path) -> None:
        """A server that knows no n is asked for each by itself, in the same run."""
        with FaultServer(lambda request: solve(request)[:1]) as server:
            folder = make_run(tmp_path / "1", spec_for(server), questions=QUESTIONS[:2], trajectories=1)
            work_on(folder)
        assert {len(row["samples"]) for row in rows_of(folder, "branches")} == {3}

    def test_a_server_that_does_not_sample_is_warned_about(self, tmp_path: Path) -> None:
        """Every group would be dead; not so at temperature 0, where that is what is asked for."""
        with FaultServer(lambda request: solve(request)[0]) as server:
            for number, temperature, warnings in ((1, 0.8, 1), (2, 0.0, 0)):
                folder = make_run(tmp_path / str(number), spec_for(server), temperature=temperature)
                work_on(folder)
                said = [row for row in rows_of(folder, "warning") if "does not sample" in row["text"]]
                assert len(said) == warnings

    def test_a_step_is_cut_out_of_a_whole_solution(self, tmp_path: Path) -> None:
        """A model that always begins at Step 1 gives alternatives of the step that is asked for."""

        def chatty(request: Request) -> list[str]:
            whole = "\n".join(reply_lines(request))
            return [f"Sure!\n\n{whole}"] * request.n

        def reply_lines(request: Request) -> list[str]:
            return ["Step 1: 1 + 2 = 3.", "Step 2: 3 + 3 = 6.", "Answer: 6"]

        with FaultServer(lambda r: chatty(r) if "Next" in r.prompt else "\n".join(reply_lines(r))) as server:
            folder = make_run(
                tmp_path / "1", spec_for(server), questions=QUESTIONS[:1], trajectories=1, branches=1
            )
            work_on(folder)
        found = {row["step"]: row["samples"][0]["text"] for row in rows_of(folder, "branches")}
        assert found == {1: "Step 1: 1 + 2 = 3.", 2: "Step 2: 3 + 3 = 6.", 3: "Answer: 6"}
        assert all("stop" in request.body for request in branch_calls(server))


class TestWhatGoesWrong:
    def test_calls_that_fail_for_good_stop_no_other(self, tmp_path: Path) -> None:
        """They are counted and said; what they would have brought is missing, and nothing else."""

        def refuse(request: Request) -> Any:
            refused = "What is 2 + 2" in request.prompt
            return status(400, "this prompt is against our policy") if refused else None

        with FaultServer(solve, faults=refuse) as server:
            folder = make_run(tmp_path / "1", spec_for(server))
            summary = work_on(folder)
        assert (summary["trajectories"], summary["failed"]) == (14, 2)
        assert any("2 calls brought nothing" in row["text"] for row in rows_of(folder, "warning"))

    def test_a_refused_key_is_one_clear_line(self, tmp_path: Path) -> None:
        with FaultServer(solve, faults=lambda request: status(401, "Incorrect API key")) as server:
            folder = make_run(tmp_path / "1", spec_for(server))
            with pytest.raises(RefusedError):
                work_on(folder)
        assert rows_of(folder) == []

    def test_the_cost_limit_holds(self, tmp_path: Path) -> None:
        """What is done is kept; with more money a resume goes on without paying twice."""
        with FaultServer(solve) as server:
            folder = make_run(tmp_path / "1", spec_for(server, in_flight=4), max_cost=0.0055)
            with pytest.raises(CostLimitError):
                work_on(folder)
            done = len(rows_of(folder))
            assert 0 < done < 64
            assert rows_of(folder, "spending")[-1]["cost"] <= 0.0055
            more = make_run(tmp_path / "2", spec_for(server, in_flight=4))
            for name in ("journal.jsonl", "calls.jsonl"):
                (more.path / name).write_bytes((folder.path / name).read_bytes())
            work_on(more)
        assert len(rows_of(more)) == 64
        assert set(server.paid().values()) == {1}

    def test_cancelling_keeps_what_is_done(self, tmp_path: Path) -> None:
        with FaultServer(solve, latency=0.02) as server:
            folder = make_run(tmp_path / "1", spec_for(server, in_flight=4))
            with RunContext(folder) as context:
                emit = context.emit

                def stop_after_some(*rows: dict[str, Any]) -> None:
                    emit(*rows)
                    if len(rows_of(folder)) >= 5:
                        context.stop()

                context.emit = stop_after_some  # type: ignore[method-assign]
                with pytest.raises(CancelledError):
                    work.run(context)
            assert 5 <= len(rows_of(folder)) < 64
            work_on(folder)
        assert len(rows_of(folder)) == 64
        assert set(server.paid().values()) == {1}

    def test_a_broken_prompt_is_named_before_anything_is_sent(self, tmp_path: Path) -> None:
        with FaultServer(solve) as server:
            spec = spec_for(server)
            spec.prompts["step"] = 'purpose = "step"\nuser = "no placeholders"'
            folder = make_run(tmp_path / "1", spec)
            spec.prompts["step"] = shipped("step").text
            with pytest.raises(InputError, match="step prompt of chat"):
                work_on(folder)
        assert server.requests == []
        spec.prompts.clear()


class TestKillAndResume:
    def test_nothing_is_lost_sampled_twice_or_paid_twice(self, tmp_path: Path) -> None:
        """Three workers killed with SIGKILL amid faults, a fourth one finishes."""

        def sometimes(request: Request) -> Any:
            return {3: status(429, headers={"retry-after": "0"}), 7: DROP, 20: status(503)}.get(
                request.index % 37
            )

        with FaultServer(solve, faults=sometimes, latency=0.01) as server:
            folder = make_run(tmp_path / "1", spec_for(server, in_flight=4))
            command = [sys.executable, "-m", "bswirl.worker", str(folder.path)]
            root = Path(__file__).parents[2]
            for rows in (5, 20, 40):
                worker = subprocess.Popen(
                    command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
                deadline = time.monotonic() + 60
                while worker.poll() is None and time.monotonic() < deadline:
                    journal = folder.journal_file
                    if journal.exists() and journal.read_text().count('"seed"') >= rows:
                        break
                    time.sleep(0.01)
                worker.send_signal(signal.SIGKILL)
                worker.wait()
            done = subprocess.run(
                command, cwd=root, capture_output=True, text=True, check=False, env=dict(os.environ)
            )
        assert done.returncode == 0, done.stderr
        assert len(rows_of(folder)) == 64
        assert set(Counter(map(key_of, rows_of(folder))).values()) == {1}
        assert sum(times - 1 for times in server.paid().values()) <= 3 * 4  # what was in flight at a kill

    def test_replies_of_another_run_are_taken_where_that_is_allowed(self, tmp_path: Path) -> None:
        """The same settings in another run cost nothing, and give the same."""
        with FaultServer(solve) as server:
            spec = spec_for(server)
            work_on(make_run(tmp_path / "1", spec))
            paid = len(server.completed)
            again = make_run(tmp_path / "2", spec, reuse=True)
            work_on(again)
            assert len(server.completed) == paid
            assert len(rows_of(again)) == 64
            work_on(make_run(tmp_path / "3", spec))
            assert len(server.completed) == 2 * paid


class TestGrowing:
    def make(self, tmp_path: Path, server: FaultServer) -> RunFolder:
        states = [
            GrowingState(question, 10 + question.question_id, ("Step 1: 1 + 2 = 3.",), "u-q1-1", more)
            for question, more in zip(QUESTIONS, (2, 1, 2, 2, 2, 1, 2, 2), strict=True)
        ]
        return RunFolder.create(
            tmp_path / "1",
            kind="generate",
            name="chat",
            run_uid="u",
            run_id=1,
            rows=[to_json(state) for state in states],
            settings={"policy": "chat", "branches": 2, "temperature": 0.8, "grow": True, "seed": 4},
            policies={"chat": spec_for(server).to_json()},
        )

    def test_each_state_gets_what_it_lacks_once(self, tmp_path: Path) -> None:
        """Cut off anywhere, a resume goes on."""
        with FaultServer(solve) as server:
            folder = self.make(tmp_path, server)
            summary = work_on(folder)
            whole = rows_of(folder)
            assert summary == {**summary, "states": 8, "samples": 14, "failed": 0}
            assert sorted(row["state_id"] for row in whole) == list(range(11, 19))
            lines = folder.journal_file.read_text().splitlines(keepends=True)
            folder.journal_file.write_text("".join(lines[: len(lines) // 2]))
            assert work_on(folder)["samples"] == 14
            assert set(server.paid().values()) == {1}
        assert sorted(map(json.dumps, rows_of(folder))) == sorted(map(json.dumps, whole))
        (row,) = (row for row in whole if row["state_id"] == 12)
        assert (row["trajectory"], row["step"], row["seed"], len(row["samples"])) == ("u-q1-1", 2, 4, 1)


class TestTheBooks:
    def books(self, tmp_path: Path, *failures: Failure) -> None:
        folder = RunFolder.create(
            tmp_path / "1", kind="generate", name="g", run_uid="u", run_id=7, rows=[], settings={}
        )
        with RunContext(folder) as context:
            run = ServedRun(context, None, None)  # type: ignore[arg-type]
            for failure in failures:
                run.failed("sums:q1, trajectory 1", failure)
            run.close_books()

    def test_calls_that_may_yet_be_answered_leave_the_run_to_be_resumed(self, tmp_path: Path) -> None:
        """The run fails at its end, which says how to go on."""
        with pytest.raises(BswirlError, match=r"2 calls brought nothing \(1 refused, 1 gave-up\)") as raised:
            self.books(tmp_path, Failure("refused", "no"), Failure("gave-up", "time-out"))
        assert "runs resume 7" in raised.value.remedy

    def test_calls_that_never_will_are_a_warning(self, tmp_path: Path) -> None:
        self.books(tmp_path, Failure("too-long", "of 4096 tokens"))
        assert "too-long" in (tmp_path / "1" / "journal.jsonl").read_text()


def in_pairs(text: str) -> list[dict[str, Any]]:
    """Tokens of two bytes each as a server lists them, and the end of its turn."""
    spelled = text.encode()
    pairs = [spelled[at : at + 2] for at in range(0, len(spelled), 2)]
    listed = [
        {
            "token": pair.decode("utf-8", "replace"),
            "bytes": list(pair),
            "logprob": -0.125 / (at + 1),
        }
        for at, pair in enumerate(pairs)
    ]
    return [*listed, {"token": "<|end|>", "bytes": list(b"<|end|>"), "logprob": -0.5}]


def branch_calls(server: FaultServer) -> list[Request]:
    return [request for request in server.requests if "Next line:" in request.prompt]
