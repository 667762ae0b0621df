"""Whether FlexAttention does on this device what it should, before a run relies on it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bswirl.training.packing import Ints
from bswirl.training.tree_attention import FLEX_BLOCK, TreeMask, attend


def flex_fault(
    device: torch.device,
    dtype: torch.dtype,
    heads: int,
    key_heads: int,
    width: int,
    window: int | None = None,
) -> str | None:
    """What is wrong with FlexAttention on this device, None where nothing is.

    A small tree goes through it forwards and backwards, and through the blocks, with the sliding `window` and
    without: compilers and drivers differ, and a wrong gradient would be noticed by nobody.
    """
    generator = torch.Generator().manual_seed(0)
    nodes = 2 * FLEX_BLOCK
    parent = np.arange(-1, nodes - 1)
    parent[FLEX_BLOCK + 20 :: 40] = FLEX_BLOCK - 1  # branches off the trunk's last node
    end = np.array([max(_descendants(parent, node)) + 1 for node in range(nodes)])
    shapes = [(1, count, nodes, width) for count in (heads, key_heads, key_heads, heads)]
    query, key, value, outer = (
        torch.randn(shape, generator=generator).to(device, dtype).requires_grad_(True) for shape in shapes
    )
    allowed = 2e-2 if dtype in (torch.bfloat16, torch.float16) else 1e-3
    for near in {None, window}:
        found: list[list[Tensor]] = []
        try:
            for kernel in ("flex", "blocks"):
                tree = TreeMask(parent, end, np.arange(nodes), device, kernel)
                output, _ = attend(
                    None, query, key, value, None, tree=tree, scaling=width**-0.5, sliding_window=near
                )
                gradients = torch.autograd.grad(output, (query, key, value), outer.detach().transpose(1, 2))
                found.append([output.detach(), *gradients])
        except Exception as error:  # noqa: BLE001 - whatever a compiler raises, there is another way
            return (str(error).strip().splitlines() or [type(error).__name__])[0]
        errors = [float((a - b).norm() / b.norm()) for a, b in zip(*found, strict=True)]
        if not all(error <= allowed for error in errors):  # NaN is not within bounds either
            return f"its gradients are off by {max(errors):.1g}"
    return None


def _descendants(parent: Ints, node: int) -> list[int]:
    found = [node]
    for later in range(node + 1, len(parent)):
        if parent[later] in found:
            found.append(later)
    return found
