"""Panels as cells: curves, bands, letters, axes, cursor; and what differs between two sheets."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import pytest

from bswirl_tui import glyphs
from bswirl_tui.charts.canvas import Canvas, differences
from bswirl_tui.charts.chart import CURSOR, GUTTER, draw, with_cursor
from bswirl_tui.charts.layout import LEAST, Grid, boxes, grid_for
from bswirl_tui.charts.lines import Line
from bswirl_tui.charts.series import Series

SIZE = (60, 12)
Points = list[tuple[int, float | None]]


@pytest.fixture(params=["braille", "ascii"])
def signs(request: pytest.FixtureRequest) -> Iterator[str]:
    """Both sets of signs."""
    glyphs.use(glyphs.UNICODE if request.param == "braille" else glyphs.ASCII)
    yield request.param
    glyphs.use(glyphs.UNICODE)


def rows_of(points: Points, *, log: bool = False, window: tuple[int, int] = (0, 10)) -> list[str]:
    """A curve drawn alone, with its title."""
    made = draw([Line("", 0, Series(points))], window, SIZE, log=log)
    return with_cursor(made, "T", None, focused=False).plain.split("\n")


def drawn_cells(rows: list[str]) -> int:
    return sum(cell != " " for row in rows[1:-1] for cell in row[GUTTER:])


class TestCurves:
    """Each sort of curve says what it is."""

    def test_rising_line_rises(self, signs: str) -> None:
        """From the lower left to the upper right."""
        rows = rows_of([(step, float(step)) for step in range(11)])
        first, last = rows[-2][GUTTER:], rows[1][GUTTER:]
        assert first.strip()
        assert last.strip()
        assert len(first.rstrip()) < 12
        assert len(last.lstrip()) < 12
        assert rows[1].split()[0] == "10"
        assert rows[-2].split()[0] == "0"

    def test_ascii_is_ascii(self) -> None:
        """For terminals that show nothing else."""
        glyphs.use(glyphs.ASCII)
        try:
            series = Series([(0, 1.0), (5, math.nan), (9, 2.0)])
            made = draw([Line("A", 0, series, series, series)], (0, 10), SIZE, log=False)
            assert with_cursor(made, "T", 9, focused=True).plain.isascii()
        finally:
            glyphs.use(glyphs.UNICODE)

    @pytest.mark.parametrize("value", [0.0, 2.5, -1e300, 5e-324])
    def test_single_point_and_constant_are_seen(self, signs: str, value: float) -> None:
        assert drawn_cells(rows_of([(3, value)])) >= 1
        assert drawn_cells(rows_of([(0, value), (10, value)])) >= 50

    @pytest.mark.parametrize("points", [[], [(1, None)], [(1, math.inf), (4, -math.inf)]])
    def test_nothing_to_draw_is_said(self, signs: str, points: Points) -> None:
        assert "no points here" in "\n".join(rows_of(points))

    def test_what_is_no_number_is_counted_and_marked(self, signs: str) -> None:
        """In the title and on the axis; the line breaks there."""
        rows = rows_of([(0, 1.0), (2, 1.0), (5, math.nan), (8, 1.0), (10, 1.0)])
        assert "1 not finite" in rows[0]
        assert rows[-1][GUTTER + round(0.5 * (SIZE[0] - GUTTER - 1))] == "!"
        line = max(rows[1:-1], key=lambda row: len(row[GUTTER:].strip()))
        assert "   " in line[GUTTER:].strip()

    def test_log_scale_leaves_out_what_is_not_above_zero(self, signs: str) -> None:
        rows = rows_of([(0, 100.0), (2, 10.0), (4, 0.0), (6, -1.0), (8, 1.0)], log=True)
        assert "log, 2 not above 0" in rows[0]
        assert {"100", "10", "1"} <= {row.split()[0] for row in rows[1:-1] if row[:GUTTER].strip()}
        assert "nothing above 0" in "\n".join(rows_of([(1, -1.0)], log=True))

    def test_only_points_in_sight_are_counted_as_left_out(self, signs: str) -> None:
        """Neither an interval's ends nor where the curve crosses the edge of what is in sight."""
        series = Series([(0, -3.0), (10, -1.0), (20, 4.0), (30, -math.inf), (40, -2.0)])
        ends = Series([(10, -5.0), (20, -1.0)])
        made = draw([Line("", 0, series, ends, ends)], (4, 24), SIZE, log=True)
        assert made.notes == [("log, 1 not above 0", "log,1<=0")]
        made = draw([Line("", 0, series)], (11, 24), SIZE, log=True)
        assert made.notes == [("log", "log")]

    def test_extremes_of_every_column_are_drawn(self, signs: str) -> None:
        """One spike among thousands of points."""
        points: Points = [(step, 50.0 if step == 1234 else 0.0) for step in range(5000)]
        rows = rows_of(points, window=(0, 5000))
        column = GUTTER + round(1234 / 5000 * (SIZE[0] - GUTTER - 1))
        assert all(any(row[column + near] != " " for near in (-1, 0, 1)) for row in rows[1:-1])

    def test_sizes_down_to_nothing(self, signs: str) -> None:
        """A window may be dragged to any size."""
        lines = [Line("A", 0, Series([(0, 1.0), (9, 2.0)]))]
        for width in range(0, 30, 3):
            for height in range(8):
                canvas = with_cursor(
                    draw(lines, (0, 10), (width, height), log=False), "a title", 3, focused=True
                )
                assert [len(row) for row in canvas.signs] == [width] * height


