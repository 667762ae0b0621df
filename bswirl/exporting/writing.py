"""Folders that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bswirl.errors import BswirlError, InputError
from bswirl.runs.folder import sync_folder

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


def check_target(target: Path) -> None:
    """Raises InputError where a new folder `target` would go over something, or has no folder to stand in."""
    if target.is_dir() and any(target.iterdir()):
        raise InputError(f"{target} is not empty", "name a new folder")
    if target.exists() and not target.is_dir():
        raise InputError(f"{target} is a file", "name a new folder")
    if not target.parent.is_dir():
        raise InputError(f"{target.parent}: no such folder", "make it, or name another")


def check_space(target: Path, needed: int) -> None:
    """Raises BswirlError where the disk for `target` has no room for `needed` bytes."""
    free = shutil.disk_usage(target.parent).free
    if free < needed:
        raise BswirlError(
            f"{target.parent} has {free >> 20} MB free; the export needs {(needed >> 20) + 1} MB",
            "free some space or name a folder on another disk",
        )


@contextmanager
def drafted(target: Path) -> Iterator[Path]:
    """A folder beside `target` to write to. It becomes `target`, made durable, when the block ends well.

    Raises InputError where `target` cannot be written and BswirlError where the disk is full; nothing of the
    draft stays then.
    """
    check_target(target)
    draft = target.with_name(f".{target.name}.{os.getpid()}.draft")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        yield draft
        for path in draft.iterdir():
            path.chmod(draft.stat().st_mode & 0o666)  # safetensors makes files that only their owner reads
            _sync_file(path)
        sync_folder(draft)
        draft.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise _no_space(target) from error
        raise InputError(
            f"cannot write {target}: {error.strerror or error}", "check the folder and its permissions"
        ) from error
    except Exception as error:
        if f"os error {errno.ENOSPC}" in str(error):  # how safetensors says it
            raise _no_space(target) from error
        raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _no_space(target: Path) -> BswirlError:
    return BswirlError(
        f"no space left on the disk for {target}", "free some or name a folder on another disk"
    )


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
