"""What a run will be, told from its trees and settings."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from typing import Any

import pytest

from bswirl.records import FrozenTree
from bswirl.training import forecast as module
from bswirl.training.forecast import (
    Forecaster,
    Throughput,
    counted_tokens,
    estimated_tokens,
    live_chance,
    sample_chance,
)
from bswirl.training.memory import shape_of
from bswirl.training.packing import build_tree
from bswirl.training.rewards import groups_of
from bswirl.training.rows import build_rows, tree_rows
from bswirl.training.schedule import total_steps
from bswirl.training.settings import TrainSettings
from tests.tiny import small_tree, tiny_model, tiny_tokenizer

LIVE = ((1.0, 0.0, 1.0), (1.0, 1.0), (0.0, 1.0))


def settings(**values: Any) -> TrainSettings:
    return TrainSettings.from_dict({"policy": "tiny", **values})


def with_counts(tree: FrozenTree) -> FrozenTree:
    """The tree as if the tiny policy had sampled it: a token a character, and the terminator."""
    actions = tuple(dataclasses.replace(a, n_tokens=len(a.text) + 1.0) for a in tree.tree.actions)
    return dataclasses.replace(tree, tree=dataclasses.replace(tree.tree, actions=actions))


def forecaster(chosen: TrainSettings, questions: int = 6, **options: Any) -> Forecaster:
    made = Forecaster(chosen, **options)
    for number in range(1, questions + 1):
        made.add(with_counts(small_tree(number, LIVE, probe=number == 3)))
    return made


class TestLiveShare:
    @pytest.mark.parametrize(("size", "dead"), [(5, 0.51), (8, 0.34)])
    def test_a_good_step_of_seven_eighths(self, size: int, dead: float) -> None:
        """p = 0.875: half of all groups of five are dead, a third of those of eight."""
        assert 1 - live_chance(0.875, size) == pytest.approx(dead, abs=0.005)

    def test_is_the_binomial_s(self) -> None:
        """One minus all good minus all bad; certain steps are never live."""
        assert live_chance(0.5, 2) == 0.5
        assert live_chance(0.0, 8) == live_chance(1.0, 8) == 0.0

    def test_chance_of_a_state_is_smoothed(self) -> None:
        """Three of four samples earned 1: (3 + 1/2)/(4 + 1)."""
        (group,) = groups_of(small_tree(1, ((1.0, 0.0, 1.0),)), settings())
        assert sample_chance(group) == pytest.approx(3.5 / 5)

    def test_is_averaged_over_groups(self) -> None:
        """Of the questions to train on; equal questions give what one gives."""
        groups = groups_of(small_tree(1, LIVE), settings())
        expected = {
            size: sum(live_chance(sample_chance(group), size) for group in groups) / 3 for size in (5, 8)
        }
        assert forecaster(settings()).forecast().future_live == pytest.approx(expected)


class TestTokens:
    @pytest.mark.parametrize("objective", ["bswirl", "swirl", "sft", "swirl-onpolicy"])
    def test_counted_are_those_of_the_engine(self, objective: str) -> None:
        """The trie's nodes and the rows' lengths, as training computes them."""
        chosen, tokenizer = settings(objective=objective), tiny_tokenizer()
        rows = tree_rows(small_tree(1, LIVE), chosen, tokenizer)
        tokens = counted_tokens(rows)
        assert tokens.tree == len(build_tree(rows))
        assert tokens.rows == sum(len(row.ids) for row in rows)

    @pytest.mark.parametrize("objective", ["bswirl", "swirl", "sft"])
    def test_estimate_counts_each_step_once(self, objective: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """With the samplers' counts and the template's length right, only equal beginnings are missed."""
        tokenizer, tree = tiny_tokenizer(), with_counts(small_tree(1, LIVE))
        question = tree.tree.question.text
        template = tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], add_generation_prompt=True, return_dict=False
        )
        monkeypatch.setattr(module, "_CHARACTERS_A_TOKEN", 1.0)
        monkeypatch.setattr(module, "_TEMPLATE_TOKENS", len(template) - len(question))
        chosen = settings(objective=objective)
        counted = counted_tokens(tree_rows(tree, chosen, tokenizer))
        estimated = estimated_tokens(tree, chosen)
        assert estimated.rows == counted.rows
        assert counted.tree <= estimated.tree < 2 * counted.tree

    def test_gold_solutions(self) -> None:
        """The question and the solution's steps, no tree to share."""
        tree = small_tree(1, ())
        question = dataclasses.replace(tree.tree.question, solution="2+3=<<2+3=5>>5\n#### 5", gold="5")
        tree = dataclasses.replace(tree, tree=dataclasses.replace(tree.tree, question=question))
        tokens = estimated_tokens(tree, settings(objective="sft", sft_source="gold"))
        assert tokens.tree == tokens.rows > 20

    def test_some_questions_show_how_far_the_estimate_is_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """All tokenised: counted; two of five: the others scaled; none: estimated."""
        tokenizer = tiny_tokenizer()
        whole = forecaster(settings(), tokenizer=tokenizer).forecast()
        assert whole.tokens_counted
        monkeypatch.setattr(module, "_TOKENISED_QUESTIONS", 2)
        scaled = forecaster(settings(), tokenizer=tokenizer).forecast()
        assert not scaled.tokens_counted
        assert scaled.tree_tokens == pytest.approx(whole.tree_tokens, rel=0.02)
        assert scaled.row_tokens == pytest.approx(whole.row_tokens, rel=0.02)
        assert not forecaster(settings()).forecast().tokens_counted


