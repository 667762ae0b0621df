"""Keeping runs alive after a logout where systemd would end them."""

from __future__ import annotations

import shutil
import subprocess

_ASK = [
    "busctl",
    "get-property",
    "org.freedesktop.login1",
    "/org/freedesktop/login1",
    "org.freedesktop.login1.Manager",
    "KillUserProcesses",
]
_ASK_SECONDS = 3


def kills_user_processes() -> bool:
    """Whether logind ends a user's processes at logout, detached ones too; False where nobody can say."""
    if shutil.which("busctl") is None:
        return False
    try:
        answer = subprocess.run(
            _ASK,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ASK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and answer.stdout.split() == ["b", "true"]


def scope_prefix() -> list[str]:
    """The command under which a process outlives the logout; empty where none is needed or to be had."""
    if shutil.which("systemd-run") is None or not kills_user_processes():
        return []
    return ["systemd-run", "--user", "--scope", "--quiet", "--collect"]
