"""LaTeX, Markdown and typographic characters in answers, reduced to plain text."""

from __future__ import annotations

import re
import unicodedata

_LONGEST_BOX = 2000
_MOST_BOXES = 20  # that are looked at, from the last one back
_LAYERS = 3  # of `\text{\textbf{…}}` that are opened

_BOX = re.compile(r"(?P<minus>(?<![\w)])[-−]\s?)?\\(?:boxed|fbox)\s{0,2}\{")
_ANNOTATION = re.compile(r"<<[^<>\n]{0,200}>>")  # GSM8K's `<<48/2=24>>`
_TAG = re.compile(r"</?(?:b|i|u|em|strong|code|span|p|sub|sup)>")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_SUPERSCRIPT = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]{1,9}")
_VULGAR = re.compile(r"[¼½¾⅐-⅞]")
_SPACE = re.compile(r"\\[;: \n]|\\\\|\\q{1,2}uad(?![A-Za-z])|~")
_DELIMITER = re.compile(r"\\[()\[\]]")
_ESCAPED = re.compile(r"\\(?=[\d$%&#_])")
_DEGREE = re.compile(r"\^\s?\{?\s?\\circ\s?\}?|\\degree(?![A-Za-z])")
_FRACTION = re.compile(
    r"\\[dtc]?frac\s?(?:\{\s?([-−]?\$?[\d.,]{1,80})\s?\}\s?|(\d))(?:\{\s?([\d,]{1,80})\s?\}|(\d))"
    r"(?![\dA-Za-z(]|\s?\\[A-Za-z])"
)
_WRAPPER = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|normal|up)?|math(?:rm|bf|it|sf|tt|bb)|mbox|hbox|emph|underline|boxed|fbox"
    r"|operatorname|bm|boldsymbol)\s?\{([^{}]*)\}"
)
_COMMAND = re.compile(r"\\([A-Za-z]{1,20})(?![A-Za-z])")
_COMMANDS = {
    "times": "×",
    "cdot": "·",
    "div": "÷",
    "approx": "≈",
    "simeq": "≈",
    "pm": "±",
    "le": "≤",
    "leq": "≤",
    "ge": "≥",
    "geq": "≥",
    "lt": "<",
    "gt": ">",
    "ne": "≠",
    "neq": "≠",
    "pi": "π",
    "infty": "∞",
    "dots": "...",
    "ldots": "...",
    "to": "→",
    "rightarrow": "→",
    "Rightarrow": "→",
    "implies": "→",
    "euro": "€",
    "pounds": "£",
    **dict.fromkeys(("left", "right", "big", "Big", "bigg", "Bigg", "displaystyle", "checkmark"), ""),
    **dict.fromkeys(("newline", "par", "square", "blacksquare", "qed", "hfill"), " "),
}
_EMPHASIS = re.compile(r"(?<!\d)\*\*|\*\*(?!\d)")


def boxed(text: str) -> str | None:
    """What stands in the last closed `\\boxed{…}`, braces inside it balanced; None where there is none."""
    for match in list(_BOX.finditer(text))[: -_MOST_BOXES - 1 : -1]:
        depth = 1
        for index in range(match.end(), min(len(text), match.end() + _LONGEST_BOX)):
            depth += {"{": 1, "}": -1}.get(text[index], 0)
            if depth == 0:
                inner = text[match.end() : index]
                return _negative(inner) if match["minus"] else inner
    return None


def _negative(inner: str) -> str:
    return f"-{inner}" if inner.lstrip(" \\$")[:1].isdigit() else f"-({inner})"


def plain_text(text: str) -> str:
    """Text without LaTeX's and Markdown's layout: `\\$1{,}000\\text{ a day}` is `$1,000 a day`.

    `\\frac{3}{4}` and `¾` become `3/4`. Commands that calculate (`\\sqrt`) and unknown ones stay.
    """
    text = _TAG.sub("", _ANNOTATION.sub("", text))
    text = _SUPERSCRIPT.sub(lambda match: "^" + match.group().translate(_SUPERSCRIPTS), text)
    text = _VULGAR.sub(_vulgar, text).replace("⁄", "/").replace("{,}", ",")
    if "\\" in text or "~" in text:
        text = _without_latex(text)
    return _EMPHASIS.sub("", text)


def _without_latex(text: str) -> str:
    text = text.replace("\\!", "").replace("\\,", "\u2009")
    text = _SPACE.sub(" ", text)
    text = _ESCAPED.sub("", _DELIMITER.sub(" ", text))
    text = _DEGREE.sub("°", text)
    for _ in range(_LAYERS):
        text = _WRAPPER.sub(_unwrapped, text)
    text = _FRACTION.sub(_fraction, text)
    return _COMMAND.sub(lambda match: _COMMANDS.get(match.group(1), match.group()), text)


def _vulgar(match: re.Match[str]) -> str:
    return _beside(match, unicodedata.normalize("NFKC", match.group()))


def _fraction(match: re.Match[str]) -> str:
    top, bottom = match.group(1) or match.group(2), match.group(3) or match.group(4)
    return _beside(match, f"{top}/{bottom}")


def _unwrapped(match: re.Match[str]) -> str:
    inner = _beside(match, match.group(1))
    after = match.string[match.end() : match.end() + 1]
    return inner + " " if after.isalnum() else inner


def _beside(match: re.Match[str], text: str) -> str:
    """`text` with a space before it where it would touch a letter or digit: `1½` is 1 1/2, not 11/2."""
    before = match.string[match.start() - 1 : match.start()] if match.start() else ""
    return " " + text if before.isalnum() and not text.startswith(" ") else text
