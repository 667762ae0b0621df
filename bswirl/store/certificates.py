"""Judges' certificates: kept once under the client's id, read back whole, never changed."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from bswirl.certificates import Certificate, DepthRates, Estimate, Rates
from bswirl.store.database import Cursor, iso, utc_now
from bswirl.store.writing import StoreWriter

Identity = tuple[str, str, str]  # a judge's name, model and prompt

_PLAIN = (
    "judge",
    "model",
    "prompt_sha",
    "benchmark",
    "file",
    "file_sha",
    "solutions_sha",
    "file_solutions",
    "solutions",
    "erroneous",
    "questions",
    "with_gold",
    "votes",
    "undetermined",
)
_ESTIMATES = ("f1", "accuracy_erroneous", "accuracy_correct", "kappa")
_COLUMNS = (*_PLAIN, *(f"{name}{end}" for name in _ESTIMATES for end in ("", "_low", "_high")))
_RATES = tuple(field.name for field in dataclasses.fields(Rates))


def add_certificate(writer: StoreWriter, certificate: Certificate, created_by: str) -> int:
    """Keeps a certificate and returns its number; one whose `client_uid` is known is there already."""
    cursor = writer.cursor
    found = cursor.execute(
        "SELECT certificate_id FROM certificates WHERE client_uid = ?", [certificate.client_uid]
    ).fetchone()
    if found:
        return int(found[0])
    number = writer.numbers.next("certificates")
    estimates = [dataclasses.astuple(getattr(certificate, name)) for name in _ESTIMATES]
    about = [getattr(certificate, name) for name in _PLAIN]
    figures = [value for estimate in estimates for value in estimate]
    _insert(
        cursor,
        "certificates",
        ("certificate_id", "client_uid", *_COLUMNS, "created_by", "created_at"),
        [number, certificate.client_uid, *about, *figures, created_by, utc_now()],
    )
    for at in (certificate.overall, *certificate.depths):
        for progress, unjudged, rates in ((False, at.unjudged, at.steps), (True, 0, at.progress)):
            _insert(
                cursor,
                "certificate_rates",
                ("certificate_id", "depth", "progress", "unjudged", *_RATES),
                [number, at.depth, progress, unjudged, *dataclasses.astuple(rates)],
            )
    writer.touch("verdicts")
    return number


def _insert(cursor: Cursor, table: str, columns: Sequence[str], values: Sequence[Any]) -> None:
    marks = ", ".join("?" for _ in values)
    cursor.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", values)


def list_certificates(cursor: Cursor) -> list[Certificate]:
    """All certificates, newest first."""
    return _read(cursor, "TRUE", [])


def find_certificate(cursor: Cursor, certificate_id: int) -> Certificate:
    """The certificate of a number that there is."""
    (found,) = _read(cursor, "certificate_id = ?", [certificate_id])
    return found


def newest_certificates(cursor: Cursor, judges: Collection[Identity]) -> tuple[Certificate, ...]:
    """The newest certificate of each of those judges that has one of a whole file, newest first."""
    if not judges or not cursor.execute("SELECT 1 FROM certificates LIMIT 1").fetchone():
        return ()
    newest: dict[Identity, Certificate] = {}
    names = sorted({name for name, *_ in judges})
    for certificate in _read(cursor, "judge IN (SELECT unnest(?::VARCHAR[]))", [names]):
        if not certificate.is_part:
            newest.setdefault(certificate.identity, certificate)
    return tuple(certificate for identity, certificate in newest.items() if identity in judges)


def _read(cursor: Cursor, condition: str, values: Sequence[Any]) -> list[Certificate]:
    rows = cursor.execute(
        f"SELECT certificate_id, client_uid, {', '.join(_COLUMNS)}, created_by, created_at FROM certificates"
        f" WHERE {condition} ORDER BY certificate_id DESC",
        values,
    ).fetchall()
    rates = _depth_rates(cursor, [row[0] for row in rows])
    return [_certificate(row, rates[row[0]]) for row in rows]


def _certificate(row: Sequence[Any], rates: Sequence[DepthRates]) -> Certificate:
    number, uid, *values, created_by, created_at = row
    about: dict[str, Any] = dict(zip(_PLAIN, values, strict=False))
    figures = values[len(_PLAIN) :]
    about |= {name: Estimate(*figures[3 * at : 3 * at + 3]) for at, name in enumerate(_ESTIMATES)}
    overall, *depths = rates
    return Certificate(
        **about,
        overall=overall,
        depths=tuple(depths),
        client_uid=uid,
        certificate_id=number,
        created_by=created_by,
        created_at=iso(created_at),
    )


def _depth_rates(cursor: Cursor, numbers: Sequence[int]) -> dict[int, list[DepthRates]]:
    """Of each certificate the rates over all depths, then those of each depth."""
    rows = cursor.execute(
        f"SELECT certificate_id, depth, progress, unjudged, {', '.join(_RATES)} FROM certificate_rates"
        " WHERE certificate_id IN (SELECT unnest(?::INTEGER[]))"
        " ORDER BY certificate_id, depth NULLS FIRST, progress",
        [list(numbers)],
    ).fetchall()
    found: defaultdict[int, list[DepthRates]] = defaultdict(list)
    for steps, progress in zip(rows[::2], rows[1::2], strict=True):
        number, depth, _, unjudged, *counts = steps
        found[number].append(DepthRates(depth, unjudged, Rates(*counts), Rates(*progress[4:])))
    return found
