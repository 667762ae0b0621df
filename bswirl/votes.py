"""How a verdict came about, in words: the split of its votes, or a model's probabilities, and the cost."""

from __future__ import annotations

from typing import Any

from bswirl.records import Verdict


def votes_words(verdict: Verdict) -> str:
    """Such as `votes correct 2:1, progress 3:0; 4 replies; $0.0021`; empty where there is nothing to say."""
    parts = []
    if verdict.duplicate_of is not None:
        parts.append(f"copied from action {verdict.duplicate_of}")
    if verdict.votes:
        parts += _of_votes(verdict.votes)
    if verdict.cost:
        parts.append(f"${verdict.cost:.2g}")
    return "; ".join(parts)


def _of_votes(votes: dict[str, Any]) -> list[str]:
    said = {name: votes.get(name) for name in ("correct", "progress")}
    if all(_is_number(value) for value in said.values()):
        return [", ".join(f"P({name}) {value:.2f}" for name, value in said.items())]
    if not all(_is_split(value) for value in said.values()):
        return []
    cast = max(sum(value) for value in said.values() if value)
    asked = votes.get("asked")
    words = [", ".join(f"{name} {yes}:{no}" for name, (yes, no) in _pairs(said))] if cast > 1 else []
    if words:
        words = [f"votes {words[0]}"]
    return words + ([f"{asked} replies"] if isinstance(asked, int) and asked > max(cast, 1) else [])


def _pairs(said: dict[str, Any]) -> list[tuple[str, tuple[int, int]]]:
    return [(name, (value[0], value[1])) for name, value in said.items()]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_split(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(count, int) for count in value)
