"""The client side of a project: starts the owner where none answers, and calls it over its socket."""

from __future__ import annotations

from bswirl.client.client import Client
from bswirl.client.start import stop_owner
from bswirl.project import Project, load_settings

__all__ = ["Client", "connect", "stop_owner"]


def connect(project: Project, *, auditor: str | None = None, start: bool = True) -> Client:
    """A client of the project's owner, which is started where none answers (unless `start` is false).

    `auditor` is who labels; by default the one the settings name. Raises InputError on broken settings or
    what the owner refuses, BswirlError where no owner can be had.
    """
    client = Client(project, auditor or load_settings(project).auditor, start=start)
    try:
        client.open()
    except BaseException:
        client.close()
        raise
    return client
