"""How texts and numbers are shown. Model text is hostile: this makes it safe. The store keeps it verbatim."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from typing import Any

_BIDI = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)}


def safe_text(text: str, *, one_line: bool = False, limit: int | None = None) -> str:
    """`text` without anything a terminal would act on.

    Control characters and escapes show as Unicode control pictures, bidirectional and other invisible format
    characters as `‹U+XXXX›`; a tab becomes spaces. With `one_line`, line ends show as `⏎`. Longer text than
    `limit` ends in `…`.
    """
    if limit is not None and len(text) > limit:
        text = text[: max(0, limit - 1)] + "…"
    if text.isascii() and text.isprintable():
        return text
    return "".join(_safe_character(character, one_line) for character in text)


def _safe_character(character: str, one_line: bool) -> str:
    if character == "\n":
        return "⏎" if one_line else "\n"
    if character == "\t":
        return "    "
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if character in _BIDI or unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
        return f"‹U+{code:04X}›"
    return character


def number(value: float | None, *, signed: bool = False) -> str:
    """A number with up to three decimals, or three digits where it is tiny; `–` for none."""
    if value is None:
        return "–"
    sign = "+" if signed else ""
    if not math.isfinite(value):
        return str(value)
    if value == int(value):
        return f"{int(value):{sign}d}"
    return f"{value:{sign}.3f}" if abs(value) >= 0.001 else f"{value:{sign}.2e}"


def money(dollars: float) -> str:
    """An amount, small ones with more digits."""
    return f"${dollars:,.2f}" if dollars >= 1 or dollars == 0 else f"${dollars:.2g}"


def duration(seconds: float | None) -> str:
    """`45s`, `3m 20s`, `2h 05m`, `4d 3h`."""
    if seconds is None:
        return ""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d {whole % 86400 // 3600}h"


def spending_words(summary: Mapping[str, Any]) -> str:
    """What a run's calls to a served model came to, by its summary; empty where it made none."""
    spending = summary.get("spending")
    if not isinstance(spending, Mapping) or not (spending.get("calls") or spending.get("recorded")):
        return ""
    words = f"{spending.get('calls') or 0:,} calls"
    if spending.get("cost"):
        words += f" for {money(spending['cost'])}"
    if spending.get("uncertain"):
        words += f", and up to {money(spending['uncertain'])} for requests that broke off"
    if spending.get("recorded"):
        words += f", {spending['recorded']:,} from the record"
    if spending.get("failures"):
        words += f", {spending['failures']:,} failed"
    return words
