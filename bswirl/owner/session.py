"""What a method gets to see of the connection that called it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bswirl.owner.audit_queue import AuditQueue
from bswirl.owner.counting import Counting
from bswirl.owner.tailer import Tailer
from bswirl.owner.writer import WriterThread
from bswirl.project import Project
from bswirl.store.database import Cursor


class OwnerParts(Protocol):
    """The parts of an owner that methods use."""

    project: Project
    writer: WriterThread
    tailer: Tailer
    counting: Counting
    audit_queue: AuditQueue


@dataclass(slots=True, eq=False, weakref_slot=True)
class Session:
    """One connection: its own cursor, never shared, and who labels through it."""

    owner: OwnerParts
    cursor: Cursor
    peer_uid: int
    auditor: str
