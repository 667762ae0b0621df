from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.policies.small import save_taught_policy, sums_tokenizer


@pytest.fixture(scope="session")
def sums_tokens() -> Any:
    """A byte-level tokenizer that merges across line ends."""
    return sums_tokenizer()


@pytest.fixture(scope="session")
def taught_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that solves sums step by step, more or less."""
    return save_taught_policy(tmp_path_factory.mktemp("taught") / "model")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Small models are fastest on one thread, and share the machine with other tests."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
