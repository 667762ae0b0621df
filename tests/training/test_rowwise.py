from __future__ import annotations

import random
from typing import Any

import pytest
import torch

from bswirl.errors import UsageError
from bswirl.training.adapter import adapter_tensors, attach_adapter, set_dropout
from bswirl.training.engines import RowEngine
from bswirl.training.objectives import taper, weighted_negative
from bswirl.training.rows import TrainingRow
from bswirl.training.rowwise import microbatches, row_logprobs, row_values
from bswirl.training.settings import TrainSettings
from bswirl.training.step import needs_base, step_metrics
from tests.tiny import perturb, tiny_model

KINDS = ["llama", "qwen2", "granite"]
SMALL = {"lora_r": 3, "lora_alpha": 6.0}


def random_rows(count: int, seed: int = 0) -> list[TrainingRow]:
    chance = random.Random(seed)
    rows = []
    for index in range(count):
        state, action = chance.randint(1, 14), chance.randint(1, 9)
        rows.append(
            TrainingRow(
                question_id=index // 3,
                state_id=index // 2,
                action_id=index,
                ids=tuple(chance.randrange(258) for _ in range(state + action)),
                action_start=state,
                reward=float(index % 2),
                coefficient=chance.uniform(-1, 1),
                samples=chance.randint(1, 3),
            )
        )
    return rows


def double_model(kind: str, **settings: Any) -> Any:
    model = attach_adapter(
        tiny_model(kind, dtype=torch.float64), TrainSettings.from_dict(SMALL | settings), "tiny"
    )
    perturb(model)
    return model


def plain_row(model: Any, row: TrainingRow) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """One row alone through the whole model: log π, KL, log π_base and entropy, token by token."""
    ids = torch.tensor([row.ids])
    logits = model(input_ids=ids).logits[0]
    with torch.no_grad(), model.disable_adapter():
        base_logits = model(input_ids=ids).logits[0]
    sums = [torch.zeros((), dtype=torch.float64) for _ in range(4)]
    for place in range(row.action_start - 1, len(row.ids) - 1):
        now, base = logits[place].log_softmax(-1), base_logits[place].log_softmax(-1)
        target = row.ids[place + 1]
        sums[0] = sums[0] + now[target]
        sums[1] = sums[1] + (now.exp() * (now - base)).sum()
        sums[2] = sums[2] + base[target]
        sums[3] = sums[3] - (now.exp() * now).sum()
    return sums[0], sums[1], sums[2], sums[3]


def plain_loss(model: Any, rows: list[TrainingRow], settings: TrainSettings) -> torch.Tensor:
    """The loss as docs/method.md writes it, one row at a time, every sample spelled out."""
    terms = []
    for row in rows:
        logprob, kl, base, _ = plain_row(model, row)
        c = weighted_negative(row.coefficient, settings.negative_weight)
        if settings.taper:
            c = taper(c, logprob.item(), base.item())
        tokens = row.action_tokens if settings.reduction == "mean" else 1
        terms += [(-c * logprob + settings.beta * kl) / tokens] * row.samples
    return torch.stack(terms).mean()


def gradients(model: Any) -> dict[str, torch.Tensor]:
    found = {}
    for name, weight in adapter_tensors(model).items():
        assert weight.grad is not None
        found[name] = weight.grad.clone()
        weight.grad = None
    return found


class TestRowValues:
    @pytest.mark.parametrize(("kind", "close"), [*((kind, 1e-9) for kind in KINDS), ("gemma2", 1e-5)])
    def test_equals_one_row_at_a_time(self, kind: str, close: float) -> None:
        """Padding, batching and the head on action tokens alone change nothing.

        (gemma2's attention computes its softmax in float32 whatever the model's type.)
        """
        model, rows = double_model(kind), random_rows(7)
        values = row_values(model, rows, base=True)
        assert values.kl is not None
        assert values.base_logprob is not None
        for index, row in enumerate(rows):
            logprob, kl, base, entropy = plain_row(model, row)
            assert values.logprob[index].item() == pytest.approx(logprob.item(), abs=close)
            assert values.kl[index].item() == pytest.approx(kl.item(), abs=close)
            assert values.base_logprob[index].item() == pytest.approx(base.item(), abs=close)
            assert values.entropy[index].item() == pytest.approx(entropy.item(), abs=close)
            assert values.tokens[index].item() == row.action_tokens
            assert kl.item() > 0

    def test_fresh_adapter_is_the_base_policy(self) -> None:
        """A new LoRA starts at KL 0 and at the base's log-probs, exactly."""
        model = attach_adapter(tiny_model(), TrainSettings.from_dict(SMALL), "tiny")
        values = row_values(model, random_rows(5), base=True)
        assert values.kl is not None
        assert values.base_logprob is not None
        assert torch.equal(values.logprob, values.base_logprob)
        assert values.kl.abs().max().item() == 0.0

    def test_only_the_adapter_has_dropout(self) -> None:
        """The base's own dropout stays off while training, so that KL measures the adapter alone."""
        base = tiny_model(attention_dropout=0.5)
        model = attach_adapter(base, TrainSettings.from_dict(SMALL | {"lora_dropout": 0.5}), "tiny")
        perturb(model)
        rows = random_rows(4)
        still = row_values(model, rows, base=True)
        set_dropout(model, True)
        noisy = row_values(model, rows, base=True)
        assert still.base_logprob is not None
        assert noisy.base_logprob is not None
        assert torch.equal(still.base_logprob, noisy.base_logprob)
        assert not torch.equal(still.logprob, noisy.logprob)
        set_dropout(model, False)
        assert torch.equal(row_values(model, rows, base=False).logprob, still.logprob)

    def test_bf16_base_has_float32_adapter_and_head(self) -> None:
        """LoRA weights and log-probs are float32 on a bf16 base."""
        model = attach_adapter(tiny_model(dtype=torch.bfloat16), TrainSettings.from_dict(SMALL), "tiny")
        assert {weight.dtype for weight in adapter_tensors(model).values()} == {torch.float32}
        assert row_values(model, random_rows(3), base=False).logprob.dtype == torch.float32

    def test_probe_logprobs_equal_row_values(self) -> None:
        """The probe reads the same log-probs as the loss, for policy and base."""
        model, rows = double_model("llama"), random_rows(9)
        values = row_values(model, rows, base=True)
        assert values.base_logprob is not None
        now = row_logprobs(model, rows, 40)
        base = row_logprobs(model, rows, 40, base=True)
        assert now == pytest.approx(values.logprob.tolist(), abs=1e-9)
        assert base == pytest.approx(values.base_logprob.tolist(), abs=1e-9)


