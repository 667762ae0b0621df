"""TensorBoard events beside the journal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from bswirl.errors import BswirlError
from bswirl.runs.context import RunContext
from bswirl.runs.folder import RunFolder
from bswirl.training import work
from tests.training.runs import VALIDATED, curves, journal, make_run, train

pytest.importorskip("tensorboard")


def scalars(folder: Path) -> list[tuple[int, str, float]]:
    """What TensorBoard itself reads from `folder`."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return sorted(
        (event.step, tag, event.value) for tag in events.Tags()["scalars"] for event in events.Scalars(tag)
    )


def expected(folder: RunFolder) -> list[tuple[int, str, float]]:
    return sorted(
        (row["step"], name, pytest.approx(value, rel=1e-6, abs=1e-12))
        for row in journal(folder, "metrics")
        for name, value in row["values"].items()
    )


def test_every_metric_of_every_step(tmp_path: Path, policy: Path) -> None:
    """Those of probes and validations too, as TensorBoard's own reader finds them."""
    folder = make_run(tmp_path / "run", policy, max_steps=3, tensorboard=True, **VALIDATED)
    train(folder)
    found = scalars(folder.tensorboard)
    assert found == expected(folder)
    assert {"loss", "kl", "shift/margin", "validation/accuracy", "num_tokens"} <= {tag for _, tag, _ in found}


def test_a_resumed_run_has_each_point_once(
    tmp_path: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps that are done again replace those of the killed attempt; none is missing that was not flushed."""
    folder = make_run(tmp_path / "run", policy, tensorboard=True, epochs=4)
    for attempt, dies_at in enumerate((7, 12), start=1):
        written = iter(range(1000))
        with RunContext(folder, attempt) as context:
            emit = context.emit

            def emit_and_die(*rows: Any, emit: Any = emit, written: Any = written, at: int = dies_at) -> None:
                emit(*rows)
                if next(written) == at:
                    raise KeyboardInterrupt

            monkeypatch.setattr(context, "emit", emit_and_die)
            with pytest.raises(KeyboardInterrupt):
                work.run(context)
    train(folder, attempt=3)
    assert len(list(folder.tensorboard.iterdir())) == 3
    assert scalars(folder.tensorboard) == expected(folder)
    assert len({(step, name) for step, name, _ in curves(folder)}) == len(curves(folder))


def test_off_unless_asked_for(tmp_path: Path, policy: Path) -> None:
    """No folder."""
    folder = make_run(tmp_path / "run", policy, max_steps=1)
    train(folder)
    assert not folder.tensorboard.exists()


def test_a_missing_package_ends_the_run_before_it_begins(
    tmp_path: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line with the remedy."""
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    folder = make_run(tmp_path / "run", policy, tensorboard=True)
    with pytest.raises(BswirlError, match=r"the package tensorboard — pip install 'bswirl\[tensorboard\]'"):
        train(folder)
    assert folder.journal_file.read_text() == ""
