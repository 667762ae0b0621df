"""The tree engine against the row-wise reference: log-probs, loss, KL, entropy and every LoRA gradient."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bswirl.training.adapter import adapter_tensors, attach_adapter
from bswirl.training.engines import RowEngine, TreeEngine
from bswirl.training.packing import pack
from bswirl.training.rows import TrainingRow
from bswirl.training.settings import TrainSettings
from bswirl.training.step import StepValues
from bswirl.training.treewise import trees_of
from tests.tiny import perturb, tiny_model

KINDS = ["llama", "mistral", "qwen2", "qwen3", "granite"]
SMALL: dict[str, Any] = {"lora_r": 3, "lora_alpha": 6.0}
LETTERS = 7  # few, so that siblings begin alike


def adapted(kind: str, dtype: torch.dtype = torch.float64, **options: Any) -> Any:
    model = attach_adapter(tiny_model(kind, dtype=dtype), TrainSettings.from_dict(SMALL | options), "tiny")
    perturb(model)
    return model


def tree_rows(
    chance: random.Random, *, questions: int = 2, depth: int = 3, width: int = 4
) -> list[TrainingRow]:
    """Questions with branches, branches of branches, actions that begin alike and several samples."""
    rows: list[TrainingRow] = []
    for question in range(questions):
        prompt = tuple(chance.randrange(LETTERS) for _ in range(chance.randint(1, 12)))
        states = [prompt]
        for _ in range(depth):
            following: list[tuple[int, ...]] = []
            for state in states:
                group = {
                    tuple(chance.randrange(LETTERS) for _ in range(chance.randint(1, 5)))
                    for _ in range(chance.randint(1, width))
                }
                for action in sorted(group):
                    rows.append(
                        TrainingRow(
                            question_id=question,
                            state_id=len(rows),
                            action_id=len(rows),
                            ids=state + action,
                            action_start=len(state),
                            reward=float(chance.random() < 0.5),
                            coefficient=chance.uniform(-1, 1),
                            samples=chance.randint(1, 3),
                        )
                    )
                    if chance.random() < 0.4:
                        following.append(state + action)
            states = following[:2] or [states[0] + tuple(sorted(group)[0])]
    return rows


def gradients(model: Any) -> dict[str, torch.Tensor]:
    found = {name: weight.grad for name, weight in adapter_tensors(model).items()}
    for weight in adapter_tensors(model).values():
        weight.grad = None
    assert all(gradient is not None for gradient in found.values())
    return {name: gradient for name, gradient in found.items() if gradient is not None}


def by_action(values: StepValues, of: torch.Tensor | None) -> dict[int, float]:
    assert of is not None
    return dict(zip((row.action_id for row in values.rows), of.tolist(), strict=True))


def assert_same_step(
    model: Any, rows: list[TrainingRow], chosen: TrainSettings, tolerance: float, kernel: Any = None
) -> None:
    reference = RowEngine(model, chosen).accumulate(rows, lambda: None)
    wanted = gradients(model)
    engine = TreeEngine(model, chosen, kernel=kernel)
    for _ in range(2):  # the second time with the base side from the cache
        values = engine.accumulate(rows, lambda: None)
        assert values.policy_loss == pytest.approx(reference.policy_loss, rel=tolerance, abs=tolerance)
        assert values.kl_loss == pytest.approx(reference.kl_loss, rel=tolerance, abs=tolerance)
        for name in ("logprob", "entropy", "kl", "base_logprob"):
            if getattr(reference, name) is None:
                assert getattr(values, name) is None
                continue
            expected = by_action(reference, getattr(reference, name))
            assert by_action(values, getattr(values, name)) == pytest.approx(
                expected, rel=tolerance, abs=tolerance * 10
            )
        for name, gradient in gradients(model).items():
            error = (gradient - wanted[name]).norm().item()
            assert error <= tolerance * max(1.0, wanted[name].norm().item()), name


OPTIONS: list[dict[str, Any]] = [
    {"beta": 0.3, "negative_weight": 1.0},
    {"beta": 0.0, "negative_weight": 0.0},
    {"beta": 0.0, "negative_weight": 1.0, "kl_limit": 0.0},
    {"beta": 0.1, "negative_weight": 0.5, "taper": True},
    {"beta": 0.2, "negative_weight": 1.0, "reduction": "mean"},
]


class TestExactness:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("options", OPTIONS)
    def test_float64(self, kind: str, options: dict[str, Any]) -> None:
        """To 1e-9: loss, KL, entropy, log-probs and every LoRA gradient."""
        rows = tree_rows(random.Random(3))
        assert_same_step(adapted(kind), rows, TrainSettings.from_dict(SMALL | options), 1e-9)

    @pytest.mark.parametrize("options", OPTIONS)
    @pytest.mark.parametrize("budget", [1, 14, 24])
    def test_split_trees(self, options: dict[str, Any], budget: int) -> None:
        """A tree in several packs gives the same: what is computed again counts once."""
        rows = tree_rows(random.Random(5))
        assert len(pack(trees_of(rows), budget)) > len(trees_of(rows))
        chosen = TrainSettings.from_dict(SMALL | options | {"pack_tokens": budget})
        assert_same_step(adapted("mistral"), rows, chosen, 1e-9)

    def test_capped_scores(self) -> None:
        """gemma2, whose attention computes its softmax in float32 whatever the model's type."""
        rows = tree_rows(random.Random(4), questions=1, depth=2)
        chosen = TrainSettings.from_dict(SMALL | {"beta": 0.3, "negative_weight": 1.0})
        assert_same_step(adapted("gemma2"), rows, chosen, 1e-5)

    def test_dense_mask(self) -> None:
        """One block with the whole mask, the plain way, agrees with the blocks."""
        rows = tree_rows(random.Random(6))
        chosen = TrainSettings.from_dict(SMALL | {"beta": 0.3, "negative_weight": 1.0})
        assert_same_step(adapted("mistral"), rows, chosen, 1e-9, kernel="dense")

    def test_dropout_stays_where_it_is(self) -> None:
        """With the adapter's dropout off the two agree, though the adapter has some."""
        rows = tree_rows(random.Random(7), questions=1)
        chosen = TrainSettings.from_dict(SMALL | {"lora_dropout": 0.3, "beta": 0.1})
        assert_same_step(adapted("llama", lora_dropout=0.3), rows, chosen, 1e-9)

    @settings(max_examples=25, deadline=None)
    @given(
        seed=st.integers(0, 10**6),
        budget=st.integers(1, 120),
        depth=st.integers(1, 4),
        options=st.sampled_from(OPTIONS),
    )
    def test_random_trees(self, seed: int, budget: int, depth: int, options: dict[str, Any]) -> None:
        """Over random trees, splits and multiplicities."""
        rows = tree_rows(random.Random(seed), questions=seed % 3 + 1, depth=depth)
        chosen = TrainSettings.from_dict(SMALL | options | {"pack_tokens": budget})
        assert_same_step(adapted("llama"), rows, chosen, 1e-9)


