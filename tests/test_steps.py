"""Step parsing: what real models write, and the streamed cut that must agree with it."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bswirl.steps import first_step, is_answer_text, parse_solution, strip_marker


def texts(solution: str) -> list[str]:
    return [step.text for step in parse_solution(solution).steps]


class TestMarkedSteps:
    """Solutions whose steps carry markers."""

    def test_canonical_solution(self) -> None:
        """Each canonical line is one step and the answer line is the last."""
        parsed = parse_solution("Step 1: 48 / 2 = 24.\nStep 2: 48 + 24 = 72.\nAnswer: 72\n")
        assert [step.text for step in parsed.steps] == [
            "Step 1: 48 / 2 = 24.",
            "Step 2: 48 + 24 = 72.",
            "Answer: 72",
        ]
        assert [step.is_answer for step in parsed.steps] == [False, False, True]
        assert parsed.unparsed is None
        assert parsed.trailing is None

    @pytest.mark.parametrize(
        "marker",
        [
            "Step {}: ",
            "**Step {}:** ",
            "**Step {}**: ",
            "### Step {}: ",
            "Step {}. ",
            "step {} - ",
            "{}. ",
            "{}) ",
            "({}) ",
            "**{}.** ",
            "- Step {}: ",
            "## {}. ",
            "**Step {}: title**\n",
        ],
    )
    def test_marker_styles(self, marker: str) -> None:
        """Every style of marker begins a step and keeps its lines together."""
        solution = (
            f"{marker.format(1)}We add.\n3 + 4 = 7\n\n{marker.format(2)}We double.\n7 * 2 = 14\nAnswer: 14"
        )
        assert texts(solution) == [
            f"{marker.format(1)}We add.\n3 + 4 = 7",
            f"{marker.format(2)}We double.\n7 * 2 = 14",
            "Answer: 14",
        ]

    def test_blank_lines_inside_a_step_stay(self) -> None:
        """A blank line between a marked step's lines is part of its text."""
        assert texts("Step 1: Look.\n\n3 + 4 = 7\n\n\nStep 2: x") == [
            "Step 1: Look.\n\n3 + 4 = 7",
            "Step 2: x",
        ]

    def test_list_inside_a_step_marker(self) -> None:
        """A numbered list inside `Step 1:` does not end that step."""
        assert texts("Step 1: Costs:\n1. hats 3\n2. caps 4\nStep 2: 3 + 4 = 7") == [
            "Step 1: Costs:\n1. hats 3\n2. caps 4",
            "Step 2: 3 + 4 = 7",
        ]

    def test_decimal_is_no_marker(self) -> None:
        """A line that starts with a decimal number is not a numbered step."""
        assert texts("1. Halve it.\n1.5 * 2 = 3\n2. Done") == ["1. Halve it.\n1.5 * 2 = 3", "2. Done"]

    def test_windows_line_ends(self) -> None:
        """Carriage returns at line ends are no part of a step."""
        assert texts("Step 1: a\r\nStep 2: b\r\n") == ["Step 1: a", "Step 2: b"]


class TestUnmarkedSteps:
    """Solutions without markers."""

    def test_each_line_is_a_step(self) -> None:
        """Without markers every non-blank line is a step."""
        assert texts("She has 3.\n\nShe buys 4.\n3 + 4 = 7") == ["She has 3.", "She buys 4.", "3 + 4 = 7"]

    def test_preamble_is_a_step(self) -> None:
        """A line before the first marker is a step of its own."""
        assert texts("Let's see.\n\nStep 1: 3 + 4 = 7") == ["Let's see.", "Step 1: 3 + 4 = 7"]

    @pytest.mark.parametrize("solution", ["", "\n\n", "  \n\t\n"])
    def test_nothing(self, solution: str) -> None:
        """A text without content has no steps and loses nothing."""
        parsed = parse_solution(solution)
        assert parsed.steps == ()
        assert parsed.unparsed is None


