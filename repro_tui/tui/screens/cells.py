"""The part of a screen that shows differing cells as a filtered and sorted table: predictions and data tables."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from textual import work
from textual.app import ComposeResult
from textual.timer import Timer
from textual.widgets import Input, Static

from repro_tui.support.text import plural
from repro_tui.tui.actions import Action, key_of
from repro_tui.tui.dialogs import ChoiceDialog
from repro_tui.tui.differences import DESCENDING, SORTS, WORST, Cell, CellRows, DifferingCells
from repro_tui.tui.lazy_table import NotAnExpression
from repro_tui.tui.names import ShortNames
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
READING = "reading …"
OF_CELLS = frozenset({"filter", "only_differences", "sort"})
DIM_AFTER_S = 0.15  # of a filter: rows that are replaced sooner need not be drawn twice
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
        self.wide_names = False  # whether the column of the output columns' names is widened
        self._text = ""
        self._dim_soon = Timer(self, DIM_AFTER_S)
        self._select_lock = threading.Lock()

    def compose_cells(self) -> ComposeResult:
        """The filter, a title that says what is shown, and the table."""
        yield filter_line("text, or an expression: delta > 0.01 and flip")
        yield Static("", id="cells-title", markup=False)
        yield Grid(CELL_COLUMNS, id="cells", empty=READING)

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

    def output_names(self) -> Sequence[str]:
        """The names of the output columns, which are shortened as one list."""
        return ()

    def left_out(self) -> Sequence[str]:
        """The output columns whose cells are not shown."""
        return ()

    def has_cells(self) -> bool:
        """Whether there are cells to select from: not while the audit is running, or where nothing was compared."""
        return True

    def extent(self) -> str:
        """What the title says of the columns that are shown."""
        return ""

    def select(self, text: str) -> None:
        """Filters by a text or an expression, and sorts, in a thread: with a million cells, keys keep working.

        Until that is done, the title says so, and the rows, which are those of the earlier filter, are soon dimmed.
        """
        if not self.has_cells():
            return  # the table says why
        self._text = text
        self.query_one("#cells", Grid).empty = READING
        self._show_cells_title(READING, "$text-accent")
        self._dim_soon.stop()
        self._dim_soon = self.set_timer(DIM_AFTER_S, self._dim)
        self._select(text, tuple(self.left_out()))

    def _dim(self) -> None:
        if self.is_mounted:
            self.query_one("#cells", Grid).dim()

    @work(thread=True, exclusive=True, group="cells")
    def _select(self, text: str, without: tuple[str, ...]) -> None:
        with self._select_lock:
            if superseded():
                return
            if self.differences is None:
                self.differences = self.open_differences()
                self.app.call_from_thread(self.opened)
                self.app.call_from_thread(self.set_timer, HOLD_AFTER_S, self._hold)
            try:
                self.differences.select(text, self.sort, self.rising, self.only_different, without)
            except NotAnExpression as error:
                hand_over(self._refuse, f"not an expression yet: {error}")
                return
        hand_over(self._show_cells)

    def _refuse(self, problem: str) -> None:
        """Shows why the text is not an expression, above the dimmed rows of the filter before."""
        self._dim_soon.stop()
        self._dim()
        self._show_cells_title(problem, "$text-warning")

    @work(thread=True, group="hold")
    def _hold(self) -> None:
        """Copies the cells into memory after the first rows were shown, so that distant pages are fast, too."""
        if self.differences is not None:
            self.differences.table.hold()

    def _show_cells(self) -> None:
        self._dim_soon.stop()
        if self.differences is None or not self.is_mounted:
            return
        grid = self.query_one("#cells", Grid)
        specs = [_sorted(spec, self.sort, self.rising) for spec in CELL_COLUMNS]
        grid.show_columns([_widened(spec) for spec in specs] if self.wide_names else specs)
        grid.empty = self._why_empty()
        grid.show_rows(CellRows(self.differences, ShortNames(self.output_names())))
        extent = "over tolerance" if self.only_different else "not equal"
        order = self.sort if self.sort == WORST else f"sorted by {self.sort}"
        of = f" in {self.extent()}" if self.extent() else ""
        self._show_cells_title(f"{plural(len(self.differences), 'cell')} {extent}{of}, {order}{self.legend()}", "dim")

    def _why_empty(self) -> str:
        """Why there is no row, by what the user can do about it."""
        names = ("up", "all_columns", "only_differences")
        up, all_columns, everything = (key_of(name, self.store.keys) for name in names)
        if self._text:
            return f"no cell matches the filter: {up} clears it"
        if self.left_out():
            return f"no differing cell in the columns that are shown: {all_columns} shows all columns"
        if self.only_different:
            return f"no cell is over its tolerance: {everything} shows all that are not equal"
        return "no differing cells"

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

    def works(self, action: Action) -> bool:
        """Whether an action does something: some need cells, or a cell."""
        if action.name == "difference(1)":
            return any(grid.count > 1 for grid in self.query(Grid) if grid.id == "cells")
        return super().works(action) and (action.name not in OF_CELLS or self.has_cells())

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
    return replace(spec, title=f"{spec.title} {'▲' if rising else '▼'}")


def _widened(spec: ColumnSpec) -> ColumnSpec:
    """The column of names as wide as names are, at the cost of the others."""
    return replace(spec, least=32, share=0) if spec.title.startswith("column") else spec
