"""`bench calls`: the clients make all their calls, and the figures add up."""

from __future__ import annotations

import pytest

from bswirl.bench.calls import NAMES
from bswirl.bench.calls_worker import judge_calls
from tests.cli.conftest import Call, call

__all__ = ["call"]  # a fixture


def test_measures_all_clients(call: Call) -> None:
    said = call("bench", "calls", "--calls", 60, "--latency", 0.05, "--in-flight", 10, "--json")
    assert said.code == 0, said.err
    report = said.json
    assert report["allowed_per_second"] == 200
    assert [entry["client"] for entry in report["clients"]] == list(NAMES)
    for entry in report["clients"]:
        count = entry["calls"]
        assert count == (10 if entry["client"] == "gather-httpx" else 60)
        assert entry["failed"] == 0
        assert entry["server"]["answered"] == count + 2  # to warm up
        assert 0 < entry["server"]["most_in_flight"] <= 10
        assert entry["calls_per_second"] == pytest.approx(count / entry["seconds"])
        assert entry["share"] == pytest.approx(entry["calls_per_second"] / 200)
        assert 0 < entry["share"] <= 1.01
        assert entry["cpu_ms_per_call"] > 0
        assert entry["peak_bytes"] > entry["held_bytes"] > 0


def test_table(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    client = {
        "client": "engine", "name": "ours", "calls": 10_000, "failed": 0, "seconds": 25.6, "share": 0.976,
        "calls_per_second": 390.6, "cpu_ms_per_call": 0.7, "peak_bytes": 70 * 2**20, "held_bytes": 5,
        "prompt_bytes": 5820,
    }  # fmt: skip
    versions = dict.fromkeys(("together", "aiohttp", "httpx", "python"), "1.0")
    report = {
        "allowed_per_second": 400,
        "machine": {"cores": 2, "load": 0.1, "date": "2026-11-20", **versions},
        "clients": [client],
    }
    monkeypatch.setattr("bswirl.bench.calls.measure_calls", lambda _settings, _say: report)
    said = call("bench", "calls")
    assert said.code == 0, said.err
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert "ours 10000 0 25.6 391 97.6% 0.70 70" in lines
    assert any("0.5 s, 200 at a time: 400 calls/s" in line for line in lines)


def test_each_call_is_another() -> None:
    calls = judge_calls(50)
    assert len({call.messages for call in calls}) == 50
    assert "Correct: yes" in str(calls[0].messages)  # the shipped prompt with its examples
