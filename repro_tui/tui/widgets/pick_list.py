"""A titled list whose cursor the screen moves: it has no focus, and no cursor until the user moved it there."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from repro_tui.tui.widgets.grid import ColumnSpec, Grid, RowSource
from repro_tui.tui.widgets.safe import joined, safe


class PickList(Vertical):
    """A title and a table. `row` is the number of the row under the cursor, -1 without one."""

    DEFAULT_CSS = """
    PickList .title { height: 1; padding: 0 1; }
    PickList Grid > .grid--cursor {
        background: $block-cursor-background; color: $block-cursor-foreground; text-style: $cursor-style;
    }
    """

    def __init__(self, title: str, columns: Sequence[ColumnSpec], *, id: str) -> None:
        super().__init__(id=id)
        self.heading, self.columns = title, columns

    def compose(self) -> ComposeResult:
        """The title and the table."""
        yield Static("", classes="title", markup=False)
        grid = Grid(self.columns, empty="reading …")
        grid.can_focus = False
        yield grid

    @property
    def grid(self) -> Grid:
        """The table."""
        return self.query_one(Grid)

    @property
    def count(self) -> int:
        """The number of rows."""
        return self.grid.count

    @property
    def row(self) -> int:
        """The row under the cursor; -1 without one."""
        return self.grid.cursor if self.grid.cursor < self.count else -1

    def show_rows(self, source: RowSource, empty: str) -> None:
        """Shows these rows without a cursor; `empty` says why there are none."""
        self.grid.empty = empty
        self.grid.show_rows(source)
        self.grid.cursor = -1

    def show_title(self, note: str, *, active: bool) -> None:
        """Shows the title with a note, and whether the keys are for this list."""
        heading = safe(self.heading, "bold $accent" if active else "bold")
        self.query_one(Static).update(joined([heading, safe(note, "dim")], "  "))

    def move(self, step: int, *, leave: bool = False) -> None:
        """Moves the cursor; above the first row it stays, or (`leave`) there is none any more."""
        if self.row + step < 0 and leave:
            self.clear()
        else:
            self.grid.move_to(max(0, self.row + step))

    def page(self, step: int) -> None:
        """Moves the cursor by a page."""
        self.move(step * max(1, self.grid.size.height - 1))

    def clear(self) -> None:
        """Takes the cursor away."""
        self.grid.cursor = -1
        self.grid.refresh()
