"""Attention to ancestors only, over a pack in depth-first order.

On a CPU (and wherever FlexAttention is not at hand) the queries are cut into blocks: a block's keys are its
own nodes and the ancestors of its first node, which are all that any of its nodes can see outside it. On CUDA
FlexAttention takes the whole pack with a block mask.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bswirl.training.packing import NO_PARENT, Ints, Pack, stretch_starts

NAME = "bswirl_tree"
Kernel = Literal["blocks", "dense", "flex"]
_BLOCK_COST = 16384  # what starting a block costs, in query-key pairs
_WIDEST_CHOICE = 64  # stretches that one block may span
_LONGEST_STRETCH = 256  # nodes; longer ones are cut, or half of their pairs would be computed to be hidden
FLEX_BLOCK = 128  # FlexAttention's block size


@dataclass(frozen=True, slots=True)
class Block:
    """Queries [start, stop) and the nodes that they may see, as far as any of them may."""

    start: int
    stop: int
    keys: Tensor  # [keys] int64; the block's own nodes are the last of them
    hidden: Tensor  # [queries, keys] bool: where a query must not look


class TreeMask:
    """Who sees whom in one pack, in the form that its kernel takes: built once, used by every layer."""

    def __init__(
        self, parent: Ints, end: Ints, positions: Ints, device: torch.device, kernel: Kernel
    ) -> None:
        """The arrays are those of a Pack, [nodes]."""
        self.kernel = kernel
        self.end = torch.as_tensor(end, device=device)
        self.positions = torch.as_tensor(positions, device=device, dtype=torch.int32)
        self._additive: dict[tuple[torch.dtype, int | None, int], list[Tensor]] = {}
        self._flex: dict[int | None, Any] = {}
        self.blocks = [] if kernel == "flex" else self._blocks(parent, end, device)

    @classmethod
    def of(cls, pack: Pack, device: torch.device, kernel: Kernel, length: int) -> TreeMask:
        """The mask of a pack that is padded to `length`; a padding token sees itself alone."""
        padding = np.arange(len(pack), length)
        return cls(
            np.concatenate([pack.parent, padding * 0 + NO_PARENT]),
            np.concatenate([pack.end, padding + 1]),
            np.concatenate([pack.positions, padding * 0]),
            device,
            kernel,
        )

    def _blocks(self, parent: Ints, end: Ints, device: torch.device) -> list[Block]:
        bounds = [(0, len(parent))] if self.kernel == "dense" else cut_into_blocks(parent, end)
        blocks = []
        for start, stop in bounds:
            own = np.arange(start, stop)
            keys = np.concatenate([np.flatnonzero(end[:start] > start), own])
            hidden = (keys[None, :] > own[:, None]) | (own[:, None] >= end[keys][None, :])
            on_device = (torch.as_tensor(array, device=device) for array in (keys, hidden))
            blocks.append(Block(start, stop, *on_device))
        return blocks

    def additive(self, dtype: torch.dtype, window: int | None, groups: int) -> list[Tensor]:
        """For each block a mask [1, 1, groups · queries, keys] to add to the scores.

        `window` is a sliding window's width; `groups` is how many query heads share a key head.
        """
        kind = (dtype, window, groups)
        if kind not in self._additive:
            self._additive[kind] = [
                self._additive_of(block, dtype, window).repeat(1, 1, groups, 1) for block in self.blocks
            ]
        return self._additive[kind]

    def _additive_of(self, block: Block, dtype: torch.dtype, window: int | None) -> Tensor:
        hidden = block.hidden
        if window is not None:
            distance = self.positions[block.start : block.stop, None] - self.positions[block.keys][None, :]
            hidden = hidden | (distance >= window)
        mask = torch.zeros(hidden.shape, dtype=dtype, device=hidden.device)
        return mask.masked_fill_(hidden, float("-inf"))[None, None]

    def flex(self, window: int | None) -> Any:
        """FlexAttention's block mask of the whole pack."""
        if window not in self._flex:
            from torch.nn.attention.flex_attention import create_block_mask

            n = len(self.end)
            self._flex[window] = create_block_mask(
                self._rule(window), B=None, H=None, Q_LEN=n, KV_LEN=n, device=self.end.device
            )
        return self._flex[window]

    def _rule(self, window: int | None) -> Any:
        end, positions = self.end, self.positions

        def sees(_batch: Any, _head: Any, query: Any, key: Any) -> Any:
            return (key <= query) & (query < end[key])

        if window is None:
            return sees
        width = window

        def sees_near(_batch: Any, _head: Any, query: Any, key: Any) -> Any:
            return sees(_batch, _head, query, key) & (positions[query] - positions[key] < width)

        return sees_near


def cut_into_blocks(parent: Ints, end: Ints) -> list[tuple[int, int]]:
    """The order cut into stretches [start, stop) such that the blocks' query-key pairs are few.

    A block from a on costs queries × (ancestors of a + queries), and a constant for being one more block.
    """
    cuts = _cuts(parent)
    above = _ancestor_counts(cuts[:-1], end)
    best: list[tuple[float, int]] = [(0.0, 0)] * len(cuts)
    for i in range(len(cuts) - 2, -1, -1):
        best[i] = min(
            (size * (above[i] + size) + _BLOCK_COST + best[j][0], j)
            for j in range(i + 1, min(i + 1 + _WIDEST_CHOICE, len(cuts)))
            for size in (cuts[j] - cuts[i],)
        )
    bounds = []
    i = 0
    while i < len(cuts) - 1:
        bounds.append((cuts[i], cuts[best[i][1]]))
        i = best[i][1]
    return bounds


