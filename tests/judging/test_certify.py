"""Certifying judges: known results, a plain version, and the reference judge on the real file."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Generator, Sequence
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.certificates import LEAST_STEPS, Certificate, CertifiedRates, Estimate, Rates, certified_rates
from bswirl.errors import UsageError
from bswirl.formats.gsm8k import read_gsm8k
from bswirl.formats.processbench import Benchmark, LabelledSolution, read_processbench
from bswirl.judging.catalogue import ANSWER_CHECK, REFERENCE
from bswirl.judging.certify import certify, drawn, gold_solutions, processbench_f1, question_key
from bswirl.judging.judgement import Judgement
from bswirl.judging.stepwise import StepJudge, StepToJudge, step_judge
from bswirl.records import NewQuestion
from bswirl.statistics import clustered_wilson_interval, cohen_kappa
from tests.certified import a_certificate

SHARED = Path(__file__).parents[3] / "shared" / "data"

# What a scripted judge says: correct and progress, correct alone, wrong with progress, wrong alone, nothing.
SAID = {"+": (True, True), "c": (True, False), "p": (False, True), "-": (False, False), "?": (None, None)}


def scripted(said: Sequence[str], *, backwards: bool = False, lost: bool = False) -> StepJudge:
    """A judge that says what is written for each step, in the order of the file."""

    def judge(steps: Sequence[StepToJudge]) -> Generator[tuple[int, Judgement], None, None]:
        verdicts = [SAID[sign] for signs in said for sign in signs]
        assert len(verdicts) == len(steps)
        places = range(len(steps))
        for place in reversed(places) if backwards else places:
            if not (lost and verdicts[place][0] is None):
                yield place, Judgement(*verdicts[place], "")

    return judge


def solution(label: int, steps: int, problem: str = "P") -> LabelledSolution:
    return LabelledSolution(problem, tuple(f"step {n}" for n in range(steps)), label, 1)


def certified(solutions: Sequence[LabelledSolution], judge: StepJudge, **gold: str) -> Certificate:
    benchmark = Benchmark(list(solutions), [], "sha")
    return certify(REFERENCE, judge, benchmark, name="processbench", file="f.json", gold=gold)


def counts(rates: Rates) -> tuple[int, int, int, int]:
    return rates.true_positive, rates.false_negative, rates.false_positive, rates.true_negative


class TestKnownResults:
    """Six solutions, worked out by hand."""

    SOLUTIONS = (
        solution(-1, 3, "A"),  # judged right throughout: matched
        solution(-1, 2, "A"),  # a false alarm at its second step
        solution(1, 4, "B"),  # the error is seen; its last two steps have no label
        solution(2, 3, "C"),  # a false alarm before the error, which is seen too
        solution(0, 2, "D"),  # the error is missed
        solution(1, 2, "E"),  # no verdict before the error: open
    )
    SIGNS = ("++c", "+-", "+p", "+-p", "+", "?-")

    @pytest.mark.parametrize("way", [{}, {"backwards": True}, {"lost": True}])
    def test_figures(self, way: dict[str, bool]) -> None:
        """In whatever order verdicts come, and whether an unjudged step is told or never comes."""
        found = certified(self.SOLUTIONS, scripted(self.SIGNS, **way))
        assert (found.solutions, found.erroneous, found.questions, found.undetermined) == (6, 4, 5, 1)
        assert found.accuracy_correct.value == 1 / 2
        assert found.accuracy_erroneous.value == 1 / 4
        assert found.f1.value == pytest.approx(2 * (1 / 2) * (1 / 4) / (1 / 2 + 1 / 4))
        assert found.labelled == 3 + 2 + 2 + 3 + 1 + 2
        assert found.overall.unjudged == 1
        assert counts(found.overall.steps) == (6, 2, 1, 3)
        assert counts(found.overall.progress) == (5, 0, 1, 2)
        assert found.overall.steps.tpr.value == 6 / 8
        assert found.overall.steps.tnr.value == 3 / 4
        assert found.overall.steps.fpr.value == 1 / 4
        assert found.overall.steps.fnr.value == 2 / 8
        assert found.kappa.value == pytest.approx(cohen_kappa(6, 2, 1, 3))

    def test_by_depth(self) -> None:
        """A step's number is its depth; what no step of a kind was seen of has no rate."""
        found = certified(self.SOLUTIONS, scripted(self.SIGNS))
        assert [at.depth for at in found.depths] == [1, 2, 3]
        assert [counts(at.steps) for at in found.depths] == [(4, 0, 1, 0), (1, 2, 0, 2), (1, 0, 0, 1)]
        assert [at.unjudged for at in found.depths] == [1, 0, 0]
        assert found.depths[2].progress.tpr.value is None
        assert found.depths[2].progress.tnr.value == 1.0

    def test_intervals_take_questions_as_clusters(self) -> None:
        """The two solutions to question A are one cluster."""
        found = certified(self.SOLUTIONS, scripted(self.SIGNS))
        agreed = [True, True, True, True, False, True, True, False]
        clusters = ["A", "A", "A", "A", "A", "B", "C", "C"]
        tpr = found.overall.steps.tpr
        assert (tpr.low, tpr.high) == clustered_wilson_interval(agreed, clusters)
        fnr = found.overall.steps.fnr
        assert (fnr.low, fnr.high) == pytest.approx((1 - (tpr.high or 0), 1 - (tpr.low or 0)))
        low, high = clustered_wilson_interval([True, False], ["A", "A"])
        assert (found.accuracy_correct.low, found.accuracy_correct.high) == (low, high)

    def test_what_the_judge_gets_to_see(self) -> None:
        """Question, the gold solution where there is one, the steps before, and no step without a label."""
        seen: list[StepToJudge] = []

        def judge(steps: Sequence[StepToJudge]) -> Generator[tuple[int, Judgement], None, None]:
            seen.extend(steps)
            yield from ()

        found = certified([solution(1, 4, "B  b\n"), solution(-1, 1, "C")], judge, **{"B b": "2+2=4"})
        assert seen == [
            StepToJudge("B  b\n", "2+2=4", (), "step 0"),
            StepToJudge("B  b\n", "2+2=4", ("step 0",), "step 1"),
            StepToJudge("C", None, (), "step 0"),
        ]
        assert (found.with_gold, found.undetermined, found.overall.unjudged) == (1, 2, 3)
        assert found.kappa.value is None
        assert found.f1.value == 0.0

    def test_of_one_kind_alone(self) -> None:
        """Without erroneous solutions there is no F1 and no TNR."""
        found = certified([solution(-1, 2)], scripted(["++"]))
        assert (found.f1.value, found.accuracy_erroneous.value, found.overall.steps.tnr.value) == (None,) * 3
        assert found.accuracy_correct.value == 1.0

    def test_progress_is_told(self) -> None:
        """How many verdicts came, of how many."""
        told: list[tuple[int, int]] = []
        benchmark = Benchmark([solution(-1, 3)], [], "sha")
        certify(
            REFERENCE,
            scripted(["++-"]),
            benchmark,
            name="n",
            file="f",
            gold={},
            told=lambda *at: told.append(at),
        )
        assert told == [(1, 3), (2, 3), (3, 3)]


