"""A store of its own for a test, and journals to feed it with."""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from bswirl.records import NewQuestion
from bswirl.store.database import open_database
from bswirl.store.draw_mirror import recover_draws
from bswirl.store.imports import QuestionCounts, import_questions
from bswirl.store.ingest import ingest, ingested_up_to, split_lines
from bswirl.store.labels import NewLabel, recover_labels, set_label
from bswirl.store.mirror import Mirror
from bswirl.store.runs import register_run
from bswirl.store.writing import StoreWriter

RUN_UID = "0a1b2c3d-0000-4000-8000-00000000000{}"


@dataclass
class Kit:
    """A store with its writer and a cursor to look with."""

    folder: Path
    database: duckdb.DuckDBPyConnection
    writer: StoreWriter
    cursor: duckdb.DuckDBPyConnection

    def questions(
        self, count: int, *, dataset: str = "toy", split: str = "train", gold: str | None = "24"
    ) -> None:
        """Adds questions q1, q2, … to a dataset."""
        new = [
            NewQuestion(dataset, split, f"q{number}", f"Question {number} of {dataset}?", gold)
            for number in range(1, count + 1)
        ]
        with self.writer.transaction():
            import_questions(self.writer, new, QuestionCounts())

    def run(self, kind: str = "generate", number: int = 1) -> int:
        """Registers a run."""
        with self.writer.transaction():
            return register_run(
                self.writer,
                run_uid=RUN_UID.format(number),
                kind=kind,
                name=kind,
                config={"kind": kind},
                input_sha="",
                created_by="tester",
            )

    def feed(self, run_id: int, *rows: dict[str, Any] | bytes) -> None:
        """Appends rows to a run's journal, in as far as a store can tell."""
        start = ingested_up_to(self.writer, run_id)
        data = journal_bytes(rows)
        ingest(self.writer, run_id, split_lines(data, start), start + len(data))

    def label(self, action_id: int, value: str, auditor: str = "ann", **more: Any) -> str:
        """Sets a label and returns its uid."""
        uid = str(uuid.uuid4())
        with self.writer.transaction():
            set_label(self.writer, NewLabel(uid, action_id, value, auditor, **more))
        return uid

    def all(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.cursor.execute(query, list(values)).fetchall()

    def one(self, query: str, *values: Any) -> Any:
        """The single value of a query."""
        return self.all(query, *values)[0][0]

    def stale(self) -> bool:
        """Whether some question changed since it was counted."""
        return self.writer.has_stale_statistics

    def close(self) -> None:
        self.cursor.close()
        self.writer.cursor.close()
        self.database.close()
        self.writer.mirror.close()
        self.writer.draw_mirror.close()


def open_kit(folder: Path) -> Kit:
    """The store in a folder, as an owner opens it."""
    database = open_database(folder / "store.duckdb", folder / "tmp")
    writer = StoreWriter(database, Mirror(folder / "labels.jsonl"), Mirror(folder / "draws.jsonl", "draw"))
    recover_draws(writer)
    recover_labels(writer)
    return Kit(folder, database, writer, database.cursor())


@contextmanager
def kit_in(folder: Path) -> Iterator[Kit]:
    """As `open_kit`, closed at the end."""
    kit = open_kit(folder)
    try:
        yield kit
    finally:
        kit.close()


@contextmanager
def memory_folder() -> Iterator[Path]:
    """A folder in memory where there is such a file system, for tests that open many stores."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as folder:
        yield Path(folder)


def journal_bytes(rows: Sequence[dict[str, Any] | bytes]) -> bytes:
    """Rows as a journal holds them; bytes are whole lines already."""
    return b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows)


def trajectory(
    question_id: int, number: int, *steps: str, answer: bool = True, **more: Any
) -> dict[str, Any]:
    """A trajectory row; the last step is an answer unless told otherwise."""
    return {
        "t": "trajectory",
        "question_id": question_id,
        "number": number,
        "policy": "toy",
        "seed": 7,
        "temperature": 1.0,
        "prompt_sha": "p",
        "steps": [
            {
                "text": text,
                "is_answer": answer and index == len(steps),
                "n_tokens": 3,
                "logprob": -1.5,
                "finish": "stop",
            }
            for index, text in enumerate(steps, start=1)
        ],
        "answer": "24",
        "is_correct": True,
        "unparsed": None,
        **more,
    }


def branches(
    question_id: int, number: int, step: int, *texts: str, first: int = 1, **more: Any
) -> dict[str, Any]:
    """A branches row with branch numbers from `first`."""
    return {
        "t": "branches",
        "question_id": question_id,
        "number": number,
        "step": step,
        "seed": 7,
        "temperature": 1.0,
        "prompt_sha": "p",
        "samples": [
            {
                "branch_id": index,
                "text": text,
                "is_answer": False,
                "n_tokens": 2,
                "logprob": -2.5,
                "finish": "stop",
            }
            for index, text in enumerate(texts, start=first)
        ],
        "unparsed": [],
        **more,
    }


def verdict(
    action_id: int, reward: float | None, judge: str = "reference", prompt_sha: str = "r1", **more: Any
) -> dict[str, Any]:
    """A verdict row; reward None is an unjudged one."""
    return {
        "t": "verdict",
        "action_id": action_id,
        "judge": judge,
        "model": "m",
        "prompt_sha": prompt_sha,
        "status": "unjudged" if reward is None else "judged",
        "correct": None,
        "progress": None,
        "reward": reward,
        "rationale": "because",
        "raw": None,
        "latency_ms": 1,
        **more,
    }
