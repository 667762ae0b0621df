"""A run is a folder: its config, its frozen input, its journal, its log and what it saves."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bswirl import __version__
from bswirl.errors import InputError

INPUT_LEFT_ALONE = "the input of a run must stay as it was frozen: start a new run"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def config_file(self) -> Path:
        return self.path / "config.json"

    @property
    def input_file(self) -> Path:
        return self.path / "input.jsonl"

    @property
    def journal_file(self) -> Path:
        return self.path / "journal.jsonl"

    @property
    def log_file(self) -> Path:
        return self.path / "log"

    @property
    def lock_file(self) -> Path:
        """Held by the worker while it lives; its content names the worker's process."""
        return self.path / "lock"

    @property
    def cancel_file(self) -> Path:
        """A marker: while it is there, the worker should end."""
        return self.path / "cancel"

    @property
    def max_cost_file(self) -> Path:
        """Where there is one: a limit in dollars that goes before the one in the settings."""
        return self.path / "max_cost"

    @property
    def reserve_file(self) -> Path:
        """Disk space set aside, so that a worker on a full disk can still write why it ended."""
        return self.path / "reserve"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def adapter(self) -> Path:
        """The folder of a training run's result."""
        return self.path / "adapter"

    @property
    def best(self) -> Path:
        """The adapter of a training run's best step so far."""
        return self.path / "best"

    @property
    def tensorboard(self) -> Path:
        """A training run's metrics as TensorBoard events."""
        return self.path / "tensorboard"

    def read_config(self) -> dict[str, Any]:
        """What config.json says. Raises InputError where it is missing or broken."""
        try:
            config = json.loads(self.config_file.read_bytes())
        except OSError as error:
            raise InputError(f"{self.path} is no run folder: config.json: {error.strerror}") from error
        except ValueError as error:
            raise InputError(f"{self.config_file}: not valid JSON: {error}") from error
        if not isinstance(config, dict) or not isinstance(config.get("kind"), str):
            raise InputError(f"{self.config_file}: not a run's config", "it must be an object with a `kind`")
        config.setdefault("settings", {})
        config.setdefault("policies", {})
        return config

    def check_input(self) -> None:
        """Raises InputError where the input is missing or is not what the config's hash says."""
        expected = self.read_config().get("input_sha256")
        digest = hashlib.sha256()
        try:
            with self.input_file.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise InputError(f"{self.input_file}: {error.strerror}", INPUT_LEFT_ALONE) from error
        if digest.hexdigest() != expected:
            raise InputError(f"{self.input_file} was changed after the run was made", INPUT_LEFT_ALONE)

    def input_rows(self) -> Iterator[dict[str, Any]]:
        """The frozen input, row by row. Raises InputError (before the first row) where it was changed."""
        self.check_input()
        with self.input_file.open("rb") as file:
            for line in file:
                yield json.loads(line)

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        kind: str,
        name: str,
        run_uid: str,
        rows: Iterable[dict[str, Any]],
        settings: dict[str, Any],
        policies: dict[str, Any] | None = None,
        created_by: str = "",
        run_id: int | None = None,
        extra: dict[str, Any] | None = None,
    ) -> RunFolder:
        """Writes a new run's folder at `path`, made durable; the config comes last, with the input's hash.

        `extra` are further entries of the config, for provenance.
        Raises FileExistsError where the folder exists, OSError where it cannot be written.
        """
        folder = cls(path)
        path.mkdir(parents=True)
        sha, count = folder._write_input(rows)
        folder.write_config(
            {
                "run_id": run_id,
                "run_uid": run_uid,
                "kind": kind,
                "name": name,
                "created_by": created_by,
                "created_at": now(),
                "code_version": __version__,
                "input_sha256": sha,
                "input_rows": count,
                "settings": settings,
                "policies": policies or {},
                **(extra or {}),
            }
        )
        return folder

    def write_config(self, config: dict[str, Any]) -> None:
        """Replaces config.json in one go."""
        draft = self.config_file.with_suffix(".new")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(config, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.config_file)
        sync_folder(self.path)

    def _write_input(self, rows: Iterable[dict[str, Any]]) -> tuple[str, int]:
        digest, count = hashlib.sha256(), 0
        with self.input_file.open("wb") as file:
            for row in rows:
                line = json.dumps(row, separators=(",", ":")).encode() + b"\n"
                digest.update(line)
                file.write(line)
                count += 1
            file.flush()
            os.fsync(file.fileno())
        return digest.hexdigest(), count


def sync_folder(path: Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def now() -> str:
    """The time as runs write it: ISO 8601, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
