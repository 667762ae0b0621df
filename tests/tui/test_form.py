"""The form of a new run: made from the options, checked before anything is started."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from bswirl.client import Client
from bswirl.launch import form_options
from bswirl.project import Project
from bswirl.runs.folder import RunFolder
from bswirl.selections import SavedSelection, Selection, SelectionCounts
from bswirl_tui.link import ProjectChanged
from bswirl_tui.names import known_names
from bswirl_tui.screens.dialogs import Problem
from bswirl_tui.screens.run_form import RunForm
from bswirl_tui.screens.run_view import RunView
from bswirl_tui.widgets.fields import NONE, Choices, OptionField
from tests.tui import content
from tests.tui.driving import NARROW, WIDE, opened, press, says, settled, shown, typed, until


def form(pilot: Pilot[Any]) -> RunForm:
    """The form on screen."""
    screen = pilot.app.screen
    assert isinstance(screen, RunForm)
    return screen


def field(pilot: Pilot[Any], name: str) -> OptionField:
    """The field of an option."""
    found = form(pilot).field(name)
    assert found is not None
    return found


def command(pilot: Pilot[Any]) -> str:
    """The command line that the form stands for."""
    return str(form(pilot).query_one("#form-command", Static).content)


class TestFields:
    """A line an option."""

    @pytest.mark.parametrize(
        ("key", "kind"), [("g", "generate"), ("u", "judge"), ("t", "train"), ("e", "evaluate")]
    )
    async def test_every_option_has_a_field(self, shared: Project, key: str, kind: str) -> None:
        """Those that few runs change come on a key."""
        async with opened(shared) as pilot:
            await press(pilot, "x", key)
            names = {entry.option.name for entry in form(pilot).fields}
            assert names == {option.name for option in form_options(kind)}
            assert {entry.option.name for entry in form(pilot).fields if entry.display} == {
                option.name for option in form_options(kind) if option.basic
            }
            await press(pilot, "ctrl+o")
            assert all(entry.display for entry in form(pilot).fields)

    async def test_arrows_go_through_all_fields(self, shared: Project) -> None:
        """Also where there are more than fit, which scroll along."""
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "x", "g", "ctrl+o", *["down"] * 21)
            assert field(pilot, "dead_below").editor.has_focus
            assert " dead below " in shown(pilot)
            await press(pilot, *["up"] * 21)
            assert field(pilot, "policy").editor.has_focus

    async def test_next_field_of_all_that_were_shown_just_now(self, shared: Project) -> None:
        """Keys that arrive together: nothing has been laid out between them."""
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "x", "u")
            screen = form(pilot)
            screen.action_form_advanced()
            passed = []
            for _ in range(4):
                screen.action_form_next()
                passed.append(screen.focused)
            assert passed == [entry.editor for entry in screen.fields[1:5]]
            for _ in range(5):
                screen.action_form_previous()
            assert screen.focused is screen.fields[-1].editor

    async def test_defaults_follow_the_objective(self, shared: Project) -> None:
        """What sft starts from differs."""
        async with opened(shared) as pilot:
            await press(pilot, "x", "t")
            rate = field(pilot, "learning_rate").editor
            assert rate.placeholder == "0.0002"  # type: ignore[union-attr]
            await press(pilot, "right")
            assert field(pilot, "objective").value == "sft"
            assert rate.placeholder == "0.001"  # type: ignore[union-attr]
            assert "--objective sft" in command(pilot)

    async def test_command_line_is_shown_as_one_fills_in(self, shared: Project) -> None:
        """Only what differs from the defaults is in it; ctrl+r takes it back."""
        async with opened(shared) as pilot:
            await press(pilot, "x", "t")
            assert command(pilot) == "$ bswirl train --objective bswirl --policy demo"
            field(pilot, "beta").editor.focus()
            await typed(pilot, "0.2")
            assert "--beta 0.2" in command(pilot)
            await press(pilot, "ctrl+r")
            assert "--beta" not in command(pilot)

    async def test_trained_policy_is_proposed_for_evaluation(self, shared: Project) -> None:
        """The newest training run's."""
        async with opened(shared) as pilot:
            await press(pilot, "x", "e")
            assert field(pilot, "policy").value == "demo@2"


