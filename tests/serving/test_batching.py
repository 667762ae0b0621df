"""Calls in batches, against a real server with a batch API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bswirl.errors import BswirlError, CancelledError, UsageError
from bswirl.serving import gathering
from bswirl.serving.batch_api import Pace
from bswirl.serving.batching import BatchEngine, open_batch_engine
from bswirl.serving.calls import Call, CostLimitError, Failure, RefusedError, Reply
from tests.serving.batch_server import BatchServer, Line, failed_line, replied
from tests.serving.engines import KEY, Heard, asking, served, texts
from tests.serving.server import FaultServer, completion

HASTY = Pace(first=0.02, longest=0.05, settle=0.05, again=0.02, lost=1.0, tries=3)
PRICES = {"price_in": 100.0, "price_out": 100.0, "batch_discount": 0.5}


@asynccontextmanager
async def batching(
    server: FaultServer, folder: Path, heard: Heard | None = None, **more: Any
) -> AsyncIterator[BatchEngine]:
    heard = heard or Heard()
    settings = {"key": KEY, "pace": HASTY, "log": heard.lines.append, **more}
    model = served(server, **PRICES)
    async with open_batch_engine(
        model, folder=folder, on_spending=heard.spending.append, **settings
    ) as engine:
        yield engine


def ask(server: FaultServer, folder: Path, calls: list[Call], **more: Any) -> list[Reply | Failure]:
    """The outcomes in the calls' order."""
    found: dict[int, Reply | Failure] = {}

    async def main() -> None:
        async with batching(server, folder, **more) as engine:

            async def handle(index: int) -> None:
                found[index] = await engine.call(calls[index])

            await engine.run_all(range(len(calls)), handle)

    asyncio.run(main())
    return [found[index] for index in range(len(calls))]


def numbered(count: int) -> list[Call]:
    return [asking(f"call {number}") for number in range(count)]


def steps(folder: Path) -> list[str]:
    return [json.loads(line)["t"] for line in (folder / "batches.jsonl").read_text().splitlines()]


class TestBatch:
    def test_one_job_answers_all(self, tmp_path: Path) -> None:
        """Whatever the order of its lines; at the batch price; a second run is answered from the ledger."""
        heard = Heard()
        with BatchServer() as server:
            found = ask(server, tmp_path, numbered(250), heard=heard)
            assert [texts(reply) for reply in found] == [[f"reply to: call {n}"] for n in range(250)]
            assert len(server.batches.jobs) == 1
            again = ask(server, tmp_path, numbered(250))
            assert all(isinstance(reply, Reply) and reply.recorded for reply in again)
            assert set(server.batches.paid.values()) == {1}
            assert not server.requests
        first = found[0]
        assert isinstance(first, Reply)
        assert first.cost == pytest.approx(0.5 * 100 * (first.prompt_tokens + first.completion_tokens) / 1e6)
        assert heard.spending[-1]["cost"] == pytest.approx(250 * first.cost, rel=0.2)
        assert heard.spending[-1]["calls"] == 250
        assert any("125 of 250 done" in line for line in heard.lines)
        assert steps(tmp_path) == ["written", "uploaded", "created", "ended"]
        assert not list((tmp_path / "batches").iterdir())

    def test_later_calls_are_another_round(self, tmp_path: Path) -> None:
        """What is asked because of a reply goes out with all others of its kind."""

        async def main(server: BatchServer) -> None:
            async with batching(server, tmp_path) as engine:

                async def handle(number: int) -> None:
                    first = await engine.call(asking(f"call {number}"))
                    await engine.call(asking(f"then {texts(first)[0]}"))

                await engine.run_all(range(30), handle)

        with BatchServer() as server:
            asyncio.run(main(server))
            assert [len(server.batches.files[f"file-job-{n}-output"].splitlines()) for n in (0, 1)] == [
                30,
                30,
            ]
            assert len(server.batches.jobs) == 2

    def test_full_batches_go_out_at_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gathering, "MOST_LINES", 10)
        with BatchServer() as server:
            ask(server, tmp_path, numbered(25))
            counts = sorted(line for line in _counts(server))
        assert counts == [5, 10, 10]

    def test_bodies_are_those_of_single_calls(self, tmp_path: Path) -> None:
        with BatchServer() as server:
            ask(server, tmp_path, [asking("draw", n=3, seed=5, temperature=0.7, logprobs=True)])
            upload = next(body for body in server.others if body.method == "PUT").raw
        line = json.loads(upload)
        assert set(line) == {"custom_id", "body"}
        assert len(line["custom_id"]) == 64
        assert (line["body"]["n"], line["body"]["seed"], line["body"]["max_tokens"]) == (3, 5, 50)

    def test_many_items_at_a_time(self, tmp_path: Path) -> None:
        with BatchServer() as server:
            found = ask(server, tmp_path, numbered(5000))
            assert len(server.batches.jobs) == 1
        assert all(isinstance(reply, Reply) for reply in found)


