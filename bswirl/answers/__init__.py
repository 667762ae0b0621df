"""Final answers: read out of model text, strictly or flexibly, and compared with gold."""

from bswirl.answers.matching import Comparison, answers_match, compare, is_plain, plain_match
from bswirl.answers.numbers import format_number, parse_number
from bswirl.answers.reading import flexible_answer, read_answer, strict_answer

__all__ = [
    "Comparison",
    "answers_match",
    "compare",
    "flexible_answer",
    "format_number",
    "is_plain",
    "parse_number",
    "plain_match",
    "read_answer",
    "strict_answer",
]