class TestLineOfKeys:
    """The keys that work while one types."""

    async def test_help_has_a_key_that_is_no_letter(self, shared: Project) -> None:
        """A question mark is text in a field; it is a key again where nothing is typed."""
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "x", "g")
            assert says(pilot).rstrip().endswith("esc back  f1 help")
            await press(pilot, "down", "down")  # to the choice of a split
            assert says(pilot).rstrip().endswith("esc back  ? help")

    async def test_a_wrong_field_leaves_no_command(self, shared: Project) -> None:
        """What is wrong is no part of a command."""
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "x", "g", "down", "down", "down", "z")
            assert command(pilot).startswith("no command yet: --limit must be a whole number")

    async def test_kinds_of_runs_are_whole(self, shared: Project) -> None:
        """A window is as wide as its lines, where the screen is."""
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "x")
            assert "let a policy write steps and alternatives to them" in shown(pilot)


class TestChecks:
    """What is wrong is said at the field, before anything starts."""

    async def test_number_out_of_range(self, shared: Project) -> None:
        """In words, at once; start goes to the field instead of starting."""
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "x", "t")
            field(pilot, "epochs").editor.focus()
            await typed(pilot, "0")
            assert "must be a whole number at least 1" in field(pilot, "epochs").problem
            field(pilot, "beta").editor.focus()
            await press(pilot, "ctrl+s")
            assert field(pilot, "epochs").editor.has_focus
            assert "must be a whole number at least 1, not '0'" in shown(pilot)

    async def test_needed_policy(self, shared: Project) -> None:
        """An empty one is missed."""
        async with opened(shared) as pilot:
            await press(pilot, "x", "t", "ctrl+r", "ctrl+s")
            assert field(pilot, "policy").problem == "needed"
            assert isinstance(pilot.app.screen, RunForm)

    async def test_nothing_is_blamed_before_names_are_read(
        self, shared: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The policy may be about to be filled in."""
        ready = threading.Event()

        def late(client: Client) -> dict[str, list[str]]:
            assert ready.wait(20)
            return {**known_names(client), "used": []}

        monkeypatch.setattr("bswirl_tui.screens.run_form.known_names", late)
        async with opened(shared) as pilot:
            await press(pilot, "x")
            await pilot.press("t")
            while not isinstance(pilot.app.screen, RunForm):
                await pilot.pause()
            await pilot.pause()
            assert "needed" not in shown(pilot)
            ready.set()
            await settled(pilot)
            assert "needed" in shown(pilot)

    async def test_wrong_advanced_field_is_opened(self, shared: Project) -> None:
        """So that one sees it."""
        async with opened(shared) as pilot:
            await press(pilot, "x", "t")
            field(pilot, "warmup").fill("2")
            await settled(pilot)
            await press(pilot, "ctrl+s")
            assert field(pilot, "warmup").display
            assert field(pilot, "warmup").editor.has_focus

    async def test_unknown_policy_is_a_dialog_with_a_remedy(self, shared: Project) -> None:
        """The form stays as it was filled in."""
        async with opened(shared) as pilot:
            await press(pilot, "x", "g")
            field(pilot, "policy").fill("nobody")
            await settled(pilot)
            await press(pilot, "ctrl+s")
            await until(pilot, lambda: "nobody" in shown(pilot) and not form_is_busy(pilot))
            seen = shown(pilot)
            assert "smollm2" in seen
            if isinstance(pilot.app.screen, Problem):
                await press(pilot, "enter")
            assert field(pilot, "policy").value == "nobody"


def form_is_busy(pilot: Pilot[Any]) -> bool:
    """Whether a start is under way."""
    return any(isinstance(screen, RunForm) and screen._starting for screen in pilot.app.screen_stack)


class TestChoices:
    """A few words side by side, in as much room as there is."""

    async def test_where_they_are_cut_off_that_shows(self, project: Project) -> None:
        async with opened(project, NARROW) as pilot:
            await press(pilot, "x", "t")
            assert " swirl [bswirl] sft  swirl-on\u2026" in shown(pilot)
            field(pilot, "objective").editor.focus()
            await press(pilot, "right")
            assert "[sft]" in shown(pilot)
            await press(pilot, "right")
            assert "\u2026" in shown(pilot).split("[swirl-onpolicy]")[0].splitlines()[-1]
            assert "swirl [bswirl] sft  swirl-onpolicy" in await self._wide(pilot)

    async def _wide(self, pilot: Pilot[Any]) -> str:
        field(pilot, "objective").editor.choose("bswirl")  # type: ignore[union-attr]
        await pilot.resize_terminal(*WIDE)
        await settled(pilot)
        return shown(pilot)


class TestSelections:
    """What is trained, by a name that others may have given it."""

    async def test_a_saved_one_is_chosen_and_described(self, project: Project, bob: Client) -> None:
        """What it says at once, what it leaves a moment later; the command line has its name."""
        bob.save_selection("good", Selection(filter="process"))
        async with opened(project) as pilot:
            await press(pilot, "x", "t")
            field(pilot, "policy").fill("smollm2")
            chosen = field(pilot, "selection")
            assert not chosen.value
            assert "a saved selection" in shown(pilot)
            chosen.editor.focus()
            await press(pilot, "right")
            assert chosen.value == "good"
            assert command(pilot).endswith(" --selection good")
            await until(pilot, lambda: "live" in chosen.about)
            assert chosen.about == (
                "6 questions, 6 of 18 groups live, 24 steps of 12 solutions; "
                "any dataset, train, filter process"
            )
            assert "6 of 18 groups live" in shown(pilot)
            await press(pilot, "left")
            assert "--selection" not in command(pilot)
            assert chosen.about == chosen.option.help

    def test_one_may_be_called_as_no_choice_is(self) -> None:
        """It is chosen, filled in and kept as any other, and is not taken for all."""
        option = next(option for option in form_options("train") if option.name == "selection")
        made = OptionField(option, offered=True)
        made.suggest(["good", NONE])
        assert made.value is None
        made.fill(NONE)
        assert made.value == NONE
        made.suggest([NONE])
        assert made.value == NONE
        made.reset()
        assert made.value is None

    async def test_others_save_and_delete(self, project: Project, bob: Client) -> None:
        """The choice follows, and says which of them is chosen."""
        async with opened(project, NARROW) as pilot:
            await press(pilot, "x", "t")
            chosen = field(pilot, "selection")
            for name in ("a-rather-long-name", "another-long-name"):
                bob.save_selection(name, Selection())
            choices = chosen.editor
            assert isinstance(choices, Choices)
            await until(pilot, lambda: len(choices.words) == 3)
            choices.focus()
            await press(pilot, "right", "right")
            assert "[another-long-name]" in shown(pilot)
            bob.delete_selection("another-long-name")
            await until(pilot, lambda: len(choices.words) == 2)
            assert chosen.value is None
            assert "--selection" not in command(pilot)

    async def test_clone_of_a_run_on_one_that_is_gone(self, project: Project, bob: Client) -> None:
        """Trains on nothing else: the name stays till another is chosen, and neither starts nor is copied."""
        async with opened(project) as pilot:
            values = {"objective": "bswirl", "policy": "smollm2", "selection": "gone"}
            made = RunForm(pilot.app.state, "train", values)  # type: ignore[attr-defined]
            await pilot.app.push_screen(made)
            assert field(pilot, "selection").value == "gone"  # before anything was read
            await until(pilot, lambda: field(pilot, "selection").about == "there is none of this name")
            assert command(pilot).endswith(" --selection gone")
            await press(pilot, "ctrl+y")
            await until(pilot, lambda: bool(field(pilot, "selection").problem))
            assert not pilot.app.clipboard
            await press(pilot, "ctrl+s")
            await until(pilot, lambda: not form_is_busy(pilot))
            assert "there is no selection" in field(pilot, "selection").problem
            assert field(pilot, "selection").editor.has_focus
            assert bob.runs(kind="train") == []
            await press(pilot, "left")
            assert "--selection" not in command(pilot)

    async def test_is_counted_anew_only_where_it_says_something_else(
        self, shared: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However often the saved ones are read while one looks at what it leaves."""
        counted: list[Selection] = []

        def count_selection(_client: Client, selection: Selection) -> SelectionCounts:
            counted.append(selection)
            return SelectionCounts()

        monkeypatch.setattr(Client, "count_selection", count_selection)
        one, another = Selection(filter="process"), Selection(filter="outcome")
        async with opened(shared) as pilot:
            await press(pilot, "x", "t")
            form(pilot)._saved_read([SavedSelection("good", one)])
            field(pilot, "selection").fill("good")
            await settled(pilot)
            for found in (one, one, another, another):
                form(pilot)._saved_read([SavedSelection("good", found), SavedSelection("other", one)])
                await settled(pilot)
            assert counted == [one, another]
            assert field(pilot, "selection").about.endswith(another.words)

    async def test_beside_what_it_says(self, project: Project, bob: Client) -> None:
        """A filter beside a name is a contradiction, said before anything starts."""
        bob.save_selection("good", Selection(filter="process"))
        async with opened(project) as pilot:
            await press(pilot, "x", "t")
            field(pilot, "policy").fill("smollm2")
            field(pilot, "selection").fill("good")
            field(pilot, "filter").fill("outcome")
            await settled(pilot)
            assert "not beside --filter" in command(pilot)
            await press(pilot, "ctrl+s")
            await until(pilot, lambda: not form_is_busy(pilot))
            assert "not beside --filter" in field(pilot, "selection").problem
            assert bob.runs(kind="train") == []

    async def test_a_range_of_means(self, shared: Project) -> None:
        """Typed as on the command line, and checked at the field."""
        async with opened(shared) as pilot:
            await press(pilot, "x", "t", "ctrl+o")
            field(pilot, "difficulty").editor.focus()
            await typed(pilot, "0.2..0.8")
            assert "--difficulty 0.2..0.8" in command(pilot)
            await typed(pilot, ".")
            assert "must be a range, not '0.2..0.8.'" in field(pilot, "difficulty").problem


class TestForecast:
    """What a training run would be, before it starts."""

    async def test_is_of_what_was_filled_in(self, project: Project, bob: Client) -> None:
        """With what its filters leave out; it goes as soon as something else is filled in."""
        async with opened(project, NARROW) as pilot:
            await press(pilot, "x", "t")
            field(pilot, "policy").fill("smollm2")
            field(pilot, "filter").fill("process")
            await settled(pilot)
            await press(pilot, "ctrl+t")
            await until(pilot, lambda: "groups live" in shown(pilot))
            seen = " ".join(shown(pilot).split())
            assert "left out: 1 other split, 1 not sampled" in seen
            assert "5 questions, 5 of 15 groups live" in seen
            assert bob.runs(kind="train") == []
            field(pilot, "filter").fill("none")
            await settled(pilot)
            assert "groups live" not in shown(pilot)

    async def test_what_would_be_refused(self, project: Project) -> None:
        """Is said in the same place."""
        async with opened(project) as pilot:
            await press(pilot, "x", "t", "ctrl+o")
            field(pilot, "policy").fill("smollm2")
            field(pilot, "difficulty").fill("1..1")
            await settled(pilot)
            await press(pilot, "ctrl+t")
            await until(pilot, lambda: "would not start: no live group" in shown(pilot))
            field(pilot, "difficulty").fill("5..6")
            await settled(pilot)
            await press(pilot, "ctrl+t")
            await until(pilot, lambda: "the run would have no input" in shown(pilot))

    async def test_the_time_of_a_run_without_an_endpoint(self, shared: Project) -> None:
        """Or, where none has run yet, how to find out."""
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "x", "g", "down", "down", "down", "down", "2", "ctrl+t")
            seen = " ".join(shown(pilot).split())
            assert "policy demo: " in seen
            assert "how long is not known" in seen
            assert "--limit 4" in seen


