"""A served judge outside of a run: out of order, with failures, interrupted and gone on with."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from pathlib import Path

import pytest

from bswirl.errors import BswirlError, UsageError
from bswirl.judging.catalogue import JudgeSpec
from bswirl.judging.judgement import Judgement, StepToJudge
from bswirl.judging.served_steps import ServedSteps
from bswirl.judging.stepwise import Asking
from bswirl.prompts import shipped
from bswirl.runs.locks import FileLock, this_process
from bswirl.serving.calls import CostLimitError, RefusedError, ServedModel
from tests.serving.server import Answer, FaultServer, Request, status

GOOD, BAD = "Fine.\nCorrect: yes\nProgress: yes", "No.\nCorrect: no\nProgress: yes"


IN_FLIGHT = 16
WORST = 0.0085  # dollars, more than any of these calls can cost


def steps(count: int) -> list[StepToJudge]:
    return [
        StepToJudge(f"Question {place}?", None, (), f"{place} + 1 = {place + 1}") for place in range(count)
    ]


def by_question(request: Request) -> Answer:
    """Every third step is bad."""
    number = int(request.prompt.split("Question ")[1].split("?")[0])
    return BAD if number % 3 == 0 else GOOD


def judge_at(server: FaultServer, folder: Path, *, max_cost: float | None = None) -> ServedSteps:
    prompt = shipped("judge")
    model = ServedModel("test", server.url, "m", price_in=1.0, price_out=1.0, in_flight=IN_FLIGHT)
    spec = JudgeSpec("j", "m", prompt.sha, "served", model, prompt=prompt.text, max_tokens=64)
    return ServedSteps(spec, Asking(folder, max_cost))


def twice(server: FaultServer) -> int:
    """How many calls were paid again: on a busy machine some that are under way may not land in time."""
    return sum(server.paid().values()) - len(server.paid())


def told(judge: ServedSteps, count: int) -> dict[int, Judgement]:
    with contextlib.closing(judge(steps(count))) as found:
        return dict(found)


def test_every_step_and_its_judgement(tmp_path: Path) -> None:
    """Many at a time, whatever comes first; again from the record alone, and further steps beside it."""
    folder = tmp_path / "new" / "j"
    with FaultServer(by_question, latency=0.02, most_in_flight=12) as server:
        found = told(judge_at(server, folder), 60)
        assert sorted(found) == list(range(60))
        assert all(found[place].correct is (place % 3 != 0) for place in found)
        assert server.most_seen > 4
        assert set(server.paid().values()) == {1}
        assert told(judge_at(server, folder), 60) == found
        again = judge_at(server, folder)
        told(again, 70)
        assert len(server.completed) == 70


def test_a_model_without_a_system_turn(tmp_path: Path) -> None:
    """What the prompt's system text says reaches it with the first question."""

    def moody(request: Request) -> Answer:
        if request.body["messages"][0]["role"] == "system":
            return status(400, "System role not supported")
        return by_question(request)

    with FaultServer(moody) as server:
        assert len(told(judge_at(server, tmp_path), 20)) == 20
        assert server.completed[-1].body["messages"][0]["content"].startswith("You judge one step")


