"""What a sample's tokens say: the step shaded by them, the least likely ones, and all of them in a table."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text

from bswirl.tokens import SampleTokens, probability_words, why_unknown
from bswirl_tui.glyphs import glyphs
from bswirl_tui.text import BLANK, Paragraph, count, heading, joined, line, right, signed
from bswirl_tui.themes import Palette
from bswirl_tui.token_lines import (
    AT_LEAST,
    Shaded,
    ShownToken,
    TokenTable,
    logprob_words,
    shown_tokens,
)

LEAST_LIKELY = 5
MOST_SHOWN = 2000  # tokens of one sample
_AROUND = 28  # characters on each side of a token


def sample_paragraphs(found: SampleTokens, step: str, place: str, colours: Palette) -> list[Paragraph]:
    """One sample, token by token; `place` says which of how many it is."""
    sample = found.sample
    facts: list[Text | str] = [
        Text(place, colours.strong),
        f"run {sample.run_id}, step {sample.step}, branch {sample.branch_id}",
        line(sample.policy, colours.muted, limit=60),
    ]
    parts = [Paragraph(joined(facts, style=colours.faint))]
    if found.tokens is None or not found.tokens.sizes:
        why = why_unknown(sample.policy, sample.logprob)
        return [*parts, *_sums(found, colours), BLANK, Paragraph(Text(why, colours.muted))]
    tokens = shown_tokens(found.tokens, step)
    shown = tokens[:MOST_SHOWN]
    parts += [*_sums(found, colours), BLANK, Shaded(tokens=shown, colours=colours), _legend(colours)]
    parts += [BLANK, heading("Least likely", colours), *_least_likely(tokens, colours)]
    parts += [BLANK, heading("Tokens", colours, Text("a bar's cell is a nat", colours.muted))]
    parts.append(TokenTable(tokens=shown, colours=colours))
    if len(tokens) > len(shown):
        more = f"and {len(tokens) - len(shown):,} more: `bswirl audit show --tokens` has them all"
        parts.append(Paragraph(Text(f"{glyphs().ellipsis} {more}", colours.muted)))
    return parts


def _sums(found: SampleTokens, colours: Palette) -> list[Paragraph]:
    """Sum and mean, of the tokens where they are there."""
    total, number = found.sample.logprob, found.sample.n_tokens
    if found.tokens is not None and found.tokens.sizes:
        total, number = sum(found.tokens.logprobs), len(found.tokens.sizes)
    if total is None:
        return []
    facts: list[Text | str] = [f"sum {signed(total)}"]
    if number:
        facts += [f"mean {signed(total / number, 3)}", count(number, "token")]
    return [Paragraph(joined(facts, style=colours.faint))]


def _legend(colours: Palette) -> Paragraph:
    """What the shades mean."""
    shades = glyphs().shades
    words = [f"{shades[place]} under {least:.0%}" for place, least in enumerate(AT_LEAST, start=1)]
    return Paragraph(joined([Text(word, colours.muted) for word in words], "  "))


def _least_likely(tokens: list[ShownToken], colours: Palette) -> list[Paragraph]:
    """The least likely tokens, each in its place in the text."""
    parts = []
    for token in sorted(tokens, key=lambda token: token.logprob)[:LEAST_LIKELY]:
        text = Text().append(f"{token.number:>4} ", colours.muted)
        text.append_text(right(Text(logprob_words(token.logprob)), 6)).append(" ")
        text.append_text(right(Text(probability_words(token.logprob)), 5)).append("  ")
        place = token.number - 1
        before = "".join(other.text for other in tokens[max(0, place - _AROUND) : place])[-_AROUND:]
        behind = "".join(other.text for other in tokens[place + 1 : place + 1 + _AROUND])[:_AROUND]
        marked = token.style(colours) + Style(bold=True)
        text.append(before, colours.muted).append(f"[{token.text[:40]}]", marked).append(
            behind, colours.muted
        )
        parts.append(Paragraph(text, wrap=False))
    return parts
