"""The tokens of samples on the command line: a line a token, or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from bswirl.cli.output import number
from bswirl.display import safe_text
from bswirl.tokens import as_bytes, probability_words, readable, why_unknown

if TYPE_CHECKING:
    from bswirl.tokens import SampleTokens

MOST_SAMPLES = 10  # that are printed; JSON has all


def print_samples(samples: Sequence[SampleTokens], step: str) -> None:
    """The newest samples, each token on a line: number, log-prob, probability, text in quotes."""
    for found in samples[:MOST_SAMPLES]:
        sample = found.sample
        policy = safe_text(sample.policy, one_line=True)
        click.echo(f"\nrun {sample.run_id}, step {sample.step}, branch {sample.branch_id}, {policy}:")
        if found.tokens is None:
            click.echo(why_unknown(sample.policy, sample.logprob))
            continue
        logprobs = found.tokens.logprobs
        mean = number(sum(logprobs) / max(1, len(logprobs)))
        click.echo(f"{len(logprobs)} tokens, sum {number(sum(logprobs))}, mean {mean}")
        for place, (piece, logprob) in enumerate(
            zip(found.tokens.pieces(step), logprobs, strict=True), start=1
        ):
            shown = safe_text(readable(piece), one_line=True)
            click.echo(f'{place:>4} {logprob:>9.3f} {probability_words(logprob):>5}  "{shown}"')
    if len(samples) > MOST_SAMPLES:
        click.echo(f"\n{len(samples) - MOST_SAMPLES} older samples: --json has them")


def sample_json(found: SampleTokens, step: str) -> dict[str, Any]:
    """A sample for JSON; a token that holds a part of a character has null as text, and its bytes."""
    sample, tokens = found.sample, found.tokens
    place = {name: getattr(sample, name) for name in ("run_id", "trajectory", "step", "branch_id", "policy")}
    if tokens is None:
        return {**place, "tokens": None, "why": why_unknown(sample.policy, sample.logprob)}
    pieces = zip(tokens.pieces(step), tokens.logprobs, strict=True)
    return {
        **place,
        "before": readable(as_bytes(tokens.before)),
        "after": readable(as_bytes(tokens.after)),
        "tokens": [_token(piece, logprob) for piece, logprob in pieces],
    }


def _token(piece: bytes, logprob: float) -> dict[str, Any]:
    try:
        return {"text": piece.decode(), "logprob": logprob}
    except UnicodeDecodeError:
        return {"text": None, "bytes": list(piece), "logprob": logprob}
