"""AdamW in both forms: the 8-bit one keeps less, follows the other, and survives a checkpoint."""

from __future__ import annotations

import io
import sys

import pytest
import torch

from bswirl.errors import BswirlError, UsageError
from bswirl.training import optimizer as module
from bswirl.training.optimizer import make_optimizer
from bswirl.training.settings import TrainSettings

SHAPES = ((64, 80), (101, 77), (4, 32))  # the last one is small: its moments stay in float32


def settings(name: str) -> TrainSettings:
    return TrainSettings.from_dict({"policy": "p", "optimizer": name, "learning_rate": 1e-2})


def weights() -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(1)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]


def steps(optimizer: torch.optim.Optimizer, chosen: list[torch.nn.Parameter], first: int, last: int) -> None:
    """Steps `first` to `last` with gradients that follow from the step alone."""
    for step in range(first, last + 1):
        generator = torch.Generator().manual_seed(step)
        for weight in chosen:
            weight.grad = 0.5 + torch.randn(weight.shape, generator=generator)
        optimizer.step()


class TestEightBits:
    def test_moments_are_bytes(self) -> None:
        """About a quarter of what AdamW keeps; small weights keep float32."""
        sizes = {}
        for name in ("adamw", "adamw-8bit"):
            chosen = weights()
            optimizer = make_optimizer(chosen, settings(name))
            steps(optimizer, chosen, 1, 1)
            sizes[name] = sum(
                value.numel() * value.element_size()
                for state in optimizer.state.values()
                for key, value in state.items()
                if isinstance(value, torch.Tensor) and not key.startswith("qmap")
            )
        assert sizes["adamw-8bit"] < 0.3 * sizes["adamw"]

    def test_follows_adamw(self) -> None:
        """After twenty steps each weight is where AdamW has it, within a few per cent of the way."""
        found = {}
        for name in ("adamw", "adamw-8bit"):
            chosen = weights()
            steps(make_optimizer(chosen, settings(name)), chosen, 1, 20)
            found[name] = chosen
        for start, exact, near in zip(weights(), found["adamw"], found["adamw-8bit"], strict=True):
            assert (near - exact).norm() < 0.05 * (exact - start).norm()

    @pytest.mark.parametrize("name", ["adamw", "adamw-8bit"])
    def test_state_goes_through_a_file(self, name: str) -> None:
        """Saved after some steps and loaded into a new optimizer, it goes on to the last bit."""
        straight = weights()
        steps(make_optimizer(straight, settings(name)), straight, 1, 6)
        begun = weights()
        optimizer = make_optimizer(begun, settings(name))
        steps(optimizer, begun, 1, 3)
        file = io.BytesIO()
        torch.save(optimizer.state_dict(), file)
        file.seek(0)
        resumed = [torch.nn.Parameter(weight.detach().clone()) for weight in begun]
        again = make_optimizer(resumed, settings(name))
        again.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
        steps(again, resumed, 4, 6)
        assert all(torch.equal(a, b) for a, b in zip(resumed, straight, strict=True))

    def test_no_weight_decay(self) -> None:
        """A weight without a gradient direction stays."""
        for name in ("adamw", "adamw-8bit"):
            weight = torch.nn.Parameter(torch.ones(64, 64))
            optimizer = make_optimizer([weight], settings(name))
            weight.grad = torch.zeros_like(weight)
            optimizer.step()
            assert torch.equal(weight, torch.ones(64, 64))


class TestRefusals:
    def test_a_device_without_an_8_bit_update(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As with an older bitsandbytes on a CPU."""
        monkeypatch.setattr(module, "_UPDATE", "bitsandbytes::no_such_update")
        with pytest.raises(UsageError, match="has no 8-bit optimizer for cpu — use optimizer adamw, or"):
            make_optimizer(weights(), settings("adamw-8bit"))

    def test_bitsandbytes_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is named, with the remedy; plain AdamW needs none."""
        monkeypatch.setitem(sys.modules, "bitsandbytes", None)
        with pytest.raises(BswirlError, match=r"bitsandbytes — pip install 'bswirl\[train\]'"):
            make_optimizer(weights(), settings("adamw-8bit"))
        make_optimizer(weights(), settings("adamw"))
