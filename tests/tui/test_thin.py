"""Partial redraws: the same picture as Textual's own, in fewer bytes."""

from __future__ import annotations

import random

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate
from textual.strip import Strip

from bswirl_tui.thin import ThinUpdate, thinned
from tests.tui.screen_model import painted

STYLES = [Style(), Style(color="red"), Style(color="#102030", bgcolor="blue", bold=True), Style(reverse=True)]
WIDTH, HEIGHT = 24, 4


def console() -> Console:
    return Console(force_terminal=True, color_system="truecolor", width=WIDTH, legacy_windows=False)


def random_update(rng: random.Random) -> ChopsUpdate:
    """Two widgets side by side, of which a few stretches changed."""
    cut = rng.randrange(1, WIDTH)
    chops, ends, spans = [], [], []
    for y in range(HEIGHT):
        row = {}
        for start, stop in ((0, cut), (cut, WIDTH)):
            parts = []
            while sum(len(part.text) for part in parts) < stop - start:
                room = stop - start - sum(len(part.text) for part in parts)
                text = "".join(rng.choice("abcxyz ") for _ in range(rng.randint(1, room)))
                parts.append(Segment(text, rng.choice(STYLES)))
            row[start] = Strip(parts, stop - start)
        chops.append(row)
        ends.append([cut, WIDTH])
        x = 0
        while rng.random() < 0.7 and x < WIDTH - 2:
            first = rng.randrange(x, WIDTH - 1)
            last = rng.randint(first + 1, WIDTH)
            spans.append((y, first, last))
            x = last + 1
    return ChopsUpdate(chops, spans or [(0, 0, 1)], ends)


class TestSamePicture:
    """What a terminal shows in the end."""

    def test_changed_cells_are_those_of_textual(self) -> None:
        """Text and style of each; nothing else is touched."""
        rng = random.Random(11)
        for _ in range(200):
            update = random_update(rng)
            wanted = painted(update.render_segments(console()))
            found = painted(ThinUpdate(update).render_segments(console()))
            cells = {(x, y) for y, first, last in update.spans for x in range(first, last)}
            assert set(found) == cells
            assert {cell: wanted[cell] for cell in cells} == found

    def test_full_redraws_are_left_alone(self) -> None:
        """And whatever else may be drawn."""
        other = object()
        assert thinned(other) is other
        assert thinned(None) is None
        assert isinstance(thinned(random_update(random.Random(1))), ThinUpdate)


class TestFewerBytes:
    """What it is for."""

    def test_one_cell_at_the_end_of_a_line(self) -> None:
        """Costs itself, a place and a style, however long the line is."""
        strip = Strip([Segment("x" * 199, STYLES[1]), Segment("y", STYLES[2])], 200)
        update = ChopsUpdate([{0: strip}], [(0, 199, 200)], [[200]])
        assert len(update.render_segments(console())) > 200
        assert len(ThinUpdate(update).render_segments(console())) < 60
