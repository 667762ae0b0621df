"""A page of panels with curves. It sends the terminal only the cells that changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from bswirl_tui.charts.canvas import Canvas, differences
from bswirl_tui.charts.chart import CURSOR, DIM, GUTTER, Drawing, draw, with_cursor
from bswirl_tui.charts.heading import Head
from bswirl_tui.charts.layout import LEAST, Grid, boxes, grid_for
from bswirl_tui.charts.panels import PanelSpec
from bswirl_tui.charts.series import RunCurves
from bswirl_tui.charts.view import View, lines_of, newest_step, versions, whole_window
from bswirl_tui.text import clean
from bswirl_tui.themes import line_styles, palette

TITLE_CHARACTERS = 200  # of a curve's name; they may come from anyone


@dataclass(slots=True)
class Content:
    """What to show."""

    runs: Sequence[RunCurves] = ()
    panels: Sequence[PanelSpec] = ()
    view: View = field(default_factory=View)
    head: Head = field(default_factory=Head)  # above the panels
    empty: Sequence[str] = ()  # what to say where there are no panels


class PanelGrid(Widget, can_focus=True):
    """Draws the panels of the page on which the focused one is."""

    ALLOW_SELECT = False
    HAS_HEAD: ClassVar[bool] = True
    LEAST: ClassVar[tuple[int, int]] = LEAST

    class Pointed(Message):
        """A place in a panel was clicked."""

        def __init__(self, panel: PanelSpec, step: int | None) -> None:
            super().__init__()
            self.panel = panel
            self.step = step

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.content = Content()
        self._sheet = Canvas(0, 0)
        self._drawings: dict[str, tuple[object, Drawing]] = {}

    # what is shown

    def show(self, content: Content) -> None:
        """Shows something else, or the same after it changed."""
        self.content = content
        self.redraw()

    def redraw(self) -> None:
        """Draws anew and sends what differs."""
        before, self._sheet = self._sheet, self._drawn()
        if (before.width, before.height) != (self._sheet.width, self._sheet.height):
            self.refresh()
            return
        regions = [Region(x, y, width, 1) for x, y, width in differences(before, self._sheet)]
        if regions:
            self.refresh(*regions)

    @property
    def plain(self) -> str:
        """All that is shown."""
        return self._sheet.plain

    @property
    def grid(self) -> Grid:
        """Columns and rows of the page."""
        width, height = self._room
        alone = self.content.view.alone
        return grid_for(width, height, len(self.content.panels), alone=alone, least=self.LEAST)

    @property
    def page(self) -> tuple[int, int]:
        """The page in sight, from 1, and how many there are."""
        per_page = self.grid.page
        place = self.content.view.place(self.content.panels)
        return place // per_page + 1, -(-len(self.content.panels) // per_page) or 1

    @property
    def steps_a_column(self) -> int:
        """How many steps a column of cells stands for."""
        first, last = self._window
        return max(1, round((last - first) / max(1, self._room[0] // self.grid.columns - GUTTER - 1)))

    @property
    def _room(self) -> tuple[int, int]:
        return self.content_size.width, max(0, self.content_size.height - self._top)

    @property
    def _top(self) -> int:
        """Rows above the panels."""
        return self.content.head.rows(self.content_size.width) if self.HAS_HEAD else 0

    @property
    def _window(self) -> tuple[int, int]:
        return self.content.view.shown_window(whole_window(self.content.runs))

    @property
    def in_sight(self) -> list[tuple[int, PanelSpec]]:
        """The panels of the page, with their places among all."""
        per_page = self.grid.page
        start = (self.page[0] - 1) * per_page
        return list(enumerate(self.content.panels))[start : start + per_page]

    # drawing

    def _drawn(self) -> Canvas:
        width, height = self.content_size
        sheet = Canvas(width, height)
        if self.HAS_HEAD:
            for y, pieces in enumerate(self.content.head.lines(width, *self.page)):
                x = 1
                for text, style in pieces:
                    x = sheet.put(x, y, clean(text, one_line=True, limit=TITLE_CHARACTERS), style)
        if not self.content.panels:
            self._explain(sheet)
            return sheet
        top, view = self._top, self.content.view
        focus, newest = view.place(self.content.panels), newest_step(self.content.runs)
        in_sight = self.in_sight
        for (place, spec), box in zip(in_sight, boxes(self.grid, *self._room), strict=False):
            drawing = self._drawing(spec, box.width, box.height)
            title = clean(spec.title, one_line=True, limit=TITLE_CHARACTERS)
            focused = place == focus and self.HAS_HEAD
            panel = with_cursor(drawing, title, view.cursor, focused=focused, newest=newest)
            sheet.paste(panel, box.x, top + box.y)
        kept = {spec.title for _, spec in in_sight}
        self._drawings = {title: kept_one for title, kept_one in self._drawings.items() if title in kept}
        return sheet

    def _explain(self, sheet: Canvas) -> None:
        y = self._top + 1
        for paragraph in self.content.empty:
            for part in Text(paragraph).wrap(self.app.console, max(1, sheet.width - 4)) or [Text()]:
                sheet.put(2, y, part.plain, "muted")
                y += 1

    def _drawing(self, spec: PanelSpec, width: int, height: int) -> Drawing:
        """The panel without cursor: as last time where nothing about it changed."""
        view, runs = self.content.view, self.content.runs
        log = spec.title in view.log
        key = (spec, width, height, self._window, view.half_life, log, len(runs), versions(spec, runs))
        known = self._drawings.get(spec.title)
        if known is not None and known[0] == key:
            return known[1]
        lines = lines_of(spec, runs, view.half_life)
        drawing = draw(lines, self._window, (width, height), log=log, title=clean(spec.title, one_line=True))
        self._drawings[spec.title] = (key, drawing)
        return drawing

    def render_line(self, y: int) -> Strip:
        width = self.content_size.width
        if (self._sheet.width, self._sheet.height) != self.content_size:  # lines come before the resize event
            self._sheet = self._drawn()
        if y >= self._sheet.height:
            return Strip.blank(width, self.rich_style)
        parts = [Segment(text, self._style(style)) for text, style in self._sheet.runs(y)]
        return Strip(parts, width).apply_style(self.rich_style)

    def _style(self, name: str) -> Style:
        """A style by name: `c0` and on for lines, else the palette's; `*` bold, `~` dim, `!` the cursor."""
        base = name.rstrip("*" + DIM + CURSOR)
        if not base:
            style = Style()
        elif base[0] == "c" and base[1:].isdecimal():
            styles = line_styles(self.app)
            style = styles[int(base[1:]) % len(styles)]
        else:
            style = getattr(palette(self.app), base)
        if "*" in name:
            style += Style(bold=True)
        if DIM in name:
            style += Style(dim=True)
        return style + Style(reverse=True) if CURSOR in name else style

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.refresh()

    # events

    def on_resize(self) -> None:
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        top = self._top
        for (_, spec), box in zip(self.in_sight, boxes(self.grid, *self._room), strict=False):
            x, y = event.x - box.x, event.y - top - box.y
            if 0 <= x < box.width and 0 <= y < box.height:
                first, last = self._window
                share = (x - GUTTER) / max(1, box.width - GUTTER - 1)
                step = round(first + share * (last - first)) if 0 <= share <= 1 else None
                self.post_message(self.Pointed(spec, step))
