"""A project behind a real owner, made once and copied for the tests that write to it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bswirl.client import Client, connect
from bswirl.project import Project
from bswirl_tui.widgets import bars
from tests.tui import content

os.environ.update(COLORTERM="truecolor", TERM="xterm-256color")
for name in ("NO_COLOR", "BSWIRL_THEME", "BSWIRL_PROJECT", "TEXTUAL_THEME"):
    os.environ.pop(name, None)


@pytest.fixture(autouse=True)
def _time_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the app says is still there when a slow machine comes to look at it."""
    monkeypatch.setattr(bars, "MESSAGE_SECONDS", 60.0)


def _serve(project: Project) -> Iterator[Project]:
    try:
        yield project
    finally:
        with connect(project) as client:
            client.stop_owner()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project that no test may change: trees, a training run and an evaluation."""
    folder = tmp_path_factory.mktemp("shared")
    project = Project.create(folder / "pens")
    with connect(project, auditor="alice") as client:
        content.fill(client)
        content.finished_training(project, client, folder / "train")
        content.finished_evaluation(project, client, folder / "evaluate")
    yield from _serve(project)


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = Project.create(tmp_path_factory.mktemp("template") / "pens")
    with connect(project, auditor="alice") as client:
        content.fill(client)
        client.stop_owner()
    return project.root


@pytest.fixture(scope="session")
def _audited_template(_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = _copied(_template, tmp_path_factory.mktemp("audited"))
    with connect(project, auditor="alice") as client:
        content.audit_all(client)
        client.stop_owner()
    return project.root


def _copied(template: Path, folder: Path) -> Project:
    root = folder / "pens"
    shutil.copytree(template, root, ignore=shutil.ignore_patterns("socket", "*.lock"))
    return Project.open(root)


@pytest.fixture
def project(_template: Path, tmp_path: Path) -> Iterator[Project]:
    """A project of the test's own, with the same trees."""
    yield from _serve(_copied(_template, tmp_path))


@pytest.fixture
def audited(_audited_template: Path, tmp_path: Path) -> Iterator[Project]:
    """The same, and Alice has labelled every step."""
    yield from _serve(_copied(_audited_template, tmp_path))


@pytest.fixture
def bob(project: Project) -> Iterator[Client]:
    """Another person at the same project."""
    with connect(project, auditor="bob") as client:
        yield client


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Project]:
    """A project with nothing in it."""
    yield from _serve(Project.create(tmp_path / "empty"))
