"""The tokens that a step was sampled as, each with its log-prob, and how they are packed into a few bytes."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from bswirl.records import Sample

_LAYOUT = 1
_UNITS = 1_000_000  # log-probs are kept in millionths of a nat
_LONGEST = 9  # bytes of a packed number
_BROKEN = re.compile("[\udc80-\udcff]+")


@dataclass(frozen=True, slots=True)
class StepTokens:
    """The tokens of a sampled step, its terminator included.

    Together they spell `before`, the step and `after`: a token may reach over the step's ends. `sizes` are in
    bytes of UTF-8, because a token may hold a part of a character; such a part at the far end of `before` or
    `after` stands there as a surrogate escape.
    """

    sizes: tuple[int, ...]
    logprobs: tuple[float, ...]  # of the policy, untempered
    before: str = ""
    after: str = ""

    @classmethod
    def cut(
        cls, spelled: bytes, sizes: Sequence[int], logprobs: Sequence[float], place: tuple[int, int]
    ) -> StepTokens | None:
        """The tokens of the bytes `spelled`, of which the step is [start, end).

        None where a log-prob is no number or the step reaches beyond the tokens.
        """
        start, end = place
        if not all(map(math.isfinite, logprobs)):
            return None
        if start < 0 or end > len(spelled) or sum(sizes) != len(spelled):
            return None
        before, after = (part.decode("utf-8", "surrogateescape") for part in (spelled[:start], spelled[end:]))
        return cls(tuple(sizes), tuple(logprobs), before, after)

    def pieces(self, step: str) -> list[bytes]:
        """What each token spells, in the step of that text. Raises ValueError where it is another step's."""
        spelled = as_bytes(self.before) + as_bytes(step) + as_bytes(self.after)
        ends = list(accumulate(self.sizes))
        if (ends[-1] if ends else 0) != len(spelled):
            raise ValueError("these tokens spell another text")
        return [spelled[end - size : end] for end, size in zip(ends, self.sizes, strict=True)]

    def pack(self) -> bytes:
        """As bytes: three to five a token. Log-probs are rounded to six decimals."""
        before, after = as_bytes(self.before), as_bytes(self.after)
        numbers = [len(self.sizes), len(before), len(after), *self.sizes, *map(_folded, self.logprobs)]
        return bytes([_LAYOUT]) + b"".join(map(_varint, numbers)) + before + after

    @classmethod
    def unpack(cls, packed: bytes) -> StepTokens:
        """Raises ValueError where these bytes are no packed tokens."""
        if packed[:1] != bytes([_LAYOUT]):
            raise ValueError("tokens of an unknown layout")
        reader = _Reader(packed)
        count, *lengths = (reader.number() for _ in range(3))
        if count > len(packed):
            raise ValueError("tokens are cut off")
        sizes = tuple(reader.number() for _ in range(count))
        logprobs = tuple(_unfolded(reader.number()) for _ in range(count))
        before, after = (reader.text(length) for length in lengths)
        if reader.at != len(packed):
            raise ValueError("more bytes than tokens")
        return cls(sizes, logprobs, before, after)


@dataclass(frozen=True, slots=True)
class SampleTokens:
    """A sample with the tokens that it was drawn as; None where they are not stored."""

    sample: Sample
    tokens: StepTokens | None = None


def as_bytes(text: str) -> bytes:
    """Text as UTF-8. Surrogate escapes become the bytes they stand for, other surrogates three bytes."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass") if len(text) == 1 else b"".join(map(as_bytes, text))


def readable(piece: bytes) -> str:
    """What a token spells, as text: bytes of a character that it holds only a part of as `‹E2 80›`."""
    try:
        return piece.decode()
    except UnicodeDecodeError:
        text = piece.decode("utf-8", "surrogateescape")
    return _BROKEN.sub(lambda found: f"‹{as_bytes(found[0]).hex(' ').upper()}›", text)


def probability(logprob: float) -> float:
    """The probability of a log-prob; rounding at a server does not make it more than 1."""
    return math.exp(min(0.0, logprob))


def probability_words(logprob: float) -> str:
    """The probability in five cells at most: `100%`, `50.1%`, `<0.1%`."""
    chance = probability(logprob)
    if chance < 0.001:
        return "<0.1%"
    return f"{chance * 100:.1f}%" if chance < 0.9995 else "100%"


def why_unknown(policy: str, logprob: float | None) -> str:
    """Why a sample of that policy, with that sum, has no tokens."""
    if policy == "imported":
        return "Its tokens are not known: it was imported, and files carry the sum alone."
    if logprob is None:
        return "Its tokens are not known: its server gave no log-probs."
    return (
        "Its tokens are not stored: an earlier version sampled it, or the tokens that its server listed do"
        " not spell the step."
    )


def _folded(logprob: float) -> int:
    """A log-prob as a whole number from 0 on. A rounding error may have made it a little positive."""
    units = round(-logprob * _UNITS)
    return 2 * units if units >= 0 else -2 * units - 1


def _unfolded(number: int) -> float:
    units = number // 2 if number % 2 == 0 else -(number + 1) // 2
    return -units / _UNITS if units else 0.0


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the top bit says that more follow."""
    packed = bytearray()
    while number > 0x7F:
        packed.append(number & 0x7F | 0x80)
        number >>= 7
    packed.append(number)
    return bytes(packed)


class _Reader:
    """Reads packed numbers and texts one after the other. Everything raises ValueError at the end."""

    def __init__(self, packed: bytes) -> None:
        self._packed = packed
        self.at = 1

    def number(self) -> int:
        found = 0
        for place, byte in enumerate(self._packed[self.at : self.at + _LONGEST]):
            found |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                self.at += place + 1
                return found
        raise ValueError("tokens are cut off")

    def text(self, length: int) -> str:
        part = self._packed[self.at : self.at + length]
        if len(part) != length:
            raise ValueError("tokens are cut off")
        self.at += length
        return part.decode("utf-8", "surrogateescape")
