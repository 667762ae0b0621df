"""From the rows of a `branched` file to samples with their place in a question's tree.

A row's `state` is the question and the steps before it in one text. Which steps those are is found through
the rows of any trajectory; the order of the lines does not matter.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bswirl.formats.branched import ReadSample, encode_row
from bswirl.formats.lines import Reject
from bswirl.interchange import PlacedQuestion, PlacedSample
from bswirl.records import NewQuestion
from bswirl.steps import is_answer_text

Prefix = tuple[str, ...]


def place(
    path: str, rows: Iterable[ReadSample], *, dataset: str, split: str
) -> tuple[list[PlacedQuestion], list[Reject]]:
    """The questions of a file with their samples, and the rows that have no place.

    `dataset` and `split` are for rows that name none. Questions come in the order of their first row.
    """
    by_question: defaultdict[tuple[str, str], list[ReadSample]] = defaultdict(list)
    for read in rows:
        by_question[read.row.dataset or dataset, read.row.question_id].append(read)
    placed: list[PlacedQuestion] = []
    rejects: list[Reject] = []
    for (name, _), found in by_question.items():
        work = _QuestionRows(path, name, split, sorted(found, key=_sort_key))
        question = work.place()
        if question is not None:
            placed.append(question)
        rejects += work.rejects
    return placed, sorted(rejects, key=lambda reject: reject.line)


def _sort_key(read: ReadSample) -> tuple[int, str, int, str, int]:
    """By content, so that the order of a file's lines does not matter; equal rows by line."""
    row = read.row
    return row.step, row.trajectory_id or "", row.branch_id, encode_row(row), read.line


@dataclass(slots=True)
class _Chain:
    """A trajectory put together from backbone rows without an id: the steps up to its last."""

    path: Prefix
    start: int  # the first step of which it has a backbone row
    taken: set[tuple[int, int]] = field(default_factory=set)  # (step, branch_id)
    name: str = ""


@dataclass(slots=True)
class _QuestionRows:
    """One question's rows on their way to their places."""

    path: str
    dataset: str
    split: str
    rows: list[ReadSample]
    rejects: list[Reject] = field(default_factory=list)

    def place(self) -> PlacedQuestion | None:
        """The question with its samples; None where no row of it can be placed."""
        text = self._question_text()
        kept = self._agreeing([read for read in self.rows if self._fits(read, text)])
        prefixes = self._prefixes(kept, text)
        kept = self._without_contradictions([read for read in kept if read.line in prefixes], prefixes)
        if not kept:
            return None
        trajectories = _name_trajectories(kept, prefixes)
        samples = tuple(_placed(read, prefixes[read.line], trajectories[read.line]) for read in kept)
        return PlacedQuestion(self._question(kept, text), samples)

    def _reject(self, read: ReadSample, reason: str) -> None:
        self.rejects.append(Reject(self.path, read.line, reason, read.raw))

    def _question_text(self) -> str:
        """The state of step 1; without such a row, what is left of a state without its last lines."""
        first = [read.row.state for read in self.rows if read.row.step == 1]
        return _most_common(first) or _most_common(
            read.row.state.rsplit("\n", read.row.step - 1)[0] for read in self.rows
        )

    def _fits(self, read: ReadSample, text: str) -> bool:
        state = read.row.state
        if read.row.step == 1 and state != text:
            self._reject(
                read, f"`state` of step 1 differs from other rows of question {read.row.question_id}"
            )
        elif read.row.step > 1 and not state.startswith(text + "\n"):
            self._reject(read, f"`state` does not begin with the text of question {read.row.question_id}")
        else:
            return True
        return False

    def _agreeing(self, rows: Sequence[ReadSample]) -> list[ReadSample]:
        """Rows that say of their question what most rows say, or nothing."""
        kept = list(rows)
        for key in ("split", "gold", "solution"):
            stated = _most_common(value for read in rows if (value := getattr(read.row, key)) is not None)
            for read in kept:
                if getattr(read.row, key) not in (None, stated):
                    self._reject(read, f"`{key}` differs from other rows of question {read.row.question_id}")
            kept = [read for read in kept if getattr(read.row, key) in (None, stated)]
        return kept

    def _prefixes(self, rows: Sequence[ReadSample], text: str) -> dict[int, Prefix]:
        """The steps before each row, by line; rows come sorted by step."""
        known: defaultdict[str, set[Prefix]] = defaultdict(set)
        known[text].add(())
        own: dict[tuple[str, int], Prefix] = {}  # (trajectory, step): its backbone up to that step
        found: dict[int, Prefix] = {}
        for read in rows:
            row = read.row
            candidates = {prefix for prefix in known[row.state] if len(prefix) == row.step - 1}
            mine = own.get((row.trajectory_id or "", row.step - 1))
            if mine in candidates and mine is not None:
                prefix = mine
            elif candidates:
                prefix = min(candidates)
            else:
                lines = tuple(row.state[len(text) + 1 :].split("\n"))
                if len(lines) != row.step - 1:
                    self._reject(
                        read,
                        f"the {row.step - 1} steps in `state` are found in no other row,"
                        f" and it has {len(lines)} lines",
                    )
                    continue
                prefix = lines
            found[read.line] = prefix
            path = (*prefix, row.action)
            known[f"{row.state}\n{row.action}"].add(path)
            if row.is_backbone and row.trajectory_id:
                own[row.trajectory_id, row.step] = path
        return found

    def _without_contradictions(
        self, rows: Sequence[ReadSample], prefixes: dict[int, Prefix]
    ) -> list[ReadSample]:
        """Rows whose place in a named trajectory is not taken by another; plain repetitions are dropped."""
        places: dict[tuple[str, int, int], ReadSample] = {}
        kept: list[ReadSample] = []
        for read in sorted(rows, key=lambda read: read.line):
            row = read.row
            if row.trajectory_id is not None:
                place = (row.trajectory_id, row.step, row.branch_id)
                before = places.setdefault(place, read)
                if before is not read:
                    if (before.row.action, prefixes[before.line]) != (row.action, prefixes[read.line]):
                        self._reject(
                            read, f"line {before.line} has another action in this place of the trajectory"
                        )
                    elif before.row != row:
                        self._reject(read, f"line {before.line} says something else of this sample")
                    continue
            kept.append(read)
        return sorted(kept, key=_sort_key)

    def _question(self, rows: Sequence[ReadSample], text: str) -> NewQuestion:
        def first(values: Iterable[str | None]) -> str | None:
            return next((value for value in values if value is not None), None)

        return NewQuestion(
            dataset=self.dataset,
            split=first(read.row.split for read in rows) or self.split,
            external_id=rows[0].row.question_id,
            text=text,
            gold=first(read.row.gold for read in rows),
            solution=first(read.row.solution for read in rows),
        )


