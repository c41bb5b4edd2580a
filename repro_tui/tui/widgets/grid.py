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
from repro_tui.tui.widgets.styles import CLASSES, CSS


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """One column: its title, its least width in cells, and its share of what is left (0: it does not grow).

    `side` is "a" or "b" where the column shows that side's value: those two change places when sides are swapped.
    """

    title: str
    least: int
    share: int = 0
    right: bool = False
    side: str = ""


class RowSource(Protocol):
    """Where rows come from; `cells` gets the width of each column and answers with cleaned, plain text.

    Styles are names of widgets/styles.py.
    """

    def __len__(self) -> int:
        """How many rows there are."""
        ...

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """One row's cells."""
        ...


class Grid(ScrollView, can_focus=True):
    """The one table of the interface."""

    BINDINGS = bindings(GRID)
    COMPONENT_CLASSES: ClassVar[set[str]] = {"grid--header", "grid--cursor", "grid--empty", *CLASSES}
    DEFAULT_CSS = f"""
    Grid {{ scrollbar-size-vertical: 1; background: $background; color: $foreground; overflow-x: hidden; height: 1fr; }}
    Grid > .grid--header {{ color: $text-muted; text-style: $head-style; background: $panel; }}
    Grid > .grid--cursor {{ background: $surface-lighten-1; text-style: bold; }}
    Grid:focus > .grid--cursor {{ background: $block-cursor-background; color: $block-cursor-foreground; }}
    Grid:focus > .grid--cursor {{ text-style: $cursor-style; }}
    Grid > .grid--empty {{ color: $text-muted; text-style: italic; }}
    {CSS}
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

    class Sideways(Highlighted):
        """Left (-1) or right (1) was pressed on a row."""

        def __init__(self, grid: Grid, row: int, step: int) -> None:
            super().__init__(grid, row)
            self.step = step

    class HeaderChosen(Highlighted):
        """A click on a column's title; `row` is the column's number as the source has it."""

    def __init__(self, columns: Sequence[ColumnSpec], *, empty: str = "nothing here", id: str | None = None) -> None:
        super().__init__(id=id)
        self.columns, self.empty = list(columns), empty
        self.source: RowSource | None = None
        self.cursor = 0
        self.swapped = False
        self._widths: list[int] = []

    @property
    def head(self) -> int:
        """Lines of the header: none where no column has a title."""
        return 1 if any(column.title for column in self.columns) else 0

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

    def show_columns(self, columns: Sequence[ColumnSpec]) -> None:
        """Changes the columns; the source has to answer with as many cells."""
        self.columns = list(columns)
        self._lay_out()
        self.refresh()

    def swap(self, swapped: bool) -> None:
        """Shows B left of A, or A left of B."""
        if swapped != self.swapped:
            self.swapped = swapped
            self.refresh()

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.source) if self.source is not None else 0

    def _order(self) -> list[int]:
        """The columns as they are drawn."""
        order = list(range(len(self.columns)))
        if self.swapped:
            sides = {column.side: place for place, column in enumerate(self.columns) if column.side}
            if len(sides) == 2:
                order[sides["a"]], order[sides["b"]] = sides["b"], sides["a"]
        return order

    def _lay_out(self) -> None:
        if not self.size.width:
            return  # not on the screen yet: the first resize lays it out
        width = max(self.size.width - self.scrollbar_size_vertical * (self.count + self.head > self.size.height), 10)
        self._widths = column_widths(self.columns, width)
        self.virtual_size = Size(width, self.count + self.head)

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
        if y < self.head:
            style = self.get_component_rich_style("grid--header")
            return self._strip([Text(column.title) for column in self.columns], style, width)
        row = self.scroll_offset.y + y - self.head
        if self.source is None or not self.count:
            style = self.get_component_rich_style("grid--empty")
            return Strip([Segment(f"  {self.empty if y == self.head else ''}".ljust(width)[:width], base + style)])
        if row >= self.count:
            return Strip.blank(width, base)
        style = self.get_component_rich_style("grid--cursor") if row == self.cursor else base
        return self._strip(self.source.cells(row, self._widths), style, width, plain=row == self.cursor)

    def _strip(self, cells: Sequence[Text], style: Style, width: int, plain: bool = False) -> Strip:
        segments: list[Segment] = []
        for place in self._order():
            size = self._widths[place]
            if size > 0 and place < len(cells):
                segments += self._fitted(cells[place], size, style, self.columns[place].right, plain)
                segments.append(Segment(" ", style))
        return Strip(segments).adjust_cell_length(width, style).simplify()

    def _look(self, names: str, style: Style, plain: bool) -> Style:
        """The style of some names; under the cursor only what was marked keeps a sign, in no colour."""
        for name in names.split():
            if not plain:
                style = style + self.get_component_rich_style(f"grid--{name}", partial=True)
            elif name.startswith("mark"):
                style = style + Style(underline=True)
        return style

    def _fitted(self, cell: Text, size: int, style: Style, right: bool, plain: bool) -> list[Segment]:
        base = self._look(str(cell.style), style, plain) if cell.style else style
        if not cell.spans:
            text = cell.plain
            return [Segment(text.rjust(size) if right and cell_len(text) <= size else set_cell_size(text, size), base)]
        fitted = cell.copy()
        fitted.truncate(size, overflow="ellipsis", pad=True)
        found: list[Segment] = []
        start = 0
        for offset in sorted({0, len(fitted), *(edge for span in fitted.spans for edge in (span.start, span.end))}):
            if offset > start:
                names = " ".join(str(span.style) for span in fitted.spans if span.start <= start < span.end)
                found.append(Segment(fitted.plain[start:offset], self._look(names, base, plain) if names else base))
                start = offset
        return found

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
            self.refresh(Region(0, row + self.head - self.scroll_offset.y, self.size.width, 1))

    def _show_cursor(self) -> None:
        """Scrolls by half a page at the edge: the line that is slow to draw over SSH is the one that scrolls."""
        height = max(1, self.size.height - self.head)
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=max(0, self.cursor - height // 2), animate=False)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1 + height // 2, animate=False)

    def action_cursor(self, step: int) -> None:
        """Up or down."""
        self.move_to(self.cursor + step)

    def action_page(self, step: int) -> None:
        """A page up or down."""
        self.move_to(self.cursor + step * max(1, self.size.height - self.head - 1))

    def action_edge(self, step: int) -> None:
        """The first or the last row."""
        self.move_to(0 if step < 0 else self.count - 1)

    def action_sideways(self, step: int) -> None:
        """Left or right: the screen knows what that means."""
        if self.count:
            self.post_message(self.Sideways(self, self.cursor, step))

    def action_open(self) -> None:
        """Opens the row under the cursor."""
        if self.count:
            self.post_message(self.Opened(self, self.cursor))

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor; a click on the cursor opens; a click on a title chooses the column."""
        row = self.scroll_offset.y + event.y - self.head
        if event.y < self.head:
            self._choose_header(event.x)
        elif row >= self.count:
            return
        elif row == self.cursor:
            self.action_open()
        else:
            self.move_to(row)

    def _choose_header(self, x: int) -> None:
        for place in self._order():
            x -= self._widths[place] + 1
            if x < 0:
                self.post_message(self.HeaderChosen(self, place))
                return


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
