"""Run folders coming into the project: new ones get their number, ones worked on elsewhere come home."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from bswirl.errors import BswirlError, InputError, UsageError
from bswirl.owner.writer import WriterThread
from bswirl.project import Project
from bswirl.runs.folder import RunFolder, sync_folder
from bswirl.runs.locks import FileLock, lock_holder, this_process
from bswirl.store.database import Cursor
from bswirl.store.lookups import action_texts, question_contents
from bswirl.store.runs import check_run_uid, register_run, run_id_of
from bswirl.store.writing import StoreWriter

CHECKED_ROWS = 100  # of a run's input at a time
_FINISHING = threading.Lock()  # a repeated registration must not come in between
_KEPT_AT_HOME = {"config.json", "input.jsonl", "journal.jsonl", "lock", "cancel", "reserve"}


def draft_folder(project: Project, run_uid: str) -> Path:
    """Where a client prepares a run that has no number yet."""
    return project.runs_folder / f".new-{run_uid}"


def register(
    project: Project,
    writer: WriterThread,
    *,
    run_uid: str,
    kind: str,
    name: str,
    config: dict[str, Any],
    input_sha: str,
    created_by: str,
) -> int:
    """Gives a prepared run its number and its folder that name. Repeating it is harmless.

    Raises UsageError on an unfit uid or kind, InputError where nothing was prepared.
    """
    check_run_uid(run_uid)
    if kind == "import":
        raise UsageError("imports make their runs themselves", "use import_samples")
    draft = draft_folder(project, run_uid)

    def work(store: StoreWriter) -> int:
        known = run_id_of(store.cursor, run_uid)
        if known is None and not (draft / "input.jsonl").is_file():
            raise InputError(f"{draft} holds no input.jsonl", "write the run's input there first")
        return known or register_run(
            store,
            run_uid=run_uid,
            kind=kind,
            name=name,
            config=config,
            input_sha=input_sha,
            created_by=created_by,
        )

    run_id = writer.write(work)
    finish_registration(project, writer, run_id)
    return run_id


def finish_registration(project: Project, writer: WriterThread, run_id: int) -> None:
    """Writes a registered run's config and names its folder, as far as that was not done yet."""

    def read(store: StoreWriter) -> tuple[Any, ...]:
        return store.cursor.execute(
            "SELECT run_uid, kind, name, config, input_sha, created_by, created_at FROM runs"
            " WHERE run_id = ?",
            [run_id],
        ).fetchall()[0]

    with _FINISHING:
        _name_folder(project, run_id, writer.write(read))


def _name_folder(project: Project, run_id: int, registered: tuple[Any, ...]) -> None:
    run_uid, kind, name, config, input_sha, created_by, created_at = registered
    draft, home = draft_folder(project, run_uid), project.run_folder(run_id)
    if home.is_dir() or not draft.is_dir():
        return
    RunFolder(draft).write_config(
        {
            **json.loads(config),
            "run_id": run_id,
            "run_uid": run_uid,
            "kind": kind,
            "name": name,
            "created_by": created_by,
            "created_at": f"{created_at.isoformat(timespec='milliseconds')}Z",
            "input_sha256": input_sha,
        }
    )
    draft.rename(home)
    sync_folder(project.runs_folder)


def finish_registrations(project: Project, writer: WriterThread) -> None:
    """Does for every queued run what a killed owner left undone."""
    rows = writer.write(
        lambda store: store.cursor.execute(
            "SELECT run_id FROM runs WHERE status = 'queued' AND kind <> 'import'"
        ).fetchall()
    )
    for (run_id,) in rows:
        finish_registration(project, writer, run_id)


def attach(project: Project, cursor: Cursor, writer: WriterThread, folder: Path, created_by: str) -> int:
    """Takes in a run folder from elsewhere and returns the run's number.

    A run that this project does not know is copied in whole; of one that it knows, what was added elsewhere.
    Raises InputError where the folder is no run of this project, is being worked on, or holds other results.
    """
    run = RunFolder(folder)
    config = run.read_config()
    run.check_input()
    run_uid = str(config.get("run_uid"))
    check_run_uid(run_uid)
    _refuse_if_held(run)
    run_id = run_id_of(cursor, run_uid)
    if run_id is not None:
        home = RunFolder(project.run_folder(run_id))
        if home.path.is_dir() and not home.path.samefile(folder):
            _bring_home(run, home)
        return run_id
    _check_fits(cursor, run)
    draft = draft_folder(project, run_uid)
    if folder != draft:
        _copy_whole(folder, draft)
    return register(
        project,
        writer,
        run_uid=run_uid,
        kind=str(config["kind"]),
        name=str(config.get("name") or config["kind"]),
        config=config,
        input_sha=str(config.get("input_sha256")),
        created_by=str(config.get("created_by") or created_by),
    )


