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
    """
    if settings.objective == "swirl-onpolicy":
        return [Selected(action, 0.0, 1) for action in _backbone(tree)]
    rates = judge_rates(settings)
    choose = {"swirl": _swirl, "bswirl": _bswirl, "sft": _sft}[settings.objective]
    return [entry for group in groups_of(tree, settings) for entry in choose(group, settings, rates)]


def _swirl(group: Sequence[Action], _settings: TrainSettings, rates: JudgeRates) -> list[Selected]:
    return [
        Selected(action, corrected_reward(action, rates), action.backbone)
        for action in group
        if action.backbone > 0
    ]


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


def _sft(group: Sequence[Action], _settings: TrainSettings, _rates: JudgeRates) -> list[Selected]:
    return [Selected(action, 1.0, action.samples) for action in group if reward_of(action) >= 1.0]


def logged_states(tree: FrozenTree) -> list[LoggedState]:
    """The states that have a backbone sample, rewarded or not."""
    prefixes, question = tree.tree.prefixes(), tree.tree.question
    return [LoggedState(question, action.state_id, prefixes[action.state_id]) for action in _backbone(tree)]


def _backbone(tree: FrozenTree) -> list[Action]:
    """Of each state with a backbone sample the action that has most of them, the earliest of equals."""
    groups = ([a for a in group if a.backbone > 0] for group in tree.tree.by_state().values())
    return [max(group, key=lambda action: action.backbone) for group in groups if group]
