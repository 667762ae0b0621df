"""The schema's history: ordered, named steps, recorded in the store that they were applied to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import duckdb

from bswirl.errors import InputError
from bswirl.store.schema_audit import AUDIT_TABLES
from bswirl.store.schema_certificates import CERTIFICATE_TABLES
from bswirl.store.schema_queue import QUEUE_TABLES
from bswirl.store.schema_runs import RUN_TABLES
from bswirl.store.schema_selections import SELECTION_TABLES
from bswirl.store.schema_spending import SPENDING_TABLES
from bswirl.store.schema_statistics import STATISTICS_TABLES
from bswirl.store.schema_tokens import SAMPLE_COLUMNS
from bswirl.store.schema_tree import TREE_TABLES

Migration = tuple[str, str]  # its name and its SQL; neither changes once it was released

MIGRATIONS: tuple[Migration, ...] = (
    ("m001_trees", TREE_TABLES),
    ("m002_verdicts_and_labels", AUDIT_TABLES),
    ("m003_runs_and_journals", RUN_TABLES),
    ("m004_statistics", STATISTICS_TABLES),
    ("m005_certificates", CERTIFICATE_TABLES),
    ("m006_votes_costs_and_prompts", SPENDING_TABLES),
    ("m007_selections", SELECTION_TABLES),
    ("m008_audit_queue", QUEUE_TABLES),
    ("m009_tokens_of_samples", SAMPLE_COLUMNS),
)

_RECORD = "CREATE TABLE IF NOT EXISTS migrations (name VARCHAR PRIMARY KEY, applied_at TIMESTAMP NOT NULL)"


def applied(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The names of the migrations that a store has, in order; none in a new file."""
    known = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'main' AND table_name = 'migrations'"
    ).fetchone()
    if not known or not known[0]:
        return []
    return [name for (name,) in connection.execute("SELECT name FROM migrations ORDER BY name").fetchall()]


def migrate(connection: duckdb.DuckDBPyConnection, migrations: Sequence[Migration] = MIGRATIONS) -> list[str]:
    """Brings a store up to date in one transaction and returns the names of what it lacked.

    Raises InputError where the store has migrations that this version does not know; then nothing is changed.
    """
    present = set(applied(connection))
    newer = sorted(present - {name for name, _ in migrations})
    if newer:
        raise InputError(f"this store was made by a newer bswirl (migration {newer[-1]})", "upgrade bswirl")
    missing = [(name, sql) for name, sql in migrations if name not in present]
    if not missing:
        return []
    connection.execute("BEGIN")
    try:
        connection.execute(_RECORD)
        for name, sql in missing:
            connection.execute(sql)
            connection.execute(
                "INSERT INTO migrations VALUES (?, ?)", [name, datetime.now(UTC).replace(tzinfo=None)]
            )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return [name for name, _ in missing]
