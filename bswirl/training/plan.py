"""What a run has before it: a fingerprint of its settings and rows, by which a resumed run knows itself."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Mapping
from typing import Any

from bswirl.training.rows import RowSet, TrainingRow

# Where a run works and what it keeps: a resumed run may differ in these.
_FREE = frozenset({"device", "base_cache_gb", "checkpoint_every", "keep_checkpoints", "tensorboard"})


def fingerprint(settings: Mapping[str, Any], rows: RowSet) -> str:
    """SHA-256 over the run's frozen settings, its rows or states by question, and its probe."""
    digest = hashlib.sha256()
    planned = {name: value for name, value in settings.items() if name not in _FREE and value is not None}
    digest.update(json.dumps(planned, sort_keys=True).encode())
    for number in sorted(rows.rows):
        digest.update(f"\nquestion {number}".encode())
        for row in rows.rows[number]:
            _add(digest, row)
    digest.update(b"\nprobe")
    for row in rows.probe:
        _add(digest, row)
    for number in sorted(rows.states):
        digest.update(f"\nstates {[(state.state_id, state.steps) for state in rows.states[number]]}".encode())
    digest.update(f"\nheld out {[question.question_id for question in rows.held_out]}".encode())
    return digest.hexdigest()


def _add(digest: Any, row: TrainingRow) -> None:
    words = (row.state_id, row.action_id, row.action_start, row.reward, row.coefficient, row.samples)
    digest.update(f"\n{words}".encode())
    digest.update(array("q", row.ids).tobytes())
