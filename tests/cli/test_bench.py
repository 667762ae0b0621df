"""`bswirl bench train`: what it prints, and what it refuses."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from bswirl.bench.running import Outcome
from bswirl.errors import ExitCode
from tests.cli.conftest import Call
from tests.tiny import save_tiny_policy


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A benchmark whose processes have all answered at once."""
    facts = {
        "model": {"body": 1_000_000, "hidden": 32, "vocabulary": 258},
        "data": {
            "questions": 1, "rows": 25, "P": 150.0, "K": 5.0, "t": 30.0, "G": 5.0,
            "row_tokens": 6000, "state_tokens": 1800, "tree_tokens": 900,
        },
        "machine": {"device": "Card 9000", "threads": 2, "torch": "2.13"},
    }  # fmt: skip

    def outcome(name: str, seconds: float, tokens: int, **more: Any) -> Outcome:
        work = {
            "plain_tokens": tokens,
            "tokens": tokens,
            "head": 750,
            "free_tokens": tokens,
            "free_head": 750,
        }
        step = {"seconds": seconds, "peak": 5 * 2**20, "peak_total": 9 * 2**20, "work": work}
        exact = {"dtype": "float32", "difference": {"loss": 0.0, "kl": 0.0, "gradient": 3e-6}}
        return Outcome(name, facts, [step, step], exact, **more)

    card = {"matmul": 1e12, "kernel": "flex", "gradient": 2e-3}
    outcomes = [
        outcome("a", 6.0, 6000),
        Outcome("c", error="not installed (pip install 'bswirl[bench]')"),
        outcome("d", 1.0, 900, card=card),
    ]
    monkeypatch.setattr("bswirl.bench.running.run_variants", lambda _settings, _say: outcomes)


class TestTable:
    @pytest.mark.usefixtures("measured")
    def test_says_all(self, call: Call) -> None:
        """Times, ratios, memory and exactness of each variant; model, data, machine and formula below."""
        said = call("bench", "train", "--cpu", "--variants", "a,c,d")
        assert said.code == 0
        lines = [" ".join(line.split()) for line in said.out.splitlines()]
        assert "(a) rows by length 6 6 1.00 1.00 100% – – –" in lines
        assert "(d) trees 1 1 6.00 6.63 91% – – –" in lines
        assert "(d) 900 900 900 0.00544 5 0.0e+00 0.0e+00 3.0e-06" in lines
        assert "(c) not installed (pip install 'bswirl[bench]')" in lines
        for words in ("P 150", "K 5", "t 30", "G 5", "6000 tokens", "Card 9000", "torch 2.13", "attention"):
            assert words in said.out
        assert "900 distinct tokens/s" in said.out


class TestJson:
    def test_measures_a_policy(self, call: Call, tmp_path: Path) -> None:
        """One object on stdout: each variant in its own process, exact, with times and memory."""
        folder = save_tiny_policy(tmp_path / "tiny")
        size = ("--questions", 1, "--steps", 1, "--actions", 2, "--repeat", 1)
        said = call("bench", "train", "--policy", folder, "--cpu", *size, "--variants", "a,c,d2", "--json")
        assert said.code == 0, said.err
        rows, kto, trees = said.json["variants"]
        assert [entry["variant"] for entry in (rows, kto, trees)] == ["a", "c", "d2"]
        assert trees["tokens"] == said.json["data"]["tree_tokens"] - 2 < rows["tokens"]  # two actions end
        assert trees["free_tokens"] == 0
        assert trees["exactness"]["difference"]["gradient"] < 1e-4
        assert trees["ratio_a"] == pytest.approx(rows["seconds_median"] / trees["seconds_median"])
        assert len(rows["seconds"]) == 1
        assert rows["peak_total_bytes"] > rows["peak_bytes"] > 0
        if importlib.util.find_spec("trl") is None:
            assert "not installed" in kto["error"]
        else:
            assert kto["free_tokens"] > 2 * kto["tokens"]
        assert said.json["data"]["G"] == 2
        assert said.json["machine"]["cores"] >= 1
        assert "body" in said.json["formula"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("words", "code", "part"),
        [
            (["--variants", "a,x"], ExitCode.USAGE, "unknown variant 'x'"),
            (["--variants", ","], ExitCode.USAGE, "no variant"),
            (["--cpu", "--device", "cuda"], ExitCode.USAGE, "--cpu and --device"),
            (["--policy", "demo", "--shape", "tiny-mistral"], ExitCode.USAGE, "--policy and --shape"),
            (["--policy", "nosuch"], ExitCode.USAGE, "unknown policy"),
            (["--policy", "/no/such/folder"], ExitCode.BAD_INPUT, "no such model folder"),
            (["--device", "tpu"], ExitCode.USAGE, "unknown device"),
            (["--repeat", "0"], ExitCode.USAGE, "repeat"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else None,
    )
    def test_one_line(self, call: Call, words: list[str], code: ExitCode, part: str) -> None:
        """Wrong words are found before anything is loaded."""
        said = call("bench", "train", *words)
        assert (said.code, said.out) == (code, "")
        assert part in said.err
        assert said.err.count("\n") == 1
