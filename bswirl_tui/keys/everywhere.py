"""Keys that mean the same on many screens."""

from __future__ import annotations

from bswirl_tui.keys.spec import (
    APP,
    AUDIT,
    CHOICE,
    CURVES,
    DIALOG,
    FORM,
    MAIN,
    ROWS,
    SUB_SCREENS,
    TEXT,
    ActionSpec,
    placed,
)

MOVING: tuple[ActionSpec, ...] = (
    *placed(
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
    *placed(
        "Moving",
        CHOICE,
        (("move.choose", "enter", "choose", "Choose the line under the cursor.", 0, False),),
    ),
)

EVERYWHERE: tuple[ActionSpec, ...] = (
    *placed(
        "Everywhere",
        (*SUB_SCREENS, FORM, DIALOG, AUDIT, CURVES),
        (("screen.back", "escape", "back", "Go back.", 20),),
    ),
    *placed(
        "Everywhere",
        SUB_SCREENS,
        (("screen.leave", "q h", "back", "Go back.", 0, False),),
    ),
    *placed(
        "Everywhere",
        AUDIT,
        (("audit.leave", "q", "leave", "Leave the queue; a key brings you back to the same step.", 21),),
    ),
    *placed(
        "Everywhere",
        CURVES,
        (("curves.leave", "q", "back", "Go back.", 0, False),),
    ),
    *placed(
        "Everywhere",
        MAIN,
        (("app.leave", "q", "quit", "Leave the app (first the candidates side by side); runs go on.", 22),),
    ),
    *placed(
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
