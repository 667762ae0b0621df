"""What the detail pane says of a question or a step, as paragraphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from bswirl.certificates import Certificate, Estimate
from bswirl.labels import labels_in_force
from bswirl.records import Action, ActionDetail, Label, Question, Sample, Verdict
from bswirl.votes import votes_words
from bswirl_tui import actions
from bswirl_tui.glyphs import glyphs
from bswirl_tui.gold import Gold, gold_paragraphs
from bswirl_tui.outline import ROOT, Group, Outline
from bswirl_tui.text import (
    BLANK,
    Paragraph,
    advantage_cell,
    clean,
    count,
    heading,
    joined,
    line,
    mark,
    mean_reward,
    moment,
    reward_number,
    signed,
    source_style,
)
from bswirl_tui.themes import Palette

SHOWN_SAMPLES = 40
_REWARD_LINE = 3  # of a step: heading, text, a blank line, its reward
_SOURCES = {"judge": "the judge", "human": "people", "answer": "the answer check"}


@dataclass(frozen=True, slots=True)
class Document:
    """Paragraphs, and the range of them that matters most."""

    paragraphs: Sequence[Paragraph]
    focus: tuple[int, int] | None = None
    gold: tuple[int, int] | None = None  # of the gold solution, where it is shown


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks, and how."""

    palette: Palette
    auditor: str = ""
    gold: Gold = Gold.HIDDEN  # how much of the gold solution is shown


def question_document(outline: Outline, reader: Reader) -> Document:
    """The question itself, and what its first group looks like."""
    parts = [*problem(outline.tree.question, reader.palette, gold=reader.gold), BLANK]
    gold = _gold_range(outline.tree.question, len(parts) - 1, reader)
    group = outline.group_after(ROOT)
    if group is None:
        key = actions.spec("run.new").key_display
        parts.append(Paragraph(Text("No steps yet.", reader.palette.muted)))
        parts.append(Paragraph(Text(f"Press {key} to let a policy write some.", reader.palette.muted)))
    else:
        parts.append(heading("First step", reader.palette, group_words(group, reader.palette)))
    return Document(parts, gold=gold)


def step_document(outline: Outline, action: Action, detail: ActionDetail | None, reader: Reader) -> Document:
    """A step in its place. What only the owner knows (`detail`) may still be on its way."""
    colours = reader.palette
    parts = [*problem(outline.tree.question, reader.palette, gold=reader.gold), BLANK]
    gold = _gold_range(outline.tree.question, len(parts) - 1, reader)
    prefix = outline.prefix(action)
    if prefix:
        parts.append(heading("Steps so far", colours))
        parts += [
            Paragraph(Text(clean(step)), Text(f"{number}", colours.muted), indent=3)
            for number, step in enumerate(prefix, 1)
        ]
        parts.append(BLANK)
    start = len(parts)
    why = _why(action, detail, colours)
    parts += _step(outline, action, why, reader)
    focus = (start, start + _REWARD_LINE + len(why))
    if detail is None:
        return Document(parts, focus, gold)
    parts += _verdicts(detail, colours)
    parts += _labels(detail.labels, reader)
    parts += _samples(detail.samples, colours)
    return Document(parts, focus, gold)


def group_words(group: Group, colours: Palette) -> Text:
    """A group in a few words: `live: 5 actions, 7 samples, mean 0.43`."""
    style = colours.good if group.kind == "live" else colours.muted
    name = {"live": "live group", "dead": "dead group", "unrated": "group without rewards"}[group.kind]
    facts = [count(len(group.actions), "action"), count(group.samples, "sample")]
    if group.mean is not None:
        facts.append(f"mean {mean_reward(group.mean)}")
    separator = glyphs().separator
    return Text().append(name, style).append(separator + separator.join(facts), colours.muted)


def problem(question: Question, colours: Palette, *, gold: Gold) -> list[Paragraph]:
    """The question with its gold answer, and the gold solution where it is asked for."""
    place = line(f"{question.address}{glyphs().separator}{question.split}", colours.muted, limit=80)
    parts = [heading("Problem", colours, place), Paragraph(Text(clean(question.text)))]
    known = question.gold is not None
    answer = line(question.gold or "", colours.strong) if known else Text("unknown", colours.muted)
    parts.append(Paragraph(Text("Gold answer ", colours.muted) + answer))
    solution = gold_paragraphs(question.solution, gold, colours)
    return [*parts, BLANK, *solution] if solution else parts


def _gold_range(question: Question, end: int, reader: Reader) -> tuple[int, int] | None:
    """Which paragraphs the gold solution is, that ends before paragraph `end`."""
    size = len(gold_paragraphs(question.solution, reader.gold, reader.palette))
    return (end - size, end - 1) if size else None


