"""The comparison with TRL; what runs TRL itself is left out where it is not installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

from bswirl.bench.flops import Work
from bswirl.bench.model import load_bench, train_settings
from bswirl.bench.settings import BenchSettings
from bswirl.bench.trl_kto import PassCounter, batch_size, check_installed, kto_examples, run_kto
from bswirl.errors import BswirlError
from tests.tiny import save_tiny_policy, small_tree, tiny_model, tiny_tokenizer


class TestExamples:
    def test_one_an_action(self) -> None:
        """Prompt and completion together are the row's text; the label says whether it is rewarded."""
        examples = kto_examples([small_tree(1, ((1.0, 0.0), (0.0,)))], tiny_tokenizer())
        assert [example["label"] for example in examples] == [True, False, False]
        assert examples[0]["prompt"].endswith("<|im_start|>assistant\n")
        assert examples[0]["completion"] == "Step 1: 1 + 0 = 1\n"
        assert examples[2]["prompt"].endswith("assistant\nStep 1: 1 + 0 = 1\n")
        assert examples[2]["completion"] == "Answer: 2<|im_end|>"

    def test_batches_keep_to_the_pack(self) -> None:
        """As many examples as the pack holds with padding, two at the least, all at the most."""
        assert batch_size(300, 25, 2048) == 6
        assert batch_size(3000, 25, 2048) == 2
        assert batch_size(10, 25, 2048) == 25


class TestPassCounter:
    @pytest.mark.parametrize("every_position", [True, False])
    def test_counts_passes(self, every_position: bool) -> None:
        """Tokens with and without padding, head positions, apart for passes without gradient; then anew."""
        model = tiny_model()
        counter = PassCounter(model, every_position=every_position)
        ids = torch.zeros((2, 5), dtype=torch.long)
        mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
        labels = torch.tensor([[-100, -100, -100, 7, 7], [-100, -100, 7, -100, -100]])
        model(input_ids=ids, attention_mask=mask, labels=labels)
        with torch.no_grad():
            for _ in range(3):
                model(input_ids=ids, attention_mask=mask, labels=labels)
        head = 2 * 4 if every_position else 3
        assert counter.take() == Work(8, 10, head, 30, 3 * head)
        assert counter.take() == Work(0, 0, 0, 0, 0)


class TestInstalled:
    def test_says_how_to_get_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where TRL is missing, the words name the extra."""
        monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
        with pytest.raises(BswirlError, match=r"not installed \(pip install 'bswirl\[bench\]'\)"):
            check_installed()

    @pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason="needs the extra `bench`")
    def test_runs_whole_steps(self, tmp_path: Path) -> None:
        """Each round is one optimiser step over all examples, held until it is wanted."""
        folder = save_tiny_policy(tmp_path / "tiny")
        settings = BenchSettings(
            policy={"name": "tiny", "model": str(folder)},
            device="cpu",
            questions=1,
            steps=2,
            actions=3,
            pack_tokens=700,
        )
        bench = load_bench(settings)
        happened: list[object] = []
        run_kto(
            bench.base,
            bench.tokenizer,
            bench.trees,
            train_settings(settings),
            2,
            lambda: happened.append("wait"),
            lambda seconds, work: happened.append((seconds, work)),
        )
        assert [word for word in happened if word == "wait"] == happened[::2] == ["wait"] * 2
        reports = [entry for entry in happened[1::2] if isinstance(entry, tuple)]
        assert all(seconds > 0 for seconds, _ in reports)
        work = reports[0][1]
        assert work == reports[1][1]
        end_tokens = len(bench.rows)  # it ends every completion with the end token
        assert work.plain_tokens == sum(len(row.ids) for row in bench.rows) + end_tokens
        assert work.tokens >= work.plain_tokens
        # its passes without gradient: the reference's, and both models' on completions of other prompts
        assert 2.5 * work.tokens < work.free_tokens < 3.5 * work.tokens
