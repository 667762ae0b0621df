"""The key-value cache of the decode loop: rows of different lengths, aligned at their right end.

A new row is written into a free slot from the prompt that it continues, a finished one is overwritten by
the last, and what all rows leave unused on the left is cut off from what attention reads. So the batch
stays full and no step copies the cache.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import Cache
from transformers.cache_utils import DynamicLayer

_GROWTH = 128  # positions added when the buffers are full


class _SlotLayer(DynamicLayer):  # type: ignore[misc]
    """One layer's buffers, [slots, heads, positions, width]; the owner moves `rows`, `left` and `length`."""

    def __init__(self, **_options: Any) -> None:
        super().__init__()
        self.rows = self.left = self.length = 0

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: Any, **_options: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        end = self.length + key_states.shape[-2]
        self.keys[: self.rows, :, self.length : end] = key_states
        self.values[: self.rows, :, self.length : end] = value_states
        self.length = end
        return self.keys[: self.rows, :, self.left : end], self.values[: self.rows, :, self.left : end]

    def get_seq_length(self, *_args: Any) -> int:
        return self.length - self.left

    def get_mask_sizes(self, query: Any) -> tuple[int, int]:
        return self.get_seq_length() + (query if isinstance(query, int) else query.shape[0]), 0


class Prefilled:
    """The keys and values of some prompts, right-padded, as a model's own forward pass left them."""

    def __init__(self, cache: Cache) -> None:
        self.layers = [(layer.keys, layer.values) for layer in cache.layers]


class SlotCache:
    """The buffers of all layers, with room for `slots` rows."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.length = 0  # the position at which every row ends
        self.capacity = 0
        self.cache = Cache(layers=[])
        self._layers: list[_SlotLayer] = []

    def begin(self, length: int, like: Prefilled) -> None:
        """Empties the buffers and lets rows of up to `length` positions be placed."""
        self.length = length
        if self.capacity < length + _GROWTH // 2:
            self._allocate(length + _GROWTH, like.layers)

    def place(self, slot: int, count: int, source: Prefilled, index: int, positions: int) -> None:
        """Writes the first `positions` of prompt `index` into `count` slots from `slot` on."""
        start = self.length - positions
        for layer, (keys, values) in zip(self._layers, source.layers, strict=True):
            layer.keys[slot : slot + count, :, start : self.length] = keys[index : index + 1, :, :positions]
            layer.values[slot : slot + count, :, start : self.length] = values[
                index : index + 1, :, :positions
            ]

    def move(self, source: int, slot: int) -> None:
        """Copies the row in slot `source` over the one in `slot`."""
        for layer in self._layers:
            layer.keys[slot] = layer.keys[source]
            layer.values[slot] = layer.values[source]

    def ready(self, rows: int, longest: int, reserve: int) -> Cache:
        """The cache for a step of the first `rows` slots, the longest of which holds `longest` positions.

        `reserve` is the length of the longest prompt that is still to be placed.
        """
        if self.length + 1 > self.capacity:
            self._shift(self.length - max(longest, reserve))
        for layer in self._layers:
            layer.rows, layer.left, layer.length = rows, self.length - longest, self.length
        self.length += 1
        return self.cache

    def _allocate(self, capacity: int, like: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
        self.capacity = capacity
        self._layers = []
        for pair in like:
            layer = _SlotLayer()
            layer.keys, layer.values = (_zeros(tensor, self.slots, capacity) for tensor in pair)
            layer.is_initialized = True
            self._layers.append(layer)
        self.cache = Cache(layers=self._layers)

    def _shift(self, unused: int) -> None:
        """Drops the `unused` first positions and makes room on the right."""
        kept = self.length - unused
        self.capacity = kept + _GROWTH
        for layer in self._layers:
            for name in ("keys", "values"):
                old = getattr(layer, name)
                new = _zeros(old, self.slots, self.capacity)
                new[:, :, :kept] = old[:, :, unused : self.length]
                setattr(layer, name, new)
        self.length = kept


def _zeros(like: torch.Tensor, slots: int, positions: int) -> torch.Tensor:
    # Zeros and not empty memory: a masked NaN would still poison the sum that attention takes.
    return like.new_zeros((slots, like.shape[1], positions, like.shape[3]))
