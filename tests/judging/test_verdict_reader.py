"""Reading judges' replies: every supported style reads back, nothing else is a verdict, nothing raises."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.judging.verdict_reader import read_verdict

WORDS = {
    "yes": ("yes", "no"),
    "Yes": ("Yes", "No"),
    "YES.": ("YES.", "NO."),
    "true": ("true", "false"),
    "1": ("1", "0"),
    "**yes**": ("**yes**", "**no**"),
    "why": ("yes (the sum is right)", "no - 384 - 96 is 288"),
}
STYLES: dict[str, Callable[[str, str], str]] = {
    "plain": "Correct: {}\nProgress: {}".format,
    "bold names": "**Correct:** {}\n**Progress:** {}".format,
    "bold colons": "**Correct**: {}\n**Progress**: {}\n".format,
    "italic": "_Correct_: {}\n_Progress_: {}".format,
    "list": "- Correct: {}\n- Progress: {}".format,
    "numbered": "1. Correct: {}\n2. Progress: {}".format,
    "heading": "### Verdict:\n\nCorrect: {}\n\nProgress: {}\n\n---\n".format,
    "quoted": "> Correct: {}\n> Progress: {}".format,
    "lower case": "correct : {}\nprogress : {}".format,
    "longer names": "Correctness: {}\nMakes progress: {}".format,
    "field names": "is_correct: {}\nmakes_progress: {}".format,
    "fenced": "```\nCorrect: {}\nProgress: {}\n```".format,
    "tagged": "<verdict>\nCorrect: {}\nProgress: {}\n</verdict>".format,
    "CRLF": "Correct: {}\r\nProgress: {}\r\n".format,
    "Chinese colon": "Correct：{}\nProgress：{}".format,
    "the other way round": lambda correct, progress: f"Progress: {progress}\nCorrect: {correct}",
    "said twice": lambda correct, progress: f"Correct: {correct}\nProgress: {progress}\n" * 2,
}
BARE = ("yes", "Yes", "true", "1")  # spellings that fit beside another on one line
ONE_LINE: dict[str, Callable[[str, str], str]] = {
    "comma": "Correct: {}, Progress: {}".format,
    "preamble": "Verdict: Correct: {}; Progress: {}".format,
    "final preamble": "**Final verdict:** Correct: {} | Progress: {}.".format,
    "braces": "{{Correct: {}, Progress: {}}}".format,
}
REASONING = st.one_of(
    st.just(""),
    st.just("14 * 12 = 168, as the step says. It would be wrong to call it Correct: no here."),
    st.just("<think>Correct: no\nProgress: no</think>"),
    st.just("Correct: no\nProgress: no\nBut wait, done again it is right."),
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="<{"), max_size=200),
)
FLAGS = st.booleans()


def spelled(words: str, value: bool) -> str:
    return WORDS[words][0 if value else 1]


class TestLines:
    @given(REASONING, FLAGS, FLAGS, st.sampled_from(sorted(STYLES)), st.sampled_from(sorted(WORDS)))
    def test_every_style_reads_back(
        self, reasoning: str, correct: bool, progress: bool, style: str, words: str
    ) -> None:
        """Whatever stands in the reasoning before it."""
        reply = f"{reasoning}\n\n" + STYLES[style](spelled(words, correct), spelled(words, progress))
        read = read_verdict(reply)
        assert read is not None, reply
        assert (read.correct, read.progress) == (correct, progress)

    @given(FLAGS, FLAGS, st.sampled_from(sorted(ONE_LINE)), st.sampled_from(BARE))
    def test_both_on_one_line(self, correct: bool, progress: bool, style: str, words: str) -> None:
        """With or without a word before them."""
        reply = "It is right.\n" + ONE_LINE[style](spelled(words, correct), spelled(words, progress))
        read = read_verdict(reply)
        assert read is not None, reply
        assert (read.correct, read.progress) == (correct, progress)

    def test_the_rationale_is_what_stands_before(self) -> None:
        """Verbatim, thoughts included."""
        read = read_verdict("<think>hm</think>\nIt is \x1b[31mright.\n\nCorrect: yes\nProgress: no")
        assert read is not None
        assert read.rationale == "<think>hm</think>\nIt is \x1b[31mright."

    def test_the_last_whole_block_counts(self) -> None:
        """Of several, one behind the other."""
        read = read_verdict("Correct: no\nProgress: no\n\nCorrect: yes\nProgress: yes")
        assert read is not None
        assert read.correct
        assert read.progress
        assert read.rationale.startswith("Correct: no")

    @pytest.mark.parametrize(
        "reply",
        [
            "",
            "\n\n",
            "The step is correct: yes, and it makes progress: yes.",
            "I would say Correct: yes\nand Progress: yes here.",
            "Correct: yes\nProgress: yes\nWait, 384 - 96 is 288, not 298.",
            "<think>Correct: yes\nProgress: yes</think>",
            "<think>So\nCorrect: yes\nProgress: yes",
            "So\nCorrect: yes\nProgress: yes\n</think>\nIt is right.",
            "Correct: yes",
            "Progress: no",
            "Correct: yes\nCorrect: no\nProgress: yes",
            "Correct: yes, Correct: no\nProgress: yes",
            "Correct: yes\nProgress: yes\n\nCorrect: no",
            "Correct: yes|no\nProgress: yes|no",
            "Correct: yes/no\nProgress: yes/no",
            "Correct: yes or no\nProgress: yes",
            "Correct: partially\nProgress: yes",
            "Correct: yes, but only if x\nProgress: yes",
            "Correct: yes (no, it is not)\nProgress: yes",
            "Incorrect: yes\nProgress: yes",
            "Not correct: yes\nProgress: yes",
            "Correct: yessir\nProgress: yes",
            "Correct: 10\nProgress: 1",
            "Correct:\nProgress:",
            "I cannot help with that.",
        ],
    )
    def test_unreadable(self, reply: str) -> None:
        """No verdict, half of one, one inside the reasoning, or a contradiction: never a 0."""
        assert read_verdict(reply) is None


VALUES = {"JSON": (True, False), "words": ("yes", "no"), "numbers": (1, 0), "strings": ("True", "False")}
WRAPPINGS: dict[str, Callable[[str], str]] = {
    "bare": "{}".format,
    "fenced": "```json\n{}\n```".format,
    "with talk": "Here is my verdict:\n{}\nI hope that helps! Correct: no".format,
    "with thoughts": '<think>{{"correct": false, "progress": false}}</think>{}'.format,
    "after another": '{{"correct": false, "progress": false}}\nOr rather:\n{}'.format,
    "after LaTeX": r"\frac{{1}}{{2}} is {{half}}: {}".format,
}


class TestJson:
    @given(
        st.text(max_size=100),
        FLAGS,
        FLAGS,
        st.sampled_from(sorted(WRAPPINGS)),
        st.sampled_from(sorted(VALUES)),
    )
    def test_every_wrapping_reads_back(
        self, rationale: str, correct: bool, progress: bool, wrapping: str, kind: str
    ) -> None:
        """With the rationale that the object has."""
        said = {"correct": VALUES[kind][not correct], "progress": VALUES[kind][not progress]}
        reply = WRAPPINGS[wrapping](json.dumps({"rationale": rationale, **said}, indent=2))
        read = read_verdict(reply, json_first=True)
        assert read is not None, reply
        assert (read.correct, read.progress, read.rationale) == (correct, progress, rationale)

    def test_broken_escapes(self) -> None:
        """LaTeX in a JSON string, as models write it, and line ends as they are."""
        reply = '{"rationale": "\\(3 \\times 4\\) is\n12", "correct": true, "progress": false}'
        read = read_verdict(reply, json_first=True)
        assert read is not None
        assert (read.correct, read.progress) == (True, False)
        assert "4\\) is\n12" in read.rationale

    def test_lines_where_the_server_ignored_the_schema(self) -> None:
        """The reply of a server without structured output is read as any other."""
        read = read_verdict("Right.\nCorrect: yes\nProgress: no", json_first=True)
        assert read is not None
        assert (read.correct, read.progress, read.rationale) == (True, False, "Right.")

    def test_an_object_at_the_end_without_a_schema(self) -> None:
        """It is a fixed place too; with talk behind it, it is not."""
        reply = 'So: {"correct": true, "progress": true}'
        assert read_verdict(reply) is not None
        assert read_verdict(reply + "\nBut the sum is wrong.") is None

    @pytest.mark.parametrize(
        "reply",
        [
            '{"correct": true}',
            '{"correct": true, "progress": null}',
            '{"correct": true, "progress": "maybe"}',
            '{"correct": true, "progress": 2}',
            '{"correct": true, "correct": false, "progress": true}',
            '{"correct": true, "progress": tr',
            '["correct", "progress"]',
            '{"correct": ' * 3,
        ],
    )
    def test_unreadable(self, reply: str) -> None:
        """Half an object, other values, or the same key twice."""
        assert read_verdict(reply, json_first=True) is None


PIECES = [
    *("Correct: yes", "Progress: no", "correct", ":", "\n", "{", "}", '"', "<think>", "</think>", "```json"),
    *('"correct": true,', '"progress": 0', "\\u12", "**", "no", " ", "\x00", "1."),
]


class TestAnything:
    @given(
        st.one_of(
            st.text(max_size=400),
            st.lists(
                st.sampled_from(PIECES),
                max_size=40,
            ).map("".join),
        ),
        FLAGS,
    )
    def test_never_raises(self, reply: str, json_first: bool) -> None:
        """A verdict that is read has both values and a rationale out of the reply."""
        read = read_verdict(reply, json_first=json_first)
        assert read is None or (type(read.correct), type(read.progress)) == (bool, bool)

    @given(st.text(alphabet="Correct: yes\nProgress no.", max_size=60), FLAGS)
    def test_talk_behind_a_verdict_takes_it_back(self, talk: str, json_first: bool) -> None:
        """What is reasoned on behind it is reasoning."""
        reply = f"Correct: yes\nProgress: yes\nWait: {talk} is what I meant"
        assert read_verdict(reply, json_first=json_first) is None

    def test_large_replies_are_read_in_time(self) -> None:
        """100 kB of braces, tags or lines take well under a second each."""
        for piece in (
            "{",
            '{"correct":',
            "<think>",
            "</think>",
            "Correct: yes\n",
            "\n",
            "* ",
            '{"correct":"',
        ):
            read_verdict(piece * (100_000 // len(piece)), json_first=True)