class TestNames:
    """What the form proposes."""

    async def test_best_steps_and_judges_of_the_settings(self, project: Project, bob: Client) -> None:
        """A run's best step can be evaluated, also of one that did not end well; so can any judge judge."""
        run = content.finished_training(project, bob, project.root.parent / "train")
        assert f"demo@{run.run_id}/best" not in known_names(bob)["policy"]
        RunFolder(Path(run.folder)).best.mkdir()
        names = known_names(bob)
        assert names["policy"][:2] == [f"demo@{run.run_id}", f"demo@{run.run_id}/best"]
        assert names["judge"][:2] == ["reference", "answer-check"]
        assert len(names["judge"]) == len(set(names["judge"]))
        async with opened(project) as pilot:
            await press(pilot, "x", "e")
            assert field(pilot, "policy").value == f"demo@{run.run_id}"
            await press(pilot, "ctrl+r")
            field(pilot, "policy").editor.focus()
            await typed(pilot, f"demo@{run.run_id}/")
            await press(pilot, "right")
            assert field(pilot, "policy").value == f"demo@{run.run_id}/best"

    async def test_they_are_read_again_when_a_run_begins_or_ends(
        self, project: Project, bob: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not with each event of one that works; a field that was emptied stays empty."""
        read: list[int] = []

        def known(client: Client) -> dict[str, list[str]]:
            read.append(len(client.runs()))
            return {**known_names(client), "used": ["smollm2"]}

        monkeypatch.setattr("bswirl_tui.screens.run_form.known_names", known)
        async with opened(project, NARROW) as pilot:
            await press(pilot, "x", "t")
            assert field(pilot, "policy").value == "smollm2"
            field(pilot, "policy").reset()
            begun = content.waiting_run(project, bob)
            await until(pilot, lambda: len(read) == 2)
            assert read[1] == read[0] + 1
            form(pilot).project_changed(
                ProjectChanged(frozenset(("runs", "metrics")), None, frozenset((begun.run_id,)))
            )
            await settled(pilot)
            assert len(read) == 2
            assert field(pilot, "policy").value is None


class TestTyping:
    """What a key does in a field, and what stands beside it."""

    async def test_a_prefilled_name_is_replaced_by_typing(self, shared: Project) -> None:
        """It is selected when one comes to it; moving the cursor first changes it instead."""
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "x", "e")
            assert field(pilot, "policy").value == "demo@2"
            await typed(pilot, "x")
            assert field(pilot, "policy").value == "x"
            field(pilot, "policy").fill("demo@2")
            await press(pilot, "down", "up", "right")
            await typed(pilot, "0")
            assert field(pilot, "policy").value == "demo@20"

    async def test_a_name_that_begins_alike_stands_beside(self, shared: Project) -> None:
        """Not in the line, where it would look typed; the right arrow takes it."""
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "x", "e")
            await typed(pilot, "DEM")
            row = next(row for row in shown(pilot).splitlines() if row.startswith(" policy"))
            assert row.split() == ["policy", "DEM", "right", "takes", "demo@2"]
            await press(pilot, "right")
            assert field(pilot, "policy").value == "demo@2"
            assert "takes" not in shown(pilot)

    @pytest.mark.parametrize("key", ["g", "u", "t", "e"])
    async def test_help_is_whole(self, shared: Project, key: str) -> None:
        """No text is cut beside a field, and that of the field with the cursor is all there below."""
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "x", key, "ctrl+o")
            for entry in form(pilot).fields:
                entry.editor.focus()
                await settled(pilot)
                row = next(row for row in shown(pilot).splitlines() if row.startswith(f" {entry.label} "))
                beside = row[entry.query_one(".note").region.x :]
                assert not beside.rstrip(" ▁▂▃▄▅▆▇█").endswith("…")
                assert entry.about in " ".join(shown(pilot).split())


class TestCopying:
    """The command line, on a key."""

    async def test_one_that_would_start(self, shared: Project) -> None:
        """Is copied as it is shown, from whatever folder."""
        async with opened(shared) as pilot:
            await press(pilot, "x", "u", "ctrl+y")
            assert pilot.app.clipboard == f"bswirl -p {shared.root} judge"

    async def test_one_with_a_wrong_field(self, shared: Project) -> None:
        """Is not copied; the cursor goes to the field."""
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "x", "g")
            field(pilot, "branches").fill("-1")
            await press(pilot, "ctrl+y")
            assert not pilot.app.clipboard
            assert field(pilot, "branches").editor.has_focus
            assert says(pilot).startswith(" Not copied")

    async def test_one_that_names_what_is_not_there(self, shared: Project) -> None:
        """Every field can stand by itself, and still no shell would take it."""
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "x", "g")
            field(pilot, "policy").fill("nobody")
            field(pilot, "branches").editor.focus()
            await press(pilot, "ctrl+y")
            assert not pilot.app.clipboard
            assert field(pilot, "policy").editor.has_focus
            assert "unknown policy nobody" in " ".join(shown(pilot).split())

    async def test_rounds_by_a_judge_that_decides_nothing(self, project: Project) -> None:
        """As the command would say."""
        async with opened(project) as pilot:
            await press(pilot, "x", "g", "ctrl+o")
            for name, value in (("policy", "smollm2"), ("until_live", "yes"), ("judge", "nobody")):
                field(pilot, name).fill(value)
            await press(pilot, "ctrl+y")
            assert not pilot.app.clipboard
            assert field(pilot, "judge").editor.has_focus


class TestStarting:
    """A run from the form to its end."""

    async def test_judge_run(self, project: Project, bob: Client) -> None:
        """It starts, its screen opens, and its end shows there."""
        async with opened(project, WIDE) as pilot:
            await press(pilot, "x", "u")
            await press(pilot, "ctrl+o")
            field(pilot, "again").fill("yes")
            await settled(pilot)
            assert command(pilot) == "$ bswirl judge --again"
            await press(pilot, "ctrl+s")
            await until(pilot, lambda: isinstance(pilot.app.screen, RunView))
            screen = pilot.app.screen
            assert isinstance(screen, RunView)
            await until(pilot, lambda: screen.run_here.status == "done")
            run = screen.run_here
            assert (run.kind, run.name) == ("judge", "reference")
            assert bob.run(run.run_id).status == "done"
            assert (Path(run.folder) / "input.jsonl").exists()
            assert "done" in shown(pilot)

    async def test_nothing_to_do_is_said(self, project: Project) -> None:
        """When everything is judged already."""
        async with opened(project, NARROW) as pilot:
            await press(pilot, "x", "u")
            await press(pilot, "ctrl+s")
            await until(pilot, lambda: isinstance(pilot.app.screen, Problem))
            assert "Nothing to do" in shown(pilot)
            assert "--again" in shown(pilot)
