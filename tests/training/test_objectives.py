from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.training.objectives import advantages, is_live, taper, weighted_negative

group = st.lists(st.tuples(st.floats(0, 1), st.integers(1, 6)), min_size=1, max_size=8)


class TestAdvantages:
    def test_mean_is_over_samples(self) -> None:
        """An action sampled three times weighs three times in its group's baseline."""
        assert advantages([1.0, 0.0], [3, 1]) == [0.25, -0.75]

    @given(group)
    def test_weighted_advantages_sum_to_zero(self, entries: list[tuple[float, int]]) -> None:
        """Σ n·A = 0 in every group."""
        rewards, counts = [r for r, _ in entries], [n for _, n in entries]
        total = sum(a * n for a, n in zip(advantages(rewards, counts), counts, strict=True))
        assert total == pytest.approx(0, abs=1e-9)

    @given(group)
    def test_equals_the_plain_version_on_spelled_out_samples(self, entries: list[tuple[float, int]]) -> None:
        """Counting samples equals listing each of them."""
        spelled = [reward for reward, count in entries for _ in range(count)]
        plain = [reward - sum(spelled) / len(spelled) for reward, _ in entries]
        assert advantages([r for r, _ in entries], [n for _, n in entries]) == pytest.approx(plain, abs=1e-9)

    def test_dead_group(self) -> None:
        """Equal rewards are a dead group with zero advantages."""
        assert not is_live([1.0, 1.0])
        assert is_live([1.0, 0.0])
        assert advantages([1.0, 1.0], [1, 2]) == [0.0, 0.0]


class TestNegatives:
    def test_weight_touches_negatives_only(self) -> None:
        """λ scales c < 0; 0 leaves the positive part and 1 the formula as written."""
        assert weighted_negative(0.5, 0.0) == 0.5
        assert weighted_negative(-0.5, 0.0) == 0.0
        assert weighted_negative(-0.5, 1.0) == -0.5
        assert weighted_negative(-0.5, 0.3) == pytest.approx(-0.15)

    def test_taper_is_the_truncated_ratio(self) -> None:
        """c·min(1, π/π_start) for c < 0, c otherwise."""
        assert taper(0.5, -20.0, -10.0) == 0.5
        assert taper(-0.5, -10.0, -10.0) == -0.5
        assert taper(-0.5, -9.0, -10.0) == -0.5
        assert taper(-0.5, -12.0, -10.0) == pytest.approx(-0.5 * math.exp(-2))
        assert taper(-0.5, -1e6, -10.0) == 0.0
