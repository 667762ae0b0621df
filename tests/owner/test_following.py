"""Runs as the owner follows them: lost, back again, restarted, attached."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
import uuid
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bswirl.errors import InputError, UsageError
from bswirl.owner.tailer import Tailer, read_piece
from bswirl.owner.writer import WriterThread
from bswirl.project import Project
from bswirl.runs.folder import RunFolder
from bswirl.store.runs import find_run
from tests.owner.kit import Wire, append, kill, owner_of, start_owner, wait_for, worker_of
from tests.store.kit import kit_in, trajectory, verdict

END: dict[str, Any] = {"t": "end", "status": "done", "error": None, "exit_code": 0, "summary": {}}


def status(wire: Wire, run_id: int) -> str:
    return str(wire.call("run", run_id=run_id)["status"])


def ended_as(wire: Wire, run_id: int, wanted: str) -> bool:
    return status(wire, run_id) == wanted


class TestLost:
    def test_a_run_whose_worker_is_killed_is_lost_and_can_come_back(
        self, wire: Wire, project: Project
    ) -> None:
        """A real process holds the lock, dies by kill -9, and a second attempt goes on."""
        run = wire.register(project, "train")
        script = (
            "import sys, time; from pathlib import Path;"
            "from bswirl.runs.locks import FileLock, this_process;"
            "FileLock(Path(sys.argv[1])).acquire(this_process()); print('held', flush=True); time.sleep(60)"
        )
        worker = subprocess.Popen(
            [sys.executable, "-c", script, f"{run['folder']}/lock"], stdout=subprocess.PIPE, text=True
        )
        assert worker.stdout is not None
        worker.stdout.readline()
        append(
            run["folder"],
            {"t": "start", "attempt": 1, "pid": worker.pid, "host": "h"},
            {"t": "metrics", "step": 1, "values": {"loss": 1.0}},
            {"t": "metrics", "step": 2, "values": {"loss": 0.5}},
        )
        wait_for(lambda: status(wire, 1) == "running")
        with pytest.raises(InputError, match=f"worked on by pid {worker.pid}"):
            wire.call("run_restart", run_id=1)
        kill(worker)
        wait_for(lambda: status(wire, 1) == "lost")
        assert wire.call("run_restart", run_id=1)["status"] == "queued"
        with worker_of(run["folder"]):
            append(
                run["folder"],
                {"t": "start", "attempt": 2, "pid": 1, "host": "h"},
                {"t": "resume", "from_step": 1},
                {"t": "metrics", "step": 2, "values": {"loss": 0.4}},
                END,
            )
            wait_for(lambda: status(wire, 1) == "done")
        assert wire.call("run", run_id=1)["attempt"] == 2
        assert wire.call("metrics", run_id=1) == {"loss": [[1, 1.0], [2, 0.4]]}
        with pytest.raises(InputError, match="run 1 is done"):
            wire.call("run_restart", run_id=1)

    def test_restart_right_after_a_kill_needs_no_waiting(self, wire: Wire, project: Project) -> None:
        """The owner looks at journal and lock when asked, not at the next tick only."""
        run = wire.register(project, "train")
        with worker_of(run["folder"]):
            append(run["folder"], {"t": "start", "attempt": 1, "pid": 1, "host": "h"})
            wait_for(lambda: status(wire, 1) == "running")
        assert wire.call("run_restart", run_id=1)["status"] == "queued"

    def test_a_lost_run_that_somebody_works_on_follows_its_journal(
        self, wire: Wire, project: Project
    ) -> None:
        """As when a worker is started by hand."""
        run = wire.register(project, "train")
        with worker_of(run["folder"]):
            append(run["folder"], {"t": "start", "attempt": 1, "pid": 1, "host": "h"})
            wait_for(lambda: status(wire, 1) == "running")
        wait_for(lambda: status(wire, 1) == "lost")
        with worker_of(run["folder"]):
            append(run["folder"], {"t": "start", "attempt": 2, "pid": 2, "host": "h"})
            wait_for(lambda: status(wire, 1) == "running")
            append(run["folder"], END)
            wait_for(lambda: status(wire, 1) == "done")

    def test_an_end_that_nobody_saw_yet_is_no_loss(self, project: Project) -> None:
        """Worker and owner gone, the end row written: the next owner reads it."""
        with owner_of(project), Wire(project) as wire:
            run = wire.register(project)
        append(run["folder"], {"t": "start", "attempt": 1, "pid": 1, "host": "h"}, END)
        with owner_of(project), Wire(project) as wire:
            wait_for(lambda: status(wire, 1) == "done")

    def test_a_queued_run_has_its_grace(self, tmp_path: Path) -> None:
        """Registered and never begun: lost after the grace, not before."""
        project = Project.create(tmp_path / "p")
        with kit_in(project.root) as kit:
            run = kit.run()
            project.run_folder(run).mkdir()
            writer = WriterThread(kit.writer, lambda _: None, lambda _: None)
            writer.start()
            patient = Tailer(project, kit.cursor, writer)
            patient.catch_up(run, RunFolder(project.run_folder(run)))
            assert find_run(kit.database.cursor(), project.root, run).status == "queued"
            hasty = Tailer(project, kit.cursor, writer, queued_grace=0.0)
            hasty.catch_up(run, RunFolder(project.run_folder(run)))
            assert find_run(kit.database.cursor(), project.root, run).status == "lost"
            writer.stop()

    def test_a_run_cancelled_before_it_began_is_cancelled(self, tmp_path: Path) -> None:
        """A marker and no worker: not lost."""
        project = Project.create(tmp_path / "p")
        with kit_in(project.root) as kit:
            run = kit.run()
            folder = RunFolder(project.run_folder(run))
            folder.path.mkdir()
            folder.cancel_file.touch()
            writer = WriterThread(kit.writer, lambda _: None, lambda _: None)
            writer.start()
            Tailer(project, kit.cursor, writer, queued_grace=0.0).catch_up(run, folder)
            assert find_run(kit.database.cursor(), project.root, run).status == "cancelled"
            writer.stop()


class TestRestart:
    def test_only_what_can_be_resumed(self, wire: Wire, project: Project) -> None:
        """A failed and a cancelled run, no queued one, no import."""
        for end in ("failed", "cancelled"):
            run = wire.register(project)
            with worker_of(run["folder"]):
                append(run["folder"], {"t": "start", "attempt": 1}, {**END, "status": end, "error": "x"})
                wait_for(partial(ended_as, wire, run["run_id"], end))
            again = wire.call("run_restart", run_id=run["run_id"])
            assert (again["status"], again["error"], again["ended_at"]) == ("queued", None, None)
            with pytest.raises(InputError, match="is queued"):
                wire.call("run_restart", run_id=run["run_id"])


class TestReading:
    def test_pieces_end_with_a_line(self, tmp_path: Path) -> None:
        """Whole lines only, a long one whole, none twice."""
        journal = tmp_path / "journal.jsonl"
        lines = [
            json.dumps({"n": n, "pad": "x" * (300_000 if n == 3 else 10)}).encode() + b"\n" for n in range(9)
        ]
        journal.write_bytes(b"".join(lines) + b'{"torn"')
        offset, pieces = 0, []
        while piece := read_piece(journal, offset):
            assert piece.endswith(b"\n")
            pieces.append(piece)
            offset += len(piece)
        assert b"".join(pieces) == b"".join(lines)
        assert len(pieces) > 1
        assert read_piece(tmp_path / "none", 0) == b""


class TestRegistration:
    def test_what_a_killed_owner_left_half_done_is_finished(self, project: Project) -> None:
        """The row was there, the folder not yet named: the next owner names it."""
        with owner_of(project), Wire(project) as wire:
            run = wire.register(project)
        home = Path(run["folder"])
        home.rename(project.runs_folder / f".new-{run['run_uid']}")
        with owner_of(project):
            wait_for(home.is_dir)
        assert RunFolder(home).read_config()["run_id"] == 1

    def test_unfit_registrations_are_refused(self, wire: Wire, project: Project) -> None:
        """Paths as uids, unknown kinds, imports, nothing prepared."""

        def register(**more: Any) -> Any:
            told = {
                "run_uid": str(uuid.uuid4()),
                "kind": "train",
                "name": "n",
                "config": {},
                "input_sha": "s",
            }
            return wire.call("run_register", **{**told, **more})

        with pytest.raises(UsageError, match="no run uid"):
            register(run_uid="../../etc")
        with pytest.raises(UsageError, match="imports make their runs"):
            register(kind="import")
        with pytest.raises(InputError, match="holds no input"):
            register()
        assert wire.call("runs") == []


class TestAttach:
    def frozen(self, wire: Wire) -> list[dict[str, Any]]:
        wire.questions(3)
        return wire.stream("select", kind="generate", limit=2)[0]

    def test_a_copy_that_was_worked_on_elsewhere_comes_home(
        self, wire: Wire, project: Project, tmp_path: Path
    ) -> None:
        """Journal, log and what it saved; another attach adds nothing; other results are refused."""
        run = wire.register(project, rows=self.frozen(wire))
        away = tmp_path / "away"
        shutil.copytree(run["folder"], away)
        append(away, {"t": "start", "attempt": 1, "pid": 1, "host": "gpu"}, trajectory(1, 0, "a"), END)
        (away / "adapter").mkdir()
        (away / "adapter" / "weights").write_text("w")
        for _ in range(2):
            home = wire.call("run_attach", folder=str(away))
            assert (home["run_id"], home["status"], home["folder"]) == (1, "done", run["folder"])
            assert wire.call("stats")["samples"] == 1
        assert (Path(run["folder"]) / "adapter" / "weights").read_text() == "w"
        (away / "journal.jsonl").write_text('{"t":"start","attempt":9}\n' * 40)
        with pytest.raises(InputError, match="holds other results"):
            wire.call("run_attach", folder=str(away))

    def test_a_run_that_the_project_does_not_know(self, wire: Wire, project: Project, tmp_path: Path) -> None:
        """Copied in with its finished journal, when its questions are these."""
        away = RunFolder.create(
            tmp_path / "away", kind="generate", name="far", run_uid=str(uuid.uuid4()),
            rows=self.frozen(wire), settings={"branches": 2}, created_by="bob",
        )  # fmt: skip
        append(away.path, {"t": "start", "attempt": 1}, trajectory(2, 0, "a"), END)
        with worker_of(away.path), pytest.raises(InputError, match="being worked on"):
            wire.call("run_attach", folder=str(away.path))
        run = wire.call("run_attach", folder=str(away.path))
        assert (run["run_id"], run["status"], run["name"], run["created_by"]) == (1, "done", "far", "bob")
        assert run["config"]["settings"] == {"branches": 2}
        assert run["created_at"] == away.read_config()["created_at"]
        assert Path(run["folder"], "journal.jsonl").exists()
        assert RunFolder(Path(run["folder"])).read_config()["run_id"] == 1
        assert wire.call("run_attach", folder=run["folder"])["run_id"] == 1
        assert wire.call("stats")["samples"] == 1

    def test_runs_of_another_project_are_refused(self, wire: Wire, project: Project, tmp_path: Path) -> None:
        """Other questions, other steps, a changed input, no run folder at all; nothing is left behind."""
        rows = self.frozen(wire)
        other = [{**rows[0], "text": "another question"}]
        judged = {
            "tree": {"question": rows[0], "states": [], "actions": [{"action_id": 7, "text": "?"}]},
            "selected": [7],
        }
        foreign: list[list[dict[str, Any]]] = [other, [judged], [{"tree": 5}], [{}]]
        for number, bad in enumerate(foreign):
            away = RunFolder.create(
                tmp_path / f"away{number}",
                kind="judge",
                name="x",
                run_uid=str(uuid.uuid4()),
                rows=bad,
                settings={},
            )
            with pytest.raises(InputError, match=r"another project|not a run's input"):
                wire.call("run_attach", folder=str(away.path))
        changed = RunFolder.create(
            tmp_path / "changed", kind="judge", name="x", run_uid=str(uuid.uuid4()), rows=rows, settings={}
        )
        changed.input_file.write_text("{}\n")
        with pytest.raises(InputError, match="was changed"):
            wire.call("run_attach", folder=str(changed.path))
        for folder in (tmp_path, tmp_path / "nowhere", Path("relative")):
            with pytest.raises(InputError):
                wire.call("run_attach", folder=str(folder))
        assert wire.call("runs") == []
        assert list(project.runs_folder.iterdir()) == []

    def test_verdicts_of_an_attached_run_count(self, wire: Wire, project: Project, tmp_path: Path) -> None:
        """A judge run made elsewhere on this project's trees."""
        run = wire.register(project, rows=self.frozen(wire))
        with worker_of(run["folder"]):
            append(run["folder"], trajectory(1, 0, "a"), END)
            wait_for(lambda: status(wire, 1) == "done")
        rows, _ = wire.stream("select", kind="judge", judge="reference")
        away = RunFolder.create(
            tmp_path / "away", kind="judge", name="far", run_uid=str(uuid.uuid4()), rows=rows, settings={}
        )
        append(away.path, verdict(rows[0]["selected"][0], 1.0), END)
        assert wire.call("run_attach", folder=str(away.path))["status"] == "done"
        assert wire.call("stats")["judged"] == 1


class TestSpeed:
    def test_a_row_is_visible_soon(self, wire: Wire, project: Project) -> None:
        """Appended rows show without anybody asking for them."""
        wire.questions(1)
        run = wire.register(project)
        with worker_of(run["folder"]):
            append(run["folder"], trajectory(1, 0, "a"))
            began = time.monotonic()
            wait_for(lambda: wire.call("tree", question=1)["actions"], seconds=10)
            assert began > 0


def test_the_owner_survives_a_run_folder_that_vanishes(project: Project) -> None:
    """Its run is lost; everything else goes on."""
    process = start_owner(project)
    with Wire(project) as wire:
        run = wire.register(project)
        with worker_of(run["folder"]):
            append(run["folder"], {"t": "start", "attempt": 1})
            wait_for(lambda: status(wire, 1) == "running")
        shutil.rmtree(run["folder"])
        wait_for(lambda: status(wire, 1) == "lost")
        assert wire.call("stats")["runs"]["generate"] == 1
    kill(process, signal.SIGTERM)
