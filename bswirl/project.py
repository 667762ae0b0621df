"""A project on disk: where its files lie, and the settings in its `bswirl.toml`."""

from __future__ import annotations

import getpass
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bswirl.errors import InputError

SETTINGS_NAME = "bswirl.toml"
PROJECT_VARIABLE = "BSWIRL_PROJECT"
DEFAULT_RANKING = ("answer-check", "reference")

_NEW_SETTINGS = """\
# Settings of this bswirl project. docs/formats.md lists every key.

# auditor = "your-name"          # who labels; default: the account's name

[judges]
ranking = ["answer-check", "reference"]   # the first judge that has a verdict decides

# [policies.my-model]
# path = "models/my-model"       # a local Hugging Face folder, or a hub id
# adapter = "adapters/mine"      # optional PEFT adapter on top
"""


@dataclass(frozen=True, slots=True)
class Project:
    """The files of one project."""

    root: Path

    @property
    def settings_file(self) -> Path:
        return self.root / SETTINGS_NAME

    @property
    def store_file(self) -> Path:
        return self.root / "store.duckdb"

    @property
    def labels_file(self) -> Path:
        """The fsynced mirror of every label."""
        return self.root / "labels.jsonl"

    @property
    def runs_folder(self) -> Path:
        return self.root / "runs"

    @property
    def rejects_folder(self) -> Path:
        return self.root / "rejects"

    @property
    def state_folder(self) -> Path:
        return self.root / ".bswirl"

    @property
    def owner_lock(self) -> Path:
        """Held by the owner while it lives."""
        return self.state_folder / "owner.lock"

    @property
    def start_lock(self) -> Path:
        """Held by the client that starts the owner, so that racing clients start one."""
        return self.state_folder / "start.lock"

    @property
    def owner_log(self) -> Path:
        return self.state_folder / "owner.log"

    @property
    def socket_record(self) -> Path:
        """A text file that holds the path of the owner's socket."""
        return self.state_folder / "socket"

    def run_folder(self, run_id: int) -> Path:
        return self.runs_folder / str(run_id)

    @classmethod
    def open(cls, root: Path) -> Project:
        """The project in `root`. Raises InputError where there is none."""
        resolved = root.expanduser().resolve()
        if not resolved.is_dir():
            raise InputError(f"{root}: no such folder", f"`bswirl init {root}` makes a project there")
        project = cls(resolved)
        if not project.settings_file.is_file():
            raise InputError(f"{root} holds no bswirl project", f"`bswirl init {root}` makes one")
        return project

    @classmethod
    def create(cls, root: Path) -> Project:
        """Makes an empty project in `root`. Raises InputError where there is one already."""
        resolved = root.expanduser().resolve()
        project = cls(resolved)
        if project.settings_file.exists() or project.store_file.exists():
            raise InputError(f"{root} already holds a bswirl project", "choose another folder")
        try:
            for folder in (project.root, project.runs_folder, project.rejects_folder, project.state_folder):
                folder.mkdir(parents=True, exist_ok=True)
            draft = project.settings_file.with_suffix(".new")
            draft.write_text(_NEW_SETTINGS, encoding="utf-8")
            draft.replace(project.settings_file)
        except OSError as error:
            raise InputError(
                f"cannot make a project in {root}: {error.strerror or error}",
                "choose another folder or free some space",
            ) from error
        return project


def find_project(option: str | os.PathLike[str] | None = None) -> Project:
    """The project a command works on: `-p DIR`, else $BSWIRL_PROJECT, else the current folder."""
    if option is not None:
        return Project.open(Path(option))
    named = os.environ.get(PROJECT_VARIABLE)
    if named:
        return Project.open(Path(named))
    if (Path.cwd() / SETTINGS_NAME).is_file():
        return Project.open(Path.cwd())
    raise InputError(
        "no project here",
        f"go into one, name one with -p DIR or ${PROJECT_VARIABLE}, or make one with `bswirl init DIR`",
    )


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """A policy named in the settings: a Hugging Face folder or hub id, and an optional adapter."""

    name: str
    path: str
    adapter: str | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """What `bswirl.toml` says."""

    auditor: str
    ranking: tuple[str, ...] = DEFAULT_RANKING
    policies: dict[str, PolicySettings] = field(default_factory=dict)


def load_settings(project: Project) -> Settings:
    """Reads the project's settings. Raises InputError that names the file, the place and the remedy."""
    path = project.settings_file
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", "check that the file is readable") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid TOML: {error}", "mend that line") from error
    return Settings(
        auditor=_text(path, values, "auditor") or account_name(),
        ranking=_ranking(path, values),
        policies=_policies(project, values),
    )


def account_name() -> str:
    """The name of the account, as the default auditor."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def _text(path: Path, table: dict[str, Any], key: str) -> str | None:
    value = table.get(key)
    if value is None or isinstance(value, str):
        return value
    raise InputError(f"{path}: `{key}` must be a text", f'write {key} = "…"')


def _ranking(path: Path, values: dict[str, Any]) -> tuple[str, ...]:
    ranking = values.get("judges", {}).get("ranking", list(DEFAULT_RANKING))
    if not isinstance(ranking, list) or not all(isinstance(name, str) for name in ranking):
        raise InputError(
            f"{path}: `judges.ranking` must be a list of names",
            'write ranking = ["answer-check", "reference"]',
        )
    return tuple(ranking)


def _policies(project: Project, values: dict[str, Any]) -> dict[str, PolicySettings]:
    path = project.settings_file
    policies = {}
    for name, table in values.get("policies", {}).items():
        if not isinstance(table, dict):
            raise InputError(
                f"{path}: `policies.{name}` must be a table", f"write [policies.{name}] and its keys below"
            )
        model = _text(path, table, "path")
        if not model:
            raise InputError(f"{path}: policy `{name}` has no `path`", 'add path = "FOLDER" or a hub id')
        adapter = _text(path, table, "adapter")
        policies[name] = PolicySettings(
            name=name,
            path=_resolved(project, model),
            adapter=str((project.root / adapter).resolve()) if adapter else None,
            description=_text(path, table, "description") or "",
        )
    return policies


def _resolved(project: Project, model: str) -> str:
    """A folder beside the project as an absolute path; anything else is a hub id and stays as it is."""
    candidate = (project.root / Path(model).expanduser()).resolve()
    return str(candidate) if candidate.is_dir() or model.startswith((".", "/", "~")) else model
