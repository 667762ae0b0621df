"""Starting our own modules as processes that outlive us."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import bswirl

_OWNER_NEEDS = {"HOME", "PATH", "USER", "LOGNAME", "LANG", "LANGUAGE", "TMPDIR", "TZ", "LD_LIBRARY_PATH"}
_OWNER_NEEDS_PREFIXES = ("LC_", "XDG_", "BSWIRL_", "PYTHON")

_started: list[subprocess.Popen[bytes]] = []


def module_environment(base: Mapping[str, str]) -> dict[str, str]:
    """`base` changed so that a Python of ours finds this very package, installed or not, from any folder."""
    environment = dict(base)
    paths = [
        str(Path(path).absolute()) for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path
    ]
    parent = Path(bswirl.__file__).resolve().parent.parent
    installed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), site.getusersitepackages()}
    if str(parent) not in {str(Path(path).resolve()) for path in installed}:
        paths = [str(parent), *(path for path in paths if path != str(parent))]
    if paths:
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    return environment


def owner_environment(base: Mapping[str, str]) -> dict[str, str]:
    """What an owner needs of the environment `base`; keys and other secrets stay behind."""
    kept = {
        name: value
        for name, value in base.items()
        if name in _OWNER_NEEDS or name.startswith(_OWNER_NEEDS_PREFIXES)
    }
    return module_environment(kept)


def spawn_module(
    module: str,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    output: IO[bytes],
    prefix: Sequence[str] = (),
) -> subprocess.Popen[bytes]:
    """Starts `python -m MODULE ARGUMENTS` in a session of its own, away from the terminal.

    Both of its output streams go to `output`. Its folder is `/`, and `-P` keeps what lies about there from
    being imported. `prefix` is a command to start it under.
    """
    _started[:] = [process for process in _started if process.poll() is None]
    process = subprocess.Popen(
        [*prefix, sys.executable, "-P", "-m", module, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd="/",
        env=dict(environment),
        start_new_session=True,
    )
    _started.append(process)
    return process
