"""Run folders: what is frozen stays frozen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bswirl import __version__
from bswirl.errors import InputError
from bswirl.runs.folder import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(
        tmp_path / "run",
        kind="judge",
        name="reference",
        run_uid="u-1",
        rows=[{"n": 1, "text": "a\u2028b"}, {"n": 2}],
        settings={"judge": "reference"},
        extra={"select": {"limit": 2}},
    )


class TestFreezing:
    def test_config_and_input_come_back(self, folder: RunFolder) -> None:
        """What was put in comes out, with the version and the number of rows."""
        config = folder.read_config()
        assert config["settings"] == {"judge": "reference"}
        assert config["policies"] == {}
        assert config["select"] == {"limit": 2}
        assert (config["input_rows"], config["code_version"]) == (2, __version__)
        assert list(folder.input_rows()) == [{"n": 1, "text": "a\u2028b"}, {"n": 2}]

    def test_an_existing_folder_is_left_alone(self, folder: RunFolder) -> None:
        """No run writes over another."""
        with pytest.raises(FileExistsError):
            RunFolder.create(folder.path, kind="judge", name="", run_uid="", rows=[], settings={})
        assert folder.read_config()["input_rows"] == 2

    def test_a_changed_input_is_refused_before_its_first_row(self, folder: RunFolder) -> None:
        """A run never works on an input other than the frozen one."""
        folder.input_file.write_bytes(folder.input_file.read_bytes().replace(b"2", b"3"))
        with pytest.raises(InputError, match="was changed"):
            next(folder.input_rows())

    def test_a_missing_input_is_named(self, folder: RunFolder) -> None:
        """The error names the file."""
        folder.input_file.unlink()
        with pytest.raises(InputError, match=r"input\.jsonl: No such file"):
            next(folder.input_rows())


class TestBrokenFolders:
    def test_a_folder_without_config_is_no_run(self, tmp_path: Path) -> None:
        """One clear line for a wrong folder."""
        with pytest.raises(InputError, match="is no run folder"):
            RunFolder(tmp_path).read_config()

    @pytest.mark.parametrize("text", ["{", "[]", '{"name": "x"}'])
    def test_a_broken_config_is_an_input_error(self, folder: RunFolder, text: str) -> None:
        """Neither a traceback nor a guess."""
        folder.config_file.write_text(text)
        with pytest.raises(InputError, match=r"config\.json"):
            folder.read_config()

    def test_config_is_replaced_in_one_go(self, folder: RunFolder) -> None:
        """Rewriting the config leaves no draft behind."""
        folder.write_config({**folder.read_config(), "run_id": 7})
        assert json.loads(folder.config_file.read_text())["run_id"] == 7
        assert sorted(path.name for path in folder.path.iterdir()) == ["config.json", "input.jsonl"]
