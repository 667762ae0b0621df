"""The options of a run, for another one like it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from bswirl.errors import UsageError
from bswirl.launch import command_again, cost_limit, in_project, make_request, options_again, stopped_at_limit
from bswirl.launch.options import command_line
from bswirl.launch.requests import RunRequest, policies_json
from bswirl.project import Project
from bswirl.records import Run, from_json, to_json
from bswirl.runs.folder import RunFolder
from bswirl.selections import Selection
from bswirl.serving.budget import Budget
from bswirl.serving.calls import CostLimitError
from bswirl.serving.ledger import Spending


def run_of(request: RunRequest, **more: Any) -> Run:
    """The run as the store would have it, by way of JSON."""
    config = {
        "settings": request.settings,
        "select": request.select,
        "policies": policies_json(request),
        **more,
    }
    return from_json(Run, to_json(Run(4, "uid", request.kind, request.name, "done", config, "/nowhere")))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.create(tmp_path / "a project")


CASES: list[tuple[str, dict[str, Any]]] = [
    ("generate", {"policy": "smollm2", "branches": 6, "temperature": 0.7, "split": "train", "limit": 9}),
    ("judge", {"again": True, "dataset": "shop"}),
    ("judge", {"judge": "answer-check"}),
    ("train", {"objective": "bswirl", "policy": "smollm2", "difficulty": (0.2, 0.8), "filter": "both"}),
    ("train", {"objective": "sft", "policy": "smollm2", "learning_rate": 3e-4, "probe_fraction": 0.2}),
    ("train", {"objective": "swirl", "policy": "smollm2", "split": "test", "allow_test": True}),
    ("evaluate", {"policy": "smollm2", "split": "test", "max_tokens": 100, "load_in_4bit": True}),
]


class TestOptions:
    @pytest.mark.parametrize(("kind", "values"), CASES, ids=str)
    def test_same_command_as_the_run_was_made_with(
        self, project: Project, kind: str, values: dict[str, Any]
    ) -> None:
        """From what its folder froze alone."""
        run = run_of(make_request(kind, project, values))
        assert command_again(run) == command_line(kind, values)
        assert make_request(kind, project, options_again(run)).settings == run.config["settings"]

    def test_saved_selection_goes_by_its_name(self, project: Project) -> None:
        """It speaks for all that it says; the run froze the filters beside it."""
        values = {"objective": "bswirl", "policy": "smollm2", "filter": "process"}
        saved = {"selection": {"name": "good", "filter": "process"}}
        run = run_of(make_request("train", project, values), **saved)
        assert command_again(run) == "bswirl train --objective bswirl --policy smollm2 --selection good"

    def test_saved_selection_of_the_test_split_stays_allowed(self, project: Project) -> None:
        """Else the same command would be refused."""
        values = {"objective": "bswirl", "policy": "smollm2", "split": "test", "allow_test": True}
        run = run_of(
            make_request("train", project, values),
            selection={"name": "hard", **Selection(split="test").to_json()},
        )
        words = "bswirl train --objective bswirl --policy smollm2 --selection hard --allow-test"
        assert command_again(run) == words

    def test_what_has_no_options(self, project: Project) -> None:
        """Imports, and rounds that lean on others."""
        with pytest.raises(UsageError, match="import"):
            options_again(Run(1, "uid", "import", "seed", "done", {}, ""))
        grown = run_of(make_request("generate", project, {"policy": "smollm2"}))
        grown.config["settings"]["grow"] = True
        with pytest.raises(UsageError, match="depends on the rounds"):
            options_again(grown)

    def test_command_for_any_folder(self, project: Project) -> None:
        """The project's folder is quoted as a shell needs it."""
        words = shlex.split(in_project("bswirl judge --again", project.root))
        assert words == ["bswirl", "-p", str(project.root), "judge", "--again"]


class TestCostLimit:
    async def test_of_a_run_that_stopped_there(self, tmp_path: Path) -> None:
        """Known by the words that the limit itself says; a raised one goes before the settings'."""
        budget = Budget(0.5, Spending())
        with pytest.raises(CostLimitError) as caught:
            await budget.set_aside(0.6)
        config = {"settings": {"max_cost": 0.5}}
        run = Run(1, "uid", "judge", "j", "failed", config, str(tmp_path), error=str(caught.value))
        assert stopped_at_limit(run)
        assert cost_limit(run) == 0.5
        RunFolder(tmp_path).max_cost_file.write_text("2.5\n")
        assert cost_limit(run) == 2.5

    def test_of_others(self) -> None:
        """Failed otherwise, or without a limit."""
        assert not stopped_at_limit(Run(1, "uid", "judge", "j", "failed", {}, "/nowhere", error="no answer"))
        assert cost_limit(Run(1, "uid", "judge", "j", "done", {}, "/nowhere")) is None
