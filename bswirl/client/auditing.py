"""The client's methods of the audit: the queue, conflicts, and the record that reports are made of."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from bswirl.audit.records import (
    AuditedItem,
    AuditItem,
    AuditNext,
    AuditPosition,
    AuditRecord,
    AuditUndo,
    AuditVote,
    Conflict,
    Effect,
    Judged,
    Turn,
)
from bswirl.client.session import Session
from bswirl.records import Judge, Label, from_json


class Auditing(Session):
    """Auditing as `auditor`. Every call may be repeated with its `client_uid` and then changes nothing."""

    def audit_next(
        self,
        order: str = "random",
        *,
        slice: float | None = None,  # noqa: A002 - the word the command line uses
        repeats: float | None = None,
        overlap: float | None = None,
        blind: bool = True,
        dataset: str | None = None,
        depth: int | None = None,
        answers: bool = False,
        reserve_minutes: float | None = None,
        here: Sequence[int] | None = None,
        client_uid: str | None = None,
    ) -> AuditNext:
        """The next step to label, reserved for this auditor; or why there is none.

        Steps that the auditor was given before and has not labelled come first, without those whose draws are
        `here` (None: all that this connection was given).

        `order`: random, judge-split, judge-reference, high-stakes, depth, unaudited. `slice`, `repeats` and
        `overlap` are shares of the requests: drawn at random (0.2), labelled before by this auditor (0.05),
        labelled by another (0). Steps may be asked for ahead. Raises UsageError on unknown orders and shares.
        """
        found = self._asked(
            "audit_next",
            client_uid,
            order=order,
            slice=slice,
            repeats=repeats,
            overlap=overlap,
            blind=blind,
            dataset=dataset,
            depth=depth,
            answers=answers,
            reserve_minutes=reserve_minutes,
            here=None if here is None else list(here),
        )
        return from_json(AuditNext, found)

    def audit_keep(self, item: AuditItem, reserve_minutes: float | None = None) -> bool:
        """Keeps an item reserved that this auditor is still at; False where somebody else has it by now."""
        kept: bool = self.call(
            "audit_keep", draw_id=item.draw_id, reserve_minutes=reserve_minutes, auditor=self.auditor
        )
        return kept

    def audit_label(
        self,
        item: AuditItem | int,
        value: str,
        *,
        reason: str | None = None,
        flagged: bool = False,
        seconds: float | None = None,
        seen: bool = False,
        action_id: int | None = None,
        client_uid: str | None = None,
    ) -> AuditVote:
        """Votes `1`, `0`, `unsure` or `skip` on an item (or draw number); on disk when this returns.

        The reply reveals the judge. A second vote on the same item is one after the reveal; both are kept.
        `seen`: the judge was looked up before, so that the vote is not blind.
        With `action_id` an InputError is raised where the draw is of another action.
        """
        voted = self._asked(
            "audit_label",
            client_uid,
            draw_id=item.draw_id if isinstance(item, AuditItem) else item,
            value=value,
            reason=reason,
            flagged=flagged,
            seconds=seconds,
            seen=seen,
            action_id=action_id,
        )
        return from_json(AuditVote, voted)

    def audit_skip(self, item: AuditItem | int, *, client_uid: str | None = None) -> AuditVote:
        """Passes an item on: a label `skip`, which decides nothing."""
        return self.audit_label(item, "skip", client_uid=client_uid)

    def audit_undo(self, *, client_uid: str | None = None) -> AuditUndo | None:
        """Withdraws this auditor's newest label that stands and gives its item back; None: none is left."""
        undone = self._asked("audit_undo", client_uid)
        return from_json(AuditUndo, undone) if undone else None

    def audit_flag(self, action_id: int, flagged: bool = True, *, client_uid: str | None = None) -> Label:
        """Sets or takes the flag on this auditor's label of an action; without one the action is skipped."""
        label = self._asked("audit_flag", client_uid, action_id=action_id, flagged=flagged)
        return from_json(Label, label)

    def audit_position(self) -> AuditPosition:
        """Where this auditor was: ask this first; it survives lost connections and new owners."""
        return from_json(AuditPosition, self.call("audit_position", auditor=self.auditor))

    def audit_conflicts(self, limit: int = 1000) -> list[Conflict]:
        """What auditors disagree on and nobody has adjudicated, by action number."""
        return [from_json(Conflict, found) for found in self.call("audit_conflicts", limit=limit)]

    def audit_adjudicate(
        self,
        action_id: int,
        value: str,
        *,
        reason: str | None = None,
        since: int | None = None,
        client_uid: str | None = None,
    ) -> Label:
        """Decides an action with `1` or `0` over all other labels.

        `since` is the number of the newest label that was in sight: an InputError is raised where somebody
        decided the action after that.
        """
        label = self._asked(
            "label_set",
            client_uid,
            action_id=action_id,
            value=value,
            reason=reason,
            blind=False,
            adjudicates=True,
            since=since,
        )
        return from_json(Label, label)

    def audit_flags(self, limit: int = 1000) -> list[Label]:
        """Labels in force that carry a flag, newest first."""
        return [from_json(Label, found) for found in self.call("audit_flags", limit=limit)]

    def audit_record(self) -> AuditRecord:
        """Everything that `bswirl.audit.report.make_report` needs."""
        rows = self.stream("audit_record")
        items = []
        while True:
            try:
                items.append(from_json(AuditedItem, next(rows)))
            except StopIteration as end:
                rest = end.value
                break
        return AuditRecord(
            items=tuple(items),
            turns=tuple(from_json(Turn, turn) for turn in rest["turns"]),
            judges=tuple(from_json(Judge, judge) for judge in rest["judges"]),
            effect=from_json(Effect, rest["effect"]),
            judged=tuple(from_json(Judged, kind) for kind in rest.get("judged", ())),
        )

    def _asked(self, method: str, client_uid: str | None, **params: Any) -> Any:
        """The result of a request in this auditor's name; a uid is made where the caller has none."""
        return self.call(method, client_uid=client_uid or str(uuid.uuid4()), auditor=self.auditor, **params)
