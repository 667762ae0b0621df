"""Rounds of sampling until groups are live: among the runs, and on a screen of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bswirl.errors import BswirlError
from bswirl.launch import Round, RoundsWork, rounds_of
from bswirl.launch.rounds_record import RoundsRecord, record_path
from bswirl.project import Project
from bswirl.records import Progress, Run
from bswirl.runs.locks import FileLock, this_process
from bswirl_tui.rounds_text import doing, grouped, time_left, work_line, work_paragraphs
from bswirl_tui.screens import rounds_control
from bswirl_tui.screens.rounds_view import RoundsView
from bswirl_tui.screens.run_form import RunForm
from bswirl_tui.widgets.run_list import RunList
from tests.tui.driving import NARROW, WIDE, lines_of, opened, press, says, shown, until
from tests.tui.plain import COLOURS

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FIRST = Round(1, 20, 60, 58, 90, 40, 0.5, 8, 8, 2, 10, 0, (1, 2), seconds=200.0)
COMMAND = "generate --policy smollm2 --branches 2 --until-live --judge reference --max-branches 8"


def record(project: Project, **about: Any) -> RoundsRecord:
    """Rounds that have had the project's one run."""
    made = RoundsRecord(
        record_path(project, "0123"),
        after=0,
        runs={"sample 1": 1},
        rounds=[asdict(replace(FIRST, runs=(1,)))],
        options={"policy": "smollm2", "branches": 2},
        rule={"judge": "reference", "round_size": 2, "max_branches": 8, "dead_below": 0.05},
        most_rounds=5,
        begun="2026-03-01T11:00:00.000Z",
    )
    made = replace(made, **about)
    made.save()
    return made


@contextmanager
def conducted(made: RoundsRecord) -> Iterator[None]:
    """As if a living process conducted them."""
    lock = FileLock(made.lock_file)
    assert lock.acquire(this_process())
    try:
        yield
    finally:
        lock.release()


def run(number: int, status: str, kind: str = "generate", **about: Any) -> Run:
    return Run(number, str(number), kind, "demo", status, {}, "", created_at=NOW.isoformat(), **about)


def work(status: Any, **about: Any) -> RoundsWork:
    stages = {1: "sample 1", 2: "judge 1", 3: "sample 2"}
    told = {"policy": "demo"}, {"judge": "reference"}
    made = RoundsWork("demo", status, "", *told, 5, stages, (FIRST,), "", "", Path())
    return replace(made, **about)


class TestWords:
    def test_runs_stand_under_their_rounds(self) -> None:
        """Rounds under way first, also between two of their runs; others where their newest run is."""
        runs = [run(5, "done"), run(4, "running"), run(3, "done"), run(2, "done"), run(1, "done")]
        live, over = work("running"), work("done", stages={5: "sample 1"})
        rows = grouped(runs, [over, live])
        assert [row if isinstance(row, RoundsWork) else row.run_id for row in rows] == [
            live, 3, 2, 1, 4, over, 5,
        ]  # fmt: skip

    def test_rounds_that_had_no_run_stand_where_they_were_begun(self) -> None:
        """Before the runs that were there then."""
        runs = [run(5, "running"), run(4, "done"), run(3, "done")]
        early, late = (work("failed", stages={}, rounds=(), after=after) for after in (3, 4))
        rows = grouped(runs, [late, early])
        assert [row if isinstance(row, RoundsWork) else row.run_id for row in rows] == [5, late, 4, early, 3]
        assert grouped([], [late]) == [late]

    @pytest.mark.parametrize(
        ("error", "status", "stopped"),
        [
            (BswirlError("no such model", ""), "failed", "no such model"),
            (KeyboardInterrupt(), "cancelled", "cancelled"),
        ],
    )
    def test_rounds_that_end_before_their_first_run_are_told(
        self, project: Project, error: BaseException, status: str, stopped: str
    ) -> None:
        made = record(project, runs={}, rounds=[], after=7)
        with pytest.raises(type(error)), made.conducted():
            raise error
        (ended,) = rounds_of(project)
        assert (ended.status, ended.stopped, ended.newest_run) == (status, stopped, 7)

    def test_what_they_do_now(self) -> None:
        live = run(3, "running", progress=Progress(5, 20, "samples", 0.5))
        assert (
            doing(work("running"), {3: live}) == "round 2: samples in run 3, 5 of 20 samples, 30s left of it"
        )
        assert doing(work("running"), {3: run(3, "done")}) == "round 2: chooses what to sample next"
        waits = run(3, "queued", summary={"waiting": "cuda:0 is in use by run 9"})
        assert doing(work("running"), {3: waits}) == "round 2: samples in run 3, cuda:0 is in use by run 9"
        assert "killed" in doing(work("lost"), {})
        assert doing(work("failed", stopped="sample 2: no such model"), {}) == "sample 2: no such model"

    def test_time_left(self) -> None:
        """10 of 20 states again, of which 40 s are over; at most three rounds more after that."""
        at = NOW + timedelta(seconds=40)
        assert time_left(work("running"), {3: run(3, "running")}, at) == "1m 00s to 6m 00s left"
        assert time_left(work("running", rounds=()), {}, at) == ""
        assert time_left(work("running", most_rounds=2), {3: run(3, "running")}, at) == "1m 00s left"

    def test_a_line_of_80_cells_has_the_groups(self) -> None:
        text = work_line(work("running"), {}, COLOURS, 80, NOW).plain
        assert len(text) <= 80
        assert "8 live, 10 undecided, 2 dead" in text

    def test_names_are_harmless(self, project: Project) -> None:
        made = rounds_of(project)
        assert made == []
        record(project, options={"policy": "a\x1b[2Jb"}, stopped="\x1b]0;x\x07", status="failed")
        (hostile,) = rounds_of(project)
        parts = work_paragraphs(hostile, {}, COLOURS, project.root, NOW)
        text = work_line(hostile, {}, COLOURS, 120, NOW).plain + "".join(part.text.plain for part in parts)
        assert "\x1b" not in text
        assert "\x07" not in text


