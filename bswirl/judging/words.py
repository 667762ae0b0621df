"""Number words, the plain constants that go with a subject, and units within units."""

from __future__ import annotations

import re
from fractions import Fraction

_BELOW_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS = "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"

UNITS: dict[str, int] = {word: value for value, word in enumerate(_BELOW_TWENTY.split())}
TENS: dict[str, int] = {word: 10 * value for value, word in enumerate(_TENS.split(), start=2)}
SCALES: dict[str, int] = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "k": 1000}
ORDINALS: dict[str, int] = {word: value for value, word in enumerate(_ORDINALS.split(), start=3)}
ORDINALS |= {"twentieth": 20, "hundredth": 100}


def _meanings(words: str, *values: Fraction | int) -> dict[str, tuple[Fraction, ...]]:
    return dict.fromkeys(words.split(), tuple(map(Fraction, values)))


MEANINGS: dict[str, tuple[Fraction, ...]] = {
    **_meanings("half halves halved halfway", Fraction(1, 2), 2),
    **_meanings("quarter quarters", Fraction(1, 4), 4),
    **_meanings("twice double doubles doubled doubling duplicate both pair pairs couple couples twins", 2),
    **_meanings("second equally average either biweekly", 2),
    **_meanings("triple triples tripled thrice triplets", 3),
    **_meanings("quadruple quadrupled quadruplets", 4),
    **_meanings("decade decades", 10),
    **_meanings("dozen dozens noon midnight", 12),
    **_meanings("fortnight", 14),
    **_meanings("century", 100),
}

CONSTANTS: tuple[tuple[re.Pattern[str], tuple[int, ...]], ...] = tuple(
    (re.compile(words, re.IGNORECASE), numbers)
    for words, numbers in (
        (r"\bsecond|minute|hour|\bmin\b|\bhrs?\b", (60,)),
        (r"\bsecond", (3600,)),
        (r"hour|\bdays?\b|daily|o'?clock|\b[ap]\.?m\b", (24, 12)),
        (r"\bdays?\b|daily|week|month|(?:mon|tues|wednes|thurs|fri|satur|sun)day", (7, 14)),
        (r"weekday|weekend|work ?day|work ?week|school|business|days a week|monday|friday", (5, 2)),
        (r"week|month|year|annual", (4, 52)),
        (r"month|year|annual", (12, 30)),
        (r"month|january|march|july|august|october|december|april|june|september|november", (28, 29, 30, 31)),
        (r"\bMay\b|february", (28, 29, 30, 31)),
        (r"year|annual|daily", (365, 366)),
        (r"%|percent|cent|dollar|\$|meter|\bcm\b|\bm\b", (100,)),
        (r"kilo|\bkm\b|\bkg\b|\bml\b|\bmm\b|gram|liter|litre|\bton", (1000,)),
        (r"centi|\bcm\b|\bmm\b|digit|decade", (10,)),
        (r"inch|feet|foot|dozen", (12,)),
        (r"yard", (3, 36)),
        (r"mile", (5280, 1760)),
        (r"pound|ounce|\boz\b|\blbs?\b", (16,)),
        (r"\btons?\b", (2000,)),
        (r"gallon|quart\b|quarts\b|pint|\bcups?\b", (2, 4, 8, 16)),
        (r"tablespoon|teaspoon", (3,)),
        (r"\bquarters?\b", (4, 15)),
        (r"square|rectang|perimeter|\bsides?\b", (2, 4)),
        (r"triang", (3, 2)),
        (r"\bdie\b|\bdice\b|\bcubes?\b", (6,)),
        (r"\bangles?\b|degree", (90, 180, 360)),
        (r"wheel", (2, 3, 4)),
        (r"\blegs?\b|\bpaws?\b|\bfeet\b", (2, 4, 6, 8)),
        (r"\barms?\b|\bhands?\b|\beyes?\b|\bears?\b|parent|twin|each other|couple|husband|wife", (2,)),
        (r"finger|\btoes?\b", (5, 10)),
        (r"touchdown|field goal|free throw", (1, 2, 3, 6, 7)),
        (r"\bdecks?\b", (52, 4, 13)),
    )
)
COINS = {"penny": 1, "pennies": 1, "nickel": 5, "dime": 10, "quarter": 25}
CONVERSIONS: tuple[tuple[re.Pattern[str], int], ...] = tuple(
    (re.compile(words, re.IGNORECASE), factor)
    for words, factor in (
        (r"hour|minute", 60),
        (r"\bf(?:ee|oo)t\b|\byears?\b|dozen", 12),
        (r"week", 7),
        (r"yard", 3),
    )
)
MONEY = re.compile(r"cent|%|\$|dollar", re.IGNORECASE)
