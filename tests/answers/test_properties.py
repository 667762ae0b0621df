"""What holds for any text: no crash, no hang, and numbers that match exactly where they are equal."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bswirl.answers import flexible_answer, parse_number, plain_match, read_answer, strict_answer
from bswirl.answers.reading import stated

READERS = (parse_number, strict_answer, flexible_answer, read_answer, stated)
SECONDS = 10.0  # for 100 kB; a reader that is quadratic in anything takes minutes

FRAGMENTS = (
    *(
        "1",
        "1,",
        "1,234,",
        "1 ",
        "1 1/2 ",
        "1.",
        "1:",
        "1/",
        "1-",
        "-",
        "$",
        "€1,00",
        "%",
        "5 % ",
        "½",
        "²",
        "⁻",
    ),
    *("\\", "\\\\", "\\boxed{", "\\boxed{1}", "\\text{", "\\frac{1", "\\frac{1}{2}", "{", "}", "(", "((1"),
    *(
        "Answer:",
        "Answer: ",
        "answer (",
        "the final answer\n",
        "The answer is ",
        "####",
        "#### a\n",
        "####\n",
    ),
    *(
        "**",
        "**1**",
        "> *`",
        "a",
        "A. ",
        "\n",
        " ",
        "\t",
        "\u2009",
        "x=",
        "a, b=1 ",
        "1 and ",
        "3 or ",
        "percent ",
    ),
    *(
        "million ",
        "USD ",
        "US$",
        "é1",
        "1e1",
        "10^",
        "<<1",
        "٣",
        "\x1b[31m",
        "\x00",
        "'",
        "’1",
        "≈",
        "= ",
        "π",
        "√",
    ),
)
fragments = st.sampled_from(FRAGMENTS)
hostile = st.one_of(
    st.text(max_size=80),
    st.lists(fragments, max_size=25).map("".join),
    st.lists(st.text(max_size=5)).map("#### ".join),
)


def spellings(value: Fraction) -> list[str]:
    """Ways to write a number."""
    over, under = value.numerator, value.denominator
    ways = [f"{over}/{under}", f"\\frac{{{over}}}{{{under}}}"]
    sign, (whole, rest) = "-" * (value < 0), divmod(abs(value), 1)
    if whole and rest:
        ways += [f"{sign}{whole} {rest}", f"{sign}{whole}\\frac{{{rest.numerator}}}{{{rest.denominator}}}"]
    if 10**6 % under == 0:
        millionths, places = over * 10**6 // under, f".{int(rest * 10**6):06d}"
        plain, grouped = f"{sign}{int(whole)}{places}", f"{sign}{int(whole):,}{places}"
        ways += [plain, plain.rstrip("0"), grouped, f"{plain} apples", f"x = {plain}", f"**{plain}**"]
        ways += [
            f"${plain}",
            f"\\${grouped}",
            f"$${plain}$$",
            f"\\boxed{{{grouped}}}",
            plain.replace("-", "−"),
        ]
        ways += [
            f"{millionths}e-6",
            f"{millionths} \\times 10^{{-6}}",
            grouped.replace(",", "{,}") + "\\text{ cm}",
        ]
    return ways


numbers = st.fractions(min_value=-(10**9), max_value=10**9, max_denominator=10**6)
decimals = st.integers(-(10**9), 10**9).map(lambda number: Fraction(number, 1000))


class TestAnyText:
    @given(hostile)
    @settings(max_examples=400)
    def test_no_text_breaks_a_reader(self, text: str) -> None:
        """They read it or they do not."""
        for read in READERS:
            read(text)
        assert plain_match(text, text) in (True, False, None)

    @pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
    @pytest.mark.parametrize("fragment", FRAGMENTS)
    def test_100_kilobytes_of_one_thing(self, read: object, fragment: str) -> None:
        """Time grows with the length and no faster."""
        assert callable(read)
        text = (fragment * 100_000)[:100_000]
        started = time.process_time()
        read(text)
        assert time.process_time() - started < SECONDS

    @given(st.lists(fragments, min_size=1, max_size=6).map("".join))
    @settings(max_examples=40)
    def test_100_kilobytes_of_several_things(self, block: str) -> None:
        """Whatever repeats."""
        text = (block * (100_000 // len(block)))[:100_000]
        started = time.process_time()
        for read in READERS:
            read(text)
        plain_match(text, "5")
        assert time.process_time() - started < len(READERS) * SECONDS

    @given(hostile)
    @settings(max_examples=400)
    def test_a_read_answer_reads_as_itself(self, text: str) -> None:
        """Reading an answer again changes nothing."""
        for read in (strict_answer, read_answer, stated):
            if (found := read(text)) is not None:
                assert stated(found) == found
        if (last := flexible_answer(text)) is not None:
            assert flexible_answer(last) == last

    @given(hostile, hostile)
    @settings(max_examples=300)
    def test_matching_is_symmetric_and_reflexive(self, one: str, other: str) -> None:
        """A read answer is itself; neither side is special."""
        assert plain_match(one, other) == plain_match(other, one)
        if (found := read_answer(one)) is not None:
            assert plain_match(found, found) is True


class TestNumbers:
    @given(st.one_of(numbers, decimals))
    @settings(max_examples=300)
    def test_equal_numbers_match_in_any_spelling(self, value: Fraction) -> None:
        """Each spelling against each other one."""
        ways = spellings(value)
        for way in ways:
            assert parse_number(way) == value, way
            assert read_answer(f"Answer: {way}") == read_answer(f"Answer: {ways[0]}"), way
            assert plain_match(way, ways[0]) is True, way

    @given(st.one_of(numbers, decimals), st.data())
    @settings(max_examples=300)
    def test_different_numbers_never_match(self, value: Fraction, data: st.DataObject) -> None:
        """Near ones, negatives, and those that share their digits."""
        near = st.sampled_from(
            [value + Fraction(1, 10**6), value - 1, value * 10, value / 10, value * 1000, value / 100, -value]
        )
        other = data.draw(st.one_of(near, numbers, decimals).filter(lambda other: other != value))
        for one in spellings(value):
            for two in spellings(other):
                assert plain_match(one, two) is False, (one, two)

    @given(numbers, st.sampled_from(["%", " percent", "\\%", " million", " dozen", "k"]))
    def test_endings_match_what_they_mean(self, value: Fraction, ending: str) -> None:
        """With its ending, without it, and multiplied out; nothing else."""
        factors = {"k": Fraction(1000), " million": Fraction(10**6), " dozen": Fraction(12)}
        factor = factors.get(ending, Fraction(1, 100))
        text = f"{value}{ending}"
        for meant in (value, value * factor):
            assert plain_match(text, str(meant)) is True
        assert plain_match(text, str(value * factor + 1)) is (value * factor + 1 == value)
