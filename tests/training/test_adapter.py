"""The adapter's own parts: recomputed activations, and folders that are whole or absent."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from bswirl.errors import UsageError
from bswirl.training.adapter import (
    adapter_tensors,
    attach_adapter,
    checkpoint_activations,
    save_adapter,
    set_dropout,
)
from bswirl.training.engines import make_engine
from bswirl.training.rows import TrainingRow, build_rows
from bswirl.training.rowwise import row_values
from bswirl.training.settings import TrainSettings
from tests.tiny import perturb, small_tree, tiny_model, tiny_tokenizer
from tests.training.runs import LIVE

KINDS = ["llama", "qwen2", "granite", "gemma2"]


def settings(**values: Any) -> TrainSettings:
    return TrainSettings.from_dict(
        {"policy": "tiny", "lora_r": 2, "negative_weight": 1.0, "include_dead": True} | values
    )


def adapted(kind: str, *, recompute: bool, dropout: float = 0.0, **extra: Any) -> Any:
    """A float64 model with a perturbed adapter; its attention would drop out in training mode."""
    base = tiny_model(kind, dtype=torch.float64, attention_dropout=0.5, **extra)
    torch.manual_seed(3)
    model = attach_adapter(base, settings(lora_dropout=dropout), "tiny")
    model = model.double()
    perturb(model)
    if recompute:
        checkpoint_activations(model)
    return model


def rows() -> list[TrainingRow]:
    return [
        row
        for part in build_rows([small_tree(2, LIVE)], tiny_tokenizer(), settings()).rows.values()
        for row in part
    ]


def gradients(model: Any, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    torch.autograd.backward(loss)
    found = {name: weight.grad for name, weight in adapter_tensors(model).items()}
    assert all(gradient is not None for gradient in found.values())
    return found  # type: ignore[return-value]


class TestRecomputedActivations:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("dropout", [0.0, 0.3])
    def test_row_gradients_are_the_same(self, kind: str, dropout: float) -> None:
        """Loss and every LoRA gradient as without, with the adapter's dropout and without the base's."""
        found = []
        for recompute in (False, True):
            model = adapted(kind, recompute=recompute, dropout=dropout)
            set_dropout(model, True)
            torch.manual_seed(11)
            values = row_values(model, rows(), base=True)
            assert values.kl is not None
            loss = values.logprob.sum() + 0.1 * values.kl.sum()
            found.append((loss.item(), gradients(model, loss)))
        (plain_loss, plain), (loss_again, again) = found
        assert loss_again == plain_loss
        for name, gradient in plain.items():
            assert gradient.norm() > 0
            assert torch.equal(again[name], gradient), name

    @pytest.mark.parametrize("engine", ["trees", "rows"])
    def test_a_step_is_the_same(self, engine: str) -> None:
        """Both engines give the gradients that they give without."""
        found = []
        for recompute in (False, True):
            model = adapted("llama", recompute=recompute)
            values = make_engine(model, settings(engine=engine, pack_tokens=300), pytest.fail).accumulate(
                rows(), lambda: None
            )
            assert values.is_finite
            found.append({name: weight.grad.clone() for name, weight in adapter_tensors(model).items()})
        assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])

    def test_layers_run_twice_with_gradients_and_once_without(self) -> None:
        """It takes effect in evaluation mode, for passes that record gradients and no others."""
        calls: Counter[str] = Counter()
        model = adapted("llama", recompute=True, num_hidden_layers=3)
        assert not any(module.training for module in model.modules())
        for name, module in model.named_modules():
            if name.endswith("self_attn"):
                module.register_forward_pre_hook(lambda *_, name=name: calls.update([name]))
        with torch.no_grad():
            row_values(model, rows(), base=False)
        assert sorted(calls.values()) == [1, 1, 1]
        calls.clear()
        row_values(model, rows(), base=False).logprob.sum().backward()
        assert sorted(calls.values()) == [2, 2, 2]

    def test_less_is_kept_for_the_backward_pass(self) -> None:
        """Of each layer its input alone."""
        kept = []
        for recompute in (False, True):
            model, sizes = adapted("llama", recompute=recompute, num_hidden_layers=6), []

            def note(tensor: torch.Tensor, sizes: list[int] = sizes) -> torch.Tensor:
                sizes.append(tensor.numel())
                return tensor

            with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
                row_values(model, rows(), base=False)
            kept.append(sum(sizes))
        assert kept[1] < kept[0] / 2

    def test_a_model_without_such_layers_is_refused(self) -> None:
        """One line."""
        with pytest.raises(UsageError, match="does not support gradient_checkpointing"):
            checkpoint_activations(torch.nn.Sequential(torch.nn.Linear(2, 2)))


class TestSaved:
    def test_a_second_save_replaces_the_first(self, tmp_path: Path) -> None:
        """Nothing else stays in the folder or beside it."""
        model = attach_adapter(tiny_model(), settings(), "tiny")
        save_adapter(model, tmp_path / "best", "float32")
        first = (tmp_path / "best" / "adapter_model.safetensors").read_bytes()
        perturb(model)
        save_adapter(model, tmp_path / "best", "float32")
        assert (tmp_path / "best" / "adapter_model.safetensors").read_bytes() != first
        assert [path.name for path in tmp_path.iterdir()] == ["best"]
        names = {path.name for path in (tmp_path / "best").iterdir()}
        assert names == {"adapter_config.json", "adapter_model.safetensors"}

    def test_a_failed_save_keeps_what_was_there(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A full disk leaves the earlier adapter, whole."""
        model = attach_adapter(tiny_model(), settings(), "tiny")
        save_adapter(model, tmp_path / "best", "float32")
        before = {path.name: path.read_bytes() for path in (tmp_path / "best").iterdir()}

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("bswirl.training.adapter.sync_file", full)
        with pytest.raises(OSError, match="No space left"):
            save_adapter(model, tmp_path / "best", "float32")
        assert {path.name: path.read_bytes() for path in (tmp_path / "best").iterdir()} == before
        assert [path.name for path in tmp_path.iterdir()] == ["best"]
