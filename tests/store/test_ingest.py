"""From journals to trees: content addressing, bad lines, exactly once."""

from __future__ import annotations

import math
import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bswirl.store.curves import read_metrics, read_shifts
from bswirl.store.forest import Forest
from bswirl.store.ingest import ingest, ingested_up_to, split_lines
from bswirl.store.queries import read_answers, read_ingest_errors
from bswirl.store.runs import find_run
from bswirl.store.trees import read_action, read_tree
from tests.store.kit import Kit, branches, journal_bytes, kit_in, memory_folder, trajectory, verdict


def contents(kit: Kit) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that ingestion stores, times aside."""
    found = {
        name: kit.all(f"SELECT * FROM {name} ORDER BY ALL")
        for name in (
            "trajectories",
            "states",
            "actions",
            "samples",
            "unparsed",
            "shifts",
            "answers",
            "ingest_offsets",
        )
    }
    found["verdicts"] = kit.all("SELECT * EXCLUDE created_at FROM verdicts ORDER BY ALL")
    found["metrics"] = kit.all("SELECT * EXCLUDE created_at FROM metrics ORDER BY ALL")
    found["ingest_errors"] = kit.all("SELECT * EXCLUDE created_at FROM ingest_errors ORDER BY ALL")
    return found


class TestTrees:
    def test_equal_steps_at_a_state_are_one_action(self, kit: Kit) -> None:
        """Two trajectories that begin alike share state and action, with two samples."""
        kit.questions(1)
        run = kit.run()
        kit.feed(run, trajectory(1, 0, "a", "b", "Answer: 24"), trajectory(1, 1, "a", "c", "Answer: 24"))
        tree = read_tree(kit.cursor, 1)
        prefixes = tree.prefixes()
        found = {(prefixes[a.state_id], a.text): (a.samples, a.backbone, a.is_answer) for a in tree.actions}
        assert found == {
            ((), "a"): (2, 2, False),
            (("a",), "b"): (1, 1, False),
            (("a",), "c"): (1, 1, False),
            (("a", "b"), "Answer: 24"): (1, 1, True),
            (("a", "c"), "Answer: 24"): (1, 1, True),
        }
        assert [state.depth for state in tree.states] == [0, 1, 2, 2]

    def test_branches_join_the_state_of_their_step(self, kit: Kit) -> None:
        """Branches hang beside the backbone's step; one equal to it is one more sample of it."""
        kit.questions(1)
        run = kit.run()
        kit.feed(run, trajectory(1, 0, "a", "b", "Answer: 24"), branches(1, 0, 2, "b", "x", "x", "y"))
        tree = read_tree(kit.cursor, 1)
        group = {a.text: (a.samples, a.backbone) for a in tree.actions if a.depth == 2}
        assert group == {"b": (2, 1), "x": (2, 0), "y": (1, 0)}
        assert kit.one("SELECT count(*) FROM samples WHERE NOT is_backbone") == 4

    def test_the_same_text_at_another_state_is_another_action(self, kit: Kit) -> None:
        """Content addressing is by the exact steps before, spaces included."""
        kit.questions(1)
        kit.feed(
            kit.run(), trajectory(1, 0, "a", "b", answer=False), trajectory(1, 1, "a ", "b", answer=False)
        )
        assert kit.one("SELECT count(*) FROM actions") == 4

    def test_groups_join_runs(self, kit: Kit) -> None:
        """A second run's equal steps are samples of the first one's actions."""
        kit.questions(1)
        first, second = kit.run(number=1), kit.run(number=2)
        kit.feed(first, trajectory(1, 0, "a", "Answer: 24"))
        kit.writer.forest.forget()
        kit.feed(second, trajectory(1, 0, "a", "Answer: 25"), branches(1, 0, 1, "a"))
        assert kit.all(
            "SELECT text, count(*) FROM samples JOIN actions USING (action_id) GROUP BY ALL ORDER BY 1"
        ) == [
            ("Answer: 24", 1),
            ("Answer: 25", 1),
            ("a", 3),
        ]

    def test_branches_find_their_trajectory_after_a_restart(self, kit: Kit) -> None:
        """What the cache forgot is read from the store, also the step behind the last one."""
        kit.questions(1)
        run = kit.run()
        kit.feed(run, trajectory(1, 0, "a", "b", answer=False))
        kit.writer.forest.forget()
        kit.feed(run, branches(1, 0, 1, "z"), branches(1, 0, 3, "c"))
        tree = read_tree(kit.cursor, 1)
        assert {tree.prefixes()[a.state_id] for a in tree.actions if a.text == "c"} == {("a", "b")}
        assert not read_ingest_errors(kit.cursor, None, 10)

    def test_unparsed_text_is_kept(self, kit: Kit) -> None:
        """What no parser could read is stored with its place."""
        kit.questions(1)
        run = kit.run()
        kit.feed(
            run,
            trajectory(1, 0, unparsed="\x1b[31mgibberish\0", answer=False),
            trajectory(1, 1, "a", answer=False),
            branches(1, 1, 1, unparsed=[{"branch_id": 3, "text": "??", "finish": "length"}]),
        )
        assert kit.all("SELECT text, step, branch_id, finish FROM unparsed ORDER BY rowid") == [
            ("\x1b[31mgibberish\0", None, None, None),
            ("??", 1, 3, "length"),
        ]
        assert kit.one("SELECT count(*) FROM trajectories") == 2

    def test_trajectories_have_portable_names(self, kit: Kit) -> None:
        """Run, question and number, unique in the question."""
        kit.questions(1)
        kit.feed(kit.run(), trajectory(1, 4, "a"))
        assert kit.one("SELECT external_id FROM trajectories") == "0a1b2c3d-q1-4"

    def test_action_detail_has_everything(self, kit: Kit) -> None:
        """Prefix, siblings, samples with their trajectory, verdicts and labels newest first."""
        kit.questions(1)
        run = kit.run()
        kit.feed(run, trajectory(1, 0, "a", "b", "Answer: 24"), branches(1, 0, 2, "c", "b"))
        action_id = kit.one("SELECT action_id FROM actions WHERE text = 'b'")
        judge_run = kit.run("judge", 2)
        kit.feed(judge_run, verdict(action_id, 1.0), verdict(action_id, 0.0))
        kit.label(action_id, "1")
        detail = read_action(kit.cursor, action_id)
        assert detail.prefix == ("a",)
        assert [other.text for other in detail.siblings] == ["c"]
        assert [(s.branch_id, s.trajectory, s.policy) for s in detail.samples] == [
            (0, "0a1b2c3d-q1-0", "toy"),
            (2, "0a1b2c3d-q1-0", "toy"),
        ]
        assert [v.reward for v in detail.verdicts] == [0.0, 1.0]
        assert [label.value for label in detail.labels] == ["1"]


