"""One owner a project: starting, refusing, ending."""

from __future__ import annotations

import os
import random
import resource
import signal
import socket
import string
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
import pytest

from bswirl.errors import BswirlError, InputError
from bswirl.owner.endpoint import (
    file_system_of,
    may_enter,
    refuse_network_file_system,
    shared_group,
    socket_path,
)
from bswirl.project import Project
from bswirl.store.database import open_database
from bswirl.store.migrations import MIGRATIONS
from tests.owner.kit import (
    Wire,
    append,
    environment,
    kill,
    owner_command,
    owner_of,
    spawn_owner,
    start_owner,
    wait_for,
    worker_of,
)


def refused(project: Project, **more: str) -> tuple[int, str]:
    """Exit code and stderr of an owner that should not start."""
    process = spawn_owner(project, 60.0, **more)
    _, words = process.communicate(timeout=30)
    return process.returncode, words


class TestOneOwner:
    def test_of_racing_owners_one_serves(self, project: Project) -> None:
        """Eight start at once: one stays, seven end with 3 and one line that names its pid."""
        processes = [spawn_owner(project) for _ in range(8)]
        try:
            wait_for(lambda: sum(process.poll() is not None for process in processes) == 7)
            wait_for(project.socket_record.exists)
            with Wire(project) as wire:
                pid = wire.call("ping")["pid"]
            for process in processes:
                if process.pid != pid:
                    words = process.communicate()[1]
                    assert process.returncode == 3
                    assert words.count("\n") == 1
                    assert f"another owner (pid {pid})" in words
        finally:
            for process in processes:
                if process.poll() is None:
                    kill(process, signal.SIGTERM)

    def test_a_killed_owner_leaves_nothing_in_the_way(self, project: Project) -> None:
        """After kill -9 the next one serves, stale socket or not."""
        first = start_owner(project)
        kill(first)
        stale = Path(project.socket_record.read_text().strip())
        assert stale.exists()
        project.socket_record.unlink()
        with owner_of(project), Wire(project) as wire:
            assert wire.call("ping")["pid"] != first.pid


class TestEnding:
    def test_stop_answers_and_ends(self, project: Project) -> None:
        """The reply comes, then the process ends with 0 and its socket is gone."""
        process = start_owner(project)
        path = Path(project.socket_record.read_text().strip())
        with Wire(project) as wire:
            assert wire.call("stop") == {"stopping": True}
        assert process.wait(timeout=30) == 0
        assert process.communicate()[1] == ""
        assert not path.exists()
        assert not project.socket_record.exists()

    def test_sigterm_ends_cleanly_with_clients_connected(self, project: Project) -> None:
        """They see the end of the stream."""
        process = start_owner(project)
        with Wire(project) as wire:
            kill(process, signal.SIGTERM)
            assert process.returncode == 0
            with pytest.raises(ConnectionError):
                wire.call("ping")

    def test_it_leaves_when_idle(self, project: Project) -> None:
        """Without clients and runs, after the idle time; a client keeps it."""
        process = start_owner(project, idle=2.0)
        with Wire(project) as wire:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=3.0)
            assert wire.call("ping")
        assert process.wait(timeout=30) == 0
        assert project.store_file.exists()

    def test_a_run_alive_keeps_it(self, project: Project) -> None:
        """Until its worker ends."""
        process = start_owner(project, idle=2.0)
        with ExitStack() as working:
            with Wire(project) as wire:
                run = wire.register(project)
                working.enter_context(worker_of(run["folder"]))
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=3.0)
            append(run["folder"], {"t": "end", "status": "done", "exit_code": 0})
            assert process.wait(timeout=30) == 0


class TestRefusing:
    def test_a_folder_that_is_no_project(self, tmp_path: Path) -> None:
        """Exit code 3 and one line."""
        code, words = refused(Project(tmp_path))
        assert (code, words.count("\n")) == (3, 1)
        assert "holds no bswirl project" in words

    def test_a_newer_store(self, project: Project) -> None:
        """Named by its migration; the store stays as it is."""
        open_database(
            project.store_file, project.state_folder / "tmp", [*MIGRATIONS, ("m999_future", "SELECT 1")]
        ).close()
        code, words = refused(project)
        assert code == 3
        assert (
            words
            == "bswirl: this store was made by a newer bswirl (migration m999_future) — upgrade bswirl\n"
        )

    def test_a_broken_store_or_settings(self, project: Project) -> None:
        """One line each, never a traceback."""
        project.store_file.write_bytes(b"x" * 5000)
        code, words = refused(project)
        assert (code, words.count("\n")) == (3, 1)
        assert "cannot be opened as a store" in words
        project.store_file.unlink()
        project.settings_file.write_text("[judges\n")
        code, words = refused(project)
        assert code == 3
        assert "bswirl.toml" in words

    def test_a_store_that_is_open_elsewhere(self, project: Project) -> None:
        """The other program is named by its pid."""
        holder = duckdb.connect(str(project.store_file))
        code, words = refused(project)
        holder.close()
        assert code == 3
        assert f"another program (pid {os.getpid()}) has" in words

    def test_a_socket_path_that_is_too_long(self, project: Project, tmp_path: Path) -> None:
        """Said so, with the variable to change."""
        deep = tmp_path / ("d" * 100)
        deep.mkdir()
        code, words = refused(project, XDG_RUNTIME_DIR=str(deep))
        assert code == 3
        assert "XDG_RUNTIME_DIR" in words

    def test_a_bad_idle_time(self, project: Project) -> None:
        """Wrong usage is 2."""
        code, words = refused(project, BSWIRL_OWNER_IDLE="soon")
        assert (code, "soon" in words) == (2, True)


