"""Which engine makes a run's calls: one by one, or in batches."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from bswirl.serving.batching import BatchEngine, open_batch_engine
from bswirl.serving.engine import CallEngine, open_engine

Engine = CallEngine | BatchEngine


def opener(*, batch: bool) -> Callable[..., AbstractAsyncContextManager[Engine]]:
    """`open_engine`, or with `batch` `open_batch_engine`."""
    return open_batch_engine if batch else open_engine
