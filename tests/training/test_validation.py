"""Greedy validations while a run trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from bswirl.errors import BswirlError, CancelledError, InputError, UsageError
from bswirl.policies.base import Sampled
from bswirl.policies.catalogue import PolicySpec
from bswirl.policies.local import LoadedModel, LocalPolicy
from bswirl.policies.scoring import solution_request
from bswirl.records import Question
from bswirl.runs.context import RunContext
from bswirl.statistics import wilson_interval
from bswirl.training import work
from bswirl.training.adapter import attach_adapter
from bswirl.training.sampling import policy_in_training, sample_within_memory
from bswirl.training.settings import TrainSettings
from bswirl.training.validation import Validation, choose_questions, has_collapsed
from tests.tiny import perturb, tiny_model, tiny_tokenizer
from tests.training.runs import VALIDATED, curves, journal, make_run, metric, same_weights, train

NAMES = ("accuracy", "accuracy_low", "accuracy_high", "mean_tokens", "unparsed")


def question(number: int, gold: str | None = "4") -> Question:
    return Question(number, "tiny", "train", f"q{number}", f"What is {number} + {number}?", gold)


def loaded() -> LoadedModel:
    return LoadedModel(tiny_model(), tiny_tokenizer(), torch.device("cpu"), torch.float32)


class TestQuestions:
    def test_at_most_so_many_the_same_for_a_seed(self) -> None:
        """Whatever order they come in; another seed has others; those without a gold answer never."""
        every = [question(number, None if number % 5 == 0 else "4") for number in range(1, 41)]
        chosen = choose_questions(every, 8, 3)
        assert len(chosen) == 8
        assert chosen == choose_questions(every[::-1], 8, 3) != choose_questions(every, 8, 4)
        assert all(one.gold is not None for one in choose_questions(every, 100, 0))
        assert len(choose_questions(every, 100, 0)) == 32


class TestMetrics:
    def test_the_model_as_it_is_now_is_asked(self) -> None:
        """With the adapter's weights of the moment; what it says is that of plain greedy decoding."""
        base = loaded()
        model = attach_adapter(base.model, TrainSettings.from_dict({"policy": "p", "lora_r": 2}), "p")
        policy = policy_in_training(model, base, PolicySpec("p", "p", few_shot=True))
        assert policy.preamble == ()
        said = []
        for step in range(2):
            perturb(model, seed=step, scale=1.0)
            said.append(_greedy(policy, "What is 2 + 2?"))
            prompt = torch.tensor([policy._job(_request("What is 2 + 2?"), 0, 0).prompt])
            expected = []
            for _ in range(8):
                ids = torch.cat([prompt, torch.tensor([expected], dtype=torch.long)], dim=1)
                expected.append(int(model(input_ids=ids).logits[0, -1].argmax()))
            assert said[-1] == base.tokenizer.decode(expected)
        assert said[0] != said[1]

    def test_numbers(self) -> None:
        """Accuracy is that of marked answers; its interval is Wilson's; no random number is drawn."""
        texts = ["Answer: 4", "it is 4", "Answer: 5", "Answer: 4"]

        class Canned:
            batch_size = 4

            def sample(self, requests: Any, **options: Any) -> list[list[Sampled]]:
                assert options["greedy"]
                assert options["max_tokens"] == 99
                return [[Sampled(texts[r.key - 1], 10 * r.key, 0.0, "stop")] for r in requests]

        canned: Any = Canned()
        validation = Validation(tiny_model(), canned, [question(n) for n in range(1, 5)], 99, pytest.fail)
        before = torch.get_rng_state()
        values = validation.metrics(lambda: None)
        low, high = wilson_interval(2, 4)
        assert values == {
            "validation/accuracy": 0.5,
            "validation/accuracy_low": low,
            "validation/accuracy_high": high,
            "validation/mean_tokens": 25.0,
            "validation/unparsed": 0.25,
        }
        assert torch.equal(torch.get_rng_state(), before)

    def test_no_gpu_memory_halves_the_batch(self) -> None:
        """With a warning; one text at once that does not fit ends the run."""
        policy = LocalPolicy(PolicySpec("p", "p"), loaded(), batch_size=8)
        real, room, warnings = policy.sample, 2, []

        def sample(requests: Any, **options: Any) -> Any:
            if policy.batch_size > room:
                raise BswirlError("no GPU memory left while sampling") from torch.cuda.OutOfMemoryError()
            return real(requests, **options)

        policy.sample = sample  # type: ignore[method-assign]
        options = {"temperature": 1.0, "max_tokens": 3, "seed": 0, "greedy": True}
        requests = [_request(f"What is {n}?") for n in range(4)]
        found = sample_within_memory(policy, requests, warnings.append, **options)
        assert found == real(requests, **options)
        assert policy.batch_size == 2
        assert [words.split("; ")[1] for words in warnings] == [
            "going on with 4 texts at once",
            "going on with 2 texts at once",
        ]
        room = 0
        with pytest.raises(BswirlError, match="no GPU memory"):
            sample_within_memory(policy, requests, warnings.append, **options)