class TestSeveral:
    """Lines over each other."""

    def lines(self) -> list[Line]:
        up, down = [Series((step, sign * step) for step in range(0, 101, 10)) for sign in (1.0, -1.0)]
        ends = [Series((step, step + far) for step in range(0, 101, 10)) for far in (-30.0, 30.0)]
        return [Line("A", 0, up, *ends), Line("B", 1, down)]

    def test_letters_stand_on_the_lines_and_in_the_title(self, signs: str) -> None:
        """So that colour is not needed."""
        canvas = with_cursor(draw(self.lines(), (0, 100), SIZE, log=False), "T", None, focused=False)
        title, *plot = canvas.plain.split("\n")
        own = {"braille": ("A", "B"), "ascii": ("A*", "Bo")}[signs]
        assert f"{own[0]} 100 [70, 130]" in title
        assert f"{own[1]} -100" in title
        upper, lower = "".join(plot[:5]), "".join(plot[6:-1])
        assert "A" in upper
        assert "A" not in lower
        assert "B" in lower
        assert "B" not in upper

    def test_lines_have_signs_of_their_own(self) -> None:
        """Where there is no braille."""
        glyphs.use(glyphs.ASCII)
        try:
            plain = draw(self.lines(), (0, 100), SIZE, log=False).canvas.plain
        finally:
            glyphs.use(glyphs.UNICODE)
        assert "*" in plain
        assert "o" in plain

    def test_band_lies_between_its_ends(self, signs: str) -> None:
        made = draw(self.lines()[:1], (0, 100), SIZE, log=False)
        shade = glyphs.glyphs().unjudged
        found = [
            (x, y)
            for y in range(1, SIZE[1] - 1)
            for x in range(GUTTER, SIZE[0])
            if made.canvas.signs[y][x] == shade and made.canvas.styles[y][x] == "faint"
        ]
        assert len(found) > 50
        assert made.scale is not None
        for x, y in found:
            step = (x - GUTTER) / (SIZE[0] - GUTTER - 1) * 100
            assert made.row(step + 30) <= y <= made.row(step - 30)

    def test_cursor_reads_out_every_line(self, signs: str) -> None:
        """The last point up to the cursor, with its step where that is another."""
        made = draw(self.lines(), (0, 100), SIZE, log=False)
        canvas = with_cursor(made, "T", 47, focused=True)
        title = canvas.plain.split("\n")[0]
        own = {"braille": ("A", "B"), "ascii": ("A*", "Bo")}[signs]
        assert f"{own[0]} 40 [10, 70]  {own[1]} -40  @40" in title
        assert canvas.signs[-1].index(glyphs.glyphs().caret) == made.column(47)
        marked = [
            (x, y) for y, row in enumerate(canvas.styles) for x, style in enumerate(row) if CURSOR in style
        ]
        assert marked == [(made.column(40), made.row(value)) for value in (40.0, -40.0)]
        assert not any(CURSOR in style for row in made.canvas.styles for style in row)


