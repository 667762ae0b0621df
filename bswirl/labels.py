"""Labels read as a history: which of them are in force."""

from __future__ import annotations

from collections.abc import Iterable

from bswirl.records import Label


def labels_in_force(labels: Iterable[Label]) -> dict[str, Label]:
    """By auditor the label in force of one action, from all labels on it.

    The newest that was not withdrawn and is no skip; the newest skip where there is no other.
    """
    known = list(labels)
    gone = {label.withdraws for label in known}
    standing = [label for label in known if label.value != "withdrawn" and label.client_uid not in gone]
    return {label.auditor: label for label in sorted(standing, key=_place)}


def _place(label: Label) -> tuple[bool, int]:
    return label.value != "skip", label.label_id or 0
