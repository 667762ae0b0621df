"""Numbers as people and models write them, told apart from what only looks like one.

A time, a date, a range, a list and what may be a decimal comma (`3:30`, `1/2/2024`, `3-5`, `3,5`) are no
numbers: they are left as they stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from bswirl.answers.latex import plain_text

_LIMIT = 10**60  # of numerator and denominator; what is larger is left as it stands
_LONGEST = 2000  # characters of a stated answer that are looked at
_LONGEST_ODD = 60

_GROUPS = (
    r"[1-9]\d{0,2}(?:,\d{3}){1,19}(?:\.\d{1,60})?"  # 1,234.5
    r"|[1-9]\d?(?:,\d\d){1,9},\d{3}(?:\.\d{1,60})?"  # 12,34,567 as in India
    r"|[1-9]\d{0,2}(?:\.\d{3}){1,19},\d{1,60}|[1-9]\d{0,2}(?:\.\d{3}){2,19}"  # 1.234,5 and 1.234.567
    r"|[1-9]\d{0,2}(?:[\u2009\u202f\xa0'’]\d{3}){1,19}(?:[.,]\d{1,60})?"  # thin spaces, 1'234
    r"|(?:(?<=€)|(?<=€\s))\d{1,60},\d\d|\d{1,60},\d\d(?=\s?€)"  # €3,50
)
_UNSIGNED = rf"(?:{_GROUPS}|\d{{1,60}}(?:\.\d{{1,60}})?|\.\d{{1,60}})"
_END = r"(?![\d])(?![.,:/'’\u2009\u202f\xa0][\d])(?![-−–][$€£]?\d)"
_SIGN = r"(?:(?<![\w.)\]}])[-−–])"
_CURRENCY = (
    r"(?:(?:(?<![A-Za-z])(?:US|CA|AU|NZ|HK|A|C|S)\s?)?[$€£¥₹₩]"
    r"|(?<![A-Za-z])(?:USD|EUR|GBP|CAD|AUD|NZD|INR|JPY|CNY|CHF|[Rr]s\.?)(?=[\s\d]))\s?"
)
_POWER = r"10\s?(?:\^|\*\*)\s?[{(]?\s?(?P<POWER>[-−+]?\d{1,3})\s?[})]?"
_FACTOR = (
    r"(?:\s?(?P<percent>%|(?i:percent(?:age)?(?:\spoints?)?|per\s?cent|pct)\b)"
    r"|\s(?P<scale>(?i:dozen|hundred|thousand|million|billion|trillion))(?i:s?)\b|(?P<kilo>[kK])(?![A-Za-z]))?"
)
_TOKEN = re.compile(
    rf"(?P<glued>(?:[A-Za-zÀ-ÖØ-öø-ÿ]|[_^]\{{?[-−]?)\d[\d.,]*)"  # x2, cm^2, B12: part of a name
    rf"|(?P<sign>{_SIGN})?(?:{_CURRENCY}(?P<minus>[-−])?)?(?:"
    rf"(?P<mixed>\d{{1,60}})\s{{1,2}}(?:and\s{{1,2}})?(?P<mixed_top>\d{{1,60}})/(?P<mixed_bottom>\d{{1,60}}){_END}"
    rf"|{_POWER.replace('POWER', 'power')}{_END}"
    rf"|(?P<number>{_UNSIGNED})(?:\s?/\s?(?P<over>{_GROUPS}|\d{{1,60}})"
    rf"|[eE](?P<exponent>[-−+]?\d{{1,3}})(?!\w)|\s?[×xX*·]\s?{_POWER.replace('POWER', 'times_power')})?{_END}"
    rf"){_FACTOR}"
    r"|(?P<odd>\d+(?:[.,:/'’\u2009\u202f\xa0–−-][$€£]?\d+)*)"
)
_DECIMAL_COMMA = re.compile(r"\.\d{3},|[\u2009\u202f\xa0'’]\d{3},|^\d+,\d\d$")
_SCALES = {
    "dozen": Fraction(12),
    "hundred": Fraction(100),
    "thousand": Fraction(10**3),
    "million": Fraction(10**6),
    "billion": Fraction(10**9),
    "trillion": Fraction(10**12),
}
_PERCENT = Fraction(1, 100)
_ENDINGS = {Fraction(1): "", _PERCENT: "%", **{factor: f" {name}" for name, factor in _SCALES.items()}}

_RELATION = re.compile(r"(?:[<>!≠]=|(?<![-=])>|[<≤≥≠±√])\s*$")
_OPERAND_BEFORE = re.compile(
    r"(?:(?:(?<![A-Za-z])[A-Za-z]|[\d)\]}π])\s*|^\s*|[(=,]\s*)[-−–*/×÷·^]\s*$"  # x - 5, and - 5 by itself
    r"|(?:(?<![A-Za-z])[A-Za-z]|[\d)\]}π])\s*\+\s*$|[-−–]\s*[({\[]\s*$|[\w√π)]\($|\b(?:sqrt|log|ln|sin|cos|tan)\s*$"
)
_OPERATOR_AFTER = re.compile(
    r"\s*(?:[×·÷^√π<>≤≥≠±]|\*(?:\s?[\d(\\]|[A-Za-z])|/\s?(?:[\d(\\]|[xyz](?![A-Za-z]))|\+\s?[\d(\\$A-Za-z]"
    r"|[-−–]\s?(?:[\d(\\$.]|[b-hj-zB-HJ-Z](?![A-Za-z]))|[xX]\s?\d)"
    r"|[xyznijXYZN](?![A-Za-z])|\((?:\s?[-\d]|[a-z][^a-z])"
)
_NEGATIVE = re.compile(r"\b(?:negative|minus)\s{1,3}(?=[$\d.])", re.IGNORECASE)
_AND_A_HALF = re.compile(r"(?<=\d)\s{1,3}and\s{1,3}(?:a|one)[\s-](half|third|quarter)\b", re.IGNORECASE)
_PARTS = {"half": "1/2", "third": "1/3", "quarter": "1/4"}
_COMMAND = re.compile(r"\\[A-Za-z]")
_SPACED = re.compile(r"(?<![\d.,:/-])[1-9]\d{0,2}(?: \d{3}){1,19}(?![\d/])")
_ASSIGNMENT = re.compile(r"(?:^|[,;]|\band\b)\s{0,9}[A-Za-z]\w{0,12}\s{0,9}=")
_PREPOSITION = re.compile(
    r"(?:\b(?:in|after|within|over|during|for|with|from|at|per|on|by|between|before|since|until|than|every)|^of)\s{1,3}"
    r"(?:(?:the|a|an|his|her|their|last|first|next|other)\s{1,3}){0,2}$",
    re.IGNORECASE,
)
_JOINED = re.compile(
    r"(?:(?:\s{1,3}[A-Za-z'’-]{1,20}){0,3}\s{0,3}(?:,?\s{0,3}\b(?:and|or|plus|to|through|versus|vs\.?)\b|[;&])"
    r"|\s{0,3},(?:\s{0,3}[A-Za-z' ]{1,20}[:=])?)[\s$({\[]{0,9}",
    re.IGNORECASE,
)
_COMPOUND = re.compile(
    r"[\s-]{0,3}(?:feet|foot|ft|hours?|hrs?|h|minutes?|mins?|pounds?|lbs?|kg|years?|months?|weeks?|days?|dollars?"
    r"|meters?|m)\.?,?\s{0,3}",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as it was written, and what its ending multiplies it by: 50 and 1/100 in `50%`."""

    value: Fraction
    factor: Fraction = Fraction(1)

    def same(self, other: Quantity) -> bool:
        """Whether both are the same number. A number without ending may be the one before another's ending:
        `50%` is 50 and 0.5, `3 million` is 3 and 3000000.
        """
        if self.factor == other.factor:
            return self.value == other.value
        for bare, ended in ((self, other), (other, self)):
            if bare.factor == 1 and bare.value == ended.value:
                return True
        return self.value * self.factor == other.value * other.factor

    def __str__(self) -> str:
        return format_number(self.value) + _ENDINGS[self.factor]


