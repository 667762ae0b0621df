"""Evaluations side by side, what changed between two, and the way into a question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bswirl.client import Client, connect
from bswirl.project import Project
from bswirl_tui.evaluations import Share, compared, evaluation_of
from bswirl_tui.evaluations_text import interval_bar, outcome_lines
from bswirl_tui.screens.comparison import ComparisonScreen, PairScreen
from bswirl_tui.screens.evaluations import EvaluationsScreen, sorted_by
from bswirl_tui.screens.run_view import RunView
from bswirl_tui.widgets.evaluation_list import AnsweredList, EvaluationList
from tests.tui import content, evaluated
from tests.tui.driving import NARROW, WIDE, lines_of, main_screen, opened, press, says, shown, until
from tests.tui.plain import COLOURS

SIZES = pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "200x50"])


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with two finished evaluations and one that failed."""
    folder = tmp_path_factory.mktemp("measured")
    project = Project.create(folder / "pens")
    with connect(project, auditor="alice") as client:
        content.fill(client)
        evaluated.evaluation(client, folder / "a", "demo", evaluated.BEFORE, number=1)
        evaluated.evaluation(client, folder / "b", "demo@7", evaluated.AFTER, number=2)
        evaluated.evaluation(client, folder / "c", "demo", evaluated.BEFORE, number=3, status="failed")
        yield project
        client.stop_owner()


@pytest.fixture
def client(measured: Project) -> Iterator[Client]:
    with connect(measured) as client:
        yield client


