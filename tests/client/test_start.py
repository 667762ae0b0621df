"""The owner is there when it is needed: started once, replaced when dead; a failed start says why."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bswirl.client import connect, stop_owner
from bswirl.client.spawn import module_environment, owner_environment
from bswirl.client.start import wait_until_stopped
from bswirl.errors import BswirlError, InputError
from bswirl.project import Project
from bswirl.records import NewQuestion
from bswirl.runs.locks import lock_holder

ASK = (
    "import json, sys\nfrom pathlib import Path\n"
    "from bswirl.client import connect\nfrom bswirl.project import Project\n"
    "with connect(Project.open(Path(sys.argv[1]))) as client:\n"
    "    print(json.dumps([client.owner['pid'], client.stats()['questions']]))\n"
)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = Project.create(tmp_path / "p")
    yield project
    stop_owner(project)


class TestStarting:
    def test_eight_racing_clients_start_one_owner(self, project: Project) -> None:
        """Eight processes at once: each is answered, all by the same owner."""

        def ask(_: int) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-c", ASK, str(project.root)]
            return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(8)))
        assert [answer.stderr for answer in answers] == [""] * 8
        pids = {json.loads(answer.stdout)[0] for answer in answers}
        assert len(pids) == 1
        holder = lock_holder(project.owner_lock)
        assert holder is not None
        assert {holder["pid"]} == pids

    def test_the_owner_lives_in_a_session_of_its_own(self, project: Project) -> None:
        """A terminal that closes takes its clients along, not the owner."""
        with connect(project) as client:
            pid = client.owner["pid"]
        assert os.getsid(pid) == pid
        assert os.getsid(pid) != os.getsid(0)

    def test_a_killed_owner_is_replaced_amid_calls(self, project: Project) -> None:
        """After `kill -9` the next call of the same client starts another; what was acknowledged is there."""
        with connect(project) as client:
            client.import_questions([NewQuestion("d", "train", "1", "How many?")])
            first = client.owner["pid"]
            os.kill(first, signal.SIGKILL)
            assert client.stats()["questions"] == 1
            assert client.owner["pid"] != first

    @pytest.mark.parametrize("record", ["", "/nowhere/socket", "\0", "x" * 300])
    def test_a_stale_socket_record_is_replaced(self, project: Project, record: str) -> None:
        """A record that leads nowhere does not keep anyone out."""
        project.socket_record.write_text(record)
        with connect(project) as client:
            assert client.stats()["questions"] == 0

    def test_a_lost_socket_is_replaced(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """An owner whose socket was removed under it ends, and another takes over."""
        monkeypatch.setattr("bswirl.client.start.SILENT_OWNER_SECONDS", 0.5)
        with connect(project) as client:
            first = client.owner["pid"]
            Path(project.socket_record.read_text().strip()).unlink()
        with connect(project) as client:
            assert client.owner["pid"] != first

    def test_stopping(self, project: Project) -> None:
        """By signal or by call; afterwards nobody holds the project, and a call starts another owner."""
        assert not stop_owner(project)
        with connect(project) as client:
            client.stop_owner()
            assert lock_holder(project.owner_lock) is None
            assert client.stats()["questions"] == 0
        assert stop_owner(project)
        wait_until_stopped(project)


class TestFailures:
    def test_a_broken_store_is_an_input_error(self, project: Project) -> None:
        """The owner's own line comes through as the kind of error it is."""
        project.store_file.write_bytes(b"no database" * 1000)
        with pytest.raises(InputError, match=r"store\.duckdb") as caught:
            connect(project)
        assert "\n" not in str(caught.value)

    def test_a_folder_that_cannot_be_written(self, project: Project) -> None:
        """The state folder is a file: one clear line."""
        for path in project.state_folder.iterdir():
            path.unlink()
        project.state_folder.rmdir()
        project.state_folder.touch()
        with pytest.raises(BswirlError, match="cannot start the owner"):
            connect(project)
        project.state_folder.unlink()

    def test_broken_settings_are_named(self, project: Project) -> None:
        """Nothing is started on settings that cannot be read."""
        project.settings_file.write_text("auditor = \n")
        with pytest.raises(InputError, match=r"bswirl\.toml: not valid TOML"):
            connect(project)
        assert lock_holder(project.owner_lock) is None


class TestEnvironments:
    def test_keys_stay_with_the_client(self) -> None:
        """The owner gets what it needs and no secret."""
        base = {
            "HOME": "/h",
            "PATH": "/bin",
            "LC_ALL": "C",
            "XDG_RUNTIME_DIR": "/r",
            "BSWIRL_CACHE": "/c",
            "TOGETHER_API_KEY": "secret",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }
        kept = owner_environment(base)
        assert "secret" not in kept.values()
        assert {"HOME", "PATH", "LC_ALL", "XDG_RUNTIME_DIR", "BSWIRL_CACHE"} <= set(kept)

    def test_a_checkout_is_found_from_anywhere(self, tmp_path: Path) -> None:
        """The package's parent is on the path once, before what was there."""
        environment = module_environment({**os.environ, "PYTHONPATH": "/other"})
        paths = environment["PYTHONPATH"].split(os.pathsep)
        assert paths[-1] == "/other"
        found = subprocess.run(
            [sys.executable, "-P", "-c", "import bswirl; print(bswirl.__file__)"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        import bswirl

        assert found.stdout.strip() == bswirl.__file__
