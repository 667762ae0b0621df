"""The record: options, the frozen choice, and the test split that is read once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bswirl.errors import BswirlError, InputError, UsageError
from bswirl.experiment.configurations import MOST, OBJECTIVES, configurations
from bswirl.experiment.options import QUICK, ExperimentOptions
from bswirl.experiment.record import Record
from bswirl.launch import parse_options


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record.open(tmp_path / "record.json", ExperimentOptions(), {"cores": 2})


class TestRecord:
    """Record."""

    def test_goes_on_with_what_was_saved(self, record: Record) -> None:
        """The same options open the same record, whatever machine it is by now."""
        record.runs["generate"] = 4
        record.save()
        again = Record.open(record.path, ExperimentOptions(), {"cores": 64})
        assert again.runs == {"generate": 4}
        assert again.values["machine"] == {"cores": 2}

    def test_refuses_other_options(self, record: Record) -> None:
        """Names the option and how to go on."""
        with pytest.raises(
            UsageError, match=r"begun with --train 200, not 99 — go on with `bswirl experiment`"
        ):
            Record.open(record.path, ExperimentOptions(train=99), {})

    def test_refuses_what_is_no_record(self, tmp_path: Path) -> None:
        """Broken JSON and other files are named."""
        path = tmp_path / "record.json"
        path.write_text("{")
        with pytest.raises(InputError, match="not valid JSON"):
            Record.open(path, ExperimentOptions(), {})
        path.write_text('{"format": 99}')
        with pytest.raises(InputError, match="no record of this version"):
            Record.open(path, ExperimentOptions(), {})

    def test_a_torn_save_leaves_the_old_record(self, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
        """Killed before the file is replaced, the old one stands."""

        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            record.put("tried", [])
        monkeypatch.undo()
        assert "tried" not in json.loads(record.path.read_text())
        assert Record.open(record.path, ExperimentOptions(), {}).runs == {}

    def test_the_test_split_waits_for_the_choice_and_is_read_once(self, record: Record) -> None:
        """No reading before the choice is frozen, one a policy after it."""
        with pytest.raises(BswirlError, match="not read before the configurations are chosen"):
            record.check_test_reading("base")
        record.freeze_choice({"swirl": 1, "bswirl": 2})
        record.check_test_reading("base")
        record.put("test", {"questions": ["q"], "answers": {"base": "1"}})
        with pytest.raises(BswirlError, match="base has answered the test split already"):
            record.check_test_reading("base")
        record.check_test_reading("bswirl seed 0")

    def test_the_choice_is_made_once(self, record: Record) -> None:
        """Also after the record was opened anew."""
        record.freeze_choice({"swirl": 1, "bswirl": 2})
        again = Record.open(record.path, ExperimentOptions(), {})
        with pytest.raises(BswirlError, match="frozen"):
            again.freeze_choice({"swirl": 2, "bswirl": 2})
        assert again.choice is not None
        assert again.choice["swirl"] == 1


class TestOptions:
    """ExperimentOptions and the configurations."""

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"configs": 7}, "--configs must be at least 1 and at most 6, not 7"),
            ({"train": 4}, "--train must be at least 5, not 4"),
            ({"process": 501}, "--process 501 is more than --test 500"),
        ],
    )
    def test_refuses_what_makes_no_sense(self, options: dict[str, int], message: str) -> None:
        """With the option's name and its limits."""
        with pytest.raises(UsageError, match=message):
            ExperimentOptions(**options)

    def test_command_says_what_differs(self) -> None:
        """The defaults are left out."""
        assert ExperimentOptions().command() == "bswirl experiment"
        assert ExperimentOptions(probe_every=3).command() == "bswirl experiment --probe-every 3"
        ExperimentOptions(**QUICK)

    @pytest.mark.parametrize("objective", OBJECTIVES)
    def test_every_objective_has_as_many_valid_configurations(self, objective: str) -> None:
        """Six different ones, all of which a training run takes."""
        every = configurations(objective, MOST)
        assert len(every) == MOST
        settings = [
            parse_options("train", {"policy": "demo", "objective": objective, **e.settings}) for e in every
        ]
        assert all(settings.count(one) == 1 for one in settings)
        assert configurations(objective, 2) == every[:2]
