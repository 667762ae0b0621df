"""Tiny, randomly initialised models with a byte-level tokenizer, and small judged trees to train them on."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch

from bswirl.records import Action, FrozenTree, Question, QuestionTree, State

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tiny_tokenizer() -> Any:
    """One token a byte, and the two chat tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={letter: index for index, letter in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|im_end|>", bos_token="<|im_start|>"
    )
    tokenizer.chat_template = CHAT
    return tokenizer


def tiny_model(
    kind: str = "llama", *, seed: int = 0, dtype: torch.dtype = torch.float32, **extra: Any
) -> Any:
    """A two-layer model with random weights.

    `llama`, `mistral` (sliding window), `qwen2` (biases, tied head), `qwen3` (normalised queries), `granite`
    (scaled logits) or `gemma2` (capped scores and logits).
    """
    from transformers import (
        AutoModelForCausalLM,
        Gemma2Config,
        GraniteConfig,
        LlamaConfig,
        MistralConfig,
        Qwen2Config,
        Qwen3Config,
    )

    shape = {
        "vocab_size": 258,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "bos_token_id": 256,
        "eos_token_id": 257,
        "pad_token_id": 257,
        **extra,
    }
    config: Any = {
        "llama": lambda: LlamaConfig(**shape, tie_word_embeddings=False),
        "mistral": lambda: MistralConfig(**{"sliding_window": 9, **shape}, tie_word_embeddings=False),
        "qwen3": lambda: Qwen3Config(**shape, head_dim=8, tie_word_embeddings=False),
        "qwen2": lambda: Qwen2Config(**shape, tie_word_embeddings=True),
        "granite": lambda: GraniteConfig(**shape, tie_word_embeddings=True, logits_scaling=3.0),
        "gemma2": lambda: Gemma2Config(**shape, head_dim=8, final_logit_softcapping=5.0),
    }[kind]()
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config, dtype=dtype).eval()
    if dtype == torch.float64:
        _normalise_in_double(model)
    return model


def _normalise_in_double(model: Any) -> None:
    """Transformers' RMS norms compute in float32, whose rounding would hide what a float64 test looks for."""

    def forward(module: Any, hidden: torch.Tensor) -> torch.Tensor:
        weight = module.weight + 1 if type(module).__name__.startswith("Gemma") else module.weight
        epsilon = getattr(module, "variance_epsilon", None) or module.eps
        scaled: torch.Tensor = weight * hidden * torch.rsqrt(hidden.pow(2).mean(-1, keepdim=True) + epsilon)
        return scaled

    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = partial(forward, module)


def save_tiny_policy(folder: Path, **options: Any) -> Path:
    """A tiny model with its tokenizer as a Hugging Face folder."""
    tiny_model(**options).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def perturb(model: Any, *, seed: int = 1, scale: float = 0.2) -> None:
    """Random adapter weights, so that the policy differs from its base."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_" in name:
                weight.copy_(torch.randn(weight.shape, generator=generator, dtype=weight.dtype) * scale)


def small_tree(
    number: int,
    rewards: tuple[tuple[float, ...], ...] = ((1.0, 0.0, 1.0), (1.0, 1.0)),
    *,
    probe: bool = False,
) -> FrozenTree:
    """A question with one group a tuple of `rewards`; the first action of each is the backbone's, twice."""
    question = Question(
        number, "tiny", "train", f"q{number}", f"What is {number} + {number}?", str(2 * number)
    )
    states: list[State] = []
    actions: list[Action] = []
    via = None
    for depth, group in enumerate(rewards):
        state_id = number * 100 + depth
        states.append(State(state_id, number, depth, states[-1].state_id if states else None, via))
        for index, reward in enumerate(group):
            is_answer = depth == len(rewards) - 1
            text = (
                f"Answer: {2 * number + index}"
                if is_answer
                else f"Step {depth + 1}: {number} + {index} = {number}"
            )
            actions.append(
                Action(
                    action_id=number * 1000 + depth * 10 + index,
                    state_id=state_id,
                    depth=depth + 1,
                    is_answer=is_answer,
                    text=text,
                    samples=2 if index == 0 else 1,
                    backbone=2 if index == 0 else 0,
                    reward=reward,
                )
            )
        via = number * 1000 + depth * 10
    tree = QuestionTree(question, tuple(states), tuple(actions))
    return FrozenTree(tree, tuple(action.action_id for action in actions), probe)
