"""kill -9 at any moment: nothing twice, nothing missing, nothing acknowledged lost."""

from __future__ import annotations

import json
import random
import signal
import threading
import time
import uuid
from contextlib import closing, suppress
from typing import Any

from bswirl.client import connect
from bswirl.project import Project
from bswirl.store.database import open_database
from bswirl.store.draws import draws_after
from tests.owner.auditing import import_trees
from tests.owner.kit import Wire, append, kill, start_owner, wait_for, worker_of
from tests.store.kit import branches, trajectory

KILLS = 10
QUESTIONS = 40


def rows(rng: random.Random) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for question in range(1, QUESTIONS + 1):
        for number in range(3):
            steps = [f"Step {step}: {rng.choice('abc')} {'x' * 200}" for step in range(1, 6)]
            found.append(trajectory(question, number, *steps))
            found += [
                branches(
                    question,
                    number,
                    step,
                    *(f"alternative {rng.choice('abcd')} {'y' * 200}" for _ in range(4)),
                )
                for step in range(1, 6)
            ]
    found += [{"t": "metrics", "step": step, "values": {"loss": 1.0 / step}} for step in range(1, 500)]
    return found


class TestKills:
    def test_ingestion_is_exactly_once(self, project: Project) -> None:
        """The owner is killed at random moments while a worker writes; at the end every row is there once."""
        rng = random.Random(20)
        journal = rows(rng)
        owner = start_owner(project)
        with Wire(project) as wire:
            wire.questions(QUESTIONS)
            run = wire.register(project)
        done = threading.Event()

        def work() -> None:
            for start in range(0, len(journal), 12):
                append(run["folder"], *journal[start : start + 12])
                time.sleep(0.02)
            append(run["folder"], {"t": "end", "status": "done", "exit_code": 0})
            done.set()

        with worker_of(run["folder"]):
            worker = threading.Thread(target=work)
            worker.start()
            for _ in range(KILLS):
                time.sleep(rng.uniform(0.05, 0.4))
                kill(owner, project=project)
                owner = start_owner(project)
            worker.join()
        with Wire(project) as wire:
            wait_for(lambda: wire.call("run", run_id=1)["status"] == "done")
            stats = wire.call("stats")
            curve = wire.call("metrics", run_id=1)["loss"]
            exported, _ = wire.stream("export_samples")
        kill(owner, signal.SIGTERM)
        assert (stats["trajectories"], stats["samples"]) == (QUESTIONS * 3, QUESTIONS * 3 * 25)
        assert stats["ingest_errors"] == 0
        assert [step for step, _ in curve] == list(range(1, 500))
        places = [
            (row["question_id"], row["trajectory_id"], row["step"], row["branch_id"]) for row in exported
        ]
        assert len(set(places)) == len(places) == QUESTIONS * 3 * 25
        assert done.is_set()

    def test_acknowledged_labels_survive(self, project: Project) -> None:
        """Labels sent while the owner dies: each acknowledged one is there, each sent one at most once."""
        rng = random.Random(7)
        owner = start_owner(project)
        with Wire(project) as wire:
            wire.questions(1)
            run = wire.register(project)
            with worker_of(run["folder"]):
                append(run["folder"], trajectory(1, 0, *"abcdefgh"), {"t": "end", "status": "done"})
                wait_for(lambda: wire.call("run", run_id=1)["status"] == "done")
        acknowledged: dict[str, str] = {}
        sent: set[str] = set()
        for _ in range(KILLS):
            before = len(acknowledged)
            stop = threading.Timer(rng.uniform(0.0, 0.3), owner.kill)
            try:
                with Wire(project) as wire:
                    while True:
                        if len(acknowledged) == before + 1:  # this owner has acknowledged its first label
                            stop.start()
                        uid, value = str(uuid.uuid4()), rng.choice("01")
                        sent.add(uid)
                        label = wire.call(
                            "label_set", client_uid=uid, action_id=rng.randint(1, 8), value=value
                        )
                        acknowledged[label["client_uid"]] = label["value"]
            except ConnectionError:
                pass
            if stop.ident is not None:  # the owner lived to acknowledge one
                stop.join()
            kill(owner, project=project)
            owner = start_owner(project)
        with Wire(project) as wire:
            stored = wire.call("labels", limit=100_000)
        kill(owner, signal.SIGTERM)
        values = {label["client_uid"]: label["value"] for label in stored}
        assert len(values) == len(stored)
        assert len(acknowledged) >= KILLS
        assert acknowledged.items() <= values.items()
        assert set(values) <= sent
        mirrored = [json.loads(line)["client_uid"] for line in project.labels_file.read_bytes().splitlines()]
        assert sorted(mirrored) == sorted(values)

    def test_acknowledged_draws_survive(self, project: Project) -> None:
        """An auditor asks and votes while the owner dies: store and mirror have each step that was shown.

        No request drew twice; no vote is of a draw that is not there.
        """
        rng = random.Random(11)
        owner = start_owner(project)
        with connect(project) as client:
            import_trees(client, 20)
        shown: set[tuple[int, int]] = (
            set()
        )  # an owner that was killed before the vote leaves one for the next
        asked: set[str] = set()
        for _ in range(KILLS):
            before = len(shown)
            stop = threading.Timer(rng.uniform(0.0, 0.4), owner.kill)
            with suppress(ConnectionError), Wire(project) as wire:
                while True:
                    if len(shown) == before + 1:  # this owner has shown its first step
                        stop.start()
                    uid = str(uuid.uuid4())
                    asked.add(uid)
                    order = rng.choice(("random", "depth", "unaudited"))
                    item = wire.call("audit_next", client_uid=uid, order=order)["item"]
                    shown.add((item["draw_id"], item["detail"]["action"]["action_id"]))
                    wire.call(
                        "audit_label",
                        client_uid=str(uuid.uuid4()),
                        draw_id=item["draw_id"],
                        value=rng.choice("01"),
                    )
            stop.join()
            kill(owner, project=project)
            owner = start_owner(project)
        kill(owner, signal.SIGTERM)
        with closing(open_database(project.store_file, project.state_folder / "tmp")) as database:
            draws = draws_after(database, 0)
            voted = {
                draw_id
                for (draw_id,) in database.execute("SELECT DISTINCT draw_id FROM label_facts").fetchall()
            }
        stored = {(draw.draw_id, draw.action_id) for draw in draws}
        assert len(shown) > KILLS
        assert shown <= stored
        assert {draw.client_uid for draw in draws if not draw.met} <= asked
        assert voted <= {draw.draw_id for draw in draws}
        mirrored = [json.loads(line) for line in project.draws_file.read_bytes().splitlines()]
        assert [(line["draw_id"], line["client_uid"], line["inclusion"]) for line in mirrored] == [
            (draw.draw_id, draw.client_uid, draw.inclusion) for draw in draws
        ]
