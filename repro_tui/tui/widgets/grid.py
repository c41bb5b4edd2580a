"""A table that draws only the lines that are seen, over any source of rows: a million open as fast as ten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from repro_tui.tui.actions import GRID, bindings


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """One column: its title, its least width in cells, and its share of what is left (0: it does not grow)."""

    title: str
    least: int
    share: int = 0
    right: bool = False


class RowSource(Protocol):
    """Where rows come from; `cells` gets the width of each column and answers with cleaned, plain text."""

    def __len__(self) -> int:
        """How many rows there are."""
        ...

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """One row's cells."""
        ...


class Grid(ScrollView, can_focus=True):
    """The one table of the interface."""

    BINDINGS = bindings(GRID)
    COMPONENT_CLASSES: ClassVar[set[str]] = {"grid--header", "grid--cursor", "grid--row", "grid--empty"}
    DEFAULT_CSS = """
    Grid { scrollbar-size-vertical: 1; background: $background; color: $foreground; overflow-x: hidden; height: 1fr; }
    Grid > .grid--header { color: $text-muted; text-style: bold; background: $panel; }
    Grid > .grid--cursor { background: $surface-lighten-1; text-style: bold; }
    Grid:focus > .grid--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
    Grid > .grid--empty { color: $text-muted; text-style: italic; }
    """

    class Highlighted(Message):
        """The cursor came to a row."""

        def __init__(self, grid: Grid, row: int) -> None:
            self.grid, self.row = grid, row
            super().__init__()

        @property
        def control(self) -> Grid:
            """The grid it happened in."""
            return self.grid

    class Opened(Highlighted):
        """Enter, or a click, on a row."""

    def __init__(self, columns: Sequence[ColumnSpec], *, empty: str = "nothing here", id: str | None = None) -> None:
        super().__init__(id=id)
        self.columns, self.empty = list(columns), empty
        self.source: RowSource | None = None
        self.cursor = 0
        self._widths: list[int] = []

    # -- content ------------------------------------------------------------------------------------------------

    def show_rows(self, source: RowSource, *, keep: bool = False) -> None:
        """Shows these rows, with the cursor on the first or where it was."""
        self.source = source
        self.cursor = min(self.cursor, max(0, len(source) - 1)) if keep else 0
        self._lay_out()
        if not keep:
            self.scroll_to(0, 0, animate=False)
        self.refresh()
        self.post_message(self.Highlighted(self, self.cursor))

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.source) if self.source is not None else 0

    def _lay_out(self) -> None:
        if not self.size.width:
            return  # not on the screen yet: the first resize lays it out
        width = max(self.size.width - self.scrollbar_size_vertical * (self.count + 1 > self.size.height), 10)
        self._widths = column_widths(self.columns, width)
        self.virtual_size = Size(width, self.count + 1)

    def on_resize(self, event: events.Resize) -> None:
        """Column widths follow the screen, so that side B stays in view."""
        self._lay_out()
        self._show_cursor()
        self.refresh()

    # -- drawing ------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """One line of what is seen: the header stays, the rows scroll."""
        width = self.size.width
        base = self.rich_style
        if not self._widths:
            return Strip.blank(width, base)
        if y == 0:
            return self._header(width)
        row = self.scroll_offset.y + y - 1
        if self.source is None or not self.count:
            style = self.get_component_rich_style("grid--empty")
            return Strip([Segment(f"  {self.empty if y == 1 else ''}".ljust(width)[:width], base + style)])
        if row >= self.count:
            return Strip.blank(width, base)
        style = self.get_component_rich_style("grid--cursor") if row == self.cursor else base
        return self._strip(self.source.cells(row, self._widths), style, width, plain=row == self.cursor)

    def _header(self, width: int) -> Strip:
        style = self.get_component_rich_style("grid--header")
        return self._strip([Text(column.title) for column in self.columns], style, width)

    def _strip(self, cells: Sequence[Text], style: Style, width: int, plain: bool = False) -> Strip:
        segments: list[Segment] = []
        for cell, column, size in zip(cells, self.columns, self._widths, strict=False):
            if size <= 0:
                continue
            segments += _fitted(cell, size, style, column.right, plain)
            segments.append(Segment(" ", style))
        return Strip(segments).adjust_cell_length(width, style)

    # -- moving -------------------------------------------------------------------------------------------------

    def move_to(self, row: int) -> None:
        """Puts the cursor on a row and scrolls it into view."""
        row = max(0, min(row, self.count - 1))
        if self.count and row != self.cursor:
            before, self.cursor = self.cursor, row
            self._show_cursor()
            self.refresh_rows(before, row)
            self.post_message(self.Highlighted(self, row))

    def refresh_rows(self, *rows: int) -> None:
        """Draws some rows anew: a key press must not cost a screen."""
        for row in rows:
            self.refresh(Region(0, row + 1 - self.scroll_offset.y, self.size.width, 1))

    def _show_cursor(self) -> None:
        height = max(1, self.size.height - 1)
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False)

    def action_cursor(self, step: int) -> None:
        """Up or down."""
        self.move_to(self.cursor + step)

    def action_page(self, step: int) -> None:
        """A page up or down."""
        self.move_to(self.cursor + step * max(1, self.size.height - 2))

    def action_edge(self, step: int) -> None:
        """The first or the last row."""
        self.move_to(0 if step < 0 else self.count - 1)

    def action_open(self) -> None:
        """Opens the row under the cursor."""
        if self.count:
            self.post_message(self.Opened(self, self.cursor))

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor; a click on the cursor opens."""
        row = self.scroll_offset.y + event.y - 1
        if event.y < 1 or row >= self.count:
            return
        if row == self.cursor:
            self.action_open()
        else:
            self.move_to(row)


def column_widths(columns: Sequence[ColumnSpec], width: int) -> list[int]:
    """The width of every column in cells: the least of each, and the rest by shares."""
    least = [column.least for column in columns]
    left = width - sum(least) - len(columns)
    shares = sum(column.share for column in columns)
    if left < 0 and shares:  # narrower than the least: the columns that grow give way
        least = [
            max(4, size + left * column.share // shares) if column.share else size
            for size, column in zip(least, columns, strict=True)
        ]
        left = 0
    return [
        size + (left * column.share // shares if shares else 0) for size, column in zip(least, columns, strict=True)
    ]


def _fitted(cell: Text, size: int, style: Style, right: bool, plain: bool) -> list[Segment]:
    if plain or not cell.spans:
        own = style if plain or not cell.style else style + Style.parse(str(cell.style))
        text = cell.plain
        return [Segment(text.rjust(size) if right and cell_len(text) <= size else set_cell_size(text, size), own)]
    fitted = cell.copy()
    fitted.truncate(size, overflow="ellipsis", pad=True)
    found: list[Segment] = []
    start = 0
    for offset in sorted({0, len(fitted), *(edge for span in fitted.spans for edge in (span.start, span.end))}):
        if offset > start:
            own = style
            for span in fitted.spans:
                if span.start <= start < span.end:
                    own = own + Style.parse(str(span.style))
            found.append(Segment(fitted.plain[start:offset], own))
            start = offset
    return found
