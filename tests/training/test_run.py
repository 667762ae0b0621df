"""Whole training runs on a tiny policy, from a run folder, as a worker does them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from bswirl.errors import BswirlError, CancelledError, InputError
from bswirl.policies.catalogue import PolicySpec
from bswirl.policies.local import load_model
from bswirl.records import to_json
from bswirl.runs.context import RunContext
from bswirl.runs.folder import RunFolder
from bswirl.training import rowwise, step, work
from tests.tiny import save_tiny_policy, small_tree, tiny_model

LIVE = ((1.0, 0.0, 1.0), (0.0, 1.0))
QUICK: dict[str, Any] = {
    "objective": "bswirl",
    "policy": "tiny",
    "device": "cpu",
    "base_dtype": "float32",
    "batch": 2,
    "epochs": 3,
    "learning_rate": 5e-3,
    "lora_r": 2,
    "lora_dropout": 0.1,
    "microbatch_tokens": 400,
    "probe_every": 2,
    "checkpoint_every": 2,
}
TRAIN_SECONDS = {"tokens_per_second"}  # the one metric that time decides


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_policy(tmp_path_factory.mktemp("policy") / "tiny")


def make_run(path: Path, policy: Path, *, questions: int = 5, **settings: Any) -> RunFolder:
    trees = [small_tree(number, LIVE, probe=number % 4 == 0) for number in range(1, questions + 1)]
    return RunFolder.create(
        path,
        kind="train",
        name="test",
        run_uid="uid",
        run_id=1,
        rows=[to_json(tree) for tree in trees],
        settings=QUICK | settings,
        policies={"tiny": PolicySpec("tiny", str(policy)).to_json()},
    )


def train(folder: RunFolder, attempt: int = 1) -> dict[str, Any]:
    with RunContext(folder, attempt) as context:
        return work.run(context)


def journal(folder: RunFolder, kind: str) -> list[dict[str, Any]]:
    """Rows of one kind that are in force: those of earlier attempts behind a resume's step are void."""
    rows: list[dict[str, Any]] = []
    for line in folder.journal_file.read_text().splitlines():
        row = json.loads(line)
        if row["t"] == "resume":
            rows = [old for old in rows if old["step"] <= row["from_step"]]
        if row["t"] == kind:
            rows.append(row)
    return rows


def curves(folder: RunFolder) -> list[tuple[int, str, float]]:
    return [
        (row["step"], name, value)
        for row in journal(folder, "metrics")
        for name, value in row["values"].items()
        if name not in TRAIN_SECONDS
    ]


class TestRun:
    def test_journal_has_every_step_and_probe(self, tmp_path: Path, policy: Path) -> None:
        """Metrics under their names each step, probes at the start, every other step and the end."""
        folder = make_run(tmp_path / "run", policy, epochs=2, max_steps=3)
        summary = train(folder)
        metrics = {
            row["step"]: row["values"] for row in journal(folder, "metrics") if "loss" in row["values"]
        }
        assert sorted(metrics) == [1, 2, 3]
        names = "loss policy_loss kl entropy grad_norm reward reward_std frac_reward_zero_std advantage_abs"
        names += " learning_rate num_tokens tokens_per_second epoch"
        assert all(set(values) == set(names.split()) for values in metrics.values())
        assert metrics[2]["epoch"] == 1.0
        assert metrics[1]["kl"] == 0.0
        assert metrics[3]["kl"] > 0.0
        assert [row["step"] for row in journal(folder, "shifts")] == [0, 2, 3]
        first, *_, last = journal(folder, "shifts")
        assert [row[:2] for row in first["rows"]] == [
            [4000, 1.0],
            [4001, 0.0],
            [4002, 1.0],
            [4010, 0.0],
            [4011, 1.0],
        ]
        assert all(row[2] == 0.0 for row in first["rows"])
        assert any(row[2] != 0.0 for row in last["rows"])
        assert summary["steps"] == 3
        assert summary["num_tokens"] == metrics[3]["num_tokens"]
        assert "shift/margin" in summary

    def test_training_opens_the_margin(self, tmp_path: Path, policy: Path) -> None:
        """On actions it trains on, B-SWiRL raises what earned 1 above what earned 0."""
        folder = make_run(tmp_path / "run", policy, questions=4, epochs=12, negative_weight=1.0, beta=0.01)
        summary = train(folder)
        assert summary["shift/margin"] > 0.1

    @pytest.mark.parametrize("objective", ["swirl", "sft"])
    def test_other_objectives_run(self, tmp_path: Path, policy: Path, objective: str) -> None:
        """Each objective trains, its policy loss falling."""
        folder = make_run(tmp_path / "run", policy, objective=objective, epochs=6, lora_dropout=0.0)
        train(folder)
        losses = [
            row["values"]["policy_loss"] for row in journal(folder, "metrics") if "loss" in row["values"]
        ]
        assert sum(losses[-2:]) < sum(losses[:2])

    def test_nothing_to_learn_is_refused(self, tmp_path: Path, policy: Path) -> None:
        """No live group: an error before the first step."""
        folder = make_run(tmp_path / "run", policy, questions=1, seed=1)
        rows = [to_json(small_tree(1, ((1.0, 1.0),)))]
        folder = RunFolder.create(
            tmp_path / "dead",
            kind="train",
            name="test",
            run_uid="uid",
            rows=rows,
            settings=QUICK,
            policies=folder.read_config()["policies"],
        )
        with pytest.raises(InputError, match="no live group"):
            train(folder)
        assert journal(folder, "metrics") == []


