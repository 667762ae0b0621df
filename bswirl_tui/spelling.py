"""Mathematics in ASCII: what a step says must be readable where a terminal shows no other signs."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

LINE_END = "<nl>"
_SIGNS = {
    "±": "+-",
    "∓": "-+",
    "÷": "/",
    "∕": "/",
    "➗": "/",
    "➕": "+",
    "➖": "-",
    "✕": "x",
    "✖": "x",
    "·": "*",
    "⋅": "*",
    "∙": "*",
    "∗": "*",
    "≤": "<=",
    "≥": ">=",
    "⩽": "<=",
    "⩾": ">=",
    "≠": "!=",
    "≈": "~=",
    "≃": "~=",
    "≡": "==",
    "√": "sqrt",
    "∛": "cbrt",
    "∞": "inf",
    "°": " deg",
    "←": "<-",
    "→": "->",
    "↔": "<->",
    "⇒": "=>",
    "⇔": "<=>",
    "∈": " in ",
    "∑": "sum",
    "∏": "prod",
    "∠": "angle ",
    "∴": "so ",
    "⁄": "/",
    "‐": "-",
    "‑": "-",
    "⏎": LINE_END,
    "¢": " cents",
    "€": "EUR",
    "£": "GBP",
    "¥": "JPY",
}
_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻"
_LOWERED = "₀₁₂₃₄₅₆₇₈₉₊₋"
_RUNS = re.compile(f"[{_RAISED}]+|[{_LOWERED}]+")
_DIGITS = str.maketrans(_RAISED + _LOWERED, 2 * "0123456789+-")
_FRACTIONS = "½¼¾⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"
_GREEK = (*range(0x391, 0x3AA), *range(0x3B1, 0x3CA))
_SHAPES = (*range(0xFF01, 0xFF5F), *range(0xFFE0, 0xFFE7), *range(0x1D400, 0x1D800))  # wide, bold, slanted


def spelt(text: str) -> str:
    """`text` with signs of mathematics in ASCII; letters of other scripts stay."""
    return text if text.isascii() else _RUNS.sub(_run, text).translate(_table())


def _run(found: re.Match[str]) -> str:
    """Raised or lowered digits in a row."""
    digits = found[0]
    return ("^" if digits[0] in _RAISED else "_") + digits.translate(_DIGITS)


@cache
def _table() -> dict[int, str]:
    spellings = dict(_SIGNS)
    for sign in _FRACTIONS:  # "3½" is three and a half
        spellings[sign] = " " + unicodedata.normalize("NFKD", sign).replace("⁄", "/")
    for code in _GREEK:
        name = unicodedata.name(chr(code), "").split()
        if name:
            spellings[chr(code)] = name[-1].lower() if "SMALL" in name else name[-1].capitalize()
    for code in _SHAPES:
        plain = unicodedata.normalize("NFKC", chr(code))
        spellings[chr(code)] = spellings.get(plain, plain)
    return {ord(sign): words for sign, words in spellings.items()}
