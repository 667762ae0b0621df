"""Where the owner listens and who may come in; and which file systems a store may not lie on."""

from __future__ import annotations

import hashlib
import os
import pwd
import socket
import stat
import struct
from contextlib import suppress
from pathlib import Path

from bswirl.errors import InputError
from bswirl.project import Project
from bswirl.runs.locks import runtime_folder

MAX_SOCKET_PATH = 107  # bytes, without the final zero
NETWORK_FILE_SYSTEMS = frozenset(
    {
        "afs", "beegfs", "ceph", "cifs", "fuse.ceph", "fuse.glusterfs", "fuse.sshfs", "glusterfs", "gpfs",
        "lustre", "ncpfs", "nfs", "nfs4", "orangefs", "panfs", "pvfs2", "smb3", "smbfs",
    }
)  # fmt: skip

_SO_PEERGROUPS = 59  # Linux 4.13; Python has no name for it
_MOST_GROUPS = 256  # all that Python reads; of a user in more the password database knows
_ESCAPES = {"\\040": " ", "\\011": "\t", "\\012": "\n", "\\134": "\\"}


def file_system_of(path: Path, mounts: str) -> str:
    """The type of the file system that `path` lies on, by the text of /proc/mounts; empty if unknown."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        place = fields[1]
        for code, letter in _ESCAPES.items():
            place = place.replace(code, letter)
        if path.is_relative_to(place) and len(place) >= best:
            best, kind = len(place), fields[2]
    return kind


def refuse_network_file_system(project: Project) -> None:
    """Raises InputError where the project lies on a network file system."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return
    kind = file_system_of(project.root, mounts)
    if kind in NETWORK_FILE_SYSTEMS:
        raise InputError(
            f"{project.root} lies on a network file system ({kind}), where locks cannot be trusted",
            "move the project to a local disk",
        )


def shared_group(project: Project) -> int | None:
    """The group that a project is shared with: that of its state folder where the group may write there."""
    found = project.state_folder.stat()
    return found.st_gid if found.st_mode & stat.S_IWGRP else None


def socket_path(project: Project) -> Path:
    """Where this project's socket lies. Raises InputError where the path is too long for one."""
    if shared_group(project) is not None:
        path = project.state_folder / "owner.sock"
        remedy = "move the shared project to a shorter path"
    else:
        name = hashlib.sha256(os.fsencode(project.root)).hexdigest()[:16]
        path = runtime_folder() / f"{name}.sock"
        remedy = "set XDG_RUNTIME_DIR to a shorter path"
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise InputError(f"{path} is too long a path for a socket", remedy)
    return path


def listen(project: Project) -> tuple[socket.socket, Path]:
    """The owner's listening socket and its path; only the holder of the owner's lock may call this.

    Its mode is 0600, or 0660 with the project's group where the project is shared.
    """
    path = socket_path(project)
    with suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    group = shared_group(project)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    if group is not None:
        os.chown(path, -1, group)
        path.chmod(0o660)
    listener.listen(64)
    return listener, path


def record_socket(project: Project, path: Path) -> None:
    """Writes down where the socket is, in one go."""
    draft = project.socket_record.with_suffix(".new")
    draft.write_text(f"{path}\n", encoding="utf-8")
    draft.replace(project.socket_record)


def peer_uid(connection: socket.socket) -> tuple[int, int]:
    """The user and group of the process at the other end."""
    size = struct.calcsize("3i")
    _, uid, gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return uid, gid


def peer_groups(connection: socket.socket) -> tuple[int, ...]:
    """The further groups of the process at the other end; none where the kernel does not say."""
    try:
        data = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 4 * _MOST_GROUPS)
    except OSError:
        return ()
    return struct.unpack(f"{len(data) // 4}I", data)


def may_enter(uid: int, gid: int, group: int | None) -> bool:
    """Whether a user may talk to this owner: the same one, or a member of the project's `group`."""
    if uid == os.getuid():
        return True
    if group is None:
        return False
    if gid == group:
        return True
    try:
        return group in os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:
        return False
