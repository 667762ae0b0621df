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
        self._comparing = False

    def show_comparing(self, comparing: bool) -> None:
        """Speaks of candidates side by side, or of the tree."""
        self._comparing = comparing
        self.refresh(layout=True)

    def render(self) -> RenderResult:
        return (comparing_text if self._comparing else tour_text)(palette(self.app))


def comparing_text(colours: Palette) -> Text:
    """What to know of candidates side by side."""
    key = _keys(_NAMED_COMPARING, colours)
    lines = [
        Text.assemble(
            ("Candidates: ", colours.strong),
            "other ways on from the same steps; adv is reward less the mean.",
        ),
        Text.assemble(
            key["compare.previous"], " ", key["compare.next"], " choose one; ", key["compare.words"],
            " marks words that differ; ", key["compare.follow"], " goes on; ", key["compare.leave"],
            " leads back.",
        ),
    ]  # fmt: skip
    return Text("\n").join(lines)


def tour_text(colours: Palette) -> Text:
    """What to know first, with the keys as they are mapped."""
    signs = glyphs()
    key = _keys(_NAMED, colours)
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
            " sees a step beside its siblings; ", key["view.gold"], " shows the gold solution.",
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


def _keys(names: tuple[str, ...], colours: Palette) -> dict[str, Text]:
    return {name: Text(actions.spec(name).key_display, colours.accent) for name in names}


_NAMED_COMPARING = (
    "compare.previous",
    "compare.next",
    "compare.words",
    "compare.follow",
    "compare.leave",
)
_NAMED = (
    "move.down",
    "move.up",
    "tree.compare",
    "view.gold",
    "label.good",
    "label.bad",
    "label.unsure",
    "label.undo",
    "app.help",
    "view.tour",
)
