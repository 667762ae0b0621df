"""A run of calls for the tests to kill: `python -m tests.serving.killed URL FOLDER COUNT`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from bswirl.serving.calls import ServedModel
from tests.serving.engines import ask_all, asking, engine_for

IN_FLIGHT = 16


def model_at(url: str) -> ServedModel:
    return ServedModel("test", url, "served", in_flight=IN_FLIGHT, timeout=2.0, price_in=1.0, price_out=1.0)


async def main(url: str, folder: Path, count: int) -> None:
    async with engine_for(model_at(url), folder) as engine:
        await ask_all(engine, [asking(f"call {number}") for number in range(count)])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
