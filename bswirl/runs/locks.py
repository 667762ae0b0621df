"""File locks that end with the process that holds them, and the folder of a user's sockets and locks."""

from __future__ import annotations

import errno
import fcntl
import getpass
import json
import os
import re
import socket
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from bswirl.errors import BswirlError

_LINGER_FOLDER = Path("/var/lib/systemd/linger")
_SYSTEMD_RUNTIME = "/run/user/"


def runtime_folder() -> Path:
    """The user's private folder for sockets and device locks; made with mode 0700 where it is missing.

    `$XDG_RUNTIME_DIR/bswirl`, unless systemd would take it away at the last logout; else `/tmp/bswirl-UID`.
    Raises BswirlError where the folder belongs to somebody else or is open to others.
    """
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    if named and Path(named).is_dir() and os.access(named, os.W_OK | os.X_OK) and _outlives_session(named):
        folder = Path(named) / "bswirl"
    else:
        folder = Path(f"/tmp/bswirl-{os.getuid()}")  # noqa: S108 - ownership and mode are checked below
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise BswirlError(
            f"cannot make {folder}: {error.strerror}", "set XDG_RUNTIME_DIR to a private folder"
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise BswirlError(
            f"{folder} belongs to somebody else", "remove it, or set XDG_RUNTIME_DIR to a private folder"
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)
    return folder


def _outlives_session(named: str) -> bool:
    """Detached workers and owners live on after a logout, which removes systemd's own runtime folder."""
    if not named.startswith(_SYSTEMD_RUNTIME):
        return True
    try:
        return (_LINGER_FOLDER / getpass.getuser()).exists()
    except (KeyError, OSError):
        return False


class FileLock:
    """An exclusive `flock` on a file; the file's content is a JSON object that says who holds it.

    The lock ends with `release` or with the process, however that ends. The file itself stays. It is its
    user's own, but for the group of a folder in which the group may write: there it is the group's too.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        return self._descriptor is not None

    def acquire(self, holder: dict[str, Any], *, patience: float = 0.0) -> bool:
        """Takes the lock and writes `holder` into it; False where another keeps it for `patience` s."""
        if self._descriptor is not None:
            raise RuntimeError(f"{self.path} is locked already")
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        share_with_group(descriptor, self.path.parent)
        deadline = time.monotonic() + patience
        try:
            while not _try_flock(descriptor):
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    return False
                time.sleep(0.02)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(holder).encode() + b"\n", 0)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Gives the lock back; nothing happens where it is not held."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)


def share_with_group(descriptor: int, folder: Path) -> None:
    """Gives a file of ours in `folder` to the folder's group, where that may write there."""
    shared, found = folder.stat(), os.fstat(descriptor)
    if not shared.st_mode & stat.S_IWGRP or found.st_uid != os.geteuid():
        return
    with suppress(OSError):  # a group that we are not in: then the file stays our own
        if found.st_gid != shared.st_gid:
            os.fchown(descriptor, -1, shared.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(found.st_mode) | 0o660)


def _try_flock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def lock_holder(path: Path) -> dict[str, Any] | None:
    """What the holder of the lock wrote into it, `{}` where that cannot be read; None where nobody holds it.

    Probing takes the lock for an instant, so those who want it should be patient for a moment.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except PermissionError:
        return {}  # somebody else's
    try:
        if _try_flock(descriptor):
            return None
        held = json.loads(os.pread(descriptor, 65536, 0))
    except ValueError:
        return {}
    finally:
        os.close(descriptor)
    return held if isinstance(held, dict) else {}


def this_process() -> dict[str, Any]:
    """This process as the holder of a lock."""
    return {"pid": os.getpid(), "host": socket.gethostname()}


def is_local_process(holder: dict[str, Any]) -> bool:
    """Whether the holder names a process of this machine, so that it may be sent a signal."""
    return isinstance(holder.get("pid"), int) and holder.get("host") == socket.gethostname()


def device_lock_file(device: str) -> Path:
    """The lock file of a device such as `cuda:0`, where 0 counts the devices that are visible here."""
    kind, _, index = device.partition(":")
    if kind == "cuda":
        visible = [
            name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()
        ]
        number = int(index or 0)
        index = visible[number] if number < len(visible) else str(number)
    name = re.sub(r"[^A-Za-z0-9]+", "-", f"{kind}-{index}").strip("-")
    return runtime_folder() / f"device-{name}.lock"