@st.composite
def judged(draw: st.DrawFn) -> tuple[list[LabelledSolution], list[str]]:
    solutions = []
    for _ in range(draw(st.integers(1, 8))):
        steps = draw(st.integers(1, 5))
        label = draw(st.integers(-1, steps - 1))
        solutions.append(solution(label, steps, draw(st.sampled_from("ABC"))))
    return solutions, [
        "".join(draw(st.sampled_from("+cp-?")) for _ in range(made.labelled)) for made in solutions
    ]


class TestPlainVersion:
    """The same figures from their definitions, solution by solution and step by step."""

    @given(judged())
    def test_processbench_figures(self, drawn: tuple[list[LabelledSolution], list[str]]) -> None:
        """The predicted index must equal the label; a prediction with an unread verdict before it is none."""
        solutions, signs = drawn
        matched: dict[bool, list[bool]] = {True: [], False: []}
        for made, said in zip(solutions, signs, strict=True):
            first = min((said.index(sign) for sign in "p-" if sign in said), default=-1)
            readable = "?" not in (said if first < 0 else said[:first])
            matched[made.label >= 0].append(readable and first == made.label)
        found = certified(solutions, scripted(signs))
        for kind, estimate in ((True, found.accuracy_erroneous), (False, found.accuracy_correct)):
            expected = sum(matched[kind]) / len(matched[kind]) if matched[kind] else None
            assert estimate.value == expected
        if matched[True] and matched[False]:
            parts = [Fraction(sum(kind), len(kind)) for kind in matched.values()]
            harmonic = 2 / sum(1 / part for part in parts) if all(parts) else 0
            assert found.f1.value == pytest.approx(float(harmonic))
            if found.f1.low is not None and found.f1.high is not None:
                assert 0 <= found.f1.low < found.f1.high <= 1
                assert found.questions > 1
        else:
            assert found.f1.value is None

    @given(judged())
    def test_step_counts(self, drawn: tuple[list[LabelledSolution], list[str]]) -> None:
        """Every labelled step is in one place of its depth's table, or unjudged; depths add up."""
        solutions, signs = drawn
        table = {(depth, truth, sign): 0 for depth in range(6) for truth in (True, False) for sign in SAID}
        for made, said in zip(solutions, signs, strict=True):
            for place, sign in enumerate(said):
                table[place + 1, place != made.label, sign] += 1
        found = certified(solutions, scripted(signs))
        for at in found.depths:
            depth = at.depth or 0

            def of(truth: bool, *wanted: str, depth: int = depth) -> int:
                return sum(table[depth, truth, sign] for sign in wanted)

            assert counts(at.steps) == (
                of(True, "+", "c"),
                of(True, "-", "p"),
                of(False, "+", "c"),
                of(False, "-", "p"),
            )
            assert counts(at.progress) == (of(True, "+"), of(True, "p"), of(False, "+"), of(False, "p"))
            assert at.unjudged == of(True, "?") + of(False, "?")
        summed = [sum(column) for column in zip(*(counts(at.steps) for at in found.depths), strict=True)]
        assert summed == list(counts(found.overall.steps))
        assert found.labelled == sum(map(len, signs))

    def test_f1_of_no_match_and_of_one_kind(self) -> None:
        """0 where both accuracies are 0 or one is; undefined without solutions of a kind."""
        assert processbench_f1([0, 4, 0, 3]) == processbench_f1([4, 4, 0, 3]) == 0.0
        assert processbench_f1([2, 4, 3, 4]) == pytest.approx(0.6)
        assert math.isnan(processbench_f1([0, 0, 1, 1]))


