"""The memory estimate against what real models hold."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bswirl.training.adapter import adapter_tensors, attach_adapter
from bswirl.training.memory import Shape, adapter_parameters, estimate_memory, shape_of
from bswirl.training.packing import build_tree, pack
from bswirl.training.rows import TrainingRow
from bswirl.training.settings import TrainSettings
from bswirl.training.treewise import TreeModel
from tests.tiny import tiny_model

MISTRAL = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 32768,
    "tie_word_embeddings": False,
}


def settings(**values: Any) -> TrainSettings:
    return TrainSettings.from_dict({"policy": "tiny", **values})


def shape(config: dict[str, Any]) -> Shape:
    found = shape_of(config)
    assert found is not None
    return found


class TestShape:
    @pytest.mark.parametrize("kind", ["llama", "mistral", "granite"])
    def test_counts_a_model_s_weights(self, kind: str) -> None:
        """From the config alone, to the last weight."""
        model = tiny_model(kind)
        expected = sum(weight.numel() for weight in model.parameters())
        assert shape(model.config.to_dict()).parameters == expected

    @pytest.mark.parametrize("targets", ["all-linear", "q_proj,down_proj"])
    def test_counts_an_adapter_s_weights(self, targets: str) -> None:
        """LoRA on every linear layer, or on those that are named."""
        chosen = settings(lora_r=3, lora_targets=targets)
        model = attach_adapter(tiny_model(), chosen, "tiny")
        expected = sum(weight.numel() for weight in adapter_tensors(model).values())
        assert adapter_parameters(shape(model.config.to_dict()), chosen) == expected

    @pytest.mark.parametrize("config", [{}, {"hidden_size": 4096}, {**MISTRAL, "num_local_experts": 8}])
    def test_knows_what_it_does_not_know(self, config: dict[str, Any]) -> None:
        """No guess where the config says too little or layers are mixtures."""
        assert shape_of(config) is None

    def test_text_part_of_a_larger_config(self) -> None:
        """Models that also see keep their language model's sizes apart."""
        assert shape_of({"vision_config": {}, "text_config": MISTRAL}) == shape_of(MISTRAL)


class TestEstimate:
    def test_a_7b_model(self) -> None:
        """7.25 billion weights: 14.5 GB in bfloat16, below 4.5 GB with NF4 where it applies."""
        mistral = shape(MISTRAL)
        assert mistral.parameters == pytest.approx(7.25e9, rel=0.01)
        dense = estimate_memory(mistral, settings(), on_gpu=True)
        assert dense.weights == 2 * mistral.parameters
        small = estimate_memory(mistral, settings(load_in_4bit=True), on_gpu=True)
        assert 3.8e9 < small.weights < 4.5e9
        assert small.total == small.weights + small.adapter + small.activations + small.head

    def test_what_saves_memory(self) -> None:
        """Fewer tokens a pack, checkpointed layers, and 8-bit optimizer state."""
        mistral = shape(MISTRAL)
        plain = estimate_memory(mistral, settings(), on_gpu=True)
        half = estimate_memory(mistral, settings(pack_tokens=1024), on_gpu=True)
        assert half.activations == plain.activations / 2
        checkpointed = estimate_memory(mistral, settings(gradient_checkpointing=True), on_gpu=True)
        assert checkpointed.activations < plain.activations / 5
        eight = estimate_memory(mistral, settings(optimizer="adamw-8bit"), on_gpu=True)
        assert eight.adapter == plain.adapter * 10 / 16

    @pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
    def test_activations_are_what_autograd_keeps(self, dtype: str) -> None:
        """Within a tenth of the tensors saved for the backward pass of one pack."""
        chosen = settings(base_dtype=dtype, pack_tokens=256)
        base = tiny_model(
            hidden_size=256, intermediate_size=704, num_hidden_layers=3, dtype=getattr(torch, dtype)
        )
        model = attach_adapter(base, chosen, "tiny")
        ids = tuple(torch.randint(0, 256, (256,), generator=torch.Generator().manual_seed(0)).tolist())
        (part,) = pack([build_tree([TrainingRow(1, 1, 1, ids, 128, 1.0, 1.0, 1)])], 256)
        weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
        kept: dict[int, torch.UntypedStorage] = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                kept[storage.data_ptr()] = storage
            return tensor

        trees = TreeModel(model)
        with trees.active(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            hidden = trees.hidden(part)
        assert hidden.requires_grad
        measured = sum(storage.nbytes() for storage in kept.values())
        estimate = estimate_memory(shape(model.config.to_dict()), chosen, on_gpu=False)
        assert estimate.activations == pytest.approx(measured, rel=0.1)
