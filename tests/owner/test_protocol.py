"""The socket's manners: hello, errors, uploads, streams, events."""

from __future__ import annotations

import json
import socket
import stat
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from bswirl.errors import BswirlError, InputError, UsageError
from bswirl.owner.events import INTERVAL_SECONDS
from bswirl.project import Project
from tests.owner.kit import Wire, append, wait_for, worker_of
from tests.store.kit import branches, trajectory, verdict

JSON_END = {"t": "end", "status": "done", "error": None, "exit_code": 0, "summary": {"n": 1}}


class TestHello:
    def test_another_protocol_is_told_what_to_do(self, wire: Wire, project: Project) -> None:
        """The error names both versions and the remedy."""
        with (
            Wire(project, hello=False) as other,
            pytest.raises(BswirlError, match=r"protocol 1 .*this client 99 .bswirl 9.9.*bswirl owner stop"),
        ):
            other.call("hello", protocol=99, version="9.9", auditor=None)

    def test_it_must_come_first(self, wire: Wire, project: Project) -> None:
        """Nothing is answered before, and the connection stays usable."""
        with Wire(project, hello=False) as other:
            with pytest.raises(UsageError, match="first request must be `hello`"):
                other.call("stats")
            with pytest.raises(UsageError, match="hello"):
                other.upload("import_questions", [[]])

    def test_it_tells_who_answers(self, wire: Wire, project: Project) -> None:
        """The owner's pid and project."""
        pid = wire.call("ping")["pid"]
        with Wire(project, hello=False) as other:
            told = other.call("hello", protocol=1, version="0", auditor="x")
        assert (told["pid"], told["project"]) == (pid, str(project.root))


class TestErrors:
    def test_bad_requests_leave_the_connection_alive(self, wire: Wire) -> None:
        """Unknown methods, broken JSON and wrong types are each answered by one error."""
        with pytest.raises(UsageError, match="no method `fly`"):
            wire.call("fly")
        for line in (b"not json\n", b"[]\n", b'{"id":5,"method":"tree","params":[]}\n', b"\xff\n", b"\n"):
            wire.lines.send_bytes(line)
            with pytest.raises(UsageError, match="cannot use this request"):
                wire.answer()
        with pytest.raises(UsageError, match="`action_id` is no whole number"):
            wire.call("action", action_id="1; DROP TABLE labels")
        with pytest.raises(UsageError, match="`action_id` is no whole number"):
            wire.call("action", action_id=2**70)
        with pytest.raises(InputError, match="no action 5"):
            wire.call("action", action_id=5)
        with pytest.raises(InputError, match="no question `gsm8k:0`"):
            wire.call("tree", question="gsm8k:0")
        with pytest.raises(InputError, match="no run 9"):
            wire.call("run", run_id=9)
        with pytest.raises(UsageError, match="no filter for judge runs"):
            wire.stream("select", kind="judge", judge="reference", colour="red")
        assert wire.call("stats")["questions"] == 0

    def test_an_endless_line_is_cut_off(self, wire: Wire, project: Project) -> None:
        """64 MB without a line end: told so, disconnected; others are served."""
        with Wire(project) as other:
            block = b"x" * (1 << 20)
            try:
                for _ in range(66):
                    other.raw.sendall(block)
                with pytest.raises((UsageError, ConnectionError), match=r"longer than 64 MB|closed|reset"):
                    other.answer()
            except (BrokenPipeError, ConnectionResetError):
                pass
        assert wire.call("ping")

    def test_an_unexpected_failure_goes_to_the_log(self, wire: Wire, project: Project) -> None:
        """The client gets one line that names the log, the log the traceback, and the connection lives on."""
        project.run_folder(1).write_text("in the way")
        with pytest.raises(BswirlError, match=r"owner failed at this.*owner.log"):
            wire.register(project)
        assert "Traceback" in project.owner_log.read_text()
        project.run_folder(1).unlink()
        assert wire.call("runs")[0]["status"] == "queued"

    def test_the_socket_is_private(self, wire: Wire, project: Project) -> None:
        """Mode 0600 in a folder of mode 0700."""
        path = Path(project.socket_record.read_text().strip())
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