class TestAdapter:
    @pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
    def test_peft_loads_what_was_saved(self, tmp_path: Path, policy: Path, dtype: str) -> None:
        """PEFT's own loader gives a policy that differs from its base; no path of this machine is inside."""
        from peft import PeftModel

        folder = make_run(tmp_path / "run", policy, adapter_dtype=dtype, max_steps=2)
        train(folder)
        tensors = load_file(folder.adapter / "adapter_model.safetensors")
        assert {str(weight.dtype) for weight in tensors.values()} == {f"torch.{dtype}"}
        text = (folder.adapter / "adapter_config.json").read_text()
        assert json.loads(text)["base_model_name_or_path"] == "tiny"
        assert str(tmp_path) not in text
        assert str(policy) not in text
        ids = torch.arange(20)[None]
        base = tiny_model()(input_ids=ids).logits
        adapted = PeftModel.from_pretrained(tiny_model(), str(folder.adapter))(input_ids=ids).logits
        assert not torch.allclose(base, adapted)

    def test_merged_policy_has_the_probe_s_logprobs(self, tmp_path: Path, policy: Path) -> None:
        """NAME@RUN, loaded for evaluation, is the trained policy: its log-probs moved by the shifts."""
        from bswirl.policies.rendering import encode_row

        folder = make_run(tmp_path / "run", policy)
        train(folder)
        tree = small_tree(4, LIVE).tree
        last = {row[0]: row[2] for row in journal(folder, "shifts")[-1]["rows"]}
        merged = load_model(
            PolicySpec("tiny@1", str(policy), (str(folder.adapter),)), device="cpu", dtype=torch.float32
        )
        base = load_model(PolicySpec("tiny", str(policy)), device="cpu", dtype=torch.float32)
        for action in tree.actions:
            prefix = tree.prefixes()[action.state_id]
            row = encode_row(base.tokenizer, tree.question.text, prefix, action.text, action.is_answer)
            sums = []
            for model in (merged.model, base.model):
                log_probs = model(input_ids=torch.tensor([row.ids])).logits[0].log_softmax(-1)
                places = range(row.action_start - 1, len(row.ids) - 1)
                sums.append(sum(log_probs[place, row.ids[place + 1]].item() for place in places))
            assert sums[0] - sums[1] == pytest.approx(last[action.action_id], abs=1e-3)


