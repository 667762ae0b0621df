from __future__ import annotations

import random

import pytest

from bswirl.training.adapter import attach_adapter
from bswirl.training.engines import RowEngine
from bswirl.training.probe import Probe, Shift, choose, shift_metrics
from bswirl.training.settings import TrainSettings
from tests.tiny import perturb, tiny_model
from tests.training.test_rowwise import plain_row, random_rows


def shift(action: int, question: int, reward: float, value: float, tokens: int = 10) -> Shift:
    return Shift(action, question, reward, value, tokens)


class TestProbe:
    def test_shift_is_policy_minus_base(self) -> None:
        """log π_θ − log π_base of each row; zero for a fresh adapter."""
        model = attach_adapter(tiny_model(), TrainSettings.from_dict({"lora_r": 2}), "tiny")
        rows = random_rows(6)
        probe = Probe(RowEngine(model, TrainSettings.from_dict({"pack_tokens": 60})), rows, print)
        assert [entry.shift for entry in probe.shifts(model)] == [0.0] * 6
        assert probe.untrained_shifts() == probe.shifts(model)
        perturb(model)
        for row, entry in zip(rows, probe.shifts(model), strict=True):
            logprob, _, base, _ = plain_row(model, row)
            assert entry.shift == pytest.approx((logprob - base).item(), abs=1e-4)
            assert (entry.action_id, entry.n_tokens) == (row.action_id, row.action_tokens)

    def test_choice_is_the_same_whatever_the_order(self) -> None:
        """The cap takes a fixed sample of the rows; another seed takes another."""
        rows = random_rows(50)
        shuffled = rows[:]
        random.Random(3).shuffle(shuffled)
        chosen = choose(rows, 10, seed=0)
        assert len(chosen) == 10
        assert choose(shuffled, 10, seed=0) == chosen
        assert choose(rows, 10, seed=1) != chosen
        assert choose(rows, 100, seed=0) == rows


class TestMetrics:
    def test_means_per_action_and_per_token(self) -> None:
        """Positives, negatives and their margin."""
        metrics = shift_metrics(
            [shift(1, 1, 1, 3.0), shift(2, 1, 0, -1.0, 5), shift(3, 2, 1, 1.0, 30), shift(4, 2, 0, -4.0, 5)]
        )
        assert metrics["shift/positive"] == pytest.approx(2.0)
        assert metrics["shift/negative"] == pytest.approx(-2.5)
        assert metrics["shift/margin"] == pytest.approx(4.5)
        assert metrics["shift_per_token/positive"] == pytest.approx(0.1)
        assert metrics["shift_per_token/negative"] == pytest.approx(-0.5)
        for name in ("positive", "negative", "margin"):
            low, high = metrics[f"shift/{name}_low"], metrics[f"shift/{name}_high"]
            assert low < metrics[f"shift/{name}"] < high

    def test_margin_of_unequal_groups(self) -> None:
        """The margin is the difference of the two means, however many actions each has."""
        metrics = shift_metrics([shift(i, i, float(i % 4 == 0), float(i)) for i in range(12)])
        assert metrics["shift/margin"] == pytest.approx(metrics["shift/positive"] - metrics["shift/negative"])

    def test_margin_interval_covers(self) -> None:
        """On simulated questions with effects of their own, 95% intervals hold the truth in about 95%."""
        chance = random.Random(5)
        held = 0
        for _ in range(300):
            shifts = []
            for question in range(30):
                own = chance.gauss(0, 1)
                for index in range(4):
                    reward = float(chance.random() < 0.6)
                    value = own * (1 if reward else -1) + (1.0 if reward else 0.5) + chance.gauss(0, 0.5)
                    shifts.append(shift(question * 4 + index, question, reward, value))
            metrics = shift_metrics(shifts)
            held += metrics["shift/margin_low"] <= 0.5 <= metrics["shift/margin_high"]
        assert 270 <= held <= 297

    def test_one_question_has_no_interval(self) -> None:
        """Clusters are questions; one of them says nothing of the spread, and no NaN is written."""
        metrics = shift_metrics([shift(1, 1, 1, 3.0), shift(2, 1, 0, 1.0)])
        assert metrics["shift/margin"] == 2.0
        assert not [name for name in metrics if name.endswith(("_low", "_high"))]

    def test_missing_group_has_no_metric(self) -> None:
        """Without negatives there is neither their shift nor a margin, and nothing is NaN."""
        metrics = shift_metrics([shift(1, 1, 1, 3.0), shift(2, 2, 1, 1.0)])
        assert "shift/negative" not in metrics
        assert "shift/margin" not in metrics
        assert all(value == value for value in metrics.values())
