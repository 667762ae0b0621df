"""The variants compute the same step, with the work that the formulas of docs/method.md §4 give."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch

from bswirl.bench.card import kernel_difference, matmul_rate
from bswirl.bench.engines import make_bench, one_tree_a_state
from bswirl.bench.exactness import compare
from bswirl.bench.flops import Work
from bswirl.bench.model import adapted, gradients, load_bench, realised, relative_difference, train_settings
from bswirl.bench.settings import BenchSettings
from bswirl.bench.shapes import random_rows
from bswirl.errors import UsageError
from tests.tiny import perturb, save_tiny_policy, tiny_model

P, K, T, G, QUESTIONS = 6, 2, 4, 3, 2
SHAPED = BenchSettings(
    shape="tiny-mistral",
    device="cpu",
    questions=QUESTIONS,
    prompt_tokens=P,
    steps=K,
    step_tokens=T,
    actions=G,
    pack_tokens=70,
)
ROW_TOKENS = QUESTIONS * G * (K * P + T * K * (K + 1) // 2)
STATE_TOKENS = QUESTIONS * (K * P + T * K * (K - 1) // 2 + K * G * T)
TREE_TOKENS = QUESTIONS * (P + K * G * T)


class TestVariants:
    @pytest.mark.parametrize("kind", ["llama", "qwen2"])
    @pytest.mark.parametrize("variant", ["b", "d", "d2"])
    def test_agree_with_rows(self, kind: str, variant: str) -> None:
        """Loss, KL and every adapter gradient are those of the rows, to 1e-9 in float64."""
        settings = train_settings(SHAPED)
        model = adapted(tiny_model(kind, dtype=torch.float64), settings)
        perturb(model)
        rows = random_rows(SHAPED, 258)
        expected = make_bench("a", model, rows, settings).step()
        wanted = gradients(model)
        bench = make_bench(variant, model, rows, settings)
        for _ in range(2):  # the second step of d2 reads the cache
            values = bench.step()
            found = gradients(model)
            assert values.policy_loss == pytest.approx(expected.policy_loss, abs=1e-9)
            assert values.kl_loss == pytest.approx(expected.kl_loss, rel=1e-9)
            assert values.kl_loss > 0.01
            for name, gradient in wanted.items():
                assert (found[name] - gradient).norm() <= 1e-9 * gradient.norm(), name

    def test_work(self) -> None:
        """Tokens and head positions by hand: a state predicts all its actions' first tokens at once."""
        settings = train_settings(SHAPED)
        model = adapted(tiny_model(), settings)
        rows = random_rows(SHAPED, 258)
        actions = QUESTIONS * K * G
        sites = QUESTIONS * K * (G * (T - 1) + 1)
        padded = 6 * (P + T) + 6 * (P + 2 * T)  # 60, 70 and 14 tokens: no batch mixes lengths
        assert make_bench("a", model, rows, settings).work() == Work(
            ROW_TOKENS, padded, actions * T, padded, actions * T
        )
        tree = TREE_TOKENS - (actions - QUESTIONS * (K - 1))  # the last tokens of actions not gone on from
        sizes = {"b": STATE_TOKENS - actions, "d": tree, "d2": tree}
        for variant, tokens in sizes.items():
            base = 0 if variant == "d2" else tokens
            assert make_bench(variant, model, rows, settings).work() == Work(
                tokens, tokens, sites, base, sites
            )

    def test_realised_shape(self) -> None:
        """What is reported of the data is what was asked for."""
        assert realised(random_rows(SHAPED, 258)) == {
            "questions": QUESTIONS,
            "rows": QUESTIONS * K * G,
            "P": P,
            "K": K,
            "t": T,
            "G": G,
            "row_tokens": ROW_TOKENS,
            "state_tokens": STATE_TOKENS,
            "tree_tokens": TREE_TOKENS,
        }

    def test_one_tree_a_state(self) -> None:
        """States become questions, and nothing else changes."""
        rows = random_rows(SHAPED, 258)
        parted = one_tree_a_state(rows)
        assert len({row.question_id for row in parted}) == QUESTIONS * K
        back = [
            dataclasses.replace(new, question_id=old.question_id)
            for new, old in zip(parted, rows, strict=True)
        ]
        assert back == rows


class TestExactness:
    def test_compares_in_float32(self, tmp_path: Path) -> None:
        """A bfloat16 model's engines agree to float32's rounding, and a changed adapter does not."""
        settings = train_settings(SHAPED)
        model = adapted(tiny_model(dtype=torch.bfloat16), settings)
        perturb(model)
        rows = random_rows(SHAPED, 258)
        file = tmp_path / "reference.safetensors"
        itself = compare("a", model, rows, settings, file)
        assert itself["dtype"] == "float32"
        assert itself["difference"] == {"loss": 0.0, "kl": 0.0, "gradient": 0.0}
        for variant in ("b", "d", "d2"):
            assert max(compare(variant, model, rows, settings, file)["difference"].values()) < 1e-4
        perturb(model, seed=2)
        assert compare("d", model, rows, settings, file)["difference"]["gradient"] > 0.1

    def test_relative_difference(self) -> None:
        """By norm over all tensors together."""
        wanted = {"a": torch.tensor([3.0]), "b": torch.tensor([0.0, 4.0])}
        found = {"a": torch.tensor([3.0]), "b": torch.tensor([0.3, 3.6])}
        assert relative_difference(found, wanted) == pytest.approx(0.5 / 5)


class TestLoading:
    def test_shape(self) -> None:
        """A shape is real, in 4 bits, the same every time, and takes a step; its kernel is compared."""
        bench, again = load_bench(SHAPED), load_bench(SHAPED)
        assert bench.rows == again.rows
        assert {weight.device.type for weight in bench.base.parameters()} == {"cpu"}
        assert type(bench.base.model.layers[1].mlp.up_proj).__name__ == "Linear4bit"
        ids = torch.tensor([bench.rows[0].ids])
        assert torch.equal(bench.base(input_ids=ids).logits, again.base(input_ids=ids).logits)
        settings = train_settings(SHAPED)
        difference = kernel_difference(adapted(bench.base, settings), bench.rows, settings)
        assert difference["kernel"] == "blocks"
        assert 0 <= difference["gradient"] < 0.05

    def test_large_shape_needs_a_gpu(self) -> None:
        """It is refused on a CPU before anything is built."""
        with pytest.raises(UsageError, match="GPU"):
            load_bench(BenchSettings(shape="mistral-7b", device="cpu"))

    def test_policy(self, tmp_path: Path) -> None:
        """A policy's rows are its own tokens of real problems, the same number for each state."""
        folder = save_tiny_policy(tmp_path / "tiny")
        policy = {"name": "tiny", "model": str(folder)}
        bench = load_bench(BenchSettings(policy=policy, device="cpu", questions=1, steps=2, actions=2))
        text = bench.tokenizer.decode(bench.rows[0].ids[bench.rows[0].action_start :])
        assert text == bench.trees[0].tree.actions[0].text + "\n"
        assert len(bench.rows) == 4
        assert {row.coefficient for row in bench.rows} == {0.5, -0.5}

    def test_matmul_rate(self) -> None:
        """A rate is a finite number of operations a second, and a plausible one."""
        rate = matmul_rate(torch.device("cpu"))
        assert math.isfinite(rate)
        assert 1e7 < rate < 1e16