class TestList:
    """A line an evaluation."""

    @SIZES
    async def test_accuracy_with_its_interval(self, measured: Project, size: tuple[int, int]) -> None:
        """Policy, what it was asked, how many, and Wilson's interval; failed ones are left out."""
        async with opened(measured, size) as pilot:
            await press(pilot, "M")
            rows = lines_of(pilot.app.screen.query_one(EvaluationList))
            assert rows[1].split()[:8] == ["3", "demo@7", "shop", "train", "6", "66.7%", "(30.0", "to"]
            assert rows[2].split()[:8] == ["2", "demo", "shop", "train", "6", "50.0%", "(18.8", "to"]
            assert len("".join(rows[3:]).strip()) == 0
            assert ("83.3% (43.6 to 97.0)" in rows[1]) is (size == WIDE)  # by the last number

    @pytest.mark.parametrize(("n", "words"), [(7473, "7,473"), (12_000, "12000")])
    async def test_every_digit_of_how_many(self, measured: Project, n: int, words: str) -> None:
        """Also of splits with ten thousand questions and more."""
        async with opened(measured, NARROW) as pilot:
            await press(pilot, "M")
            rows = pilot.app.screen.query_one(EvaluationList)
            assert rows.current is not None
            rows.show_evaluations([replace(rows.current, strict=Share(n // 2, n))], "number")
            assert lines_of(rows)[1].split()[4] == words

    async def test_without_evaluations_it_says_what_they_are(self, empty: Project) -> None:
        """And how to make one."""
        async with opened(empty, NARROW) as pilot:
            await press(pilot, "M")
            assert "No evaluations yet." in shown(pilot)
            assert "bswirl evaluate --policy P" in shown(pilot)
            await press(pilot, "space", "enter", "escape")
            assert "Tree" in shown(pilot)

    async def test_order(self, measured: Project) -> None:
        """By number, then by accuracy, then by policy; the cursor stays on its evaluation."""
        async with opened(measured) as pilot:
            await press(pilot, "M", "j")
            rows = pilot.app.screen.query_one(EvaluationList)
            assert "by number" in str(rows.border_title)
            await press(pilot, "o")
            assert "by accuracy" in str(rows.border_title)
            await press(pilot, "o")
            assert [one.policy for one in rows.evaluations or ()] == ["demo", "demo@7"]
            assert rows.current is not None
            assert rows.current.policy == "demo"

    async def test_enter_without_a_mark_opens_the_run(self, measured: Project) -> None:
        async with opened(measured) as pilot:
            await press(pilot, "M", "enter")
            assert isinstance(pilot.app.screen, RunView)
            await press(pilot, "escape")
            assert isinstance(pilot.app.screen, EvaluationsScreen)

    async def test_a_new_one_appears(self, project: Project, bob: Client, tmp_path: Path) -> None:
        async with opened(project) as pilot:
            await press(pilot, "M")
            evaluated.evaluation(bob, tmp_path / "new", "late", evaluated.AFTER, number=9)
            await until(pilot, lambda: "late" in shown(pilot))


class TestComparison:
    """Fixed and broken questions between two evaluations."""

    @SIZES
    async def test_what_changed(self, measured: Project, size: tuple[int, int]) -> None:
        """Counts, the exact test, and a line a question."""
        async with opened(measured, size) as pilot:
            await press(pilot, "M", "j", "space")
            assert "Run 2 is A" in says(pilot)
            await press(pilot, "k", "enter")
            assert isinstance(pilot.app.screen, ComparisonScreen)
            seen = " ".join(shown(pilot).split())
            assert "2 fixed, 1 broken of 6 questions that both answered: +16.7 points" in seen
            assert "exact McNemar p = 1: such a difference is no surprise" in seen
            rows = lines_of(pilot.app.screen.query_one(AnsweredList))
            assert rows[1].split()[:6] == ["✓", "✗", "broken", "shop:q02", "16", "[/foo]"]
            assert [row.split()[2] for row in rows[1:4]] == ["broken", "fixed", "fixed"]

    async def test_filter_and_turning_around(self, measured: Project) -> None:
        """Each kind by itself; the other way around fixed is broken."""
        async with opened(measured) as pilot:
            await press(pilot, "M", "j", "space", "k", "enter", "f")
            assert "2: A was wrong, B is right" in shown(pilot)
            await press(pilot, "j", "enter")
            rows = pilot.app.screen.query_one(AnsweredList)
            assert [question.kind for question in rows.questions or ()] == ["fixed", "fixed"]
            await press(pilot, "o")
            assert [question.kind for question in rows.questions or ()] == ["fixed"]
            assert "1 fixed, 2 broken" in shown(pilot)

    @SIZES
    async def test_both_answers(self, measured: Project, size: tuple[int, int]) -> None:
        """Side by side below the question and its gold answer; J and K go on."""
        async with opened(measured, size) as pilot:
            await press(pilot, "M", "j", "space", "k", "enter", "j", "enter")
            assert isinstance(pilot.app.screen, PairScreen)
            seen = shown(pilot)
            assert "shop:q03 · 2 of 3 · fixed" in seen
            assert "gold 26" in seen
            line = next(row for row in seen.splitlines() if "demo thinks" in row)
            assert "demo@7 thinks" in line
            assert "[/foo]" in seen
            assert "\x1b" not in seen
            await press(pilot, "J", "J")
            assert "shop:q04 · 3 of 3" in shown(pilot)
            await press(pilot, "K", "K", "K")
            assert "shop:q02 · 1 of 3 · broken" in shown(pilot)

    async def test_from_a_question_to_its_tree(self, measured: Project) -> None:
        """From both screens; the main screen shows it, and nothing is left above."""
        async with opened(measured) as pilot:
            await press(pilot, "M", "j", "space", "k", "enter", "j", "t")
            outline = main_screen(pilot).tree_view.outline
            assert pilot.app.screen is main_screen(pilot)
            assert outline is not None
            assert outline.tree.question.address == "shop:q03"
            await press(pilot, "M", "j", "space", "k", "enter", "enter", "t")
            outline = main_screen(pilot).tree_view.outline
            assert outline is not None
            assert outline.tree.question.address == "shop:q02"

    def test_nothing_in_common(self, client: Client) -> None:
        """Is said, and is no division by zero."""
        run = evaluation_of(client.runs(kind="evaluate")[0])
        found = compared(run, run, [], client.answers(run.run.run_id))
        assert found.questions == ()
        assert "No question in common" in outcome_lines(found, COLOURS)[0].plain


class TestShares:
    """Numbers as they are drawn."""

    @pytest.mark.parametrize(("count", "n"), [(0, 7), (7, 7), (3, 7), (0, 0)])
    def test_bar_has_its_width(self, count: int, n: int) -> None:
        """At both ends of the scale, and without a question."""
        if n:
            assert len(interval_bar(Share(count, n), 36, COLOURS).plain) == 36
        assert 0.0 <= Share(count, n).value <= 1.0

    def test_without_a_folder_the_settings_say_what_was_asked(self, client: Client, tmp_path: Path) -> None:
        """Of a run whose folder is gone."""
        from dataclasses import replace

        run = client.runs(kind="evaluate")[0]
        assert evaluation_of(run).scope == "shop train"
        assert evaluation_of(replace(run, folder=str(tmp_path / "gone"))).scope == "train"

    def test_running_ones_come_last_by_accuracy(self, client: Client) -> None:
        from dataclasses import replace

        done = evaluation_of(client.runs(kind="evaluate")[1])
        running = replace(done, strict=None)
        assert sorted_by("accuracy", [running, done]) == [done, running]
