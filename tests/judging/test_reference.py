"""The reference judge: correct, progress, and its reasons."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.judging.judgement import Judgement
from bswirl.judging.reference import ReferenceJudge
from bswirl.problems import make_problems, solution_steps

SHARED = Path(__file__).parents[3] / "shared" / "data"
CLIPS = "Natalia sold 48 clips in April and half as many in May. How many did she sell altogether?"
CLIPS_SOLUTION = "In May: 48/2 = <<48/2=24>>24.\nAltogether: 48+24 = <<48+24=72>>72.\n#### 72"
EGGS = (
    "Janet's ducks lay 16 eggs a day. She eats three and bakes with four. She sells the rest at $2. How much?"
)
EGGS_SOLUTION = "She sells 16 - 3 - 4 = <<16-3-4=9>>9 eggs.\nShe makes 9 * 2 = $<<9*2=18>>18.\n#### 18"


def clips(action: str, *prefix: str) -> Judgement:
    return ReferenceJudge(CLIPS, CLIPS_SOLUTION).judge(prefix, action)


def eggs(action: str, *prefix: str) -> Judgement:
    return ReferenceJudge(EGGS, EGGS_SOLUTION).judge(prefix, action)


class TestCorrect:
    """Arithmetic and operands."""

    def test_right_step(self) -> None:
        """A right step of the gold solution earns 1."""
        verdict = clips("Step 1: In May she sold 48 / 2 = 24 clips.")
        assert (verdict.correct, verdict.progress, verdict.reward) == (True, True, 1.0)
        assert "48 / 2 = 24" in verdict.rationale

    def test_wrong_result(self) -> None:
        """A wrong result is named with the right one; the operation was still the right one."""
        verdict = clips("Step 1: 48 / 2 = 25")
        assert (verdict.correct, verdict.progress, verdict.reward) == (False, True, 0.0)
        assert verdict.rationale == "48 / 2 = 25 is wrong: 48 / 2 is 24."

    def test_unknown_operand(self) -> None:
        """A number from nowhere is named."""
        verdict = clips("Step 1: 17 + 48 = 65")
        assert (verdict.correct, verdict.reward) == (False, 0.0)
        assert "17 in 17 + 48 = 65 is neither in the question nor in an earlier step" in verdict.rationale

    def test_one_wrong_equation_spoils_a_step(self) -> None:
        """Every equation of a step must be true."""
        assert clips("Step 1: 48 / 2 = 24, and 48 + 24 = 71").correct is False

    def test_operands_of_earlier_steps_and_constants(self) -> None:
        """Results of earlier steps, number words and plain constants are known."""
        assert eggs("Step 2: 9 * 2 = 18", "Step 1: 16 - 3 - 4 = 9").correct
        assert eggs("Step 1: 16 - 3 - 4 = 9").correct
        judge = ReferenceJudge("She works 3 hours. How many minutes?", None)
        assert judge.judge((), "3 * 60 = 180").correct

    def test_chain_uses_its_own_parts(self) -> None:
        """What one side of a chain computed, the next may use."""
        assert eggs("Step 1: (16 - 3 - 4) * 2 = 9 * 2 = 18").reward == 1
        assert eggs("Step 1: 4 / 16 = 1 / 4 = 0.25").correct
        assert eggs("Step 1: (16 - 3 - 4) * 2 = 10 * 2 = 20").correct is False

    def test_division_by_zero(self) -> None:
        """Dividing by zero is a fault with words of its own."""
        assert "divides by zero" in eggs("Step 1: 16 / 0 = 16").rationale


class TestProgress:
    """Matching operations, whatever values a trajectory got."""

    def test_inherited_error(self) -> None:
        """A sound step after an earlier mistake earns 1."""
        assert clips("Step 2: 48 + 25 = 73", "Step 1: 48 / 2 = 25").reward == 1

    def test_not_the_gold_value_after_a_mistake(self) -> None:
        """The gold solution's own value is unknown to a trajectory that got another."""
        assert clips("Step 2: 48 + 24 = 72", "Step 1: 48 / 2 = 25").correct is False

    @pytest.mark.parametrize("action", ["Step 2: 24 + 48 = 72", "So it is 48 + 24 = 72.", "48 plus 24 is 72"])
    def test_order_does_not_matter(self, action: str) -> None:
        """Sums and products match either way round."""
        assert clips(action, "Step 1: 48 / 2 = 24").reward == 1

    @pytest.mark.parametrize(
        "action", ["48 * 1/2 = 24", "half of 48 is 24", "0.5 * 48 = 24", "50% of 48 = 24", "48 x 0.5 = 24"]
    )
    def test_same_operation_in_other_signs(self, action: str) -> None:
        """Halving is halving."""
        assert clips(action).progress

    @pytest.mark.parametrize("action", ["48 * 2 = 96", "48 + 48 = 96", "48 - 24 = 24", "48 + 2 = 50"])
    def test_another_operation(self, action: str) -> None:
        """A right calculation that the gold solution has no use for makes no progress."""
        verdict = clips(action, "Step 1: 48 / 2 = 24")
        assert (verdict.correct, verdict.progress, verdict.reward) == (True, False, 0.0)

    def test_inverse_is_another_operation(self) -> None:
        """2 / 48 is not 48 / 2, nor 3 - 16 the same as 16 - 3."""
        assert clips("2 / 48 = 1/24").progress is False
        assert eggs("3 - 16 = -13").progress is False

    def test_parts_of_a_long_step(self) -> None:
        """A long gold step may be taken in parts, in any order, or with brackets."""
        assert eggs("Step 1: 16 - 3 = 13").reward == 1
        assert eggs("Step 2: 13 - 4 = 9", "Step 1: 16 - 3 = 13").reward == 1
        assert eggs("Step 1: 3 + 4 = 7").reward == 1
        assert eggs("Step 2: 16 - 7 = 9", "Step 1: 3 + 4 = 7").reward == 1

    def test_steps_taken_together(self) -> None:
        """Two gold steps in one count; doing the first again afterwards does not."""
        assert clips("Step 1: 48 / 2 + 48 = 72").reward == 1
        assert clips("Step 2: 48 / 2 = 24", "Step 1: 48 / 2 + 48 = 72").progress is False

    def test_repetition(self) -> None:
        """What was computed before makes no progress, whatever words are around it."""
        verdict = clips("Step 2: As said, 48 / 2 = 24.", "Step 1: 48 / 2 = 24")
        assert (verdict.correct, verdict.progress) == (True, False)
        assert "computed before" in verdict.rationale

    def test_correction(self) -> None:
        """Doing a wrongly done calculation right is no repetition."""
        assert clips("Step 2: 48 / 2 = 24", "Step 1: 48 / 2 = 25").reward == 1

    def test_same_operation_needed_twice(self) -> None:
        """A calculation that the gold solution makes twice may be made twice, and no third time."""
        solution = "Oats: 2*3 = <<2*3=6>>6\nRye: 2*3 = <<2*3=6>>6\nAll: 6+6 = <<6+6=12>>12"
        judge = ReferenceJudge("2 bags of oats and 2 bags of rye at $3 each. What do they cost?", solution)
        step = "2 * 3 = 6"
        assert [judge.judge((step,) * done, step).progress for done in range(3)] == [True, True, False]

    @pytest.mark.parametrize(
        "action",
        [
            "Step 1: First we find how many she sold in May.",
            "Step 1: She sold 48 clips.",
            "Step 1:",
            "So 24.",
        ],
    )
    def test_talk(self, action: str) -> None:
        """Planning, restating and empty steps are correct and make no progress."""
        verdict = clips(action)
        found = (verdict.status, verdict.correct, verdict.progress, verdict.reward)
        assert found == (
            "judged",
            True,
            False,
            0.0,
        )

    def test_without_annotations(self) -> None:
        """Arithmetic and operands alone decide, and the reason says so; repetition earns nothing."""
        judge = ReferenceJudge(CLIPS, "She sold half of 48.\n#### 72")
        verdict = judge.judge((), "48 * 2 = 96")
        assert verdict.reward == 1
        assert "no annotations" in verdict.rationale
        assert judge.judge(("48 * 2 = 96",), "48 * 2 = 96").progress is False
        assert ReferenceJudge(CLIPS, None).judge((), "48 * 2 = 97").reward == 0

    def test_gold_lines_without_annotation(self) -> None:
        """In an annotated solution, a line's written calculation counts as well."""
        judge = ReferenceJudge(EGGS, "She keeps 16 - 3 = 13.\nLeft 13-4=<<13-4=9>>9\nIt is 9*2=<<9*2=18>>18")
        assert judge.judge((), "16 - 3 = 13").reward == 1


