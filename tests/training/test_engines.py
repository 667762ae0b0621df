"""Chunks of the head, memory that runs out, the choice of engine, and the embedded model's exactness."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from bswirl.errors import BswirlError
from bswirl.policies.catalogue import EMBEDDED, PolicySpec
from bswirl.policies.local import load_model
from bswirl.policies.rendering import encode_row
from bswirl.training import tree_attention
from bswirl.training.adapter import adapter_tensors, attach_adapter
from bswirl.training.engines import RowEngine, TreeEngine, check_head, make_engine, within_memory
from bswirl.training.flex_check import flex_fault
from bswirl.training.head import Head, head_loss, head_values
from bswirl.training.packing import Pack
from bswirl.training.rows import TrainingRow
from bswirl.training.settings import TrainSettings
from bswirl.training.step import StepValues
from bswirl.training.tree_attention import TreeMask, attend, cut_into_blocks, supports_trees
from tests.tiny import perturb, tiny_model
from tests.training.test_treewise import SMALL, adapted, assert_same_step, by_action, gradients, tree_rows


class TestHead:
    @pytest.mark.parametrize("kind", ["llama", "granite", "gemma2"])
    @pytest.mark.parametrize("chunk", [1, 3, 50])
    def test_equals_autograd_through_whole_logits(self, kind: str, chunk: int) -> None:
        """Values, loss and the hidden states' gradient, whatever the chunk: autograd's, to 1e-12."""
        model = tiny_model(kind, dtype=torch.float64)
        head = Head(model)
        head.chunk = chunk
        generator = torch.Generator().manual_seed(0)
        hidden, base = (torch.randn(7, 32, generator=generator, dtype=torch.float64) for _ in range(2))
        site = torch.tensor([0, 0, 1, 3, 3, 3, 5, 6])  # sites 2 and 4 predict nothing but have a KL
        targets = torch.randint(0, 258, (8,), generator=generator)
        c, w = (torch.randn(n, generator=generator, dtype=torch.float64) for n in (8, 7))

        hidden.requires_grad_(True)
        loss, values = head_loss(head, hidden, base, targets, site, c, w)
        (found,) = torch.autograd.grad(loss, hidden)

        log_p, log_q = (model_logits(model, states).log_softmax(-1) for states in (hidden, base))
        kl = (log_p.exp() * (log_p - log_q)).sum(-1)
        expected = -(c * log_p[site, targets]).sum() + (w * kl).sum()
        (wanted,) = torch.autograd.grad(expected, hidden)
        assert loss.item() == pytest.approx(expected.item(), abs=1e-12)
        assert torch.allclose(found, wanted, atol=1e-12)
        assert values.kl is not None
        assert torch.allclose(values.kl, kl.detach(), atol=1e-12)
        assert torch.allclose(values.entropy, -(log_p.exp() * log_p).sum(-1).detach(), atol=1e-12)
        alone = head_values(head, hidden, base, targets, site)
        assert torch.equal(alone.logprob, values.logprob)

    def test_bfloat16_weights_give_float32_logits(self) -> None:
        """The fast matmul of bfloat16 operands is as exact as a float32 one."""
        model = tiny_model(dtype=torch.bfloat16)
        hidden = torch.randn(40, 32).to(torch.bfloat16)
        head = Head(model)
        found = head.logits(hidden, torch.empty(40, 258))
        wanted = hidden.double() @ model.get_output_embeddings().weight.double().t()
        assert (found - wanted).abs().max().item() < 1e-5


def model_logits(model: Any, hidden: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = model.get_output_embeddings()(hidden)
    config = model.config
    if getattr(config, "logits_scaling", None):
        logits = logits / config.logits_scaling
    cap = getattr(config, "final_logit_softcapping", None)
    return cap * torch.tanh(logits / cap) if cap else logits


class _Full:
    """A device on which passes of more than `room` tokens run out of memory, after half their gradient."""

    def __init__(self, engine: TreeEngine, room: int) -> None:
        self.engine = engine
        self.room = room
        self.failures = 0
        self._hidden = engine.model.hidden
        engine.model.hidden = self.hidden  # type: ignore[method-assign]

    def hidden(self, pack: Pack) -> torch.Tensor:
        if len(pack) > self.room and torch.is_grad_enabled():
            self.failures += 1
            for weight in adapter_tensors(self.engine.model.model).values():
                weight.grad = torch.ones_like(weight)
            if self.failures % 2:
                raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`")
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self._hidden(pack)


class TestMemory:
    def test_a_full_gpu_halves_the_packs(self) -> None:
        """The step starts again with smaller packs, says so, and gives what it would have given."""
        model, rows = adapted("llama"), tree_rows(random.Random(13))
        chosen = TrainSettings.from_dict(SMALL | {"pack_tokens": 100})
        reference = RowEngine(model, chosen).accumulate(rows, lambda: None)
        wanted = gradients(model)
        engine = TreeEngine(model, chosen)
        full, warnings = _Full(engine, 30), list[str]()

        def attempt() -> StepValues:
            model.zero_grad(set_to_none=True)
            return engine.accumulate(rows, lambda: None)

        values = within_memory(engine, rows, attempt, warnings.append)
        assert full.failures == len(warnings) > 0
        assert f"packs of {engine.budget} tokens" in warnings[-1]
        assert by_action(values, values.logprob) == pytest.approx(
            by_action(reference, reference.logprob), abs=1e-9
        )
        for name, gradient in gradients(model).items():
            assert torch.allclose(gradient, wanted[name], atol=1e-9)

    def test_what_cannot_be_halved_stops_with_a_remedy(self) -> None:
        """A row that does not fit by itself ends the run in one clear line."""
        model, rows = adapted("llama"), tree_rows(random.Random(14), questions=1, depth=1, width=1)
        engine = TreeEngine(model, TrainSettings.from_dict(SMALL))
        _Full(engine, 1)
        with pytest.raises(BswirlError, match="cannot be made smaller") as caught:
            within_memory(engine, rows, lambda: engine.accumulate(rows, lambda: None), print)
        assert "gradient_checkpointing" in str(caught.value.remedy)


class TestChoice:
    def test_trees_where_the_model_can(self) -> None:
        """Rows on request, or with a warning where the layers cannot follow a tree."""
        model, warnings = adapted("llama"), list[str]()
        assert isinstance(make_engine(model, TrainSettings.from_dict({}), warnings.append), TreeEngine)
        rows = TrainSettings.from_dict({"engine": "rows"})
        assert isinstance(make_engine(model, rows, warnings.append), RowEngine)
        assert not warnings
        model.config.layer_types = ["linear_attention", "full_attention"]
        assert isinstance(make_engine(model, TrainSettings.from_dict({}), warnings.append), RowEngine)
        assert "row by row" in warnings[0]

    @pytest.mark.parametrize(
        "rope", [{"rope_type": "dynamic"}, {"full_attention": {"rope_type": "longrope"}}]
    )
    def test_rows_where_positions_depend_on_the_pass(self, rope: dict[str, Any]) -> None:
        """Factors chosen by a pass's longest position would make a tree depend on its pack."""
        model = tiny_model()
        assert supports_trees(model)
        model.config.rope_parameters = rope
        assert not supports_trees(model)

    def test_an_unknown_head_is_refused(self) -> None:
        """A model that scales its logits otherwise than its config says to us."""
        model = adapted("granite")
        check_head(model)
        model.get_base_model().config.logits_scaling = 1.0 / 3.0
        right = model.get_base_model().forward

        def multiplied(**inputs: Any) -> Any:
            output = right(**inputs)
            output.logits = output.logits * 9
            return output

        model.get_base_model().forward = multiplied
        with pytest.raises(BswirlError, match="does not know"):
            check_head(model)