class TestBadLines:
    def test_a_bad_line_is_noted_and_stops_no_other(self, kit: Kit) -> None:
        """Each sort of nonsense lands in ingest_errors with its offset; the rest is stored."""
        kit.questions(1)
        run = kit.run()
        bad: list[dict[str, Any] | bytes] = [
            b"not json\n",
            b"[1, 2]\n",
            b"\xff\xfe broken bytes\n",
            {"t": "nonsense"},
            {"t": "trajectory", "question_id": 99, "number": 0, "steps": []},
            {"t": "trajectory", "question_id": "1", "number": 0},
            {"t": "trajectory", "question_id": 2**40, "number": 0},
            trajectory(1, 0, "a") | {"steps": [{"text": 5}]},
            trajectory(1, 0, "a") | {"steps": [{"text": "x", "n_tokens": 2**33}]},
            branches(1, 77, 1, "x"),
            branches(1, 0, 9, "x"),
            branches(1, 0, 1, "x") | {"samples": [{"branch_id": 0, "text": "x"}]},
            verdict(12345, 1.0),
            verdict(1, 1.0) | {"reward": "high"},
            {"t": "metrics", "step": 1, "values": {"loss": "low"}},
            {"t": "end", "status": "exploded"},
            {"t": "shifts", "step": 1, "rows": [[1, 2]]},
        ]
        rows: list[dict[str, Any] | bytes] = [trajectory(1, 0, "a")]
        for row in bad:
            rows += [row, {"t": "metrics", "step": len(rows), "values": {"loss": 1.0}}]
        data = journal_bytes(rows)
        ingest(kit.writer, run, split_lines(data, 0), len(data))
        errors = read_ingest_errors(kit.cursor, run, 100)
        assert len(errors) == len(bad)
        assert kit.one("SELECT count(*) FROM metrics") == len(bad)
        for error in errors:
            assert (
                data[error["byte_offset"] :].startswith(error["line"][:8].encode())
                or "\ufffd" in error["line"]
            )
            assert error["error"]

    def test_a_repeated_trajectory_or_branch_is_refused(self, kit: Kit) -> None:
        """The same number twice in a run is an error of the run, not a second sample."""
        kit.questions(1)
        run = kit.run()
        kit.feed(run, trajectory(1, 0, "a"), branches(1, 0, 1, "x"))
        kit.feed(run, trajectory(1, 0, "a"), branches(1, 0, 1, "y"))
        assert kit.one("SELECT count(*) FROM samples") == 2
        assert kit.one("SELECT count(*) FROM ingest_errors") == 2

    def test_what_the_store_itself_refuses_is_found_alone(self, kit: Kit, monkeypatch: Any) -> None:
        """When a batch cannot be inserted, each line is tried by itself."""
        from bswirl.store import ingest as module

        kit.questions(1)
        run = kit.run()
        parse = module._PARSERS["metrics"]

        def unchecked(row: dict[str, Any]) -> Any:
            checked = parse(row | {"step": 1})
            object.__setattr__(checked, "step", row["step"])
            return checked

        monkeypatch.setitem(module._PARSERS, "metrics", unchecked)
        good = {"t": "metrics", "step": 3, "values": {"loss": 1.0}}
        kit.feed(run, good, good | {"step": 2**80}, good | {"step": 4})
        assert kit.all("SELECT step FROM metrics ORDER BY 1") == [(3,), (4,)]
        assert kit.one("SELECT count(*) FROM ingest_errors") == 1