class TestEndpoint:
    MOUNTS = (
        "/dev/sda1 / ext4 rw 0 0\n"
        "server:/home /home nfs4 rw 0 0\n"
        "tmpfs /home/me/local\\040disk tmpfs rw 0 0\n"
        "broken\n"
    )

    @pytest.mark.parametrize(
        ("path", "kind"),
        [
            ("/var/p", "ext4"),
            ("/home/me/p", "nfs4"),
            ("/home", "nfs4"),
            ("/homely/p", "ext4"),
            ("/home/me/local disk/p", "tmpfs"),
        ],
    )
    def test_the_longest_mount_decides(self, path: str, kind: str) -> None:
        """Also with escaped spaces in the mount's name."""
        assert file_system_of(Path(path), self.MOUNTS) == kind

    def test_network_file_systems_are_refused(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With the type and the remedy."""
        mounts = f"server:/x {project.root.parent} nfs4 rw 0 0\n"
        monkeypatch.setattr(Path, "read_text", lambda *_, **__: mounts)
        with pytest.raises(InputError, match=r"network file system \(nfs4\).*local disk"):
            refuse_network_file_system(project)
        mounts = mounts.replace("nfs4", "ext4")
        refuse_network_file_system(project)

    def test_who_may_enter(self) -> None:
        """The same user; others only by the group that a project is shared with."""
        assert may_enter(os.getuid(), 99999, None)
        assert not may_enter(os.getuid() + 12345, 99999, None)
        assert may_enter(os.getuid() + 12345, 99999, 99999)
        assert not may_enter(os.getuid() + 12345, 99998, 99999)

    def test_a_shared_project_has_its_socket_inside(self, project: Project) -> None:
        """Group-writable state folder: the socket lies there, for the group."""
        assert shared_group(project) is None
        project.state_folder.chmod(0o2770)
        assert shared_group(project) == project.state_folder.stat().st_gid
        assert socket_path(project) == project.state_folder / "owner.sock"
        with owner_of(project), Wire(project) as wire:
            assert wire.call("ping")
            assert (project.state_folder / "owner.sock").stat().st_mode & 0o777 == 0o660

    def test_a_socket_of_another_kind_is_no_trouble(self, project: Project) -> None:
        """A stale file at the socket's path is replaced."""
        path = socket_path(project)
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(str(path))
        stale.close()
        with owner_of(project), Wire(project) as wire:
            assert wire.call("ping")


class TestFullDisk:
    def test_nothing_half_written_and_nothing_lost(self, project: Project) -> None:
        """What cannot be written is refused; reads go on, and the next owner finds all there was."""
        limit = 3 << 20
        process = subprocess.Popen(
            owner_command(project),
            env=environment(),
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        )
        wait_for(project.socket_record.exists)
        stored = 0
        with Wire(project) as wire:
            error = None
            while error is None:
                try:
                    rows = [big_question(stored, part) for part in range(50)]
                    stored += wire.upload("import_questions", [rows])["new"]
                except BswirlError as raised:
                    error = raised
            assert "disk is full" in str(error)
            assert "free some space" in str(error)
            assert wire.call("datasets") == [{"dataset": "big", "split": "train", "questions": stored}]
        kill(process, signal.SIGTERM)
        assert process.returncode == 0
        with owner_of(project), Wire(project) as wire:
            assert wire.call("stats")["questions"] == stored
            assert wire.upload("import_questions", [[big_question(999, 0)]])["new"] == 1


def big_question(number: int, part: int) -> dict[str, Any]:
    text = "".join(random.Random(number * 100 + part).choices(string.printable, k=3000))
    return {"dataset": "big", "split": "train", "external_id": f"{number}-{part}", "text": text}