def parse_number(text: str) -> Fraction | None:
    """The number that a text states, without its ending: `$1,234.50`, `3/4`, `24 apples`, `50%` (50).

    None where it states none: a word, a formula, a range, a list.
    """
    quantity = read_quantity(text)
    return None if quantity is None else quantity.value


def read_quantity(text: str) -> Quantity | None:
    """The number that a short text states: its first one, behind its last `=` where one stands there.

    In prose numbers behind a preposition come last (`in 4 weeks she did 34 hours`). None where there is none,
    where it is part of a formula, and where several are stated side by side.
    """
    text = _in_digits(plain_text(text[:_LONGEST]))
    if _COMMAND.search(text) or len(_ASSIGNMENT.findall(text)) > 1:
        return None
    start = max(text.rfind("="), text.rfind("≈")) + 1
    tokens = list(_tokens(text, start)) or list(_tokens(text, 0))
    if not tokens:
        return None
    place = next((at for at, token in enumerate(tokens) if not _is_aside(text, token)), 0)
    quantity = _quantity(tokens[place])
    if quantity is None or not _stands_alone(text, tokens[place]):
        return None
    for one, other in pairwise(tokens[max(0, place - 1) : place + 2]):
        if _side_by_side(text, one, other):
            beside = _quantity(one if other is tokens[place] else other)
            if beside is None or not quantity.same(beside):
                return None
    return quantity