class TestEngine:
    def test_logprobs_equal_the_reference(self) -> None:
        """The probe's pass, in the order of its rows, for policy and base."""
        model, rows = adapted("qwen3"), tree_rows(random.Random(8))
        random.Random(1).shuffle(rows)
        chosen = TrainSettings.from_dict(SMALL | {"pack_tokens": 30})
        for base in (False, True):
            wanted = RowEngine(model, chosen).logprobs(rows, base=base)
            assert TreeEngine(model, chosen).logprobs(rows, base=base) == pytest.approx(wanted, abs=1e-9)

    def test_base_side_is_computed_once(self) -> None:
        """From the second time on it comes from the cache; without room it does not."""
        model, rows = adapted("llama"), tree_rows(random.Random(9))
        engine = TreeEngine(model, TrainSettings.from_dict(SMALL))
        engine.accumulate(rows, lambda: None)
        assert engine.model.cache.hits == 0
        engine.accumulate(rows, lambda: None)
        assert engine.model.cache.hits == len(trees_of(rows))
        small = TreeEngine(model, TrainSettings.from_dict(SMALL | {"base_cache_gb": 1e-7}))
        small.accumulate(rows, lambda: None)
        small.accumulate(rows, lambda: None)
        assert small.model.cache.hits == 0
        assert small.model.cache.used == 0

    def test_the_model_is_left_as_it_was(self) -> None:
        """Sampling and plain passes on the same model see none of it."""
        model, rows = adapted("llama"), tree_rows(random.Random(10))
        before = model(input_ids=torch.tensor([rows[0].ids])).logits
        TreeEngine(model, TrainSettings.from_dict(SMALL)).accumulate(rows, lambda: None)
        assert torch.equal(model(input_ids=torch.tensor([rows[0].ids])).logits, before)

    def test_tokens_are_the_distinct_ones(self) -> None:
        """`tokens` counts the tries' nodes, `row_tokens` what rows would take."""
        rows = tree_rows(random.Random(11))
        values = TreeEngine(adapted("llama"), TrainSettings.from_dict(SMALL)).accumulate(rows, lambda: None)
        prefixes = {(row.question_id, row.ids[:end]) for row in rows for end in range(1, len(row.ids) + 1)}
        assert values.tokens == len(prefixes)
        assert values.row_tokens == sum(len(row.ids) for row in rows)

    @pytest.mark.parametrize("kind", ["llama", "mistral"])
    def test_flex_attention_has_the_same_mask(self, kind: str) -> None:
        """Its forward pass on the CPU gives the reference's log-probs, with and without a sliding window."""
        model, rows = adapted(kind, torch.float32), tree_rows(random.Random(12))
        chosen = TrainSettings.from_dict(SMALL)
        engine = TreeEngine(model, chosen, kernel="flex")
        wanted = RowEngine(model, chosen).logprobs(rows)
        assert engine.logprobs(rows) == pytest.approx(wanted, abs=1e-3)
