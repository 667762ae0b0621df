"""The FLOP formula against counts made by hand."""

from __future__ import annotations

import torch

from bswirl.bench.flops import ModelSize, Work, model_size, step_flops
from bswirl.bench.shapes import shaped_model
from bswirl.training.adapter import attach_adapter
from bswirl.training.settings import TrainSettings
from tests.tiny import tiny_model

# q and o 32×32, k and v 32×16, gate, up and down 32×48; two layers
TINY_BODY = 2 * (2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 48)


class TestModelSize:
    def test_counts_linear_layers(self) -> None:
        """Neither embedding, norms nor head are in the body."""
        assert model_size(tiny_model()) == ModelSize(TINY_BODY, 32, 258)

    def test_tied_head_and_adapter(self) -> None:
        """A head that is the embedding counts as a head, and LoRA's own matrices as nothing."""
        model = attach_adapter(tiny_model("qwen2"), TrainSettings.from_dict({"lora_r": 2}), "tiny")
        assert model_size(model.get_base_model()) == ModelSize(TINY_BODY, 32, 258)

    def test_four_bit_layers_count_their_shape(self) -> None:
        """Packed weights hold half as many bytes as there are weights; what counts is inputs × outputs."""
        model = shaped_model("tiny-mistral", torch.device("cpu"), 0)
        assert model_size(model) == ModelSize(2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128), 64, 256)


class TestStepFlops:
    def test_by_hand(self) -> None:
        """6·N a token and 6·d·V a position with the base pass, 4·N and 6·d·V with the base side cached."""
        size = ModelSize(body=1000, hidden=10, vocabulary=70)
        assert step_flops(size, Work(9, 10, 4, 10, 4)) == 6 * 1000 * 10 + 6 * 10 * 70 * 4
        assert step_flops(size, Work(9, 10, 4, 0, 4)) == 4 * 1000 * 10 + 6 * 10 * 70 * 4
        assert step_flops(size, Work(9, 10, 4, 30, 12)) == 10 * 1000 * 10 + (4 * 4 + 2 * 12) * 10 * 70