class TestCache:
    def test_rows_that_predict_elsewhere_are_not_taken_for_others(self) -> None:
        """The same tree with other actions on it: the base side is looked up by what predicts, too."""
        model = adapted("llama")
        chosen = TrainSettings.from_dict(SMALL | {"beta": 0.3, "negative_weight": 1.0})
        rows = tree_rows(random.Random(15), questions=1)
        others = [replace(row, action_start=1) for row in rows]
        engine = TreeEngine(model, chosen)
        for part in (rows, others):
            reference = RowEngine(model, chosen).accumulate(part, lambda: None)
            values = engine.accumulate(part, lambda: None)
            assert values.kl_loss == pytest.approx(reference.kl_loss, rel=1e-9)
            model.zero_grad(set_to_none=True)

    def test_smaller_packs_begin_anew(self) -> None:
        """What was cut for the old budget gives its room back."""
        model, rows = adapted("llama"), tree_rows(random.Random(16))
        engine = TreeEngine(model, TrainSettings.from_dict(SMALL))
        engine.accumulate(rows, lambda: None)
        assert engine.model.cache.used > 0
        engine.shrink(20)
        assert engine.model.cache.used == 0
        engine.accumulate(rows, lambda: None)
        engine.accumulate(rows, lambda: None)
        assert engine.model.cache.hits > 0


