"""Runs: their list, one of them, its curves, answers and log."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bswirl.client import Client
from bswirl.project import Project
from bswirl.records import Progress, Run
from bswirl.runs.folder import RunFolder
from bswirl_tui import log_file
from bswirl_tui.log_file import LogLine, LogTail, Search, find_above, find_below, part_around
from bswirl_tui.runs_text import (
    about_paragraphs,
    list_cells,
    now,
    outcome_words,
    progress_line,
    queue_order,
    queue_words,
)
from bswirl_tui.screens.dialogs import Confirm
from bswirl_tui.screens.reader import Reader
from bswirl_tui.screens.run_view import RunView
from bswirl_tui.widgets import log_view
from bswirl_tui.widgets.answer_list import AnswerList
from bswirl_tui.widgets.curves import Curves
from bswirl_tui.widgets.log_view import LogView
from bswirl_tui.widgets.run_list import RunList
from tests.tui import content
from tests.tui.driving import NARROW, WIDE, lines_of, opened, press, says, settled, shown, typed, until
from tests.tui.plain import COLOURS
from tests.tui.trained import append


class TestList:
    """A line a run, newest first."""

    async def test_runs_show_how_they_stand(self, shared: Project) -> None:
        """Kind, name, status, progress and how long they took."""
        async with opened(shared) as pilot:
            await press(pilot, "v")
            rows = lines_of(pilot.app.screen.query_one(RunList))
            assert rows[1].split()[:4] == ["3", "evaluate", "demo", "done"]
            assert rows[2].split()[:5] == ["2", "train", "bswirl", "demo", "done"]
            assert "100%" in rows[2]
            assert rows[3].split()[:4] == ["1", "import", "seed", "done"]
            await press(pilot, "escape")
            assert "Tree" in shown(pilot)

    async def test_project_without_runs_says_how_to_start_one(self, empty: Project) -> None:
        """With the key for it."""
        async with opened(empty, NARROW) as pilot:
            await press(pilot, "v")
            assert "Press x to generate, judge, train or evaluate." in shown(pilot)

    async def test_finished_run_cannot_be_cancelled_or_resumed(self, shared: Project) -> None:
        """It says so, and asks nothing."""
        async with opened(shared) as pilot:
            await press(pilot, "v", "c")
            assert "Run 3 is done already." in says(pilot)
            await press(pilot, "S")
            assert "only one that ended early" in says(pilot)


class TestQueue:
    """What works and what waits stands on top."""

    def test_order_and_counts(self) -> None:
        """Running ones, then the queue in its order, then what has ended, newest first."""
        statuses = ["done", "queued", "running", "queued", "failed"]
        runs = [Run(9 - at, "uid", "train", "t", status, {}, "") for at, status in enumerate(statuses)]
        assert [run.run_id for run in queue_order(runs)] == [7, 6, 8, 9, 5]
        assert queue_words(runs) == "5 · 1 running · 2 queued"

    def test_who_has_the_device(self) -> None:
        """Hostile as its project's name may be."""
        run = Run(
            1, "uid", "train", "t", "queued", {}, "", progress=Progress(5, 10, "steps", 2.0),
            summary={"waiting": "cuda:0 is in use by run 3 of /p\x1b[2J", "spending": {"calls": 5}},
        )  # fmt: skip
        seen = progress_line(run, COLOURS, 120).plain
        assert "cuda:0 is in use by run 3 of /p␛[2J" in seen
        assert "left" not in seen
        assert outcome_words(run).startswith("cuda:0 is in use")

    def test_time_left_is_told_from_time_taken(self) -> None:
        """They stand in the same column."""
        live = Run(1, "u", "train", "t", "running", {}, "", progress=Progress(5, 10, "steps", 0.05))
        stamps = {"created_at": "2026-03-01T12:00:00Z", "ended_at": "2026-03-01T12:01:40Z"}
        over = Run(1, "u", "train", "t", "done", {}, "", progress=Progress(10, 10, "steps", 0.1), **stamps)
        assert list_cells(live, COLOURS, now())["time"].plain == "1m 40s left"
        assert list_cells(over, COLOURS, now())["time"].plain == "1m 40s"

    @pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "200x50"])
    async def test_the_list_says_what_waits_for_what(self, shared: Project, size: tuple[int, int]) -> None:
        """Also where there is no room for a column of it."""
        waiting = {"waiting": "cuda:0 is in use by run 3"}
        runs = [
            Run(5, "e", "train", "t", "queued", {}, ""),
            Run(4, "d", "train", "t", "queued", {}, "", summary=waiting),
            Run(3, "c", "train", "t", "running", {}, ""),
        ]
        async with opened(shared, size) as pilot:
            await press(pilot, "v")
            rows = pilot.app.screen.query_one(RunList)
            rows.show_runs(runs)
            await settled(pilot)
            seen = [row.split() for row in lines_of(rows)[1:4]]
            assert [row[0] for row in seen] == ["3", "4", "5"]
            assert " ".join(seen[1]).endswith("cuda:0 is in use by run 3")
            assert " ".join(seen[2]).endswith("waits for its worker")