class TestWithoutColour:
    """Runs that lie over each other differ in more than their hue."""

    @staticmethod
    def sheet(places: tuple[int, ...]) -> Canvas:
        """Level curves with wide intervals, one a place, at heights of their own."""
        lines = []
        for place in places:
            flat = [Series([(0, place + far), (100, place + far)]) for far in (0.0, -9.0, 9.0)]
            lines.append(Line("ABCDEFGH"[place], place, *flat))
        return draw(lines, (0, 100), (80, 40), log=False).canvas

    def strokes(self, place: int) -> str:
        """A line of braille without its letters."""
        flat = Series([(0, 1.0), (100, 1.0)])
        canvas = draw([Line("", place, flat)], (0, 100), SIZE, log=False).canvas
        row = max(canvas.signs[1:-1], key=lambda row: sum("\u2800" < sign < "\u2900" for sign in row))
        return "".join(row[GUTTER:])

    def test_lines_are_drawn_in_strokes_of_their_own(self) -> None:
        """Solid, dashed, dotted, dashed with dots."""
        strokes = [self.strokes(place) for place in range(4)]
        assert len(set(strokes)) == 4
        assert len(set(strokes[0])) == 1
        assert len({stroke.count(strokes[0][0]) for stroke in strokes}) == 4

    def test_intervals_are_shaded_in_signs_of_their_own(self, signs: str) -> None:
        """Where two overlap, both are seen; each has a line's colour beside."""
        canvas = self.sheet((0, 1))
        fills = {"braille": ("·", ":"), "ascii": (".", ":")}[signs]
        cells = [
            (sign, style)
            for row in range(12, 28)
            for sign, style in zip(canvas.signs[row][GUTTER:], canvas.styles[row][GUTTER:], strict=True)
        ]
        assert {(fills[0], "c0~"), (fills[1], "c1~")} <= set(cells)
        shares = [sum(sign == fill for sign, _ in cells) for fill in fills]
        assert min(shares) > 0.7 * max(shares)

    @pytest.mark.parametrize(
        ("runs", "width", "words"), [(3, 79, ""), (8, 79, "intervals hidden"), (7, 58, "[] hidden")]
    )
    def test_intervals_without_room_are_said_to_be_hidden(self, runs: int, width: int, words: str) -> None:
        """A value alone would pass for one that was measured without any."""
        lines = []
        for place in range(runs):
            values, low, high = (Series([(0, far), (99, far)]) for far in (0.123, -0.456, 0.789))
            name = "ABCDEFGH"[place]
            lines += [Line(name + letter, place, values, low, high, signed=True) for letter in "pn"]
        title = "Log-prob shift, p R=1 n R=0"
        made = draw(lines, (0, 100), (width, 10), log=False, title=title)
        rows = with_cursor(made, title, None, focused=False, newest=99).plain.split("\n")[: made.head]
        assert ("[-0.46" in "".join(rows)) == (not words)
        assert "".join(rows).count("hidden") == bool(words)
        assert words in "".join(rows)

    def test_letters_stand_at_the_lines_ends(self, signs: str) -> None:
        """Also where two end in the same place."""
        one, two = Series([(0, 1.0), (90, 5.0)]), Series([(0, 9.0), (90, 5.0)])
        canvas = draw([Line("A", 0, one), Line("B", 1, two)], (0, 100), SIZE, log=False).canvas
        ends = [row[-10:] for row in canvas.plain.split("\n") if "A" in row[-12:] and "B" in row[-12:]]
        assert ends

    def test_extremes_stay_on_dashed_lines(self) -> None:
        """A tall spike is drawn to its tip, whatever the stroke."""
        for place in range(4):
            spike = Series((step, 10.0 if step == 50 else 0.0) for step in range(101))
            made = draw([Line("", place, spike)], (0, 100), SIZE, log=False)
            assert any("\u2800" < sign < "\u2900" for sign in made.canvas.signs[made.row(10.0)][GUTTER:])


