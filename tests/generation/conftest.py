"""A policy whose samples do not depend on the batch that they are drawn in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from bswirl.policies import local
from tests.policies.conftest import one_thread, sums_tokens, taught_folder

__all__ = ["exact", "one_thread", "sums_tokens", "taught_folder"]


@pytest.fixture(scope="module", autouse=True)
def exact() -> Iterator[None]:
    """In bfloat16 a processor with instructions for it rounds otherwise in other batches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "DENSE", torch.float32)
        yield
