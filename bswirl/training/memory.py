"""How much memory a training run will need, estimated from the model's config alone; no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bswirl.training.settings import TrainSettings

NF4_BYTES = 0.516  # a weight: 4 bits, an 8-bit scale for 64 of them, and a float32 one for 256 scales
_WIDTHS = {"bfloat16": 2, "float32": 4}
_ADAPTER_BYTES = {"adamw": 4 + 4 + 8, "adamw-8bit": 4 + 4 + 2}  # weight, gradient and AdamW's two moments
_HEAD_CHUNK = {True: 256 << 20, False: 24 << 20}  # bytes of one chunk of logits, on a GPU and on a CPU
_HEAD_CHUNKS = 5  # logits of both policies, probabilities, and what a sum and a cast take

# Bytes that autograd keeps a token and layer: for each unit of the hidden width, of the key-value width, of
# the inner width, and of the adapter's rank. Counted on Llama with an adapter on every linear layer.
_KEPT: dict[tuple[str, str], tuple[int, int, int, int]] = {
    ("trees", "bfloat16"): (18, 4, 8, 14),
    ("trees", "float32"): (28, 8, 16, 28),
    ("rows", "bfloat16"): (36, 4, 10, 28),
    ("rows", "float32"): (24, 8, 16, 28),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a decoder's config says of its size. Layers are taken to be Llama's: gated, without biases."""

    hidden: int
    inner: int
    layers: int
    vocabulary: int
    query: int  # width of all query heads
    key_value: int  # width of all key (or value) heads
    tied: bool  # input and output embeddings are one

    @property
    def linear(self) -> dict[str, tuple[int, int]]:
        """The linear maps of one layer, in and out."""
        return {
            "q_proj": (self.hidden, self.query),
            "k_proj": (self.hidden, self.key_value),
            "v_proj": (self.hidden, self.key_value),
            "o_proj": (self.query, self.hidden),
            "gate_proj": (self.hidden, self.inner),
            "up_proj": (self.hidden, self.inner),
            "down_proj": (self.inner, self.hidden),
        }

    @property
    def linear_parameters(self) -> int:
        return self.layers * sum(width * height for width, height in self.linear.values())

    @property
    def embedding_parameters(self) -> int:
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def parameters(self) -> int:
        """All weights: linear ones, embeddings and norms."""
        return self.linear_parameters + self.embedding_parameters + (2 * self.layers + 1) * self.hidden


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes at the peak of a step, by what they are for."""

    weights: int
    adapter: int  # with gradient and optimizer state
    activations: int
    head: int

    @property
    def total(self) -> int:
        return self.weights + self.adapter + self.activations + self.head


def shape_of(config: Mapping[str, Any]) -> Shape | None:
    """The shape in a model's `config.json`; None where it does not say, or the model mixes experts."""
    text = config.get("text_config") or config
    if any("expert" in name and text[name] for name in text):
        return None
    try:
        heads = int(text["num_attention_heads"])
        hidden = int(text["hidden_size"])
        width = int(text.get("head_dim") or hidden // heads)
        return Shape(
            hidden=hidden,
            inner=int(text["intermediate_size"]),
            layers=int(text["num_hidden_layers"]),
            vocabulary=int(text["vocab_size"]),
            query=heads * width,
            key_value=int(text.get("num_key_value_heads") or heads) * width,
            tied=_is_tied(config, text),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def _is_tied(config: Mapping[str, Any], text: Mapping[str, Any]) -> bool:
    """Whether one embedding serves both ends; Gemma's configs do not say it, as it is their default."""
    unsaid = "gemma" in str(text.get("model_type", ""))
    return bool(text.get("tie_word_embeddings", config.get("tie_word_embeddings", unsaid)))


def estimate_memory(shape: Shape, settings: TrainSettings, *, on_gpu: bool) -> Memory:
    """Weights, adapter with its optimizer, the activations of one full pack, and the head's chunks."""
    width = _WIDTHS[settings.base_dtype]
    linear_width = NF4_BYTES if settings.load_in_4bit else width
    rest = shape.parameters - shape.linear_parameters
    head = _HEAD_CHUNKS * _HEAD_CHUNK[on_gpu]
    if not on_gpu and width < 4:
        head += 4 * shape.vocabulary * shape.hidden  # a CPU keeps a float32 copy of the head
    return Memory(
        weights=round(shape.linear_parameters * linear_width + rest * width),
        adapter=adapter_parameters(shape, settings) * _ADAPTER_BYTES[settings.optimizer],
        activations=_activations(shape, settings, width),
        head=head,
    )


def adapter_parameters(shape: Shape, settings: TrainSettings) -> int:
    """Weights of the adapter: r·(in + out) for each linear map that takes one."""
    names = {target.rsplit(".", 1)[-1] for target in settings.lora_targets}
    maps = [size for name, size in shape.linear.items() if names & {name, "all-linear"}]
    return shape.layers * settings.lora_r * sum(width + height for width, height in maps)


def _activations(shape: Shape, settings: TrainSettings, width: int) -> int:
    hidden, key_value, inner, rank = _KEPT[settings.engine, settings.base_dtype]
    layer = hidden * shape.hidden + key_value * shape.key_value + inner * shape.inner + rank * settings.lora_r
    if settings.gradient_checkpointing:  # every layer's input, and one layer's insides at a time
        return settings.pack_tokens * (shape.layers * width * shape.hidden + layer)
    return settings.pack_tokens * shape.layers * layer
