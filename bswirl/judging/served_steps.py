"""A judge behind an endpoint, asked outside of a run: its ledger lies in a folder of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from queue import SimpleQueue
from threading import Thread

from bswirl.errors import BswirlError, CancelledError, InputError
from bswirl.judging.catalogue import JudgeSpec
from bswirl.judging.judgement import Judgement, Outcome, StepToJudge
from bswirl.judging.served import ServedJudge
from bswirl.judging.stepwise import Asking, keeping
from bswirl.serving.engine import open_engine
from bswirl.serving.keys import key_for

_AGAIN = ("gave-up", "malformed")  # reasons of the server's: asked later, it may answer

Told = tuple[int, Judgement]


class ServedSteps:
    """Judges many steps at a time. Replies are kept as they come: asked again, it goes on from there."""

    def __init__(self, spec: JudgeSpec, asking: Asking) -> None:
        """Raises RefusedError where the endpoint's key is missing or may not be sent there."""
        if spec.served is None:
            raise InputError(f"judge {spec.name} says no endpoint", "give it one in bswirl.toml")
        self.asking = asking
        self._spec = spec
        self._model = spec.served
        self._key = key_for(self._model)
        self._stopped = False
        self._error: BaseException | None = None
        self._open: list[str] = []  # why steps have no verdict that may get one

    def __call__(self, steps: Sequence[StepToJudge]) -> Generator[Told, None, None]:
        """Raises as `CallEngine.run_all`, and BswirlError at the end where the server left steps open."""
        self._stopped, self._open, self._error = False, [], None
        found: SimpleQueue[Told | None] = SimpleQueue()
        asking = Thread(target=self._work, args=(steps, found), daemon=True)
        with keeping(self.asking.folder):
            asking.start()
            try:
                while (told := found.get()) is not None:
                    yield told
            finally:
                self._stopped = True  # what is under way gets a moment to land: it is paid for
                asking.join()
        if self._error is not None:
            raise self._error
        if self._open:
            raise BswirlError(
                f"{len(self._open)} of {len(steps)} steps got no answer: {self._open[-1]}",
                "the same command asks for these alone: all replies are kept",
            )

    def _work(self, steps: Sequence[StepToJudge], found: SimpleQueue[Told | None]) -> None:
        """In a thread of its own, where no Ctrl-C breaks into a reply that is being written down."""
        try:
            asyncio.run(self._ask(steps, found))
        except BaseException as error:  # noqa: BLE001 - raised again by who waits
            self._error = error
        finally:
            found.put(None)

    async def _ask(self, steps: Sequence[StepToJudge], found: SimpleQueue[Told | None]) -> None:
        async with open_engine(
            self._model,
            folder=self.asking.folder,
            key=self._key,
            check=self._check,
            log=self.asking.log,
            on_spending=self.asking.spending.update,
            cost_limit=self.asking.max_cost,
        ) as engine:
            judge = ServedJudge(self._spec, engine)

            async def decide(numbered: tuple[int, StepToJudge]) -> None:
                place, step = numbered
                outcome = await judge.judge(step)
                self._note_open(outcome)
                found.put((place, outcome.judgement))

            await engine.run_all(enumerate(steps), decide)

    def _check(self) -> None:
        if self._stopped:
            raise CancelledError("certifying was cancelled")

    def _note_open(self, outcome: Outcome) -> None:
        if outcome.reason in _AGAIN:
            self._open.append(outcome.judgement.rationale)
