"""A project on disk: where its files lie, and the settings in its `bswirl.toml`."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass
from pathlib import Path

from bswirl.errors import InputError
from bswirl.settings import PolicySettings, Settings, read_settings

SETTINGS_NAME = "bswirl.toml"
PROJECT_VARIABLE = "BSWIRL_PROJECT"

__all__ = [
    "PROJECT_VARIABLE",
    "SETTINGS_NAME",
    "PolicySettings",
    "Project",
    "Settings",
    "account_name",
    "find_project",
    "load_settings",
]

_NEW_SETTINGS = """\
# Settings of this bswirl project. docs/formats.md lists every key.

# auditor = "your-name"          # who labels; default: the account's name

[judges]
ranking = ["answer-check", "reference"]   # the first judge that has a verdict decides

# [policies.my-model]
# path = "models/my-model"       # a local Hugging Face folder, or a hub id
# adapter = "adapters/mine"      # optional PEFT adapter on top

# Models behind an endpoint; docs/endpoints.md tells more.
# [endpoints.local]
# url = "http://127.0.0.1:8000/v1"
# key = "MY_KEY"                 # the NAME of an environment variable; leave it out where no key is needed

# [judges.qwen72b]
# endpoint = "together"          # built in; its key is in $TOGETHER_API_KEY
# model = "Qwen/Qwen2.5-72B-Instruct-Turbo"
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
    def draws_file(self) -> Path:
        """The fsynced mirror of every draw of the audit queue."""
        return self.root / "draws.jsonl"

    @property
    def runs_folder(self) -> Path:
        return self.root / "runs"

    @property
    def rejects_folder(self) -> Path:
        return self.root / "rejects"

    @property
    def certificates_folder(self) -> Path:
        """What judges that are models said while they were certified."""
        return self.root / "certificates"

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


def load_settings(project: Project) -> Settings:
    """Reads the project's settings. Raises InputError that names the file, the place and the remedy."""
    return read_settings(project.settings_file, project.root, account_name())


def account_name() -> str:
    """The name of the account, as the default auditor."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"