def _why(action: Action, detail: ActionDetail | None, colours: Palette) -> list[Paragraph]:
    """What was said for the reward, on one line: by the person who decided, else by the deciding judge."""
    if detail is None:
        return [Paragraph(Text(f"loading{glyphs().ellipsis}", colours.muted))]
    if action.source == "human":
        said = line(_reason(action, detail.labels) or "", colours.human)
    else:
        said = line(_rationale(action, detail.verdicts) or "")
    return [Paragraph(said, wrap=False)] if said else []


def _rationale(action: Action, verdicts: Sequence[Verdict]) -> str | None:
    """Of the verdict in force: the newest of the deciding judge."""
    its = [one for one in verdicts if (one.judge, one.reward) == (action.judge, action.judge_reward)]
    newest = max(its, key=lambda verdict: verdict.verdict_id, default=None)
    return newest.rationale if newest is not None else None


def _reason(action: Action, labels: Sequence[Label]) -> str | None:
    """The newest reason given for what people decided; that of who decided over others comes first."""
    given = [
        label
        for label in labels_in_force(labels).values()
        if label.reason and label.value == ("1" if action.human_reward else "0")
    ]
    newest = max(given, key=lambda label: (label.adjudicates, label.label_id or 0), default=None)
    return newest.reason if newest is not None else None


def _step(outline: Outline, action: Action, why: Sequence[Paragraph], reader: Reader) -> list[Paragraph]:
    colours, signs = reader.palette, glyphs()
    name = f"Step {action.depth}" + (f"{signs.separator}the answer" if action.is_answer else "")
    facts = [f"action {action.action_id}"]
    if action.backbone:
        facts.append(f"{signs.backbone} backbone")
    parts = [
        heading(name, colours, Text(signs.separator.join(facts), colours.muted)),
        Paragraph(Text(clean(action.text), colours.strong)),
        BLANK,
        Paragraph(_reward_words(action, colours)),
        *why,
        *_logprob_words(outline, action, colours),
    ]
    if action.conflict:
        words = "Auditors disagree: the judge's verdict stands until it is decided."
        parts.append(Paragraph(Text(words, colours.warn)))
    parts.append(Paragraph(Text("in a ", colours.muted) + group_words(outline.group_of(action), colours)))
    after = outline.group_after(action.action_id)
    if after is not None:
        parts.append(Paragraph(Text("leads to a ", colours.muted) + group_words(after, colours)))
    return parts


def _logprob_words(outline: Outline, action: Action, colours: Palette) -> list[Paragraph]:
    """Mean log-prob over samples, and what training did to it."""
    parts = []
    if action.logprob is not None:
        words = f"log-prob {signed(action.logprob)}"
        if action.n_tokens:
            words += f", {signed(action.logprob / action.n_tokens, 3)} a token"
        parts.append(Text(words, colours.muted))
    found = outline.shift(action)
    if found is not None and found.shift is not None:
        parts.append(Text(f"shift {signed(found.shift)} in run {outline.shifts.run_id}", colours.muted))
    return [Paragraph(joined(parts, style=colours.faint))] if parts else []


def _reward_words(action: Action, colours: Palette) -> Text:
    parts: list[Text | str] = []
    if action.reward is None:
        parts.append(Text.assemble(mark(action, colours), (" no reward yet", colours.muted)))
    else:
        words = Text().append_text(mark(action, colours))
        words.append(f" reward {reward_number(action.reward)}", colours.strong)
        source = _SOURCES.get(action.source or "", "")
        if action.source == "judge" and action.judge:
            source = f"the judge {clean(action.judge, one_line=True, limit=40)}"
        parts.append(words.append(f" from {source}", source_style(action.source, colours)))
    if action.source == "human" and action.judge_reward is not None:
        parts.append(Text(f"the judge said {reward_number(action.judge_reward)}", colours.muted))
    if action.advantage is not None:
        parts.append(Text("advantage ", colours.muted) + advantage_cell(action.advantage, colours))
    parts.append(Text(count(action.samples, "sample"), colours.muted))
    return joined(parts, style=colours.faint)


def _verdicts(detail: ActionDetail, colours: Palette) -> list[Paragraph]:
    parts = [BLANK, heading("Verdicts", colours)]
    certified = {certificate.identity: certificate for certificate in detail.certificates}
    if not detail.verdicts:
        key = actions.spec("run.new").key_display
        parts.append(Paragraph(Text(f"none yet; {key} starts a judge", colours.muted)))
    for verdict in sorted(detail.verdicts, key=lambda verdict: -verdict.verdict_id):
        sign, facts = _verdict_facts(verdict, colours)
        name = line(verdict.judge, colours.strong, limit=60)
        where = Text(f"run {verdict.run_id}", colours.muted)
        parts.append(Paragraph(joined([name, facts, where], style=colours.faint), sign, indent=2))
        if verdict.rationale:
            parts.append(Paragraph(Text(clean(verdict.rationale)), indent=2))
        if words := votes_words(verdict):
            parts.append(Paragraph(Text(words, colours.muted), indent=2))
        certificate = certified.pop((verdict.judge, verdict.model, verdict.prompt_sha), None)
        if certificate is not None:
            words = certificate_words(certificate, detail.action.depth)
            parts.append(Paragraph(Text(words, colours.muted), indent=2))
    return parts


