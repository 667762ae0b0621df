"""What the audit queue says: a step to judge, and what a vote revealed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from bswirl.audit.records import AuditItem, AuditPosition, Conflict
from bswirl.labels import labels_in_force
from bswirl.records import ActionDetail, Label, Verdict
from bswirl.votes import votes_words
from bswirl_tui import actions
from bswirl_tui.document import Document, problem
from bswirl_tui.glyphs import glyphs
from bswirl_tui.gold import Gold
from bswirl_tui.sitting import Sitting
from bswirl_tui.text import (
    BLANK,
    Paragraph,
    Pieces,
    clean,
    count,
    fit_end,
    heading,
    joined,
    line,
    reward_number,
)
from bswirl_tui.themes import Palette
from bswirl_tui.votes_cast import Entry

WORDS = {"1": "good", "0": "not good", "unsure": "unsure", "skip": "skipped", "withdrawn": "withdrawn"}
_LEAST_NAME = 4  # cells of an auditor's name, that it may be told from others
ORDERS = {
    "random": ("random", "any judged step: every vote counts for the report", "judged steps"),
    "judge-split": (
        "judge split",
        "where the judge's votes or probabilities are closest to a tie",
        "a judge asked several times, or a local one",
    ),
    "judge-reference": (
        "judge against reference",
        "where the deciding judge and the reference judge disagree",
        "verdicts of both",
    ),
    "high-stakes": (
        "high stakes",
        "where a wrong reward would cost most: its chance times the advantages it moves",
        "groups of steps",
    ),
    "depth": ("by depth", "each step number as often as the others, for rates by depth", "judged steps"),
    "unaudited": ("unaudited", "steps without a label, question by question", "judged steps"),
}


def step_document(detail: ActionDetail, colours: Palette, note: str = "") -> Document:
    """Question, gold answer, the steps before, and the step to judge, on which the eye should rest."""
    parts = [*problem(detail.question, colours, gold=Gold.HIDDEN), BLANK]
    if detail.prefix:
        parts.append(heading("Steps before", colours))
        parts += [
            Paragraph(Text(clean(step)), Text(f"{number}", colours.muted), indent=3)
            for number, step in enumerate(detail.prefix, 1)
        ]
        parts.append(BLANK)
    start = len(parts)
    number = Text(f"action {detail.action.action_id}", colours.muted)
    parts.append(heading(f"Step {detail.action.depth}, to judge", colours, number))
    parts += _barred(clean(detail.action.text), colours)
    if note:
        parts += [BLANK, Paragraph(Text(note, colours.warn))]
    return Document(parts, (start, len(parts) - 1))


def _barred(text: str, colours: Palette) -> list[Paragraph]:
    bar = Text(glyphs().bar, colours.accent)
    return [Paragraph(Text(text, colours.strong), bar, indent=2, lead_all=True)]


def waiting_paragraphs(sitting: Sitting, colours: Palette) -> list[Paragraph]:
    """Why there is no step on screen."""
    if sitting.problem is not None:
        return [
            BLANK,
            Paragraph(Text(clean(sitting.problem.message), colours.bad)),
            Paragraph(Text(clean(sitting.problem.remedy))),
            BLANK,
            Paragraph(Text(f"{_key('go_on')} tries again", colours.muted)),
        ]
    if sitting.why:
        words = (
            f"{_key('order')} chooses another order, {_key('report')} opens the report, "
            f"{_key('go_on')} looks again."
        )
        return [
            BLANK,
            Paragraph(Text(f"No step to judge: {clean(sitting.why)}.")),
            BLANK,
            Paragraph(Text(words, colours.muted)),
        ]
    return [BLANK, Paragraph(Text(f"the next step is on its way{glyphs().ellipsis}", colours.muted))]


def headline(sitting: Sitting, colours: Palette, conflicts: int, room: int = 200) -> Text:
    """What is going on, on one line; where `room` is short, what was keyed and what failed go first."""
    rate, waiting = sitting.an_hour, len(sitting.outbox)
    parts = [(0, Text(ORDERS[sitting.options.order][0], colours.accent))]
    parts.append((1, Text(f"{sitting.labelled:,} labelled")))
    if sitting.before.labelled:
        parts.append((3, Text(f"{sitting.before.labelled:,} before")))
    if rate is not None:
        parts.append((4, Text(f"{rate:,.0f} an hour")))
    if sitting.looked_at is None and sitting.draft.flagged:
        parts.append((0, Text("flagged", colours.warn)))
    if sitting.looked_at is None and (reason := sitting.draft.reason):
        parts.append((0, Text("because ", colours.muted) + line(reason, colours.human, limit=60)))
    if not sitting.options.blind:
        parts.append((2, Text("the judge in sight", colours.warn)))
    if not sitting.advance:
        parts.append((1, Text(f"stays until {_key('go_on')}", colours.muted)))
    if sitting.outbox.problem is not None:
        lost = f"{count(waiting, 'vote')} NOT recorded: {_key('go_on')} sends again"
        parts.append((0, Text(lost, colours.bad)))
    elif waiting:
        parts.append((1, Text(f"{waiting} on the way", colours.muted)))
    if conflicts:
        parts.append((3, Text(count(conflicts, "conflict"), colours.warn)))
    for least in (4, 3, 2, 1):
        if joined(part for _, part in parts).cell_len < room:
            break
        parts = [one for one in parts if one[0] != least]
    return Text(" ") + joined((part for _, part in parts), style=colours.faint)


def reveal_paragraphs(entry: Entry | None, sitting: Sitting, colours: Palette) -> list[Paragraph]:
    """Your vote, what the judge said and why, what others said, and how often the reveal turned a vote."""
    if entry is None:
        words = "After a vote this shows what the judge said of that step."
        return [Paragraph(Text(words, colours.muted))]
    cast, detail = entry.now, entry.item.detail
    yours = [Text("you: ", colours.muted) + Text(WORDS[cast.value], colours.human)]
    yours += [line(cast.reason, colours.human, limit=200)] if cast.reason else []
    yours += [Text("flagged", colours.warn)] if cast.flagged else []
    parts = []
    if entry.reveal is None:
        yours.append(Text("not acknowledged yet", colours.muted))
        parts.append(Paragraph(joined(yours, style=colours.faint)))
    else:
        if entry.reveal.label.value != cast.value:
            yours.append(Text("not acknowledged yet", colours.muted))
        elif entry.reveal.agrees is not None:
            words = agreement_words(entry.reveal.item.detail, agrees=entry.reveal.agrees)
            yours.append(line(words, colours.muted))
        parts.append(Paragraph(joined(yours, style=colours.faint)))
        parts += verdict_paragraphs(entry.reveal.item.detail.verdicts, colours)
        parts += _others(entry.reveal.item.detail.labels, entry.reveal.label.auditor, colours)
    of, turned = sitting.reveals
    if of:
        words = f"seeing the judge turned {turned} of {count(of, 'vote')}"
        parts.append(Paragraph(Text(words, colours.muted)))
    step = Text(clean(detail.action.text, one_line=True, limit=400), colours.muted)
    return [Paragraph(step, wrap=False), *parts]


def agreement_words(detail: ActionDetail, *, agrees: bool) -> str:
    """Whether the deciding judge agrees with a vote; where several judged the step, which one that is."""
    several = len({verdict.judge for verdict in detail.verdicts if verdict.reward is not None}) > 1
    who = f"the deciding judge {detail.action.judge}" if several else "the judge"
    return f"{who} {'agrees' if agrees else 'disagrees'}"


def verdict_paragraphs(verdicts: Sequence[Verdict], colours: Palette) -> list[Paragraph]:
    """What judges said, newest first."""
    signs, parts = glyphs(), []
    for verdict in sorted(verdicts, key=lambda verdict: -verdict.verdict_id):
        name = line(verdict.judge, colours.strong, limit=60)
        if verdict.reward is None:
            sign, said = Text(signs.unjudged, colours.muted), Text("unjudged", colours.muted)
        else:
            good = verdict.reward >= 0.5
            style = colours.good if good else colours.bad
            sign = Text(signs.good if good else signs.bad, style)
            said = Text(f"reward {reward_number(verdict.reward)}", style)
        votes = Text(votes_words(verdict), colours.muted)
        parts.append(Paragraph(joined([name, said, votes], style=colours.faint), sign, indent=2))
        if verdict.rationale:
            parts.append(Paragraph(Text(clean(verdict.rationale)), indent=2))
    return parts


def _others(labels: Sequence[Label], auditor: str, colours: Palette) -> list[Paragraph]:
    return [
        label_paragraph(label, colours)
        for name, label in sorted(labels_in_force(labels).items())
        if name != auditor
    ]


def label_paragraph(label: Label, colours: Palette) -> Paragraph:
    """Who said what, and why."""
    name = line(label.auditor, colours.human, limit=60)
    reason = line(label.reason, limit=400) if label.reason else Text()
    reason.no_wrap = False
    return Paragraph(joined([name, Text(WORDS[label.value], colours.strong), reason], style=colours.faint))


def reason_paragraphs(reasons: Sequence[str], colours: Palette) -> list[Paragraph]:
    """The short list with its keys, as many to a line as fit."""
    keyed = zip("1234567890", reasons, strict=False)
    pieces = [Text.assemble((key, colours.accent), " ") + line(reason, limit=60) for key, reason in keyed]
    others = ((actions.spec("audit.guidelines").key_display, "in words"), ("-", "no reason"))
    pieces += [Text.assemble((key, colours.accent), f" {name}") for key, name in others]
    return [Pieces(pieces=tuple(pieces))]


def reason_keys(colours: Palette) -> Text:
    """What keys do while the short list is open, for the foot of the screen."""
    types, leaves = actions.spec("audit.guidelines"), actions.spec("screen.back")
    keyed = (
        ("a number", "gives the reason"),
        (types.key_display, "types one"),
        ("-", "none"),
        (leaves.key_display, "leaves it as it is"),
    )
    pieces = [Text.assemble((key, colours.accent), (f" {does}", colours.muted)) for key, does in keyed]
    return joined(pieces, "  ")


def pane_name(entry: Entry | None) -> str:
    """What the pane of the step is called: it says whether there is a vote on it."""
    if entry is None:
        return " Audit "
    return " You skipped this step " if entry.now.value == "skip" else " You voted on this step "


def looked_at_note(entry: Entry) -> str:
    """What keys do on a step that was voted on."""
    votes = f"{_key('good')}, {_key('bad')} or {_key('unsure')}"
    rest = f"{_key('reason')} says why; {_key('go_on')} goes on."
    if entry.now.value == "skip":
        return f"You skipped it. {votes} votes after all; {rest}"
    return f"You voted {WORDS[entry.now.value]}. {votes} changes it; {rest}"


def _key(name: str) -> str:
    """The key of one of the audit's actions, as it is mapped."""
    return actions.spec(f"audit.{name}").key_display


