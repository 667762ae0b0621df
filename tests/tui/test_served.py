"""Runs on served models from the app: what they would cost, whether a key may go, limits, and rounds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from bswirl.client import Client, connect
from bswirl.launch import cost_limit, generate_request, start_run, stopped_at_limit, wait_run
from bswirl.project import Project
from bswirl.records import NewQuestion
from bswirl.serving.keys import CONFIG_VARIABLE, trusted_pairs
from bswirl_tui.screens.dialogs import Ask, Choose, Confirm, Problem, Shown
from bswirl_tui.screens.run_form import RunForm
from bswirl_tui.screens.run_view import RunView
from bswirl_tui.screens.runs import RunsScreen
from bswirl_tui.widgets.run_list import RunList
from tests.generation.chat import QUESTIONS, solve
from tests.launch.test_rounds import SETTINGS
from tests.serving.server import FaultServer
from tests.tui.driving import NARROW, WIDE, lines_of, opened, press, settled, shown, until
from tests.tui.test_form import command, field

LOCKED = """
[endpoints.locked]
url = "{url}"
key = "LOCKED_KEY"
[policies.locked]
endpoint = "locked"
model = "served"
"""


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(solve) as server:
        yield server


@pytest.fixture
def sums(tmp_path: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project with four questions and two served policies; this user has trusted nobody yet."""
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "config"))
    monkeypatch.setenv("LOCKED_KEY", "planted-key")
    project = Project.create(tmp_path / "sums")
    with project.settings_file.open("a") as settings:
        settings.write(SETTINGS.format(url=server.url) + LOCKED.format(url=server.url))
    with connect(project, auditor="alice") as client:
        client.import_questions(
            [NewQuestion("sums", "train", q.external_id, q.text, q.gold) for q in QUESTIONS[:4]]
        )
        yield project
        client.stop_owner()


@pytest.fixture
def client(sums: Project) -> Iterator[Client]:
    with connect(sums) as client:
        yield client


async def fill(pilot: Pilot[Any], **values: str) -> None:
    for name, value in values.items():
        field(pilot, name).fill(value)
    await settled(pilot)


