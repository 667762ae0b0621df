"""The experiment's record: what was asked, tried, chosen and found. Everything is reported from it."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from bswirl import __version__
from bswirl.errors import BswirlError, InputError, UsageError
from bswirl.experiment.options import ExperimentOptions, flag
from bswirl.runs.folder import now, sync_folder

FORMAT = 1


class Record:
    """A JSON file that is replaced whole whenever `save` is called."""

    def __init__(self, path: Path, values: dict[str, Any]) -> None:
        self.path = path
        self.values = values

    @classmethod
    def open(cls, path: Path, options: ExperimentOptions, machine: dict[str, Any]) -> Record:
        """The record at `path`, begun where there is none yet.

        Raises UsageError where it was begun with other options, InputError where it cannot be read.
        """
        if path.exists():
            record = cls(path, _read(path))
            record._check_options(dataclasses.asdict(options))
            return record
        record = cls(
            path,
            {
                "format": FORMAT,
                "bswirl": __version__,
                "command": options.command(),
                "options": dataclasses.asdict(options),
                "machine": machine,
                "started_at": now(),
                "runs": {},
            },
        )
        record.save()
        return record

    def _check_options(self, options: dict[str, Any]) -> None:
        begun = self.values["options"]
        other = [name for name, value in options.items() if begun.get(name) != value]
        if other:
            name = other[0]
            raise UsageError(
                f"this experiment was begun with {flag(name)} {begun.get(name)}, not {options[name]}",
                f"go on with `{self.values['command']}`, or give another --work",
            )

    def save(self) -> None:
        """Makes the record durable."""
        draft = self.path.with_suffix(".new")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(self.values, file, indent=1, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)
        sync_folder(self.path.parent)

    def put(self, name: str, value: Any) -> None:
        """Sets one entry and saves."""
        self.values[name] = value
        self.save()

    @property
    def runs(self) -> dict[str, int]:
        """The number of each stage's run."""
        runs: dict[str, int] = self.values["runs"]
        return runs

    @property
    def choice(self) -> dict[str, Any] | None:
        """The chosen configuration's number for each objective, once that is frozen."""
        return self.values.get("choice")

    def freeze_choice(self, chosen: dict[str, int | None]) -> None:
        """Notes which configurations were chosen, for good. Raises BswirlError where they are already."""
        if self.choice is not None:
            raise BswirlError("the choice of configurations is frozen", "begin another experiment")
        self.put("choice", {**chosen, "frozen_at": now()})

    @property
    def test_answers(self) -> dict[str, str]:
        """For each policy that has read the test split: a 1 or a 0 for each question, in their order."""
        answers: dict[str, str] = self.values.get("test", {}).get("answers", {})
        return answers

    def check_test_reading(self, policy: str) -> None:
        """Raises BswirlError where `policy` may not answer the test split (again)."""
        if self.choice is None:
            raise BswirlError(
                "the test split is not read before the configurations are chosen",
                "choose on validation first",
            )
        if policy in self.test_answers:
            raise BswirlError(
                f"{policy} has answered the test split already, and it is read once",
                "begin another experiment with another --problem-seed",
            )


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", "check the file") from error
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON: {error}", "give another --work") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise InputError(f"{path} is no record of this version of bswirl", "give another --work")
    return values