def certificate_words(certificate: Certificate, depth: int) -> str:
    """How often a judge's `correct` agrees with people, in all and at a step's depth."""
    rates = certificate.overall.steps
    benchmark = clean(certificate.benchmark, one_line=True, limit=40)
    words = (
        f"`correct` certified on {benchmark}: TPR {_rate(rates.tpr)}, TNR {_rate(rates.tnr, interval=True)}, "
        f"F1 {_rate(certificate.f1)}"
    )
    here = next((at.steps.tnr for at in certificate.depths if at.depth == depth), Estimate())
    return words if here.value is None else f"{words}; at step {depth} TNR {_rate(here, interval=True)}"


def _rate(estimate: Estimate, *, interval: bool = False) -> str:
    if estimate.value is None:
        return glyphs().dash
    bounds = interval and estimate.low is not None and estimate.high is not None
    return f"{estimate.value:.2f}" + (f" ({estimate.low:.2f} to {estimate.high:.2f})" if bounds else "")


def _verdict_facts(verdict: Verdict, colours: Palette) -> tuple[Text, Text]:
    signs = glyphs()
    if verdict.status != "judged" or verdict.reward is None:
        return Text(signs.unjudged, colours.muted), Text("unjudged", colours.muted)
    good = verdict.reward >= 0.5
    sign = Text(signs.good, colours.good) if good else Text(signs.bad, colours.bad)
    words = [f"reward {reward_number(verdict.reward)}"]
    if verdict.correct is not None:
        words.append("correct" if verdict.correct else "not correct")
    if verdict.progress is not None:
        words.append("progress" if verdict.progress else "no progress")
    return sign, Text(", ".join(words), colours.good if good else colours.bad)


def _labels(labels: Sequence[Label], reader: Reader) -> list[Paragraph]:
    colours = reader.palette
    parts = [BLANK, heading("Labels", colours)]
    if not labels:
        names = ("label.good", "label.bad", "label.unsure")
        keys = " ".join(actions.spec(name).key_display for name in names)
        parts.append(Paragraph(Text(f"none yet; {keys} set one", colours.muted)))
    for label in sorted(labels, key=lambda label: -(label.label_id or 0)):
        name = label.auditor + (" (you)" if label.auditor == reader.auditor else "")
        facts = [
            line(name, colours.human, limit=60),
            Text("decides", colours.warn) if label.adjudicates else Text(),
            Text("flagged", colours.warn) if label.flagged else Text(),
            Text("blind", colours.muted) if label.blind else Text(),
            line(label.reason, limit=2000) if label.reason else Text(),
            Text(moment(label.created_at), colours.muted),
        ]
        facts[4].no_wrap = False
        withdrawn = label.value == "withdrawn"
        sign = Text(label.value, colours.muted if withdrawn else colours.human)
        parts.append(Paragraph(joined(facts, style=colours.faint), sign, indent=max(2, len(label.value) + 1)))
    return parts


def _samples(samples: Sequence[Sample], colours: Palette) -> list[Paragraph]:
    signs = glyphs()
    parts = [BLANK, heading("Samples", colours)]
    parts.append(Paragraph(Text(" run  step branch tokens  log-prob  finish", colours.muted), wrap=False))
    for sample in samples[:SHOWN_SAMPLES]:
        tokens = f"{sample.n_tokens}" if sample.n_tokens is not None else signs.dash
        logprob = signs.dash if sample.logprob is None else signed(sample.logprob)
        row = Text(f"{sample.run_id:>4} {sample.step:>5} {sample.branch_id:>6} {tokens:>6} {logprob:>9}  ")
        row.append_text(line(sample.finish_reason or signs.dash, limit=12)).append("  ")
        row.append(f"{signs.backbone} " if sample.is_backbone else "  ", colours.accent)
        row.append_text(line(sample.policy, colours.muted, limit=40))
        parts.append(Paragraph(row, wrap=False))
    if len(samples) > SHOWN_SAMPLES:
        more = f"{signs.ellipsis} and {len(samples) - SHOWN_SAMPLES:,} more"
        parts.append(Paragraph(Text(more, colours.muted)))
    return parts