def last_number(text: str) -> str | None:
    """The last number of a text in plain form, or as it stands where it is a time, a date or a range."""
    last = None
    for last in _tokens(plain_text(text), 0):  # noqa: B007 - the last one is wanted
        pass
    if last is None:
        return None
    quantity = _quantity(last)
    if quantity is not None:
        return str(quantity)
    return last.group().strip() if len(last.group()) <= _LONGEST_ODD else None


def is_odd(text: str) -> bool:
    """Whether a text is a time, a date or a range: digits with `:`, `/`, `'` or `-` that make no number."""
    digits = re.sub(r"[A-Za-z.\s$€£]+", "", plain_text(text))
    match = _TOKEN.fullmatch(digits)
    return match is not None and match["odd"] is not None and re.search(r"\d[:/'’–−-]", digits) is not None


def format_number(value: Fraction) -> str:
    """A number as people write it: `24`, `2.5`; `1/3` where no short decimal says it."""
    if value.denominator == 1:
        return str(value.numerator)
    rest, twos, fives = value.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    places = max(twos, fives)
    if rest != 1 or abs(value.numerator) * 10**places // value.denominator >= _LIMIT:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def _tokens(text: str, start: int) -> Iterator[re.Match[str]]:
    """Numbers and what looks like them, from `start` on; digits in names (`x2`, `cm^2`) are left out."""
    return (match for match in _TOKEN.finditer(text, start) if match["glued"] is None)


def _in_digits(text: str) -> str:
    """A stated text with `200 000`, `negative 7` and `2 and a half` in digits."""
    text = _SPACED.sub(lambda match: match.group().replace(" ", ""), text)
    text = _NEGATIVE.sub("-", text)
    return _AND_A_HALF.sub(lambda match: " " + _PARTS[match.group(1).lower()], text)


def _side_by_side(text: str, one: re.Match[str], other: re.Match[str]) -> bool:
    """Whether two numbers make a list or one measure: `3 or 4`, `5 feet 4`; not `240 5-dollar bills`."""
    between = text[one.end() : other.start()]
    if between.isspace():
        return not re.match(r"-[A-Za-z]", text[other.end() : other.end() + 2])
    return bool(_JOINED.fullmatch(between) or _COMPOUND.fullmatch(between))


def _is_aside(text: str, token: re.Match[str]) -> bool:
    return _PREPOSITION.search(text[max(0, token.start() - 40) : token.start()]) is not None


def _stands_alone(text: str, token: re.Match[str]) -> bool:
    """Whether a number is no operand of a formula: of `x - 5`, `2^10`, `5x` or `> 5`."""
    before, after = text[max(0, token.start() - 40) : token.start()], text[token.end() : token.end() + 40]
    return not (_RELATION.search(before) or _OPERAND_BEFORE.search(before) or _OPERATOR_AFTER.match(after))


def _quantity(token: re.Match[str]) -> Quantity | None:
    part = token.groupdict()
    if part["odd"]:
        return None
    try:
        value = _value(part)
    except (ValueError, ZeroDivisionError):
        return None
    if value is None or max(abs(value.numerator), value.denominator) >= _LIMIT:
        return None
    factor = Fraction(1)
    if part["percent"]:
        factor = _PERCENT
    elif part["scale"]:
        factor = _SCALES[part["scale"].lower()]
    elif part["kilo"]:
        factor = _SCALES["thousand"]
    return Quantity(-value if part["sign"] or part["minus"] else value, factor)


def _value(part: dict[str, str | None]) -> Fraction | None:
    """The unsigned value of a number's parts; None for a mixed number whose fraction is no proper one."""
    if part["mixed"]:
        rest = Fraction(int(part["mixed_top"] or 0), int(part["mixed_bottom"] or 0))
        return int(part["mixed"]) + rest if rest < 1 else None
    if part["power"]:
        return _power(part["power"])
    value = _decimal(part["number"] or "")
    if part["over"]:
        return value / _decimal(part["over"])
    if power := part["exponent"] or part["times_power"]:
        return value * _power(power)
    return value


def _power(exponent: str) -> Fraction:
    power = int(exponent.replace("−", "-"))
    if abs(power) > _LONGEST_ODD:
        raise ValueError(f"10 to the {power} is too large or too small")
    return Fraction(10) ** power


def _decimal(text: str) -> Fraction:
    """The value of digits with a decimal sign and separators between groups of them."""
    if _DECIMAL_COMMA.search(text) or text.count(".") > 1:
        text = re.sub(r"[.\u2009\u202f\xa0'’]", "", text).replace(",", ".")
    return Fraction(re.sub(r"[,\u2009\u202f\xa0'’]", "", text))
