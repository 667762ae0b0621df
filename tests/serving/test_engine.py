"""The engine against a real server that misbehaves in every way it can think of."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bswirl.errors import CancelledError, UsageError
from bswirl.serving.calls import CostLimitError, Failure, RefusedError, Reply
from bswirl.serving.patience import Patience
from tests.serving.engines import HASTY, KEY, Heard, ask_all, asking, engine_for, served, texts
from tests.serving.server import (
    DROP,
    EMPTY_CHOICES,
    HALF,
    HANG,
    INVALID_JSON,
    Fault,
    FaultServer,
    Request,
    completion,
    echo,
    raw,
    redirect,
    status,
)


class TestReplies:
    """What a server says arrives as it was said."""

    async def test_choices_tokens_and_cost(self, tmp_path: Path) -> None:
        with FaultServer() as server:
            model = served(server, price_in=1.0, price_out=2.0)
            async with engine_for(model, tmp_path) as engine:
                reply = await engine.call(asking("2 + 2?", n=3))
        assert texts(reply) == ["reply to: 2 + 2?"] * 3
        assert isinstance(reply, Reply)
        assert (reply.prompt_tokens, reply.completion_tokens, reply.attempts) == (10, 12, 1)
        assert reply.cost == pytest.approx((10 * 1.0 + 12 * 2.0) / 1e6)
        assert not reply.recorded
        assert reply.latency > 0

    async def test_what_is_sent(self, tmp_path: Path) -> None:
        call = asking(
            "q",
            n=2,
            seed=7,
            top_p=0.9,
            temperature=0.3,
            stop=("\n",),
            logprobs=True,
            schema='{"type":"object"}',
        )
        with FaultServer() as server:
            async with engine_for(served(server), tmp_path) as engine:
                await engine.call(call)
            (request,) = server.requests
        assert request.headers["authorization"] == f"Bearer {KEY}"
        body = request.body
        schema = body.pop("response_format")
        assert (schema["type"], schema["json_schema"]["schema"]) == ("json_schema", {"type": "object"})
        assert body == {
            "model": "served",
            "messages": [{"role": "system", "content": "You are a test."}, {"role": "user", "content": "q"}],
            "max_tokens": 50,
            "temperature": 0.3,
            "top_p": 0.9,
            "n": 2,
            "seed": 7,
            "stop": ["\n"],
            "logprobs": True,
        }

    async def test_environment_adds_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TOGETHER_API_KEY", "sk-of-somebody-else")
        monkeypatch.setenv("TOGETHER_CUSTOM_HEADERS", "x-secret: 123456")
        monkeypatch.setenv("TOGETHER_BASE_URL", "http://127.0.0.1:9")
        with FaultServer() as server:
            async with engine_for(served(server), tmp_path, key=None) as engine:
                await engine.call(asking("q"))
            (request,) = server.requests
        assert not {"authorization", "x-secret"} & set(request.headers)
        assert "sk-of-somebody-else" not in str(request)

    async def test_goes_through_the_users_proxy(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with FaultServer() as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/v1"))
            model = replace(served(proxy), url="http://models.invalid/v1")
            async with engine_for(model, tmp_path) as engine:
                assert texts(await engine.call(asking("q"))) == ["reply to: q"]
            assert [request.path for request in proxy.requests] == [
                "http://models.invalid/v1/chat/completions"
            ]

    @pytest.mark.parametrize(
        ("url", "proxy"), [("http://[::1/v1", None), ("http://127.0.0.1:1/v1", "ftp://127.0.0.1:1")]
    )
    async def test_an_address_that_is_none(
        self, url: str, proxy: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy)
        with FaultServer() as server, pytest.raises(RefusedError, match="no connection can be made"):
            async with engine_for(replace(served(server), url=url), tmp_path):
                pass

    async def test_long_and_hostile_texts_are_kept_verbatim(self, tmp_path: Path) -> None:
        hostile = "\x1b[2J\x1b]0;gone\x07[/bold]\x00\u202e\ud800é" + "x" * 100_000
        with FaultServer(reply=lambda _: hostile) as server:
            for _ in range(2):  # the second time from the ledger
                async with engine_for(served(server), tmp_path) as engine:
                    assert texts(await engine.call(asking("q"))) == [hostile]
            assert len(server.requests) == 1

    async def test_a_lone_surrogate_can_be_asked(self, tmp_path: Path) -> None:
        with FaultServer() as server:
            async with engine_for(served(server), tmp_path) as engine:
                assert texts(await engine.call(asking("\ud800"))) == ["reply to: \ud800"]

    async def test_tokens_that_nobody_counts_are_estimated(self, tmp_path: Path) -> None:
        def reply(request: Request) -> dict[str, Any]:
            return {**completion(["four" * 10]), "usage": {"prompt_tokens": -3, "completion_tokens": "many"}}

        heard = Heard()
        with FaultServer(reply=reply) as server:
            async with engine_for(served(server, price_in=1.0), tmp_path, heard) as engine:
                got = await engine.call(asking("q"))
        assert isinstance(got, Reply)
        assert got.completion_tokens == 10
        assert got.prompt_tokens > 10
        assert got.cost > 0
        assert any("estimated" in line for line in heard.lines)
        assert json.loads((tmp_path / "calls.jsonl").read_text())["estimated"] is True


class TestFaults:
    """What goes wrong once is asked again; what goes wrong for ever fails alone."""

    @pytest.mark.parametrize(
        "fault",
        [
            status(408), status(409), status(425), status(429), status(429, headers={"retry-after": "0.01"}),
            status(500), status(502), status(503), status(529), DROP, HALF, INVALID_JSON, EMPTY_CHOICES,
            raw('{"choices": [{"index": 0}]}'), raw('{"choices": [{"message": {"content": 5}}]}'),
            raw('{"error": {"message": "overloaded"}}'), raw("[1, 2]"), raw("[" * 100_000),
            raw(b"\xff\xfe\x00"), Fault(body=b"", sent=0),
        ],
    )  # fmt: skip
    async def test_a_passing_fault(self, fault: Fault, tmp_path: Path) -> None:
        with FaultServer(faults=[fault, fault]) as server:
            async with engine_for(served(server), tmp_path) as engine:
                reply = await engine.call(asking("q"))
            assert texts(reply) == ["reply to: q"]
            assert isinstance(reply, Reply)
            assert reply.attempts == len(server.requests) == 3

    async def test_a_hang_ends_with_the_timeout(self, tmp_path: Path) -> None:
        with FaultServer(faults={0: HANG}) as server:
            started = time.monotonic()
            async with engine_for(served(server, timeout=0.3), tmp_path) as engine:
                assert texts(await engine.call(asking("q"))) == ["reply to: q"]
            assert 0.3 <= time.monotonic() - started < 2

    async def test_a_body_that_drips_ends_with_the_timeout_too(self, tmp_path: Path) -> None:
        slow = Fault(body=b"{}", headers={"content-length": "1000"}, hangs=False, sent=None)
        with FaultServer(faults={0: slow}) as server:
            async with engine_for(served(server, timeout=0.3), tmp_path) as engine:
                assert texts(await engine.call(asking("q"))) == ["reply to: q"]

    @pytest.mark.parametrize(
        ("fault", "kind", "said"),
        [
            (status(500, "boom"), "gave-up", "boom"),
            (DROP, "gave-up", "broke"),
            (HANG, "gave-up", "did not answer within 0.1 seconds"),
            (status(429, "quota of today"), "gave-up", "quota of today"),
            (INVALID_JSON, "malformed", "no JSON"),
            (EMPTY_CHOICES, "malformed", "no choices"),
            (HALF, "gave-up", "broke"),
        ],
    )
    async def test_a_lasting_fault_fails_that_call(
        self, fault: Fault, kind: str, said: str, tmp_path: Path
    ) -> None:
        def faults(request: Request) -> Fault | None:
            return fault if request.prompt == "cursed" else None

        patience = replace(HASTY, attempts=3, load_attempts=3)
        with FaultServer(faults=faults) as server:
            async with engine_for(served(server, timeout=0.1), tmp_path, patience=patience) as engine:
                outcomes = await ask_all(engine, [asking(text) for text in ("a", "cursed", "b")])
        failure = outcomes[1]
        assert isinstance(failure, Failure)
        assert (failure.kind, failure.attempts) == (kind, 3)
        assert said in failure.message
        assert [texts(outcomes[0]), texts(outcomes[2])] == [["reply to: a"], ["reply to: b"]]

    @pytest.mark.parametrize(
        "fault",
        [
            status(400, "This model's maximum context length is 4096 tokens."),
            status(400, "no", code="context_length_exceeded"),
            status(422, "`inputs` tokens + `max_new_tokens` must be <= 4097"),
            status(413, "entity too large"),
        ],
    )
    async def test_a_prompt_that_is_too_long(self, fault: Fault, tmp_path: Path) -> None:
        with FaultServer(faults=[fault]) as server:
            for _ in range(2):  # the second time it is known
                async with engine_for(served(server), tmp_path) as engine:
                    outcome = await engine.call(asking("long"))
                    assert isinstance(outcome, Failure)
                    assert outcome.kind == "too-long"
            assert len(server.requests) == 1

    async def test_a_refused_call_among_others(self, tmp_path: Path) -> None:
        def faults(request: Request) -> Fault | None:
            return status(400, "no such thing") if request.prompt == "odd" else None

        with FaultServer(faults=faults) as server:
            async with engine_for(served(server), tmp_path) as engine:
                odd, even = await ask_all(engine, [asking("odd"), asking("even")])
        assert isinstance(odd, Failure)
        assert (odd.kind, odd.attempts) == ("refused", 1)
        assert "no such thing" in odd.message
        assert texts(even) == ["reply to: even"]


class TestEnds:
    """What no call can get past ends the run with one line, before anything is spent."""

    @pytest.mark.parametrize(
        ("fault", "said", "remedy"),
        [
            (status(401, "bad key"), "the server refuses the key in $TEST_KEY", "check the key"),
            (status(403, "not yours"), "the server refuses the key in $TEST_KEY", "check the key"),
            (status(402, "no credit"), "wants to be paid", "resume"),
            (status(404, "model `served` does not exist"), "model `served` does not exist", "bswirl.toml"),
            (status(405, "no"), "says 405", "bswirl.toml"),
            (redirect("http://elsewhere.invalid/v1"), "elsewhere.invalid", "url"),
            (status(400, "unknown field `temperature`"), "refuses every call", "bswirl.toml"),
        ],
    )
    async def test_one_clear_line(self, fault: Fault, said: str, remedy: str, tmp_path: Path) -> None:
        with FaultServer(faults=lambda _: fault) as server:
            with pytest.raises(RefusedError) as caught:
                async with engine_for(served(server), tmp_path) as engine:
                    await ask_all(engine, [asking(str(index)) for index in range(100)])
            assert len(server.requests) <= 32  # what was out before the first refusals were back
        assert said in caught.value.message
        assert remedy in caught.value.remedy
        assert "\n" not in str(caught.value)

    async def test_a_key_is_wanted_and_none_is_named(self, tmp_path: Path) -> None:
        with FaultServer(faults=lambda _: status(401)) as server:
            model = served(server, key_variable=None)
            with pytest.raises(RefusedError, match=r"wants a key.*\[endpoints.test\]"):
                async with engine_for(model, tmp_path, key=None) as engine:
                    await engine.call(asking("q"))

    async def test_a_redirect_does_not_get_the_key(self, tmp_path: Path) -> None:
        with FaultServer() as thief:
            there = redirect(f"{thief.url}/chat/completions")
            with FaultServer(faults=[there]) as server, pytest.raises(RefusedError, match="sends us on to"):
                async with engine_for(served(server), tmp_path) as engine:
                    await engine.call(asking("q"))
            assert not thief.requests
            assert not thief.others

    async def test_nothing_listens(self, tmp_path: Path) -> None:
        with FaultServer() as server:
            model = served(server)
        with pytest.raises(RefusedError) as caught:
            async with engine_for(model, tmp_path) as engine:
                await ask_all(engine, [asking("a"), asking("b")])
        assert caught.value.message.startswith(f"no server at {model.url}: Connection refused")
        assert "start the server" in caught.value.remedy

    async def test_a_server_that_comes_back(self, tmp_path: Path) -> None:
        with FaultServer() as server:
            model, port = served(server), server.port
        patience = replace(HASTY, unreached=5.0)
        async with engine_for(model, tmp_path, patience=patience) as engine:
            waiting = asyncio.create_task(engine.call(asking("q")))
            await asyncio.sleep(0.1)
            assert not waiting.done()
            with FaultServer(port=port):
                assert texts(await waiting) == ["reply to: q"]

    async def test_a_server_that_has_no_room_for_ever(self, tmp_path: Path) -> None:
        patience = Patience(hopeless=0.2, load_attempts=1000)
        busy = status(429, headers={"retry-after": "0.02"})
        with FaultServer(faults=lambda _: busy) as server, pytest.raises(RefusedError, match="had no room"):
            async with engine_for(served(server), tmp_path, patience=patience) as engine:
                await ask_all(engine, [asking(str(index)) for index in range(40)])

    async def test_a_refusal_ends_calls_under_way_and_waiting(self, tmp_path: Path) -> None:
        """The key is withdrawn in the middle: what has landed is kept, and the rest is not asked."""
        with FaultServer(faults=lambda r: status(401) if r.index >= 30 else None, latency=0.01) as server:
            with pytest.raises(RefusedError):
                async with engine_for(served(server), tmp_path) as engine:
                    await ask_all(engine, [asking(str(index)) for index in range(1000)])
            assert len(server.requests) < 80
            assert len((tmp_path / "calls.jsonl").read_text().splitlines()) == 30


class TestWhatServersLack:
    """Parameters that a server rejects are left out, and told of once."""

    @pytest.mark.parametrize(
        ("said", "name", "settings"),
        [
            ("Unexpected keys in the request: {'seed'}", "seed", {"seed": 3}),
            ("logprobs is not supported with this model", "logprobs", {"logprobs": True}),
            ("response_format: json_schema is not available", "response_format", {"schema": "{}"}),
            ("top_p must be 1", "top_p", {"top_p": 0.5}),
            ("Unsupported parameter: use 'max_completion_tokens'", "max_tokens", {}),
        ],
    )
    async def test_is_left_out(self, said: str, name: str, settings: dict[str, Any], tmp_path: Path) -> None:
        def faults(request: Request) -> Fault | None:
            return status(400, said) if name in request.body else None

        heard = Heard()
        with FaultServer(faults=faults) as server:
            async with engine_for(served(server, in_flight=2), tmp_path, heard) as engine:
                calls = [asking(str(index), **settings) for index in range(20)]
                outcomes = await ask_all(engine, calls)
            assert [texts(outcome) for outcome in outcomes] == [[f"reply to: {i}"] for i in range(20)]
            assert sum(name in request.body for request in server.requests) <= 2
        assert sum("from now on" in line for line in heard.lines) == 1

    @pytest.mark.parametrize("is_refused", [True, False])
    async def test_one_choice_at_a_time(self, is_refused: bool, tmp_path: Path) -> None:
        """A server without `n` is asked singly; the choices it did give are not paid again."""

        def reply(request: Request) -> Fault | list[str]:
            if is_refused and request.n > 1:
                return status(422, "`n` must be 1")
            return [f"{request.prompt} {request.body.get('seed')}"]

        calls = [asking(str(index), n=3, seed=5) for index in range(10)]
        with FaultServer(reply=reply) as server:
            async with engine_for(served(server, in_flight=1), tmp_path) as engine:
                first = await ask_all(engine, calls)
            said = [texts(outcome) for outcome in first]
            assert [len(set(found)) for found in said] == [3] * 10  # seeds of their own
            assert sum(request.n > 1 for request in server.requests) == 1
            assert len(server.completed) == 30
            async with engine_for(served(server), tmp_path) as engine:
                again = await ask_all(engine, calls)
            assert [texts(outcome) for outcome in again] == said
            assert len(server.completed) == 30
        assert all(isinstance(outcome, Reply) and outcome.recorded for outcome in again)

    async def test_more_choices_than_wanted(self, tmp_path: Path) -> None:
        with FaultServer(reply=lambda _: ["a", "b", "c"]) as server:
            async with engine_for(served(server), tmp_path) as engine:
                assert texts(await engine.call(asking("q", n=2))) == ["a", "b"]


class TestRecord:
    """No call is paid twice."""

    async def test_identical_calls_at_once_are_sent_once(self, tmp_path: Path) -> None:
        heard = Heard()
        with FaultServer(latency=0.05) as server:
            async with engine_for(served(server), tmp_path, heard) as engine:
                same = await asyncio.gather(*(engine.call(asking("same")) for _ in range(10)))
                other = await engine.call(asking("same", tag="second vote"))
            assert len(server.requests) == 2
        assert Counter(reply.recorded for reply in same if isinstance(reply, Reply)) == {False: 1, True: 9}
        assert isinstance(other, Reply)
        assert not other.recorded
        assert heard.spending[-1]["calls"] == 2
        assert heard.spending[-1]["recorded"] == 9

    async def test_who_waits_for_a_call_that_is_cancelled_asks_itself(self, tmp_path: Path) -> None:
        with FaultServer(latency=0.1) as server:
            async with engine_for(served(server), tmp_path) as engine:
                first = asyncio.create_task(engine.call(asking("q")))
                second = asyncio.create_task(engine.call(asking("q")))
                await asyncio.sleep(0.03)
                first.cancel()
                assert texts(await second) == ["reply to: q"]

    async def test_another_run_serves_where_that_is_wanted(self, tmp_path: Path) -> None:
        old, new = tmp_path / "old", tmp_path / "new"
        old.mkdir()
        new.mkdir()
        calls = [asking(str(index)) for index in range(5)]
        with FaultServer() as server:
            model = served(server, price_in=1.0)
            async with engine_for(model, old) as engine:
                before = await ask_all(engine, calls)
            heard = Heard()
            async with engine_for(model, new, heard, reuse=[old, tmp_path / "none.jsonl"]) as engine:
                after = await ask_all(engine, [*calls, asking("new")])
            assert len(server.requests) == 6
            assert after[:5] == [
                replace(reply, recorded=True, cost=0.0, latency=round(reply.latency, 3))
                for reply in before
                if isinstance(reply, Reply)
            ]
            assert heard.spending[-1]["cost"] == pytest.approx(10e-6)  # of the new one alone
            assert (heard.spending[-1]["recorded"], heard.spending[-1]["calls"]) == (5, 1)
            async with engine_for(model, new) as engine:  # it has all of them itself now
                again = await ask_all(engine, [*calls, asking("new")])
            assert [getattr(reply, "cost", None) for reply in again] == [0.0] * 5 + [pytest.approx(10e-6)]
            assert len(server.requests) == 6

    async def test_spending_counts_all_attempts_of_the_run(self, tmp_path: Path) -> None:
        with FaultServer(faults={1: status(500)}) as server:
            model = served(server, price_in=1.0, price_out=1.0)
            for part in (range(3), range(5)):
                heard = Heard()
                async with engine_for(model, tmp_path, heard) as engine:
                    await ask_all(engine, [asking(str(index)) for index in part])
        last = heard.spending[-1]
        assert (last["t"], last["calls"], last["requests"], last["failures"]) == ("spending", 5, 6, 0)
        assert (last["prompt_tokens"], last["in_flight"], last["recorded"]) == (50, 0, 3)
        assert last["cost"] == pytest.approx((last["prompt_tokens"] + last["completion_tokens"]) / 1e6)


class TestCostLimit:
    """What a run may cost, it never exceeds."""

    async def test_is_never_exceeded_with_many_in_flight(self, tmp_path: Path) -> None:
        """The server bills all that it answers, also what arrives broken."""
        billed = 0

        def reply(request: Request) -> dict[str, Any] | Fault:
            nonlocal billed
            billed += 10 + 50
            if request.index % 7 == 3:
                return HALF
            if request.index % 11 == 5:
                body = completion([], prompt_tokens=10, completion_tokens=50)
                return raw(json.dumps(body))
            return completion(["x"], prompt_tokens=10, completion_tokens=50)

        limit = 0.02
        with FaultServer(reply=reply, latency=0.01) as server:
            model = served(server, price_in=1.0, price_out=1.0, in_flight=64)
            heard = Heard()
            for _ in range(2):  # resuming does not begin anew
                with pytest.raises(CostLimitError, match="limit of"):
                    async with engine_for(model, tmp_path, heard, cost_limit=limit) as engine:
                        await ask_all(engine, [asking(str(index)) for index in range(1000)])
                assert billed / 1e6 <= limit
        assert billed / 1e6 > 0.6 * limit  # it was used, not left
        assert heard.spending[-1]["cost"] + heard.spending[-1]["uncertain"] <= limit

    async def test_needs_prices(self, tmp_path: Path) -> None:
        with FaultServer() as server, pytest.raises(UsageError, match="has no prices"):
            async with engine_for(served(server), tmp_path, cost_limit=1.0):
                pass

    async def test_nothing_is_sent_with_a_limit_below_one_call(self, tmp_path: Path) -> None:
        with FaultServer() as server:
            model = served(server, price_in=1.0, price_out=1.0)
            with pytest.raises(CostLimitError):
                async with engine_for(model, tmp_path, cost_limit=1e-5) as engine:
                    await engine.call(asking("q"))
            assert not server.requests


class TestStopping:
    """A run can be stopped at any time, and what is under way has a moment to land."""

    async def test_cancelling(self, tmp_path: Path) -> None:
        stopped = False

        def check() -> None:
            if stopped:
                raise CancelledError("cancelled")

        with FaultServer(latency=0.3) as server:
            async with engine_for(served(server), tmp_path, check=check) as engine:
                running = asyncio.create_task(ask_all(engine, [asking(str(index)) for index in range(100)]))
                await asyncio.sleep(0.15)
                stopped = True
                started = time.monotonic()
                with pytest.raises(CancelledError):
                    await running
                assert time.monotonic() - started < 1.0
            sent = len(server.requests)
            assert sent == len(server.completed)
        assert len((tmp_path / "calls.jsonl").read_text().splitlines()) == sent  # all of them landed

    async def test_a_hanging_server_does_not_hold_it_up(self, tmp_path: Path) -> None:
        def check() -> None:
            if server.requests:
                raise CancelledError("cancelled")

        with FaultServer(faults=lambda _: HANG) as server:
            model = served(server, timeout=60.0, price_out=1.0)
            heard = Heard()
            started = time.monotonic()
            with pytest.raises(CancelledError):
                async with engine_for(model, tmp_path, heard, check=check) as engine:
                    await engine.call(asking("q"))
            assert time.monotonic() - started < 4
        assert heard.spending[-1]["uncertain"] == pytest.approx(50e-6)  # it may be charged

    async def test_the_first_exception_of_a_handler_is_raised(self, tmp_path: Path) -> None:
        begun = []

        async def handle(index: int) -> None:
            begun.append(index)
            await engine.call(asking(str(index)))
            if index == 3:
                raise ValueError("three")

        with FaultServer(latency=0.01) as server:
            async with engine_for(served(server, in_flight=4), tmp_path) as engine:
                with pytest.raises(ValueError, match="three"):
                    await engine.run_all(iter(range(10_000)), handle)
        assert len(begun) < 50

    async def test_a_full_disk_ends_the_run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import os

        write = os.write

        def full(descriptor: int, data: Any) -> int:
            if b'"choices"' in bytes(data) and len(server.completed) > 5:
                write(descriptor, bytes(data)[:20])
                raise OSError(28, "No space left on device")
            return write(descriptor, data)

        monkeypatch.setattr(os, "write", full)
        with FaultServer() as server, pytest.raises(OSError, match="No space left"):
            async with engine_for(served(server, in_flight=2), tmp_path) as engine:
                await ask_all(engine, [asking(str(index)) for index in range(50)])
        for line in (tmp_path / "calls.jsonl").read_text().splitlines():
            json.loads(line)


class TestKey:
    """The key stays with the person who holds it."""

    @pytest.mark.parametrize(
        "fault",
        [status(401, f"key {KEY} is wrong"), status(400, f"{KEY}"), redirect(f"http://x.invalid/{KEY}")],
    )
    async def test_is_nowhere(self, fault: Fault, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("DEBUG")
        heard, said = Heard(), []

        def faults(request: Request) -> Fault | None:
            return fault if request.prompt == "cursed" else None

        def reply(request: Request) -> str:
            return f"your key is {request.headers['authorization']}"

        with FaultServer(reply=reply, faults=faults) as server:
            async with engine_for(served(server), tmp_path, heard) as engine:
                outcome = await engine.call(asking("friendly", logprobs=True))
                said += [repr(outcome), repr(engine), repr(vars(engine))]
                try:
                    said.append(repr(await engine.call(asking("cursed"))))
                except RefusedError as error:
                    said.append(f"{error!r} {error} {error.__cause__!r} {error.__context__!r}")
        said += [*heard.lines, repr(heard.spending), caplog.text]
        assert "your key is Bearer [key]" in said[0]
        assert not [text for text in said if KEY in text]
        for path in tmp_path.rglob("*"):
            assert KEY.encode() not in path.read_bytes(), path


async def test_spending_is_told_at_most_once_a_second(tmp_path: Path) -> None:
    heard = Heard()
    with FaultServer(latency=0.1) as server:
        started = time.monotonic()
        async with engine_for(served(server, in_flight=2), tmp_path, heard) as engine:
            await ask_all(engine, [asking(str(index)) for index in range(26)])
        seconds = time.monotonic() - started
    assert 2 <= len(heard.spending) <= seconds + 2
    assert any(row["in_flight"] == 2 for row in heard.spending)


async def test_no_more_in_flight_than_the_settings_say(tmp_path: Path) -> None:
    with FaultServer(reply=echo, latency=0.02) as server:
        async with engine_for(served(server, in_flight=5), tmp_path) as engine:
            await ask_all(engine, [asking(str(index)) for index in range(50)])
        assert server.most_seen == 5


async def test_finds_what_the_server_has_room_for(tmp_path: Path) -> None:
    """The server refuses more than 10 at a time; few are refused, and all get through."""
    with FaultServer(latency=0.1, most_in_flight=10) as server:
        async with engine_for(served(server, in_flight=64), tmp_path) as engine:
            outcomes = await ask_all(engine, [asking(str(index)) for index in range(200)])
        assert all(isinstance(outcome, Reply) for outcome in outcomes)
        assert len(server.requests) - 200 < 120  # 38 of the first 48
        assert server.requests[-1].at - server.requests[0].at < 3 * 200 / 10 * 0.1