class TestRuns:
    def test_validations_are_in_the_journal(self, tmp_path: Path, policy: Path) -> None:
        """Before training, every so many steps, and at the last; the summary has the last."""
        folder = make_run(tmp_path / "run", policy, questions=9, epochs=1, max_steps=3, **VALIDATED)
        summary = train(folder)
        for name in NAMES:
            assert sorted(metric(folder, f"validation/{name}")) == [0, 2, 3]
        assert summary["validation/accuracy"] == metric(folder, "validation/accuracy")[3]
        assert all(0 < tokens <= 12 for tokens in metric(folder, "validation/mean_tokens").values())
        assert "validation at step 2" in folder.log_file.read_text()

    def test_training_is_as_without(self, tmp_path: Path, policy: Path) -> None:
        """Losses, shifts and weights are the same to the last bit, dropout included."""
        without = make_run(tmp_path / "without", policy)
        train(without)
        validated = make_run(tmp_path / "validated", policy, **VALIDATED)
        train(validated)
        assert [row for row in curves(validated) if "validation" not in row[1]] == curves(without)
        assert journal(validated, "shifts") == journal(without, "shifts")
        assert same_weights(validated.adapter, without.adapter)

    def test_cancelled_in_a_validation(
        self, tmp_path: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The resumed run goes on with that validation, and nothing comes twice or is missing."""
        straight = make_run(tmp_path / "straight", policy, **VALIDATED)
        train(straight)
        real = Validation.metrics
        for cancelled in (0, 2):
            folder = make_run(tmp_path / f"cancelled{cancelled}", policy, **VALIDATED)
            with RunContext(folder) as context, monkeypatch.context() as patch:

                def metrics(self: Any, check: Any, context: Any = context, at: int = cancelled) -> Any:
                    if context_step(context) == at:
                        raise CancelledError("cancelled")
                    return real(self, check)

                patch.setattr(Validation, "metrics", metrics)
                with pytest.raises(CancelledError):
                    work.run(context)
            train(folder, attempt=2)
            assert curves(folder) == curves(straight)
            assert journal(folder, "shifts") == journal(straight, "shifts")
            assert same_weights(folder.adapter, straight.adapter)

    def test_no_held_out_question_with_a_gold_answer(self, tmp_path: Path, policy: Path) -> None:
        """There is nothing to validate on: a warning, or an error where the best step depends on it."""
        folder = make_run(tmp_path / "run", policy, questions=3, max_steps=1, **VALIDATED)
        train(folder)
        assert "no question that is held out from training has a gold answer" in folder.log_file.read_text()
        folder = make_run(tmp_path / "strict", policy, questions=3, best_by="accuracy", **VALIDATED)
        with pytest.raises(InputError, match="gold answer — hold more of them out"):
            train(folder)

    def test_best_by_accuracy_needs_validations(self) -> None:
        """It is refused with the settings."""
        with pytest.raises(UsageError, match="best_by accuracy needs validations — set validation_every"):
            TrainSettings.from_dict({"policy": "p", "best_by": "accuracy"})


class TestCollapse:
    @pytest.mark.parametrize(
        ("start", "now", "collapsed"),
        [
            ((30, 64), (5, 64), True),
            ((30, 64), (16, 64), False),
            ((3, 8), (1, 8), False),
            ((0, 64), (0, 64), False),
        ],
    )
    def test_below_half_and_surely_so(
        self, start: tuple[int, int], now: tuple[int, int], collapsed: bool
    ) -> None:
        """A few questions alone prove nothing."""
        assert has_collapsed(_accuracy(*now), _accuracy(*start)) is collapsed

    def test_a_policy_that_unlearns_stops_the_run(
        self, tmp_path: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One clear line; the step's checkpoint and the best step's adapter stay; a resume says it again."""
        right = iter([40, 50, 3])

        def metrics(self: Any, check: Any) -> dict[str, float]:
            return _accuracy(next(right), 64)

        monkeypatch.setattr(Validation, "metrics", metrics)
        folder = make_run(
            tmp_path / "run", policy, epochs=9, best_by="accuracy", checkpoint_every=50, **VALIDATED
        )
        words = (
            r"collapse: at step 4 the policy solves 4\.7% of the held-out questions, 62\.5% before training"
        )
        with pytest.raises(BswirlError, match=words):
            train(folder)
        assert metric(folder, "validation/accuracy") == {0: 40 / 64, 2: 50 / 64, 4: 3 / 64}
        assert [row["step"] for row in journal(folder, "checkpoint")] == [2, 4]
        assert [(row["step"], row["value"]) for row in journal(folder, "best")] == [
            (0, 40 / 64),
            (2, 50 / 64),
        ]
        assert (folder.best / "adapter_model.safetensors").is_file()
        assert not folder.adapter.exists()
        with pytest.raises(BswirlError, match=words):
            train(folder, attempt=2)


def _accuracy(right: int, n: int) -> dict[str, float]:
    low, high = wilson_interval(right, n)
    return {
        "validation/accuracy": right / n,
        "validation/accuracy_low": low,
        "validation/accuracy_high": high,
        "validation/mean_tokens": 9.0,
        "validation/unparsed": 0.0,
    }


def _request(text: str) -> Any:
    return solution_request(Question(1, "tiny", "train", "q", text, "4"))


def _greedy(policy: LocalPolicy, text: str) -> str:
    ((sampled,),) = policy.sample([_request(text)], temperature=1.0, max_tokens=8, seed=0, greedy=True)
    return sampled.text


def context_step(context: RunContext) -> int:
    """The newest step of which there are metrics."""
    return max(row["step"] for row in context.journal_rows() if row["t"] == "metrics")
