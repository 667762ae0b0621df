"""Engines as the tests of this folder open them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bswirl.serving.calls import Call, Failure, Reply, ServedModel
from bswirl.serving.engine import CallEngine, open_engine
from bswirl.serving.patience import Patience
from tests.serving.server import FaultServer

KEY = "sk-secret-0123456789"
HASTY = Patience(first_delay=0.01, longest_delay=0.02, unreached=0.3, lost=0.3, hopeless=5.0)


def served(server: FaultServer, **more: Any) -> ServedModel:
    settings = {"in_flight": 16, "timeout": 5.0, "key_variable": "TEST_KEY", **more}
    return ServedModel(endpoint="test", url=server.url, model="served", **settings)


def asking(text: str, **more: Any) -> Call:
    return Call((("system", "You are a test."), ("user", text)), **{"max_tokens": 50, **more})


@dataclass
class Heard:
    """What an engine said beside its replies."""

    lines: list[str] = field(default_factory=list)
    spending: list[dict[str, Any]] = field(default_factory=list)


@asynccontextmanager
async def engine_for(
    model: ServedModel, folder: Path, heard: Heard | None = None, **more: Any
) -> AsyncIterator[CallEngine]:
    heard = heard or Heard()
    settings = {"key": KEY, "patience": HASTY, "log": heard.lines.append, **more}
    async with open_engine(model, folder=folder, on_spending=heard.spending.append, **settings) as engine:
        yield engine


async def ask_all(engine: CallEngine, calls: Sequence[Call]) -> list[Reply | Failure]:
    """The outcomes in the calls' order."""
    found: dict[int, Reply | Failure] = {}

    async def handle(index: int) -> None:
        found[index] = await engine.call(calls[index])

    await engine.run_all(range(len(calls)), handle)
    return [found[index] for index in range(len(calls))]


def texts(outcome: Reply | Failure) -> list[str]:
    assert isinstance(outcome, Reply), outcome
    return [choice.text for choice in outcome.choices]