class TestRunsAndTraining:
    def test_standing_follows_the_journal(self, kit: Kit) -> None:
        """start, waiting, progress, warning and end show in the run."""
        run = kit.run("train")
        assert find_run(kit.cursor, kit.folder, run).status == "queued"
        kit.feed(run, {"t": "start", "attempt": 1, "pid": 9, "host": "h", "at": "2026-01-01T00:00:00Z"})
        assert find_run(kit.cursor, kit.folder, run).status == "running"
        kit.feed(run, {"t": "waiting", "device": "cuda:0", "holder": "run 3 of /p"})
        waiting = find_run(kit.cursor, kit.folder, run)
        assert (waiting.status, waiting.summary["waiting"]) == ("queued", "cuda:0 is in use by run 3 of /p")
        kit.feed(run, {"t": "waiting", "device": "cuda:0", "holder": None})
        kit.feed(run, {"t": "progress", "done": 3, "total": 9, "unit": "steps", "rate": 1.5})
        kit.feed(run, {"t": "warning", "text": "careful"})
        running = find_run(kit.cursor, kit.folder, run)
        assert running.status == "running"
        assert running.progress is not None
        assert (running.progress.done, running.progress.eta_seconds) == (3, 4.0)
        assert running.summary == {"warnings": ["careful"]}
        end = {"t": "end", "status": "failed", "error": "boom — do this", "exit_code": 1, "summary": {"x": 1}}
        kit.feed(run, end | {"at": "2026-01-01T00:00:09Z"})
        ended = find_run(kit.cursor, kit.folder, run)
        assert (ended.status, ended.error, ended.exit_code) == ("failed", "boom — do this", 1)
        assert ended.ended_at == "2026-01-01T00:00:09.000Z"
        kit.feed(run, {"t": "start", "attempt": 2, "pid": 10, "host": "h"})
        again = find_run(kit.cursor, kit.folder, run)
        assert (again.status, again.attempt, again.error, again.ended_at) == ("running", 2, None, None)

    def test_a_resume_voids_later_rows_of_earlier_attempts(self, kit: Kit) -> None:
        """Metrics and shifts beyond the step it goes on from go, also those of the same batch."""
        run, other = kit.run("train", 1), kit.run("train", 2)

        def step(number: int, loss: float) -> list[dict[str, Any]]:
            return [
                {"t": "metrics", "step": number, "values": {"loss": loss}},
                {"t": "shifts", "step": number, "rows": [[1, 1.0, 0.5, 7]]},
            ]

        kit.feed(other, *step(5, 9.0))
        kit.feed(run, *step(1, 0.1), *step(2, 0.2))
        kit.feed(run, *step(3, 0.3), {"t": "resume", "from_step": 1}, *step(2, 0.4))
        assert read_metrics(kit.cursor, run) == {"loss": [[1, 0.1], [2, 0.4]]}
        assert read_metrics(kit.cursor, run, after=1) == {"loss": [[2, 0.4]]}
        assert [row["step"] for row in read_shifts(kit.cursor, run)] == [1, 2]
        assert read_shifts(kit.cursor, run, step=2) == [
            {"step": 2, "action_id": 1, "reward": 1.0, "shift": 0.5, "n_tokens": 7}
        ]
        assert read_metrics(kit.cursor, other) == {"loss": [[5, 9.0]]}

    def test_a_run_s_own_business_is_no_error(self, kit: Kit) -> None:
        """Checkpoints and best steps are passed over."""
        run = kit.run("train")
        kit.feed(
            run,
            {"t": "checkpoint", "step": 2, "path": "checkpoints/step-000002"},
            {"t": "best", "step": 2, "by": "margin", "value": 0.5},
        )
        assert kit.cursor.execute("SELECT count(*) FROM ingest_errors").fetchall() == [(0,)]
        assert kit.cursor.execute("SELECT n_rows FROM ingest_offsets").fetchall() == [(2,)]

    def test_values_that_are_no_numbers_survive(self, kit: Kit) -> None:
        """A loss that became NaN or infinite is there to be seen."""
        run = kit.run("train")
        kit.feed(run, b'{"t":"metrics","step":1,"values":{"a":NaN,"b":Infinity,"c":null}}\n')
        curves = read_metrics(kit.cursor, run)
        assert math.isnan(curves["a"][0][1])
        assert curves["b"] == [[1, math.inf]]
        assert curves["c"] == [[1, None]]

    def test_answers_come_back(self, kit: Kit) -> None:
        """An evaluation's answers carry their question's address."""
        kit.questions(2)
        run = kit.run("evaluate")
        row = {
            "t": "answer",
            "text": "Answer: 24",
            "strict": "24",
            "flexible": "24",
            "is_correct": True,
            "n_tokens": 4,
        }
        kit.feed(run, row | {"question_id": 2}, row | {"question_id": 1, "is_correct": False})
        answers = read_answers(kit.cursor, run)
        assert [(a["question_id"], a["address"], a["is_correct"]) for a in answers] == [
            (1, "toy:q1", False),
            (2, "toy:q2", True),
        ]