def _most_common(values: Iterable[str]) -> str:
    """The value that comes most often, the first in order of those that tie; empty where there is none."""
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], value), default="")


def _placed(read: ReadSample, prefix: Prefix, trajectory: str) -> PlacedSample:
    row = read.row
    return PlacedSample(
        trajectory_id=trajectory,
        step=row.step,
        branch_id=row.branch_id,
        is_backbone=row.is_backbone,
        prefix=prefix,
        action=row.action,
        is_answer=is_answer_text(row.action),
        reward=row.reward,
        judge=row.judge,
        rationale=row.rationale,
        label=row.label,
        auditor=row.auditor,
        logprob=row.logprob,
        n_tokens=row.n_tokens,
        line=read.line,
    )


def _name_trajectories(rows: Sequence[ReadSample], prefixes: dict[int, Prefix]) -> dict[int, str]:
    """The trajectory of every row, by line. Rows that name none are chained, backbones first.

    A chain's name is made of its steps, so that the same rows get the same names in another file.
    """
    names = {read.line: read.row.trajectory_id for read in rows if read.row.trajectory_id is not None}
    unnamed = [read for read in rows if read.row.trajectory_id is None]
    chains: list[_Chain] = []
    chain_of: dict[int, _Chain] = {}
    for read in unnamed:
        if read.row.is_backbone:
            chain_of[read.line] = _extend(chains, read, prefixes[read.line])
    for read in unnamed:
        if not read.row.is_backbone:
            chain_of[read.line] = _attach(chains, read, prefixes[read.line])
    _give_names(chains)
    return names | {line: chain.name for line, chain in chain_of.items()}


def _extend(chains: list[_Chain], read: ReadSample, prefix: Prefix) -> _Chain:
    """The chain that a backbone row goes on with, or a new one that begins at its step."""
    path = (*prefix, read.row.action)
    for chain in chains:
        if chain.path == prefix and chain.taken:
            chain.path = path
            chain.taken.add((read.row.step, 0))
            return chain
    chains.append(_Chain(path, read.row.step, {(read.row.step, 0)}))
    return chains[-1]


def _attach(chains: list[_Chain], read: ReadSample, prefix: Prefix) -> _Chain:
    """The first chain through a branch's state that has no such branch yet, or a chain of its own."""
    place = (read.row.step, read.row.branch_id)
    for chain in chains:
        if (
            chain.path[: len(prefix)] == prefix
            and len(chain.path) >= len(prefix)
            and place not in chain.taken
        ):
            chain.taken.add(place)
            return chain
    chains.append(_Chain(prefix, read.row.step, {place}))
    return chains[-1]


def _give_names(chains: Sequence[_Chain]) -> None:
    alike: defaultdict[str, int] = defaultdict(int)
    for chain in chains:
        content = json.dumps([chain.start, chain.path])
        digest = hashlib.sha256(content.encode()).hexdigest()[:12]
        chain.name = f"chain-{digest}-{alike[digest]}"
        alike[digest] += 1
