"""A tree as lines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bswirl.records import Action, Question, QuestionTree, State
from bswirl_tui.outline import ROOT, Group, Outline


def tree() -> QuestionTree:
    """First 1 2, then 3 4 after 1, then 5 after 3 and 6 after 4; 1, 3 and 5 are the backbone."""

    def action(number: int, state: int, depth: int, reward: float | None, backbone: int = 0) -> Action:
        return Action(number, state, depth, depth == 3, f"step {number}", 1, backbone, reward=reward)

    return QuestionTree(
        Question(9, "d", "train", "q", "What?"),
        (State(1, 9, 0), State(2, 9, 1, 1, 1), State(3, 9, 2, 2, 3), State(4, 9, 2, 2, 4)),
        (
            action(1, 1, 1, 1.0, 1),
            action(2, 1, 1, 0.0),
            action(3, 2, 2, 1.0, 1),
            action(4, 2, 2, 1.0),
            action(5, 3, 3, None, 1),
            action(6, 4, 3, 1.0),
        ),
    )


class TestLines:
    """Only what is open has lines."""

    def test_closed_tree_shows_the_first_group(self) -> None:
        """The question and its candidates."""
        assert [line.key for line in Outline(tree()).lines] == [ROOT, 1, 2]

    def test_open_lines_show_what_follows_in_order(self) -> None:
        """Depth first, with guides that join siblings."""
        outline = Outline(tree())
        outline.open_path(outline.backbone())
        assert [line.key for line in outline.lines] == [ROOT, 1, 3, 5, 4, 2]
        assert [line.guides for line in outline.lines] == ["", "├╴", "│ ├╴", "│ │ └╴", "│ └╴", "└╴"]

    def test_closing_keeps_what_was_open_below(self) -> None:
        """Opening again shows it as it was."""
        outline = Outline(tree())
        outline.open_path(outline.backbone())
        assert outline.set_open(1, False)
        assert [line.key for line in outline.lines] == [ROOT, 1, 2]
        assert outline.set_open(1, True)
        assert [line.key for line in outline.lines] == [ROOT, 1, 3, 5, 4, 2]

    def test_leaf_cannot_be_opened(self) -> None:
        """Nothing follows it."""
        assert not Outline(tree()).set_open(2, True)

    def test_open_below_opens_every_branch(self) -> None:
        """From the question: all of it."""
        outline = Outline(tree())
        outline.open_below(ROOT)
        assert {line.key for line in outline.lines} == {ROOT, 1, 2, 3, 4, 5, 6}
        outline.close_all()
        assert len(outline.lines) == 3

    def test_reveal_opens_what_hides_an_action(self) -> None:
        """And nothing else."""
        outline = Outline(tree())
        outline.reveal(6)
        assert [line.key for line in outline.lines] == [ROOT, 1, 3, 4, 6, 2]

    def test_deep_tree_needs_no_recursion(self) -> None:
        """A thousand steps and more."""
        deep = 3000
        states = [State(1, 9, 0)] + [State(n + 1, 9, n, n, n) for n in range(1, deep)]
        actions = [Action(n, n, n, False, "x", 1, 1) for n in range(1, deep + 1)]
        outline = Outline(QuestionTree(tree().question, tuple(states), tuple(actions)))
        outline.open_path(outline.backbone())
        assert len(outline.lines) == deep + 1


class TestRelations:
    """Parents, groups and prefixes."""

    def test_backbone_follows_the_first_trajectory(self) -> None:
        """From any step on."""
        outline = Outline(tree())
        assert outline.backbone() == [1, 3, 5]
        assert outline.backbone(3) == [5]
        assert outline.backbone(4) == []

    def test_parents_lead_to_the_question(self) -> None:
        """Step by step."""
        outline = Outline(tree())
        assert [outline.parent(key) for key in (6, 4, 1, ROOT)] == [4, 1, ROOT, ROOT]

    def test_prefix_is_the_steps_before(self) -> None:
        """In order."""
        outline = Outline(tree())
        action = outline.action(6)
        assert action is not None
        assert outline.prefix(action) == ("step 1", "step 4")


class TestGroups:
    """Live, dead, or not rated."""

    @pytest.mark.parametrize(
        ("rewards", "kind"),
        [((1.0, 0.0), "live"), ((1.0, 1.0), "dead"), ((None, None), "unrated"), ((None, 0.0), "dead")],
    )
    def test_kind(self, rewards: tuple[float | None, ...], kind: str) -> None:
        """Differing rewards make a group live; missing ones do not count."""
        base = tree().actions[0]
        assert Group(1, tuple(replace(base, reward=reward) for reward in rewards)).kind == kind

    def test_mean_weighs_by_samples(self) -> None:
        """As the advantage does."""
        base = tree().actions[0]
        group = Group(1, (replace(base, reward=1.0, samples=3), replace(base, reward=0.0, samples=1)))
        assert group.mean == pytest.approx(0.75)
