"""Packs through a PEFT model: the hidden states of a whole tree in one forward pass."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor

from bswirl.training.fused_lora import fused_lora
from bswirl.training.head import Head
from bswirl.training.packing import Pack, Piece, Tree, assemble, build_tree
from bswirl.training.rows import TrainingRow
from bswirl.training.tree_attention import Kernel, TreeMask, padded, tree_attention


class BaseCache:
    """The base policy's hidden states at predicting nodes, kept on the host while there is room.

    Each piece is computed by itself, so that what it gives does not depend on the pack it is wanted for, and
    a resumed run finds the same values.
    """

    def __init__(self, limit_bytes: float) -> None:
        self.limit = limit_bytes
        self.used = 0
        self.hits = 0
        self._states: dict[bytes, Tensor] = {}

    def get(self, key: bytes) -> Tensor | None:
        """The states of a piece, [sites, width] on the host."""
        found = self._states.get(key)
        self.hits += found is not None
        return found

    def clear(self) -> None:
        """Forgets everything."""
        self._states.clear()
        self.used = 0

    def put(self, key: bytes, states: Tensor) -> None:
        """Keeps the states, if they still fit."""
        size = states.numel() * states.element_size()
        if self.used + size <= self.limit:
            self.used += size
            self._states[key] = states.cpu()


class TreeModel:
    """A PEFT model that reads packs. Use its passes within `active`."""

    def __init__(self, model: Any, *, kernel: Kernel | None = None, cache_bytes: float = 0.0) -> None:
        self.model = model
        self.causal = model.get_base_model()
        self.device: torch.device = model.device
        self.kernel: Kernel = kernel or "blocks"
        self.head = Head(self.causal)
        self.cache = BaseCache(cache_bytes)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Within, the model attends along trees; the backward pass belongs inside too."""
        with ExitStack() as stack:
            stack.enter_context(tree_attention(self.causal))
            stack.enter_context(fused_lora(self.model))
            yield

    def hidden(self, pack: Pack) -> Tensor:
        """The policy's last hidden states at the pack's predicting nodes, [sites, width], with gradient."""
        body = getattr(self.causal, self.causal.base_model_prefix)
        length = padded(len(pack), self.kernel)
        ids = torch.zeros((1, length), dtype=torch.long)
        positions = torch.zeros((1, length), dtype=torch.long)
        ids[0, : len(pack)] = torch.from_numpy(pack.ids)
        positions[0, : len(pack)] = torch.from_numpy(pack.positions)
        output = body(
            input_ids=ids.to(self.device),
            position_ids=positions.to(self.device),
            use_cache=False,
            tree=TreeMask.of(pack, self.device, self.kernel, length),
        )
        states: Tensor = output.last_hidden_state[0]
        return states[torch.from_numpy(pack.predictors).to(self.device)]

    @torch.no_grad()
    def base_hidden(self, pack: Pack) -> Tensor:
        """The same of the base policy, from the cache where it is there."""
        found: dict[Piece, Tensor] = {}
        if self.cache.limit:
            known = {piece: self.cache.get(_key(piece)) for piece in pack.pieces}
            found = {piece: states for piece, states in known.items() if states is not None}
        missing = [piece for piece in pack.pieces if piece not in found]
        if missing:
            with self.model.disable_adapter():  # once: PEFT takes its time to switch
                made = {piece: self.hidden(assemble([piece], [0])) for piece in missing}
            if self.cache.limit:
                for piece, states in made.items():
                    self.cache.put(_key(piece), states)
            found |= made
        return torch.cat([found[piece].to(self.device) for piece in pack.pieces])

    @torch.no_grad()
    def base_pass(self, pack: Pack) -> Tensor:
        """The base policy's last hidden states at the pack's predicting nodes, past the cache."""
        with self.model.disable_adapter():
            return self.hidden(pack)


def trees_of(rows: Sequence[TrainingRow]) -> list[Tree]:
    """The rows' trees, one a question, in the order in which questions first appear."""
    by_question: dict[int, list[TrainingRow]] = {}
    for row in rows:
        by_question.setdefault(row.question_id, []).append(row)
    return [build_tree(part) for part in by_question.values()]


def _key(piece: Piece) -> bytes:
    """What a piece's hidden states follow from: its tokens, their tree, and which of them predict."""
    tree, digest = piece.tree, hashlib.blake2b(digest_size=16)
    for nodes in (tree.ids[piece.nodes], tree.parent[piece.nodes], piece.nodes, piece.predictors):
        digest.update(len(nodes).to_bytes(8, "big") + nodes.tobytes())
    return digest.digest()
