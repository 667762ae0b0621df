"""What a run's frozen trees hold, counted, and whether that is enough to train on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from bswirl.errors import InputError
from bswirl.records import Action, FrozenTree
from bswirl.training.objectives import is_live
from bswirl.training.rewards import astray_states, groups_of, reward_of
from bswirl.training.selection import learns_from_gold, select
from bswirl.training.settings import TrainSettings


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts over questions. All but `probe_questions` are of those to train on."""

    questions: int = 0
    probe_questions: int = 0  # held out
    groups: int = 0
    live_groups: int = 0
    all_good_groups: int = 0  # dead: every reward is 1
    all_bad_groups: int = 0  # dead: every reward is 0
    actions: int = 0  # that have a reward
    samples: int = 0  # of those actions
    reward: float = 0.0  # summed over those samples
    answers: int = 0  # answer actions that have a reward
    astray_answers: int = 0  # of those, at a state whose history is already wrong
    astray_answer_groups: int = 0
    trained_questions: int = 0  # that have any action the objective takes
    trained_actions: int = 0
    trained_samples: int = 0
    rewarding_actions: int = 0  # of the trained ones, those with a coefficient above 0

    def __add__(self, other: Counts) -> Counts:
        names = [field.name for field in dataclasses.fields(self)]
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def dead_groups(self) -> int:
        return self.groups - self.live_groups

    @property
    def mean_reward(self) -> float | None:
        """Over samples."""
        return self.reward / self.samples if self.samples else None


def count_tree(tree: FrozenTree, settings: TrainSettings) -> Counts:
    """The counts of one question."""
    if tree.probe:
        return Counts(probe_questions=1)
    groups = groups_of(tree, settings)
    if learns_from_gold(settings):
        question = tree.tree.question
        trained, samples, rewarding = (int(bool(question.solution) and question.gold is not None),) * 3
    else:
        chosen = select(tree, settings)
        trained, samples = len(chosen), sum(entry.samples for entry in chosen)
        rewarding = sum(entry.coefficient > 0 for entry in chosen)
    every = [action for group in groups for action in group]
    astray = astray_states(tree.tree)
    lost = [action.state_id for action in every if action.is_answer and action.state_id in astray]
    return Counts(
        questions=1,
        groups=len(groups),
        live_groups=sum(is_live(_rewards(group)) for group in groups),
        all_good_groups=sum(set(_rewards(group)) == {1.0} for group in groups),
        all_bad_groups=sum(set(_rewards(group)) == {0.0} for group in groups),
        actions=len(every),
        samples=sum(action.samples for action in every),
        reward=sum(action.samples * reward_of(action) for action in every),
        answers=sum(action.is_answer for action in every),
        astray_answers=len(lost),
        astray_answer_groups=len(set(lost)),
        trained_questions=int(trained > 0),
        trained_actions=trained,
        trained_samples=samples,
        rewarding_actions=rewarding,
    )


def _rewards(group: Sequence[Action]) -> list[float]:
    return [reward_of(action) for action in group]


def refusal(counts: Counts, settings: TrainSettings) -> InputError | None:
    """Why a run on these questions would learn nothing, and what to do about it; None where it can start."""
    if not counts.questions:
        return InputError(
            "no question is left to train on", "choose another dataset or split, or a smaller probe"
        )
    if learns_from_gold(settings):
        if counts.trained_questions:
            return None
        return InputError("none of the questions has a gold solution", "use --sft-source rewarded")
    if settings.objective == "swirl-onpolicy":
        if counts.trained_questions:
            return None
        return InputError("no state has a backbone sample", "sample solutions: bswirl generate")
    if not counts.groups:
        return InputError("none of the actions has a reward", "judge them first: bswirl judge")
    if settings.objective == "bswirl":
        if counts.live_groups:
            return None
        return InputError(
            f"no live group: all {counts.groups} groups are dead "
            f"({counts.all_good_groups} with every reward 1, {counts.all_bad_groups} with every reward 0)",
            "sample more branches, judge or label more actions, or train with swirl",
        )
    if settings.objective == "sft" and not counts.trained_actions:
        return InputError("no action has reward 1", "generate or judge more, or use --sft-source gold")
    if not counts.trained_actions:
        return InputError("no rewarded action has a backbone sample", "generate or judge more first")
    if not counts.rewarding_actions:
        return InputError(
            f"nothing to reinforce: all {counts.trained_actions} backbone actions have reward 0",
            "generate or judge more, or train with bswirl",
        )
    return None
