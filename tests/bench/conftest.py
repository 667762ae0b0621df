from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Tiny models are fastest, and exactly repeatable, on one thread."""
    torch.set_num_threads(1)