def _counts(server: BatchServer) -> list[int]:
    return [
        len(server.batches.files[job["output_file_id"]].splitlines()) for job in server.batches.jobs.values()
    ]


class TestWhatGoesWrong:
    def test_lines(self, tmp_path: Path) -> None:
        """Each failed line finds its way; the others are kept."""
        body = completion(["fine"])

        def answer(asked: Line, paid: int) -> Any:
            said = {
                "call 1": failed_line(400, "moderation: refused"),
                "call 2": failed_line(400, "prompt is too long for the context length"),
                "call 3": None,
                "call 4": failed_line(500, "oops") if not seen.count("call 4") else "late",
                "call 5": replied("<html>") if not paid else "good",
                "call 6": {"error": {"message": "who knows"}} if not seen.count("call 6") else "known",
                "call 7": replied(json.dumps(body)),
            }.get(asked["messages"][-1]["content"], "usual")
            seen.append(asked["messages"][-1]["content"])
            return said

        seen: list[str] = []
        with BatchServer(answer) as server:
            server.batches.extra_output = [{"custom_id": "nobody's"}, {"custom_id": 3}, {}]
            found = ask(server, tmp_path, numbered(8))
        kinds = [
            outcome.kind if isinstance(outcome, Failure) else outcome.choices[0].text for outcome in found
        ]
        assert kinds == ["usual", "refused", "too-long", "gave-up", "late", "good", "known", "fine"]
        assert seen.count("call 3") == HASTY.tries
        assert seen.count("call 0") == seen.count("call 1") == 1

    def test_a_line_given_twice_counts_once(self, tmp_path: Path) -> None:
        model_calls = numbered(2)
        heard = Heard()
        with BatchServer() as server:
            key = model_calls[0].key(served(server))
            server.batches.extra_output = [{"custom_id": key, **replied(completion(["reply to: call 0"]))}]
            found = ask(server, tmp_path, model_calls, heard=heard)
        assert texts(found[0]) == ["reply to: call 0"]
        assert heard.spending[-1]["calls"] == 2

    def test_parameters_that_are_not_taken(self, tmp_path: Path) -> None:
        def answer(asked: Line, _: int) -> Any:
            return failed_line(400, "`seed` is not supported") if "seed" in asked else "plain"

        with BatchServer(answer) as server:
            found = ask(server, tmp_path, [asking(f"call {n}", seed=n) for n in range(3)])
            assert len(server.batches.jobs) == 2
        assert [texts(reply) for reply in found] == [["plain"]] * 3

    def test_too_few_choices_are_asked_for_singly(self, tmp_path: Path) -> None:
        heard = Heard()
        with BatchServer(lambda _body, paid: [f"choice {paid}"]) as server:
            found = ask(server, tmp_path, [asking("draw", n=3)], heard=heard)
            assert len(server.batches.jobs) == 2
        assert texts(found[0]) == ["choice 0", "choice 1", "choice 2"]
        assert heard.spending[-1]["requests"] == 3

    @pytest.mark.parametrize("fate", ["EXPIRED"])
    def test_half_a_job(self, fate: str, tmp_path: Path) -> None:
        """What it brought is kept, and only the rest is asked again."""
        with BatchServer(fates=[fate]) as server:
            found = ask(server, tmp_path, numbered(10))
            assert set(server.batches.paid.values()) == {1}
            assert len(server.batches.jobs) == 2
        assert all(isinstance(reply, Reply) for reply in found)

    @pytest.mark.parametrize(
        ("fate", "words"), [("FAILED", "the file is wrong"), ("CANCELLED", "was cancelled at the server")]
    )
    def test_a_job_that_ends_the_run(self, fate: str, words: str, tmp_path: Path) -> None:
        """The same content may go up again: its old job is not taken for the new one."""
        with BatchServer(fates=[fate]) as server:
            with pytest.raises(RefusedError, match=words):
                ask(server, tmp_path, numbered(10))
            found = ask(server, tmp_path, numbered(10))
            assert set(server.batches.paid.values()) == {1}
        assert all(isinstance(reply, Reply) for reply in found)

    def test_everything_refused(self, tmp_path: Path) -> None:
        """Ends the run, and marks no call as refused for ever."""
        with BatchServer(lambda _body, _paid: failed_line(400, "bad model settings")) as server:
            with pytest.raises(RefusedError, match="refuses every call"):
                ask(server, tmp_path, numbered(3))
            server.batches.answer = lambda _body, _paid: "now"
            assert texts(ask(server, tmp_path, numbered(3))[0]) == ["now"]

    def test_files_that_come_late_or_in_halves(self, tmp_path: Path) -> None:
        """Nothing is taken for missing that was only not there yet."""
        with BatchServer() as server:
            server.batches.cuts, server.batches.late = 2, 3
            found = ask(server, tmp_path, numbered(20))
            assert set(server.batches.paid.values()) == {1}
        assert all(isinstance(reply, Reply) for reply in found)

    def test_files_that_never_come(self, tmp_path: Path) -> None:
        """The job stays open, and a later attempt collects it."""
        with BatchServer() as server:
            server.batches.late = 100
            with pytest.raises(BswirlError, match="names no file"):
                ask(server, tmp_path, numbered(5))
            server.batches.late = 0
            ask(server, tmp_path, numbered(5))
            assert set(server.batches.paid.values()) == {1}

    def test_output_that_is_gone(self, tmp_path: Path) -> None:
        """It is asked for anew, so that the run is not stuck for ever."""
        heard = Heard()
        with BatchServer() as server:
            server.batches.gone = 1
            found = ask(server, tmp_path, numbered(5), heard=heard)
        assert all(isinstance(reply, Reply) for reply in found)
        assert any("no longer" in line for line in heard.lines)

    def test_no_batch_api(self, tmp_path: Path) -> None:
        with FaultServer() as server, pytest.raises(RefusedError, match="has no batch API"):
            ask(server, tmp_path, numbered(3))
        assert not (tmp_path / "batches.jsonl").read_bytes()

    def test_nothing_listens(self, tmp_path: Path) -> None:
        with FaultServer() as server:
            pass
        with pytest.raises(Exception, match="no server at"):
            ask(server, tmp_path, numbered(3))


