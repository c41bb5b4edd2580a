"""The part of a screen that shows differing cells as a filtered and sorted table: predictions and data tables."""

from __future__ import annotations

import threading

from textual import work
from textual.app import ComposeResult
from textual.widgets import Input, Static

from repro_tui.support.text import plural
from repro_tui.tui.dialogs import ChoiceDialog
from repro_tui.tui.differences import DESCENDING, SORTS, WORST, Cell, CellRows, DifferingCells
from repro_tui.tui.lazy_table import NotAnExpression
from repro_tui.tui.screens.base import AuditScreen, filter_line
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.safe import safe
from repro_tui.tui.workers import hand_over, superseded
from repro_tui.tui.written_table import WrittenTable

CELL_COLUMNS = [
    ColumnSpec("", 1),
    ColumnSpec("row", 8, 2),
    ColumnSpec("column", 11, 1),
    ColumnSpec("A", 10, 2, side="a"),
    ColumnSpec("B", 10, 2, side="b"),
    ColumnSpec("|Δ|", 9, 0, True),
    ColumnSpec("rel", 8, 0, True),
    ColumnSpec("flip", 4),
]
HOLD_AFTER_S = 1.0  # after the first rows were shown


class CellsScreen(AuditScreen):
    """A screen with a table of differing cells.

    The cells are opened, filtered and sorted in worker threads, one at a time; only the result of the latest request is
    shown. A subclass opens them in `open_differences`.
    """

    def __init__(self, store: AuditStore) -> None:
        super().__init__(store)
        self.differences: DifferingCells | None = None
        self.sort, self.rising = WORST, False
        self.only_different = True
        self._select_lock = threading.Lock()

    def compose_cells(self) -> ComposeResult:
        """The filter, a title that says what is shown, and the table."""
        yield filter_line("text, or an expression: delta > 0.01 and flip")
        yield Static("", id="cells-title", markup=False)
        yield Grid(CELL_COLUMNS, id="cells", empty="")

    def open_differences(self) -> DifferingCells:
        """Opens the cells; called in a worker thread."""
        raise NotImplementedError

    def opened(self) -> None:
        """Called on the interface's thread when the cells have been opened."""

    def legend(self) -> str:
        """Text for the end of the title."""
        return ""

    def on_unmount(self) -> None:
        """Closes the database of cells."""
        if self.differences:
            self.differences.close()

    @work(thread=True, exclusive=True, group="cells")
    def select(self, text: str) -> None:
        """Filters by a text or an expression, and sorts, in a thread: with a million cells, keys keep working."""
        with self._select_lock:
            if superseded():
                return
            if self.differences is None:
                self.differences = self.open_differences()
                self.app.call_from_thread(self.opened)
                self.app.call_from_thread(self.set_timer, HOLD_AFTER_S, self._hold)
            try:
                self.differences.select(text, self.sort, self.rising, self.only_different)
            except NotAnExpression as error:
                hand_over(self._show_cells_title, f"not an expression yet: {error}", "$text-warning")
                return
        hand_over(self._show_cells)

    @work(thread=True, group="hold")
    def _hold(self) -> None:
        """Copies the cells into memory after the first rows were shown, so that distant pages are fast, too."""
        if self.differences is not None:
            self.differences.table.hold()

    def _show_cells(self) -> None:
        if self.differences is None or not self.is_mounted:
            return
        grid = self.query_one("#cells", Grid)
        grid.show_columns([_sorted(spec, self.sort, self.rising) for spec in CELL_COLUMNS])
        grid.show_rows(CellRows(self.differences))
        extent = "over tolerance" if self.only_different else "not equal"
        order = self.sort if self.sort == WORST else f"sorted by {self.sort}"
        self._show_cells_title(f"{plural(len(self.differences), 'cell')} {extent}, {order}{self.legend()}", "dim")

    def _show_cells_title(self, text: str, style: str) -> None:
        self.query_one("#cells-title", Static).update(safe(text, style))

    def cell(self) -> Cell | None:
        """The cell under the cursor."""
        grid = self.query_one("#cells", Grid)
        return self.differences[grid.cursor] if self.differences and grid.count else None

    def table(self) -> WrittenTable | None:
        """The differing cells as they are filtered and sorted."""
        cells = self.differences
        return WrittenTable("differences", cells.table.batches, len(cells)) if cells else None

    # -- keys ---------------------------------------------------------------------------------------------------

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filters while typing."""
        self.select(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Focuses the cells on Enter."""
        self.focus_grid()

    def focus_grid(self) -> None:
        """Focuses the cells."""
        self.query_one("#cells").focus()

    def _select_again(self) -> None:
        box = self.filter_box()
        self.select(box.value if box else "")

    def action_only_differences(self) -> None:
        """Shows only the cells over their tolerance, or all that are not equal."""
        self.only_different = not self.only_different
        self._select_again()

    def action_sort(self) -> None:
        """Asks for the column to sort by."""
        self.app.push_screen(ChoiceDialog("Sort by (choose again to reverse)", list(SORTS), self.sort), self._sort_by)

    def on_grid_header_chosen(self, event: Grid.HeaderChosen) -> None:
        """Sorts by the column whose title was clicked."""
        title = CELL_COLUMNS[event.row].title
        if event.grid.id == "cells":
            self._sort_by(title or WORST)

    def _sort_by(self, name: str | None) -> None:
        if name in SORTS:
            self.rising = not self.rising if name == self.sort else name not in DESCENDING
            self.sort = name
            self._select_again()

    def action_difference(self, step: int) -> None:
        """Moves to the next cell, or the one before."""
        self.query_one("#cells", Grid).action_cursor(step)


def _sorted(spec: ColumnSpec, sort: str, rising: bool) -> ColumnSpec:
    """A column with an arrow in its title if the table is sorted by it."""
    if spec.title != sort:
        return spec
    return ColumnSpec(f"{spec.title} {'▲' if rising else '▼'}", spec.least, spec.share, spec.right, spec.side)