class TestKernel:
    def test_a_faulty_flex_attention_is_found_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that raises, one that is wrong, and one that is right, each told from the others."""

        def plain(
            query: Any, key: Any, value: Any, tree: Any, _scaling: Any, _cap: Any, window: Any
        ) -> torch.Tensor:
            dense = TreeMask(parents(tree), tree.end.numpy(), tree.positions.numpy(), query.device, "dense")
            return attend(None, query, key, value, None, tree=dense, sliding_window=window)[0].transpose(1, 2)

        def parents(tree: Any) -> Any:
            return np.arange(-1, len(tree.end) - 1)  # which one block does not ask for

        shape = (torch.device("cpu"), torch.float32, 4, 2, 16)
        monkeypatch.setattr(tree_attention, "_flex_attention", plain)
        assert flex_fault(*shape) is None
        assert flex_fault(*shape, 40) is None
        monkeypatch.setattr(tree_attention, "_flex_attention", lambda *given: 2 * plain(*given))
        assert "off by" in str(flex_fault(*shape))
        monkeypatch.setattr(tree_attention, "_flex_attention", lambda *given: plain(*given) * math.nan)
        assert "off by" in str(flex_fault(*shape))
        assert flex_fault(*shape, 40) is not None
        monkeypatch.setattr(tree_attention, "_flex_attention", lambda *_: 1 // 0)
        assert flex_fault(*shape) == "integer division or modulo by zero"

    def test_long_stretches_are_cut(self) -> None:
        """A long prompt is several blocks, so that what lies behind a query is not computed to be hidden."""
        bounds = cut_into_blocks(np.arange(-1, 1999), np.full(2000, 2000))
        assert max(stop - start for start, stop in bounds) <= 512


class TestEmbeddedModel:
    def test_float32_on_smollm2(self) -> None:
        """Text rows of a question with branches: 1e-4 of log-probs, loss, KL and every LoRA gradient."""
        loaded = load_model(PolicySpec(EMBEDDED, EMBEDDED), device="cpu", dtype=torch.float32)
        torch.manual_seed(0)
        model = attach_adapter(loaded.model, TrainSettings.from_dict({"lora_r": 4}), EMBEDDED)
        perturb(model, scale=0.02)
        question = "A box holds 6 pens. How many do 7 boxes hold, and how many are left after 5 are lost?"
        first = ["Step 1: 7 * 6 = 42 pens.", "Step 1: 7 * 6 = 41 pens.", "Step 1: Boxes hold pens."]
        second = ["Step 2: 42 - 5 = 37 pens are left.", "Step 2: 42 + 5 = 47."]
        rows: list[TrainingRow] = []
        for steps, group in (([], first), (first[:1], second), ([first[0], second[0]], ["Answer: 37"])):
            for text in group:
                row = encode_row(loaded.tokenizer, question, steps, text, text.startswith("Answer"))
                sign = 0.5 if text in (first[0], second[0]) else -0.5
                rows.append(TrainingRow(1, len(steps), len(rows), row.ids, row.action_start, 1.0, sign, 1))
        chosen = TrainSettings.from_dict({"lora_r": 4, "beta": 0.1, "negative_weight": 1.0})
        assert_same_step(model, rows, chosen, 1e-4)