class TestMicrobatches:
    def test_budget_holds_and_nothing_is_lost(self) -> None:
        """Padded batches stay within the budget, sorted by length, each row once."""
        rows = random_rows(40)
        batches = microbatches(rows, 50)
        assert sorted(row.action_id for batch in batches for row in batch) == list(range(40))
        lengths = [len(row.ids) for batch in batches for row in batch]
        assert lengths == sorted(lengths)
        assert all(len(batch) * max(len(row.ids) for row in batch) <= 50 for batch in batches)

    def test_long_row_stands_alone(self) -> None:
        """A row above the budget is computed by itself, not dropped."""
        assert [len(batch) for batch in microbatches(random_rows(5), 1)] == [1] * 5


class TestLoss:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(
        "options",
        [
            {"beta": 0.3, "negative_weight": 1.0},
            {"beta": 0.0, "negative_weight": 0.0},
            {"beta": 0.1, "negative_weight": 0.5, "taper": True},
            {"beta": 0.2, "negative_weight": 1.0, "reduction": "mean"},
        ],
    )
    def test_loss_and_gradients_equal_the_formula(self, kind: str, options: dict[str, Any]) -> None:
        """Over any microbatches: −E[c·log π] + β·E[KL] over samples, and its gradient, to 1e-9."""
        model, rows = double_model(kind), random_rows(8)
        settings = TrainSettings.from_dict(SMALL | options | {"pack_tokens": 45})
        assert len(microbatches(rows, 45)) > 2
        expected = plain_loss(model, rows, settings)
        torch.autograd.backward(expected)
        wanted = gradients(model)
        sums = RowEngine(model, settings).accumulate(rows, lambda: None)
        assert sums.policy_loss + settings.beta * sums.kl_loss == pytest.approx(expected.item(), abs=1e-9)
        for name, gradient in gradients(model).items():
            assert (gradient - wanted[name]).norm() <= 1e-9 * max(1.0, wanted[name].norm().item()), name

    def test_metrics_are_over_samples(self) -> None:
        """kl, reward and entropy weigh each row by its samples."""
        model, rows = double_model("llama"), random_rows(6)
        settings = TrainSettings.from_dict(SMALL | {"beta": 0.1, "reduction": "mean"})
        metrics = step_metrics(RowEngine(model, settings).accumulate(rows, lambda: None), [(4, 1)], settings)
        spelled = [(row, *plain_row(model, row)) for row in rows for _ in range(row.samples)]
        assert metrics["kl"] == pytest.approx(sum(v[2].item() for v in spelled) / len(spelled))
        tokens = sum(v[0].action_tokens for v in spelled)
        assert metrics["entropy"] == pytest.approx(sum(v[4].item() for v in spelled) / tokens)
        assert metrics["reward"] == pytest.approx(sum(v[0].reward for v in spelled) / len(spelled))
        assert metrics["frac_reward_zero_std"] == 0.25

    def test_sft_without_kl_leaves_the_base_alone(self) -> None:
        """No base pass where nothing needs it."""
        assert not needs_base(TrainSettings.from_dict({"objective": "sft"}))
        assert needs_base(TrainSettings.from_dict({"objective": "sft", "beta": 0.1}))
        assert needs_base(TrainSettings.from_dict({"objective": "swirl", "beta": 0.0}))
        assert not needs_base(TrainSettings.from_dict({"objective": "swirl", "beta": 0.0, "kl_limit": 0}))


class TestTargets:
    def test_named_targets(self) -> None:
        """Only the named modules get an adapter."""
        model = attach_adapter(
            tiny_model(), TrainSettings.from_dict(SMALL | {"lora_targets": "q_proj,v_proj"}), "tiny"
        )
        assert {name.split(".")[-4] for name in adapter_tensors(model)} == {"q_proj", "v_proj"}

    @pytest.mark.parametrize("target", ["lm_head", "attention", "embed_tokens"])
    def test_unknown_target_is_refused(self, target: str) -> None:
        """A name that takes no adapter is a usage error that lists those that do."""
        with pytest.raises(UsageError, match="q_proj"):
            attach_adapter(tiny_model(), TrainSettings.from_dict({"lora_targets": target}), "tiny")
