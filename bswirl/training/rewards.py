"""Which reward an action trains with: effective, of a faithful answer, corrected for a judge's errors."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction

from bswirl.answers import parse_number, read_answer
from bswirl.judging.equations import find_equations
from bswirl.judging.expressions import evaluate
from bswirl.records import Action, FrozenTree, QuestionTree
from bswirl.training.objectives import ErrorRates, JudgeRates
from bswirl.training.settings import TrainSettings


def groups_of(tree: FrozenTree, settings: TrainSettings) -> list[list[Action]]:
    """The selected actions that have a reward and a sample, by state; states without any are left out.

    With `answer_reward` faithful, answers have the reward that `faithful_reward` gives them.
    """
    wanted = set(tree.selected)
    groups = (
        [a for a in group if a.action_id in wanted and a.reward is not None and a.samples > 0]
        for group in tree.tree.by_state().values()
    )
    kept = [group for group in groups if group]
    if settings.answer_reward == "gold":
        return kept
    prefixes = tree.tree.prefixes()
    return [[_faithful(action, prefixes[action.state_id]) for action in group] for group in kept]


def reward_of(action: Action) -> float:
    """The effective reward of an action that has one."""
    if action.reward is None:
        raise ValueError(f"action {action.action_id} has no reward")
    return action.reward


def corrected_reward(action: Action, rates: JudgeRates) -> float:
    """The action's reward, corrected where a judge gave it; people and the answer check are left alone.

    Rates of the judge's *correct* alone correct where it says that the step makes progress: there its reward
    is its *correct*. Its word on progress is taken as it is, so a step without progress keeps its 0.
    """
    reward = reward_of(action)
    if action.source != "judge" or (rates.of_correct and not action.judge_progress):
        return reward
    return rates.corrected(reward, action.judge, action.depth)


def judge_rates(settings: TrainSettings) -> JudgeRates:
    """The error rates that the settings name: one pair for all judges and depths, or the certified ones.

    Raises UsageError where certified rates are too high to correct with.
    """
    if settings.judge_rates == "given":
        return JudgeRates(ErrorRates(settings.judge_fpr, settings.judge_fnr))
    measured = {
        (rates.judge, rates.depth): ErrorRates(rates.fpr, rates.fnr) for rates in settings.certified_rates
    }
    return JudgeRates(measured=measured, of_correct=True)


def faithful_reward(answer: str, steps: Sequence[str]) -> float | None:
    """1 where an answer states the last result of the last of `steps`, else 0, right or wrong as it may be.

    None where there is no such step, or no equation in it. Results and answers are compared as numbers; a
    percent counts as its number and as its share.
    """
    equations = find_equations(steps[-1]) if steps else ()
    if not equations:
        return None
    last = equations[-1].right
    results: set[Fraction | None] = {evaluate(last, percent=True), evaluate(last, percent=False)} - {None}
    stated = read_answer(answer)
    return float(stated is not None and parse_number(stated) in results)


def _faithful(action: Action, steps: Sequence[str]) -> Action:
    if not action.is_answer or action.source != "answer":
        return action
    reward = faithful_reward(action.text, steps)
    return action if reward is None else dataclasses.replace(action, reward=reward)


def astray_states(tree: QuestionTree) -> set[int]:
    """The states whose history is already wrong: some step on the way there has the effective reward 0.

    An answer at such a state can match gold by accident alone.
    """
    reward_by = {action.action_id: action.reward for action in tree.actions}
    astray: set[int] = set()
    for state in tree.states:  # parents first
        if state.parent_state_id is None or state.via_action_id is None:
            continue
        if state.parent_state_id in astray or reward_by[state.via_action_id] == 0:
            astray.add(state.state_id)
    return astray
