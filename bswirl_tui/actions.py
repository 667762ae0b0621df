"""The one list of what keys do. Bindings, footer, help screen and command palette are all made from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from textual.binding import Binding

# Contexts name who carries an action out: the app, a screen, or a kind of widget.
APP, MAIN, ROWS, CHOICE, TREE, TEXT, RUNS, RUN, LOG, FORM, DIALOG, CURVES, MOVED = (
    "app",
    "main",
    "rows",
    "choice",
    "tree",
    "text",
    "runs",
    "run",
    "log",
    "form",
    "dialog",
    "curves",
    "moved",
)


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


_SIGNS = {
    "slash": "/",
    "question_mark": "?",
    "colon": ":",
    "space": "space",
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "full_stop": ".",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
}


def display_key(key: str) -> str:
    """A key as people write it: `/`, `esc`, `^p`."""
    *modifiers, name = key.split("+")
    shown = _SIGNS.get(name, name)
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
            ("question.search", "slash", "search", "Show the questions that contain some words.", 11),
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
            ("tree.toggle", "space enter", "open/close", "Open or close the steps that follow."),
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
        "View",
        MAIN,
        (
            ("view.gold", "s", "gold", "Show or hide the gold solution.", 8),
            ("view.list", "t", "list", "Show or hide the list of questions.", 12),
            ("view.next_pane", "tab", "pane", "Go to the next pane.", 0, False),
            ("view.previous_pane", "shift+tab", "pane before", "Go to the pane before.", 0, False),
        ),
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
        (RUNS, RUN),
        (
            ("run.cancel", "c", "cancel", "Stop this run; what it did is kept, and it can be resumed.", 3),
            ("run.resume", "S", "resume", "Let a run that ended early go on from where it was.", 4),
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
        LOG,
        (("log.follow", "f", "follow", "Keep the newest line in sight, or stop doing so.", 2),),
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
        (("moved.open", "l right", "open", "Open this action in its tree.", 1),),
    ),
    *_make(
        "Form",
        FORM,
        (
            ("form.start", "ctrl+s", "start", "Start the run as the form says.", 1),
            ("form.advanced", "ctrl+o", "all settings", "Show or hide the settings that few runs change.", 2),
            ("form.forecast", "ctrl+t", "forecast", "Say what the training run would be; start nothing.", 3),
            ("form.reset", "ctrl+r", "defaults", "Set every field back to its default.", 4),
            ("form.next", "down enter", "next field", "Go to the next field.", 0, False),
            ("form.previous", "up", "field before", "Go to the field before.", 0, False),
        ),
    ),
    *_make(
        "Everywhere",
        (RUNS, RUN, FORM, DIALOG, CURVES, MOVED),
        (("screen.back", "escape", "back", "Go back.", 20),),
    ),
    *_make(
        "Everywhere",
        (RUNS, RUN, MOVED),
        (("screen.leave", "q h", "back", "Go back.", 0, False),),
    ),
    *_make(
        "Everywhere",
        CURVES,
        (("curves.leave", "q", "back", "Go back.", 0, False),),
    ),
    *_make(
        "Everywhere",
        MAIN,
        (("app.leave", "q", "quit", "Leave the app; runs go on.", 22),),
    ),
    *_make(
        "Everywhere",
        APP,
        (
            ("app.help", "question_mark f1", "help", "Show what the keys do here.", 21, False),
            ("app.commands", "colon ctrl+p", "commands", "Find a command by its name."),
            ("app.refresh", "ctrl+l f5", "refresh", "Read everything anew and redraw."),
            (
                "app.theme_next",
                "f9",
                "theme",
                "Next theme: dark, light, the terminal's own colours.",
            ),
            ("app.end", "ctrl+q ctrl+c", "quit", "Leave the app from anywhere; runs go on."),
        ),
    ),
)

_BY_ID = {spec.id: spec for spec in ACTIONS}


def spec(action_id: str) -> ActionSpec:
    """The action of that id. Raises KeyError where there is none."""
    return _BY_ID[action_id]


def find(action_id: str | None) -> ActionSpec | None:
    """The action of that id, where the registry has it."""
    return _BY_ID.get(action_id or "")


def bindings(*contexts: str) -> list[Binding]:
    """The bindings of a screen or widget that carries out the actions of these contexts."""
    return [
        Binding(
            key=",".join(entry.keys),
            action=entry.method,
            description=entry.label,
            show=False,
            key_display=entry.key_display,
            tooltip=entry.description,
            id=entry.id,
        )
        for entry in ACTIONS
        if any(context in entry.contexts for context in contexts)
    ]
