"""Runs that were cancelled or killed go on as if nothing had been: to the last bit."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from bswirl.errors import CancelledError, InputError
from bswirl.runs.context import RunContext
from bswirl.runs.folder import RunFolder
from bswirl.runs.journal import read_journal
from bswirl.training import work
from tests.training.runs import VALIDATED, curves, journal, make_run, same_weights, train

KILLS = int(os.environ.get("BSWIRL_TEST_KILLS", "3"))
LONG: dict[str, Any] = {
    "epochs": 20,
    "checkpoint_every": 4,
    "probe_every": 3,
    "validation_every": 5,
    "validation_tokens": 12,
    "optimizer": "adamw-8bit",
    "gradient_checkpointing": True,
    "lora_r": 16,  # so that some of the moments are in 8 bits
}
NOT_ON_A_BARE_MACHINE = ("duckdb", "textual", "textual_plot", "together", "platformdirs", "tensorboard")
# `bswirl worker FOLDER` on a machine that lacks these packages.
BARE = f"""
import sys
from importlib.machinery import PathFinder
class Bare(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        missing = name.partition(".")[0] in {NOT_ON_A_BARE_MACHINE!r}
        return None if missing else super().find_spec(name, path, target)
sys.meta_path = [Bare if finder is PathFinder else finder for finder in sys.meta_path]
try:
    import duckdb
except ModuleNotFoundError:
    pass
else:
    raise SystemExit("the machine is not bare")
from bswirl.cli import main
sys.exit(main(["worker", sys.argv[1]]))
"""


def same(one: RunFolder, other: RunFolder) -> bool:
    """Whether two runs have the same metrics, shifts, best steps and weights, to the last bit."""
    assert curves(one) == curves(other)
    assert journal(one, "shifts") == journal(other, "shifts")
    assert journal(one, "best") == journal(other, "best")
    assert same_weights(one.best, other.best)
    return same_weights(one.adapter, other.adapter)


class TestCancelled:
    def test_inside_a_step(self, tmp_path: Path, policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The last whole step is the checkpoint to go on from."""
        straight = make_run(tmp_path / "straight", policy)
        train(straight)
        stopped = make_run(tmp_path / "stopped", policy)
        checks = iter(range(1000))
        with RunContext(stopped) as context:
            monkeypatch.setattr(context, "check_cancelled", lambda: _cancel_when(next(checks) == 12))
            with pytest.raises(CancelledError):
                work.run(context)
        assert 0 < journal(stopped, "checkpoint")[-1]["step"] < 6
        train(stopped, attempt=2)
        assert same(stopped, straight)


class TestKilled:
    def test_behind_any_row(self, tmp_path: Path, policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Ended behind some row of the journal, steps after the last checkpoint come out the same."""
        settings = {"probe_every": 2, **VALIDATED}
        straight = make_run(tmp_path / "straight", policy, **settings)
        train(straight)
        rows = sum(row["t"] != "progress" for row, _ in read_journal(straight.journal_file))
        for dies_at in range(0, rows - 1, 2):
            killed = make_run(tmp_path / f"killed{dies_at}", policy, **settings)
            written = iter(range(1000))
            with RunContext(killed) as context:
                emit = context.emit

                def emit_and_die(
                    *rows: Any, emit: Any = emit, written: Any = written, at: int = dies_at
                ) -> None:
                    for row in rows:
                        emit(row)
                        if row["t"] != "progress" and next(written) == at:
                            raise KeyboardInterrupt

                monkeypatch.setattr(context, "emit", emit_and_die)
                with pytest.raises(KeyboardInterrupt):
                    work.run(context)
            train(killed, attempt=2)
            assert same(killed, straight), dies_at

    def test_by_the_system_at_random_moments(self, tmp_path: Path, policy: Path) -> None:
        """`bswirl worker FOLDER`, ended by SIGKILL again and again, equals an undisturbed run.

        With dropout, 8-bit moments, recomputed activations, probes and validations.
        """
        straight = make_run(tmp_path / "straight", policy, **LONG)
        assert _worker(straight).wait() == 0
        killed = make_run(tmp_path / "killed", policy, **LONG)
        moments = random.Random(f"kills {KILLS}")
        steps = journal(straight, "metrics")[-1]["step"]
        for _ in range(KILLS):
            process = _worker(killed)
            further = moments.randint(0, steps // (KILLS + 1))
            _wait_for_steps(killed, process, further)
            time.sleep(moments.uniform(0, 0.03))
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
            assert not killed.adapter.exists()
        assert _worker(killed).wait() == 0
        starts, ends = journal(killed, "start"), journal(killed, "end")
        assert (len(starts), len(ends)) == (KILLS + 1, 1)
        assert ends[0]["status"] == "done"
        assert ends[0]["summary"] == journal(straight, "end")[0]["summary"]
        assert same(killed, straight)

    def test_between_the_last_step_and_the_adapter(self, tmp_path: Path, policy: Path) -> None:
        """A resume only writes the adapter, and has the whole summary."""
        folder = make_run(tmp_path / "run", policy, max_steps=2)
        summary = train(folder)
        before = curves(folder)
        tensors = load_file(folder.adapter / "adapter_model.safetensors")
        (folder.adapter / "adapter_model.safetensors").unlink()
        assert train(folder, attempt=2) == summary
        assert curves(folder) == before
        assert all(
            torch.equal(weight, tensors[name])
            for name, weight in load_file(folder.adapter / "adapter_model.safetensors").items()
        )


class TestBareMachine:
    def test_a_run_needs_the_training_packages_alone(self, tmp_path: Path, policy: Path) -> None:
        """Neither store nor app nor served models, nor what finds the user's folders."""
        folder = make_run(tmp_path / "run", policy, max_steps=1, **VALIDATED)
        done = subprocess.run(
            [sys.executable, "-c", BARE, str(folder.path)],
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        assert journal(folder, "end")[0]["status"] == "done"
        assert (folder.adapter / "adapter_model.safetensors").is_file()


class TestPlan:
    def test_other_settings_are_refused(self, tmp_path: Path, policy: Path) -> None:
        """A config that was edited after a checkpoint: one line, and no step is made."""
        folder = make_run(tmp_path / "run", policy, max_steps=2)
        train(folder)
        config = folder.read_config()
        config["settings"]["learning_rate"] = 1e-4
        folder.write_config(config)
        rows = journal(folder, "metrics")
        with pytest.raises(InputError, match=r"made with other settings or rows .* or start a new run"):
            train(folder, attempt=2)
        assert journal(folder, "metrics") == rows

    def test_another_machine_is_not(self, tmp_path: Path, policy: Path) -> None:
        """What says where a run works may change."""
        folder = make_run(tmp_path / "run", policy, max_steps=2)
        train(folder)
        config = folder.read_config()
        config["settings"] |= {
            "device": "auto" if not torch.cuda.is_available() else "cpu",
            "keep_checkpoints": 5,
        }
        folder.write_config(config)
        assert train(folder, attempt=2)["steps"] == 2

    def test_checkpoints_say_what_the_run_is(self, tmp_path: Path, policy: Path) -> None:
        """Position, plan, pack size and best step; no more of them than asked for."""
        folder = make_run(tmp_path / "run", policy, keep_checkpoints=3, checkpoint_every=1)
        train(folder)
        names = sorted(path.name for path in folder.checkpoints.iterdir())
        assert names == ["step-000004", "step-000005", "step-000006"]
        position = json.loads((folder.checkpoints / names[-1] / "position.json").read_text())
        best = journal(folder, "best")[-1]
        assert position["best"] == {"step": best["step"], "value": best["value"]}
        assert (position["step"], position["pack_tokens"], len(position["plan"])) == (6, 400, 64)


def _worker(folder: RunFolder) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "bswirl.cli", "worker", str(folder.path)],
        env=_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}


def _wait_for_steps(folder: RunFolder, process: subprocess.Popen[bytes], further: int) -> None:
    """Waits until the worker that was just started has made so many steps."""
    end = time.monotonic() + 300
    attempts = _count(folder, '"t":"start"')
    while _count(folder, '"t":"start"') == attempts:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.002)
    made = _count(folder, '"learning_rate"')
    while _count(folder, '"learning_rate"') < made + further:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.002)


def _count(folder: RunFolder, words: str) -> int:
    return folder.journal_file.read_text().count(words) if folder.journal_file.exists() else 0


def _cancel_when(now: bool) -> None:
    if now:
        raise CancelledError("cancelled")
