"""One client of `bench calls` in a process of its own: makes the calls, and says what they took.

`python -m bswirl.bench.calls_worker CLIENT URL CALLS IN_FLIGHT` prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bswirl.bench.process import PEAK, memory_bytes
from bswirl.prompts import shipped
from bswirl.serving.calls import Call, Failure, ServedModel

_MAX_TOKENS = 512
_WARM_UP = 2
_KEY = "bench-key-0123456789"

Measured = tuple[float, float, int]  # seconds, CPU seconds, calls that failed


def judge_calls(count: int) -> list[Call]:
    """Calls as judging makes them, each about another step."""
    prompt = shipped("judge")
    return [
        Call(
            prompt.messages(
                question=f"A shop gets {number} boxes with 15 jars in each and sells 200 jars. "
                "How many jars are left, and how many boxes would hold them?",
                steps=f"Step 1: There are {number} boxes, and each of them holds 15 jars.",
                step=f"Step 2: Together that makes {number} * 15 = {number * 15} jars in the shop.",
            ),
            max_tokens=_MAX_TOKENS,
            temperature=0.0,
        )
        for number in range(count)
    ]


async def measure_engine(url: str, calls: list[Call], in_flight: int) -> Measured:
    """Ours, as a run uses it: with its ledger and its journal on the disk."""
    from bswirl.runs.journal import JournalWriter
    from bswirl.serving.engine import open_engine

    failed = 0

    async def handle(call: Call) -> None:
        nonlocal failed
        failed += isinstance(await engine.call(call), Failure)

    model = ServedModel("bench", url, "judge", in_flight=in_flight, price_in=1.0, price_out=1.0)
    with tempfile.TemporaryDirectory(prefix="bswirl-bench-") as name:
        journal = JournalWriter(Path(name) / "journal.jsonl")

        def tell(row: dict[str, Any]) -> None:
            journal.append([row])

        async with open_engine(model, folder=Path(name), key=_KEY, on_spending=tell) as engine:
            for call in calls[:_WARM_UP]:
                await handle(call)
            seconds, cpu = time.perf_counter(), time.process_time()
            await engine.run_all(calls[_WARM_UP:], handle)
            return time.perf_counter() - seconds, time.process_time() - cpu, failed


async def measure_gather(url: str, calls: list[Call], in_flight: int, *, on_aiohttp: bool) -> Measured:
    """The plain way: the client's own create, gathered, as many at a time as the server allows."""
    import httpx
    import together

    make: Any = together.DefaultAioHttpClient if on_aiohttp else together.DefaultAsyncHttpxClient
    limits = httpx.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
    client = together.AsyncTogether(
        api_key=_KEY, base_url=url, max_retries=0, http_client=make(limits=limits, timeout=120.0)
    )
    bodies: list[Any] = [[{"role": role, "content": text} for role, text in call.messages] for call in calls]
    room = asyncio.Semaphore(in_flight)
    failed = 0

    async def one(messages: Any) -> Any:
        nonlocal failed
        async with room:
            try:
                return await client.chat.completions.create(
                    model="judge", messages=messages, max_tokens=_MAX_TOKENS, temperature=0.0
                )
            except together.APIError:
                failed += 1
                return None

    async with client:
        for body in bodies[:_WARM_UP]:
            await one(body)
        seconds, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(one(body) for body in bodies[_WARM_UP:]))
        return time.perf_counter() - seconds, time.process_time() - cpu, failed


CLIENTS: dict[str, Callable[[str, list[Call], int], Awaitable[Measured]]] = {
    "engine": measure_engine,
    "gather-aiohttp": lambda *given: measure_gather(*given, on_aiohttp=True),
    "gather-httpx": lambda *given: measure_gather(*given, on_aiohttp=False),
}


def main(client: str, url: str, count: int, in_flight: int) -> dict[str, Any]:
    """What the calls took, and the memory above what the process had before the first of them."""
    calls = judge_calls(count + _WARM_UP)
    before = memory_bytes(PEAK)

    async def run() -> Measured:
        return await CLIENTS[client](url, calls, in_flight)

    seconds, cpu, failed = asyncio.run(run())
    return {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "failed": failed,
        "peak_bytes": memory_bytes(PEAK),
        "held_bytes": before,
        "prompt_bytes": len(json.dumps(calls[0].messages)),
    }


if __name__ == "__main__":
    said = main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    sys.stdout.write(json.dumps(said) + "\n")
