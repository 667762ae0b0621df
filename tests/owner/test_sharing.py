"""A project of a group: locks, store and mirror are every member's to go on with."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bswirl.project import Project
from bswirl.runs.locks import FileLock
from tests.owner.kit import ROOT

GROUP, ANN, BOB, STRANGER = 54321, 54322, 54323, 54324


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class TestLockFiles:
    def test_private_in_a_private_folder(self, tmp_path: Path) -> None:
        """Nobody else opens a lock of a project that is not shared."""
        lock = FileLock(tmp_path / "lock")
        assert lock.acquire({})
        assert mode_of(lock.path) == 0o600
        lock.release()

    def test_the_groups_in_a_folder_of_the_group(self, tmp_path: Path) -> None:
        """Also one that an earlier version made for its user alone."""
        folder = tmp_path / "shared"
        folder.mkdir()
        folder.chmod(0o770)
        (folder / "old").touch(0o600)
        for name in ("new", "old"):
            lock = FileLock(folder / name)
            assert lock.acquire({})
            assert mode_of(lock.path) == 0o660
            assert lock.path.stat().st_gid == folder.stat().st_gid
            lock.release()


@pytest.fixture
def shared() -> Iterator[Project]:
    """A project set up for a group as docs/audit.md says, somewhere that all users reach."""
    folder = Path(tempfile.mkdtemp(prefix="bswirl-shared-", dir="/tmp"))
    folder.chmod(0o755)
    project = Project.create(folder / "p")
    for path in (project.root, *project.root.rglob("*")):
        os.chown(path, ANN, GROUP)
        path.chmod(0o2770 if path.is_dir() else 0o660)
    yield project
    shutil.rmtree(folder)


def as_user(
    uid: int, groups: list[int], project: Project, *words: object
) -> subprocess.CompletedProcess[str]:
    """A command by a user whose own group is another."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT), *(path for path in sys.path if path)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "BSWIRL_OWNER_IDLE": "60",
        "HOME": "/nonexistent",
    }
    return subprocess.run(
        [sys.executable, "-m", "bswirl.cli", "-p", str(project.root), *map(str, words)],
        user=uid,
        group=uid,
        extra_groups=groups,
        env=environment,
        cwd="/",
        umask=0o022,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def can_run_as(uid: int) -> bool:
    """Whether another user may run this very Python."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", "import duckdb"], user=uid, group=uid, cwd="/", check=False
        )
    except PermissionError:
        return False
    return done.returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")
class TestAccounts:
    def test_members_take_turns_and_work_together(self, shared: Project, tmp_path: Path) -> None:
        """Whoever comes first starts the owner; labels tell accounts apart; strangers are turned away."""
        if not can_run_as(ANN):
            pytest.skip("other users cannot reach this Python")
        samples = shared.root.parent / "s.jsonl"
        row = {
            "question_id": "q1", "step": 1, "branch_id": 0, "is_backbone": True, "state": "Q?",
            "action": "Step 1: x", "reward": 1.0, "judge": "model",
        }  # fmt: skip
        samples.write_text(json.dumps(row) + "\n", encoding="utf-8")

        def run(uid: int, name: str, *words: object, groups: tuple[int, ...] = (GROUP,)) -> str:
            done = as_user(uid, list(groups), shared, "--as", name, *words)
            assert done.returncode == 0, done.stderr
            return done.stdout

        run(ANN, "ann", "import", "branched", samples)
        run(BOB, "bob", "audit", "set", 1, "0")  # through ann's owner
        run(ANN, "ann", "owner", "stop")
        run(BOB, "bob", "audit", "set", 1, "1")  # starts an owner of his own
        run(ANN, "ann", "audit", "set", 1, "0")
        run(BOB, "bob2", "audit", "set", 1, "1")  # one account, another name
        run(BOB, "bob", "owner", "stop")
        conflicts = json.loads(run(ANN, "ann", "audit", "conflicts", "--json"))["conflicts"]
        assert [(vote["auditor"], vote["value"]) for vote in conflicts[0]["votes"]] == [
            ("ann", "0"),
            ("bob", "1"),
            ("bob2", "1"),
        ]
        stranger = as_user(STRANGER, [], shared, "stats")
        assert stranger.returncode != 0
        run(ANN, "ann", "owner", "stop")
        lines = [json.loads(line) for line in shared.labels_file.read_bytes().splitlines()]
        assert [(line["auditor"], line["peer_uid"]) for line in lines] == [
            ("bob", BOB),
            ("bob", BOB),
            ("ann", ANN),
            ("bob2", BOB),
        ]
        for path in (
            shared.owner_lock,
            shared.start_lock,
            shared.store_file,
            shared.labels_file,
            shared.draws_file,
        ):
            assert mode_of(path) & 0o060 == 0o060, path
