from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.training.schedule import learning_rate, step_questions, steps_an_epoch, total_steps


class TestOrder:
    @given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 5), st.integers(0, 3))
    def test_every_epoch_takes_every_question_once(
        self, count: int, batch: int, seed: int, epoch: int
    ) -> None:
        """The steps of an epoch part its questions."""
        questions = [3 * number for number in range(count)]
        a_pass = steps_an_epoch(count, batch)
        taken = [
            q for s in range(a_pass) for q in step_questions(questions, batch, seed, epoch * a_pass + s + 1)
        ]
        assert sorted(taken) == questions

    def test_order_follows_seed_and_epoch(self) -> None:
        """Another seed or epoch is another order; the same ones the same, however the questions come."""
        questions = list(range(20))
        first = step_questions(questions, 20, 0, 1)
        assert first == step_questions(questions[::-1], 20, 0, 1)
        assert first != step_questions(questions, 20, 0, 2)
        assert first != step_questions(questions, 20, 1, 1)

    def test_total_steps(self) -> None:
        """All epochs, cut by max_steps."""
        assert total_steps(17, 8, 2, None) == 6
        assert total_steps(17, 8, 2, 2) == 2
        assert total_steps(17, 8, 2, 100) == 6


class TestLearningRate:
    @pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
    def test_rises_to_the_peak_then_never_rises(self, schedule: str) -> None:
        """Warm-up ends at the peak; no step has a rate of zero."""
        rates = [learning_rate(step, 50, 1e-3, schedule, 0.1) for step in range(1, 51)]  # type: ignore[arg-type]
        assert rates[:5] == pytest.approx([2e-4, 4e-4, 6e-4, 8e-4, 1e-3])
        assert all(later <= earlier for earlier, later in pairwise(rates[4:]))
        assert min(rates) > 0

    def test_shapes(self) -> None:
        """Half-way down, linear has fallen by half, and so has cosine; constant has not."""
        assert learning_rate(50, 99, 1.0, "linear", 0.0) == pytest.approx(0.5)
        assert learning_rate(50, 99, 1.0, "cosine", 0.0) == pytest.approx(0.5)
        assert learning_rate(25, 99, 1.0, "cosine", 0.0) == pytest.approx(
            0.5 * (1 + math.cos(math.pi * 0.25))
        )
        assert learning_rate(99, 99, 1.0, "constant", 0.0) == 1.0
