"""What lm-evaluation-harness's two GSM8K filters do (task `gsm8k`, version 3), as plainly as it can be said.

strict-match takes the first number behind `#### `, flexible-extract the last run of digits, `$`, `.` and `,`.
Commas, dollar signs, one full stop at the end and all up to `#### ` are then dropped from what was found and
from the gold solution, and the two texts are compared.
"""

INVALID = "[invalid]"
_DIGITS = "0123456789"


def strict_match(text: str) -> str:
    """The first run of digits, dots and commas that stands behind `#### `, with its minus."""
    for start in range(len(text)):
        if not text.startswith("#### ", start):
            continue
        number = start + len("#### ")
        sign = text[number : number + 1] == "-"
        run = _run(text, number + sign, _DIGITS + ".,")
        if run:
            return "-" * sign + run
    return INVALID


def flexible_extract(text: str) -> str:
    """The last run of two or more digits, dollars, dots and commas, or of one digit, with its minus."""
    found, position = INVALID, 0
    while position < len(text):
        sign = text[position] == "-"
        run = _run(text, position + sign, _DIGITS + "$.,")
        if len(run) < 2:
            run = _run(text, position + sign, _DIGITS)
        if run:
            found = "-" * sign + run
            position += sign + len(run)
        else:
            position += 1
    return found


def is_correct(extracted: str, gold_solution: str) -> bool:
    """Whether what a filter found is what stands at the end of the gold solution."""
    return _reduced(extracted) == _reduced(gold_solution)


def _run(text: str, start: int, characters: str) -> str:
    end = start
    while end < len(text) and text[end] in characters:
        end += 1
    return text[start:end]


def _reduced(text: str) -> str:
    text = text.replace(",", "").replace("$", "")
    text = text.rpartition("#### ")[2]
    return text.removesuffix(".").lower()
