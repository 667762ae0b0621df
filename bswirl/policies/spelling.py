"""The exact bytes that tokens stand for, which a tokenizer's decoded text does not always show."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from bswirl.tokens import as_bytes

_PIECE_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_BLANK = "▁"  # SentencePiece's sign for a space


class Spelling:
    """Says how many bytes of a decoded text each token spells."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._added = {token.content for token in tokenizer.added_tokens_decoder.values()}

    def sizes(self, ids: Sequence[int], text: str, ends: Sequence[int]) -> tuple[int, ...]:
        """The bytes of `text` that each of `ids` spells; `ends` are the characters behind them.

        Exact where the tokenizer's own spelling gives that text. Else a character that several tokens share
        is the first one's: texts with broken characters, and tokenizers that drop or add blanks.
        """
        tokens = list(self._tokenizer.convert_ids_to_tokens(list(ids)))
        for bytes_of in (_letters_bytes, _piece_bytes):
            pieces = [self._piece(token, bytes_of) for token in tokens]
            if b"".join(pieces) == as_bytes(text):
                return tuple(map(len, pieces))
        return tuple(len(as_bytes(text[start:end])) for start, end in pairwise((0, *ends)))

    def _piece(self, token: Any, bytes_of: Callable[[str], bytes]) -> bytes:
        if not isinstance(token, str):
            return b""
        return as_bytes(token) if token in self._added else bytes_of(token)


def _byte_of_letter() -> dict[str, int]:
    """What the letters of a byte-level vocabulary stand for: printable Latin-1 bytes are themselves."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(plain)]
    return {chr(byte): byte for byte in plain} | {chr(256 + n): byte for n, byte in enumerate(others)}


_BYTES = _byte_of_letter()


def _letters_bytes(token: str) -> bytes:
    if not all(letter in _BYTES for letter in token):
        return as_bytes(token)
    return bytes(_BYTES[letter] for letter in token)


def _piece_bytes(token: str) -> bytes:
    found = _PIECE_BYTE.fullmatch(token)
    return bytes([int(found[1], 16)]) if found else as_bytes(token.replace(_BLANK, " "))
