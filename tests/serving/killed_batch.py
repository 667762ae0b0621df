"""A batch for the tests to kill: `python -m tests.serving.killed_batch URL FOLDER COUNT`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from bswirl.serving.batch_api import Pace
from bswirl.serving.batching import open_batch_engine
from bswirl.serving.calls import ServedModel
from tests.serving.engines import KEY, asking


async def main(url: str, folder: Path, count: int) -> None:
    model = ServedModel("test", url, "served", timeout=60.0)
    pace = Pace(first=0.02, longest=0.05, settle=0.05)
    async with open_batch_engine(model, folder=folder, key=KEY, pace=pace) as engine:

        async def handle(number: int) -> None:
            await engine.call(asking(f"call {number}"))

        await engine.run_all(range(count), handle)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