def _cuts(parent: Ints) -> list[int]:
    """Where blocks may begin, and the end: the trie's stretches, long ones in parts."""
    edges = [*stretch_starts(parent).tolist(), len(parent)]
    parts = [range(start, stop, _LONGEST_STRETCH) for start, stop in itertools.pairwise(edges)]
    return [*(cut for part in parts for cut in part), len(parent)]


def _ancestor_counts(nodes: Sequence[int], end: Ints) -> list[int]:
    return [int(np.count_nonzero(end[:node] > node)) for node in nodes]


def attend(
    _module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _mask: Tensor | None,
    *,
    tree: TreeMask,
    scaling: float | None = None,
    softcap: float | None = None,
    sliding_window: int | None = None,
    **_options: Any,
) -> tuple[Tensor, None]:
    """transformers' attention interface: query [1, heads, nodes, width] to [1, nodes, heads, width]."""
    if tree.kernel == "flex":
        output = _flex_attention(query, key, value, tree, scaling, softcap, sliding_window)
        return output.transpose(1, 2).contiguous(), None
    batch, heads, _, width = query.shape
    groups = heads // key.shape[1]
    masks = tree.additive(query.dtype, sliding_window, groups)
    outputs = []
    for block, mask in zip(tree.blocks, masks, strict=True):
        # The query heads that share a key head stand below each other: no key is copied for them.
        queries = query[:, :, block.start : block.stop].reshape(batch, key.shape[1], -1, width)
        keys, values = (part.index_select(2, block.keys) for part in (key, value))
        if softcap is None:
            out = functional.scaled_dot_product_attention(queries, keys, values, mask, scale=scaling)
        else:
            out = _capped(queries, keys, values, mask, scaling, softcap)
        outputs.append(out.view(batch, heads, -1, out.shape[-1]))
    return torch.cat(outputs, dim=2).transpose(1, 2).contiguous(), None


def _capped(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scaling: float | None, softcap: float
) -> Tensor:
    """Attention with scores capped by softcap·tanh(score/softcap), as in Gemma 2."""
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    scores = softcap * torch.tanh(query @ key.transpose(2, 3) * (scale / softcap)) + mask
    kind = torch.float64 if query.dtype == torch.float64 else torch.float32
    return functional.softmax(scores, dim=-1, dtype=kind).to(query.dtype) @ value


def _flex_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    tree: TreeMask,
    scaling: float | None,
    softcap: float | None,
    window: int | None,
) -> Tensor:
    def capped(score: Tensor, *_place: Tensor) -> Tensor:
        return softcap * torch.tanh(score / softcap)  # type: ignore[operator]

    output: Tensor = _compiled_flex(query.device.type)(
        query,
        key,
        value,
        block_mask=tree.flex(window),
        score_mod=None if softcap is None else capped,
        scale=scaling,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return output


_COMPILED: dict[str, Any] = {}


def _compiled_flex(device: str) -> Any:
    """FlexAttention, compiled once on a GPU; elsewhere as it is, which serves to test its masks."""
    if device not in _COMPILED:
        from torch.nn.attention.flex_attention import flex_attention

        # With and without a window, gradients or recomputation are graphs of their own; beyond the limit
        # attention would silently run uncompiled.
        dynamo: Any = torch._dynamo.config
        dynamo.recompile_limit = max(64, dynamo.recompile_limit)
        _COMPILED[device] = (
            torch.compile(flex_attention, dynamic=True) if device == "cuda" else flex_attention
        )
    return _COMPILED[device]


def padded(pack_length: int, kernel: Kernel) -> int:
    """How long a pack must be for its kernel: FlexAttention wants whole blocks.

    Two at least: dynamo compiles a single one as a case of its own.
    """
    return max(2, -(-pack_length // FLEX_BLOCK)) * FLEX_BLOCK if kernel == "flex" else pack_length


@contextmanager
def tree_attention(model: Any) -> Iterator[None]:
    """Within, the model's attention layers read the `tree` argument of its forward pass."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)
    configs = [model.config, model.config.get_text_config()]
    before = [config._attn_implementation for config in configs]
    try:
        for config in configs:
            config._attn_implementation = NAME
        yield
    finally:
        for config, name in zip(configs, before, strict=True):
            config._attn_implementation = name


def supports_trees(model: Any) -> bool:
    """Whether every layer of the model is attention that goes through transformers' attention interface.

    Recurrent layers, learned sinks and encoders see more than a node's ancestors and are left out.
    """
    config = model.config.get_text_config()
    if _turns_by_the_longest(getattr(config, "rope_parameters", None) or {}):
        return False
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    return (
        bool(getattr(model, "_supports_attention_backend", False))
        and kinds <= {"full_attention", "sliding_attention"}
        and not getattr(config, "is_encoder_decoder", False)
        and not any(hasattr(module, "sinks") for module in model.modules())
    )


def _turns_by_the_longest(rope: dict[str, Any]) -> bool:
    """Whether positions are turned by the longest one of a pass: a tree would then depend on its pack."""
    parts = [rope, *(part for part in rope.values() if isinstance(part, dict))]  # some have one a layer type
    kinds = {part.get("rope_type") for part in parts}
    return bool(kinds & {"dynamic", "longrope"})
