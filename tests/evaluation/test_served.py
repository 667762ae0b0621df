"""Evaluating a served policy, against a real server on loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bswirl.errors import BswirlError
from bswirl.evaluation import work
from bswirl.records import to_json
from bswirl.runs.context import RunContext
from bswirl.runs.folder import RunFolder
from tests.generation.chat import QUESTIONS, rows_of, solve, spec_for
from tests.serving.server import FaultServer, Request, status


def evaluate(path: Path, server: FaultServer) -> tuple[RunFolder, dict[str, Any]]:
    folder = RunFolder.create(
        path,
        kind="evaluate",
        name="chat",
        run_uid="u",
        run_id=1,
        rows=[to_json(question) for question in QUESTIONS],
        settings={"policy": "chat"},
        policies={"chat": spec_for(server).to_json()},
    )
    with RunContext(folder) as context:
        return folder, work.run(context)


class TestAnswers:
    def test_every_question_once_and_greedily(self, tmp_path: Path) -> None:
        """All under way at once; a second attempt asks for nothing."""
        with FaultServer(solve, latency=0.05) as server:
            folder, summary = evaluate(tmp_path / "1", server)
            assert server.most_seen == len(QUESTIONS)
            assert {request.body["temperature"] for request in server.requests} == {0.0}
            with RunContext(folder) as context:
                assert work.run(context)["accuracy"] == summary["accuracy"]
            assert len(server.requests) == len(QUESTIONS)
        assert sorted(row["question_id"] for row in rows_of(folder, "answer")) == list(range(1, 9))
        assert (summary["n"], summary["failed"]) == (8, 0)
        assert 0 < summary["accuracy"] <= 1

    def test_a_question_that_is_refused_is_counted_and_left_out(self, tmp_path: Path) -> None:
        def refuse(request: Request) -> Any:
            return status(400, "against our policy") if "What is 3 +" in request.prompt else None

        with FaultServer(solve, faults=refuse) as server:
            folder, summary = evaluate(tmp_path / "1", server)
        assert (summary["n"], summary["failed"]) == (7, 1)
        assert any("1 calls brought nothing" in row["text"] for row in rows_of(folder, "warning"))

    def test_no_answer_at_all_is_no_accuracy(self, tmp_path: Path) -> None:
        with (
            FaultServer(solve, faults=lambda request: status(400, "no")) as server,
            pytest.raises(BswirlError),
        ):
            evaluate(tmp_path / "1", server)
