"""What can be read of one action beyond the detail pane: prompts and raw replies, labels, log-probs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.text import Text

from bswirl.errors import InputError
from bswirl.records import ActionDetail, Label, QuestionShifts, Sample, StoredPrompt, Verdict
from bswirl.votes import votes_words
from bswirl_tui.glyphs import glyphs
from bswirl_tui.text import BLANK, Paragraph, clean, heading, joined, line, moment, right, signed
from bswirl_tui.themes import Palette

BY_RULES = "rules"  # stands as the model of judges that are none


def judge_paragraphs(
    detail: ActionDetail, prompts: Mapping[str, StoredPrompt], colours: Palette
) -> list[Paragraph]:
    """Each verdict, newest first, with what its judge was sent and what it replied."""
    if not detail.verdicts:
        return [Paragraph(Text("No judge has said anything of this step.", colours.muted))]
    parts: list[Paragraph] = []
    for verdict in sorted(detail.verdicts, key=lambda verdict: -verdict.verdict_id):
        parts += [BLANK] if parts else []
        parts += _verdict(verdict, colours)
        if verdict.model == BY_RULES:
            words = "It judges by rules: no prompt was sent, and no reply came."
            parts += [
                Paragraph(Text(clean(verdict.rationale or ""))),
                BLANK,
                Paragraph(Text(words, colours.muted)),
            ]
            continue
        parts += [BLANK, heading("Prompt", colours), *_prompt(verdict, detail, prompts, colours)]
        parts += [BLANK, heading("Raw reply", colours)]
        if verdict.raw:
            parts.append(Paragraph(Text(clean(verdict.raw))))
        else:
            parts.append(Paragraph(Text("None is stored with this verdict.", colours.muted)))
    return parts


def _verdict(verdict: Verdict, colours: Palette) -> list[Paragraph]:
    name = line(verdict.judge, colours.strong, limit=60)
    facts = [
        line(verdict.model, limit=80) if verdict.model else Text(),
        Text(f"run {verdict.run_id}"),
        Text(verdict.status if verdict.reward is None else f"reward {verdict.reward:g}"),
        Text(votes_words(verdict)),
        Text(f"{moment(verdict.created_at)} UTC"),
    ]
    return [Paragraph(joined([name, *facts], style=colours.faint))]


def _prompt(
    verdict: Verdict, detail: ActionDetail, prompts: Mapping[str, StoredPrompt], colours: Palette
) -> list[Paragraph]:
    """The messages exactly as the judge was sent them, made from the stored prompt file."""
    if not verdict.prompt_sha:
        return [Paragraph(Text("This verdict names no prompt.", colours.muted))]
    from bswirl.prompts import Prompt  # only who reads one needs its reader

    sha = Paragraph(line(f"sha256 {verdict.prompt_sha}", colours.muted))
    stored = prompts.get(verdict.prompt_sha)
    if stored is None:
        words = "Its text is not stored: the judge works without a prompt file, or judged elsewhere."
        return [sha, Paragraph(Text(words, colours.muted))]
    try:
        messages = Prompt.parse(stored.text, "the stored prompt").messages(
            question=detail.question.text,
            steps="\n".join(detail.prefix),
            step=detail.action.text,
            solution=detail.question.solution,
        )
    except (InputError, ValueError):
        words = "Its text is no prompt file of this version; here it is as it was stored."
        return [sha, Paragraph(Text(words, colours.muted)), Paragraph(Text(clean(stored.text)))]
    parts = [sha]
    for role, content in messages:
        parts += [Paragraph(Text(role, colours.accent)), Paragraph(Text(clean(content)), indent=2)]
    return parts


def label_paragraphs(detail: ActionDetail, auditor: str, colours: Palette) -> list[Paragraph]:
    """Every label ever set on the action, newest first: who, when, what, why, and how."""
    if not detail.labels:
        return [Paragraph(Text("Nobody has labelled this step.", colours.muted))]
    parts: list[Paragraph] = []
    taken_back = withdrawn_labels(detail.labels)
    for label in sorted(detail.labels, key=lambda label: -(label.label_id or 0)):
        name = label.auditor + (" (you)" if label.auditor == auditor else "")
        sign = Text(label.value, colours.muted if label.value == "withdrawn" else colours.human)
        facts = [line(name, colours.strong, limit=60), Text(_stamp(label.created_at), colours.muted)]
        facts += [Text(words, colours.muted) for words in manner(label)]
        if (taken := taken_back.get(label.label_id or 0)) is not None:
            facts.append(Text(f"the label {taken.value} of {_stamp(taken.created_at)}"))
        parts.append(Paragraph(joined(facts, style=colours.faint), sign, indent=10))
        if label.reason:
            parts.append(Paragraph(Text(clean(label.reason)), indent=10))
    return parts


def withdrawn_labels(labels: Iterable[Label]) -> dict[int, Label]:
    """By the number of each withdrawal, the label it took back: as it says, else the newest standing."""
    standing: dict[str, list[Label]] = {}
    found = {}
    for label in sorted(labels, key=lambda label: label.label_id or 0):
        theirs = standing.setdefault(label.auditor, [])
        if label.value != "withdrawn":
            theirs.append(label)
        elif theirs:
            named = [one for one in theirs if label.withdraws and one.client_uid == label.withdraws]
            taken = named[0] if named else theirs[-1]
            theirs.remove(taken)
            found[label.label_id or 0] = taken
    return found


def manner(label: Label) -> list[str]:
    """How a label was set: blind or not, deciding between others, flagged."""
    words = [] if label.blind is None else ["blind" if label.blind else "the judge in sight"]
    return words + (["decides between auditors"] if label.adjudicates else []) + ["flagged"] * label.flagged


def logprob_paragraphs(
    detail: ActionDetail, shifts: QuestionShifts | None, colours: Palette, here: Sample | None = None
) -> list[Paragraph]:
    """Every sample's log-prob as a sum and a mean, `here` marked, and the shift that training brought."""
    header = f" {'run':>4} {'step':>5} {'branch':>6} {'tokens':>6} {'sum':>10} {'a token':>9}  policy"
    order = Text("newest first", colours.muted)
    parts = [heading("All samples", colours, order), Paragraph(Text(header, colours.muted), wrap=False)]
    for sample in reversed(detail.samples):
        tokens, total = sample.n_tokens, sample.logprob
        row = Text(glyphs().closed if sample == here else " ")
        row.append(f"{sample.run_id:>4} {sample.step:>5} {sample.branch_id:>6} ")
        row.append_text(right(Text(glyphs().dash if tokens is None else str(tokens)), 6)).append(" ")
        row.append_text(_number(total, 10)).append(" ")
        row.append_text(_number(total / tokens if total is not None and tokens else None, 9, 3)).append("  ")
        row.append_text(line(sample.policy, colours.muted, limit=60))
        parts.append(Paragraph(row, wrap=False))
    parts += [BLANK, heading("Log-prob shift", colours)]
    found = next(
        (shift for shift in (shifts.shifts if shifts else ()) if shift.action_id == detail.action.action_id),
        None,
    )
    if shifts is None or found is None or found.shift is None:
        words = "No training run has measured this step: only what is held out of training is probed."
        return [*parts, Paragraph(Text(words, colours.muted))]
    words = f"{signed(found.shift)} in run {shifts.run_id} at step {shifts.step}"
    if found.n_tokens:
        words += f", {signed(found.shift / found.n_tokens, 4)} a token over {found.n_tokens} tokens"
    return [*parts, Paragraph(Text(words))]


def _number(value: float | None, width: int, digits: int = 2) -> Text:
    return right(Text(glyphs().dash if value is None else signed(value, digits)), width)


def _stamp(stamp: str) -> str:
    return f"{moment(stamp)} UTC" if stamp else ""
