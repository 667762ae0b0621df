"""Colours: the app's themes, and the styles that texts are built from in each of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.style import Style
from textual.theme import Theme

if TYPE_CHECKING:
    from textual.app import App

DARK = "bswirl-dark"
LIGHT = "bswirl-light"
CONTRAST = "bswirl-contrast"
PLAIN = "ansi-dark"  # Textual's own: the terminal's sixteen colours and its background
ORDER = (DARK, LIGHT, CONTRAST, PLAIN)
TITLES = {DARK: "dark", LIGHT: "light", CONTRAST: "high contrast", PLAIN: "the terminal's own colours"}
_NAMES = {"dark": DARK, "light": LIGHT, "contrast": CONTRAST, "plain": PLAIN}  # for $BSWIRL_THEME


@dataclass(frozen=True, slots=True)
class Palette:
    """What a colour means. Each meaning also has a sign, so that no fact hangs on colour alone."""

    good: Style
    bad: Style
    warn: Style
    accent: Style  # headings, keys
    human: Style  # what people said
    answer: Style  # what the answer check said
    muted: Style  # secondary facts
    faint: Style  # guides, rules
    strong: Style


def _palette(**colours: str) -> Palette:
    return Palette(**{name: Style.parse(style) for name, style in colours.items()})


_PALETTES = {
    DARK: _palette(
        good="#86c98f",
        bad="#f0857d",
        warn="#e2b765",
        accent="#82b4f5",
        human="#c8a6f2",
        answer="#6fc5c9",
        muted="#8d99a8",
        faint="#55606d",
        strong="bold #f1f4f8",
    ),
    LIGHT: _palette(
        good="#1d7a34",
        bad="#b3261e",
        warn="#8a5a00",
        accent="#1457b3",
        human="#6f3bb0",
        answer="#0b6a70",
        muted="#57616d",
        faint="#9aa3ad",
        strong="bold #0c1116",
    ),
    CONTRAST: _palette(
        good="#7dff7d",
        bad="#ffa099",
        warn="#ffd75f",
        accent="#8fd3ff",
        human="#f0b3ff",
        answer="#5ff5f5",
        muted="#e0e0e0",
        faint="#b8b8b8",
        strong="bold #ffffff",
    ),
    PLAIN: _palette(
        good="green",
        bad="red",
        warn="yellow",
        accent="cyan",
        human="magenta",
        answer="cyan",
        muted="dim",
        faint="dim",
        strong="bold",
    ),
}

THEMES = (
    Theme(
        name=DARK,
        primary="#82b4f5",
        secondary="#6fc5c9",
        warning="#e2b765",
        error="#f0857d",
        success="#86c98f",
        accent="#82b4f5",
        foreground="#d3dae3",
        background="#12161b",
        surface="#171c22",
        panel="#20262e",
        dark=True,
        variables={
            "rule": "#303842",
            "cursor": "#24476e",
            "cursor-blurred": "#242c36",
            "block-cursor-foreground": "#f1f4f8",
            "block-cursor-background": "#24476e",
            "block-cursor-text-style": "none",
            "input-selection-background": "#24476e",
            "footer-background": "#171c22",
        },
    ),
    Theme(
        name=LIGHT,
        primary="#1457b3",
        secondary="#0b6a70",
        warning="#8a5a00",
        error="#b3261e",
        success="#1d7a34",
        accent="#1457b3",
        foreground="#1b222a",
        background="#fbfbf9",
        surface="#f1f1ee",
        panel="#e6e6e2",
        dark=False,
        variables={
            "rule": "#cfd0cc",
            "cursor": "#c5dcf8",
            "cursor-blurred": "#e4e6e8",
            "block-cursor-foreground": "#0c1116",
            "block-cursor-background": "#c5dcf8",
            "block-cursor-text-style": "none",
            "input-selection-background": "#c5dcf8",
        },
    ),
    Theme(
        name=CONTRAST,
        primary="#8fd3ff",
        secondary="#5ff5f5",
        warning="#ffd75f",
        error="#ffa099",
        success="#7dff7d",
        accent="#8fd3ff",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#1c1c1c",
        dark=True,
        variables={
            "rule": "#b8b8b8",
            "cursor": "#003a80",
            "cursor-blurred": "#303030",
            "text-muted": "#e0e0e0",
            "block-cursor-foreground": "#ffffff",
            "block-cursor-background": "#003a80",
            "block-cursor-text-style": "none",
            "input-selection-background": "#003a80",
        },
    ),
)

# What the style sheet names and Textual's own themes do not define.
FALLBACK_VARIABLES = {
    "rule": "ansi_bright_black",
    "cursor": "ansi_default",
    "cursor-blurred": "ansi_default",
}

# Borders by what they are around: panes, windows, fields.
BORDERS = {"edge": "solid", "frame": "round", "field": "tall"}
ASCII_BORDERS = dict.fromkeys(BORDERS, "ascii")


# Colours of lines that also those tell apart who do not see every hue (after Okabe and Ito, fitted to each
# background). Letters on the lines say the same.
_LINES = {
    DARK: ("#56b4e9", "#e69f00", "#2fc79a", "#e58ac0", "#f0e442", "#ff7f50", "#c0c8d2"),
    LIGHT: ("#0063a0", "#a85b00", "#00735a", "#96437c", "#665c00", "#b83a00", "#3a434d"),
    PLAIN: ("bright_cyan", "yellow", "bright_blue", "magenta", "white", "bright_red", "green"),
}
_LINE_STYLES = {name: tuple(Style.parse(colour) for colour in colours) for name, colours in _LINES.items()}


def line_styles(app: App[Any]) -> tuple[Style, ...]:
    """The styles of lines that are drawn together, in their order."""
    return _LINE_STYLES.get(app.theme, _LINE_STYLES[PLAIN])


def palette(app: App[Any]) -> Palette:
    """The styles of the theme that `app` shows."""
    return _PALETTES.get(app.theme, _PALETTES[PLAIN])


def fitting_theme(color_system: str | None, *, no_color: bool) -> str:
    """The theme for a terminal: $BSWIRL_THEME where it shows at least 256 colours, else its own sixteen."""
    if no_color or color_system in (None, "standard", "windows"):
        return PLAIN
    return _NAMES.get(os.environ.get("BSWIRL_THEME", ""), DARK)
