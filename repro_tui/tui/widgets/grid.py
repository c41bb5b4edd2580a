"""A table that draws only its visible lines, over any source of rows: a million rows open as fast as ten.

Textual's DataTable keeps and measures every row. This grid asks its `RowSource` for a row's cells only when the line is
drawn, so that opening costs nothing per row, a key press redraws the two lines that changed, and a source can read its
rows from a file (`LazyTable`). Column widths follow the width of the grid and not the content, for the same reason:
each column has its least width, and the columns with a share divide the rest.

Cells are cleaned by their source. Their styles are names of widgets/styles.py; under the cursor only underlining is
left, so that the cursor's own colours stay legible. The cursor of a grid without the focus has its own background, or,
where there are only the terminal's 16 colours, a line below its row.
"""

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
    """One column: its title, its least width in cells, and its share of the remaining width (0: it does not grow).

    `right` aligns it to the right. `side` is "a" or "b" where the column shows that side's value: these two columns
    trade places when the sides are swapped, and a text that is too wide for one of them also takes the other one where
    that is empty. `look` is the style of the title (a name of widgets/styles.py).
    """

    title: str
    least: int
    share: int = 0
    right: bool = False
    side: str = ""
    look: str = ""


class RowSource(Protocol):
    """Where a grid's rows come from. Cells are cleaned text, whose styles are names of widgets/styles.py."""

    def __len__(self) -> int:
        """The number of rows."""
        ...

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """The cells of row number `row` (from 0), one per column; `widths` are the columns' widths in cells."""
        ...


