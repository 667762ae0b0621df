"""`bswirl runs metrics`: curves as a table, as JSON, as CSV."""

import csv
from pathlib import Path

import pytest

from bswirl.client import connect
from bswirl.project import Project
from tests.cli.conftest import Call
from tests.tui.trained import trained


@pytest.fixture
def run(project: Project, sampled: Call, tmp_path: Path) -> int:
    """A training run of 20 steps, with a probe at every tenth."""
    with connect(project, auditor="alice") as client:
        return trained(client, tmp_path / "away", steps=20).run_id


class TestMetrics:
    """The curves whose names match."""

    def test_csv_has_every_point(self, sampled: Call, run: int) -> None:
        """A line each, by name and step."""
        said = sampled("runs", "metrics", run, "--name", "^shift/margin$|^KL$", "--csv")
        lines = list(csv.reader(said.out.splitlines()))
        assert lines[0] == ["run", "metric", "step", "value"]
        assert [line[:3] for line in lines[1:3]] == [[str(run), "kl", "1"], [str(run), "kl", "2"]]
        assert lines[-2:] == [
            [str(run), "shift/margin", step, repr(0.03 * int(step))] for step in ("10", "20")
        ]
        assert len(lines) == 1 + 20 + 2

    def test_json_and_table(self, sampled: Call, run: int) -> None:
        """One object; or first, last and the extremes."""
        found = sampled("runs", "metrics", run, "--name", "margin$", "--json").json
        assert found == {"run": run, "metrics": {"shift/margin": [[10, 0.03 * 10], [20, 0.03 * 20]]}}
        rows = [line.split() for line in sampled("runs", "metrics", run).out.splitlines()]
        assert rows[0] == ["metric", "points", "first", "last", "lowest", "highest"]
        assert ["shift/margin", "2", "0.300", "0.600", "0.300", "0.600"] in rows

    def test_wrong_words_are_refused(self, sampled: Call, run: int) -> None:
        """With the exit code that says what is wrong."""
        said = sampled("runs", "metrics", run, "--name", "(")
        assert said.code == 2
        assert "regular expression" in said.err
        assert sampled("runs", "metrics", run, "--csv", "--json").code == 2
        assert sampled("runs", "metrics", 99).code == 3