class TestExactlyOnce:
    def test_a_piece_that_was_ingested_is_not_taken_again(self, kit: Kit) -> None:
        """The offset in the store decides: repeating or skipping a piece does nothing."""
        kit.questions(1)
        run = kit.run()
        data = journal_bytes([trajectory(1, 0, "a")])
        for _ in range(2):
            ingest(kit.writer, run, split_lines(data, 0), len(data))
        ingest(kit.writer, run, split_lines(data, 999), 999 + len(data))
        assert kit.one("SELECT count(*) FROM samples") == 1
        assert ingested_up_to(kit.writer, run) == len(data)

    def test_a_failed_commit_leaves_nothing_and_can_be_repeated(self, kit: Kit, monkeypatch: Any) -> None:
        """Numbers and caches go back with the rows."""
        kit.questions(1)
        run = kit.run()
        data = journal_bytes([trajectory(1, 0, "a", "b"), branches(1, 0, 1, "x")])
        monkeypatch.setattr(kit.writer, "_record_stale", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ingest(kit.writer, run, split_lines(data, 0), len(data))
        assert kit.one("SELECT count(*) FROM samples") == 0
        monkeypatch.undo()
        ingest(kit.writer, run, split_lines(data, 0), len(data))
        assert kit.one("SELECT count(*) FROM samples") == 3
        assert kit.one("SELECT max(action_id) FROM actions") == 3

    def test_a_torn_line_waits(self) -> None:
        """Only whole lines are taken."""
        lines = split_lines(b'{"a":1}\n{"b":2}\n{"c"', 10)
        assert [(line.offset, line.data) for line in lines] == [(10, b'{"a":1}'), (18, b'{"b":2}')]

    @settings(max_examples=6, deadline=None)
    @given(st.integers(0, 10**6))
    def test_how_a_journal_is_cut_does_not_matter(self, seed: int) -> None:
        """Any pieces, with or without restarts between them, give the same numbers and rows as one piece."""
        rng = random.Random(seed)
        rows: list[dict[str, Any]] = []
        for question in range(1, 4):
            for number in range(rng.randint(1, 3)):
                steps = [rng.choice("ab") for _ in range(rng.randint(1, 4))]
                rows.append(trajectory(question, number, *steps))
                rows += [
                    branches(question, number, step, *(rng.choice("abc") for _ in range(rng.randint(1, 3))))
                    for step in range(1, len(steps) + 1)
                ]
        rows += [verdict(rng.randint(1, 12), float(rng.random() < 0.5)) for _ in range(6)]
        data = journal_bytes(rows)
        lines = split_lines(data, 0)
        cuts = sorted({0, len(lines), *(rng.randint(0, len(lines)) for _ in range(3))})
        whole, piecewise = self.store(data, [0, len(lines)]), self.store(data, cuts)
        assert whole == piecewise

    def store(self, data: bytes, cuts: list[int]) -> dict[str, Any]:
        """What a store holds after a journal came in such pieces, opened anew for each."""
        lines = split_lines(data, 0)
        with memory_folder() as folder:
            with kit_in(folder) as kit:
                kit.questions(3)
                run = kit.run()
            for low, high in pairwise(cuts):
                with kit_in(folder) as kit:
                    end = lines[high].offset if high < len(lines) else len(data)
                    ingest(kit.writer, run, lines[low:high], end)
            with kit_in(folder) as kit:
                found: dict[str, Any] = contents(kit)
                found["ingest_offsets"] = kit.all("SELECT byte_offset FROM ingest_offsets")
                return found


class TestForest:
    def test_the_cache_is_bounded(self, kit: Kit, monkeypatch: Any) -> None:
        """Beyond its bound the least recently used trees go."""
        from bswirl.store import forest as module

        kit.questions(6)
        monkeypatch.setattr(module, "CACHED_ACTIONS", 3)
        forest = Forest()
        for question in range(1, 7):
            forest.load(kit.cursor, [question])
        assert len(forest._trees) <= 4
        assert set(forest.load(kit.cursor, [1, 6, 99])) == {1, 6}
