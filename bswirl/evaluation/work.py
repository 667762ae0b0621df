"""An evaluation run as a worker does it: one greedy solution a question, scored against gold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bswirl.answers import algebra, is_plain
from bswirl.errors import BswirlError, InputError
from bswirl.policies.catalogue import PolicySpec, missing_extra, open_policy
from bswirl.policies.scoring import DEFAULT_MAX_STEPS, score, solution_request, summarise
from bswirl.records import Question, from_json
from bswirl.runs.context import RunContext
from bswirl.serving.calls import Failure

DEFAULT_BATCH = 32
DEFAULT_MAX_TOKENS = 512


def run(context: RunContext) -> dict[str, Any]:
    """Answer every question of the frozen input that has no answer yet; returns the summary over all.

    Raises InputError where no question has a gold answer, CancelledError (resumable), BswirlError where the
    `train` extra is missing, and what a served policy's calls raise.
    """
    questions = _questions(context)
    answers = {row["question_id"]: row for row in context.journal_rows() if row.get("t") == "answer"}
    left = [question for question in questions if question.question_id not in answers]
    context.progress(len(questions) - len(left), len(questions), "questions")
    spec = PolicySpec.from_json(context.config["policies"][context.settings["policy"]])
    if left and spec.kind == "served":
        _ask(context, spec, left, answers, len(questions))
    elif left:
        try:
            from bswirl.policies.devices import resolve_device

            device = resolve_device(context.settings.get("device") or "auto")
        except ModuleNotFoundError as error:
            raise missing_extra(error) from error
        with context.device_lock(str(device)):
            _answer(context, spec, left, answers, str(device), len(questions))
    answered = [question for question in questions if question.question_id in answers]
    if not answered:
        raise BswirlError("no question was answered", "the run's log says why")
    summary = summarise(answered, answers)
    return {**summary, "failed": len(questions) - len(answered)} if spec.kind == "served" else summary


def _ask(
    context: RunContext,
    spec: PolicySpec,
    left: Sequence[Question],
    answers: dict[int, dict[str, Any]],
    total: int,
) -> None:
    """Answer `left` with a served policy, all of them under way at once; a question that fails is counted."""
    from bswirl.policies.served_run import ServedRun, run_served

    async def ask_all(run: ServedRun) -> None:
        async def ask(question: Question) -> None:
            found = await run.policy.sample(
                solution_request(question), temperature=0.0, max_tokens=max_tokens, seed=0
            )
            if isinstance(found, Failure):
                run.failed(question.address, found)
                return
            row = score(question, found[0])
            run.keep(row)
            answers[question.question_id] = row
            context.progress(len(answers), total, "questions")

        await run.engine.run_all(left, ask)

    max_tokens = context.settings.get("max_tokens") or DEFAULT_MAX_TOKENS
    run_served(context, spec, ask_all)


def _questions(context: RunContext) -> list[Question]:
    every = [from_json(Question, line) for line in context.input_rows()]
    questions = [question for question in every if question.gold is not None]
    if not questions:
        raise InputError("none of the questions has a gold answer", "choose another dataset")
    if len(questions) < len(every):
        context.warn(f"{len(every) - len(questions)} questions have no gold answer and were left out")
    formulas = sum(not is_plain(question.gold or "") for question in questions)
    if formulas and not algebra.is_installed():
        context.warn(f"{formulas} gold answers are formulas, which match as text alone: {algebra.REMEDY}")
    return questions


def _answer(
    context: RunContext,
    spec: PolicySpec,
    left: Sequence[Question],
    answers: dict[int, dict[str, Any]],
    device: str,
    total: int,
) -> None:
    """Answer `left` in batches; each batch is in the journal before the next begins."""
    settings = context.settings
    batch_size = settings.get("batch_size") or DEFAULT_BATCH
    policy = open_policy(
        spec,
        device=device,
        load_in_4bit=bool(settings.get("load_in_4bit")),
        batch_size=batch_size,
        log=context.log,
    )
    for start in range(0, len(left), batch_size):
        context.check_cancelled()
        batch = left[start : start + batch_size]
        requests = [
            solution_request(question, settings.get("max_steps") or DEFAULT_MAX_STEPS) for question in batch
        ]
        sampled = policy.sample(
            requests,
            temperature=1.0,
            max_tokens=settings.get("max_tokens") or DEFAULT_MAX_TOKENS,
            seed=0,
            greedy=True,
            check=context.check_cancelled,
        )
        rows = [score(question, found[0]) for question, found in zip(batch, sampled, strict=True)]
        context.emit(*rows)
        answers.update({row["question_id"]: row for row in rows})
        context.progress(len(answers), total, "questions")
        context.log(
            f"{len(answers)}/{total} answered, {sum(row['is_correct'] for row in answers.values())} right"
        )