class TestScreens:
    @pytest.mark.parametrize("size", [NARROW, WIDE])
    async def test_their_line_and_their_screen(self, project: Project, size: tuple[int, int]) -> None:
        """Enter opens it; it says what was asked for and what came of it."""
        record(project, status="cancelled", stopped="cancelled", ended="2026-03-01T11:20:00.000Z")
        async with opened(project, size) as pilot:
            await press(pilot, "v")
            rows = lines_of(pilot.app.screen.query_one(RunList))
            assert rows[1].split()[1:4] == ["rounds", "smollm2", "cancelled"]
            assert "8 live, 10 undecided, 2 dead" in rows[1]
            assert "sample 1" in rows[2]
            await press(pilot, "enter")
            assert isinstance(pilot.app.screen, RoundsView)
            seen = " ".join(shown(pilot).split())
            assert COMMAND in seen
            assert "$0.062, 7.5 samples" in seen
            await press(pilot, "escape", "down", "enter")
            assert not isinstance(pilot.app.screen, RoundsView)

    async def test_cancelling_ends_the_whole_work(self, project: Project) -> None:
        """By the mark that its process looks for; the change shows without a key."""
        made = record(project)
        async with opened(project, NARROW) as pilot:
            with conducted(made):
                await press(pilot, "v")
                await until(pilot, lambda: "running" in shown(pilot))
                await press(pilot, "c", "y")
                assert made.cancel_file.exists()
                assert "The rounds end" in says(pilot)
            await until(pilot, lambda: "lost" in lines_of(pilot.app.screen.query_one(RunList))[1])

    async def test_lost_ones_go_on(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """As the same work, from both screens; those that are done do not."""
        record(project)
        again: list[RoundsWork] = []
        monkeypatch.setattr(
            rounds_control, "continue_rounds", lambda _client, _project, work, **_: again.append(work)
        )
        async with opened(project, NARROW) as pilot:
            await press(pilot, "v", "S", "enter", "S")
            assert [found.status for found in again] == ["lost", "lost"]
            record(project, status="done")
            await press(pilot, "escape", "ctrl+l", "S")
            assert len(again) == 2

    async def test_a_record_that_nobody_wrote_so(self, project: Project) -> None:
        """Options of another version are shown as far as they go, and a broken file is passed over."""
        record(project, options={"policy": "smollm2", "branches": "many"})
        record_path(project, "9").write_text(
            '{"after": 0, "runs": {"sample 1": 1}, "options": {"a": 1}, "rounds": 7}'
        )
        record_path(project, "8").write_text("[")
        async with opened(project, NARROW) as pilot:
            await press(pilot, "v", "y")
            assert "--branches must be" in shown(pilot)
            await press(pilot, "escape", "enter")
            assert "8" in shown(pilot)

    async def test_another_like_them(self, project: Project) -> None:
        """The form has all that they were told; so has the command."""
        record(project)
        async with opened(project, WIDE) as pilot:
            await press(pilot, "v", "y")
            assert pilot.app.clipboard == f"bswirl -p {project.root} {COMMAND}"
            await press(pilot, "C")
            screen = pilot.app.screen
            assert isinstance(screen, RunForm)
            values = {name: value for name, value in screen.values.items() if value}
            assert values.items() >= {
                ("policy", "smollm2"), ("branches", "2"), ("until_live", True), ("max_branches", "8"),
            }  # fmt: skip
