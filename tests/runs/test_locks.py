"""Locks end with their holder, and their folder is private."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bswirl.errors import BswirlError
from bswirl.runs import locks
from bswirl.runs.locks import FileLock, device_lock_file, lock_holder, runtime_folder, this_process

HOLD = (
    "import sys, time\nfrom pathlib import Path\nfrom bswirl.runs.locks import FileLock, this_process\n"
    "lock = FileLock(Path(sys.argv[1]))\n"
    "print(lock.acquire({**this_process(), 'run': 12}), flush=True)\ntime.sleep(60)\n"
)


class TestFileLock:
    def test_the_holder_is_named_until_it_is_killed(self, tmp_path: Path) -> None:
        """`kill -9` frees the lock; before that others learn who has it."""
        path = tmp_path / "lock"
        with subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"True\n"
            holder = lock_holder(path)
            assert holder is not None
            assert (holder["run"], holder["pid"]) == (12, process.pid)
            assert not FileLock(path).acquire(this_process())
            process.send_signal(signal.SIGKILL)
        assert lock_holder(path) is None
        lock = FileLock(path)
        assert lock.acquire(this_process())
        lock.release()

    def test_probing_does_not_keep_a_patient_one_out(self, tmp_path: Path) -> None:
        """A lock that is taken for an instant is had by who waits a moment."""
        path = tmp_path / "lock"
        first, second = FileLock(path), FileLock(path)
        assert first.acquire(this_process())
        signal.signal(signal.SIGALRM, lambda *_: first.release())
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        assert second.acquire(this_process(), patience=10)
        assert second.held
        second.release()

    def test_nobody_holds_a_lock_that_is_not_there(self, tmp_path: Path) -> None:
        """A missing file is a free lock."""
        assert lock_holder(tmp_path / "lock") is None

    def test_a_shorter_holder_leaves_nothing_of_the_longer_one(self, tmp_path: Path) -> None:
        """The file's content is the present holder's alone."""
        lock = FileLock(tmp_path / "lock")
        lock.acquire({"run": 1, "words": "x" * 100})
        lock.release()
        lock.acquire({"run": 2})
        assert lock_holder(tmp_path / "lock") == {"run": 2}

    def test_a_lock_does_not_pass_to_children(self, tmp_path: Path) -> None:
        """A child that lives on does not hold its parent's lock."""
        lock = FileLock(tmp_path / "lock")
        lock.acquire(this_process())
        with subprocess.Popen(["sleep", "30"], close_fds=False) as child:
            lock.release()
            assert lock_holder(tmp_path / "lock") is None
            child.kill()


class TestRuntimeFolder:
    def test_it_lies_in_the_named_folder_and_is_private(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Mode 0700, also where it was wider."""
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
        (tmp_path / "bswirl").mkdir(mode=0o755)
        folder = runtime_folder()
        assert folder == tmp_path / "bswirl"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    @pytest.mark.parametrize("named", ["", "/nowhere/at/all"])
    def test_without_a_named_folder_it_lies_in_tmp(self, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """A user without a runtime folder gets one of their own."""
        monkeypatch.setenv("XDG_RUNTIME_DIR", named)
        assert runtime_folder() == Path(f"/tmp/bswirl-{os.getuid()}")

    def test_a_link_in_its_place_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Somebody who got there first cannot redirect our sockets."""
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "bswirl").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(BswirlError, match="belongs to somebody else"):
            runtime_folder()

    def test_a_folder_that_goes_with_the_session_is_not_used(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Systemd removes its runtime folder at the last logout unless the user lingers."""
        monkeypatch.setattr(locks, "_SYSTEMD_RUNTIME", str(tmp_path))
        monkeypatch.setattr(locks, "_LINGER_FOLDER", tmp_path / "linger")
        monkeypatch.setattr(locks.getpass, "getuser", lambda: "ada")
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
        assert runtime_folder() == Path(f"/tmp/bswirl-{os.getuid()}")
        (tmp_path / "linger").mkdir()
        (tmp_path / "linger" / "ada").touch()
        assert runtime_folder() == tmp_path / "bswirl"


class TestDeviceLockFile:
    @pytest.mark.parametrize(
        ("visible", "device", "name"),
        [
            (None, "cuda:1", "device-cuda-1.lock"),
            (None, "cuda", "device-cuda-0.lock"),
            ("3,5", "cuda:1", "device-cuda-5.lock"),
            ("GPU-8a/b", "cuda:0", "device-cuda-GPU-8a-b.lock"),
            ("3", "cuda:4", "device-cuda-4.lock"),
        ],
    )
    def test_it_names_the_real_device(
        self, visible: str | None, device: str, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two workers that see different devices as cuda:0 do not wait for each other."""
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert device_lock_file(device).name == name
