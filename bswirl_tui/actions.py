"""The one list of what keys do. Bindings, footer, help screen and command palette are all made from it."""

from __future__ import annotations

import string
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from textual.binding import Binding
from textual.keys import _character_to_key

# Contexts name who carries an action out: the app, a screen, or a kind of widget.
APP, MAIN, ROWS, CHOICE, TREE, COMPARE, TEXT, RUNS, RUN, LOG, FORM, DIALOG = (
    "app",
    "main",
    "rows",
    "choice",
    "tree",
    "compare",
    "text",
    "runs",
    "run",
    "log",
    "form",
    "dialog",
)
CURVES, MOVED, ROUNDS = "curves", "moved", "rounds"
TOKENS = "tokens"
AUDIT, REPORT, CELL, CONFLICTS, SETUP = "audit", "report", "cell", "conflicts", "setup"
EVALUATIONS, COMPARISON, PAIR = "evaluations", "comparison", "pair"
_SUB_SCREENS = (RUNS, RUN, ROUNDS, EVALUATIONS, COMPARISON, PAIR, REPORT, CELL, CONFLICTS, MOVED)


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """Something a key does. The widget of its context carries it out in `action_<id with _ for .>`."""

    id: str  # stable: settings may map keys to it
    keys: tuple[str, ...]  # as Textual names them
    label: str  # one or two words
    description: str  # one sentence
    group: str  # its heading on the help screen
    contexts: tuple[str, ...]
    footer: int = 0  # its place in the footer; 0: not there
    palette: bool = True  # offered in the command palette
    takes_key: bool = False  # which of its keys was pressed is a parameter

    @property
    def method(self) -> str:
        """The Textual action that carries it out."""
        return self.id.replace(".", "_")

    @property
    def key_display(self) -> str:
        """Its first key, as people write it."""
        return display_key(self.keys[0])

    @property
    def all_keys_display(self) -> str:
        return " ".join(display_key(key) for key in self.keys)


SIGNS = {_character_to_key(sign): sign for sign in string.punctuation}  # by the names that Textual gives them
_SHORT = {"escape": "esc", "pagedown": "pgdn", "pageup": "pgup"}


def display_key(key: str) -> str:
    """A key as people write it: `/`, `esc`, `^p`."""
    *modifiers, name = key.split("+")
    shown = SIGNS.get(name) or _SHORT.get(name, name)
    for modifier in reversed(modifiers):
        shown = f"^{shown}" if modifier == "ctrl" else f"{modifier}+{shown}"
    return shown


def _make(
    group: str, contexts: str | tuple[str, ...], rows: Iterable[tuple[Any, ...]]
) -> tuple[ActionSpec, ...]:
    placed = (contexts,) if isinstance(contexts, str) else contexts
    return tuple(
        ActionSpec(
            id=row[0],
            keys=tuple(row[1].split(" ")),
            label=row[2],
            description=row[3],
            group=group,
            contexts=placed,
            footer=row[4] if len(row) > 4 else 0,
            palette=row[5] if len(row) > 5 else True,
            takes_key=row[6] if len(row) > 6 else False,
        )
        for row in rows
    )