class TestWork:
    def test_a_project_from_questions_to_labels(self, wire: Wire, project: Project) -> None:
        """Import, generate, judge, label: each method gives what the protocol says."""
        wire.questions(3)
        run = wire.register(project)
        assert (run["run_id"], run["status"], run["folder"]) == (1, "queued", str(project.run_folder(1)))
        config = json.loads((project.run_folder(1) / "config.json").read_text())
        assert (config["run_id"], config["run_uid"], config["kind"]) == (1, run["run_uid"], "generate")
        with worker_of(run["folder"]):
            append(
                run["folder"],
                {"t": "start", "attempt": 1, "pid": 1, "host": "h"},
                trajectory(1, 0, "a", "Answer: 24"),
                branches(1, 0, 1, "b"),
                JSON_END,
            )
            wait_for(lambda: wire.call("run", run_id=1)["status"] == "done")
        tree = wire.call("tree", question="toy:q1")
        first = tree["actions"][0]
        judge_run = wire.register(project, "judge")
        with worker_of(judge_run["folder"]):
            append(judge_run["folder"], *(verdict(a["action_id"], 1.0) for a in tree["actions"]), JSON_END)
            wait_for(lambda: wire.call("run", run_id=2)["status"] == "done")
        label = wire.call("label_set", client_uid=str(uuid.uuid4()), action_id=first["action_id"], value="0")
        assert (label["auditor"], label["value"], label["label_id"]) == ("ann", "0", 1)
        detail = wire.call("action", action_id=first["action_id"])
        assert (detail["action"]["reward"], detail["action"]["source"]) == (0.0, "human")
        assert detail["action"]["advantage"] == -0.5
        stats = wire.call("stats")
        assert {
            name: stats[name]
            for name in ("questions", "actions", "judged", "unjudged", "labels", "live_groups")
        } == {
            "questions": 3,
            "actions": 3,
            "judged": 3,
            "unjudged": 0,
            "labels": 1,
            "live_groups": 1,
        }
        assert stats["runs"] == {"generate": 1, "judge": 1, "train": 0, "evaluate": 0, "import": 0}
        page = wire.call("questions", filter="live")
        assert (page["total"], page["rows"][0]["mean_reward"]) == (1, pytest.approx(2 / 3))
        assert wire.call("questions", search="TOY:q2")["total"] == 1
        rows, result = wire.stream("export_samples")
        assert (len(rows), result) == (3, {"rows": 3})
        rows, result = wire.stream("select", kind="train", dataset="toy", probe_fraction=0.5)
        assert (len(rows), result["rows"]) == (1, 1)
        assert rows[0]["tree"]["question"]["external_id"] == "q1"
        assert wire.call("label_undo", client_uid=str(uuid.uuid4()))["label_id"] == 1
        assert wire.call("label_undo", client_uid=str(uuid.uuid4())) is None
        assert [judge["name"] for judge in wire.call("judges")] == ["reference"]
        assert wire.call("judge_rank", name="reference", rank=None)[0]["rank"] is None
        assert wire.call("stats")["judged"] == 0
        assert wire.call("rebuild_statistics") == {"questions": 3}
        assert [row["run_id"] for row in wire.call("runs")] == [2, 1]

    def test_registering_again_is_the_same_run(self, wire: Wire, project: Project) -> None:
        """A retry after a lost reply makes no second run."""
        run = wire.register(project)
        again = wire.call(
            "run_register", run_uid=run["run_uid"], kind="generate", name="x", config={}, input_sha=""
        )
        assert again["run_id"] == run["run_id"]
        assert len(wire.call("runs")) == 1

    def test_uploads_in_parts_are_one(self, wire: Wire) -> None:
        """Parts of another request are dropped, parts of this one joined in order."""
        rows = [
            {
                "dataset": "d",
                "split": "test",
                "external_id": str(n),
                "text": "t" * 1000,
                "gold": None,
                "solution": None,
            }
            for n in range(5000)
        ]
        wire.lines.send({"id": 999, "rows": [{"dataset": "stray"}]})
        parts = [rows[start : start + 700] for start in range(0, 5000, 700)]
        assert wire.upload("import_questions", parts) == {"new": 5000, "known": 0, "changed": []}
        assert wire.upload("import_questions", parts)["known"] == 5000
        assert wire.call("datasets") == [{"dataset": "d", "split": "test", "questions": 5000}]
        assert wire.upload("import_questions", []) == {"new": 0, "known": 0, "changed": []}
        rows, result = wire.stream("select", kind="generate")
        assert (len(rows), rows[4999]["external_id"], result["rows"]) == (5000, "4999", 5000)

    def test_a_broken_upload_is_refused(self, wire: Wire) -> None:
        """One clear error, also for what is no row at all."""
        for bad in (
            [1],
            [{"dataset": "d"}],
            [{"dataset": "d", "split": "dev", "external_id": "", "text": ""}],
        ):
            with pytest.raises(UsageError):
                wire.upload("import_questions", [bad])
        with pytest.raises(UsageError):
            wire.upload("import_samples", [[{"question": 5}]], name="f")
        assert wire.call("stats")["questions"] == 0

    def test_imported_samples_make_an_import_run(self, wire: Wire) -> None:
        """Counts, conflicts by line, and the run."""
        question = {
            "dataset": "d",
            "split": "train",
            "external_id": "1",
            "text": "t",
            "gold": "24",
            "solution": None,
        }
        sample = {
            "trajectory_id": "t1", "step": 1, "branch_id": 0, "is_backbone": True, "prefix": [],
            "action": "Answer: 24", "is_answer": True,
            "reward": 1.0, "judge": "x", "label": "1", "auditor": "bob", "line": 3,
        }  # fmt: skip
        row = {"question": question, "samples": [sample]}
        counts = wire.upload("import_samples", [[row], [row]], name="f.jsonl")
        assert (counts["new"], counts["known"], counts["run_id"], counts["labels"]) == (1, 1, 1, 1)
        run = wire.call("run", run_id=1)
        assert (run["status"], run["created_by"]) == ("done", "ann")
        assert wire.call("stats")["solved"] == 1
        assert wire.call("labels", auditor="bob")[0]["value"] == "1"


