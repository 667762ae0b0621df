"""A group's candidates and what they are compared by: one after the other as cards, or side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.style import Style
from rich.text import Text

from bswirl.records import Action, ActionShift, Verdict
from bswirl.votes import votes_words
from bswirl_tui.differences import Difference, difference
from bswirl_tui.glyphs import glyphs
from bswirl_tui.outline import Group, Outline
from bswirl_tui.text import (
    advantage_cell,
    clean,
    fit,
    line,
    mark,
    reward_cells,
    reward_number,
    right,
    signed,
    source_style,
)
from bswirl_tui.themes import Palette

FIRST_DIGIT = 2  # 0 and 1 are labels; the digits of candidates are keys, not numbers of theirs
LAST_DIGIT = 9
NUMBER = 9  # cells of a number with sign and two digits, so that numbers line up
_SOURCES = {"judge": "judge", "human": "human", "answer": "answer check"}
_SHORT = {"judge": "judge", "human": "human", "answer": "answer"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A group as it is looked at."""

    outline: Outline
    group: Group
    chosen: int  # the action under the cursor
    verdicts: Mapping[int, Verdict] = field(default_factory=dict)  # those in force, by action
    shifts: Mapping[int, ActionShift] | None = None  # None: no training run measured this question
    against: int | None = None  # the action that the others' words are held against
    marked: bool = False  # whether words that differ are highlighted

    @property
    def actions(self) -> tuple[Action, ...]:
        return self.group.actions

    @property
    def place(self) -> int:
        """Which of the candidates is under the cursor."""
        return next((n for n, action in enumerate(self.actions) if action.action_id == self.chosen), 0)

    def refers_to(self, action: Action) -> bool:
        """Whether the others are held against that candidate."""
        return self.marked and len(self.actions) > 1 and action == self.reference

    @property
    def reference(self) -> Action:
        """What the others are held against: the one chosen for it, else the best, backbones first."""
        pinned = next((action for action in self.actions if action.action_id == self.against), None)
        return pinned or max(
            self.actions,
            key=lambda action: (action.reward or 0.0, action.backbone, action.samples, -action.action_id),
        )


def digit(place: int) -> str:
    """The key that goes to a candidate; empty beyond the digits."""
    number = place + FIRST_DIGIT
    return str(number) if number <= LAST_DIGIT else ""


def title(comparison: Comparison, place: int, colours: Palette) -> Text:
    """A candidate's first line: its key, its number, whether it is a backbone, and the cursor."""
    action, signs = comparison.actions[place], glyphs()
    here = place == comparison.place
    text = Text().append(signs.closed if here else " ", colours.accent)
    text.append(f"{digit(place) or ' '} ", colours.accent)
    text.append(f"action {action.action_id}", colours.strong if here else "")
    text.append(f"  {signs.backbone}" if action.backbone else "", colours.accent)
    if comparison.refers_to(action):
        text.append("  compared", colours.warn)
    elif action.backbone:
        text.append(" backbone", colours.accent)
    return text


def facts(comparison: Comparison, place: int, colours: Palette) -> list[tuple[str, Text]]:
    """What a candidate is compared by. Every candidate of a group has the same rows."""
    action = comparison.actions[place]
    rows = [
        ("reward", reward_words(action, colours)),
        ("advantage", right(advantage_cell(action.advantage, colours), NUMBER)),
        ("samples", right(Text(f"{glyphs().times}{action.samples}"), NUMBER)),
        ("log-prob", _number(action.logprob)),
        ("per token", _per_token(action.logprob, action.n_tokens)),
    ]
    if comparison.shifts is not None:
        rows.append(("shift", _shift_words(comparison.shifts.get(action.action_id), colours)))
    if any(votes_said(comparison, other) for other in comparison.actions):
        rows.append(("votes", Text(votes_said(comparison, action) or glyphs().dash)))
    if any(other.label for other in comparison.actions):
        rows.append(("label", line(action.label or glyphs().dash, colours.human)))
    if any(comparison.outline.group_after(other.action_id) for other in comparison.actions):
        rows.append(("leads to", _leads_to(comparison.outline.group_after(action.action_id), colours)))
    return rows


def reward_words(action: Action, colours: Palette) -> Text:
    """The effective reward and who it comes from: `✓ 1 judge`; `✗ 0 human, judge 1`."""
    text = Text("   ").append_text(mark(action, colours))
    if action.reward is None:
        return text.append(" no reward yet", colours.muted)
    text.append(f" {reward_number(action.reward)} ", colours.strong)
    source = _SOURCES.get(action.source or "", "?")
    if action.source == "judge" and action.judge:
        source += f" {clean(action.judge, one_line=True, limit=24)}"
    text.append(source, source_style(action.source, colours))
    if action.source == "human" and action.judge_reward is not None:
        text.append(f", judge {reward_number(action.judge_reward)}", colours.muted)
    if action.conflict:
        text.append(", auditors disagree", colours.warn)
    return text