ACTIONS: tuple[ActionSpec, ...] = (
    *_make(
        "Labels",
        MAIN,
        (
            ("label.good", "1", "good", "Label this step 1: correct, and it makes progress.", 1),
            ("label.bad", "0", "bad", "Label this step 0.", 2),
            ("label.unsure", "u", "unsure", "Label this step as unsure; the judge's verdict stands.", 3),
            ("label.with_reason", "R", "with reason", "Label this step and say why."),
            ("label.reason", "r", "reason", "Write or change the reason of your label on this step.", 5),
            ("label.undo", "backspace", "undo", "Withdraw your newest label, wherever it is.", 4),
        ),
    ),
    *_make(
        "Questions",
        MAIN,
        (
            ("question.search", "slash", "search", "Find words in questions and in their steps.", 11),
            ("question.match", "n", "next match", "Go to the next step with the words searched for."),
            ("question.match_back", "N", "match before", "Go to the step with those words before."),
            ("question.filter", "f", "filter", "Choose which questions the list shows.", 10),
            (
                "question.sort",
                "o",
                "sort",
                "Choose the list's order; the same one again turns it around.",
            ),
            ("question.dataset", "d", "dataset", "Show one dataset or split alone."),
            ("question.clear", "c", "clear", "Show all questions again."),
            ("question.next", "J", "next question", "Go to the next question, from any pane."),
            ("question.previous", "K", "previous question", "Go to the question before, from any pane."),
        ),
    ),
    *_make(
        "Tree",
        TREE,
        (
            ("tree.open", "l right", "open", "Open the steps that follow, then go to the first of them."),
            ("tree.close", "h left", "close", "Close the steps that follow, then go to the step before."),
            ("tree.toggle", "space", "open/close", "Open or close the steps that follow."),
            ("tree.compare", "enter", "compare", "See this step beside its siblings.", 9),
            (
                "tree.sibling_next",
                "right_curly_bracket",
                "next sibling",
                "Go to the group's next step.",
            ),
            (
                "tree.sibling_previous",
                "left_curly_bracket",
                "previous sibling",
                "Go to the group's step before.",
            ),
            ("tree.backbone", "b", "backbone", "Open the tree along this step's backbone, to the answer."),
            ("tree.open_all", "e", "open all", "Open everything below this step."),
            ("tree.close_all", "E", "close all", "Close the whole tree."),
        ),
    ),
    *_make(
        "Siblings side by side",
        COMPARE,
        (
            ("compare.next", "l right right_curly_bracket", "next", "Go to the next candidate.", 0, False),
            (
                "compare.previous",
                "h left left_curly_bracket",
                "previous",
                "Go to the candidate before.",
                0,
                False,
            ),
            (
                "compare.pick",
                "2 3 4 5 6 7 8 9",
                "candidate",
                "Go to the candidate with that digit.",
                0,
                False,
                True,
            ),
            ("compare.words", "w", "differences", "Highlight the words in which candidates differ.", 6),
            ("compare.against", "W", "compare with", "Compare the others' words with this candidate's.", 7),
            ("compare.follow", "enter", "what follows", "Go on to the candidates that follow this one.", 9),
            ("compare.before", "minus", "what led here", "Go back to the candidates of the step before."),
        ),
    ),
    *_make(
        "Detail",
        MAIN,
        (
            ("detail.judge", "i", "judge", "Read the judge's exact prompt and its raw reply."),
            ("detail.labels", "L", "label history", "Read who labelled this step, when, why, and how."),
            (
                "detail.logprobs",
                "p",
                "log-probs",
                "Read the samples' tokens with their log-probs, and the shift.",
            ),
            ("detail.run", "P", "shift's run", "Choose the training run whose log-prob shift is shown."),
        ),
    ),
    *_make(
        "Log-probs",
        TOKENS,
        (
            ("tokens.next", "right_square_bracket l right", "next sample", "See an older sample.", 0, False),
            (
                "tokens.previous",
                "left_square_bracket h left",
                "sample before",
                "See a newer sample.",
                0,
                False,
            ),
        ),
    ),
    *_make(
        "View",
        MAIN,
        (
            ("view.gold", "s", "gold", "Show the gold solution, then as the dataset has it, or hide it.", 8),
            ("view.back", "left_square_bracket", "back", "Go back to what you looked at before."),
            ("view.forward", "right_square_bracket", "forward", "Go forward again."),
            (
                "compare.leave",
                "escape",
                "outline",
                "Go back to the list that this step was opened from, else from candidates to the outline.",
                20,
            ),
            ("view.list", "t", "list", "Show or hide the list of questions.", 12),
            ("view.tour", "T", "tour", "Show or hide the few lines for who is here for the first time."),
            ("view.next_pane", "tab", "pane", "Go to the next pane.", 0, False),
            ("view.previous_pane", "shift+tab", "pane before", "Go to the pane before.", 0, False),
        ),
    ),
    *_make(
        "Audit",
        AUDIT,
        (
            ("audit.good", "1", "good", "Vote 1: correct, and it makes progress.", 1),
            ("audit.bad", "0", "not good", "Vote 0.", 2),
            ("audit.unsure", "u", "unsure", "Vote unsure; the judge's verdict stands.", 3),
            ("audit.skip", "s", "skip", "Pass this step on without a word.", 4),
            ("audit.flag", "f", "flag", "Flag this step; your vote carries the flag.", 8),
            (
                "audit.reason",
                "r",
                "reason",
                "Say why, from the short list or in words, for the vote to come.",
                7,
            ),
            (
                "audit.pick",
                "2 3 4 5 6 7 8 9 minus",
                "pick",
                "After r: the reason with that number, 1 and 0 too; t types one, - takes it away.",
                0,
                False,
                True,
            ),
            (
                "audit.undo",
                "backspace",
                "undo",
                "Take your newest vote back and see its step again, as often as you like.",
                5,
            ),
            (
                "audit.change",
                "c",
                "change",
                "Go back to the step you voted on last, and further, to change a vote.",
                6,
            ),
            ("audit.go_on", "enter space", "go on", "Go on to the step to judge.", 9),
            ("audit.tree", "o", "in the tree", "See this step among its siblings.", 10),
            ("audit.guidelines", "t", "guidelines", "Show or hide the project's guidelines.", 11),
            ("audit.order", "O", "set-up", "Choose anew in which order steps come, and what is mixed in."),
            (
                "audit.advance",
                "m",
                "auto-advance",
                "After a vote, show the next step at once, or stay until enter.",
            ),
            ("audit.next_pane", "tab", "pane", "Go to the next pane.", 0, False),
            ("audit.previous_pane", "shift+tab", "pane before", "Go to the pane before.", 0, False),
        ),
    ),
    *_make(
        "Audit",
        MAIN,
        (("audit.open", "a", "audit", "Judge steps one after the other, and go on where you were.", 6),),
    ),
    *_make(
        "Audit",
        (MAIN, AUDIT),
        (
            ("audit.report", "A", "report", "How far people and judges agree.", 12),
            ("audit.conflicts", "C", "conflicts", "Steps on which auditors disagree.", 13),
        ),
    ),
    *_make(
        "Audit report",
        REPORT,
        (
            ("report.cell", "enter l", "steps", "List the steps of a cell of the confusion matrix.", 1),
            ("report.by", "b", "by", "By judge, by prompt, by depth of the step.", 2),
            ("report.votes", "v", "votes", "All votes, or only those cast before the judge was shown.", 3),
            ("report.both_good", "1", "both good", "List the steps that judge and people call good.", 0),
            ("report.judge_good", "2", "judge good", "List the steps that the judge alone calls good.", 0),
            ("report.people_good", "3", "people good", "List the steps that people alone call good.", 0),
            ("report.both_bad", "4", "both not good", "List the steps that both call not good.", 0),
        ),
    ),
    *_make(
        "Audit report",
        CELL,
        (("cell.open", "enter l", "in the tree", "See this step in its tree.", 1),),
    ),
    *_make(
        "Conflicts",
        CONFLICTS,
        (
            ("conflict.good", "1", "good", "Decide this step: 1, over all other labels.", 1),
            ("conflict.bad", "0", "not good", "Decide this step: 0, over all other labels.", 2),
            ("conflict.open", "enter l o", "in the tree", "See this step in its tree.", 3),
        ),
    ),
    *_make(
        "Audit",
        SETUP,
        (("setup.start", "ctrl+s", "start", "Start the audit as the form says.", 1, False),),
    ),
    *_make(
        "Moving",
        (ROWS, TEXT),
        (
            ("move.down", "j down", "down", "Go down.", 0, False),
            ("move.up", "k up", "up", "Go up.", 0, False),
            ("move.page_down", "ctrl+d pagedown", "page down", "Go down a page.", 0, False),
            ("move.page_up", "ctrl+u pageup", "page up", "Go up a page.", 0, False),
            ("move.top", "g home", "top", "Go to the top.", 0, False),
            ("move.bottom", "G end", "bottom", "Go to the end.", 0, False),
        ),
    ),
    *_make(
        "Moving",
        CHOICE,
        (("move.choose", "enter", "choose", "Choose the line under the cursor.", 0, False),),
    ),
    *_make(
        "Runs",
        (MAIN, RUNS),
        (("run.new", "x", "new run", "Generate, judge, train or evaluate.", 6),),
    ),
    *_make(
        "Runs",
        MAIN,
        (("runs.show", "v", "runs", "See the runs: progress, logs, curves.", 7),),
    ),
    *_make(
        "Runs",
        RUNS,
        (("runs.open", "enter l", "open", "Look into this run.", 1),),
    ),
    *_make(
        "Runs",
        (RUNS, RUN, ROUNDS),
        (
            ("run.cancel", "c", "cancel", "Stop this run; what it did is kept, and it can be resumed.", 3),
            (
                "run.resume",
                "S",
                "resume",
                "Let a run that ended early go on from where it was; past its cost limit with a higher one.",
                4,
            ),
            ("run.clone", "C", "clone", "Fill the form with this run's settings, for another one.", 5),
            ("run.copy", "y", "copy command", "Copy the command line that starts this run once more."),
        ),
    ),
    *_make(
        "Runs",
        RUN,
        (
            ("run.next_pane", "tab", "pane", "Go to the next pane.", 1, False),
            ("run.previous_pane", "shift+tab", "pane before", "Go to the pane before.", 0, False),
        ),
    ),
    *_make(
        "Runs",
        (RUN, LOG),
        (("log.search", "slash", "search", "Search the whole log for words, upwards from here.", 6),),
    ),
    *_make(
        "Runs",
        LOG,
        (
            ("log.follow", "f", "follow", "Keep the newest line in sight, or stop doing so.", 2),
            ("log.next", "n", "next match", "Go to the next line below that has the words.", 0),
            ("log.previous", "N", "match before", "Go to the next line above that has the words.", 0),
        ),
    ),
    *_make(
        "Evaluations",
        (MAIN, RUNS),
        (("evaluations.show", "M", "evaluations", "See the accuracy of policies side by side.", 9),),
    ),
    *_make(
        "Evaluations",
        EVALUATIONS,
        (
            ("evaluations.mark", "space", "mark", "Mark the evaluation that others are compared with.", 1),
            (
                "evaluations.open",
                "enter l",
                "compare",
                "Compare this evaluation with the marked one; without a mark, look into its run.",
                2,
            ),
            ("evaluations.sort", "o", "sort", "Order by number, accuracy or policy.", 3),
        ),
    ),
    *_make(
        "Evaluations",
        COMPARISON,
        (
            ("comparison.open", "enter l", "answers", "See both answers to this question side by side.", 1),
            ("comparison.filter", "f", "filter", "Choose: changed, fixed, broken, or other questions.", 2),
            ("comparison.turn", "o", "turn around", "Compare the other way around.", 4),
        ),
    ),
    *_make(
        "Evaluations",
        PAIR,
        (
            ("pair.next", "J", "next question", "Go to the next question of the comparison.", 1),
            ("pair.previous", "K", "question before", "Go to the question before.", 2),
            ("pair.pane", "tab", "pane", "Go to the other answer.", 4, False),
        ),
    ),
    *_make(
        "Evaluations",
        (COMPARISON, PAIR),
        (("comparison.tree", "t", "tree", "Go to this question's tree.", 3),),
    ),
    *_make(
        "Curves",
        (MAIN, RUNS, RUN),
        (("curves.show", "V", "curves", "See curves of training runs, several over each other.", 8),),
    ),
    *_make(
        "Curves",
        CURVES,
        (
            ("curves.left", "h left", "left", "Move the cursor to the points before.", 0, False),
            ("curves.right", "l right", "right", "Move the cursor to the points after.", 0, False),
            ("curves.far_left", "H", "far left", "Move the cursor ten columns back.", 0, False),
            ("curves.far_right", "L", "far right", "Move the cursor ten columns on.", 0, False),
            ("curves.first", "g home", "first", "Move the cursor to the first step.", 0, False),
            ("curves.newest", "G end", "newest", "Let the cursor go; values are the newest again."),
            ("curves.next", "tab", "panel", "Go to the next panel.", 0, False),
            ("curves.previous", "shift+tab", "panel before", "Go to the panel before.", 0, False),
            ("curves.down", "j down", "panel below", "Go to the panel below.", 0, False),
            ("curves.up", "k up", "panel above", "Go to the panel above.", 0, False),
            ("curves.page_down", "ctrl+d pagedown", "next page", "Go to the next page of panels.", 0, False),
            ("curves.page_up", "ctrl+u pageup", "page before", "Go to the page of panels before.", 0, False),
            ("curves.runs", "r", "runs", "Choose the runs that are drawn over each other.", 1),
            ("curves.filter", "slash", "filter", "Show only curves whose name matches an expression.", 2),
            (
                "curves.alone",
                "enter z",
                "one panel",
                "Let one panel fill the screen, or go back to the grid.",
                4,
            ),
            (
                "curves.smooth",
                "s",
                "smooth",
                "Smooth the curves more; after the longest half-life, not at all.",
                5,
            ),
            ("curves.log", "y", "log", "Switch this panel between a linear and a logarithmic scale.", 6),
            ("curves.zoom_in", "plus equals_sign", "zoom", "Show half the steps, around the cursor.", 7),
            ("curves.zoom_out", "minus", "zoom out", "Show twice the steps."),
            ("curves.zoom_reset", "0", "all steps", "Show all steps again."),
            (
                "curves.moved",
                "m",
                "moved most",
                "List the held-out actions that moved most up to this step.",
                3,
            ),
            ("curves.csv", "w", "CSV", "Write this panel's points to a CSV file.", 8),
        ),
    ),
    *_make(
        "Curves",
        MOVED,
        (("moved.open", "enter l right", "open", "Open this action in its tree.", 1),),
    ),
    *_make(
        "Form",
        FORM,
        (
            ("form.start", "ctrl+s", "start", "Start the run as the form says.", 1),
            ("form.advanced", "ctrl+o", "all settings", "Show or hide the settings that few runs change.", 2),
            (
                "form.forecast",
                "ctrl+t",
                "forecast",
                "Say what the run would be: a training's groups, memory and time, a served model's calls and"
                " dollars, how long another takes; start nothing.",
                3,
            ),
            ("form.names", "ctrl+n", "names", "Choose among the policies, judges or datasets there are.", 4),
            ("form.copy", "ctrl+y", "copy", "Copy the command line that does the same.", 5),
            ("form.reset", "ctrl+r", "defaults", "Set every field back to its default.", 6),
            ("form.next", "down enter", "next field", "Go to the next field.", 0, False),
            ("form.previous", "up", "field before", "Go to the field before.", 0, False),
        ),
    ),
    *_make(
        "Everywhere",
        (*_SUB_SCREENS, FORM, DIALOG, AUDIT, CURVES),
        (("screen.back", "escape", "back", "Go back.", 20),),
    ),
    *_make(
        "Everywhere",
        _SUB_SCREENS,
        (("screen.leave", "q h", "back", "Go back.", 0, False),),
    ),
    *_make(
        "Everywhere",
        AUDIT,
        (("audit.leave", "q", "leave", "Leave the queue; a key brings you back to the same step.", 21),),
    ),
    *_make(
        "Everywhere",
        CURVES,
        (("curves.leave", "q", "back", "Go back.", 0, False),),
    ),
    *_make(
        "Everywhere",
        MAIN,
        (("app.leave", "q", "quit", "Leave the app (first the candidates side by side); runs go on.", 22),),
    ),
    *_make(
        "Everywhere",
        APP,
        (
            ("app.help", "question_mark f1", "help", "Show what the keys do here.", 21, False),
            ("app.commands", "colon ctrl+p", "commands", "Find a command by its name."),
            (
                "app.problems",
                "exclamation_mark",
                "problems",
                "Say once more what went wrong last, and what to do about it.",
            ),
            ("app.refresh", "ctrl+l f5", "refresh", "Read everything anew and redraw."),
            (
                "app.theme_next",
                "f9",
                "theme",
                "Next theme: dark, light, high contrast, the terminal's own colours.",
            ),
            ("app.end", "ctrl+q ctrl+c", "quit", "Leave the app from anywhere; runs go on."),
        ),
    ),
)

DEFAULTS = ACTIONS  # as they are without settings
_BY_ID = {spec.id: spec for spec in ACTIONS}


def use(registry: tuple[ActionSpec, ...]) -> None:
    """Makes these the actions, with the keys that they have there."""
    global ACTIONS, _BY_ID
    ACTIONS = registry
    _BY_ID = {entry.id: entry for entry in registry}


def spec(action_id: str) -> ActionSpec:
    """The action of that id. Raises KeyError where there is none."""
    return _BY_ID[action_id]


def find(action_id: str | None) -> ActionSpec | None:
    """The action of that id, where the registry has it."""
    return _BY_ID.get(action_id or "")


def bindings(*contexts: str) -> list[Binding]:
    """The bindings of a screen or widget that carries out the actions of these contexts, with default keys.

    The app lays the settings' keys over them.
    """
    return [
        Binding(
            key=key,
            action=f"{entry.method}('{key}')" if entry.takes_key else entry.method,
            description=entry.label,
            show=False,
            key_display=entry.key_display,
            tooltip=entry.description,
            id=entry.id,
        )
        for entry in DEFAULTS
        if any(context in entry.contexts for context in contexts)
        for key in (entry.keys if entry.takes_key else (",".join(entry.keys),))
    ]
