"""Randomly initialised models of a known shape, and random rows for them: speed without anyone's weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from bswirl.bench.settings import BenchSettings
from bswirl.policies.loading import keep_gradients, quantise_nf4
from bswirl.training.rows import TrainingRow

_SHAPES: dict[str, dict[str, Any]] = {
    "mistral-7b": {
        "vocab_size": 32768,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 32768,
        "rope_theta": 1e6,
        "sliding_window": None,
    },
    "tiny-mistral": {
        "vocab_size": 256,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 4096,
        "rope_theta": 1e6,
        "sliding_window": None,
    },
}
_SPREAD = 0.02  # of the random weights


def shaped_model(shape: str, device: torch.device, seed: int, dtype: torch.dtype = torch.bfloat16) -> Any:
    """A Mistral-architecture model in NF4 (embedding, head and norms in `dtype`) with random weights.

    It is laid out on the meta device and made real and quantised a layer at a time, so that one dense layer
    is the most that exists at once.
    """
    from transformers import AutoModelForCausalLM, MistralConfig

    config = MistralConfig(**_SHAPES[shape], tie_word_embeddings=False)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    generator = torch.Generator(device=device).manual_seed(seed)
    for layer in model.model.layers:
        _make_real(layer, device, generator)
        quantise_nf4(layer, dtype).to(device)
    for part in (model.model.embed_tokens, model.model.norm, model.lm_head):
        _make_real(part, device, generator)
    model.model.rotary_emb = type(model.model.rotary_emb)(config).to(device)
    model.is_loaded_in_4bit = True
    keep_gradients(model)
    return model.eval()


def _make_real(module: nn.Module, device: torch.device, generator: torch.Generator) -> None:
    """Random matrices, and ones for the norms' weights, in place of what lies on the meta device."""
    module.to_empty(device=device)
    with torch.no_grad():
        for weight in module.parameters():
            if weight.ndim > 1:
                weight.normal_(0.0, _SPREAD, generator=generator)
            else:
                weight.fill_(1.0)


def random_rows(settings: BenchSettings, vocabulary: int) -> list[TrainingRow]:
    """Rows of trees with exactly P, K, t and G, of random tokens; actions of a state share nothing."""
    generator = torch.Generator().manual_seed(settings.seed)

    def tokens(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(vocabulary, (count,), generator=generator).tolist())

    rows = []
    for question in range(1, settings.questions + 1):
        prefix = tokens(settings.prompt_tokens)
        for depth in range(settings.steps):
            state = question * 1000 + depth
            group = [tokens(settings.step_tokens) for _ in range(settings.actions)]
            for index, action in enumerate(group):
                reward = float(index % 2 == 0)
                rows.append(
                    TrainingRow(
                        question_id=question,
                        state_id=state,
                        action_id=state * 100 + index,
                        ids=prefix + action,
                        action_start=len(prefix),
                        reward=reward,
                        coefficient=reward - sum((i + 1) % 2 for i in range(len(group))) / len(group),
                        samples=1,
                    )
                )
            prefix += group[0]
    return rows
