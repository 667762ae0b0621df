"""A run that is killed at any stage of its batch pays for every call once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bswirl.serving.calls import Reply
from bswirl.serving.ledger import LEDGER, reply_row
from tests.serving.batch_server import REACHED, BatchServer
from tests.serving.engines import asking, served
from tests.serving.test_batching import ask, numbered

COUNT = 40
ROOT = Path(__file__).resolve().parents[2]


def kill_at(stage: str, server: BatchServer, folder: Path) -> None:
    """Runs until the server has done its part of a stage, whose answer never comes."""
    server.batches.hang_at = stage
    command = [sys.executable, "-m", "tests.serving.killed_batch", server.url, str(folder), str(COUNT)]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        assert server.batches.reached[stage].wait(60)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    server.batches.hang_at = None


def keys(folder: Path) -> list[str]:
    return [json.loads(line)["key"] for line in (folder / LEDGER).read_bytes().splitlines()]


@pytest.mark.parametrize("stage", REACHED)
def test_every_call_is_paid_once(stage: str, tmp_path: Path) -> None:
    with BatchServer() as server:
        kill_at(stage, server, tmp_path)
        made = len(server.batches.jobs)
        found = ask(server, tmp_path, numbered(COUNT))
        assert all(isinstance(reply, Reply) for reply in found)
        assert made == (stage in ("create", "poll", "content"))
        assert len(server.batches.jobs) == 1
        assert set(server.batches.paid.values()) == {1}
        assert server.batches.uploads <= 2
        expected = {call.key(served(server)) for call in numbered(COUNT)}
    assert sorted(keys(tmp_path)) == sorted(expected)


def test_what_was_collected_counts_once(tmp_path: Path) -> None:
    """A kill in the middle of the output: lines that are in the ledger already are left alone."""
    with BatchServer() as server:
        kill_at("content", server, tmp_path)
        key = asking("call 7").key(served(server))
        reply = Reply((), 1, 1, 0.0, 0.0)
        row = {**reply_row(key, "served", reply), "choices": [{"text": "mine", "finish": "stop"}]}
        (tmp_path / LEDGER).write_text(json.dumps(row) + "\n")
        found = ask(server, tmp_path, numbered(COUNT))
    assert isinstance(found[7], Reply)
    assert found[7].choices[0].text == "mine"
    assert len(keys(tmp_path)) == len(set(keys(tmp_path))) == COUNT


def test_files_that_were_changed_are_left_aside(tmp_path: Path) -> None:
    with BatchServer() as server:
        kill_at("file", server, tmp_path)
        [upload] = [file for file in (tmp_path / "batches").iterdir() if "calls" not in file.name]
        upload.write_text("changed\n")
        found = ask(server, tmp_path, numbered(COUNT))
        assert set(server.batches.paid.values()) == {1}
    assert all(isinstance(reply, Reply) for reply in found)
