"""Opening the store: DuckDB locked down to this one file, migrated, and read through snapshots."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from bswirl.errors import BswirlError, InputError
from bswirl.store.migrations import MIGRATIONS, Migration, migrate

Cursor = duckdb.DuckDBPyConnection
FATAL_ERRORS = (duckdb.FatalException, duckdb.InternalException)

_GIB = 1 << 30
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def open_database(
    path: Path, scratch: Path, migrations: Sequence[Migration] = MIGRATIONS
) -> duckdb.DuckDBPyConnection:
    """The store at `path`, made where it is missing and brought up to date; `scratch` takes what spills.

    SQL that runs in it reaches no other file, no network and no extension. Raises InputError where the file
    is no store, comes from a newer version or is open elsewhere.
    """
    try:
        connection = duckdb.connect(str(path))
    except duckdb.Error as error:
        raise _open_error(path, error) from error
    try:
        _lock_down(connection, path.parent, scratch)
        migrate(connection, migrations)
    except duckdb.Error as error:
        connection.close()
        raise _open_error(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _lock_down(connection: Cursor, project: Path, scratch: Path) -> None:
    settings = {
        "TimeZone": "UTC",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "memory_limit": f"{_memory_limit() >> 20}MiB",
        "threads": max(1, min(4, os.cpu_count() or 1)),
        "checkpoint_threshold": "64MB",
        "temp_directory": str(scratch),
        "allowed_directories": [str(project)],
        "enable_external_access": False,
        "lock_configuration": True,
    }
    for name, value in settings.items():
        connection.execute(f"SET {name} = {_literal(value)}")


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)


def _memory_limit() -> int:
    """Bytes that DuckDB may use: a quarter of the machine's memory, at least 0.5 GiB and at most 8."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(_GIB // 2, min(8 * _GIB, memory // 4))


def _open_error(path: Path, error: duckdb.Error) -> BswirlError:
    text = str(error)
    if "lock" in text.lower():
        holder = re.search(r"PID (\d+)", text)
        by = f" (pid {holder[1]})" if holder else ""
        return InputError(
            f"another program{by} has {path} open", "close it: only the owner may open the store"
        )
    if "newer" in text or "version number" in text:
        return InputError(f"{path} was written by a newer DuckDB", "upgrade bswirl")
    first = text.splitlines()[0] if text else type(error).__name__
    return InputError(
        f"{path} cannot be opened as a store: {first}", "put a backup of it in its place, or move it away"
    )


@contextmanager
def snapshot(cursor: Cursor) -> Iterator[Cursor]:
    """All reads inside the block see the store as it was at the first of them."""
    cursor.execute("BEGIN")
    try:
        yield cursor
    finally:
        cursor.execute("ROLLBACK")


def utc_now() -> datetime:
    """The time as the store keeps it: UTC without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def iso(moment: datetime | None) -> str:
    """A stored time as people and JSON get it: ISO 8601, UTC, to the millisecond; empty for none."""
    return f"{moment.isoformat(timespec='milliseconds')}Z" if moment else ""


def moment(text: str) -> datetime | None:
    """The stored form of an ISO 8601 time; None where it is none."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed.astimezone(UTC).replace(tzinfo=None) if parsed.tzinfo else parsed


def storable(text: str) -> str:
    """`text` as the store can keep it: verbatim, but for lone surrogates, which no UTF-8 can hold."""
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)
