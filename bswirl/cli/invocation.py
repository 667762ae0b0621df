"""What the global options say, and the project and owner that a command gets from them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl.project import Project


@dataclass(frozen=True)
class Invocation:
    """One call of the command line."""

    project_option: str | None = None
    auditor: str | None = None
    debug: bool = False

    def project(self) -> Project:
        """The project to work on. Raises InputError where there is none."""
        from bswirl.project import find_project

        return find_project(self.project_option)

    def project_if_any(self) -> Project | None:
        """The project to work on; None where none was named and this folder holds none.

        Raises InputError where the one that was named is no project.
        """
        from bswirl.project import PROJECT_VARIABLE, SETTINGS_NAME

        named = self.project_option is not None or os.environ.get(PROJECT_VARIABLE)
        return self.project() if named or Path(SETTINGS_NAME).is_file() else None

    def connect(self, project: Project | None = None) -> Client:
        """A connection to the project's owner, which is started where none answers."""
        from bswirl.client import connect

        return connect(project or self.project(), auditor=self.auditor)


pass_invocation = click.make_pass_decorator(Invocation)
