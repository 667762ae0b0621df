"""The audit report: a judge held against people from the random draws, people against each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bswirl.audit.auditors import (
    AuditorPair,
    AuditorSelf,
    RevealMeter,
    consistency,
    is_blind,
    pairs_of_auditors,
    reveal_meters,
)
from bswirl.audit.estimates import Pair, Rates, rates
from bswirl.audit.records import DECIDED, AuditedItem, AuditRecord, Effect, Vote
from bswirl.audit.sampling import Inclusion
from bswirl.errors import InputError, UsageError
from bswirl.records import Judge

GROUPINGS = ("judge", "prompt", "depth")
VOTES = ("final", "blind")
CELLS = ("judge1-human1", "judge1-human0", "judge0-human1", "judge0-human0")
IN_FORCE = "in force"  # the verdict that decides, whoever gave it

Truth = Callable[[AuditedItem], bool | None]
Word = Callable[[AuditedItem], bool | None]


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One judge (or the verdicts in force), at one depth or all, against people."""

    judge: str
    model: str | None
    prompt_sha: str | None
    depth: int | None
    random: Rates  # from the random draws, weighted: what to report
    labelled: Rates  # from all labels as they are: biased by how the steps were chosen
    cells: dict[str, int]  # of all labels
    left: int | None = None  # further random draws that the project has; None where that was not counted