def position_words(position: AuditPosition) -> str:
    """Where an auditor was, for the dialog that opens the queue."""
    if position.item is not None and position.order in ORDERS:
        return f"You were at a step in the order `{ORDERS[position.order][0]}`: enter goes on there."
    if position.labelled:
        return f"You have labelled {count(position.labelled, 'step')}."
    return "One step after the other; the judge is hidden until you vote."


def conflict_sides(conflict: Conflict, room: int = 400) -> str:
    """Who said what, in `room` cells: `ann 1, bob 0`; where names are too long, their ends; else how many."""
    votes = [(clean(label.auditor, one_line=True), label.value) for label in conflict.votes]
    whole = ", ".join(f"{name} {value}" for name, value in votes)
    if cell_len(whole) <= room:
        return whole
    beside = sum(len(value) + 3 for _, value in votes) - 2
    each = (room - beside) // max(1, len(votes))
    if each >= _LEAST_NAME:
        names = [fit_end(Text(name), min(each, cell_len(name))).plain for name, _ in votes]
        return ", ".join(f"{name} {value}" for name, (_, value) in zip(names, votes, strict=True))
    counts = Counter(value for _, value in votes)
    return ", ".join(f"{number} say {value}" for value, number in counts.most_common())


def item_document(item: AuditItem, colours: Palette, note: str, *, judge: bool) -> Document:
    """A step of the queue; with `judge` what its judges said, where nothing was hidden."""
    document = step_document(item.detail, colours, note)
    if not judge or not item.detail.verdicts:
        return document
    parts = [*document.paragraphs, BLANK, *verdict_paragraphs(item.detail.verdicts, colours)]
    return Document(parts, document.focus)
