"""Agreement with lm-evaluation-harness's two GSM8K filters, and where bswirl differs from them on purpose."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.answers import answers_match, flexible_answer, read_answer, strict_answer
from tests.answers import harness

SHARED = Path(__file__).parents[3] / "shared" / "data"
GSM8K = SHARED / "gsm8k"
PROCESSBENCH = SHARED / "processbench" / "gsm8k.json"

# Solutions of the kinds that base models, chat models and people write; the number is what each states.
SOLUTIONS = {
    "gold style": (
        "Natalia sold 48/2 = <<48/2=24>>24 clips in May.\n"
        "Natalia sold 48+24 = <<48+24=72>>72 clips altogether in April and May.\n#### 72",
        "72",
    ),
    "thousands": (
        "The house cost $80,000.\nRepairs were $50,000, so 80,000+50,000=130,000.\n#### 130,000",
        "130,000",
    ),
    "plain thousands": (
        "So he made a profit of 200,000-130,000=$<<200000-130000=70000>>70,000\n#### 70000",
        "70000",
    ),
    "millions": ("The town has 3 * 450,000 = 1,350,000 people.\n#### 1,350,000", "1350000"),
    "negative": ("It was 3 degrees and fell by 12, so it is 3 - 12 = -9 degrees.\n#### -9", "-9"),
    "decimals": ("Each pays 85 / 4 = 21.25 dollars.\n#### 21.25", "21.25"),
    "full stop": ("Half of 90 is 45.\n#### 45.", "45"),
    "with a unit": ("He runs 9*60=<<9*60=540>>540 meters\n#### 540 meters", "540"),
    "percent": ("10 of 50 is 10/50 = .2\nThat is .2*100 = 20%\n#### 20%", "20"),
    "prose": (
        "Janet eats 3 and bakes 4, leaving 16 - 3 - 4 = 9. At $2 each that makes 9 * 2 = 18.\n#### 18",
        "18",
    ),
    "algebra": ("Let x be the girls.\n2x + 4 = 30\n2x = 26\nx = 13\n#### 13", "13"),
    "numbered steps": ("1. 3 * 7 = 21\n2. 21 + 4 = 25\n3. There are 25 apples.\n#### 25", "25"),
    "zero": ("All 12 are gone: 12 - 12 = 0\n#### 0", "0"),
    "trailing blank lines": ("6 * 7 = 42\n#### 42\n\n", "42"),
    "wrong": ("48 / 2 = 22\n48 + 22 = 70\n#### 70", "70"),
    "mixed case": ("THE TOTAL IS 15 * 2 = 30\n#### 30", "30"),
    "fraction on the way": ("He ate 1/4 of 24, which is 6, and 18 are left.\n#### 18", "18"),
    "time on the way": ("From 7:30 to 9:00 are 90 minutes.\n#### 90", "90"),
    "range on the way": ("It takes 3-5 minutes a lap; 4 on average, so 4*6=24.\n#### 24", "24"),
    "scientific-looking words": ("Step 2e: we add 1 and get 8 eggs.\n#### 8", "8"),
    "dollar in the middle": ("She has $12 and earns $5.50 more, so $17.50.\n#### 17.50", "17.50"),
    "Markdown": ("**Step 1:** 5 * 4 = **20**\n\n**Step 2:** 20 - 2 = **18**\n\n#### 18", "18"),
    "words between": ("First 3 boys, then 5 girls; 8 children altogether.\n#### 8", "8"),
    "unicode": ("Er zahlt 4 × 3 € = 12 €.\n#### 12", "12"),
}
GOLDS = ("72", "130,000", "70000", "1,350,000", "-9", "21.25", "45", "18", "0", "9", "20", "17.50", "540")

# What bswirl reads otherwise. Of a filter: the text, gold, what the filter says, what bswirl says.
STRICT_DIFFERENCES = {
    "`Answer:` marks an answer too": ("6 * 3 = 18\nAnswer: 18", "18", False, True),
    "a bold mark": ("6 * 3 = 18\n\n**Final Answer:** 18", "18", False, True),
    "a currency sign": ("It costs 18 dollars.\n#### $18", "18", False, True),
    "no space behind the mark": ("6 * 3 = 18\n####18", "18", False, True),
    "bold behind the mark": ("6 * 3 = 18\n#### **18**", "18", False, True),
    "equal decimals": ("9 * 2 = 18\n#### 18.00", "18", False, True),
    "no zero before the point": ("1 / 2 = .5\n#### .5", "0.5", False, True),
    "a fraction": ("2 of 4 are 1/2\n#### 1/2", "0.5", False, True),
    "a fraction is not its numerator": ("3 of 4 are 3/4\n#### 3/4", "3", True, False),
    "a mixed number": ("5 halves are 2 1/2\n#### 2 1/2", "2.5", False, True),
    "a power of ten": ("1500 * 1000\n#### 1.5e6", "1500000", False, True),
    "LaTeX": ("6 * 3\n#### $\\frac{36}{2}$", "18", False, True),
    "the minus of typography": ("3 - 12\n#### −9", "-9", False, True),
    "the last of several answers": ("#### 17\nWait, that is wrong.\n#### 18", "18", False, True),
    "a numbered heading is no answer": ("#### 1. What he pays\n6 * 3 = 18\n#### 18", "18", False, True),
    "a range is no number": ("#### 3-5", "3", True, False),
    "a time is no number": ("#### 3:30", "3", True, False),
    "a list is no number": ("#### 18, 20", "18", True, False),
}
FLEXIBLE_DIFFERENCES = {
    "math delimiters": ("The answer is $\\boxed{18}$.", "18", False, True),
    "an ellipsis": ("It is 18. And so on...", "18", False, True),
    "a comma behind a dollar sign": ("18, as said, in $.", "18", False, True),
    "equal decimals": ("He pays $18.00", "18", False, True),
    "a fraction": ("So he eats 1/2", "0.5", False, True),
    "a power of ten": ("That is 1.5 × 10^6", "1500000", False, True),
    "an exponent of a unit": ("The garden has 18 m^2", "18", False, True),
    "digits of a unit": ("The garden has 18 m2", "18", False, True),
    "a name with digits": ("He pays 18 in B4", "18", False, True),
    "a hyphen is no minus": ("the result: step-9", "-9", True, False),
    "a time is no number": ("He leaves at 3:30", "30", True, False),
    "a decimal comma may be one": ("Es kostet 3,5", "35", True, False),
    "share and percent": ("The chance is 20%", "0.2", False, True),
}


def by_harness(text: str, gold: str) -> tuple[bool, bool]:
    """Strict and flexible, as the harness has it."""
    solution = f"Because.\n#### {gold}"
    return (
        harness.is_correct(harness.strict_match(text), solution),
        harness.is_correct(harness.flexible_extract(text), solution),
    )


def by_bswirl(text: str, gold: str) -> tuple[bool, bool]:
    """Strict and flexible, as bswirl has it."""
    return answers_match(strict_answer(text), gold), answers_match(flexible_answer(text), gold)


class TestTheFilters:
    """The plain version of the filters does what their expressions say."""

    @pytest.mark.parametrize(
        ("text", "strict", "flexible"),
        [
            ("#### 72", "72", "72"),
            ("#### -5.", "-5.", "-5."),
            ("#### 1,234 and #### 5", "1,234", "5"),
            ("#### $5", "[invalid]", "$5"),
            ("####5", "[invalid]", "5"),
            ("10-4", "[invalid]", "-4"),
            ("is $18.", "[invalid]", "$18."),
            ("so 7...", "[invalid]", "7..."),
            ("7 ...", "[invalid]", "..."),
            ("no number", "[invalid]", "[invalid]"),
        ],
    )
    def test_extracts(self, text: str, strict: str, flexible: str) -> None:
        """First marked number; last run of digits and signs."""
        assert (harness.strict_match(text), harness.flexible_extract(text)) == (strict, flexible)

    def test_compares_what_is_left(self) -> None:
        """Commas, dollars, one full stop and what comes before the mark do not count; zeros do."""
        assert harness.is_correct("$1,234.", "so\n#### 1234")
        assert not harness.is_correct("18.00", "so\n#### 18")


class TestAgreement:
    """The same verdict, right or wrong, strict and flexible."""

    @pytest.mark.parametrize("kind", SOLUTIONS)
    def test_varied_solutions(self, kind: str) -> None:
        """Against its own answer and those of others."""
        text, own = SOLUTIONS[kind]
        assert by_harness(text, own) == (True, True)
        for gold in (own, *GOLDS):
            assert by_bswirl(text, gold) == by_harness(text, gold), gold

    @given(
        st.integers(-9999, 9_999_999),
        st.integers(0, 3),
        st.sampled_from(
            ["#### {}", "So it is {}.\n#### {}", "7 * 3 = 21 then\n{}\n\n#### {}\n", "#### {} dollars"]
        ),
        st.booleans(),
        st.integers(-3, 3),
    )
    def test_any_number(self, number: int, places: int, style: str, commas: bool, off: int) -> None:
        """Whatever number a solution ends with, and whatever gold is near it."""
        form = f"{{:{',' if commas else ''}.{places}f}}"
        shown = form.format(number / 10**places)
        text = style.replace("{}", shown)
        gold = form.format((number + off) / 10**places)
        assert by_bswirl(text, gold) == by_harness(text, gold)

    @pytest.mark.skipif(not GSM8K.is_dir(), reason="the shared data is not beside this checkout")
    @pytest.mark.parametrize("split", ["train", "test"])
    def test_gsm8k_gold_solutions(self, split: str) -> None:
        """Each official solution has its own answer, and the next one's only where the harness says so."""
        rows = [json.loads(line)["answer"] for line in (GSM8K / f"{split}.jsonl").open(encoding="utf-8")]
        golds = [row.rpartition("#### ")[2] for row in rows]
        assert len(rows) > 1000
        for row, gold, other in zip(rows, golds, golds[1:] + golds[:1], strict=True):
            assert by_bswirl(row, gold) == by_harness(row, gold) == (True, True), row
            assert by_bswirl(row, other) == by_harness(row, other), row

    @pytest.mark.skipif(
        not (GSM8K.is_dir() and PROCESSBENCH.exists()), reason="the shared data is not beside this checkout"
    )
    def test_twelve_models_solutions(self) -> None:
        """400 solutions of chat models: where bswirl and the flexible filter differ, bswirl is right."""
        gold_of = {}
        for name in ("train", "test"):
            for line in (GSM8K / f"{name}.jsonl").open(encoding="utf-8"):
                row = json.loads(line)
                gold_of[row["question"].strip()] = row["answer"].rpartition("#### ")[2]
        agree = differ = read = 0
        for row in json.loads(PROCESSBENCH.read_text(encoding="utf-8")):
            gold = gold_of.get(row["problem"].strip())
            if gold is None:
                continue
            text = "\n".join(row["steps"])
            _, theirs = by_harness(text, gold)
            _, ours = by_bswirl(text, gold)
            if theirs == ours:
                agree += 1
            else:
                differ += 1
                assert ours is row["final_answer_correct"], text
            read += answers_match(read_answer(row["steps"][-1]), gold) is row["final_answer_correct"]
        assert agree + differ == 400
        assert differ < 20
        assert read >= 396  # of the other four, two labels and two solutions are doubtful


class TestDifferences:
    """docs/method.md lists them; here is one of each."""

    @pytest.mark.parametrize("why", STRICT_DIFFERENCES)
    def test_strict(self, why: str) -> None:
        text, gold, theirs, ours = STRICT_DIFFERENCES[why]
        assert by_harness(text, gold)[0] is theirs
        assert by_bswirl(text, gold)[0] is ours

    @pytest.mark.parametrize("why", FLEXIBLE_DIFFERENCES)
    def test_flexible(self, why: str) -> None:
        text, gold, theirs, ours = FLEXIBLE_DIFFERENCES[why]
        assert by_harness(text, gold)[1] is theirs
        assert by_bswirl(text, gold)[1] is ours