@dataclass(frozen=True, slots=True)
class Drawn:
    """What became of the random draws, by the votes that count; only `decided` ones are in the rates."""

    drawn: int
    decided: int
    undecided: int  # only unsure or skipped
    conflict: int
    waiting: int  # without any such label
    open: int  # of the decided ones, labelled by nobody blind


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Everything that `bswirl audit report` says."""

    by: str
    votes: str
    labelled: int  # actions that people decided
    drawn: Drawn
    rows: tuple[ReportRow, ...]
    pairs: tuple[AuditorPair, ...]
    consistency: tuple[AuditorSelf, ...]
    reveals: tuple[RevealMeter, ...]
    effect: Effect


@dataclass(frozen=True, slots=True)
class _Row:
    judge: str
    model: str | None
    prompt_sha: str | None
    depth: int | None
    word: Word
    judges: frozenset[int]  # whose verdicts these are


def make_report(
    record: AuditRecord, *, by: str = "judge", judge: str | None = None, votes: str = "final"
) -> AuditReport:
    """The report by judge, by prompt (a judge's versions apart) or by depth of the step.

    `votes`: `final` are the labels in force, `blind` only what auditors said before they saw the judge.
    Raises UsageError on unknown words, InputError on an unknown judge.
    """
    if by not in GROUPINGS:
        raise UsageError(f"there is no report by `{by}`", f"by {', '.join(GROUPINGS)}")
    truth = _truth(votes)
    inclusion = Inclusion(record.turns)
    states = {item.action_id: _state(item, votes) for item in record.items if item.drawn}
    rows = [
        replace(
            _row(row, record.items, truth, inclusion),
            left=_left(row, record, states),
        )
        for row in _rows(record, by, judge)
    ]
    return AuditReport(
        by=by,
        votes=votes,
        labelled=sum(truth(item) is not None for item in record.items),
        drawn=_drawn(record.items, states),
        rows=tuple(row for row in rows if row is rows[0] or row.labelled.n or row.judge == IN_FORCE),
        pairs=pairs_of_auditors(record.items, blind=votes == "blind"),
        consistency=consistency(record.items),
        reveals=reveal_meters(record.items),
        effect=record.effect,
    )


def cell_items(
    record: AuditRecord, cell: str, *, judge: str | None = None, votes: str = "final"
) -> list[AuditedItem]:
    """The labelled actions of one cell of the confusion matrix, by number.

    Raises UsageError on an unknown cell, InputError on an unknown judge.
    """
    if cell not in CELLS:
        raise UsageError(f"`{cell}` is no cell", f"cells are {', '.join(CELLS)}")
    truth, word = _truth(votes), _word(record.judges, judge)
    return [item for item in record.items if _cell(word(item), truth(item)) == cell]


def row_items(record: AuditRecord, row: ReportRow, cell: str, *, votes: str = "final") -> list[AuditedItem]:
    """The labelled actions of one cell of a row's own confusion matrix, by number."""
    truth = _truth(votes)
    word: Word = _in_force
    if row.prompt_sha is not None:
        same = (row.judge, row.model, row.prompt_sha)
        word = _said_by([one for one in record.judges if (one.name, one.model, one.prompt_sha) == same])
    elif row.judge != IN_FORCE:
        word = _word(record.judges, row.judge)
    items = [item for item in record.items if row.depth in (None, item.depth)]
    return [item for item in items if _cell(word(item), truth(item)) == cell]


def _cell(said: bool | None, truth: bool | None) -> str | None:
    return None if said is None or truth is None else f"judge{said:d}-human{truth:d}"


def _row(row: _Row, items: Sequence[AuditedItem], truth: Truth, inclusion: Inclusion) -> ReportRow:
    drawn, labelled = [], []
    cells = Counter(dict.fromkeys(CELLS, 0))
    for item in items:
        said, right = row.word(item), truth(item)
        if said is None or right is None or row.depth not in (None, item.depth):
            continue
        cells[f"judge{said:d}-human{right:d}"] += 1
        labelled.append(Pair(said, right, item.question_id))
        if item.drawn and (chance := inclusion.of(item)) > 0:
            drawn.append(Pair(said, right, item.question_id, 1 / chance))
    return ReportRow(
        row.judge, row.model, row.prompt_sha, row.depth, rates(drawn), rates(labelled), dict(cells)
    )


def _left(row: _Row, record: AuditRecord, states: Mapping[int, str]) -> int | None:
    """How many more random draws a row can get: of the scopes drawn from, what was not drawn or decided."""
    if not record.judged:
        return None
    scopes = {turn.scope for turn in record.turns}
    judged = sum(
        kind.actions
        for kind in record.judged
        if row.depth in (None, kind.depth)
        and not row.judges.isdisjoint(kind.judges)
        and any(scope.holds(kind.dataset, kind.depth, kind.is_answer) for scope in scopes)
    )
    spent = sum(
        states.get(item.action_id) in ("decided", "undecided")
        for item in record.items
        if row.depth in (None, item.depth) and row.word(item) is not None
    )
    return max(0, judged - spent)


def _rows(record: AuditRecord, by: str, judge: str | None) -> Iterable[_Row]:
    """The rows: first all depths together, then the parts."""
    chosen = [one for one in record.judges if judge in (None, one.name)]
    heard = [one for one in chosen if judge is not None or one.rank is not None]
    whole = _Row(judge or IN_FORCE, None, None, None, _word(record.judges, judge), _numbers(heard))
    if by == "prompt":
        parts = [
            _Row(one.name, one.model, one.prompt_sha, None, _said_by([one]), _numbers([one]))
            for one in chosen
        ]
    elif by == "depth":
        depths = sorted({item.depth for item in record.items})
        parts = [replace(whole, depth=depth) for depth in depths]
    else:
        names = dict.fromkeys(one.name for one in chosen)
        parts = [
            _Row(
                name,
                None,
                None,
                None,
                _word(record.judges, name),
                _numbers(one for one in chosen if one.name == name),
            )
            for name in names
        ]
        if judge is not None:
            parts = []
    return [whole, *parts]


def _numbers(judges: Iterable[Judge]) -> frozenset[int]:
    return frozenset(judge.judge_id for judge in judges)


def _word(judges: Sequence[Judge], name: str | None) -> Word:
    """What the verdict in force says, or a judge's: its ranked versions first, then the newest."""
    if name is None:
        return _in_force
    versions = [judge for judge in judges if judge.name == name]
    if not versions:
        known = ", ".join(sorted({judge.name for judge in judges})) or "none yet"
        raise InputError(f"no judge `{name}` has given a verdict here", f"known judges: {known}")
    versions.sort(key=lambda judge: (judge.rank is None, judge.rank or 0, -judge.judge_id))
    return _said_by(versions)


def _in_force(item: AuditedItem) -> bool | None:
    for said in item.said:
        if said.judge_id == item.deciding:
            return said.reward >= 0.5
    return None


def _said_by(versions: Sequence[Judge]) -> Word:
    order = {judge.judge_id: place for place, judge in enumerate(versions)}

    def word(item: AuditedItem) -> bool | None:
        said = [one for one in item.said if one.judge_id in order]
        return min(said, key=lambda one: order[one.judge_id]).reward >= 0.5 if said else None

    return word


def _truth(votes: str) -> Truth:
    if votes not in VOTES:
        raise UsageError(f"`{votes}` are no votes", f"votes are {', '.join(VOTES)}")
    return _final if votes == "final" else _blind


def _final(item: AuditedItem) -> bool | None:
    return None if item.truth is None else item.truth >= 0.5


def _blind(item: AuditedItem) -> bool | None:
    """What all auditors' newest blind votes agree on."""
    words = _blind_words(item)
    return words.pop() == "1" if len(words) == 1 else None


def _blind_words(item: AuditedItem) -> set[str]:
    """The auditors' newest blind votes of 1 or 0. A skip takes back nothing, an unsure does."""
    newest = {vote.auditor: vote.value for vote in _blind_votes(item) if vote.value != "skip"}
    return set(newest.values()).intersection(DECIDED)


def _blind_votes(item: AuditedItem) -> list[Vote]:
    return [vote for vote in item.votes if is_blind(vote) and not vote.withdrawn]


def _state(item: AuditedItem, votes: str) -> str:
    """What became of a random draw, as one of the names of `Drawn`."""
    if _truth(votes)(item) is not None:
        return "decided"
    if votes == "blind":
        conflict, labelled = len(_blind_words(item)) > 1, bool(_blind_votes(item))
    else:
        conflict, labelled = item.conflict, any(vote.newest for vote in item.votes)
    return "conflict" if conflict else "undecided" if labelled else "waiting"


def _drawn(items: Sequence[AuditedItem], states: Mapping[int, str]) -> Drawn:
    decided = [item for item in items if states.get(item.action_id) == "decided"]
    counts = Counter(states.values())
    return Drawn(
        drawn=len(states),
        decided=len(decided),
        undecided=counts["undecided"],
        conflict=counts["conflict"],
        waiting=counts["waiting"],
        open=sum(not _blind_votes(item) for item in decided),
    )