class TestLayout:
    """As many panels as fit."""

    @pytest.mark.parametrize(
        ("size", "panels", "grid"),
        [
            ((80, 21), 12, Grid(1, 2)),
            ((80, 21), 1, Grid(1, 1)),
            ((120, 37), 4, Grid(2, 2)),
            ((120, 37), 12, Grid(2, 3)),
            ((200, 47), 30, Grid(3, 4)),
            ((200, 47), 2, Grid(2, 1)),
            ((40, 5), 9, Grid(1, 1)),
        ],
    )
    def test_grid(self, size: tuple[int, int], panels: int, grid: Grid) -> None:
        """By size and number."""
        assert grid_for(*size, panels) == grid
        assert grid_for(*size, panels, alone=True) == Grid(1, 1)

    def test_boxes_cover_the_room_and_do_not_overlap(self) -> None:
        for width, height, panels in ((200, 47, 30), (121, 38, 5), (80, 21, 2)):
            grid = grid_for(width, height, panels)
            cells = [
                (x, y)
                for box in boxes(grid, width, height)
                for x in range(box.x, box.x + box.width)
                for y in range(box.y, box.y + box.height)
            ]
            assert len(cells) == len(set(cells))
            assert len(cells) == (width - grid.columns + 1) * height
            assert all(box.width >= LEAST[0] - 1 for box in boxes(grid, width, height))


class TestSheets:
    """Cells, and what differs."""

    def test_wide_characters_and_accents(self) -> None:
        """Take the cells that a terminal gives them."""
        sheet = Canvas(6, 1)
        assert sheet.put(0, 0, "a漢e\u0301b") == 5
        assert sheet.plain == "a漢e\u0301b "
        assert sheet.put(5, 0, "漢") == 5  # no room for its second half

    def test_one_more_point_changes_little(self) -> None:
        """Most of a panel stays as it is."""
        rng = random.Random(3)
        points: Points = [(step, 1 / (step + 1) + rng.random() / 20) for step in range(300)]
        sheets = [
            with_cursor(
                draw([Line("", 0, Series(points[:n]))], (0, 400), SIZE, log=False),
                "T",
                None,
                focused=False,
            )
            for n in (299, 300)
        ]
        changed = list(differences(*sheets))
        assert changed
        assert sum(width for _, _, width in changed) < 20

    def test_differences_rebuild_the_sheet(self) -> None:
        """Whatever the sheets are, wide characters included."""
        rng = random.Random(5)
        for _ in range(200):
            before, after = Canvas(20, 3), Canvas(20, 3)
            for sheet in (before, after):
                for _ in range(rng.randrange(6)):
                    sheet.put(
                        rng.randrange(20),
                        rng.randrange(3),
                        rng.choice(["abc", "漢字", "x", "é"]),
                        rng.choice("ab"),
                    )
            rebuilt = before.copy()
            for x, y, width in differences(before, after):
                rebuilt.signs[y][x : x + width] = after.signs[y][x : x + width]
                rebuilt.styles[y][x : x + width] = after.styles[y][x : x + width]
            assert rebuilt.signs == after.signs
            assert rebuilt.styles == after.styles