async def eventually(condition: Callable[[], bool]) -> None:
    """Waits for what another process does."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.1)


class TestEstimate:
    """Calls and dollars before anything is sent."""

    @pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "200x50"])
    async def test_of_what_was_filled_in(
        self, sums: Project, server: FaultServer, size: tuple[int, int]
    ) -> None:
        """It goes as soon as something else is filled in; nothing reaches the server."""
        async with opened(sums, size) as pilot:
            await press(pilot, "x", "g")
            await fill(pilot, policy="chat", limit="2")
            await press(pilot, "ctrl+t")
            await until(pilot, lambda: "tokens in" in shown(pilot))
            seen = " ".join(shown(pilot).split())
            assert "served: 12 (8 to 18) calls" in seen
            assert "steps a solution" in seen
            assert "$" in seen
            await fill(pilot, limit="3")
            assert "tokens in" not in shown(pilot)
            assert server.requests == []


class TestNames:
    """What the settings name."""

    async def test_policies_are_offered_with_what_they_are(self, sums: Project) -> None:
        """Where they are, and that a key was never sent; the chosen one fills the field."""
        async with opened(sums) as pilot:
            await press(pilot, "x", "g", "ctrl+n")
            assert isinstance(pilot.app.screen, Choose)
            seen = shown(pilot)
            assert "served at here" in seen
            assert "served at locked; its key was never sent there" in seen
            await press(pilot, "j", "j", "enter")
            assert field(pilot, "policy").value in ("chat", "locked", "smollm2")
            assert field(pilot, "policy").editor.has_focus

    async def test_judges_are_offered_with_their_rank(self, sums: Project) -> None:
        async with opened(sums) as pilot:
            await press(pilot, "x", "u", "ctrl+n")
            assert "has judged nothing yet; by rules" in shown(pilot)
            await press(pilot, "j", "enter")
            assert field(pilot, "judge").value == "answer-check"


class TestTrust:
    """A key goes nowhere before its owner said so."""

    async def test_no_starts_nothing(self, sums: Project, client: Client, server: FaultServer) -> None:
        """Enter is a no, as at the shell; the question is the shell's."""
        async with opened(sums) as pilot:
            await press(pilot, "x", "g")
            await fill(pilot, policy="locked", limit="1")
            await press(pilot, "ctrl+s")
            await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
            assert f"Send the key in $LOCKED_KEY to {server.url}?" in " ".join(shown(pilot).split())
            await press(pilot, "enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, Problem))
            assert "bswirl doctor --trust locked" in " ".join(shown(pilot).split())
            await press(pilot, "enter")
            assert isinstance(pilot.app.screen, RunForm)
            assert trusted_pairs() == frozenset()
            assert client.runs() == []
            assert server.requests == []

    async def test_yes_is_kept(self, sums: Project, client: Client, server: FaultServer) -> None:
        """The run starts, the server gets the key, and the next run asks nothing."""
        async with opened(sums) as pilot:
            await press(pilot, "x", "g")
            await fill(pilot, policy="locked", limit="1", branches="0")
            await press(pilot, "ctrl+s")
            await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
            await press(pilot, "y")
            await until(pilot, lambda: isinstance(pilot.app.screen, RunView))
            run = client.runs()[0]
            assert wait_run(client, run.run_id).status == "done"
            assert server.requests[0].headers["authorization"] == "Bearer planted-key"
            assert [pair.variable for pair in trusted_pairs()] == ["LOCKED_KEY"]
            assert "planted-key" not in shown(pilot)
            await press(pilot, "C", "ctrl+s")
            await until(pilot, lambda: len(client.runs()) == 2)
            wait_run(client, 2)


class TestCostLimit:
    """A run that stopped at its limit goes on with a higher one."""

    async def test_resume_asks_for_a_higher_one(self, sums: Project, client: Client) -> None:
        """What is no amount above the old one is asked for again; escape changes nothing."""
        request = generate_request(sums, policy="chat", max_cost=0.0002, max_tokens=64)
        run = wait_run(client, start_run(client, sums, request).run_id)
        assert stopped_at_limit(run), run.error
        async with opened(sums) as pilot:
            await press(pilot, "v", "S")
            assert isinstance(pilot.app.screen, Ask)
            assert "stopped at its limit of $0.0002" in " ".join(shown(pilot).split())
            await press(pilot, "escape")
            assert client.run(run.run_id).status == "failed"
            await press(pilot, "S")
            pilot.app.screen.query_one(Input).value = "0.0001"
            await press(pilot, "enter")
            assert "0.0001 is no amount above 0.0002" in " ".join(shown(pilot).split())
            pilot.app.screen.query_one(Input).value = "$5"
            await press(pilot, "enter")
            await until(pilot, lambda: client.run(run.run_id).status == "done")
            assert cost_limit(client.run(run.run_id)) == 5.0
            assert client.run(run.run_id).attempt == 2


class TestAgain:
    """Another run like one that was."""

    async def test_clone_has_its_settings(self, sums: Project, client: Client) -> None:
        """What differs from the defaults is filled in, hidden settings in sight; any can be changed."""
        request = generate_request(sums, policy="chat", limit=1, branches=0, temperature=0.7, seed=3)
        wait_run(client, start_run(client, sums, request).run_id)
        async with opened(sums) as pilot:
            await press(pilot, "v", "enter", "C")
            assert isinstance(pilot.app.screen, RunForm)
            same = "$ bswirl generate --policy chat --limit 1 --branches 0 --temperature 0.7 --seed 3"
            assert command(pilot) == same
            assert field(pilot, "seed").display
            await fill(pilot, seed="4")
            assert command(pilot) == same.replace("--seed 3", "--seed 4")

    async def test_copy_gives_the_command_for_any_folder(
        self, sums: Project, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """To the terminal's clipboard; a second time into a dialog, and at once where there is none."""
        monkeypatch.delenv("TMUX", raising=False)
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.delenv("VTE_VERSION", raising=False)
        request = generate_request(sums, policy="chat", limit=1, branches=0)
        wait_run(client, start_run(client, sums, request).run_id)
        wanted = f"bswirl -p {sums.root} generate --policy chat --limit 1 --branches 0"
        async with opened(sums) as pilot:
            await press(pilot, "v", "y")
            assert pilot.app.clipboard == wanted
            assert not isinstance(pilot.app.screen, Shown)
            await press(pilot, "y")
            assert isinstance(pilot.app.screen, Shown)
            await press(pilot, "enter", "escape", "x", "g")
            monkeypatch.setenv("TERM", "linux")
            await fill(pilot, limit="2")
            await press(pilot, "ctrl+y")
            assert isinstance(pilot.app.screen, Shown)
            assert "--limit 2" in " ".join(shown(pilot).split())
            assert pilot.app.clipboard.startswith(f"bswirl -p {sums.root} generate --policy chat --limit 2")


class TestRounds:
    """Sampling until groups are live."""

    async def test_the_form_says_what_is_missing(self, sums: Project, client: Client) -> None:
        """A rule without rounds, and rounds without a judge, as at the shell."""
        async with opened(sums) as pilot:
            await press(pilot, "x", "g")
            await fill(pilot, policy="chat", max_branches="4")
            assert "only with --until-live" in command(pilot)
            await fill(pilot, until_live="yes")
            assert "--judge is needed for rounds" in command(pilot)
            await press(pilot, "ctrl+s")
            await until(pilot, lambda: "is needed" in field(pilot, "judge").problem)
            assert client.runs() == []

    async def test_they_go_on_by_themselves(self, sums: Project, client: Client) -> None:
        """A process of its own starts one run after the other, also once the app is gone."""
        async with opened(sums) as pilot:
            await press(pilot, "x", "g")
            await fill(
                pilot, policy="chat", limit="1", branches="1", until_live="yes", judge="reference",
                max_branches="3",
            )  # fmt: skip
            assert command(pilot).endswith("--branches 1 --until-live --judge reference --max-branches 3")
            await press(pilot, "ctrl+s")
            await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
            assert "Rounds go on by themselves" in shown(pilot)
            await until(pilot, lambda: "rounds" in lines_of(pilot.app.screen.query_one(RunList))[1])
        log = sums.state_folder / "until-live.log"
        await eventually(lambda: "stopped" in log.read_text())
        assert {run.kind for run in client.runs()} == {"generate", "judge"}
        assert all(run.status == "done" for run in client.runs())