class TestCosts:
    def test_a_batch_beyond_the_limit_is_not_sent(self, tmp_path: Path) -> None:
        with BatchServer() as server:
            with pytest.raises(CostLimitError, match="batch of 10 calls"):
                ask(server, tmp_path, numbered(10), cost_limit=0.05)
            assert not server.batches.uploads
            assert len(ask(server, tmp_path, numbered(10), cost_limit=1.0)) == 10

    def test_a_second_batch_waits_for_the_first(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Both at their worst are too much together; once one is known, the other fits."""
        monkeypatch.setattr(gathering, "MOST_LINES", 5)
        heard = Heard()
        with BatchServer() as server:
            ask(server, tmp_path, numbered(10), cost_limit=0.08, heard=heard)
        assert heard.spending[-1]["cost"] < 0.08

    def test_a_limit_wants_prices(self, tmp_path: Path) -> None:
        async def main() -> None:
            with FaultServer() as server:
                async with open_batch_engine(served(server), folder=tmp_path, cost_limit=1.0):
                    pass

        with pytest.raises(UsageError, match="no prices"):
            asyncio.run(main())


class TestCancelling:
    def test_the_job_goes_on(self, tmp_path: Path) -> None:
        """The log names it, and the next attempt collects it."""
        heard, stop = Heard(), False

        def check() -> None:
            if stop:
                raise CancelledError("cancelled")

        def log(text: str) -> None:
            nonlocal stop
            heard.lines.append(text)
            stop = stop or "validating" in text

        slow = Pace(first=60.0, settle=0.05)
        with BatchServer() as server:
            with pytest.raises(CancelledError):
                ask(server, tmp_path, numbered(10), check=check, log=log, pace=slow)
            assert any("goes on at the server as job job-0" in line for line in heard.lines)
            found = ask(server, tmp_path, numbered(12))
            assert set(server.batches.paid.values()) == {1}
            assert len(server.batches.jobs) == 2  # the two that are new have one of their own
        assert all(isinstance(reply, Reply) for reply in found)

    def test_handlers_that_fail_end_it(self, tmp_path: Path) -> None:
        async def main(server: BatchServer) -> None:
            async with batching(server, tmp_path) as engine:

                async def handle(number: int) -> None:
                    if number == 3:
                        raise ValueError("mine")
                    await engine.call(asking(f"call {number}"))

                await engine.run_all(range(5), handle)

        with BatchServer() as server, pytest.raises(ValueError, match="mine"):
            asyncio.run(main(server))


def test_the_key_goes_to_the_endpoint_alone(tmp_path: Path) -> None:
    """And not to its storage."""
    with BatchServer() as server:
        ask(server, tmp_path, numbered(2))
        sent = {(request.method == "PUT", request.headers.get("authorization")) for request in server.others}
    assert sent == {(False, f"Bearer {KEY}"), (True, None)}


def test_keys_stay_secret(tmp_path: Path) -> None:
    """Where the server repeats it, in a reply or an error."""
    answers: list[Callable[[], Any]] = [lambda: KEY, lambda: failed_line(400, f"not for {KEY}: moderation")]
    with BatchServer(lambda body, _: answers[int(body["messages"][-1]["content"][-1])]()) as server:
        ask(server, tmp_path, numbered(2))
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or KEY.encode() not in file.read_bytes()
