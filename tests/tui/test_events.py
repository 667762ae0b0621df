"""What others do shows without a key press, and disturbs nothing."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from bswirl.client import Client
from bswirl.project import Project
from bswirl_tui.screens.dialogs import Problem
from tests.tui import content
from tests.tui.driving import main_screen, opened, press, shown, until


class TestOthers:
    """A second client at the same project."""

    async def test_label_of_another_shows(self, project: Project, bob: Client) -> None:
        """On the line it belongs to; cursor, open lines and scrolling stay."""
        async with opened(project) as pilot:
            tree = main_screen(pilot).tree_view
            await press(pilot, "j", "j")
            assert tree.outline is not None
            key, opened_before = tree.key, set(tree.outline.opened)
            first = tree.outline.tree.actions[0].action_id
            bob.set_label(first, "0", reason="no")

            def labelled() -> bool:
                action = tree.outline.action(first) if tree.outline else None
                return action is not None and action.source == "human"

            await until(pilot, labelled)
            assert tree.key == key
            assert tree.outline.opened == opened_before
            assert "1 label" in shown(pilot).splitlines()[0]

    async def test_label_set_while_the_app_opened(
        self, project: Project, bob: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The tree was read before it, and nobody told the app: it had not subscribed yet."""
        labelled, listens = threading.Event(), Client.events

        def events(client: Client, stop: threading.Event) -> Iterator[dict[str, Any]]:
            assert labelled.wait(60)
            yield from listens(client, stop)

        monkeypatch.setattr(Client, "events", events)
        async with opened(project) as pilot:
            outline = main_screen(pilot).tree_view.outline
            assert outline is not None
            bob.set_label(outline.tree.actions[0].action_id, "0")
            assert "1 label" not in shown(pilot)
            labelled.set()
            await until(pilot, lambda: "1 label" in shown(pilot).splitlines()[0])

    async def test_imports_show(self, project: Project, bob: Client) -> None:
        """The list grows under the cursor, which stays on its question."""
        async with opened(project) as pilot:
            questions = main_screen(pilot).questions
            selected = questions.selected
            bob.import_samples([content.placed(number) for number in range(20, 25)], "more")
            await until(pilot, lambda: questions.total == 13)
            assert questions.selected is not None
            assert selected is not None
            assert questions.selected.question_id == selected.question_id

    async def test_new_branches_show_in_the_open_tree(self, project: Project, bob: Client) -> None:
        """Where one is looking."""
        async with opened(project) as pilot:
            tree = main_screen(pilot).tree_view
            before = tree.row_count()
            grown = content.placed(0)
            first = grown.samples[0]
            extra = type(first)("t0-9", 1, 1, False, (), "Step 1: Something new.", False, None)
            base = type(first)("t0-9", 1, 0, True, (), first.action, False, None)
            bob.import_samples([type(grown)(grown.question, (base, extra))], "new")
            await until(pilot, lambda: tree.row_count() == before + 1)
            assert "Step 1: Something new." in shown(pilot)

    async def test_attached_run_shows_in_the_list(self, project: Project, bob: Client) -> None:
        """While the list of runs is open."""
        async with opened(project) as pilot:
            await press(pilot, "v")
            assert "bswirl demo" not in shown(pilot)
            content.finished_training(project, bob, project.root.parent / "elsewhere")
            await until(pilot, lambda: "bswirl demo" in shown(pilot))
            await until(pilot, lambda: "done" in shown(pilot))


class TestOwner:
    """The owner may die at any time."""

    async def test_killed_owner_is_noticed_and_replaced(self, project: Project, bob: Client) -> None:
        """The app says so, and goes on as soon as there is another."""
        async with opened(project) as pilot:
            app = main_screen(pilot).bswirl
            pid = bob.owner["pid"]
            os.kill(pid, signal.SIGKILL)
            await until(pilot, lambda: bool(app.state.problem) or bob.owner["pid"] != pid)
            await until(pilot, lambda: not app.state.problem)
            await press(pilot, "0")
            assert [label.value for label in bob.labels()] == ["0"]
            assert bob.owner["pid"] != pid

    async def test_broken_settings_are_a_dialog_and_can_be_mended(self, project: Project) -> None:
        """The app waits, and opens the project once it can."""
        text = project.settings_file.read_text()
        project.settings_file.write_text("auditor = [")
        async with opened(project, auditor=None) as pilot:
            await until(pilot, lambda: isinstance(pilot.app.screen, Problem))
            seen = shown(pilot)
            assert "not valid TOML" in seen
            assert "mend that line" in seen
            await press(pilot, "enter")
            project.settings_file.write_text(text)
            await until(pilot, lambda: "Step 1: There are 2*3=6 pens." in shown(pilot))
