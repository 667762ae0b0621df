from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.tiny import save_tiny_policy


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Tiny models are fastest on one thread."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of tiny models by their kind."""
    root = tmp_path_factory.mktemp("bases")
    return {kind: save_tiny_policy(root / kind, kind=kind) for kind in ("llama", "qwen2")}