class TestTraining:
    """A training run's screen."""

    @pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "200x50"])
    async def test_curves_are_drawn(self, shared: Project, size: tuple[int, int]) -> None:
        """Panels, each with its newest value and a line of braille."""
        async with opened(shared, size) as pilot:
            await press(pilot, "v", "j", "enter")
            await until(pilot, lambda: "+1.92" in shown(pilot))
            seen = shown(pilot)
            for title in ("Loss -0.04", "KL to the base 0.048", "p +1.2 n -0.72", "Shift margin +1.92"):
                assert title in " ".join(seen.split())
            assert sum("\u2800" < character <= "\u28ff" for character in seen) > 60

    async def test_settings_and_result_are_told(self, shared: Project) -> None:
        """Beside the curves, with where the run came from."""
        async with opened(shared, WIDE) as pilot:
            await press(pilot, "v", "j", "enter")
            seen = shown(pilot)
            for words in (
                "objective",
                "bswirl",
                "learning rate",
                "0.0002",
                "margin",
                "1.92",
                "by carol",
                "runs/2",
            ):
                assert words in seen

    async def test_tab_goes_through_the_panes(self, shared: Project) -> None:
        """In 80 columns one at a time: curves, log, about."""
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "v", "j", "enter")
            screen = pilot.app.screen
            assert screen.query_one(Curves).display
            assert not screen.query_one(LogView).display
            await press(pilot, "tab")
            assert not screen.query_one(Curves).display
            assert "step 24 of 24" in shown(pilot)
            await press(pilot, "tab")
            assert "learning rate" in shown(pilot)
            await press(pilot, "tab")
            assert screen.query_one(Curves).display
            await pilot.resize_terminal(*WIDE)
            await settled(pilot)
            assert screen.query_one(LogView).display

    async def test_new_points_are_drawn_as_they_come(self, project: Project, bob: Client) -> None:
        """More of the journal brought in: the curves go on, and no point is there twice."""
        away = project.root.parent / "away"
        run = content.finished_training(project, bob, away, steps=5)
        async with opened(project) as pilot:
            await pilot.app.push_screen(RunView(pilot.app.state, run))  # type: ignore[attr-defined]
            await until(pilot, lambda: "+0.4 " in shown(pilot))
            journal = Path(run.folder) / "journal.jsonl"
            with journal.open("a") as file:
                file.write('{"t":"metrics","step":6,"values":{"shift/margin":0.75}}\n')
            bob.attach_run(Path(run.folder))
            await until(pilot, lambda: "+0.75" in shown(pilot))
            screen = pilot.app.screen
            assert isinstance(screen, RunView)
            assert list(screen.query_one(Curves).curves.series["shift/margin"].steps) == [1, 2, 3, 4, 5, 6]

    async def test_resumed_run_that_is_past_its_void_points(self, project: Project, bob: Client) -> None:
        """It went back and beyond between two looks."""
        run = content.finished_training(project, bob, project.root.parent / "away", steps=5)
        journal = Path(run.folder) / "journal.jsonl"

        def add(*rows: dict[str, Any]) -> None:
            with journal.open("a") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
            bob.attach_run(Path(run.folder))

        async with opened(project) as pilot:
            await pilot.app.push_screen(RunView(pilot.app.state, run))  # type: ignore[attr-defined]
            await until(pilot, lambda: "+0.4 " in shown(pilot))
            add({"t": "start", "attempt": 2, "pid": 1, "host": "box", "at": content.MADE_AT})
            screen = pilot.app.screen
            assert isinstance(screen, RunView)
            await until(pilot, lambda: "attempt 2" in shown(pilot))
            await until(pilot, lambda: screen._step == 5 and screen._drawing is None)  # all was read
            metrics = [
                {"t": "metrics", "step": step, "values": {"shift/margin": step / 8}} for step in range(4, 8)
            ]
            progress = {"t": "progress", "done": 7, "total": 9, "unit": "steps", "rate": 1.0}
            add({"t": "resume", "from_step": 3}, *metrics, progress)
            await until(pilot, lambda: "+0.875" in shown(pilot))
            margin = screen.query_one(Curves).curves.series["shift/margin"]
            assert list(margin.steps) == list(range(1, 8))
            assert list(margin.values)[3:] == [0.5, 0.625, 0.75, 0.875]

    async def test_resumed_run_loses_its_void_points(self, project: Project, bob: Client) -> None:
        """What an earlier attempt did beyond the step that the later one goes on from is gone."""
        run = content.finished_training(project, bob, project.root.parent / "away", steps=5)
        async with opened(project) as pilot:
            await pilot.app.push_screen(RunView(pilot.app.state, run))  # type: ignore[attr-defined]
            await until(pilot, lambda: "+0.4 " in shown(pilot))
            with (Path(run.folder) / "journal.jsonl").open("a") as file:
                for row in (
                    {"t": "start", "attempt": 2, "pid": 1, "host": "box", "at": content.MADE_AT},
                    {"t": "resume", "from_step": 3},
                    {"t": "metrics", "step": 4, "values": {"shift/margin": 0.7}},
                    {"t": "progress", "done": 4, "total": 5, "unit": "steps", "rate": 1.0},
                ):
                    file.write(json.dumps(row) + "\n")
            bob.attach_run(Path(run.folder))
            await until(pilot, lambda: "+0.7" in shown(pilot))
            screen = pilot.app.screen
            assert isinstance(screen, RunView)
            assert list(screen.query_one(Curves).curves.series["shift/margin"].steps) == [1, 2, 3, 4]
            assert "attempt 2" in shown(pilot)