class TestAnswers:
    """Where the answer action begins and ends."""

    @pytest.mark.parametrize(
        "line",
        [
            "Answer: 24",
            "**Answer:** 24",
            "**Answer: 24**",
            "The answer is 24.",
            "#### 24",
            "#### $1,200",
            "\\boxed{24}",
            "The total is \\boxed{24}.",
            "Final Answer: 24 clips",
            "The final answer is $24$.",
            "So the answer is 24",
            "Therefore, the answer is: 24",
            "Step 3: The answer is 24",
            "3. Answer: 24",
            "### Final answer: 24",
            "She has 3 + 4 = 7 left. The answer is 7.",
            "**Answer:**\n24",
            "Answer:\n\n**24**",
            "The answer is:\n24",
            "**Step 3: Final Answer**\nShe pays 24",
            "#### 24. ",
        ],
    )
    def test_answer_styles(self, line: str) -> None:
        """Every style of answer ends the solution and stands apart from the step before it."""
        parsed = parse_solution(f"Step 1: 20 + 4 = 24\n{line}\nI hope this helps!\n")
        assert [step.text for step in parsed.steps] == ["Step 1: 20 + 4 = 24", line.rstrip()]
        assert parsed.steps[-1].is_answer
        assert parsed.answer == parsed.steps[-1]
        assert parsed.trailing == "I hope this helps!"
        assert is_answer_text(line)

    @pytest.mark.parametrize(
        "line",
        [
            "Step 1: We want the answer.",
            "To answer: we add",
            "The answers are many",
            "#### 1. Compute the sum",
            "Step 2: To find the answer is our goal.",
            "Answer:",
            "**Final answer**",
            "12. buy",
            "",
        ],
    )
    def test_not_an_answer(self, line: str) -> None:
        """Talk of the answer, and a label with nothing behind it, are no answer."""
        assert not is_answer_text(line)

    def test_answer_heading_before_steps(self) -> None:
        """`Answer:` as a heading over the steps does not end the solution."""
        parsed = parse_solution("Answer:\nStep 1: 3 + 4 = 7\nAnswer: 7")
        assert [(step.text, step.is_answer) for step in parsed.steps] == [
            ("Answer:", False),
            ("Step 1: 3 + 4 = 7", False),
            ("Answer: 7", True),
        ]

    def test_text_after_the_answer_is_kept(self) -> None:
        """What follows the answer is no step and is not lost."""
        parsed = parse_solution("Answer: 7\n\nStep 9: more\n")
        assert texts("Answer: 7\n\nStep 9: more\n") == ["Answer: 7"]
        assert parsed.trailing == "Step 9: more"


class TestCutOff:
    """Texts that the sampler's token limit cut."""

    def test_unfinished_line(self) -> None:
        """A last line without its newline is unfinished."""
        parsed = parse_solution("Step 1: 3 + 4 = 7\nStep 2: 7 *", complete=False)
        assert [step.text for step in parsed.steps] == ["Step 1: 3 + 4 = 7"]
        assert parsed.unparsed == "Step 2: 7 *"

    def test_unfinished_answer(self) -> None:
        """`Answer: 12` that was cut may have become 124: it is no answer."""
        parsed = parse_solution("Step 1: 3 * 4 = 12\nAnswer: 12", complete=False)
        assert [step.text for step in parsed.steps] == ["Step 1: 3 * 4 = 12"]
        assert parsed.unparsed == "Answer: 12"
        assert parsed.answer is None

    def test_finished_answer(self) -> None:
        """An answer line that ended is complete, whatever was cut behind it."""
        parsed = parse_solution("Answer: 12\nAnd so", complete=False)
        assert parsed.answer is not None
        assert parsed.trailing == "And so"


class TestStreaming:
    """The cut of text that is still being written."""

    @pytest.mark.parametrize(
        ("text", "end"),
        [
            ("", None),
            ("\n", None),
            ("Step 1: 3", None),
            ("Step 1: 3\n", None),
            ("Step 1: 3\nStep 2", None),
            ("Step 1: 3\nStep 2:", 9),
            ("Step 1: 3\nAnswer:", 9),
            ("Step 1: 3\n#### 7", 9),
            ("1. 3\n2. ", 4),
            ("1. 3\n2.", None),
            ("1. 3\n2.5 * 2", None),
            ("plain line\n", 10),
            ("\n\nplain line\n", 12),
            ("Answer: 12", None),
            ("Answer: 12\n", 10),
            ("Answer:\n", None),
            ("Answer:\n12\n", 10),
        ],
    )
    def test_cut(self, text: str, end: int | None) -> None:
        """The end is known as soon as nothing more could change it."""
        step = first_step(text)
        assert (None if step is None else step.end) == end