class Grid(ScrollView, can_focus=True):
    """The table widget of the interface."""

    BINDINGS = bindings(GRID)
    COMPONENT_CLASSES: ClassVar[set[str]] = {"grid--header", "grid--cursor", "grid--empty", "grid--stale", *CLASSES}
    DEFAULT_CSS = f"""
    Grid {{ scrollbar-size-vertical: 1; background: $background; color: $foreground; overflow-x: hidden; height: 1fr; }}
    Grid > .grid--header {{ color: $text-muted; text-style: $head-style; background: $panel; }}
    Grid > .grid--cursor {{ background: $surface-lighten-1; text-style: $rest-style; }}
    Grid:focus > .grid--cursor {{ background: $block-cursor-background; color: $block-cursor-foreground; }}
    Grid:focus > .grid--cursor {{ text-style: $cursor-style; }}
    Grid > .grid--empty {{ color: $text-muted; text-style: italic; }}
    Grid > .grid--stale {{ color: $text-muted; text-style: dim; }}
    {CSS}
    """

    class Highlighted(Message):
        """The cursor moved to a row, or the rows under it changed."""

        def __init__(self, grid: Grid, row: int) -> None:
            self.grid, self.row = grid, row
            super().__init__()

        @property
        def control(self) -> Grid:
            """The grid that sent it."""
            return self.grid

    class Opened(Highlighted):
        """Enter was pressed on a row, or it was clicked."""

    class Sideways(Highlighted):
        """Left (-1) or right (1) was pressed on a row."""

        def __init__(self, grid: Grid, row: int, step: int) -> None:
            super().__init__(grid, row)
            self.step = step

    class HeaderChosen(Highlighted):
        """A column's title was clicked; `row` is the column's number in the source's order."""

    def __init__(
        self,
        columns: Sequence[ColumnSpec],
        *,
        empty: str = "no rows",
        id: str | None = None,
        classes: str = "",
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.columns, self.empty = list(columns), empty
        self.source: RowSource | None = None
        self.cursor = 0
        self.swapped = False
        self.inert = False  # Enter opens none of its rows: they are shown in full
        self.stale = False  # the rows are those of an earlier filter, until the next show_rows
        self._widths: list[int] = []

    @property
    def head(self) -> int:
        """The height of the header: 0 where no column has a title."""
        return 1 if any(column.title for column in self.columns) else 0

    # -- content ------------------------------------------------------------------------------------------------

    def show_rows(self, source: RowSource, *, keep: bool = False) -> None:
        """Shows these rows, with the cursor on the first one, or (`keep`) where it was."""
        self.source, self.stale = source, False
        self.cursor = min(self.cursor, max(0, len(source) - 1)) if keep else 0
        self._lay_out()
        if not keep:
            self.scroll_to(0, 0, animate=False, immediate=True, force=True)
        self.refresh()
        self.post_message(self.Highlighted(self, self.cursor))

    def show_columns(self, columns: Sequence[ColumnSpec]) -> None:
        """Changes the columns; the source has to return as many cells."""
        self.columns = list(columns)
        self._lay_out()
        self.refresh()

    def dim(self) -> None:
        """Dims the rows, which belong to an earlier filter than the one that is shown."""
        self.stale = True
        self.refresh()

    def swap(self, swapped: bool) -> None:
        """Shows B left of A (`swapped`), or A left of B."""
        if swapped != self.swapped:
            self.swapped = swapped
            self.refresh()

    @property
    def count(self) -> int:
        """The number of rows."""
        return len(self.source) if self.source is not None else 0

    @property
    def opens(self) -> bool:
        """Whether Enter opens the row under the cursor."""
        return self.count > 0 and not self.inert

    def _order(self) -> list[int]:
        """The numbers of the columns in the order in which they are drawn."""
        order = list(range(len(self.columns)))
        if self.swapped:
            sides = {column.side: number for number, column in enumerate(self.columns) if column.side}
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
        """Fits the columns to the new width, so that side B stays in view."""
        self._lay_out()
        self._show_cursor()
        self.refresh()

    # -- drawing ------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """One visible line: the header stays, the rows scroll."""
        width = self.size.width
        base = self.rich_style
        if not self._widths:
            return Strip.blank(width, base)
        if y < self.head:
            style = self.get_component_rich_style("grid--header")
            return self._strip([Text(column.title, style=column.look) for column in self.columns], style, width)
        row = self.scroll_offset.y + y - self.head
        if self.source is None or not self.count:
            style = self.get_component_rich_style("grid--empty")
            return Strip([Segment(f"  {self.empty if y == self.head else ''}".ljust(width)[:width], base + style)])
        if row >= self.count:
            return Strip.blank(width, base)
        if self.stale:
            faint = base + self.get_component_rich_style("grid--stale", partial=True)
            return self._strip(self.source.cells(row, self._widths), faint, width, plain=True)
        style = self.get_component_rich_style("grid--cursor") if row == self.cursor else base
        return self._strip(self.source.cells(row, self._widths), style, width, plain=row == self.cursor)

    def _strip(self, cells: Sequence[Text], style: Style, width: int, plain: bool = False) -> Strip:
        segments: list[Segment] = []
        sides = [column for column in self._order() if self.columns[column].side and column < len(cells)]
        alone = self._alone(cells, sides)
        for column in self._order():
            size, cell = self._widths[column], column
            if alone is not None and column in sides:
                size, cell = (sum(self._widths[side] for side in sides) + 1 if column == sides[0] else 0), alone
            if size > 0 and cell < len(cells):
                segments += self._fitted(cells[cell], size, style, self.columns[cell].right, plain)
                segments.append(Segment(" ", style))
        return Strip(segments).adjust_cell_length(width, style).simplify()

    def _alone(self, cells: Sequence[Text], sides: Sequence[int]) -> int | None:
        """The side whose text does not fit into its column while the other side has none: it takes the room of both."""
        filled = [column for column in sides if cells[column].plain]
        if len(sides) != 2 or len(filled) != 1 or cell_len(cells[filled[0]].plain) <= self._widths[filled[0]]:
            return None
        return filled[0]

    def _look(self, names: str, style: Style, plain: bool) -> Style:
        """The style for some names; under the cursor (`plain`) marked text is underlined, and nothing has a colour."""
        for name in names.split():
            if not plain:
                style = style + self.get_component_rich_style(f"grid--{name}", partial=True)
            elif name.startswith("mark"):  # a cursor that is underlined itself has its marks reversed
                style = style + (Style(reverse=True) if style.underline else Style(underline=True))
        return style

    def _fitted(self, cell: Text, size: int, style: Style, right: bool, plain: bool) -> list[Segment]:
        base = self._look(str(cell.style), style, plain) if cell.style else style
        if not cell.spans:
            text = cell.plain
            return [Segment(text.rjust(size) if right and cell_len(text) <= size else set_cell_size(text, size), base)]
        fitted = cell.copy()
        fitted.truncate(size, overflow="ellipsis", pad=True)
        segments: list[Segment] = []
        start = 0
        for offset in sorted({0, len(fitted), *(edge for span in fitted.spans for edge in (span.start, span.end))}):
            if offset > start:
                names = " ".join(str(span.style) for span in fitted.spans if span.start <= start < span.end)
                look = self._look(names, base, plain) if names else base
                segments.append(Segment(fitted.plain[start:offset], look))
                start = offset
        return segments

    # -- moving -------------------------------------------------------------------------------------------------

    def move_to(self, row: int) -> None:
        """Moves the cursor to a row, and scrolls it into view."""
        row = max(0, min(row, self.count - 1))
        if self.count and row != self.cursor:
            before, self.cursor = self.cursor, row
            self._show_cursor()
            self.refresh_rows(before, row)
            self.post_message(self.Highlighted(self, row))

    def refresh_rows(self, *rows: int) -> None:
        """Redraws single rows: a key press must not redraw the whole screen."""
        for row in rows:
            self.refresh(Region(0, row + self.head - self.scroll_offset.y, self.size.width, 1))

    def _show_cursor(self) -> None:
        """Scrolls by half a page when the cursor leaves the view: over SSH, scrolling by single lines is slow."""
        height = max(1, self.size.height - self.head)
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=max(0, self.cursor - height // 2), animate=False, immediate=True, force=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1 + height // 2, animate=False, immediate=True, force=True)

    def action_cursor(self, step: int) -> None:
        """Moves the cursor up (-1) or down (1)."""
        self.move_to(self.cursor + step)

    def action_page(self, step: int) -> None:
        """Moves the cursor a page up (-1) or down (1)."""
        self.move_to(self.cursor + step * max(1, self.size.height - self.head - 1))

    def action_edge(self, step: int) -> None:
        """Moves the cursor to the first (-1) or the last row (1)."""
        self.move_to(0 if step < 0 else self.count - 1)

    def action_sideways(self, step: int) -> None:
        """Sends Sideways: what left and right mean is up to the screen."""
        if self.count:
            self.post_message(self.Sideways(self, self.cursor, step))

    def action_open(self) -> None:
        """Opens the row under the cursor."""
        if self.opens:
            self.post_message(self.Opened(self, self.cursor))

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor, on the cursor it opens the row, and on a title it chooses the column."""
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
        for column in self._order():
            x -= self._widths[column] + 1
            if x < 0:
                self.post_message(self.HeaderChosen(self, column))
                return


def column_widths(columns: Sequence[ColumnSpec], width: int) -> list[int]:
    """The width of every column in cells, for a grid of `width` cells with one cell after each column.

    Each column has its least width, and the remaining width is divided by the shares. Where there is not enough room
    for the least widths, the columns with a share shrink, to 4 cells at least.
    """
    least = [column.least for column in columns]
    left = width - sum(least) - len(columns)
    shares = sum(column.share for column in columns)
    if left < 0 and shares:  # too narrow: the columns that can grow shrink
        least = [
            max(4, size + left * column.share // shares) if column.share else size
            for size, column in zip(least, columns, strict=True)
        ]
        left = 0
    return [
        size + (left * column.share // shares if shares else 0) for size, column in zip(least, columns, strict=True)
    ]
