"""Curves as CSV files, and patterns for their names."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from bswirl.curves import Points, chosen, free_path, name_pattern, save_csv
from bswirl.errors import InputError, UsageError

CURVES: dict[str, Points] = {'a,"b"\n\x1b[2J': [(1, 0.1), (2, math.nan), (3, None)], "=kl": [(1, -math.inf)]}


class TestFiles:
    """Written whole, never over another by accident."""

    def test_every_point_comes_back(self, tmp_path: Path) -> None:
        """Names verbatim, floats to the last bit, no value as nothing."""
        path = tmp_path / "new" / "a.csv"
        assert save_csv(path, [(2, CURVES), (3, {"a": [(9, 1 / 3)]})]) == 5
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [(row["run"], row["metric"], row["step"], row["value"]) for row in rows] == [
            ("2", 'a,"b"\n\x1b[2J', "1", "0.1"),
            ("2", 'a,"b"\n\x1b[2J', "2", "nan"),
            ("2", 'a,"b"\n\x1b[2J', "3", ""),
            ("2", "=kl", "1", "-inf"),
            ("3", "a", "9", repr(1 / 3)),
        ]
        assert [found.name for found in path.parent.iterdir()] == ["a.csv"]

    def test_existing_file_is_replaced_only_on_request(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_text("mine")
        with pytest.raises(InputError, match="already"):
            save_csv(path, [(1, CURVES)])
        assert path.read_text() == "mine"
        save_csv(path, [(1, CURVES)], replace=True)
        assert path.read_text().startswith("run,metric,step,value\n1,")

    @pytest.mark.parametrize("name", ["folder", "folder/below/a.csv", "a\0b", "x" * 300])
    def test_impossible_place_is_an_error(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "below").write_text("a file")
        with pytest.raises(InputError):
            save_csv(tmp_path / name, [(1, CURVES)], replace=True)

    @pytest.mark.parametrize("replace", [False, True])
    def test_what_could_not_be_written_leaves_nothing(self, tmp_path: Path, replace: bool) -> None:
        """No empty file, and one of before as it was."""
        path = tmp_path / "a.csv"
        if replace:
            path.write_text("mine")
        with pytest.raises(InputError, match="cannot write"):
            save_csv(path, [(1, {"a\ud800": [(1, 1.0)]})], replace=replace)
        assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == replace * [
            ("a.csv", "mine")
        ]
        with pytest.raises(InputError, match="cannot write"):
            save_csv(Path("/"), [(1, CURVES)], replace=True)

    def test_free_name(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        assert free_path(path) == path
        path.touch()
        (tmp_path / "a-2.csv").touch()
        assert free_path(path) == tmp_path / "a-3.csv"


class TestNames:
    """Regular expressions, in any case, matching anywhere."""

    def test_choice(self) -> None:
        curves: dict[str, Points] = {"b": [(1, 1.0)], "KL": [(1, 1.0)], "kl_low": [(1, 1.0)], "empty": []}
        assert list(chosen(curves, name_pattern("^kl"))) == ["KL", "kl_low"]
        assert list(chosen(curves, None)) == ["KL", "b", "kl_low"]

    def test_what_is_no_expression_is_refused(self) -> None:
        with pytest.raises(UsageError, match="no regular expression"):
            name_pattern("shift(")
