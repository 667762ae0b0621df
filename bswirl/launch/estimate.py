"""What a run on a served model will ask for and cost, from its input, its prompts and earlier runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bswirl.client import Client
from bswirl.errors import UsageError
from bswirl.generation.plan import GenerateSettings
from bswirl.judging.catalogue import JudgeSpec
from bswirl.launch.inputs import input_rows, nothing_selected
from bswirl.launch.requests import RunRequest
from bswirl.policies.base import SampleRequest
from bswirl.policies.catalogue import PolicySpec
from bswirl.policies.served import filled, prompt_of
from bswirl.prompts import Prompt, Purpose
from bswirl.records import FrozenTree, GrowingState, Question, Run, from_json
from bswirl.serving.calls import ChatMessage, ServedModel

_MOST_RUNS = 20  # earlier runs that are looked at
_LEAST_CALLS = 10  # of earlier runs; fewer say little
_MEASURED = (0.8, 1.25)  # what measured means are taken to be off by
_TOKENS_A_MESSAGE = 4  # what chat templates put around one


@dataclass(frozen=True, slots=True)
class Range:
    """A likely value between two that it will hardly leave."""

    low: float
    likely: float
    high: float

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.likely + other.likely, self.high + other.high)

    def __mul__(self, other: Range | float) -> Range:
        by = other if isinstance(other, Range) else Range(other, other, other)
        return Range(self.low * by.low, self.likely * by.likely, self.high * by.high)


LETTERS_A_TOKEN = Range(4.6, 3.9, 3.0)  # the fewest tokens first; numbers take many
STEPS = Range(3.0, 5.0, 8.0)  # of a solution, its answer included
STEP_TOKENS = Range(15.0, 35.0, 70.0)
JUDGE_TOKENS = Range(60.0, 200.0, 500.0)  # of a reply


@dataclass(frozen=True, slots=True)
class Estimate:
    """Calls, tokens and dollars of a run. `cost` is None where the model has no price; `notes` say why so."""

    model: str
    calls: Range
    prompt_tokens: Range
    completion_tokens: Range
    cost: Range | None
    notes: tuple[str, ...] = ()
    measured_runs: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Measured:
    """Means of earlier runs on the same model."""

    runs: tuple[int, ...] = ()
    steps: float | None = None  # a solution
    step_tokens: float | None = None  # that one sampled step took
    reply_tokens: float | None = None  # of a judge


@dataclass(slots=True)
class _Letters:
    """Letters and messages of prompts that are known word by word, and how many prompts."""

    prompts: int = 0
    letters: int = 0
    messages: int = 0

    def add(self, messages: Iterable[ChatMessage], times: int = 1) -> None:
        for _, content in messages:
            self.letters += times * len(content)
            self.messages += times
        self.prompts += times

    @property
    def tokens(self) -> Range:
        around = float(self.messages * _TOKENS_A_MESSAGE)
        return Range(
            self.letters / LETTERS_A_TOKEN.low + around,
            self.letters / LETTERS_A_TOKEN.likely + around,
            self.letters / LETTERS_A_TOKEN.high + around,
        )


@dataclass(slots=True)
class Estimator:
    """Takes in the rows that a run would be about."""

    request: RunRequest
    _solutions: _Letters = field(default_factory=_Letters)
    _steps: _Letters = field(default_factory=_Letters)  # prompts for steps, at first states where not known
    _judged: _Letters = field(default_factory=_Letters)
    _prompts: dict[Purpose, Prompt] = field(default_factory=dict)
    _further: int = 0  # samples at states that are known

    def add(self, row: dict[str, Any]) -> None:
        """Counts one row in."""
        if self.request.kind == "judge":
            self._add_tree(from_json(FrozenTree, row))
        elif self.request.selects == "grow":
            state = from_json(GrowingState, row)
            self._steps.add(self._messages(SampleRequest(state.question.text, state.steps)))
            self._further += state.more
        else:
            self._add_question(from_json(Question, row))

    def estimate(self, measured: Measured) -> Estimate:
        """Of all that was taken in."""
        model = self.request.served[0]
        if not self.request.settings.get("batch"):
            return self._estimate_at(model, measured)
        found = self._estimate_at(model.at_batch_price(), measured)
        words = f"in batches, at {model.batch_discount:.0%} less (batch_discount) than single calls"
        return replace(found, notes=(*found.notes, words))

    def _estimate_at(self, model: ServedModel, measured: Measured) -> Estimate:
        if self.request.kind == "judge":
            return self._judging(model, measured)
        if self.request.selects == "grow":
            return self._growing(model, measured)
        return self._sampling(model, measured)

    def _add_question(self, question: Question) -> None:
        times = int(self.request.settings.get("trajectories") or 1)
        self._solutions.add(self._messages(SampleRequest(question.text, stop="solution")), times)
        if self.request.settings.get("branches"):
            self._steps.add(self._messages(SampleRequest(question.text)), times)

    def _add_tree(self, frozen: FrozenTree) -> None:
        if "judge" not in self._prompts:
            spec = _judge(self.request)
            self._prompts["judge"] = Prompt.parse(spec.prompt or "", f"the prompt of {spec.name}")
        prompt = self._prompts["judge"]
        prefixes, question = frozen.tree.prefixes(), frozen.tree.question
        selected = set(frozen.selected)
        for action in frozen.tree.actions:
            if action.action_id in selected and not action.is_answer:
                steps = "\n".join(prefixes[action.state_id])
                self._judged.add(
                    prompt.messages(
                        question=question.text,
                        steps=steps,
                        step=action.text,
                        solution=question.solution or "",
                    )
                )

    def _messages(self, request: SampleRequest) -> tuple[ChatMessage, ...]:
        purpose: Purpose = "solution" if request.stop == "solution" else "step"
        if purpose not in self._prompts:
            self._prompts[purpose] = prompt_of(_policy(self.request), purpose)
        return filled(self._prompts[purpose], request)

    def _sampling(self, model: ServedModel, measured: Measured) -> Estimate:
        settings = GenerateSettings.from_dict(self.request.settings)
        branches = settings.branches if self.request.kind == "generate" else 0
        steps = _at_most(_known(measured.steps, STEPS), settings.max_steps)
        step_tokens = _known(measured.step_tokens, STEP_TOKENS)
        solutions = float(self._solutions.prompts)
        states = steps * solutions if branches else Range(0, 0, 0)
        # A state lies half-way through a solution on average: that many steps stand in its prompt.
        before = Range(*((count - 1) / 2 for count in (steps.low, steps.likely, steps.high)))
        prompts = self._solutions.tokens
        if branches:
            prompts += self._steps.tokens * steps + states * before * step_tokens
        notes = [
            _words("steps a solution", steps, measured.steps),
            _words("tokens a step", step_tokens, measured.step_tokens),
        ]
        if branches > 1:
            prompts = Range(prompts.low, prompts.likely, prompts.high * branches)
            notes.append(
                f"the upper end is for a server that bills a prompt {branches} times for {branches} choices"
            )
        out = _at_most(steps * step_tokens, settings.max_tokens) * solutions + states * step_tokens * float(
            branches
        )
        return _estimate(model, states + Range(*[solutions] * 3), prompts, out, notes, measured)

    def _growing(self, model: ServedModel, measured: Measured) -> Estimate:
        step_tokens = _known(measured.step_tokens, STEP_TOKENS)
        calls = float(self._steps.prompts)
        notes = [_words("tokens a step", step_tokens, measured.step_tokens)]
        out = step_tokens * float(self._further)
        return _estimate(model, Range(calls, calls, calls), self._steps.tokens, out, notes, measured)

    def _judging(self, model: ServedModel, measured: Measured) -> Estimate:
        spec = _judge(self.request)
        votes = int(self.request.settings.get("votes") or spec.votes)
        asked = Range(votes // 2 + 1, (votes // 2 + 1 + votes) / 2, votes)
        reply = _at_most(_known(measured.reply_tokens, JUDGE_TOKENS), spec.max_tokens)
        calls = asked * float(self._judged.prompts)
        notes = [_words("tokens a reply", reply, measured.reply_tokens)]
        if votes > 1:
            notes.append(f"{votes} votes stop early once they are decided")
        if self.request.settings.get("extra_votes"):
            notes.append("extra votes where judge and reference differ are not counted")
        if self.request.settings.get("near_duplicates") == "once":
            notes.append("steps that are worded alike cost one call, and are counted here as several")
        return _estimate(model, calls, self._judged.tokens * asked, calls * reply, notes, measured)


def estimate_run(client: Client, request: RunRequest) -> Estimate:
    """What a run on a served model would cost; nothing is written, started or called.

    Raises UsageError where no served model takes part, and as `nothing_selected` where there is no input.
    """
    if not request.served:
        raise UsageError(f"{request.name} is no served model: the run calls nothing and costs nothing", "")
    estimator = Estimator(request)
    left_out: dict[str, Any] = {}
    rows = 0
    for row in estimated(input_rows(client, request, left_out), estimator):
        rows += bool(row)
    if not rows:
        raise nothing_selected(request, left_out)
    return estimator.estimate(measured_means(client, request))


def estimated(rows: Iterator[dict[str, Any]], estimator: Estimator) -> Iterator[dict[str, Any]]:
    """The rows as they are, each also given to the estimator."""
    for row in rows:
        estimator.add(row)
        yield row


def measured_means(client: Client, request: RunRequest) -> Measured:
    """Means over the newest runs that called the same model for the same purpose."""
    model = request.served[0]
    runs = [run for run in client.runs(kind=request.kind, limit=_MOST_RUNS) if _same_model(run, model)]
    used = [run for run in runs if _spent(run, "calls") >= _LEAST_CALLS]
    if request.kind == "judge":
        calls = sum(_spent(run, "calls") for run in used)
        tokens = sum(_spent(run, "completion_tokens") for run in used)
        return Measured(tuple(run.run_id for run in used), reply_tokens=tokens / calls if calls else None)
    texts = sum(_count(run, "samples") + _count(run, "unparsed") for run in used)
    tokens = sum(_spent(run, "completion_tokens") for run in used)
    solutions = sum(_count(run, "trajectories") for run in used)
    steps = sum(_count(run, "trajectories") * float(run.summary.get("mean_steps") or 0) for run in used)
    return Measured(
        tuple(run.run_id for run in used),
        steps=steps / solutions if solutions and steps else None,
        step_tokens=tokens / texts if texts and tokens else None,
    )


def _estimate(
    model: ServedModel, calls: Range, prompts: Range, out: Range, notes: list[str], measured: Measured
) -> Estimate:
    cost = None
    if model.price_in is not None or model.price_out is not None:
        cost = Range(
            model.cost(round(prompts.low), round(out.low)),
            model.cost(round(prompts.likely), round(out.likely)),
            model.cost(round(prompts.high), round(out.high)),
        )
    else:
        notes = [*notes, "no dollars: the settings say no price (price_in, price_out)"]
    return Estimate(model.model, calls, prompts, out, cost, tuple(notes), measured.runs)


def _known(mean: float | None, assumed: Range) -> Range:
    return assumed if mean is None else Range(mean * _MEASURED[0], mean, mean * _MEASURED[1])


def _at_most(value: Range, limit: float) -> Range:
    return Range(min(value.low, limit), min(value.likely, limit), min(value.high, limit))


def _words(what: str, value: Range, mean: float | None) -> str:
    how = "assumed" if mean is None else "as earlier runs on this model had"
    return f"{value.likely:.4g} {what} ({value.low:.3g} to {value.high:.3g}), {how}"


def _same_model(run: Run, model: ServedModel) -> bool:
    specs = [*(run.config.get("policies") or {}).values(), run.config.get("judge") or {}]
    found = [spec.get("served") or {} for spec in specs if isinstance(spec, dict)]
    return any((served.get("url"), served.get("model")) == (model.url, model.model) for served in found)


def _spent(run: Run, name: str) -> int:
    spending = run.summary.get("spending")
    return int(spending.get(name) or 0) if isinstance(spending, dict) else 0


def _count(run: Run, name: str) -> int:
    value = run.summary.get(name)
    return int(value) if isinstance(value, int) else 0


def _policy(request: RunRequest) -> PolicySpec:
    return next(iter(request.policies.values()))


def _judge(request: RunRequest) -> JudgeSpec:
    if request.judge is None:
        raise UsageError(f"run {request.name} has no judge", "start it anew")
    return request.judge
