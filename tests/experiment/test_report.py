"""The report says what the record says, in plain words, whichever way it fell."""

from __future__ import annotations

from pathlib import Path

import pytest

from bswirl.experiment import report as report_module
from bswirl.experiment.report import report, write_report
from bswirl.experiment.results import results_of
from tests.experiment.sample import small_record


class TestReport:
    """report."""

    def test_success_in_plain_words(self) -> None:
        """Aims, differences and margins of a clear case."""
        text = report(small_record())
        assert "- Aim: bswirl beats the base policy by 10 points or more. **Yes**." in text
        assert "`bswirl` beats the base policy by +52.5 [" in text
        assert "`bswirl` beats `swirl`: +41.2 [" in text
        assert "The probe's margin opens in 2 of 2 seeds of `bswirl`." in text

    def test_no_difference_in_plain_words(self) -> None:
        """What cannot be told apart is not called better, and a missed aim is missed."""
        text = report(small_record(swirl=(13, 14), bswirl=(13, 14)))
        assert "- Aim: bswirl beats swirl at p < 0.05. **No**." in text
        assert "`bswirl` beats the base policy by +8.8 [" in text
        assert "less than the 10 points that were aimed for." in text
        assert "`bswirl` and `swirl` cannot be told apart: +0.0" in text

    def test_worse_in_plain_words(self) -> None:
        """A policy that lost is said to have lost."""
        text = report(small_record(swirl=(30, 30), bswirl=(2, 2)))
        assert "`bswirl` is worse than the base policy, by -20.0 [" in text
        assert "`bswirl` is worse than `swirl`: -70.0 [" in text

    def test_names_everything_that_was_tried(self) -> None:
        """Every configuration with its result or failure, the command, the machine, the seeds, the times."""
        record = small_record()
        record["failed_seeds"] = {"swirl seed 2": "collapse: far away"}
        text = report(record)
        assert "| `bswirl` | label 1 | 1 | 4/10, 40.0% [16.8, 68.7] | – | chosen |" in text
        assert "| `bswirl` | label 2 | 2 | failed: collapse: too far | – |  |" in text
        assert "`swirl seed 2` failed and has no figures: collapse: far away" in text
        assert record["command"] in text
        assert "a | processor, 2 cores" in text
        assert "| 1 | `swirl` | 18 | 9 | 1,234 | 1,000 |" in text
        assert "| generate | 1 | done | 2 | 0:05:55 |" in text
        assert "Sessions of the command: interrupted, 0:59:01." in text
        assert "| base | 3 | 0.667" in text

    def test_an_objective_that_failed(self) -> None:
        """No figure is made up for it."""
        record = small_record(bswirl=())
        record["choice"]["bswirl"] = None
        text = report(record)
        assert "`bswirl` has no policy to measure" in text
        assert text.count("**Not measured**") == 3


class TestWriteReport:
    """write_report."""

    def test_writes_the_same_bytes_again(self, tmp_path: Path) -> None:
        """Markdown and plots depend on the record alone; the report links each plot."""
        pytest.importorskip("matplotlib")
        folders = [tmp_path / "a", tmp_path / "b"]
        for folder in folders:
            folder.mkdir()
            write_report(small_record(), folder, pytest.fail)
        first, second = (
            {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
            for folder in folders
        )
        assert first == second
        assert {path.as_posix() for path in first} == {
            "report.md", "plots/margins.svg", "plots/test.svg", "plots/validation.svg"
        }  # fmt: skip
        text = first[Path("report.md")].decode()
        for path, data in first.items():
            if path.suffix == ".svg":
                assert f"({path.as_posix()})" in text
                assert data.lstrip().startswith(b"<?xml")
                assert b"dc:date" not in data

    def test_plots_show_what_changed(self, tmp_path: Path) -> None:
        """Other figures give another plot."""
        pytest.importorskip("matplotlib")
        write_report(small_record(), tmp_path, pytest.fail)
        before = (tmp_path / "plots" / "margins.svg").read_bytes()
        record = small_record()
        record["margins"]["bswirl seed 0"][-1]["margin"] = 0.1
        record["results"] = results_of(record)
        write_report(record, tmp_path, pytest.fail)
        assert (tmp_path / "plots" / "margins.svg").read_bytes() != before

    def test_without_matplotlib(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The report comes without plots, and a line says what they need."""
        monkeypatch.setitem(__import__("sys").modules, "bswirl.experiment.plots", None)
        said: list[str] = []
        report_module.write_report(small_record(), tmp_path, said.append)
        assert "matplotlib" in said[0]
        assert "svg" not in (tmp_path / "report.md").read_text()