def votes_said(comparison: Comparison, action: Action) -> str:
    """How the votes of the verdict in force fell: `correct 2:1, progress 3:0`; empty where it has none."""
    verdict = comparison.verdicts.get(action.action_id)
    return votes_words(verdict).removeprefix("votes ") if verdict is not None and verdict.votes else ""


def card_caption(comparison: Comparison) -> str:
    """The line over cards that names their columns."""
    shift = f"{'shift':>{NUMBER}}" if comparison.shifts is not None else ""
    reward = f"{'reward':<{9 + reward_cells(comparison.actions)}}"
    return f"key {'action':<8} {reward} {'adv':>6} {'n':>4} {'log-prob':>{NUMBER}} {'/token':>7}{shift}"


def card_line(comparison: Comparison, place: int, colours: Palette) -> Text:
    """A candidate in one line."""
    action, signs = comparison.actions[place], glyphs()
    here = place == comparison.place
    text = (
        Text()
        .append(signs.closed if here else " ", colours.accent)
        .append(digit(place) or " ", colours.accent)
    )
    number = Text(f" {action.action_id}", colours.strong if here else "")
    number.append(f" {signs.backbone}" if action.backbone else "", colours.accent)
    text.append_text(fit(number, 11))
    cells = reward_cells(comparison.actions)
    said = f"{reward_number(action.reward):>{cells}}"
    reward = Text.assemble(mark(action, colours), " ", (said, colours.strong), " ")
    reward.append(_SHORT.get(action.source or "", ""), source_style(action.source, colours))
    text.append_text(fit(reward, 10 + cells))
    text.append_text(right(advantage_cell(action.advantage, colours), 6))
    text.append(f"{signs.times}{action.samples}".rjust(5), colours.muted)
    text.append(" ").append_text(_number(action.logprob))
    text.append_text(_per_token(action.logprob, action.n_tokens, 8))
    if comparison.shifts is not None:
        found = comparison.shifts.get(action.action_id)
        text.append_text(_number(found.shift if found else None))
    if said := votes_said(comparison, action):
        text.append(f"  {said}", colours.muted)
    if comparison.refers_to(action):
        text.append("  compared with", colours.warn)
    return text


def step_text(comparison: Comparison, place: int, colours: Palette) -> Text:
    """A candidate's words; where they are marked, what sets them apart from the reference."""
    action = comparison.actions[place]
    shown = clean(action.text)
    base = colours.answer if action.is_answer else Style()
    if not comparison.marked or action == comparison.reference:
        return Text(shown, base)
    return _marked(shown, difference(shown, clean(comparison.reference.text)), base, colours)


def _marked(shown: str, found: Difference, base: Style, colours: Palette) -> Text:
    apart = colours.warn + Style(bold=True, underline=True)
    text = Text(shown, base)
    for start, end in found.spans:
        text.stylize(apart, start, end)
    return Text(glyphs().gap, apart).join(text.divide(found.gaps)) if found.gaps else text


def judge_text(comparison: Comparison, place: int, colours: Palette) -> Text:
    """What the judge whose verdict is in force gave as its reason."""
    verdict = comparison.verdicts.get(comparison.actions[place].action_id)
    if verdict is None:
        return Text()
    words = []
    if verdict.correct is not None:
        words.append("correct" if verdict.correct else "not correct")
    if verdict.progress is not None:
        words.append("progress" if verdict.progress else "no progress")
    said = f"{', '.join(words)}: {verdict.rationale}" if words else verdict.rationale or ""
    return Text(clean(said), colours.muted)


def _number(value: float | None, width: int = NUMBER, digits: int = 2) -> Text:
    return right(Text(glyphs().dash if value is None else signed(value, digits)), width)


def _per_token(total: float | None, tokens: float | None, width: int = NUMBER) -> Text:
    return _number(total / tokens if total is not None and tokens else None, width, 3)


def _shift_words(found: ActionShift | None, colours: Palette) -> Text:
    if found is None or found.shift is None:
        return _number(None)
    text = _number(found.shift)
    if found.n_tokens:
        text.append(f"  {signed(found.shift / found.n_tokens, 3)} a token", colours.muted)
    return text


def _leads_to(group: Group | None, colours: Palette) -> Text:
    signs = glyphs()
    if group is None:
        return Text(f"   {signs.dash}", colours.muted)
    sign = {"live": (signs.live, colours.good), "dead": (signs.dead, colours.muted)}
    character, style = sign.get(group.kind, (signs.unjudged, colours.muted))
    return Text.assemble("   ", (character, style), (f" {group.kind}, {len(group.actions)}", colours.muted))
