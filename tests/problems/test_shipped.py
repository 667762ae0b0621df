"""The shipped problem sets, and fresh ones beside them."""

from __future__ import annotations

from collections import Counter

import pytest

from bswirl.problems.shipped import demo_problems, fresh_problems, warm_start_problems


class TestShipped:
    """demo_problems and warm_start_problems."""

    def test_the_warm_start_shares_nothing_with_the_demo(self) -> None:
        """A thousand training problems, none of which is a question of the demo project."""
        warm = warm_start_problems()
        assert Counter(problem.split for problem in warm) == {"train": 1000}
        assert not {problem.text for problem in warm} & {problem.text for problem in demo_problems()}


class TestFresh:
    """fresh_problems."""

    def test_shares_nothing_with_what_ships(self) -> None:
        """Each split has the size asked for; no text is known or there twice."""
        problems = fresh_problems(3, 240, 100, 500)
        assert Counter(problem.split for problem in problems) == {
            "train": 240,
            "validation": 100,
            "test": 500,
        }
        texts = {problem.text for problem in problems}
        assert len(texts) == 840
        assert not texts & {problem.text for problem in (*warm_start_problems(), *demo_problems())}

    @pytest.mark.parametrize("seed", [1, 2])
    def test_leaves_out_what_is_known(self, seed: int) -> None:
        """Even the seeds of the shipped sets give new problems only."""
        known = {problem.text for problem in (*warm_start_problems(), *demo_problems())}
        problems = fresh_problems(seed, 20, 3, 3)
        assert Counter(problem.split for problem in problems) == {"train": 20, "validation": 3, "test": 3}
        assert not known & {problem.text for problem in problems}

    def test_is_the_same_for_the_same_seed(self) -> None:
        """Seeds decide, and a split that is not asked for is empty."""
        assert fresh_problems(5, 4, 0, 2) == fresh_problems(5, 4, 0, 2)
        assert fresh_problems(5, 4, 0, 2) != fresh_problems(6, 4, 0, 2)
        assert {problem.split for problem in fresh_problems(5, 4, 0, 2)} == {"train", "test"}