class TestEvents:
    def events(self, wire: Wire, seconds: float) -> list[dict[str, Any]]:
        found, deadline = [], time.monotonic() + seconds
        while time.monotonic() < deadline:
            if wire.lines.wait(0.1):
                found.append(wire.lines.receive())
        return found

    def test_changes_are_told_and_joined(self, wire: Wire, project: Project) -> None:
        """Who subscribed hears of topics, questions and runs; who did not hears nothing."""
        wire.questions(2)
        with Wire(project) as listener, Wire(project) as deaf:
            listener.call("subscribe")
            run = wire.register(project)
            with worker_of(run["folder"]):
                append(run["folder"], trajectory(2, 0, "a"))
                wait_for(lambda: wire.call("stats")["samples"] == 1)
                began = time.monotonic()
                for _ in range(30):
                    wire.call("label_set", action_id=1, value="1")
                seconds = time.monotonic() - began
            events = self.events(listener, 1.0)
            topics = {topic for event in events for topic in event["topics"]}
            assert topics >= {"runs", "questions", "labels"}
            assert {n for event in events for n in event["questions"]} == {2}
            assert {n for event in events for n in event["runs"]} == {run["run_id"]}
            labels = sum("labels" in event["topics"] for event in events)
            assert labels <= seconds / INTERVAL_SECONDS + 2
            assert self.events(deaf, 0.2) == []

    def test_a_listener_that_does_not_read_holds_nobody_up(self, wire: Wire, project: Project) -> None:
        """Its events wait with it; labels go on being acknowledged."""
        wire.questions(1)
        run = wire.register(project)
        with worker_of(run["folder"]):
            append(run["folder"], trajectory(1, 0, "a"))
            wait_for(lambda: wire.call("stats")["samples"] == 1)
        with Wire(project) as stuck:
            stuck.raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            stuck.call("subscribe")
            for _ in range(50):
                wire.call("label_set", action_id=1, value="0")
        assert wire.call("stats")["labels"] == 1
