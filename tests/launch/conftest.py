"""Workers that are certain to be still at work when a test looks at them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

HELD_WORKER = """
import os

hold = os.environ.get("HOLD_WORKERS")
if hold is not None:
    import time
    from bswirl.judging.books import Books

    flush_if_due = Books.flush_if_due

    def held(self):
        if not self._rows or not os.path.exists(hold):
            return flush_if_due(self)
        self.flush()
        while os.path.exists(hold):
            time.sleep(0.005)
        return True

    Books.flush_if_due = held
"""


@pytest.fixture
def hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file: while it is there, a worker that has written some verdicts decides no more."""
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "sitecustomize.py").write_text(HELD_WORKER)  # which Python imports as it starts
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "start"), prepend=os.pathsep)
    hold = tmp_path / "hold"
    hold.touch()
    monkeypatch.setenv("HOLD_WORKERS", str(hold))
    yield hold
    hold.unlink(missing_ok=True)
