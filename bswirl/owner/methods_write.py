"""The methods that change something. docs/protocol.md lists them with their parameters and results."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from bswirl.errors import BswirlError, InputError, UsageError
from bswirl.interchange import PlacedQuestion, PlacedSample
from bswirl.owner.adoption import attach, register
from bswirl.owner.audit import audit_flag, audit_keep, audit_label, audit_next, audit_undo
from bswirl.owner.certificates import certificate_add
from bswirl.owner.selections import selection_delete, selection_save
from bswirl.owner.session import Session
from bswirl.records import LABEL_VALUES, SPLITS, NewQuestion, from_json
from bswirl.runs.folder import RunFolder
from bswirl.runs.locks import lock_holder
from bswirl.store.fields import INT64, Fields, RowError
from bswirl.store.imports import (
    QuestionCounts,
    SampleCounts,
    abandon_import,
    end_import,
    import_questions,
    import_samples,
)
from bswirl.store.judges import list_judges, rank_judge
from bswirl.store.labels import NewLabel, label_by_uid, set_label, undo_label
from bswirl.store.runs import find_run, restart_run
from bswirl.store.statistics import forget_statistics
from bswirl.store.votes import adjudicate
from bswirl.store.writing import StoreWriter

_IMPORTABLE_LABELS = {None, *LABEL_VALUES} - {"withdrawn"}
QUESTIONS_A_TRANSACTION = 2000
SAMPLES_A_TRANSACTION = 2000

Upload = Iterable[Any]
Item = TypeVar("Item")


def _label_set(session: Session, params: Fields) -> Any:
    new = NewLabel(
        client_uid=params.optional_text("client_uid") or str(uuid.uuid4()),
        action_id=params.integer("action_id", high=INT64),
        value=params.text("value"),
        auditor=params.optional_text("auditor") or session.auditor,
        reason=params.optional_text("reason"),
        blind=params.flag("blind"),
        adjudicates=bool(params.flag("adjudicates")),
        flagged=bool(params.flag("flagged")),
        peer_uid=session.peer_uid,
        withdraws=params.optional_text("withdraws"),
    )
    since = params.optional_integer("since", high=INT64)
    if new.adjudicates and since is not None:
        return session.owner.writer.write(lambda store: adjudicate(store, new, since))
    label = session.owner.writer.write(lambda store: set_label(store, new))
    if new.withdraws is not None:
        _hold_again(session, new.withdraws)
    return label


def _hold_again(session: Session, client_uid: str) -> None:
    """Whoever takes back that very vote has its step before them again."""
    undone = label_by_uid(session.cursor, client_uid)
    if undone is not None and undone.draw_id is not None:
        session.owner.audit_queue.hold(undone.draw_id, session)


def _label_undo(session: Session, params: Fields) -> Any:
    client_uid = params.optional_text("client_uid") or str(uuid.uuid4())
    auditor = params.optional_text("auditor") or session.auditor
    return session.owner.writer.write(lambda store: undo_label(store, client_uid, auditor, session.peer_uid))


def _judge_rank(session: Session, params: Fields) -> Any:
    name = params.text("name")
    rank = params.optional_integer("rank", low=-INT64)
    judge_id = params.optional_integer("judge_id")

    def work(store: StoreWriter) -> Any:
        rank_judge(store, name, rank, judge_id)
        return list_judges(store.cursor)

    return session.owner.writer.write(work)


def _run_register(session: Session, params: Fields) -> Any:
    owner = session.owner
    run_id = register(
        owner.project,
        owner.writer,
        run_uid=params.text("run_uid"),
        kind=params.text("kind"),
        name=params.text("name"),
        config=params.object("config"),
        input_sha=params.text("input_sha"),
        created_by=session.auditor,
    )
    return find_run(session.cursor, owner.project.root, run_id)


def _run_attach(session: Session, params: Fields) -> Any:
    owner = session.owner
    folder = Path(params.text("folder"))
    if not folder.is_absolute() or not folder.is_dir():
        raise InputError(f"{folder} is no folder", "name a run's folder by its absolute path")
    run_id = attach(owner.project, session.cursor, owner.writer, folder.resolve(), session.auditor)
    owner.tailer.catch_up(run_id, RunFolder(owner.project.run_folder(run_id)))
    return find_run(session.cursor, owner.project.root, run_id)


def _run_restart(session: Session, params: Fields) -> Any:
    owner = session.owner
    run = find_run(session.cursor, owner.project.root, params.integer("run_id"))
    if run.folder:
        folder = RunFolder(Path(run.folder))
        owner.tailer.catch_up(run.run_id, folder)
        holder = lock_holder(folder.lock_file)
        if holder is not None:
            raise InputError(
                f"run {run.run_id} is being worked on by pid {holder.get('pid', 'unknown')}",
                "wait for it or cancel it first",
            )
    owner.writer.write(lambda store: restart_run(store, run.run_id))
    return find_run(session.cursor, owner.project.root, run.run_id)


def _rebuild_statistics(session: Session, _params: Fields) -> Any:
    count = session.owner.writer.write(forget_statistics)
    session.owner.counting.freshen()
    return {"questions": count}


def _import_questions(session: Session, _params: Fields, rows: Upload) -> Any:
    counts = QuestionCounts()
    for batch in _batches((_question(row) for row in rows), QUESTIONS_A_TRANSACTION, lambda _: 1):

        def work(store: StoreWriter, batch: list[NewQuestion] = batch) -> QuestionCounts:
            done = QuestionCounts()
            with store.transaction():
                import_questions(store, batch, done)
            return done

        done = session.owner.writer.write_bulk(work)
        counts.new += done.new
        counts.known += done.known
        counts.changed += done.changed
    return dataclasses.asdict(counts)


def _import_samples(session: Session, params: Fields, rows: Upload) -> Any:
    name = params.text("name")
    run_uid = str(uuid.uuid4())
    counts = SampleCounts(created_by=session.auditor)
    placed = (_placed(row) for row in rows)
    try:
        for batch in _batches(placed, SAMPLES_A_TRANSACTION, lambda question: len(question.samples)):

            def work(store: StoreWriter, batch: list[PlacedQuestion] = batch) -> None:
                with store.transaction():
                    import_samples(store, batch, name, run_uid, counts)

            session.owner.writer.write_bulk(work)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        with suppress(BswirlError):
            session.owner.writer.write(lambda store: abandon_import(store, counts, reason))
        raise
    session.owner.writer.write(lambda store: end_import(store, counts))
    told = dataclasses.asdict(counts)
    del told["created_by"]
    return told


def _question(row: Any) -> NewQuestion:
    """Raises InputError where a row is no question."""
    fields = Fields(row, "a question")
    question = NewQuestion(
        dataset=fields.text("dataset"),
        split=fields.text("split"),
        external_id=fields.text("external_id"),
        text=fields.text("text"),
        gold=fields.optional_text("gold"),
        solution=fields.optional_text("solution"),
    )
    if question.split not in SPLITS:
        raise UsageError(f"`{question.split}` is no split", f"splits are {', '.join(SPLITS)}")
    return question


def _placed(row: Any) -> PlacedQuestion:
    fields = Fields(row, "a placed question")
    question = _question(fields.object("question"))
    return PlacedQuestion(question, tuple(_sample(sample) for sample in fields.items("samples")))


def _sample(row: Any) -> PlacedSample:
    fields = Fields(row, "a placed sample")
    fields.text("trajectory_id")
    fields.text("action")
    fields.integer("step", low=1)
    fields.integer("branch_id")
    for name in ("judge", "rationale", "auditor"):
        fields.optional_text(name)
    if fields.optional_text("label") not in _IMPORTABLE_LABELS:
        raise RowError(f"labels are {', '.join(LABEL_VALUES)}")
    fields.number("reward")
    fields.number("logprob")
    fields.optional_integer("n_tokens")
    return from_json(PlacedSample, row)


def _batches(items: Iterable[Item], size: int, weight: Callable[[Item], int]) -> Iterator[list[Item]]:
    """`items` in lists of about `size` by weight."""
    iterator = iter(items)
    while first := list(islice(iterator, 1)):
        batch, total = first, weight(first[0])
        while total < size and (item := next(iterator, None)) is not None:
            batch.append(item)
            total += weight(item)
        yield batch


WRITING: dict[str, Callable[[Session, Fields], Any]] = {
    "label_set": _label_set,
    "label_undo": _label_undo,
    "audit_next": audit_next,
    "audit_keep": audit_keep,
    "audit_label": audit_label,
    "audit_undo": audit_undo,
    "audit_flag": audit_flag,
    "judge_rank": _judge_rank,
    "certificate_add": certificate_add,
    "selection_save": selection_save,
    "selection_delete": selection_delete,
    "run_register": _run_register,
    "run_attach": _run_attach,
    "run_restart": _run_restart,
    "rebuild_statistics": _rebuild_statistics,
}
UPLOADS: dict[str, Callable[[Session, Fields, Upload], Any]] = {
    "import_questions": _import_questions,
    "import_samples": _import_samples,
}