class TestResume:
    def test_cancelled_and_resumed_equals_undisturbed(
        self, tmp_path: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Cancelled inside a step, then resumed: every metric, shift and weight is bit-identical."""
        straight = make_run(tmp_path / "straight", policy)
        train(straight)
        stopped = make_run(tmp_path / "stopped", policy)
        checks = iter(range(1000))
        with RunContext(stopped) as context:
            monkeypatch.setattr(context, "check_cancelled", lambda: _cancel_when(next(checks) == 12))
            with pytest.raises(CancelledError):
                work.run(context)
        done = journal(stopped, "checkpoint")[-1]["step"]
        assert 0 < done < 6
        train(stopped, attempt=2)
        assert curves(stopped) == curves(straight)
        assert journal(stopped, "shifts") == journal(straight, "shifts")
        self._same_adapter(stopped, straight)

    def test_killed_and_resumed_equals_undisturbed(
        self, tmp_path: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Ended behind any row of the journal: steps after the last checkpoint come out the same."""
        straight = make_run(tmp_path / "straight", policy)
        train(straight)
        for dies_at in (0, 2, 4, 5, 7, 9, 12):
            killed = make_run(tmp_path / f"killed{dies_at}", policy)
            rows = iter(range(1000))
            with RunContext(killed) as context:
                emit = context.emit

                def emit_and_die(*row: Any, emit: Any = emit, rows: Any = rows, at: int = dies_at) -> None:
                    emit(*row)
                    if next(rows) == at:
                        raise KeyboardInterrupt

                monkeypatch.setattr(context, "emit", emit_and_die)
                with pytest.raises(KeyboardInterrupt):
                    work.run(context)
            train(killed, attempt=2)
            assert curves(killed) == curves(straight), dies_at
            assert journal(killed, "shifts") == journal(straight, "shifts"), dies_at
            self._same_adapter(killed, straight)

    def test_kill_signal(self, tmp_path: Path, policy: Path) -> None:
        """A worker process ended by SIGKILL mid-run resumes to the same metrics."""
        straight = make_run(tmp_path / "straight", policy, epochs=30)
        train(straight)
        killed = make_run(tmp_path / "killed", policy, epochs=30)
        code = (
            "import sys, torch; torch.set_num_threads(1)\n"
            "from pathlib import Path\n"
            "from bswirl.runs.context import RunContext; from bswirl.runs.folder import RunFolder\n"
            "from bswirl.training import work\n"
            "work.run(RunContext(RunFolder(Path(sys.argv[1]))))"
        )
        process = subprocess.Popen([sys.executable, "-c", code, str(killed.path)], stderr=subprocess.DEVNULL)
        _wait_until(
            lambda: killed.journal_file.exists() and '"checkpoint"' in killed.journal_file.read_text()
        )
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not killed.adapter.exists()
        train(killed, attempt=2)
        assert curves(killed) == curves(straight)
        self._same_adapter(killed, straight)

    def test_finished_run_resumes_to_its_adapter(self, tmp_path: Path, policy: Path) -> None:
        """Ended between the last checkpoint and the adapter, a resume only writes the adapter."""
        folder = make_run(tmp_path / "run", policy, max_steps=2)
        train(folder)
        before = curves(folder)
        tensors = load_file(folder.adapter / "adapter_model.safetensors")
        (folder.adapter / "adapter_model.safetensors").unlink()
        summary = train(folder, attempt=2)
        assert curves(folder) == before
        assert all(
            torch.equal(weight, tensors[name])
            for name, weight in load_file(folder.adapter / "adapter_model.safetensors").items()
        )
        assert summary["steps"] == 2

    @staticmethod
    def _same_adapter(one: RunFolder, other: RunFolder) -> None:
        a = load_file(one.adapter / "adapter_model.safetensors")
        b = load_file(other.adapter / "adapter_model.safetensors")
        assert a.keys() == b.keys()
        assert all(torch.equal(a[name], b[name]) for name in a)


class TestStops:
    def test_collapse_stops_the_run(self, tmp_path: Path, policy: Path) -> None:
        """Mean KL above the limit ends the run with the reason, after the step's metrics are written."""
        folder = make_run(tmp_path / "run", policy, kl_limit=1e-6, beta=0.0)
        with pytest.raises(BswirlError, match="collapse: at step 2"):
            train(folder)
        assert journal(folder, "metrics")[-1]["step"] == 2
        assert not folder.adapter.exists()

    def test_nan_stops_the_run_naming_the_questions(
        self, tmp_path: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A loss that is not finite ends the run before the weights change."""
        real = rowwise.row_values
        calls = iter(range(1000))

        def broken(*arguments: Any, **options: Any) -> Any:
            values = real(*arguments, **options)
            if next(calls) == 4:
                values.logprob[0] = float("nan")
            return values

        monkeypatch.setattr(step, "row_values", broken)
        folder = make_run(tmp_path / "run", policy)
        with pytest.raises(
            BswirlError, match=r"loss of step \d is not a finite number; its questions: tiny:q\d"
        ):
            train(folder)
        assert "NaN" not in folder.journal_file.read_text()


class TestFourBit:
    def test_nf4_base_trains_and_starts_at_the_base(self, tmp_path: Path) -> None:
        """LoRA on an NF4 base on the CPU: KL is exactly zero before the first update and not after."""
        policy = save_tiny_policy(tmp_path / "policy", hidden_size=64, intermediate_size=64)
        folder = make_run(tmp_path / "run", policy, load_in_4bit=True, lora_dropout=0.0, max_steps=3)
        train(folder)
        kl = [row["values"]["kl"] for row in journal(folder, "metrics") if "kl" in row["values"]]
        assert kl[0] == 0.0
        assert kl[-1] > 0.0
        assert (folder.adapter / "adapter_model.safetensors").exists()


def _cancel_when(now: bool) -> None:
    if now:
        raise CancelledError("cancelled")


def _wait_until(condition: Any, seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)
