"""Auditors against each other and against themselves, and what seeing the judge did to their votes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from bswirl.audit.estimates import Agreement, Pair, agreement
from bswirl.audit.records import DECIDED, AuditedItem, Vote
from bswirl.certificates import Estimate
from bswirl.statistics import wilson_interval


@dataclass(frozen=True, slots=True)
class AuditorPair:
    """Two auditors on the actions that both decided."""

    first: str
    second: str
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class AuditorSelf:
    """One auditor's hidden repeats: the first vote against the later one."""

    auditor: str
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class RevealMeter:
    """How one auditor votes: blind votes of 1 or 0, how often the reveal turned them, and their time."""

    auditor: str
    labelled: int  # actions with a label of theirs in force
    reveals: int
    turned: int
    share: Estimate  # turned of reveals
    median_seconds: float | None


def pairs_of_auditors(items: Sequence[AuditedItem], *, blind: bool = False) -> tuple[AuditorPair, ...]:
    """Every two auditors who decided some action both, by name; with `blind` before they saw the judge.

    An adjudication is no vote of its own: it came after a look at the others'. A skip takes back nothing.
    """
    found: defaultdict[tuple[str, str], list[Pair]] = defaultdict(list)
    for item in items:
        newest = {
            vote.auditor: vote
            for vote in item.votes
            if not (
                vote.withdrawn or vote.adjudicates or vote.value == "skip" or (blind and not is_blind(vote))
            )
        }
        words = {auditor: vote.value == "1" for auditor, vote in newest.items() if vote.value in DECIDED}
        for first, second in combinations(sorted(words), 2):
            found[first, second].append(Pair(words[first], words[second], item.question_id))
    return tuple(AuditorPair(*names, agreement(pairs)) for names, pairs in sorted(found.items()))


def consistency(items: Sequence[AuditedItem]) -> tuple[AuditorSelf, ...]:
    """Each auditor's repeats: the first vote on the step as it was shown before, and as it came again.

    What the reveal made of the vote before is the judge's doing. A vote that was withdrawn does not count.
    """
    found: defaultdict[str, list[Pair]] = defaultdict(list)
    for item in items:
        by_uid = {vote.client_uid: vote for vote in item.votes}
        for vote in item.votes:
            named = by_uid.get(vote.repeats or "")
            first = _first_vote(item, named) if named is not None else None
            if first is not None and _decides(first) and _decides(vote):
                found[vote.auditor].append(Pair(first.value == "1", vote.value == "1", item.question_id))
    return tuple(AuditorSelf(name, agreement(pairs)) for name, pairs in sorted(found.items()))


def _first_vote(item: AuditedItem, vote: Vote) -> Vote | None:
    """What stands of an auditor's votes before the reveal, in the showing that `vote` belongs to."""
    if vote.draw_id is None:
        return vote
    same = (vote.auditor, vote.draw_id)
    standing = (
        one
        for one in item.votes
        if (one.auditor, one.draw_id) == same and not (one.withdrawn or one.after_reveal)
    )
    return next(standing, None)


def reveal_meters(items: Sequence[AuditedItem]) -> tuple[RevealMeter, ...]:
    """Each auditor's meter. A vote that its auditor took back is no reveal."""
    labelled: defaultdict[str, int] = defaultdict(int)
    reveals: defaultdict[str, list[bool]] = defaultdict(list)
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    for item in items:
        by_draw: defaultdict[tuple[str, int], list[Vote]] = defaultdict(list)
        for vote in item.votes:
            labelled[vote.auditor] += vote.newest
            if vote.draw_id is not None and not vote.withdrawn:
                by_draw[vote.auditor, vote.draw_id].append(vote)
        for (auditor, _), votes in by_draw.items():
            first = next(filter(is_blind, votes), None)
            if first is None:
                continue
            if first.seconds is not None:
                seconds[auditor].append(first.seconds)
            if _decides(first):
                later = [vote for vote in votes if vote.after_reveal and vote.value != "skip"]
                turned = bool(later) and _decides(later[-1]) and later[-1].value != first.value
                reveals[auditor].append(turned)
    return tuple(_meter(name, labelled[name], reveals[name], seconds[name]) for name in sorted(labelled))


def _meter(auditor: str, labelled: int, turned: list[bool], seconds: list[float]) -> RevealMeter:
    share = Estimate()
    if turned:
        share = Estimate(sum(turned) / len(turned), *wilson_interval(sum(turned), len(turned)))
    middle = median(seconds) if seconds else None
    return RevealMeter(auditor, labelled, len(turned), sum(turned), share, middle)


def is_blind(vote: Vote) -> bool:
    """Whether its auditor had not seen the judge of that step: a repeat always comes after its reveal."""
    return bool(vote.blind) and not vote.after_reveal and vote.repeats is None


def _decides(vote: Vote) -> bool:
    return not vote.withdrawn and vote.value in DECIDED
