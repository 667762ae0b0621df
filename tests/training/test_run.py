"""Whole training runs on a tiny policy, from a run folder, as a worker does them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from bswirl.errors import BswirlError, InputError
from bswirl.policies.catalogue import PolicySpec
from bswirl.policies.local import load_model
from bswirl.records import to_json
from bswirl.runs.folder import RunFolder
from bswirl.training import engines
from bswirl.training.onpolicy import Fresh, FreshActions
from tests.tiny import save_tiny_policy, small_tree, tiny_model
from tests.training.runs import LIVE, QUICK, journal, make_run, metric, train


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
        names += " learning_rate num_tokens tokens_per_second row_tokens_per_second epoch"
        assert all(set(values) >= set(names.split()) for values in metrics.values())
        assert all(
            values["row_tokens_per_second"] > values["tokens_per_second"] for values in metrics.values()
        )
        assert metrics[2]["epoch"] == 1.0
        assert metrics[1]["kl"] == pytest.approx(0.0, abs=1e-5)
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
        """On held-out actions much like the trained ones, what earned 1 rises above what earned 0."""
        options = {"questions": 4, "epochs": 12, "negative_weight": 1.0, "beta": 0.01, "lora_dropout": 0.0}
        margins = [
            train(make_run(tmp_path / str(seed), policy, seed=seed, **options))["shift/margin"]
            for seed in range(3)
        ]
        assert sum(margins) / 3 > 0.1

    @pytest.mark.parametrize("objective", ["swirl", "sft"])
    def test_other_objectives_run(self, tmp_path: Path, policy: Path, objective: str) -> None:
        """Each objective trains, its policy loss falling."""
        folder = make_run(tmp_path / "run", policy, objective=objective, epochs=6, lora_dropout=0.0)
        train(folder)
        losses = [
            row["values"]["policy_loss"] for row in journal(folder, "metrics") if "loss" in row["values"]
        ]
        assert sum(losses[-2:]) < sum(losses[:2])

    def test_fresh_actions_that_give_no_row(
        self, tmp_path: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A step in which nothing could be read changes no weight, says so, and the run goes on."""
        real = FreshActions.at
        monkeypatch.setattr(
            FreshActions,
            "at",
            lambda self, step, *more: Fresh([], 3, unparsed=3) if step == 2 else real(self, step, *more),
        )
        folder = make_run(tmp_path / "run", policy, objective="swirl-onpolicy", max_steps=3, probe_every=0)
        assert train(folder)["steps"] == 3
        assert sorted(metric(folder, "loss")) == [1, 3]
        assert metric(folder, "onpolicy/unparsed")[2] == 1.0
        tokens = metric(folder, "num_tokens")
        assert 0 < tokens[1] == tokens[2] < tokens[3]
        assert "step 2 has nothing to train on" in journal(folder, "warning")[0]["text"]

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


class TestStops:
    def test_collapse_stops_the_run(self, tmp_path: Path, policy: Path) -> None:
        """Mean KL above the limit ends the run with the reason, after the step's metrics are written."""
        folder = make_run(tmp_path / "run", policy, kl_limit=1e-6, beta=0.0)
        with pytest.raises(BswirlError, match="collapse: at step 2"):
            train(folder)
        assert journal(folder, "metrics")[-1]["step"] == 2
        assert not folder.adapter.exists()

    @pytest.mark.parametrize("engine", ["trees", "rows"])
    def test_nan_stops_the_run_naming_the_questions(
        self, tmp_path: Path, policy: Path, engine: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A loss that is not finite ends the run before the weights change."""
        name = {"trees": "TreeEngine", "rows": "RowEngine"}[engine]
        real = getattr(engines, name).accumulate
        calls = iter(range(1000))

        def broken(*arguments: Any) -> Any:
            values = real(*arguments)
            if next(calls) == 2:
                values.policy_loss = float("nan")
            return values

        monkeypatch.setattr(getattr(engines, name), "accumulate", broken)
        folder = make_run(tmp_path / "run", policy, engine=engine)
        with pytest.raises(
            BswirlError, match=r"loss of step 3 is not a finite number; its questions: tiny:q\d, tiny:q\d"
        ):
            train(folder)
        assert "NaN" not in folder.journal_file.read_text()
        assert journal(folder, "checkpoint")[-1]["step"] == 2

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"probe_every": 0}, r"loss of step 1 is not a finite number; its questions: tiny:q\d"),
            ({"probe_every": 0, "engine": "rows"}, "loss of step 1 is not a finite number"),
            ({}, "probe's log-prob at step 0 is not a finite number; its questions: tiny:q4"),
        ],
    )
    def test_a_policy_with_nan_in_it(self, tmp_path: Path, settings: dict[str, Any], words: str) -> None:
        """The first pass that meets it ends the run, and nothing of it reaches the journal."""
        broken = save_tiny_policy(tmp_path / "policy")
        weights = load_file(broken / "model.safetensors")
        weights["model.norm.weight"][3] = float("nan")
        save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
        folder = make_run(tmp_path / "run", broken, **settings)
        with pytest.raises(BswirlError, match=words):
            train(folder)
        assert "NaN" not in folder.journal_file.read_text()


class TestFourBit:
    def test_nf4_base_trains_and_starts_at_the_base(self, tmp_path: Path) -> None:
        """LoRA on an NF4 base on the CPU: KL is zero before the first update and not after."""
        policy = save_tiny_policy(tmp_path / "policy", hidden_size=64, intermediate_size=64)
        folder = make_run(tmp_path / "run", policy, load_in_4bit=True, lora_dropout=0.0, max_steps=3)
        train(folder)
        kl = [row["values"]["kl"] for row in journal(folder, "metrics") if "kl" in row["values"]]
        assert kl[0] == pytest.approx(0.0, abs=1e-5)
        assert kl[-1] > 0.0
        assert (folder.adapter / "adapter_model.safetensors").exists()
