"""Fresh actions of the policy as it is now, judged at once: what `swirl-onpolicy` trains on.

This is the objective of the paper that named SWiRL (arXiv 2504.04736): at each logged state the policy in
training writes the next step, and a reward model scores it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bswirl.judging.answer_check import check_answer
from bswirl.judging.catalogue import ANSWER_CHECK, REFERENCE
from bswirl.judging.reference import ReferenceJudge
from bswirl.policies.base import Sampled, SampleRequest
from bswirl.policies.local import LocalPolicy
from bswirl.records import Action, Question
from bswirl.training.adapter import set_dropout
from bswirl.training.rewards import corrected_reward, faithful_reward, judge_rates
from bswirl.training.rows import NO_ACTION, TrainingRow, action_row
from bswirl.training.sampling import sample_within_memory
from bswirl.training.selection import LoggedState
from bswirl.training.settings import TrainSettings

LONGEST_ACTION = 256  # tokens; a sample that has come to no end by then is unparsed


@dataclass(frozen=True, slots=True)
class Fresh:
    """One step's fresh actions: a row each, and how many samples gave none."""

    rows: list[TrainingRow]
    samples: int
    unparsed: int = 0  # no step could be read in them
    unjudged: int = 0  # answers to questions without a gold answer

    def metrics(self) -> dict[str, float]:
        """Shares of the samples."""
        return {
            "onpolicy/unparsed": self.unparsed / self.samples,
            "onpolicy/unjudged": self.unjudged / self.samples,
        }


class FreshActions:
    """Samples one action at every logged state of a step's questions. Draws nothing from torch's generator.

    What is sampled follows from the policy's weights and (seed, step, state) alone.
    """

    def __init__(
        self,
        model: Any,
        policy: LocalPolicy,
        states: Mapping[int, Sequence[LoggedState]],
        settings: TrainSettings,
        warn: Callable[[str], None],
    ) -> None:
        self._model = model
        self._policy = policy
        self._states = states
        self._settings = settings
        self._rates = judge_rates(settings)
        self._warn = warn
        self._tokenizer = policy.loaded.tokenizer

    def at(self, step: int, questions: Sequence[int], check: Callable[[], None]) -> Fresh:
        """The actions for optimiser step `step` on `questions`, c = R, under numbers below NO_ACTION.

        `check` is called every few tokens and may raise. Turns the adapter's dropout off.
        """
        states = [state for number in questions for state in self._states[number]]
        requests = [
            SampleRequest(state.question.text, state.steps, key=(step, state.state_id)) for state in states
        ]
        set_dropout(self._model, False)
        sampled = sample_within_memory(
            self._policy,
            requests,
            self._warn,
            temperature=self._settings.onpolicy_temperature,
            max_tokens=LONGEST_ACTION,
            seed=self._settings.seed,
            check=check,
        )
        judges = {state.question.question_id: _judge_of(state.question) for state in states}
        rows: list[TrainingRow] = []
        unparsed = unjudged = 0
        for index, (state, (sample,)) in enumerate(zip(states, sampled, strict=True)):
            if sample.is_answer is None:
                unparsed += 1
                continue
            action = self._judged(
                state, sample, judges[state.question.question_id], number=NO_ACTION - 1 - index
            )
            if action.reward is None:
                unjudged += 1
                continue
            coefficient = corrected_reward(action, self._rates)
            rows.append(action_row(state.question, state.steps, action, self._tokenizer, coefficient, 1))
        return Fresh(rows, len(states), unparsed, unjudged)

    def _judged(self, state: LoggedState, sample: Sampled, judge: ReferenceJudge, *, number: int) -> Action:
        """The sample as an action with the reward of the reference judge, or of the answer check."""
        is_answer = bool(sample.is_answer)
        reward: float | None = None
        progress: bool | None = None
        if is_answer and self._settings.answer_reward == "faithful":
            reward = faithful_reward(sample.text, state.steps)
        if reward is None and is_answer:
            reward = check_answer(sample.text, state.question.gold).reward
        elif reward is None:
            judgement = judge.judge(state.steps, sample.text)
            reward, progress = judgement.reward, judgement.progress
        return Action(
            action_id=number,
            state_id=state.state_id,
            depth=len(state.steps) + 1,
            is_answer=is_answer,
            text=sample.text,
            samples=1,
            backbone=1,
            judge=(ANSWER_CHECK if is_answer else REFERENCE).name,
            judge_progress=progress,
            reward=reward,
            source="answer" if is_answer else "judge",
        )


def _judge_of(question: Question) -> ReferenceJudge:
    return ReferenceJudge(question.text, question.solution)
