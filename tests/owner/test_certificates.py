"""Certificates over the socket: kept, listed, told, and refused where they are none."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import pytest

from bswirl.certificates import Certificate, Rates
from bswirl.errors import UsageError
from bswirl.project import Project
from bswirl.records import from_json, to_json
from tests.certified import a_certificate
from tests.owner.kit import Wire

MADE = a_certificate(depths=(Rates(3, 1, 0, 2, 0.2, 0.9, 0.3, 1.0), Rates()), client_uid="u1")
SENT = json.loads(json.dumps(to_json(MADE)))


def test_kept_once_and_listed_newest_first(wire: Wire, project: Project) -> None:
    """The reply and the list have what was sent, with number, author and time; a retry adds nothing."""
    with Wire(project, auditor="bob") as listener:
        listener.call("subscribe")
        kept = wire.call("certificate_add", certificate=SENT)
        assert listener.lines.receive() == {
            "event": "changed",
            "topics": ["verdicts"],
            "questions": [],
            "runs": [],
        }
    assert wire.call("certificate_add", certificate=SENT) == kept
    other = wire.call("certificate_add", certificate={**SENT, "client_uid": None})
    assert (kept["certificate_id"], kept["created_by"], other["certificate_id"]) == (1, "ann", 2)
    assert kept["created_at"]
    assert wire.call("certificates") == [other, kept]
    ours = {**kept, "certificate_id": None, "created_by": "", "created_at": ""}
    assert from_json(Certificate, ours) == MADE


def _changed(place: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    made: Any = copy.deepcopy(SENT)
    inner = made
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    found: dict[str, Any] = made
    return found


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("judge",), None, "`judge` is missing"),
        (("solutions",), -1, "`solutions` is no whole number"),
        (("f1",), 0.5, "`f1` is no object"),
        (("f1", "low"), math.inf, "`low` is no finite number"),
        (("overall", "steps", "true_negative"), 1.5, "`true_negative` is no whole number"),
        (("overall", "depth"), 1, "`overall` has no depth"),
        (("depths", 0, "depth"), None, "`depths` are step numbers"),
        (("depths", 0, "depth"), 2, "`depths` one each"),
        (("depths", 0, "depth"), 0, "`depth` is no whole number"),
        (("depths", 0, "progress", "tpr_low"), "high", "`tpr_low` is no number"),
        (("depths", 0), 7, "not an object"),
    ],
)
def test_what_is_no_certificate_is_refused(
    wire: Wire, place: tuple[str | int, ...], value: Any, words: str
) -> None:
    """One clear error that names the field; nothing is kept."""
    with pytest.raises(UsageError, match=words):
        wire.call("certificate_add", certificate=_changed(place, value))
    assert wire.call("certificates") == []