class TestOwnProblems:
    """Canonical solutions and what goes wrong with them."""

    PROBLEMS = make_problems(seed=5, train=60, validation=0, test=0)

    def test_canonical_steps_earn_1(self) -> None:
        """Every step of every canonical solution is correct and makes progress."""
        for problem in self.PROBLEMS:
            judge = ReferenceJudge(problem.text, problem.solution)
            steps = solution_steps(problem.solution or "", problem.gold or "")[:-1]
            for number, step in enumerate(steps):
                verdict = judge.judge(steps[:number], step)
                assert verdict.reward == 1, (problem.text, step, verdict.rationale)

    def test_mutations_earn_0(self) -> None:
        """A wrong result never earns 1; a wrong operand, operation or repetition at most by coincidence."""
        chance = random.Random(0)
        tried = earned = 0
        for problem in self.PROBLEMS:
            judge = ReferenceJudge(problem.text, problem.solution)
            steps = solution_steps(problem.solution or "", problem.gold or "")[:-1]
            for number, step in enumerate(steps):
                match = re.search(r"(\d+) ([-+*/]) (\d+) = \$?(\d+)", step)
                if match is None:
                    continue
                first, sign, second, result = match.groups()

                def said(text: str, step: str = step, match: re.Match[str] = match) -> str:
                    return step[: match.start()] + text + step[match.end() :]

                wrong = said(f"{first} {sign} {second} = {int(result) + chance.choice([-1, 1, 10])}")
                assert judge.judge(steps[:number], wrong).reward == 0, wrong
                other = int(second) + chance.choice([3, 7, 13])
                turned = {"+": "-", "-": "+", "*": "+", "/": "*"}[sign]
                for mutation in (f"{first} {sign} {other}", f"{first} {turned} {second}"):
                    tried += 1
                    earned += judge.judge(steps[:number], said(f"{mutation} = {eval(mutation)}")).reward == 1
                tried += 1
                earned += judge.judge(steps[: number + 1], step).reward == 1
        assert tried > 400
        assert earned / tried < 0.02

    @given(st.lists(st.text(max_size=40), max_size=3), st.text(max_size=60))
    def test_any_text(self, prefix: list[str], action: str) -> None:
        """Whatever a model writes is judged, with a reason of one line."""
        verdict = ReferenceJudge(EGGS, EGGS_SOLUTION).judge(prefix, action)
        assert verdict.reward in (0.0, 1.0)
        assert verdict.rationale


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not beside this checkout")
class TestRealSolutions:
    """GSM8K's gold solutions turned into steps."""

    def test_gold_steps_with_a_calculation_earn_1(self) -> None:
        """At least 97 of 100 gold steps that compute something earn 1."""
        lines = (SHARED / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").splitlines()[:120]
        computed = earned = 0
        for line in map(json.loads, lines):
            judge = ReferenceJudge(line["question"], line["answer"])
            steps = solution_steps(line["answer"], "0")[:-1]
            for number, step in enumerate(steps):
                verdict = judge.judge(steps[:number], step)
                computed += "no calculation" not in verdict.rationale
                earned += verdict.reward == 1
        assert computed > 350
        assert earned / computed > 0.97
