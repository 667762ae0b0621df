"""Probing an endpoint: what it can do is found by asking, and what is wrong is said in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bswirl.serving import keys, probing
from bswirl.serving.calls import ServedModel
from bswirl.serving.keys import trust
from bswirl.serving.probing import Probe, probe
from tests.serving.server import DROP, HANG, Answer, FaultServer, Request, completion, raw, status

KEY = "planted-key-0123456789"


@pytest.fixture(autouse=True)
def own_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(keys.CONFIG_VARIABLE, str(tmp_path / "config"))
    monkeypatch.setenv("OWN_KEY", KEY)
    monkeypatch.setattr(probing, "_SECONDS", 0.3)
    monkeypatch.setattr(probing, "_MODELS_SECONDS", 0.3)
    monkeypatch.setattr(probing, "_PAUSE_SECONDS", 0.0)


def capable(request: Request) -> Answer:
    """A server that does all that is asked."""
    body: dict[str, Any] = request.body
    if "response_format" in body:
        return '{"sum": 5}'
    probs = {"content": [{"token": "7", "logprob": -0.5}]} if body.get("logprobs") else None
    text = f"{body.get('seed')}" if "seed" in body else f"draw {request.index}"
    return completion([text] * request.n, logprobs=[probs] * request.n if probs else None)


def forgetful(request: Request) -> Answer:
    """A server that takes everything, and does none of it."""
    return completion([f"draw {request.index}"])


def plain(request: Request) -> Answer:
    """A server that refuses what it does not know."""
    for name in ("n", "seed", "logprobs", "response_format"):
        if name in request.body:
            return status(400, f"Unknown parameter: '{name}'", param=name)
    return "hello"


def asked(server: FaultServer, *, model: str = "served", key: str | None = None) -> Probe:
    (found,) = probe([ServedModel("test", server.url, model, key_variable=key)])
    return found


class TestSupport:
    @pytest.mark.parametrize(("reply", "state"), [(capable, "yes"), (forgetful, "ignored"), (plain, "no")])
    def test_is_found_by_asking(self, reply: Callable[[Request], Answer], state: str) -> None:
        """What a server takes is told from what it does."""
        with FaultServer(reply) as server:
            found = asked(server)
        assert (found.problem, found.reachable, found.answers) == (None, True, True)
        assert found.supports == dict.fromkeys(("n", "seed", "logprobs", "json_schema"), state)
        assert (found.key, found.listed) == ("none", True)

    def test_costs_little(self) -> None:
        """A handful of calls with a handful of tokens."""
        with FaultServer(capable) as server:
            asked(server)
            assert len(server.requests) <= 6
            assert sum(request.body["max_tokens"] * request.n for request in server.requests) <= 60

    def test_a_server_without_a_list_of_models(self) -> None:
        """It is asked all the same; whether it lists the model is not known."""

        class Bare(FaultServer):
            def _models(self, request: Request) -> Any:
                return status(404)

        with Bare(capable) as server:
            found = asked(server)
        assert (found.answers, found.listed) == (True, None)

    @pytest.mark.parametrize("listing", ['[{"id": "served"}]', '{"data": [{"id": "served"}]}'])
    def test_lists_of_either_shape(self, listing: str) -> None:
        """Together lists its models without a frame."""

        class Listing(FaultServer):
            def _models(self, request: Request) -> Any:
                return raw(listing)

        with Listing(capable) as server:
            assert asked(server).listed is True

    @pytest.mark.parametrize("listing", ["<html>", '{"data": 3}', '[1, {}, {"id": 3}]', "[" * 5000])
    def test_lists_that_are_none(self, listing: str) -> None:
        """They say nothing."""

        class Listing(FaultServer):
            def _models(self, request: Request) -> Any:
                return raw(listing)

        with Listing(capable) as server:
            assert asked(server).listed in (None, False)

    def test_an_endpoint_that_nobody_uses_is_only_looked_at(self) -> None:
        """No model, no call."""
        with FaultServer(capable) as server:
            found = asked(server, model="")
            assert server.requests == []
        assert (found.reachable, found.problem, found.supports) == (True, None, {})


class TestProblems:
    def test_a_connection_that_breaks_once(self) -> None:
        """Is no problem of the endpoint."""
        with FaultServer(capable, faults={0: DROP, 3: status(503)}) as server:
            found = asked(server)
        assert (found.problem, set(found.supports.values())) == (None, {"yes"})

    def test_nothing_listens(self) -> None:
        """Said at once."""
        with FaultServer() as server:
            pass
        found = asked(server)
        assert not found.reachable
        assert "no server at" in (found.problem or "")

    def test_a_server_that_hangs(self) -> None:
        """It is not waited for."""
        with FaultServer(faults=lambda _: HANG) as server:
            found = asked(server)
        assert found.reachable
        assert "does not answer" in (found.problem or "")

    def test_a_model_that_is_not_there(self) -> None:
        """In the server's words."""
        with FaultServer(lambda _: status(404, "The model does not exist")) as server:
            found = asked(server, model="other")
        assert found.listed is False
        assert "The model does not exist" in (found.problem or "")

    def test_a_key_that_is_refused(self) -> None:
        """Its variable is named, the key is not, though the server repeats it."""
        with FaultServer(lambda _: status(401, f"Incorrect API key provided: {KEY}")) as server:
            trust(server.url, "OWN_KEY")
            found = asked(server, key="OWN_KEY")
        assert found.key == "refused"
        assert "$OWN_KEY" in (found.problem or "")
        assert KEY not in json.dumps(found.to_json())

    def test_a_key_that_is_wanted(self) -> None:
        """The settings name none: the remedy says where."""
        with FaultServer(lambda _: status(401, "no key")) as server:
            found = asked(server)
        assert found.key == "refused"
        assert "[endpoints.test]" in found.remedy


class TestKeys:
    def test_goes_where_the_user_said(self) -> None:
        """As a bearer token, and is found good by a call."""
        with FaultServer(capable) as server:
            trust(server.url, "OWN_KEY")
            found = asked(server, key="OWN_KEY")
            sent = {request.headers.get("authorization") for request in (*server.requests, *server.others)}
        assert sent == {f"Bearer {KEY}"}
        assert found.key == "accepted"

    def test_goes_nowhere_else(self) -> None:
        """A server that is not trusted is not asked anything."""
        with FaultServer(capable) as server:
            found = asked(server, key="OWN_KEY")
            assert (server.requests, server.others) == ([], [])
        assert found.key == "not sent"
        assert "bswirl doctor --trust test" in found.remedy

    def test_none_is_sent_where_none_is_wanted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Not even Together's, which its client would take from the environment."""
        monkeypatch.setenv("TOGETHER_API_KEY", KEY)
        with FaultServer(capable) as server:
            asked(server)
            everything = [*server.requests, *server.others]
            assert everything
            assert not any(
                KEY in str(request.headers) or "authorization" in request.headers for request in everything
            )
