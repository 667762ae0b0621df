"""A judge that is a model on this machine, asked outside of a run: its judgements lie in a folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from bswirl.errors import BswirlError, InputError
from bswirl.judging.catalogue import JudgeSpec
from bswirl.judging.judgement import Judgement, StepToJudge
from bswirl.judging.stepwise import Asking, keeping
from bswirl.policies.catalogue import require_extra
from bswirl.policies.devices import resolve_device
from bswirl.runs.journal import cut_torn_line
from bswirl.runs.locks import FileLock, device_lock_file, this_process

_FILE = "judged.jsonl"


class LocalSteps:
    """Judges a batch at a time, and writes down what it says: asked again, it goes on from there."""

    def __init__(self, spec: JudgeSpec, asking: Asking) -> None:
        """Raises BswirlError where packages that local models need are missing."""
        require_extra()
        self._spec = spec
        self._asking = asking

    def __call__(self, steps: Sequence[StepToJudge]) -> Generator[tuple[int, Judgement], None, None]:
        """Raises what loading the model raises, and BswirlError where its device is in use or full."""
        with keeping(self._asking.folder):
            file = self._asking.folder / _FILE
            known = _read(file)
            keys = [self._key(step) for step in steps]
            yield from ((place, known[key]) for place, key in enumerate(keys) if key in known)
            rest = [place for place, key in enumerate(keys) if key not in known]
            if rest:
                yield from self._ask(steps, keys, rest, file)

    def _ask(
        self, steps: Sequence[StepToJudge], keys: Sequence[str], places: Sequence[int], file: Path
    ) -> Iterator[tuple[int, Judgement]]:
        from bswirl.judging.local_chat import LocalChatJudge
        from bswirl.policies.local import load_model

        if self._spec.local is None:
            raise InputError(f"judge {self._spec.name} names no model", "give it a `path` in bswirl.toml")
        device = str(resolve_device(self._asking.device))
        with _alone_on(device), file.open("a+", encoding="ascii") as kept:
            cut_torn_line(kept.fileno())
            self._asking.log(f"loading {self._spec.model} on {device}")
            loaded = load_model(
                self._spec.local,
                device=device,
                load_in_4bit=self._asking.load_in_4bit,
                log=self._asking.log,
            )
            judge = LocalChatJudge(self._spec, loaded, batch_size=self._asking.batch_size)
            for number, outcome in judge.judge([steps[place] for place in places]):
                place = places[number]
                said = outcome.judgement
                kept.write(json.dumps({"key": keys[place], **asdict(said)}) + "\n")
                kept.flush()
                yield place, said

    def _key(self, step: StepToJudge) -> str:
        """What the judge is asked, by which model."""
        spec = self._spec
        asked = [spec.model, asdict(spec)["local"], spec.prompt_sha, spec.max_tokens, asdict(step)]
        return hashlib.sha256(json.dumps([*asked, self._asking.load_in_4bit]).encode()).hexdigest()


def _read(file: Path) -> dict[str, Judgement]:
    """What was said before. A line that a kill tore is asked for again."""
    found: dict[str, Judgement] = {}
    if not file.exists():
        return found
    with file.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                row = json.loads(line)
                found[row["key"]] = Judgement(row["correct"], row["progress"], row["rationale"])
            except (ValueError, KeyError, TypeError):
                continue
    return found


@contextmanager
def _alone_on(device: str) -> Iterator[None]:
    """Holds a device that runs hold too; the CPU is shared. Raises BswirlError where another has it."""
    if device.startswith("cpu"):
        yield
        return
    lock = FileLock(device_lock_file(device))
    if not lock.acquire(this_process()):
        raise BswirlError(f"device {device} is in use by a run", "wait for it, or use --device cpu")
    try:
        yield
    finally:
        lock.release()
