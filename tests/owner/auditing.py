"""A store with judged trees and its audit queue, for tests without a socket; and trees to import over one."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bswirl.audit.records import AuditRecord, Scope
from bswirl.audit.sampling import Shares, Way
from bswirl.client import Client
from bswirl.interchange import PlacedQuestion, PlacedSample
from bswirl.owner.audit_queue import AuditQueue
from bswirl.owner.drawing import Request
from bswirl.owner.writer import WriterThread
from bswirl.records import Label, NewQuestion
from bswirl.store.audit_record import read_record
from bswirl.store.draws import Draw
from bswirl.store.statistics import refresh_statistics
from bswirl.store.votes import vote
from tests.store.kit import Kit, branches, trajectory, verdict

STEPS = 3
ACTIONS_A_QUESTION = STEPS * 5


@dataclass
class Desk:
    """A kit's audit queue, asked directly."""

    kit: Kit
    queue: AuditQueue
    writer: WriterThread
    rng: random.Random

    def request(
        self, auditor: str = "ann", order: str = "unaudited", *ways: Way, uid: str | None = None, **more: Any
    ) -> Request:
        """A request whose coins fell as told; by default for the order."""
        default: tuple[Way, ...] = ("random",) if order in ("random", "depth") else ("order",)
        facts: dict[str, Any] = {
            "scope": Scope(),
            "shares": Shares(),
            "blind": True,
            "reserve": timedelta(minutes=10),
            **more,
        }
        return Request(
            client_uid=uid or str(uuid.uuid4()),
            auditor=auditor,
            peer_uid=0,
            order=order,
            ways=ways or default,
            **facts,
        )

    def next(self, auditor: str = "ann", order: str = "unaudited", *ways: Way, **more: Any) -> Draw:
        draw, why = self.queue.next(self.request(auditor, order, *ways, **more))
        assert draw is not None, why
        return draw

    def why(self, auditor: str = "ann", order: str = "unaudited", **more: Any) -> str:
        """Why there is no step."""
        draw, why = self.queue.next(self.request(auditor, order, **more))
        assert draw is None
        return why

    def vote(self, draw: Draw, value: str = "1", **more: Any) -> Label:
        facts: dict[str, Any] = {"client_uid": str(uuid.uuid4()), "auditor": draw.auditor, **more}
        return self.writer.write(lambda store: vote(store, draw.draw_id, value=value, **facts))

    def record(self) -> AuditRecord:
        refresh_statistics(self.kit.writer)
        return read_record(self.kit.cursor)


@contextmanager
def desk_on(kit: Kit, seed: int = 0) -> Iterator[Desk]:
    """The queue of a kit, with a writer thread."""
    writer = WriterThread(kit.writer, lambda _: None, lambda _: None)
    writer.start()
    rng = random.Random(seed)
    cursor = kit.database.cursor()
    try:
        yield Desk(kit, AuditQueue(cursor, writer, rng), writer, rng)
    finally:
        writer.stop()
        cursor.close()


def grow(kit: Kit, questions: int, run: int = 1) -> int:
    """Questions with one trajectory of three steps and four branches at each; returns the run."""
    kit.questions(questions)
    run_id = kit.run(number=run)
    for question in range(1, questions + 1):
        steps = [f"Step {step} of {question}" for step in range(1, STEPS + 1)]
        kit.feed(run_id, trajectory(question, 0, *steps, answer=False))
        for step in range(1, STEPS + 1):
            kit.feed(
                run_id,
                branches(question, 0, step, *(f"Way {way} of {step} of {question}" for way in range(4))),
            )
    return run_id


def judge_all(kit: Kit, run: int = 2, seed: int = 0, **more: Any) -> dict[int, float]:
    """Every action judged by `model`, seven in ten good; returns the rewards."""
    rng = random.Random(seed)
    rewards = {}
    for (action_id,) in kit.all("SELECT action_id FROM actions ORDER BY action_id"):
        rewards[action_id] = float(rng.random() < 0.7)
    run_id = kit.run("judge", run)
    kit.feed(run_id, *(verdict(number, reward, "model", **more) for number, reward in rewards.items()))
    rank_first(kit, "model")
    return rewards


def rank_first(kit: Kit, name: str) -> None:
    from bswirl.store.judges import rank_judge

    with kit.writer.transaction():
        rank_judge(kit.writer, name, 1)


def import_trees(client: Client, questions: int, seed: int = 0, judge: str = "model") -> None:
    """The same trees over the socket, judged seven in ten good."""
    rng = random.Random(seed)
    placed = []
    for question in range(1, questions + 1):
        taken: list[str] = []
        samples = []
        for step in range(1, STEPS + 1):
            for branch in range(5):
                text = f"Step {step}, way {branch} of {question}"
                samples.append(
                    PlacedSample(
                        "t0",
                        step,
                        branch,
                        branch == 0,
                        tuple(taken),
                        text,
                        False,
                        reward=float(rng.random() < 0.7),
                        judge=judge,
                    )
                )
            taken.append(f"Step {step}, way 0 of {question}")
        new = NewQuestion("toy", "train", f"q{question}", f"Question {question}?", "24")
        placed.append(PlacedQuestion(new, tuple(samples)))
    client.import_samples(placed, "trees")
