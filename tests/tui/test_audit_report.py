"""The audit report and the conflicts in the app."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from rich.text import Text
from textual.pilot import Pilot

from bswirl.audit.records import Conflict
from bswirl.audit.report import CELLS, GROUPINGS, VOTES, make_report, row_items
from bswirl.audit.tables import percent, plain
from bswirl.certificates import Estimate
from bswirl.client import Client, connect
from bswirl.project import Project
from bswirl.records import Label
from bswirl_tui import glyphs, report_text
from bswirl_tui.audit_text import conflict_sides
from bswirl_tui.report_text import who
from bswirl_tui.screens.audit_report import AuditReportScreen, CellItems, CellScreen
from bswirl_tui.screens.conflicts import ConflictsScreen
from bswirl_tui.screens.main import MainScreen
from tests.tui import content
from tests.tui.driving import NARROW, WIDE, main_screen, opened, press, says, shown, typed, until


@pytest.fixture
def carol(audited: Project) -> Iterator[Client]:
    """Another person at the project that Alice has labelled."""
    with connect(audited, auditor="carol") as client:
        yield client


def report(pilot: Pilot[Any]) -> AuditReportScreen:
    screen = pilot.app.screen
    assert isinstance(screen, AuditReportScreen)
    return screen


class TestReport:
    """As the command line has it."""

    async def test_rates_and_effects(self, audited: Project, carol: Client) -> None:
        """Of every random draw; how many more; what the labels did."""
        made = make_report(carol.audit_record())
        row = made.rows[0]
        async with opened(audited, WIDE) as pilot:
            await press(pilot, "A")
            await until(pilot, lambda: bool(report(pilot).rows.rows))
            text = shown(pilot)
            assert row.random.n == 30
            for estimate in (row.random.accuracy, row.random.tpr, row.random.tnr):
                assert estimate.value is not None
                assert f"{100 * estimate.value:.1f} (" in text
            assert f"{row.random.more_accuracy}/{row.random.more_tpr}/{row.random.more_tnr}" in text
            effect = made.effect
            assert effect.overruled > 0
            assert f"{effect.live_before} → {effect.live_after}" in text
            assert "What the labels did" in text
            assert "Auditors" in text

    async def test_groupings_and_votes(self, audited: Project) -> None:
        """By prompt, by depth, and blind votes alone."""
        async with opened(audited, NARROW) as pilot:
            await press(pilot, "A")
            await until(pilot, lambda: bool(report(pilot).rows.rows))
            await press(pilot, "b", "b")
            await until(pilot, lambda: "step 2" in shown(pilot))
            assert [row.depth for row in report(pilot).rows.rows] == [None, 1, 2]
            await press(pilot, "v")
            await until(pilot, lambda: "blind votes alone" in shown(pilot))
            assert "blind votes alone · 30 random draws decided ─" in shown(pilot)
            assert "enter or 1 2 3 4 lists steps" in says(pilot)

    async def test_cell_leads_to_its_steps_and_into_the_tree(self, audited: Project, carol: Client) -> None:
        """By the key of the cell, and by the list of cells."""
        wrong = [item.action_id for item in carol.audit_record().items if item.action_id % 4 == 0]
        async with opened(audited, NARROW) as pilot:
            await press(pilot, "A")
            await until(pilot, lambda: bool(report(pilot).rows.rows))
            await press(pilot, "2")
            first = pilot.app.screen.query_one(CellItems).items
            await press(pilot, "escape", "enter", "3")
            second = pilot.app.screen.query_one(CellItems).items
            assert sorted(item.action_id for item in (*first, *second)) == wrong
            await press(pilot, "escape", "2", "j", "enter")
            assert isinstance(pilot.app.screen, MainScreen)
            await until(pilot, lambda: main_screen(pilot).tree_view.key == first[1].action_id)

    async def test_keys_of_cells_can_be_mapped(self, audited: Project) -> None:
        """The matrix names the keys that list its cells."""
        with audited.settings_file.open("a", encoding="utf-8") as file:
            file.write('\n[keys]\nreport.both_good = "x"\n')
        async with opened(audited, NARROW) as pilot:
            await press(pilot, "A")
            await until(pilot, lambda: bool(report(pilot).rows.rows))
            assert "judge: good       x: " in shown(pilot)
            await press(pilot, "1")
            assert isinstance(pilot.app.screen, AuditReportScreen)
            await press(pilot, "x")
            assert isinstance(pilot.app.screen, CellScreen)

    async def test_the_cursor_stays_on_its_judge(self, audited: Project, carol: Client) -> None:
        """Also where somebody's label brings a judge above it."""
        async with opened(audited, NARROW) as pilot:
            await press(pilot, "A")
            await until(pilot, lambda: bool(report(pilot).rows.rows))
            await press(pilot, "b", "b")
            await until(pilot, lambda: len(report(pilot).rows.rows) == 3)
            await press(pilot, "j")
            before = report(pilot).row_here
            rows = list(report(pilot).rows.rows)
            new = dataclasses.replace(rows[1], judge="another", depth=None)
            report(pilot).rows.show_rows([rows[0], new, *rows[1:]], "")
            assert report(pilot).row_here is before
            await press(pilot, "b")
            await until(pilot, lambda: "by judge" in shown(pilot))
            assert report(pilot).rows.cursor == 0

    async def test_it_says_how_many_are_left(self, project: Project, bob: Client) -> None:
        """Where that is fewer than it takes, with what it would take."""
        for _ in range(12):
            item = bob.audit_next("random", repeats=0).item
            assert item is not None
            bob.audit_label(item, "1", seconds=2.0)
        row = make_report(bob.audit_record()).rows[0]
        assert row.left == 30 - 12
        async with opened(project, WIDE) as pilot:
            await press(pilot, "A")
            await until(pilot, lambda: bool(report(pilot).rows.rows))
            assert "all 18/" in shown(pilot)
            assert "Left in the project: 18 such draws" in shown(pilot)
            assert f"would take {row.random.more_accuracy}/" in shown(pilot)

    def test_versions_of_a_judge_are_told_apart(self, audited: Project, carol: Client) -> None:
        """By prompt and by model."""
        row = make_report(carol.audit_record(), by="prompt").rows[1]
        assert who(row) == row.judge  # an import knows no more
        known = dataclasses.replace(row, model="m-7b", prompt_sha="abcdef0123456789")
        assert who(known) == f"abcdef01 {row.judge} m-7b"

    async def test_it_follows_what_others_label(self, project: Project, bob: Client) -> None:
        """Without a key; before that it says what is missing."""
        async with opened(project, NARROW) as pilot:
            await press(pilot, "A")
            await until(pilot, lambda: bool(report(pilot).rows.rows))
            assert "No random draw is labelled yet" in shown(pilot)
            content.audit_all(bob)
            await until(pilot, lambda: "30 random draws decided" in shown(pilot))

    @pytest.mark.parametrize("by", GROUPINGS)
    @pytest.mark.parametrize("votes", VOTES)
    def test_cells_hold_as_many_steps_as_they_say(
        self, audited: Project, carol: Client, by: str, votes: str
    ) -> None:
        """On every row of every grouping."""
        record = carol.audit_record()
        for row in make_report(record, by=by, votes=votes).rows:
            found = {cell: len(row_items(record, row, cell, votes=votes)) for cell in CELLS}
            assert found == row.cells
            assert sum(found.values()) > 0


