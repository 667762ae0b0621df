"""The sampling design: what is drawn, with which probability, and that the estimates from it are unbiased."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from bswirl.audit.estimates import Pair, rates
from bswirl.audit.records import AuditedItem, Scope, Turn
from bswirl.audit.sampling import ORDERS, Inclusion, Shares, ways
from bswirl.errors import UsageError


def item(
    number: int, *, dataset: str = "d", depth: int = 1, mark: int = 1, is_answer: bool = False
) -> AuditedItem:
    return AuditedItem(
        number, number, f"{dataset}:{number}", dataset, depth, is_answer, "", mark, True, 1, None
    )


class TestWays:
    """The coins of a request."""

    def test_the_random_coin_is_thrown_apart_from_the_others(self) -> None:
        """A fifth of the requests of an order are random draws, whatever shares repeats and overlap have."""
        for shares in (Shares(), Shares(repeats=0.5, overlap=0.5)):
            rng = random.Random(1)
            last = Counter(ways("high-stakes", shares, rng)[-1] for _ in range(20_000))
            assert last["random"] / 20_000 == pytest.approx(0.2, abs=0.01)
            assert last["random"] + last["order"] == 20_000

    @pytest.mark.parametrize("order", ["random", "depth"])
    def test_random_orders_draw_at_random_always(self, order: str) -> None:
        """Their share does not matter."""
        rng = random.Random(2)
        assert {ways(order, Shares(0.0, 0.0), rng) for _ in range(200)} == {("random",)}

    def test_wrong_words_are_refused(self) -> None:
        """Unknown orders name the known ones; shares lie in [0, 1]."""
        with pytest.raises(UsageError, match="orders are random, judge-split"):
            ways("best", Shares(), random.Random(0))
        for value in (-0.1, 1.1, math.nan):
            with pytest.raises(UsageError, match="share"):
                Shares(value)


class TestInclusion:
    """Probabilities of the random draws."""

    def test_one_scope_is_m_over_n(self) -> None:
        """Seven draws from twenty: 7/20 for each."""
        turns = [Turn(Scope(), 5, 20 - k) for k in range(7)]
        assert Inclusion(turns).of(item(1)) == pytest.approx(7 / 20)

    def test_all_drawn_is_certain(self) -> None:
        """The last draw leaves nobody out."""
        assert Inclusion([Turn(Scope(), 1, n) for n in (3, 2, 1)]).of(item(1)) == 1

    def test_scopes_and_marks_bound_what_a_draw_could_reach(self) -> None:
        """Other datasets, depths, answers and later verdicts were in no danger of being drawn."""
        turns = [Turn(Scope("d", 2), 10, 4), Turn(Scope(), 20, 10)]
        inclusion = Inclusion(turns)
        assert inclusion.of(item(1, depth=2, mark=10)) == pytest.approx(1 - 0.75 * 0.9)
        assert inclusion.of(item(1, depth=2, mark=11)) == pytest.approx(0.1)
        assert inclusion.of(item(1, depth=1)) == pytest.approx(0.1)
        assert inclusion.of(item(1, dataset="e", depth=2)) == pytest.approx(0.1)
        assert inclusion.of(item(1, mark=21)) == 0
        assert inclusion.of(item(1, is_answer=True)) == 0
        assert inclusion.of(replace(item(1), mark=None)) == 0

    def test_equals_how_often_it_happens(self) -> None:
        """Two scopes, drawn from in turn while one of them grows: shares over many tries."""
        everyone = {n: item(n, depth=1 + n % 2, mark=1 if n < 6 else 2) for n in range(10)}
        rng, tries = random.Random(3), 40_000
        hits: Counter[int] = Counter()
        turns: list[Turn] = []
        for _ in range(tries):
            turns, drawn = [], {Scope(): set[int](), Scope(depth=1): set[int]()}
            for scope, mark in ((Scope(), 1), (Scope(depth=1), 1), (Scope(), 2), (Scope(), 2)):
                left = [
                    n
                    for n, one in everyone.items()
                    if one.mark is not None
                    and one.mark <= mark
                    and scope.holds("d", one.depth, False)
                    and n not in drawn[scope]
                ]
                turns.append(Turn(scope, mark, len(left)))
                drawn[scope].add(rng.choice(left))
            hits.update(set().union(*drawn.values()))
        inclusion = Inclusion(turns)
        for n, one in everyone.items():
            chance = inclusion.of(one)
            assert hits[n] / tries == pytest.approx(chance, abs=4 * math.sqrt(chance * (1 - chance) / tries))


@dataclass(frozen=True)
class Step:
    """A step of a simulated population."""

    question: int
    said: bool
    truth: bool
    stakes: float


def population(rng: random.Random, size: int) -> list[Step]:
    """Steps in questions of four, where the judge errs most where the stakes are high."""
    steps = []
    for n in range(size):
        stakes = rng.random()
        truth = rng.random() < 0.75
        wrong = rng.random() < (0.45 if stakes > 0.6 else 0.08)
        steps.append(Step(n // 4, truth != wrong, truth, stakes))
    return steps


def audit(steps: list[Step], requests: int, rng: random.Random) -> tuple[list[Pair], list[Pair]]:
    """A simulated audit in order of stakes: pairs of the random draws, weighted, and of all labels."""
    by_stakes = sorted(range(len(steps)), key=lambda n: -steps[n].stakes)
    labelled: set[int] = set()
    drawn: list[int] = []
    turns: list[Turn] = []
    for _ in range(requests):
        if ways("high-stakes", Shares(0.2, 0.0), rng) == ("random",):
            left = [n for n in range(len(steps)) if n not in drawn]
            turns.append(Turn(Scope(), 1, len(left)))
            drawn.append(rng.choice(left))
            if drawn[-1] not in labelled:
                labelled.add(drawn[-1])
                continue
        labelled.add(next(n for n in by_stakes if n not in labelled))
    weight = 1 / Inclusion(turns).of(item(1)) if turns else 1.0

    def pairs(chosen: set[int] | list[int], weight: float) -> list[Pair]:
        return [Pair(steps[n].said, steps[n].truth, steps[n].question, weight) for n in chosen]

    return pairs(drawn, weight), pairs(labelled, 1.0)


def mean_and_error(values: list[float]) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1) / len(values))


class TestUnbiased:
    """Rates from the random draws of a biased order, over many simulated audits."""

    @pytest.mark.parametrize("rate", ["accuracy", "tnr", "tpr"])
    def test_the_random_draws_are_unbiased_and_all_labels_are_not(self, rate: str) -> None:
        """In order of stakes, half of the population audited: many steps are reached both ways."""
        steps = population(random.Random(4), 160)
        everyone = [Pair(s.said, s.truth, s.question) for s in steps]
        truth = getattr(rates(everyone), rate).value
        rng = random.Random(5)
        reported, naive = [], []
        for _ in range(2500):
            drawn, labelled = audit(steps, 80, rng)
            found, biased = value_of(drawn, rate), value_of(labelled, rate)
            if found is not None and biased is not None:
                reported.append(found)
                naive.append(biased)
        assert value_of(drawn, rate) == getattr(rates(drawn), rate).value
        assert len(reported) > 2400
        mean, error = mean_and_error(reported)
        assert abs(mean - truth) < 3 * error
        mean, error = mean_and_error(naive)
        assert abs(mean - truth) > 20 * error

    def test_totals_are_unbiased_while_the_population_grows(self) -> None:
        """Steps that were judged later carry larger weights: Σ w·wrong hits the number of wrong verdicts."""
        steps = population(random.Random(6), 120)
        wrong = sum(step.said != step.truth for step in steps)
        rng = random.Random(7)
        totals, unweighted = [], []
        for _ in range(4000):
            turns: list[Turn] = []
            drawn: list[int] = []
            for turn in range(30):
                mark = 1 if turn < 20 else 2
                left = [n for n in range(120 if mark == 2 else 60) if n not in drawn]
                turns.append(Turn(Scope(), mark, len(left)))
                drawn.append(rng.choice(left))
            inclusion = Inclusion(turns)
            weights = {mark: 1 / inclusion.of(item(1, mark=mark)) for mark in (1, 2)}
            errors = [n for n in drawn if steps[n].said != steps[n].truth]
            totals.append(math.fsum(weights[1 if n < 60 else 2] for n in errors))
            unweighted.append(len(errors) * 120 / 30)
        mean, error = mean_and_error(totals)
        assert abs(mean - wrong) < 3 * error
        mean, error = mean_and_error(unweighted)
        assert abs(mean - wrong) > 5 * error

    def test_intervals_cover(self) -> None:
        """The reported 95 % interval of the accuracy holds the truth in at least 93 % of the audits."""
        steps = population(random.Random(8), 400)
        truth = sum(s.said == s.truth for s in steps) / len(steps)
        rng = random.Random(9)
        held = 0
        for _ in range(400):
            drawn, _labelled = audit(steps, 150, rng)
            estimate = rates(drawn).accuracy
            assert estimate.low is not None
            assert estimate.high is not None
            held += estimate.low <= truth <= estimate.high
        assert held / 400 > 0.93


def value_of(pairs: list[Pair], rate: str) -> float | None:
    """The estimator's rate without its intervals, which would take most of the time."""
    chosen: Callable[[Pair], bool] = {
        "accuracy": lambda pair: True,
        "tpr": lambda pair: pair.truth,
        "tnr": lambda pair: not pair.truth,
    }[rate]
    kept = [pair for pair in pairs if chosen(pair)]
    total = math.fsum(pair.weight for pair in kept)
    return math.fsum(pair.weight for pair in kept if pair.said == pair.truth) / total if kept else None


class TestOrders:
    def test_all_orders_are_named(self) -> None:
        """The six of the manual."""
        assert set(ORDERS) == {
            "random",
            "judge-split",
            "judge-reference",
            "high-stakes",
            "depth",
            "unaudited",
        }
