"""A few lines below the tree for who is here for the first time."""

from __future__ import annotations

from rich.text import Text
from textual.app import RenderResult
from textual.widget import Widget

from bswirl_tui import actions
from bswirl_tui.glyphs import glyphs
from bswirl_tui.themes import Palette, palette


class Tour(Widget):
    """Hidden until it is wanted. It takes no focus: every key goes on working."""

    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__()
        self.display = False

    def render(self) -> RenderResult:
        return tour_text(palette(self.app))


def tour_text(colours: Palette) -> Text:
    """What to know first, with the keys as they are mapped."""
    signs = glyphs()
    key = {name: Text(actions.spec(name).key_display, colours.accent) for name in _NAMED}
    lines = [
        Text.assemble(
            ("A question's tree: ", colours.strong), "each line is a step after the steps above it."
        ),
        Text.assemble(
            (signs.good, colours.good), " reward 1, ", (signs.bad, colours.bad),
            " reward 0; by Judge, Human or Answer check; then the advantage.",
        ),
        Text.assemble(
            "After ", (signs.live, colours.good), " rewards differ, and that trains; after ",
            (signs.dead, colours.muted), " all are equal.",
        ),
        Text.assemble(
            key["move.down"], " ", key["move.up"], " move; ", key["tree.compare"],
            " sees a step beside its siblings; ", key["detail.judge"], " reads the judge's reply.",
        ),
        Text.assemble(
            key["label.good"], " ", key["label.bad"], " ", key["label.unsure"],
            " label a step, which goes before the judge; ", key["label.undo"], " takes it back.",
        ),
        Text.assemble(
            key["app.help"], " shows all keys. ", key["view.tour"], " hides these lines or brings them back."
        ),
    ]  # fmt: skip
    return Text("\n").join(lines)


_NAMED = (
    "move.down",
    "move.up",
    "tree.compare",
    "detail.judge",
    "label.good",
    "label.bad",
    "label.unsure",
    "label.undo",
    "app.help",
    "view.tour",
)
