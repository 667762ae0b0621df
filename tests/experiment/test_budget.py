"""Equal budgets against brute force."""

from __future__ import annotations

from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from bswirl.experiment.budget import Tokens, matched, question_tokens
from bswirl.training import schedule
from bswirl.training.settings import TrainSettings
from tests.tiny import small_tree, tiny_tokenizer

COUNTS = st.dictionaries(st.integers(1, 50), st.integers(1, 90), min_size=1, max_size=12)


def tokens(counts: dict[int, int]) -> dict[int, Tokens]:
    return {question: Tokens(count, count) for question, count in counts.items()}


def trained(counts: dict[int, int], batch: int, seed: int, steps: int) -> int:
    """Action tokens of so many steps, question by question as the loop takes them."""
    return sum(
        counts[question]
        for step in range(1, steps + 1)
        for question in schedule.step_questions(sorted(counts), batch, seed, step)
    )


class TestMatched:
    """matched."""

    @given(COUNTS, COUNTS, st.integers(1, 3), st.integers(1, 5), st.integers(0, 3))
    def test_no_other_number_of_steps_is_nearer(
        self, bswirl: dict[int, int], swirl: dict[int, int], epochs: int, batch: int, seed: int
    ) -> None:
        """`bswirl` makes its epochs; `swirl` the steps (at least one) whose tokens come nearest."""
        found = matched(tokens(bswirl), tokens(swirl), epochs=epochs, batch=batch, seed=seed)
        wanted = epochs * sum(bswirl.values())
        assert found["bswirl"].action_tokens == wanted
        assert found["bswirl"].steps == epochs * -(-len(bswirl) // batch)
        steps = found["swirl"].steps
        away = abs(trained(swirl, batch, seed, steps) - wanted)
        assert found["swirl"].action_tokens == trained(swirl, batch, seed, steps)
        for other in (steps - 1, steps + 1):
            assert other == 0 or away <= abs(trained(swirl, batch, seed, other) - wanted)

    @given(COUNTS, COUNTS, st.integers(1, 3), st.integers(1, 5))
    def test_the_settings_give_these_steps(
        self, bswirl: dict[int, int], swirl: dict[int, int], epochs: int, batch: int
    ) -> None:
        """Epochs and max_steps, as a run gets them, come to the budget's steps."""
        found = matched(tokens(bswirl), tokens(swirl), epochs=epochs, batch=batch, seed=0)
        for counts, budget in ((bswirl, found["bswirl"]), (swirl, found["swirl"])):
            assert schedule.total_steps(len(counts), batch, budget.epochs, budget.steps) == budget.steps
            assert asdict(budget)["questions"] == len(counts)


class TestQuestionTokens:
    """question_tokens."""

    def test_counts_action_tokens_over_samples_and_once(self) -> None:
        """One token a byte: an action's characters and a terminator; the first was sampled twice."""
        trees = [small_tree(1), small_tree(2, probe=True)]
        texts = {action.action_id: action.text for action in trees[0].tree.actions}
        first_group = [len(texts[number]) + 1 for number in (1000, 1001, 1002)]
        answers = [len(texts[1010]) + 1]
        found = question_tokens(trees, tiny_tokenizer(), TrainSettings(objective="bswirl"))
        assert found == {1: Tokens(sum(first_group) + first_group[0], sum(first_group))}
        found = question_tokens(trees, tiny_tokenizer(), TrainSettings(objective="swirl"))
        assert found == {1: Tokens(2 * (first_group[0] + answers[0]), first_group[0] + answers[0])}