class TestEvaluation:
    """An evaluation's screen."""

    async def test_accuracy_has_its_interval(self, shared: Project) -> None:
        """By Wilson, beside the count."""
        async with opened(shared) as pilot:
            await press(pilot, "v", "enter")
            answers = pilot.app.screen.query_one(AnswerList)
            assert "Answers 3 · 66.7% correct (20.8 to 93.9)" in str(answers.border_title)
            assert lines_of(answers)[1].split()[:3] == ["✓", "shop:q00", "0"]

    async def test_answer_can_be_read_whole(self, shared: Project) -> None:
        """On enter, hostile as it may be."""
        async with opened(shared) as pilot:
            await press(pilot, "v", "enter", "G", "enter")
            assert isinstance(pilot.app.screen, Reader)
            assert "[/foo] [link=https://x]a[/link]" in shown(pilot)
            await press(pilot, "escape")
            assert isinstance(pilot.app.screen, RunView)


class TestLog:
    """The log as it grows."""

    def test_tail_reads_whole_lines_once(self, tmp_path: Path) -> None:
        """A line that is still being written waits."""
        path = tmp_path / "log"
        tail = LogTail(path)
        assert tail.read() == []
        path.write_bytes(b"one\ntw")
        assert [(line.at, line.text) for line in tail.read()] == [(0, "one")]
        with path.open("ab") as log:
            log.write(b"o\n\xff\n")
        assert [(line.at, line.text) for line in tail.read()] == [(4, "two"), (8, "\ufffd")]
        assert tail.read() == []

    def test_last_line_without_an_end(self, tmp_path: Path) -> None:
        """Of a run that is over it is shown; a run that goes on writes behind it."""
        path = tmp_path / "log"
        path.write_bytes(b"one\nKilled")
        tail = LogTail(path)
        assert [line.text for line in tail.read()] == ["one"]
        assert tail.read() == []
        assert [(line.at, line.text) for line in tail.read(ended=True)] == [(4, "Killed")]
        assert tail.read(ended=True) == []
        with path.open("ab") as log:
            log.write(b"\nagain\n")
        assert [(line.at, line.text) for line in tail.read()] == [(10, ""), (11, "again")]

    def test_long_log_begins_near_its_end(self, tmp_path: Path) -> None:
        """Gigabytes are not read to show a page."""
        path = tmp_path / "log"
        path.write_bytes(b"x" * 99 + b"\n" + b"y" * 99 + b"\n" * 9_999 * 100)
        assert len(b"".join(line.text.encode() for line in LogTail(path).read())) < 1 << 19

    async def test_log_follows_until_one_scrolls_up(self, project: Project, bob: Client) -> None:
        """f follows again."""
        run = content.finished_training(project, bob, project.root.parent / "away", steps=80)
        async with opened(project, WIDE) as pilot:
            await pilot.app.push_screen(RunView(pilot.app.state, run))  # type: ignore[attr-defined]
            await settled(pilot)
            await press(pilot, "tab")
            log = pilot.app.screen.query_one(LogView)
            with (Path(run.folder) / "log").open("a") as file:
                file.write("a new line\n")
            await until(pilot, lambda: "a new line" in "\n".join(lines_of(log)))
            await press(pilot, "k")
            assert not log.following
            with (Path(run.folder) / "log").open("a") as file:
                file.write("one more\n")
            await until(pilot, lambda: "one more" in log.plain)
            assert "one more" not in "\n".join(lines_of(log))
            await press(pilot, "f")
            assert "one more" in "\n".join(lines_of(log))

    async def test_what_one_reads_stays_where_the_oldest_lines_go(
        self, project: Project, bob: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of a long log only so many lines are kept; a held one does not move under the eyes."""
        monkeypatch.setattr(log_view, "KEPT_LINES", 100)
        run = content.finished_training(project, bob, project.root.parent / "away")
        log = Path(run.folder) / "log"
        words = "that takes several lines of the pane " * 20
        log.write_text("".join(f"line {n} {words * (n < 9)}\n" for n in range(100)))
        async with opened(project, NARROW) as pilot:
            made = RunView(pilot.app.state, run)  # type: ignore[attr-defined]
            await pilot.app.push_screen(made)
            view = made.log_view
            made.bring_forward(view)
            await until(pilot, lambda: len(view._starts) == 100)
            await press(pilot, *["k"] * 45)

            def top() -> str:
                return view.draw_line(0)[0].plain.strip()

            assert not view.following
            before = top()
            assert re.fullmatch(r"line [3-7]\d", before)
            with log.open("a") as file:
                file.writelines(f"line {number}\n" for number in range(100, 130))
            await until(pilot, lambda: view.lines[-1].text == "line 129")
            await settled(pilot)
            assert len(view.lines) == 100
            assert top() == before

    async def test_lines_that_just_came_do_not_lead_away_from_what_was_found(
        self, project: Project, bob: Client
    ) -> None:
        run = content.finished_training(project, bob, project.root.parent / "away", steps=400)
        async with opened(project, WIDE) as pilot:
            await pilot.app.push_screen(RunView(pilot.app.state, run))  # type: ignore[attr-defined]
            await settled(pilot)
            log = pilot.app.screen.query_one(LogView)
            first = log.lines[0]
            log.append([LogLine(log.bytes_here.stop, "a new line")])
            log.go_to(first.at)
            await settled(pilot)
            assert not log.following
            assert first.text.split()[-1] in "\n".join(lines_of(log))
            assert "a new line" not in "\n".join(lines_of(log))

    @pytest.mark.parametrize("held", [False, True], ids=["followed", "held"])
    async def test_lines_that_come_while_another_pane_is_in_front(self, shared: Project, held: bool) -> None:
        """They are there when one comes back, to be read and found; a held log is where one read it."""
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "v", "j", "enter", "tab", *["k"] * 3 * held)
            view = pilot.app.screen.query_one(LogView)
            before = view.scroll_offset.y
            await press(pilot, "tab")
            for words in ("an oddity", "one more"):
                view.append([LogLine(view.bytes_here.stop, words)])
            await press(pilot, "shift+tab")
            assert len(view._starts) == len(view.lines)
            seen = [row.strip() for row in lines_of(view)]
            if held:
                assert view.scroll_offset.y == before
                assert "one more" not in seen
            else:
                assert seen[-2:] == ["an oddity", "one more"]
            view.go_to(view.lines[-2].at)
            view.search_for("oddity")
            assert "▸an oddity" in [row.strip() for row in lines_of(view)]


class TestControl:
    """Cancelling asks first."""

    async def test_cancel_can_be_declined(self, project: Project, bob: Client) -> None:
        """And then nothing happens."""
        run = content.waiting_run(project, bob)
        async with opened(project, NARROW) as pilot:
            await press(pilot, "v", "c")
            assert isinstance(pilot.app.screen, Confirm)
            await press(pilot, "n")
            assert not (Path(run.folder) / "cancel").exists()
            await press(pilot, "c", "y")
            assert (Path(run.folder) / "cancel").exists()
            assert "ends at its next safe point" in says(pilot)

    async def test_is_shown_as_stopping_until_it_has_ended(self, project: Project, bob: Client) -> None:
        """In the list and on its own screen; asking it again says so."""
        run = content.waiting_run(project, bob)
        async with opened(project, NARROW) as pilot:
            await press(pilot, "v", "c", "y")
            assert "stopping" in shown(pilot)
            await press(pilot, "enter")
            assert "stopping" in shown(pilot).splitlines()[1]
            await press(pilot, "c")
            assert f"Run {run.run_id} is stopping" in says(pilot)

    async def test_a_resumed_run_stops_no_longer(
        self, project: Project, bob: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also before its new worker has begun; it can be cancelled again."""
        monkeypatch.setattr("bswirl.launch.start._start_worker", lambda _run: None)
        run = content.waiting_run(project, bob)
        async with opened(project, NARROW) as pilot:
            await press(pilot, "v", "c", "y")
            assert "stopping" in shown(pilot)
            end = {"t": "end", "status": "cancelled", "exit_code": 130, "at": content.MADE_AT}
            append(RunFolder(Path(run.folder)).journal_file, end)
            bob.attach_run(Path(run.folder))
            await until(pilot, lambda: "cancelled" in shown(pilot))
            await press(pilot, "S")
            assert bob.run(run.run_id).status == "queued"
            await until(pilot, lambda: "queued" in lines_of(pilot.app.screen.query_one(RunList))[1])
            await press(pilot, "c")
            assert isinstance(pilot.app.screen, Confirm)


class TestSpending:
    """What the calls of a run have cost stands beside its progress."""

    def test_beside_the_progress(self) -> None:
        run = Run(
            1, "uid", "judge", "judge", "running", {}, "",
            progress=Progress(50, 200, "actions", 2.0),
            summary={"spending": {"calls": 1200, "cost": 1.25, "in_flight": 64}},
        )  # fmt: skip
        assert "1,200 calls for $1.25" in progress_line(run, COLOURS, 120).plain
        assert outcome_words(run).startswith("1,200 calls for $1.25")
        told = about_paragraphs(run, COLOURS, Path("/"))
        assert any(part.text.plain == "1,200 calls for $1.25" for part in told)


class TestSearchInFile:
    """Words in a log of any length."""

    def test_found_above_and_below_across_blocks(self, tmp_path: Path) -> None:
        """Also where they lie on the border of two blocks; capitals do not matter."""
        path = tmp_path / "log"
        border = (1 << 20) - 3
        path.write_bytes(b"\n" * border + b"The Needle\n" + b"\n" * (1 << 20) + b"needle\n")
        first, second = border + 4, border + 11 + (1 << 20)
        assert find_below(path, "nEEdle", 0).at == first
        assert find_below(path, "needle", first + 1).at == second
        assert find_below(path, "needle", second + 1) == Search()
        size = path.stat().st_size
        assert find_above(path, "needle", size).at == second
        assert find_above(path, "needle", second).at == first
        assert find_above(path, "needle", first) == Search()

    @pytest.mark.parametrize("below", [True, False])
    def test_every_place_is_found_as_by_a_plain_search(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: bool
    ) -> None:
        """With blocks and rests so small that every border is met."""
        monkeypatch.setattr(log_file, "_BLOCK", 7)
        monkeypatch.setattr(log_file, "SEARCH_BYTES", 20)
        data = b"abxabcxxabababc\n" * 9
        path = tmp_path / "log"
        path.write_bytes(data)
        for words in ("a", "abc", "bab", "c\nabx"):
            wanted = words.encode()
            every = [at for at in range(len(data)) if data.startswith(wanted, at)]
            found, place = [], 0 if below else len(data)
            for _ in range(500):
                step = (find_below if below else find_above)(path, words, place)
                if step.at is None and step.go_on is None:
                    break
                if step.at is not None:
                    found.append(step.at)
                    place = step.at + 1 if below else step.at + len(wanted) - 1
                else:
                    assert step.go_on is not None
                    place = step.go_on
            assert sorted(found) == every

    def test_part_is_whole_lines(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each with the byte that it begins at."""
        monkeypatch.setattr(log_file, "PART_BYTES", 10)
        path = tmp_path / "log"
        path.write_bytes(b"one\ntwo\nthree\nfour\nfive\nsix\n")
        lines = part_around(path, 14)
        assert [line.text for line in lines] == ["three", "four", "five"]
        assert all(path.read_bytes()[line.at :].startswith(line.text.encode()) for line in lines)

    def test_line_without_an_end_is_handed_out(self, tmp_path: Path) -> None:
        """In pieces, so that it does not pile up."""
        path = tmp_path / "log"
        path.write_bytes(b"x" * (3 << 20))
        tail = LogTail(path)
        assert sum(len(line.text) for _ in range(4) for line in tail.read()) > 0
        assert len(tail._rest) <= 2 * log_file.FIRST_BYTES


class TestSearchOnScreen:
    """`/`, n and N in the log."""

    async def test_goes_to_lines_that_are_not_here(self, project: Project, bob: Client) -> None:
        """A hundred megabytes are searched by parts and never held; f comes back to the end."""
        run = content.finished_training(project, bob, project.root.parent / "away", steps=5)
        path = Path(run.folder) / "log"
        filler = b"2026-01-01T00:00:00.000Z nothing happens here\n" * 20_000
        with path.open("wb") as log:
            log.write(b"2026-01-01T00:00:00.000Z first oddity [/foo]\x1b[31m\n")
            for _ in range(55):
                log.write(filler)
            log.write(b"2026-01-01T00:00:00.000Z second Oddity\n" + filler + b"the end\n")
        async with opened(project, WIDE) as pilot:
            await pilot.app.push_screen(RunView(pilot.app.state, run))  # type: ignore[attr-defined]
            await press(pilot, "tab")
            log_view = pilot.app.screen.query_one(LogView)
            assert "the end" in log_view.plain
            await press(pilot, "slash")
            await typed(pilot, "oddity")
            await press(pilot, "enter")
            await until(pilot, lambda: "▸00:00:00 second Oddity" in "\n".join(lines_of(log_view)))
            assert not log_view.following
            assert len(log_view.lines) < 20_000
            await press(pilot, "N")
            if "looks on" in says(pilot):
                await press(pilot, "N")
            await until(pilot, lambda: "▸00:00:00 first oddity [/foo]" in "\n".join(lines_of(log_view)))
            assert "\x1b" not in shown(pilot)
            await press(pilot, "N")
            assert "Not above here: oddity" in says(pilot)
            await press(pilot, "f")
            await until(pilot, lambda: "the end" in "\n".join(lines_of(log_view)))
            assert log_view.following

    async def test_search_from_another_pane_brings_the_log_to_the_front(self, shared: Project) -> None:
        """Where there is room for one pane at a time."""
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "v", "j", "enter")
            log_view = pilot.app.screen.query_one(LogView)
            assert not log_view.display
            await press(pilot, "slash")
            await typed(pilot, "step 2")
            await press(pilot, "enter")
            assert log_view.display
            await until(pilot, lambda: "▸" in "\n".join(lines_of(log_view)))

    @pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "200x50"])
    async def test_in_sight_words_are_marked(
        self, project: Project, bob: Client, size: tuple[int, int]
    ) -> None:
        """n goes down, N up, line by line; escape gives up; what is typed is no key."""
        run = content.finished_training(project, bob, project.root.parent / "away", steps=12)
        async with opened(project, size) as pilot:
            await pilot.app.push_screen(RunView(pilot.app.state, run))  # type: ignore[attr-defined]
            await press(pilot, "tab", "slash")
            await typed(pilot, "step 1")
            await press(pilot, "enter")
            log_view = pilot.app.screen.query_one(LogView)

            def marked() -> str:
                return (
                    next(row for row in lines_of(log_view) if row.startswith("▸")).split("step ")[1].strip()
                )

            await until(pilot, lambda: "▸" in "\n".join(lines_of(log_view)))
            assert marked() == "12 of 12"
            await press(pilot, "N", "N", "N")
            assert marked() == "1 of 12"
            await press(pilot, "n")
            assert marked() == "10 of 12"
            await press(pilot, "slash")
            await typed(pilot, "zzz")
            await until(pilot, lambda: "Not above here: zzz" in says(pilot))
            await press(pilot, "escape")
            assert pilot.app.screen.query_one(LogView).has_focus