def _refuse_if_held(run: RunFolder) -> None:
    holder = lock_holder(run.lock_file)
    if holder is not None:
        raise InputError(
            f"{run.path} is being worked on by pid {holder.get('pid', 'unknown')}", "wait until that ends"
        )


def _copy_whole(source: Path, draft: Path) -> None:
    try:
        if draft.exists():
            shutil.rmtree(draft)
        shutil.copytree(source, draft, ignore=shutil.ignore_patterns("lock", "cancel", "reserve"))
        for path in draft.rglob("*"):
            if path.is_file():
                _sync_file(path)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise _copy_error(source, error) from error


def _bring_home(away: RunFolder, home: RunFolder) -> None:
    """Adds to a run's folder what was added to a copy of it; the journal last, and in one go."""
    lock = FileLock(home.lock_file)
    if not lock.acquire(this_process(), patience=1.0):
        _refuse_if_held(home)
    try:
        mine, theirs = _whole_lines(home), _whole_lines(away)
        if mine.startswith(theirs):
            return
        if not theirs.startswith(mine):
            raise InputError(
                f"{away.path} holds other results than {home.path}", "a run goes on from its own journal only"
            )
        for entry in away.path.iterdir():
            if entry.name not in _KEPT_AT_HOME:
                _replace(entry, home.path / entry.name)
        draft = home.path / "journal.new"
        draft.write_bytes(theirs)
        _sync_file(draft)
        draft.replace(home.journal_file)
        sync_folder(home.path)
    except OSError as error:
        raise _copy_error(away.path, error) from error
    finally:
        lock.release()


def _whole_lines(run: RunFolder) -> bytes:
    """A run's journal without the torn line that a kill can leave at its end."""
    journal = run.journal_file.read_bytes() if run.journal_file.exists() else b""
    return journal[: journal.rfind(b"\n") + 1]


def _replace(source: Path, target: Path) -> None:
    draft = target.with_name(f".new-{target.name}")
    if draft.is_dir():
        shutil.rmtree(draft)
    if source.is_dir():
        shutil.copytree(source, draft)
        if target.exists():
            shutil.rmtree(target)
    else:
        shutil.copy2(source, draft)
    draft.replace(target)


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy_error(source: Path, error: OSError) -> BswirlError:
    return BswirlError(
        f"{source} could not be copied: {error.strerror or error}", "free some space, then attach it again"
    )


def _check_fits(cursor: Cursor, run: RunFolder) -> None:
    """Raises InputError where the run's questions or actions are not the ones of those numbers here."""
    rows = run.input_rows()
    try:
        while block := list(islice(rows, CHECKED_ROWS)):
            _check_block(cursor, run, dict(_questions(block)), dict(_actions(block)))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{run.input_file}: not a run's input: {error!r}", "attach a run folder") from error


def _check_block(
    cursor: Cursor, run: RunFolder, questions: dict[int, tuple[str, str, str]], actions: dict[int, str]
) -> None:
    stored = question_contents(cursor, questions)
    stored_actions = action_texts(cursor, actions)
    fits = all(stored.get(number) == content for number, content in questions.items()) and all(
        stored_actions.get(number) == text for number, text in actions.items()
    )
    if not fits:
        raise InputError(
            f"{run.path} is a run of another project: its questions or steps are not the ones stored here",
            "attach it to the project it was made in",
        )


def _questions(rows: list[dict[str, Any]]) -> Iterator[tuple[int, tuple[str, str, str]]]:
    for row in rows:
        question = row["tree"]["question"] if "tree" in row else row
        yield question["question_id"], (question["dataset"], question["external_id"], question["text"])


def _actions(rows: list[dict[str, Any]]) -> Iterator[tuple[int, str]]:
    for row in rows:
        if "tree" in row:
            for action in row["tree"]["actions"]:
                yield action["action_id"], action["text"]
