"""What a benchmark is told. Importable without torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from bswirl.errors import UsageError

VARIANTS = {
    "a": "rows by length",
    "b": "prefix a state",
    "c": "TRL KTO",
    "d": "trees",
    "d2": "trees, base cached",
}
REFERENCE = "a"
KTO = "c"
STEP, EXACT, CARD = "step", "exact", "card"  # what a variant's process is asked for
LARGE_SHAPE = "mistral-7b"
SHAPES = (LARGE_SHAPE, "tiny-mistral")
_QUESTIONS = 2
_PACK_TOKENS = 2048
_SHAPE_PACK_TOKENS = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchSettings:
    """A benchmark of training steps: either a policy or a shape is given."""

    policy: dict[str, Any] | None = None  # a PolicySpec as JSON
    shape: str | None = None  # randomly initialised, in NF4
    variants: tuple[str, ...] = tuple(VARIANTS)
    questions: int = _QUESTIONS
    steps: int = 5  # K
    actions: int = 5  # G
    prompt_tokens: int = 150  # P wished for
    step_tokens: int = 30  # t of random rows; templated steps have about as many with SmolLM2's tokenizer
    device: str = "auto"
    load_in_4bit: bool = False
    base_dtype: str = "bfloat16"
    gradient_checkpointing: bool = False
    pack_tokens: int = _PACK_TOKENS
    repeat: int = 3
    seed: int = 0

    @property
    def model_name(self) -> str:
        """What people call the model."""
        return self.shape or str((self.policy or {}).get("name"))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> BenchSettings:
        """The settings that `to_json` wrote."""
        return cls(**{**value, "variants": tuple(value["variants"])})


def default_pack_tokens(shape: str | None) -> int:
    """Tokens in a pack where the user named no number."""
    return _SHAPE_PACK_TOKENS if shape == LARGE_SHAPE else _PACK_TOKENS


def default_questions(shape: str | None) -> int:
    """Questions where the user named no number: with the large shape, what fills one pack."""
    if shape != LARGE_SHAPE:
        return _QUESTIONS
    plain = BenchSettings()
    return _SHAPE_PACK_TOKENS // (plain.prompt_tokens + plain.steps * plain.actions * plain.step_tokens)


def parse_variants(words: str) -> tuple[str, ...]:
    """`a,c,d` as names, in the table's order. Raises UsageError for a name that is none."""
    named = {word.strip() for word in words.split(",") if word.strip()}
    unknown = sorted(named - set(VARIANTS))
    if unknown or not named:
        raise UsageError(
            f"unknown variant {unknown[0]!r}" if unknown else "no variant is named",
            "use some of: " + ", ".join(f"{name} ({words})" for name, words in VARIANTS.items()),
        )
    return tuple(name for name in VARIANTS if name in named)