def test_in_ascii_no_hyphen_stands_between_the_ends_of_an_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a minus it would be read as one."""
    negative, share = Estimate(-0.08, -0.45, -0.32), Estimate(0.5, 0.25, 0.75)
    monkeypatch.setattr(report_text, "glyphs", lambda: glyphs.UNICODE)
    assert report_text._signs(plain(negative)) == "−0.08 (−0.45–−0.32)"
    assert report_text._signs("kim-2") == "kim-2"
    monkeypatch.setattr(report_text, "glyphs", lambda: glyphs.ASCII)
    assert report_text._signs(plain(negative)) == "-0.08 (-0.45,-0.32)"
    assert report_text._signs(percent(share)) == "50.0 (25.0,75.0)"
    assert report_text._signs("–") == "-"


@pytest.mark.parametrize("width", [78, 77, 40])
def test_a_table_cuts_no_number(width: int) -> None:
    """Where it is wider than the pane, a value has a line of its own."""
    names = "rewards overruled", "advantages changed", "mean change", "live groups", "revived", "died"
    values = ("12", "18", "0.406", "6 → 8", "2", "0")
    table = report_text.Table(names=[Text(name) for name in names], rows=[[Text(one) for one in values]] * 2)
    lines = [line.plain for line in table.lines(width)]
    assert all(len(line) <= width for line in lines)
    if width == 78:
        assert [line.split() for line in lines[1:]] == [" ".join(values).split()] * 2
    else:
        assert lines[:2] == [f"{'rewards overruled':<24}12", f"{'advantages changed':<24}18"]
        assert lines[6:8] == ["", lines[0]]


def conflict(*votes: tuple[str, str]) -> Conflict:
    """A step that these people said these things of."""
    labels = [Label(f"l{at}", 1, vote[1], vote[0]) for at, vote in enumerate(votes)]  # type: ignore[arg-type]
    return Conflict(1, 1, "pens:1", 2, "Step 2: so.", tuple(labels))


class TestSides:
    """Who said what, in the cells that there are."""

    def test_every_vote_is_there(self) -> None:
        """Whole; then with the ends of names; then counted."""
        two = conflict(("annabelle-1", "1"), ("bartholomew-2", "0"))
        assert conflict_sides(two) == "annabelle-1 1, bartholomew-2 0"
        assert conflict_sides(two, 22) == "…belle-1 1, …lomew-2 0"
        for room in range(14, 31):
            words = conflict_sides(two, room)
            assert len(words) <= room
            assert [side.split()[-1] for side in words.split(", ")] == ["1", "0"]
        many = conflict(*[(f"auditor-{n}", "1" if n % 3 else "0") for n in range(9)])
        assert conflict_sides(many, 22) == "6 say 1, 3 say 0"


class TestConflicts:
    """Listed with both sides, and decided."""

    async def test_decided_with_a_reason(self, project: Project, bob: Client) -> None:
        """`1` or `0`, a reason, enter; the step leaves the list and the decision is in force."""
        with connect(project, auditor="ann") as ann:
            ann.set_label(2, "1", reason="[/fine]")
            ann.set_label(3, "1")
        bob.set_label(2, "0", reason="no progress")
        async with opened(project, NARROW) as pilot:
            await press(pilot, "C")
            text = shown(pilot)
            assert "ann 1, bob 0" in text
            assert text.splitlines()[2].split() == ["action", "question", "depth", "labels", "step"]
            assert "ann · good · [/fine]" in text
            assert "bob · not good · no progress" in text
            assert "✗ reference · reward 0" in text
            await press(pilot, "1", "escape")
            assert bob.action(2).action.conflict
            assert "1 good  0 not good" in says(pilot)
            await press(pilot, "1")
            assert says(pilot).strip() == ""  # keys are letters of the reason now
            await typed(pilot, "it is right")
            await press(pilot, "enter")
            assert "Decided action 2: good." in says(pilot)
            assert "No conflict is open." in shown(pilot)
            assert "who says what and why" in shown(pilot)
            assert "Auditors agree" not in shown(pilot)  # one decided over both
        label = bob.labels()[0]
        assert (label.action_id, label.value, label.reason, label.adjudicates, label.auditor) == (
            2,
            "1",
            "it is right",
            True,
            "alice",
        )
        assert bob.action(2).action.human_reward == 1.0

    async def test_a_decision_that_came_while_one_was_asked_why_stands(
        self, project: Project, bob: Client
    ) -> None:
        """It is said who decided what; nobody overrules what they have not seen."""
        with connect(project, auditor="ann") as ann:
            ann.set_label(2, "1")
        bob.set_label(2, "0")
        async with opened(project, NARROW) as pilot:
            await press(pilot, "C", "0")
            assert "Why?" in shown(pilot)
            bob.audit_adjudicate(2, "1")
            await press(pilot, "enter")
            assert "bob decided 1 on action 2 meanwhile" in shown(pilot)
            await press(pilot, "escape")
            await until(pilot, lambda: "No conflict is open." in shown(pilot))
        assert [(label.auditor, label.value) for label in bob.labels() if label.adjudicates] == [("bob", "1")]

    async def test_what_others_label_appears(self, project: Project, bob: Client) -> None:
        """Without a key, also while a step is read; enter goes into the tree."""
        async with opened(project, WIDE) as pilot:
            await press(pilot, "C")
            assert isinstance(pilot.app.screen, ConflictsScreen)
            with connect(project, auditor="ann") as ann:
                for action_id in (5, 8):
                    ann.set_label(action_id, "1")
                    bob.set_label(action_id, "0")
            await until(pilot, lambda: "Conflicts 2" in shown(pilot))
            await press(pilot, "j", "enter")
            assert isinstance(pilot.app.screen, MainScreen)
            await until(pilot, lambda: main_screen(pilot).tree_view.key == 8)

    async def test_keys_can_be_mapped(self, project: Project, bob: Client) -> None:
        """What is said below the votes names the keys that decide."""
        with connect(project, auditor="ann") as ann:
            ann.set_label(2, "1")
        bob.set_label(2, "0")
        with project.settings_file.open("a", encoding="utf-8") as file:
            file.write('\n[keys]\nconflict.good = "y"\n')
        async with opened(project, NARROW) as pilot:
            await press(pilot, "C")
            await until(pilot, lambda: "y (good) and 0 (not good) decide" in shown(pilot))

    async def test_hostile_reasons(self, empty: Project) -> None:
        """Shown as text."""
        with connect(empty, auditor="\x1b[5m[/a]") as one, connect(empty, auditor="b") as two:
            one.import_samples([content.hostile_question()], "x")
            one.set_label(1, "1", reason=content.HOSTILE)
            two.set_label(1, "0", reason=content.HOSTILE)
        async with opened(empty, NARROW) as pilot:
            await press(pilot, "C")
            assert "\x1b" not in shown(pilot)
            assert "[/a] 1, b 0" in shown(pilot)