class TestGold:
    def test_questions_match_however_they_are_spaced(self) -> None:
        """Line ends and double blanks do not matter, letters do; the first of equal questions counts."""
        gold = gold_solutions(
            [
                NewQuestion("d", "test", "1", "A  b\nc ", "1", "first"),
                NewQuestion("d", "test", "2", "A b c", "1", "second"),
                NewQuestion("d", "test", "3", "other", "1", None),
            ]
        )
        assert gold == {"A b c": "first"}
        assert question_key("\tA b\u00a0c\r\n") == "A b c"
        assert question_key("a b c") not in gold

    def test_their_content_is_hashed(self) -> None:
        """The same solutions give the same hash; others another; none gives none."""
        made = [solution(-1, 1, "A"), solution(-1, 1, "B")]
        hashes = [
            certified(made, scripted(["+", "+"]), **gold).solutions_sha
            for gold in ({"A": "x", "other": "y"}, {"A": "x"}, {"A": "y"}, {"B": "x"}, {}, {"other": "x"})
        ]
        assert hashes[0] == hashes[1] is not None
        assert len(set(hashes[1:4])) == 3
        assert hashes[4:] == [None, None]


class TestTrials:
    """A part of a file."""

    SOLUTIONS = tuple(solution(place - 1 if place < 4 else -1, 3, f"P{place}") for place in range(12))

    def certified(self, limit: int | None, seen: list[str]) -> Certificate:
        def judge(steps: Sequence[StepToJudge]) -> Generator[tuple[int, Judgement], None, None]:
            seen.extend(step.question for step in steps)
            return ((place, Judgement(True, True, "")) for place in range(len(steps)))

        benchmark = Benchmark(list(self.SOLUTIONS), [], "sha")
        spec = dataclasses.replace(REFERENCE, votes=3)
        return certify(spec, judge, benchmark, name="b", file="f", gold={}, limit=limit)

    @given(st.integers(1, 11))
    def test_says_of_how_many_it_is(self, limit: int) -> None:
        """Only drawn solutions are asked about, in the file's order; a larger trial holds a smaller one."""
        seen: list[str] = []
        more: list[str] = []
        found = self.certified(limit, seen)
        assert (found.solutions, found.file_solutions, found.questions, found.votes) == (limit, 12, limit, 3)
        assert found.is_part
        assert list(dict.fromkeys(seen)) == sorted(set(seen), key=lambda name: int(name[1:]))
        self.certified(limit + 1, more)
        assert set(seen) < set(more)

    def test_a_sorted_file_is_mixed(self) -> None:
        """A file's first solutions are often all of one kind; a draw is of both."""
        drawn_ones = drawn([solution(0, 1)] * 200 + [solution(-1, 1)] * 200, 60)
        assert 20 < sum(one.label == 0 for one in drawn_ones) < 40

    @pytest.mark.parametrize("limit", [None, 12, 100])
    def test_the_whole_file(self, limit: int | None) -> None:
        assert not self.certified(limit, []).is_part

    def test_nothing_is_corrected_by_it(self) -> None:
        """However many steps it has."""
        assert certified_rates(a_certificate())
        assert certified_rates(a_certificate(solutions=39)) == ()


