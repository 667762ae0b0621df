"""The methods that read. docs/protocol.md lists them with their parameters and results."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any

from bswirl.errors import UsageError
from bswirl.owner.audit import audit_conflicts, audit_flags, audit_position, audit_record
from bswirl.owner.certificates import certificates
from bswirl.owner.selections import filters_of, selection_counts, selections
from bswirl.owner.session import Session
from bswirl.store import curves, queries
from bswirl.store.candidates import read_group_verdicts, read_prompt, read_question_shifts
from bswirl.store.database import snapshot
from bswirl.store.exports import export_samples
from bswirl.store.fields import INT64, Fields
from bswirl.store.flips import compare_judges
from bswirl.store.growing import select_to_grow
from bswirl.store.judges import list_judges
from bswirl.store.labels import newest_labels
from bswirl.store.runs import find_run, list_runs
from bswirl.store.sample_tokens import read_action_tokens
from bswirl.store.selection import Outcome, Scope, select_questions, select_to_judge, select_to_train
from bswirl.store.trees import read_action, read_tree

MOST_ROWS = 100_000

Stream = Generator[Any, None, dict[str, Any]]

_SELECTIONS = {
    "generate": {"dataset", "split", "limit"},
    "grow": {"dataset", "split", "limit", "runs", "round_size", "most", "dead_below"},
    "evaluate": {"dataset", "split", "limit"},
    "judge": {"dataset", "split", "limit", "judge", "model", "prompt_sha", "again", "runs"},
    "train": {
        "dataset",
        "split",
        "limit",
        "filter",
        "difficulty",
        "difficulty_by",
        "probe_fraction",
        "seed",
    },
}


def _stats(session: Session, _params: Fields) -> Any:
    session.owner.counting.freshen()
    with snapshot(session.cursor) as cursor:
        return queries.count_everything(cursor)


def _questions(session: Session, params: Fields) -> Any:
    session.owner.counting.freshen()
    with snapshot(session.cursor) as cursor:
        offset, limit = params.optional_integer("offset") or 0, _limit(params, 200)
        rows, total = queries.list_questions(cursor, offset=offset, limit=limit, **_listing(params))
    return {"rows": rows, "total": total}


def _question_place(session: Session, params: Fields) -> Any:
    session.owner.counting.freshen()
    with snapshot(session.cursor) as cursor:
        return queries.place_of_question(cursor, params.integer("question_id"), **_listing(params))


def _listing(params: Fields) -> dict[str, Any]:
    """Which questions a list holds, and in which order."""
    return {
        "search": params.optional_text("search") or "",
        "dataset": params.optional_text("dataset"),
        "split": params.optional_text("split"),
        "only": params.optional_text("filter") or "all",
        "sort": params.optional_text("sort") or "id",
        "descending": bool(params.flag("descending")),
    }


def _datasets(session: Session, _params: Fields) -> Any:
    return queries.list_datasets(session.cursor)


def _tree(session: Session, params: Fields) -> Any:
    address = params.number_or_text("question")
    with snapshot(session.cursor) as cursor:
        return read_tree(cursor, address)


def _action(session: Session, params: Fields) -> Any:
    action_id = params.integer("action_id", high=INT64)
    with snapshot(session.cursor) as cursor:
        return read_action(cursor, action_id)


def _action_tokens(session: Session, params: Fields) -> Any:
    action_id = params.integer("action_id", high=INT64)
    with snapshot(session.cursor) as cursor:
        return read_action_tokens(cursor, action_id, _limit(params, 100))


def _labels(session: Session, params: Fields) -> Any:
    return newest_labels(session.cursor, _limit(params, 50), params.optional_text("auditor"))


def _runs(session: Session, params: Fields) -> Any:
    return list_runs(
        session.cursor, session.owner.project.root, params.optional_text("kind"), _limit(params, 200)
    )


def _run(session: Session, params: Fields) -> Any:
    return find_run(session.cursor, session.owner.project.root, params.integer("run_id"))


def _metrics(session: Session, params: Fields) -> Any:
    after = params.optional_integer("after", low=-INT64, high=INT64)
    until = params.optional_integer("until", low=-INT64, high=INT64)
    most = params.optional_integer("most", low=2)
    shares = bool(params.flag("shares"))
    with snapshot(session.cursor) as cursor:
        return curves.read_metrics(
            cursor,
            params.integer("run_id"),
            after,
            most,
            until=until,
            names=params.texts("names"),
            shares=shares,
        )


def _shifts(session: Session, params: Fields) -> Any:
    step = params.optional_integer("step", high=INT64)
    with snapshot(session.cursor) as cursor:
        return curves.read_shifts(cursor, params.integer("run_id"), step)


def _moved(session: Session, params: Fields) -> Any:
    until = params.optional_integer("until", high=INT64)
    with snapshot(session.cursor) as cursor:
        return curves.read_moved(cursor, params.integer("run_id"), until, _limit(params, 50))


def _question_shifts(session: Session, params: Fields) -> Any:
    with snapshot(session.cursor) as cursor:
        return read_question_shifts(cursor, params.integer("question_id"), params.optional_integer("run_id"))


def _group_verdicts(session: Session, params: Fields) -> Any:
    with snapshot(session.cursor) as cursor:
        return read_group_verdicts(cursor, params.integer("action_id", high=INT64))


def _prompt(session: Session, params: Fields) -> Any:
    return read_prompt(session.cursor, params.text("sha"))


def _answers(session: Session, params: Fields) -> Any:
    with snapshot(session.cursor) as cursor:
        return queries.read_answers(cursor, params.integer("run_id"))


def _judges(session: Session, _params: Fields) -> Any:
    return list_judges(session.cursor)


def _judge_flips(session: Session, params: Fields) -> Any:
    first, second = params.number_or_text("a"), params.number_or_text("b")
    with snapshot(session.cursor) as cursor:
        return compare_judges(cursor, first, second, _limit(params, 50))


def _ingest_errors(session: Session, params: Fields) -> Any:
    return queries.read_ingest_errors(session.cursor, params.optional_integer("run_id"), _limit(params, 50))


def _limit(params: Fields, default: int) -> int:
    limit = params.optional_integer("limit")
    return min(default if limit is None else limit, MOST_ROWS)


def _export(session: Session, params: Fields) -> Stream:
    dataset = params.optional_text("dataset")
    count = 0
    with snapshot(session.cursor) as cursor:
        for row in export_samples(cursor, dataset):
            count += 1
            yield row
    return {"rows": count}


def _select(session: Session, params: Fields) -> Stream:
    kind = params.text("kind")
    if kind not in _SELECTIONS:
        raise UsageError(f"nothing can be selected for `{kind}`", f"kinds are {', '.join(_SELECTIONS)}")
    unknown = params.names() - _SELECTIONS[kind] - {"kind"}
    if unknown:
        raise UsageError(
            f"`{min(unknown)}` is no filter for {kind} runs",
            f"filters are {', '.join(sorted(_SELECTIONS[kind]))}",
        )
    outcome = Outcome()
    with snapshot(session.cursor) as cursor:
        yield from _selection(cursor, kind, params, outcome)
    return outcome.to_json()


def _selection(cursor: Any, kind: str, params: Fields, outcome: Outcome) -> Iterable[Any]:
    splits = params.texts("split")
    scope = Scope(
        params.optional_text("dataset"),
        splits or (("train",) if kind == "train" else ()),
        params.optional_integer("limit", low=-INT64, high=INT64),
    )
    if kind == "judge":
        return select_to_judge(
            cursor,
            scope,
            outcome,
            judge=params.text("judge"),
            model=params.optional_text("model"),
            prompt_sha=params.optional_text("prompt_sha"),
            again=bool(params.flag("again")),
            runs=params.integers("runs") if "runs" in params.names() else None,
        )
    if kind == "grow":
        return select_to_grow(
            cursor,
            scope,
            outcome,
            runs=params.integers("runs"),
            round_size=params.integer("round_size", low=1),
            most=params.integer("most", low=1),
            dead_below=params.number("dead_below") or 0.0,
        )
    if kind == "train":
        return select_to_train(
            cursor,
            scope,
            outcome,
            probe_fraction=params.number("probe_fraction") or 0.0,
            seed=params.optional_integer("seed", low=-INT64, high=INT64) or 0,
            filters=filters_of(params),
        )
    return select_questions(cursor, scope, outcome, prefer_test=kind == "evaluate")


READING: dict[str, Callable[[Session, Fields], Any]] = {
    "stats": _stats,
    "questions": _questions,
    "question_place": _question_place,
    "datasets": _datasets,
    "tree": _tree,
    "action": _action,
    "action_tokens": _action_tokens,
    "labels": _labels,
    "runs": _runs,
    "run": _run,
    "metrics": _metrics,
    "shifts": _shifts,
    "question_shifts": _question_shifts,
    "group_verdicts": _group_verdicts,
    "prompt": _prompt,
    "moved": _moved,
    "answers": _answers,
    "judges": _judges,
    "judge_flips": _judge_flips,
    "certificates": certificates,
    "selections": selections,
    "selection_counts": selection_counts,
    "audit_position": audit_position,
    "audit_conflicts": audit_conflicts,
    "audit_flags": audit_flags,
    "ingest_errors": _ingest_errors,
}
STREAMS: dict[str, Callable[[Session, Fields], Stream]] = {
    "export_samples": _export,
    "select": _select,
    "audit_record": audit_record,
}
