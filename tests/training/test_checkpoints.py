from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bswirl.training import checkpoints
from bswirl.training.checkpoints import Best, Checkpoint


def checkpoint(step: int) -> Checkpoint:
    weight = torch.nn.Parameter(torch.full((2, 3), float(step)))
    optimizer = torch.optim.AdamW([weight])
    weight.grad = torch.ones_like(weight)
    optimizer.step()
    return Checkpoint(
        plan="f00d",
        step=step,
        num_tokens=100 * step,
        pack_tokens=512,
        adapter={"a.lora_A": weight},
        optimizer=optimizer.state_dict(),
        rng=checkpoints.rng_state(),
        best=Best(step - 1, 0.1 + 0.2),
    )


class TestSave:
    def test_round_trip(self, tmp_path: Path) -> None:
        """Weights, optimizer, generators and position come back bit by bit."""
        saved = checkpoint(7)
        checkpoints.save(tmp_path, saved, 2)
        found = checkpoints.load_newest(tmp_path, pytest.fail)
        assert found is not None
        assert (found.plan, found.step, found.num_tokens, found.pack_tokens) == ("f00d", 7, 700, 512)
        assert found.best == Best(6, 0.1 + 0.2)
        assert torch.equal(found.adapter["a.lora_A"], saved.adapter["a.lora_A"])
        assert torch.equal(found.optimizer["state"][0]["exp_avg"], saved.optimizer["state"][0]["exp_avg"])
        expected = torch.rand(3)
        checkpoints.restore_rng(found.rng)
        assert torch.equal(torch.rand(3), expected)

    @pytest.mark.parametrize(("keep", "left"), [(1, [100]), (2, [10, 100]), (9, [1, 2, 10, 100])])
    def test_only_the_newest_stay(self, tmp_path: Path, keep: int, left: list[int]) -> None:
        """Retention is by step."""
        for step in (1, 2, 10, 100):
            checkpoints.save(tmp_path, checkpoint(step), keep)
        assert [step for step, _ in checkpoints.list_checkpoints(tmp_path)] == left

    def test_no_best_step_yet(self, tmp_path: Path) -> None:
        """A run without probe and validations has none."""
        checkpoints.save(tmp_path, replace(checkpoint(1), best=None), 2)
        found = checkpoints.load_newest(tmp_path, pytest.fail)
        assert found is not None
        assert found.best is None

    def test_failed_save_leaves_nothing_behind(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A full disk keeps the older checkpoint and no half of the newer one."""
        checkpoints.save(tmp_path, checkpoint(1), 2)

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(torch, "save", full)
        with pytest.raises(OSError, match="No space left"):
            checkpoints.save(tmp_path, checkpoint(2), 2)
        assert [path.name for path in tmp_path.iterdir()] == ["step-000001"]


class TestLoad:
    def test_none_without_any(self, tmp_path: Path) -> None:
        """A folder that is empty or missing has no checkpoint."""
        assert checkpoints.load_newest(tmp_path / "none", pytest.fail) is None

    @pytest.mark.parametrize("name", ["adapter.safetensors", "optimizer.pt", "rng.pt", "position.json"])
    def test_damaged_one_is_passed_over(self, tmp_path: Path, name: str) -> None:
        """An older whole checkpoint is taken, with a warning."""
        for step in (1, 2):
            checkpoints.save(tmp_path, checkpoint(step), 2)
        (tmp_path / "step-000002" / name).write_bytes(b"{torn")
        warnings: list[str] = []
        found = checkpoints.load_newest(tmp_path, warnings.append)
        assert found is not None
        assert found.step == 1
        assert "step-000002" in warnings[0]


class TestTimelines:
    def test_a_run_that_began_again_keeps_its_own(self, tmp_path: Path) -> None:
        """Where later checkpoints were unreadable, the first new one stays and those go."""
        for step in (30, 40):
            (checkpoints.save(tmp_path, checkpoint(step), 2) / "position.json").write_text("{")
        assert checkpoints.load_newest(tmp_path, lambda _: None) is None
        path = checkpoints.save(tmp_path, checkpoint(10), 2)
        assert [number for number, _ in checkpoints.list_checkpoints(tmp_path)] == [10]
        found = checkpoints.load_newest(tmp_path, lambda _: None)
        assert path.is_dir()
        assert found is not None
        assert found.step == 10
