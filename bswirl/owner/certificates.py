"""The methods about judges' certificates. docs/protocol.md lists them with their parameters and results."""

from __future__ import annotations

import math
import uuid
from typing import Any

from bswirl.certificates import Certificate, DepthRates, Estimate, Rates
from bswirl.owner.session import Session
from bswirl.store.certificates import add_certificate, find_certificate, list_certificates
from bswirl.store.database import snapshot
from bswirl.store.fields import Fields, RowError
from bswirl.store.writing import StoreWriter

_MOST_DEPTHS = 10_000


def certificates(session: Session, _params: Fields) -> Any:
    """All certificates of the project."""
    with snapshot(session.cursor) as cursor:
        return list_certificates(cursor)


def certificate_add(session: Session, params: Fields) -> Any:
    """Keeps a certificate. Raises RowError where it is not one."""
    certificate = _certificate(Fields(params.object("certificate"), "a certificate"))

    def work(store: StoreWriter) -> Certificate:
        return find_certificate(store.cursor, add_certificate(store, certificate, session.auditor))

    return session.owner.writer.write(work)


def _certificate(fields: Fields) -> Certificate:
    depths = [_depth_rates(Fields(item, "rates")) for item in fields.items("depths")]
    overall = _depth_rates(Fields(fields.object("overall"), "rates"))
    numbers = [at.depth for at in depths]
    if overall.depth is not None or len(depths) > _MOST_DEPTHS or len(set(numbers)) < len(numbers):
        raise RowError("`overall` has no depth, `depths` one each")
    if None in numbers:
        raise RowError("`depths` are step numbers from 1")
    return Certificate(
        judge=fields.text("judge"),
        model=fields.text("model"),
        prompt_sha=fields.text("prompt_sha"),
        benchmark=fields.text("benchmark"),
        file=fields.text("file"),
        file_sha=fields.text("file_sha"),
        solutions_sha=fields.optional_text("solutions_sha"),
        file_solutions=fields.integer("file_solutions"),
        solutions=fields.integer("solutions"),
        erroneous=fields.integer("erroneous"),
        questions=fields.integer("questions"),
        with_gold=fields.integer("with_gold"),
        votes=fields.integer("votes"),
        undetermined=fields.integer("undetermined"),
        f1=_estimate(fields, "f1"),
        accuracy_erroneous=_estimate(fields, "accuracy_erroneous"),
        accuracy_correct=_estimate(fields, "accuracy_correct"),
        kappa=_estimate(fields, "kappa"),
        overall=overall,
        depths=tuple(depths),
        client_uid=fields.optional_text("client_uid") or str(uuid.uuid4()),
    )


def _depth_rates(fields: Fields) -> DepthRates:
    return DepthRates(
        fields.optional_integer("depth", low=1),
        fields.integer("unjudged"),
        _rates(Fields(fields.object("steps"), "rates")),
        _rates(Fields(fields.object("progress"), "rates")),
    )


def _rates(fields: Fields) -> Rates:
    counts = ("true_positive", "false_negative", "false_positive", "true_negative")
    bounds = ("tpr_low", "tpr_high", "tnr_low", "tnr_high")
    return Rates(*(fields.integer(name) for name in counts), *(_finite(fields, name) for name in bounds))


def _estimate(fields: Fields, name: str) -> Estimate:
    estimate = Fields(fields.object(name), f"`{name}`")
    return Estimate(*(_finite(estimate, part) for part in ("value", "low", "high")))


def _finite(fields: Fields, name: str) -> float | None:
    value = fields.number(name)
    if value is not None and not math.isfinite(value):
        raise RowError(f"`{name}` is no finite number")
    return value
