"""Tokens of a step: what they spell, and how they are packed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.tokens import StepTokens, as_bytes, readable

LOGPROBS = st.floats(-9000, 1e-3, allow_nan=False)


@st.composite
def cut_texts(draw: st.DrawFn) -> tuple[bytes, list[int], int, int]:
    """A text as bytes, cut anywhere, and where its step begins and ends."""
    before, step, after = (draw(st.text(max_size=12)) for _ in range(3))
    parts = [text.encode("utf-8", "surrogatepass") for text in (before, step, after)]
    spelled = b"".join(parts)
    places = sorted(draw(st.lists(st.integers(0, len(spelled)), max_size=12)))
    sizes = [end - start for start, end in zip([0, *places], [*places, len(spelled)], strict=True)]
    return spelled, sizes, len(parts[0]), len(parts[0]) + len(parts[1])


@given(cut_texts(), st.data())
def test_cut_packed_and_read_again(cut: tuple[bytes, list[int], int, int], data: st.DataObject) -> None:
    """The pieces are the very bytes, also of tokens that split a character; log-probs are exact to 5e-7."""
    spelled, sizes, start, end = cut
    logprobs = data.draw(st.lists(LOGPROBS, min_size=len(sizes), max_size=len(sizes)))
    tokens = StepTokens.cut(spelled, sizes, logprobs, (start, end))
    assert tokens is not None
    again = StepTokens.unpack(tokens.pack())
    assert (again.sizes, again.before, again.after) == (tuple(sizes), tokens.before, tokens.after)
    assert again.logprobs == pytest.approx(logprobs, abs=5.001e-7)
    assert again.pack() == tokens.pack()
    step = spelled[start:end].decode("utf-8", "surrogatepass")
    pieces = again.pieces(step)
    assert list(map(len, pieces)) == sizes
    assert b"".join(pieces) == spelled == as_bytes(again.before) + spelled[start:end] + as_bytes(again.after)


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda rest: b"\x01" + rest))
def test_any_bytes_are_tokens_or_refused(packed: bytes) -> None:
    """With a ValueError and nothing else."""
    try:
        tokens = StepTokens.unpack(packed)
    except ValueError:
        return
    assert len(tokens.sizes) == len(tokens.logprobs)
    assert StepTokens.unpack(tokens.pack()) == tokens


def test_every_cut_end_is_noticed() -> None:
    """Also bytes too many."""
    packed = StepTokens((3, 200), (-0.5, -12.25), "é", "\n").pack()
    assert StepTokens.unpack(packed) == StepTokens((3, 200), (-0.5, -12.25), "é", "\n")
    for wrong in (*(packed[:size] for size in range(len(packed))), packed + b"x"):
        with pytest.raises(ValueError, match="token"):
            StepTokens.unpack(wrong)


def test_tokens_of_another_step_are_refused() -> None:
    with pytest.raises(ValueError, match="another text"):
        StepTokens((3,), (-1.0,)).pieces("abcd")


@pytest.mark.parametrize(
    ("logprobs", "place"), [((math.nan, 0.0), (0, 3)), ((-math.inf, 0.0), (0, 3)), ((0.0, 0.0), (0, 4))]
)
def test_what_cannot_be_kept_is_none(logprobs: tuple[float, float], place: tuple[int, int]) -> None:
    """Log-probs that are no numbers, and steps beyond what the tokens spell."""
    assert StepTokens.cut(b"abc", (1, 2), logprobs, place) is None


def test_parts_of_characters_are_shown_as_bytes() -> None:
    assert readable("é".encode()) == "é"
    assert readable(b"a\xc3") == "a‹C3›"
    assert readable(b"\x9f\x99\x82 b\xe6\xbc") == "‹9F 99 82› b‹E6 BC›"
