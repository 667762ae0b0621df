"""Reading rewards of sampled steps back from a tree."""

from __future__ import annotations

from bswirl.experiment.readings import _rewards
from tests.tiny import small_tree


class TestRewards:
    """The rewards of a solution's steps, found by walking down the tree."""

    def test_walks_down_to_the_answer(self) -> None:
        """Each step's reward on its way; the answer line has none."""
        tree = small_tree(2, ((0.0, 1.0), (1.0, 0.0), (1.0,))).tree
        texts = {action.action_id: action.text for action in tree.actions}
        assert _rewards(tree, [texts[2000], texts[2010], texts[2020]]) == [0.0, 1.0]
        assert _rewards(tree, [texts[2001]]) == [1.0]

    def test_what_the_tree_does_not_have(self) -> None:
        """A text that is no action of the state ends the walk; no steps, no rewards."""
        tree = small_tree(2, ((0.0, 1.0), (1.0, 0.0), (1.0,))).tree
        texts = {action.action_id: action.text for action in tree.actions}
        assert _rewards(tree, [texts[2010]]) == []
        assert _rewards(tree, [texts[2000], "Step 9: nothing"]) == [0.0]
        assert _rewards(tree, []) == []
