from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.tiny import save_tiny_policy


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Tiny models are fastest, and exactly repeatable, on one thread."""
    torch.set_num_threads(1)


@pytest.fixture(scope="package")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny policy."""
    return save_tiny_policy(tmp_path_factory.mktemp("policy") / "tiny")
