"""Which of a tree's actions an objective trains on, and with which coefficient of log π."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bswirl.records import Action, FrozenTree, Question
from bswirl.training.objectives import JudgeRates, advantages, is_live
from bswirl.training.rewards import corrected_reward, groups_of, judge_rates, reward_of
from bswirl.training.settings import TrainSettings


@dataclass(frozen=True, slots=True)
class Selected:
    """One action that an objective takes, before it is tokens."""

    action: Action
    coefficient: float
    samples: int


@dataclass(frozen=True, slots=True)
class LoggedState:
    """A state that some full solution passed through; `swirl-onpolicy` samples its next step afresh."""

    question: Question
    state_id: int
    steps: tuple[str, ...]


def learns_from_gold(settings: TrainSettings) -> bool:
    """Whether the run trains on the datasets' own solutions, for which no action is selected."""
    return settings.objective == "sft" and settings.sft_source == "gold"


def select(tree: FrozenTree, settings: TrainSettings) -> list[Selected]:
    """The actions of `tree` that the objective trains on, with their coefficients (docs/method.md §3).

    `swirl`: each state's backbone actions, c = R, weighted by their backbone samples. `bswirl`: all
    actions of live groups (of all groups with `include_dead`), c = A. `sft`: actions with R = 1, c = 1.
    Judged rewards are corrected first where error rates are set; which groups are live is decided before
    that. `swirl-onpolicy` samples its own: of each logged state one action, with c = 0, stands for the
    sample to come.

    Where a filter left trajectories out, `swirl` and `sft` train on the steps that kept ones took themselves,
    each weighted by how many did, and `swirl-onpolicy` samples at their states; `bswirl` takes the groups at
    these states whole.
    """
    if settings.objective == "swirl-onpolicy":
        return [Selected(action, 0.0, 1) for action in _backbone(tree)]
    rates = judge_rates(settings)
    groups = groups_of(tree, settings)
    if settings.objective == "bswirl":
        return [entry for group in groups for entry in _bswirl(group, settings, rates)]
    choose = {"swirl": _swirl, "sft": _sft}[settings.objective]
    return choose(tree, [action for group in groups for action in group], rates)


def _swirl(tree: FrozenTree, actions: Sequence[Action], rates: JudgeRates) -> list[Selected]:
    own = own_samples(tree)
    return [
        Selected(action, corrected_reward(action, rates), own[action.action_id])
        for action in actions
        if own[action.action_id]
    ]


def _sft(tree: FrozenTree, actions: Sequence[Action], _rates: JudgeRates) -> list[Selected]:
    if tree.kept is not None:
        counts = own_samples(tree)
    else:
        counts = {action.action_id: action.samples for action in actions}
    good = [action for action in actions if reward_of(action) >= 1.0]
    return [Selected(action, 1.0, counts[action.action_id]) for action in good if counts[action.action_id]]


def own_samples(tree: FrozenTree) -> dict[int, int]:
    """How often trajectories took each action themselves; where some were left out, those that were kept."""
    if tree.kept is None:
        return {action.action_id: action.backbone for action in tree.tree.actions}
    return dict.fromkeys((action.action_id for action in tree.tree.actions), 0) | dict(tree.kept)


def _bswirl(group: Sequence[Action], settings: TrainSettings, rates: JudgeRates) -> list[Selected]:
    counts = [action.samples for action in group]
    if is_live([reward_of(action) for action in group]):
        rewards = [corrected_reward(action, rates) for action in group]
        values = advantages(rewards, counts, settings.baseline)
    elif settings.include_dead:
        values = [0.0 for _ in group]
    else:
        return []
    return [Selected(*entry) for entry in zip(group, values, counts, strict=True)]


def logged_states(tree: FrozenTree) -> list[LoggedState]:
    """The states that have a backbone sample, rewarded or not."""
    prefixes, question = tree.tree.prefixes(), tree.tree.question
    return [LoggedState(question, action.state_id, prefixes[action.state_id]) for action in _backbone(tree)]


def _backbone(tree: FrozenTree) -> list[Action]:
    """Of each state with a backbone sample the action that has most of them, the earliest of equals."""
    own = own_samples(tree)
    taken = [
        [action for action in group if own[action.action_id]]
        for state_id, group in tree.tree.by_state().items()
        if tree.states is None or state_id in tree.states
    ]
    return [max(group, key=lambda action: own[action.action_id]) for group in taken if group]
