"""Annotated solutions as steps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bswirl.problems import Calculation, calculations, solution_steps
from bswirl.steps import parse_solution

GSM8K = Path(__file__).parents[3] / "shared" / "data" / "gsm8k" / "test.jsonl"
SOLUTION = (
    "Natalia sold 48/2 = <<48/2=24>>24 clips in May.\n\n"
    "Altogether that is  48+24 = $<<48+24=72>>72 for  her clips.\n#### 72"
)


class TestSolutionSteps:
    """The canonical steps of an annotated solution."""

    def test_annotations_go(self) -> None:
        """Lines become numbered steps without annotations, gold the answer."""
        assert solution_steps(SOLUTION, "72") == (
            "Step 1: Natalia sold 48/2 = 24 clips in May.",
            "Step 2: Altogether that is 48+24 = $72 for her clips.",
            "Answer: 72",
        )

    def test_calculations(self) -> None:
        """Annotations are read in order; one without an equation is none."""
        assert calculations(SOLUTION + "<<x>><<=3>><<1+1=2>>") == (
            Calculation("48/2", "24"),
            Calculation("48+24", "72"),
            Calculation("1+1", "2"),
        )

    @pytest.mark.skipif(not GSM8K.exists(), reason="the shared data is not beside this checkout")
    def test_real_solutions(self) -> None:
        """Real GSM8K solutions come back from the canonical text as the same steps."""
        for line in GSM8K.read_text(encoding="utf-8").splitlines():
            solution, _, gold = json.loads(line)["answer"].partition("####")
            steps = solution_steps(solution, gold.strip())
            assert "<<" not in "".join(steps)
            parsed = parse_solution("".join(step + "\n" for step in steps)).steps
            assert tuple(step.text for step in parsed) == steps
            assert parsed[-1].is_answer
