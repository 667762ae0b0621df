"""The demo project: made from shipped run folders, which the owner reads as it reads those of live runs."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bswirl.client import Client, connect, stop_owner
from bswirl.errors import InputError
from bswirl.project import Project
from bswirl.records import NewQuestion, from_json
from bswirl.resources import data_folder, demo_folder
from bswirl.runs.folder import RunFolder

MANIFEST = "manifest.json"
QUESTIONS = "questions.jsonl.gz"
LABELS = "labels.jsonl.gz"
RUNS = "runs"
DATA_PLACE = "@data"  # stands in shipped configs for the folder of shipped data
_INSTALL_AGAIN = "install bswirl again, or make the data anew with data/make_demo.py"


def create_demo(root: Path) -> Project:
    """Makes the demo project in `root`.

    It is built beside `root` and moved there when it is whole. Raises InputError where `root` holds a project
    or other files, or where the shipped data is missing or damaged.
    """
    target = root.expanduser().resolve()
    _check_target(root, target)
    data = demo_folder()
    check_manifest(data)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as workshop:
        project = Project.create(Path(workshop) / "project")
        try:
            _fill(project, data)
        finally:
            stop_owner(project)
        _clear_state(project)
        _move(project.root, target)
    return Project.open(target)


def check_manifest(data: Path) -> None:
    """Raises InputError unless the demo data is all there and as it was made."""
    try:
        expected: dict[str, str] = json.loads((data / MANIFEST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"the demo data in {data} is missing or damaged", _INSTALL_AGAIN) from error
    for name, sha in expected.items():
        if file_sha(data / name) != sha:
            raise InputError(f"the demo data is damaged: {data / name}", _INSTALL_AGAIN)


def file_sha(path: Path) -> str | None:
    """The SHA-256 of a file; None where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a compressed JSONL file."""
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        for line in file:
            yield json.loads(line)


def _check_target(root: Path, target: Path) -> None:
    if Project(target).settings_file.exists() or Project(target).store_file.exists():
        raise InputError(f"{root} already holds a bswirl project", "choose another folder")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{root} is not an empty folder", "the demo project needs a new or empty one")


def _fill(project: Project, data: Path) -> None:
    """Questions, then runs in the order of their numbers, then labels."""
    with connect(project) as client:
        client.import_questions(_questions(data))
        for packed in sorted((data / RUNS).iterdir(), key=lambda folder: int(folder.name)):
            _attach(client, project, packed)
    stop_owner(project)
    with gzip.open(data / LABELS, "rb") as packed_labels, project.labels_file.open("wb") as mirror:
        shutil.copyfileobj(packed_labels, mirror)
    count = sum(1 for _ in read_rows(data / LABELS))
    with connect(project) as client:  # an owner that starts takes in what only the mirror has
        if len(client.labels(limit=count + 1)) != count:
            raise _out_of_date()


def _questions(data: Path) -> Iterator[NewQuestion]:
    """The questions in the order of the numbers that they had, and will have again."""
    for row in read_rows(data / QUESTIONS):
        yield from_json(NewQuestion, row)


def _attach(client: Client, project: Project, packed: Path) -> None:
    """Unpacks a shipped run into the project and lets the owner read it.

    Raises InputError where its questions and actions are not those that the store has made by now.
    """
    config = RunFolder(packed).config_file.read_text(encoding="utf-8")
    config = json.loads(config.replace(DATA_PLACE, json.dumps(str(data_folder()))[1:-1]))
    draft = project.runs_folder / f".new-{config['run_uid']}"
    draft.mkdir()
    for path in sorted(packed.rglob("*")):
        place = draft / path.relative_to(packed)
        if path.is_dir():
            place.mkdir()
        elif path.suffix == ".gz":
            with gzip.open(path, "rb") as source, place.with_suffix("").open("wb") as sink:
                shutil.copyfileobj(source, sink)
        else:
            shutil.copyfile(path, place)
    RunFolder(draft).write_config(config)
    try:
        run = client.attach_run(draft)
    except InputError as error:
        raise _out_of_date() from error
    if run.run_id != int(packed.name) or run.status != "done":
        raise _out_of_date()


def _out_of_date() -> InputError:
    return InputError("the demo data does not fit this version of bswirl", _INSTALL_AGAIN)


def _clear_state(project: Project) -> None:
    """Removes what the owner that built the project left: its log and where its socket was."""
    shutil.rmtree(project.state_folder)
    project.state_folder.mkdir()


def _move(made: Path, target: Path) -> None:
    """Moves the finished project to its place; what makes a folder a project comes last."""
    if not target.exists():
        made.rename(target)
        return
    settings = Project(made).settings_file.name
    for path in sorted(made.iterdir(), key=lambda path: path.name == settings):
        path.rename(target / path.name)
