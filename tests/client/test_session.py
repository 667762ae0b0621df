"""Calls survive what happens to a connection."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bswirl import __version__
from bswirl.client import connect
from bswirl.client.session import Session
from bswirl.client.start import NoOwnerError
from bswirl.errors import BswirlError, InputError, UsageError
from bswirl.project import Project
from tests.client.scripted import Answer, ScriptedOwner

Serve = Callable[[Answer], Session]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.create(tmp_path / "p")


@pytest.fixture
def owners() -> Iterator[list[ScriptedOwner]]:
    made: list[ScriptedOwner] = []
    yield made
    for owner in made:
        owner.close()


@pytest.fixture
def serve(project: Project, owners: list[ScriptedOwner]) -> Iterator[Serve]:
    sessions: list[Session] = []

    def served(answer: Answer) -> Session:
        owners.append(ScriptedOwner(project, answer))
        sessions.append(Session(project, "ada", start=False))
        return sessions[-1]

    yield served
    for session in sessions:
        session.close()


class TestCalls:
    def test_hello_says_who_labels(self, project: Project, owners: list[ScriptedOwner], serve: Serve) -> None:
        """Protocol, version and auditor; the default auditor is the one of the settings."""
        serve(lambda talk, request, rows: talk.result(request, None))
        project.settings_file.write_text('auditor = "grace"\n')
        with connect(project, start=False) as client:
            assert client.owner["project"] == "p"
        with connect(project, auditor="ada", start=False):
            pass
        assert owners[0].hellos == [
            {"protocol": 1, "version": __version__, "auditor": name} for name in ("grace", "ada")
        ]

    def test_errors_come_as_the_kind_they_were(self, serve: Serve) -> None:
        """The owner's message and remedy reach the caller; the connection stays in use."""
        session = serve(
            lambda talk, request, rows: talk.lines.send(
                {
                    "id": request["id"],
                    "error": {"kind": request["method"], "message": "no", "remedy": "do"},
                }
            )
        )
        for kind, cls in (("input", InputError), ("usage", UsageError), ("failed", BswirlError)):
            with pytest.raises(cls) as caught:
                session.call(kind)
            assert (type(caught.value), caught.value.message, caught.value.remedy) == (cls, "no", "do")

    def test_a_broken_connection_repeats_the_call(self, serve: Serve, owners: list[ScriptedOwner]) -> None:
        """The connection breaks before the reply, and amid it: the call is made again elsewhere."""
        tries: list[int] = []

        def answer(talk: Any, request: Any, rows: Any) -> None:
            tries.append(request["id"])
            if len(tries) == 1:
                talk.lines.close()
            elif len(tries) == 2:
                talk.raw.sendall(b'{"id": 2, "resu')
                talk.lines.close()
            else:
                talk.result(request, request["params"])

        session = serve(answer)
        assert session.call("echo", n=5) == {"n": 5}
        assert len(tries) == len(owners[0].hellos) == 3

    @pytest.mark.parametrize("reply", [b"nonsense\n", b"[]\n", b'{"id": 999, "result": 1}\n'])
    def test_an_owner_that_talks_nonsense_is_given_up(self, serve: Serve, reply: bytes) -> None:
        """After a few tries one clear error, no endless loop."""
        session = serve(lambda talk, request, rows: talk.raw.sendall(reply))
        with pytest.raises(BswirlError, match="keeps going away"):
            session.call("anything")

    def test_no_owner_and_none_wanted(self, project: Project) -> None:
        """With start=False nothing is started."""
        with pytest.raises(NoOwnerError, match="no owner is running"):
            connect(project, start=False)
        assert not project.owner_log.exists()

    def test_threads_get_their_own_answers(self, serve: Serve) -> None:
        """Calls from many threads do not mix."""
        session = serve(lambda talk, request, rows: talk.result(request, request["params"]["n"]))
        wrong: list[int] = []

        def many(start: int) -> None:
            wrong.extend(n for n in range(start, start + 100) if session.call("echo", n=n) != n)

        threads = [threading.Thread(target=many, args=(1000 * i,)) for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


class TestStreams:
    def test_rows_come_in_order_and_the_result_last(self, serve: Serve) -> None:
        """Calls may be made while a stream is under way."""

        def answer(talk: Any, request: Any, rows: Any) -> None:
            if request["method"] == "rows":
                for start in range(0, 10, 4):
                    talk.lines.send({"id": request["id"], "rows": list(range(start, min(10, start + 4)))})
            talk.result(request, {"rows": 10})

        session = serve(answer)
        seen = []

        def drain() -> Iterator[int]:
            result = yield from session.stream("rows")
            seen.append(result)

        for row in drain():
            assert session.call("other") == {"rows": 10}
            seen.append(row)
        assert seen == [*range(10), {"rows": 10}]

    def test_a_break_before_the_first_row_is_repaired(self, serve: Serve) -> None:
        """Nothing was handed out: the request is repeated."""
        tries: list[int] = []

        def answer(talk: Any, request: Any, rows: Any) -> None:
            tries.append(1)
            if len(tries) == 1:
                talk.lines.close()
                return
            talk.lines.send({"id": request["id"], "rows": ["a"]})
            talk.result(request, {})

        assert list(serve(answer).stream("rows")) == ["a"]

    def test_a_break_after_a_row_is_an_error(self, serve: Serve) -> None:
        """Half a stream is never taken for a whole one."""

        def answer(talk: Any, request: Any, rows: Any) -> None:
            talk.lines.send({"id": request["id"], "rows": ["a"]})
            talk.lines.close()

        stream = serve(answer).stream("rows")
        assert next(stream) == "a"
        with pytest.raises(BswirlError, match="went away during `rows`"):
            next(stream)

    def test_an_error_ends_the_stream(self, serve: Serve) -> None:
        """The owner's error comes through."""
        error = {"kind": "input", "message": "no such dataset", "remedy": ""}
        session = serve(lambda talk, request, rows: talk.lines.send({"id": request["id"], "error": error}))
        with pytest.raises(InputError, match="no such dataset"):
            list(session.stream("rows"))


class TestUploads:
    def test_rows_go_ahead_and_are_sent_again_after_a_break(self, serve: Serve) -> None:
        """The second try carries every row once, though they came from an iterator."""
        seen: list[list[Any]] = []

        def answer(talk: Any, request: Any, rows: list[Any]) -> None:
            seen.append(list(rows))
            if len(seen) == 1:
                talk.lines.close()
            else:
                talk.result(request, {"got": len(rows), **request["params"]})

        result = serve(answer).upload("take", ({"n": n, "text": "ü\ud800"} for n in range(1201)), name="x")
        assert result == {"got": 1201, "name": "x"}
        assert seen[1] == [{"n": n, "text": "ü\ud800"} for n in range(1201)]

    def test_messages_stay_small(self, serve: Serve) -> None:
        """Large rows go in many messages, far below the limit of 64 MB."""
        session = serve(lambda talk, request, rows: talk.result(request, sum(len(row) for row in rows)))
        assert session.upload("take", ("x" * 1_000_000 for _ in range(20))) == 20_000_000

    def test_no_rows(self, serve: Serve) -> None:
        """An empty upload is a plain request."""
        session = serve(lambda talk, request, rows: talk.result(request, rows))
        assert session.upload("take", []) == []


class TestEvents:
    def test_events_go_on_after_a_break(self, serve: Serve) -> None:
        """Connected, an event, the loss, connected again: the reader knows when to read everything anew."""
        subscriptions: list[int] = []

        def answer(talk: Any, request: Any, rows: Any) -> None:
            assert request["method"] == "subscribe"
            subscriptions.append(1)
            talk.result(request, {})
            talk.lines.send({"event": "changed", "topics": ["runs"], "questions": None, "runs": [1]})
            if len(subscriptions) == 1:
                talk.lines.close()

        stop = threading.Event()
        seen = []
        for event in serve(answer).events(stop):
            seen.append(event["event"])
            if len(seen) == 5:
                stop.set()
        assert seen == ["connected", "changed", "disconnected", "connected", "changed"]

    def test_stopping_ends_them(self, serve: Serve) -> None:
        """A quiet stream ends soon after it is told to."""
        session = serve(lambda talk, request, rows: talk.result(request, {}))
        stop = threading.Event()
        events = session.events(stop)
        assert next(events) == {"event": "connected", "pid": 1, "told": {}}
        threading.Timer(0.1, stop.set).start()
        assert list(events) == []
