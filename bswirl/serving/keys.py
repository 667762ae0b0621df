"""Keys of endpoints: read from the environment, and sent only where this user has said that they may go.

A project's settings may come from somebody else, and so may the address in them. Which variable's key may be
sent to which address is therefore kept per user, outside of every project.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from bswirl.errors import BswirlError
from bswirl.serving.calls import RefusedError, ServedModel
from bswirl.settings import builtin_endpoints

CONFIG_VARIABLE = "BSWIRL_CONFIG"  # a folder that goes before the user's own
_FILE_NAME = "trusted.json"
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, order=True)
class TrustedPair:
    """The key in `variable` may be sent to `url`."""

    url: str
    variable: str


def key_for(model: ServedModel) -> str | None:
    """The key to send to the model's endpoint; None where it wants none.

    Raises RefusedError, which names the variable and never the key, where the variable is not set, holds
    what cannot be a key, or may not be sent there.
    """
    variable = model.key_variable
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise RefusedError(
            f"endpoint {model.endpoint} wants a key in ${variable}, which is not set",
            f"`export {variable}=…` with the key from its provider",
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise RefusedError(
            f"what ${variable} holds is no key: it has blanks or characters in it that none has",
            "set it again, without quotes or line ends in it",
        )
    if not is_trusted(model):
        raise RefusedError(
            f"you have not said yet that the key in ${variable} may be sent to {model.url}",
            f"`bswirl doctor --trust {model.endpoint}` says so, once for all your projects",
        )
    return key


def is_set(variable: str) -> bool:
    """Whether the variable holds anything."""
    return bool(os.environ.get(variable, "").strip())


def is_trusted(model: ServedModel) -> bool:
    """Whether the model's key may be sent to its address; true where it wants none."""
    if model.key_variable is None:
        return True
    pair = TrustedPair(model.url, model.key_variable)
    return pair in _builtin_pairs() or pair in trusted_pairs()


def trusted_pairs() -> frozenset[TrustedPair]:
    """What this user has said, beyond the builtin pairs. A file that cannot be believed says nothing."""
    try:
        return _read(trust_file())
    except (OSError, ValueError):
        return frozenset()


def trust_problem() -> str | None:
    """What is wrong with the file that holds the trusted pairs; None where nothing is."""
    path = trust_file()
    try:
        _read(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{path}: {error.strerror or error}"
    except ValueError as error:
        return f"{path}: {error}"
    return None


def trust(url: str, variable: str) -> None:
    """Notes that the variable's key may be sent to the address. Raises BswirlError where it cannot be kept.

    A file that cannot be read stays beside the new one, as `trusted.json.broken`.
    """
    path = trust_file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if trust_problem() is not None:
            path.replace(path.with_name(f"{_FILE_NAME}.broken"))
        _write(path, trusted_pairs() | {TrustedPair(url, variable)})
    except OSError as error:
        raise BswirlError(
            f"{path}: {error.strerror or error}",
            f"check that folder, or name another with ${CONFIG_VARIABLE}",
        ) from error


def trust_file() -> Path:
    """Where the trusted pairs are kept: in the user's configuration folder, or in $BSWIRL_CONFIG."""
    named = os.environ.get(CONFIG_VARIABLE)
    folder = Path(named).expanduser() if named else platformdirs.user_config_path("bswirl")
    return folder / _FILE_NAME


def _builtin_pairs() -> frozenset[TrustedPair]:
    return frozenset(
        TrustedPair(endpoint.url, endpoint.key) for endpoint in builtin_endpoints().values() if endpoint.key
    )


def _read(path: Path) -> frozenset[TrustedPair]:
    """Raises OSError, and ValueError in words where the file is not this user's own list of pairs."""
    with path.open("rb") as file:
        about = os.fstat(file.fileno())
        content = file.read(_MOST_BYTES + 1)
    if about.st_uid != os.getuid() or about.st_mode & _OTHERS_MAY_WRITE:
        raise ValueError("others can write it, so it is not believed")
    try:
        rows = json.loads(content)["trusted"]
        pairs = frozenset(TrustedPair(row["url"], row["variable"]) for row in rows)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("not a list of trusted endpoints") from None
    if not all(isinstance(text, str) for pair in pairs for text in (pair.url, pair.variable)):
        raise ValueError("not a list of trusted endpoints")
    return pairs


def _write(path: Path, pairs: frozenset[TrustedPair]) -> None:
    rows = [{"url": pair.url, "variable": pair.variable} for pair in sorted(pairs)]
    handle, draft = tempfile.mkstemp(prefix=f".{_FILE_NAME}-", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"trusted": rows}, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(draft).unlink()
        raise
