"""Answers as solutions state them."""

from __future__ import annotations

import pytest

from bswirl.answers import flexible_answer, read_answer, strict_answer
from bswirl.answers.latex import boxed, plain_text
from bswirl.answers.reading import stated


class TestStrictAndFlexible:
    @pytest.mark.parametrize(
        ("text", "strict", "flexible"),
        [
            ("Step 1: 3 + 4 = 7\nAnswer: 7", "7", "7"),
            ("3 + 4 = 7 in 2 days", None, "2"),
            ("so\n#### 1,200", "1200", "1200"),
            ("**Answer:**\n24 clips in 2 months", "24", "2"),
            ("Answer: yes", "yes", None),
            ("Answer: 3\nno wait\nAnswer: 4", "4", "4"),
            ("Answer:", None, None),
            ("It is \\boxed{5}.", None, "5"),
        ],
    )
    def test_strict_needs_the_mark(self, text: str, strict: str | None, flexible: str | None) -> None:
        """Strict needs the mark, flexible takes the last number."""
        assert strict_answer(text) == strict
        assert flexible_answer(text) == flexible

    @pytest.mark.parametrize(
        ("text", "strict"),
        [
            ("Final Answer: 72", "72"),
            ("### Final Answer\n\n**72 clips**", "72"),
            ("## Answer\n72", "72"),
            ("**The final answer**\n72", "72"),
            ("Answer (in dollars): $72", "72"),
            ('{"steps": [], "answer": "72"}', "72"),
            ("Answer = 72", "72"),
            ("Answer:\n\\[\n72\n\\]", "72"),
            ("Answer: $\\boxed{72}$ of 100", "72"),
            ("Answer: in 4 weeks **34 hours** of yoga", "34"),
            ("Answer: **34** in **4** weeks", "34"),
            ("Answer: 72. Check: 72 / 2 = 36.", "72"),
            ("Answer: Verna received $7.00 in change.", "7"),
            ("#### 72\n#### Why\nBecause of it.", "72"),
            ("#### 1. Clips in May\n48 / 2 = 24\n#### 72", "72"),
            ("#### Step 1\n48 / 2 = 24", None),
            ("#### yes", "yes"),
            ("##### 5", None),
            ("Answer: 72\nAnswer:", "72"),
            ("#### x + 1", "x + 1"),
            ("Answer: 3-5 days", "3-5 days"),
            ("the answers: 3 and 4", None),
        ],
    )
    def test_marks(self, text: str, strict: str | None) -> None:
        """The styles of chat models, and headings that are no answers."""
        assert strict_answer(text) == strict


class TestReadAnswer:
    @pytest.mark.parametrize(
        ("text", "answer"),
        [
            ("Answer: $1,234", "1234"),
            ("The answer is 7.", "7"),
            ("The answer is: \\(\\boxed{7}\\)", "7"),
            ("So \\boxed{\\frac{1}{2}}", "0.5"),
            ("#### 5", "5"),
            ("The answer is 7 because 3 + 4 is", "7"),
            ("The answer is 7 apples and 3 pears", "7 apples and 3 pears"),
            ("The answer is\n72", "72"),
            ("It is 12", "12"),
            ("Answer: none", "none"),
            ("Answer: \\sqrt{2}", "\\sqrt{2}"),
            ("-\\boxed{5}", "-5"),
            ("\\boxed{1 \\text{ and } 1/3}", "4/3"),
            ("\\boxed{4 blue and 6 red}", "4 blue and 6 red"),
            ("\\boxed{5} and an open \\boxed{6", "5"),
            ("hm", None),
        ],
    )
    def test_styles(self, text: str, answer: str | None) -> None:
        """An answer action's answer is found in each of its styles."""
        assert read_answer(text) == answer


class TestStated:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("$72$", "72"),
            ("  **yes.** ", "yes"),
            ("`x+1`", "x+1"),
            ("$\\frac{\\sqrt{3}}{2}$", "\\frac{\\sqrt{3}}{2}"),
            ("\\boxed{\\boxed{5}}", "5"),
            ("...", None),
            ("**", None),
            ("$", None),
        ],
    )
    def test_bare(self, text: str, found: str | None) -> None:
        """Without delimiters, emphasis and full stop."""
        assert stated(text) == found


class TestLatex:
    @pytest.mark.parametrize(
        ("text", "inside"),
        [
            ("\\boxed{5}", "5"),
            ("\\boxed{1} then \\boxed {2}", "2"),
            ("\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
            ("-\\boxed{x+1}", "-(x+1)"),
            ("x-\\boxed{5}", "5"),
            ("\\boxed{5", None),
            ("5", None),
            ("\\boxed{1}" + "\\boxed{" * 5000, None),
        ],
    )
    def test_boxed(self, text: str, inside: str | None) -> None:
        """The last closed box; only the last few are looked at."""
        assert boxed(text) == inside

    @pytest.mark.parametrize(
        ("text", "plain"),
        [
            ("\\$1{,}000\\text{ a day}", "$1,000 a day"),
            ("5\\text{cm}", "5 cm"),
            ("\\text{about \\textbf{5}}", "about 5"),
            ("3\\times 4\\cdot x\\le\\pi", "3× 4· x≤π"),
            ("\\left(3\\right)", "(3)"),
            ("1½ m²", "1 1/2 m^2"),
            ("2**3 is **8**", "2**3 is 8"),
            ("\\sqrt{2}", "\\sqrt{2}"),
            ("\\unknown{5}", "\\unknown{5}"),
            ("no LaTeX", "no LaTeX"),
        ],
    )
    def test_plain_text(self, text: str, plain: str) -> None:
        """Layout goes, mathematics stays."""
        assert plain_text(text) == plain