class TestDoubt:
    """Intervals of figures that resamples cannot vary."""

    def test_one_question(self) -> None:
        """Resamples of one cluster are all alike: no interval, rather than one without width."""
        found = certified([solution(-1, 2), solution(0, 1)], scripted(["+p", "-"]))
        assert found.f1.value == 0.0
        assert (found.f1.low, found.f1.high, found.kappa.low, found.kappa.high) == (None,) * 4

    def test_a_judge_without_errors(self) -> None:
        """No error among few does not say that there are none: rates have Wilson's bound, F1 has none."""
        solutions = [solution(-1 if place % 2 else 0, 1, f"P{place}") for place in range(10)]
        found = certified(solutions, scripted(["+" if place % 2 else "-" for place in range(10)]))
        assert (found.f1, found.kappa) == (Estimate(1.0), Estimate(1.0))
        assert 0.5 < (found.overall.steps.tpr.low or 0) < 0.6


class TestReferenceJudge:
    def test_sees_arithmetic_and_operands(self) -> None:
        """A wrong sum is found at its step; a misread question is not."""
        text = "Nia sells 48 clips in April and half as many in May. How many clips does she sell?"
        right = ("Half of 48 is 48/2=24 clips.", "Together 48+24=72 clips.")
        solutions = [
            LabelledSolution(text, right, -1, 1),
            LabelledSolution(text, (right[0], "Together 48+24=73 clips.", "So 73."), 1, 2),
            LabelledSolution(text, ("In May she sells 48*2=96.", "Together 48+96=144."), 0, 3),
        ]
        found = certified(solutions, step_judge(REFERENCE))
        assert counts(found.overall.steps) == (3, 0, 1, 1)
        assert (found.accuracy_correct.value, found.accuracy_erroneous.value) == (1.0, 0.5)
        gold = {question_key(text): "In May <<48/2=24>>24.\nTogether <<48+24=72>>72."}
        misread = certified(solutions, step_judge(REFERENCE), **gold).depths[0].progress
        assert counts(misread) == (2, 0, 0, 0)  # 48*2 is no step of the gold solution

    def test_others_do_not_judge_steps(self) -> None:
        """The answer check is refused by name."""
        with pytest.raises(UsageError, match="answer-check judges final answers alone"):
            step_judge(ANSWER_CHECK)

    @pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not beside this checkout")
    def test_on_the_real_file(self) -> None:
        """It seldom calls a right step wrong and misses most errors; gold solutions change progress alone."""
        benchmark = read_processbench(SHARED / "processbench" / "gsm8k.json")
        questions = read_gsm8k(SHARED / "gsm8k" / "test.jsonl")[0]
        found = [
            certify(REFERENCE, step_judge(REFERENCE), benchmark, name="processbench", file="f", gold=gold)
            for gold in ({}, gold_solutions(questions))
        ]
        assert [one.with_gold for one in found] == [0, 400]
        for one in found:
            assert (one.solutions, one.erroneous, one.questions, one.labelled) == (400, 207, 375, 1568)
            assert one.overall.unjudged == one.undetermined == 0
            assert one.accuracy_correct.value is not None
            assert one.accuracy_correct.value > 0.97
            assert (one.overall.steps.tpr.value or 0) > 0.99
            assert 0.1 < (one.overall.steps.tnr.value or 0) < 0.3
            assert 0.2 < (one.f1.value or 0) < 0.4
        assert counts(found[0].overall.steps) == counts(found[1].overall.steps)
        assert found[0].overall.progress.wrong > found[1].overall.progress.wrong


class TestCertifiedRates:
    """What rewards may be corrected with."""

    def test_rates_of_steps_that_make_progress(self) -> None:
        """Overall, and at the depths that have enough correct and wrong steps of their own."""
        enough = Rates(LEAST_STEPS - 10, 10, 20, LEAST_STEPS - 20)
        few = Rates(LEAST_STEPS - 1, 0, 20, LEAST_STEPS)
        found = certified_rates(a_certificate(overall=enough, depths=(few, enough, Rates())))
        fpr, fnr = 20 / LEAST_STEPS, 10 / LEAST_STEPS
        assert found == (
            CertifiedRates("reference", None, fpr, fnr),
            CertifiedRates("reference", 2, fpr, fnr),
        )

    def test_none_on_few_steps(self) -> None:
        """A file with hardly any wrong step says nothing of FPR."""
        assert certified_rates(a_certificate(overall=Rates(1000, 10, 1, LEAST_STEPS - 2))) == ()
