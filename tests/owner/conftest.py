"""A project of its own a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bswirl.project import Project
from tests.owner.kit import Wire, owner_of


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    return Project.create(tmp_path / "p")


@pytest.fixture
def wire(project: Project) -> Iterator[Wire]:
    """A client of a living owner."""
    with owner_of(project), Wire(project) as made:
        yield made