class TestForecast:
    def test_counts_are_the_run_s_own(self) -> None:
        """What build_rows counts when the run starts."""
        trees = [small_tree(number, LIVE, probe=number == 3) for number in range(1, 7)]
        expected = build_rows(trees, tiny_tokenizer(), settings()).counts
        assert forecaster(settings()).forecast().counts == expected
        assert (expected.questions, expected.probe_questions, expected.live_groups) == (5, 1, 10)

    @pytest.mark.parametrize("extra", [{}, {"max_steps": 4}, {"engine": "rows"}], ids=str)
    def test_steps_passes_and_all_tokens(self, extra: dict[str, Any]) -> None:
        """The schedule's steps; the tokens of the engine that computes them."""
        chosen = settings(batch=2, epochs=3, **extra)
        made = forecaster(chosen, tokenizer=tiny_tokenizer()).forecast()
        assert made.optimiser_steps == total_steps(5, 2, 3, chosen.max_steps)
        assert made.passes == made.optimiser_steps / 3
        tokens = made.row_tokens if extra.get("engine") else made.tree_tokens
        assert made.num_tokens == round(made.passes * tokens)

    def test_memory_and_time_where_they_can_be_known(self) -> None:
        """Of the policy's shape, and of an earlier run's speed."""
        bare = forecaster(settings()).forecast()
        assert (bare.memory, bare.seconds, bare.parameters) == (None, None, None)
        config = tiny_model().config.to_dict()
        made = forecaster(settings()).forecast(shape=shape_of(config), throughput=Throughput(7, 50.0))
        assert made.parameters == sum(weight.numel() for weight in tiny_model().parameters())
        assert made.memory is not None
        assert made.memory.total > 0
        assert made.seconds == made.num_tokens / 50

    def test_says_what_would_be_refused(self) -> None:
        """The same line as when the run is started."""
        made = Forecaster(settings())
        made.add(small_tree(1, ((1.0, 1.0), (0.0, 0.0))))
        assert made.refusal is not None
        found = made.forecast()
        assert found.refusal == str(made.refusal)
        assert (found.optimiser_steps, found.num_tokens) == (0, 0)
        assert forecaster(settings()).refusal is None

    def test_is_one_flat_json_object(self) -> None:
        """Names and numbers, ready to be printed."""
        config = tiny_model().config.to_dict()
        made = forecaster(settings()).forecast(shape=shape_of(config))
        values = json.loads(json.dumps(made.to_json(), allow_nan=False))
        assert values["live_groups"] == 10
        assert values["dead_groups"] == 5
        assert made.memory is not None
        assert values["memory"]["total"] == made.memory.total
        assert set(values["future_live"]) == {"5", "8"}

    def test_needs_no_torch(self) -> None:
        """The command line and the app forecast without it."""
        code = (
            "import bswirl.training.forecast, sys; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