def test_what_it_has_come_to(tmp_path: Path) -> None:
    """Calls and dollars over all attempts."""
    with FaultServer(by_question) as server:
        judge = judge_at(server, tmp_path)
        told(judge, 4)
        told(judge, 6)
        assert judge.asking.spending["calls"] == 6
        assert judge.asking.spending["cost"] == pytest.approx(6 * (10 + len(GOOD) // 4) * 1e-6, rel=0.1)


def test_steps_that_cannot_be_judged(tmp_path: Path) -> None:
    """A reply without a verdict leaves a step unjudged, and that is an answer."""
    with FaultServer(lambda _: "I cannot say.") as server:
        found = told(judge_at(server, tmp_path), 2)
    assert [found[place].status for place in range(2)] == ["unjudged"] * 2


def test_an_outage_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that the server left open end in an error; the next attempt asks for these alone."""
    monkeypatch.setattr(random, "uniform", lambda _low, _high: 0.0)
    ill = True

    def moody(request: Request) -> Answer:
        return status(500) if ill and "Question 2?" in request.prompt else by_question(request)

    with FaultServer(moody) as server:
        judge = judge_at(server, tmp_path)
        with pytest.raises(BswirlError, match=r"1 of 5 steps got no answer.*scripted 500"):
            told(judge, 5)
        ill = False
        assert len(told(judge, 5)) == 5
        assert set(server.paid().values()) == {1}


def test_ends_that_are_errors(tmp_path: Path) -> None:
    """A refused key, and a cost limit: what was done stays."""
    with (
        FaultServer(faults=lambda _: status(401, "bad key")) as server,
        pytest.raises(RefusedError, match="wants a key"),
    ):
        told(judge_at(server, tmp_path / "a"), 3)
    with FaultServer(by_question) as server:
        with pytest.raises(CostLimitError):
            told(judge_at(server, tmp_path / "b", max_cost=WORST), 300)
        paid = len(server.completed)
        assert 0 < paid < 300
        told(judge_at(server, tmp_path / "b"), 300)
        assert len(server.completed) == 300


def test_half_a_price_holds_no_limit(tmp_path: Path) -> None:
    """Where the other half may cost anything, a limit is refused."""
    prompt = shipped("judge")
    model = ServedModel("test", "http://127.0.0.1:9/v1", "m", price_in=1.0)
    spec = JudgeSpec("j", "m", prompt.sha, "served", model, prompt=prompt.text)
    with pytest.raises(UsageError, match="price_in and price_out"):
        told(ServedSteps(spec, Asking(tmp_path, 1.0)), 1)


def test_an_interruption_keeps_what_was_paid(tmp_path: Path) -> None:
    """Ctrl-C lets what is under way land; nothing is paid twice afterwards."""
    interrupting = [40]  # the reply at which it comes

    def reply(request: Request) -> Answer:
        if request.index in interrupting:
            interrupting.clear()
            os.kill(os.getpid(), signal.SIGINT)
        return by_question(request)

    with FaultServer(reply, latency=0.02) as server:
        with pytest.raises(KeyboardInterrupt):
            told(judge_at(server, tmp_path), 2000)
        paid = len(server.completed)
        assert 0 < paid < 2000
        assert len(told(judge_at(server, tmp_path), paid + 20)) == paid + 20
        assert twice(server) <= IN_FLIGHT


def test_left_in_the_middle(tmp_path: Path) -> None:
    """Who stops listening ends it, and what was under way serves the next time."""
    with FaultServer(by_question, latency=0.02) as server:
        found = judge_at(server, tmp_path)(steps(2000))
        next(found)
        found.close()
        assert len(server.completed) < 2000
        told(judge_at(server, tmp_path), 100)
        assert twice(server) <= IN_FLIGHT


def test_one_at_a_time(tmp_path: Path) -> None:
    """A ledger has one writer."""
    lock = FileLock(tmp_path / "lock")
    assert lock.acquire(this_process())
    with FaultServer(by_question) as server:
        with pytest.raises(BswirlError, match="asking that judge already"):
            told(judge_at(server, tmp_path), 1)
        lock.release()
        assert len(told(judge_at(server, tmp_path), 1)) == 1


def test_the_key_is_looked_for_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a step is asked about."""
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    prompt = shipped("judge")
    model = ServedModel("test", "http://127.0.0.1:9/v1", "m", key_variable="NO_SUCH_KEY")
    with pytest.raises(RefusedError, match="NO_SUCH_KEY"):
        ServedSteps(JudgeSpec("j", "m", prompt.sha, "served", model, prompt=prompt.text), Asking(tmp_path))