LINES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "Step 1: 3 + 4 = 7",
                "**Step 2:** go",
                "1. a",
                "2) b",
                "### Step 3",
                "Answer:",
                "Answer: 5",
                "**Answer**",
                "#### 7",
                "#### 1. head",
                "\\boxed{3}",
                "The answer is",
                "The answer is 4",
                "",
                "  ",
                "plain",
                "1.5 * 2 = 3",
                "- Step 4: x",
                "Step",
                "12.",
                "## 3. x",
                "\r",
                "Final answer",
            ]
        ),
        st.text(alphabet="Step 1:.)#*answer\\boxed{}\t\x85é–-", max_size=14),
        st.text(max_size=12),
    ),
    max_size=8,
).map("\n".join)


def non_blank(text: str) -> str:
    return "".join(text.split())


class TestProperties:
    """What holds of any text."""

    @given(LINES, st.booleans())
    def test_nothing_is_lost(self, text: str, complete: bool) -> None:
        """Every non-blank character is in a step, in `unparsed` or in `trailing`, in order."""
        parsed = parse_solution(text, complete=complete)
        pieces = [step.text for step in parsed.steps] + [parsed.unparsed or "", parsed.trailing or ""]
        assert non_blank("".join(pieces)) == non_blank(text)

    @given(LINES)
    def test_steps_are_verbatim(self, text: str) -> None:
        """A step is a slice of the text at its place, and an answer only comes last."""
        steps = parse_solution(text).steps
        for step in steps:
            assert text[step.start : step.end] == step.text
            assert step.text.strip()
        assert all(not step.is_answer for step in steps[:-1])

    @settings(max_examples=300)
    @given(LINES, LINES)
    @example("Step 1: a\n2.", "5")
    @example("Step 1: a\n#### 2", "4. b c")
    def test_cut_never_regretted(self, text: str, more: str) -> None:
        """A streamed cut is where the whole text's first step ends, whatever follows."""
        step = first_step(text)
        if step is not None:
            assert parse_solution(text + more).steps[0] == step

    @given(LINES)
    def test_cut_comes_by_the_second_step(self, text: str) -> None:
        """Once a second step is complete the first one's end is known."""
        steps = parse_solution(text).steps
        if len(steps) > 1:
            first = first_step(text + "\n")
            assert first is not None
            assert first.end == steps[0].end

    @given(LINES)
    def test_one_step_at_a_time(self, text: str) -> None:
        """Cutting off first steps one by one gives the steps of the whole."""
        rest, one_by_one = text, []
        while steps := parse_solution(rest).steps:
            one_by_one.append(steps[0].text)
            if steps[0].is_answer:
                break
            rest = rest[steps[0].end :]
        assert one_by_one == texts(text)

    @given(LINES)
    def test_answer_kind_is_in_the_text(self, text: str) -> None:
        """Whether a step is an answer can be told from its text alone."""
        for step in parse_solution(text).steps:
            assert is_answer_text(step.text) == step.is_answer

    @given(LINES)
    def test_joined_steps_parse_again(self, text: str) -> None:
        """Steps that carry markers come back from the canonical joining of them."""
        steps = [
            step.text for step in parse_solution(text).steps if step.text.startswith(("Step ", "Answer: "))
        ]
        if all("\n" not in step for step in steps):
            assert texts("".join(step + "\n" for step in steps)) == steps


class TestStripMarker:
    """A step's words without its marker."""

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("Step 2: 3 + 4 = 7", "3 + 4 = 7"),
            ("**Step 2:** 3 + 4 = 7", "3 + 4 = 7"),
            ("2. 3 + 4 = 7", "3 + 4 = 7"),
            ("2.5 + 4 = 6.5", "2.5 + 4 = 6.5"),
            ("### Step 12: x", "x"),
            ("plain", "plain"),
        ],
    )
    def test_strip(self, text: str, words: str) -> None:
        """Only a marker goes; numbers of the step stay."""
        assert strip_marker(text) == words
