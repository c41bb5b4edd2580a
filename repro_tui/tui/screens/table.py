"""The screen of a table: a run's predictions or the inputs; as many columns as fit, the others by ← and →."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text
from textual import events, work
from textual.app import ComposeResult
from textual.widgets import Input, Static

from repro_tui.report.words import ABSENT
from repro_tui.support.text import plural, shorten_middle, show
from repro_tui.tui.actions import AUDIT, CELLS, GLOBAL, GRID, LIST, bindings, some
from repro_tui.tui.dialogs import ChoiceDialog
from repro_tui.tui.lazy_table import LazyTable, NotAnExpression, numbered_rows, quoted
from repro_tui.tui.screens.base import AuditScreen, filter_line
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.safe import safe
from repro_tui.tui.workers import hand_over, superseded
from repro_tui.tui.written_table import WrittenTable

KEYS = (*some(LIST, "filter"), *some(CELLS, "sort"))
WIDTH = 16
ROW = "row"


class TableRows:
    """The rows of a Parquet file, with `shown` of its columns from column number `first` on."""

    def __init__(self, table: LazyTable, first: int, shown: int) -> None:
        self.table, self.first, self.shown = table, first, shown

    def __len__(self) -> int:
        return len(self.table)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """The row's number, and the values of the visible columns."""
        values = self.table[row]
        visible = values[1 + self.first : 1 + self.first + self.shown]
        cells = [_cell(value, max(5, width)) for value, width in zip(visible, widths[1:], strict=False)]
        return (Text(f"{values[0]:,}", style="quiet"), *cells)


def _cell(value: object, width: int) -> Text:
    if value is None:
        return Text(ABSENT, style="quiet")
    return Text(shorten_middle(show(value, 400), width), style="number" if isinstance(value, int | float) else "")


class TableScreen(AuditScreen):
    """The rows of one Parquet file, filtered and sorted."""

    CSS_PATH = "table.tcss"
    BINDINGS = bindings(GLOBAL, AUDIT, KEYS)
    title_text = "Table"

    def __init__(self, store: AuditStore, path: Path) -> None:
        super().__init__(store)
        self.path = path
        self.rows: LazyTable | None = None
        self.names: list[str] = []
        self.first, self.sort, self.rising = 0, ROW, True
        self._select_lock = threading.Lock()

    def compose(self) -> ComposeResult:
        """The file's name, and its rows."""
        yield TitleBar()
        yield Static("", id="head", markup=False)
        yield filter_line("filter by an expression over the columns: income > 50 and region = 'N'")
        yield Grid([ColumnSpec(ROW, 8, 0, True)], id="rows", empty="no rows")
        yield KeyBar(some(GRID, "open"), KEYS, AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """Focuses the rows, and opens the file."""
        self.query_one("#filter").display = False
        super().on_mount()
        self.query_one(Grid).focus()
        self._select("")

    def on_unmount(self) -> None:
        """Closes the database."""
        if self.rows:
            self.rows.close()

    def on_resize(self, event: events.Resize) -> None:
        """Shows as many columns as fit."""
        self.call_after_refresh(self._show)

    @work(thread=True, exclusive=True)
    def _select(self, condition: str) -> None:
        """Filters and sorts in a thread; opens the file first."""
        with self._select_lock:
            if superseded():
                return
            if self.rows is None:
                self._open()
            assert self.rows is not None
            order = "n" if self.sort == ROW else f"{quoted(self.sort)} {'ASC' if self.rising else 'DESC'} NULLS LAST, n"
            try:
                self.rows.select(condition or "true", (), order if self.sort != ROW or self.rising else "n DESC")
            except NotAnExpression as error:
                hand_over(self._show_head, f"not an expression yet: {error}", "$text-warning")
                return
        hand_over(self._show)

    def _open(self) -> None:
        table = LazyTable([self.path], numbered_rows(self.path), ["n"])
        self.names = [row[0] for row in table.query("DESCRIBE SELECT * EXCLUDE (n) FROM {source}")]
        table.fields = ["n", *self.names]
        self.rows = table

    def _show(self) -> None:
        if self.rows is None or not self.is_mounted:
            return
        grid = self.query_one(Grid)
        room = max(1, (grid.size.width - 10) // (WIDTH + 1))
        self.first = max(0, min(self.first, len(self.names) - room))
        visible = self.names[self.first : self.first + room]
        grid.columns = [ColumnSpec(ROW, 8, 0, True), *(ColumnSpec(self._titled(name), WIDTH, 1) for name in visible)]
        grid.show_rows(TableRows(self.rows, self.first, room), keep=True)
        extent = f", columns {self.first + 1} to {self.first + len(visible)} of {len(self.names)}"
        columns = extent if room < len(self.names) else ""
        name = self.path.relative_to(self.store.folder.path)
        self._show_head(f"{name}   {plural(len(self.rows), 'row')}{columns}", "dim")

    def _titled(self, name: str) -> str:
        return show(name, 80) + (f" {'▲' if self.rising else '▼'}" if name == self.sort else "")

    def _show_head(self, text: str, style: str) -> None:
        self.query_one("#head", Static).update(safe(text, style))

    def selected(self) -> object:
        """The row under the cursor: its values by column."""
        grid = self.query_one(Grid)
        if self.rows is None or not grid.count:
            return None
        return dict(zip(("row", *self.names), self.rows[grid.cursor], strict=True))

    def texts(self) -> dict[str, str] | None:
        """The row as JSON."""
        from repro_tui.tui.editor import as_json

        row = self.selected()
        return {"row.json": as_json(row)} if row else None

    def table(self) -> WrittenTable | None:
        """The rows as they are filtered and sorted."""
        return WrittenTable(self.path.stem, self.rows.batches, len(self.rows)) if self.rows else None

    # -- keys ---------------------------------------------------------------------------------------------------

    def on_grid_sideways(self, event: Grid.Sideways) -> None:
        """Scrolls the columns to the left or to the right."""
        self.first += event.step
        self._show()

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Opens a row with all of its columns."""
        from repro_tui.tui.screens.values import ValuesScreen

        row = self.selected()
        if isinstance(row, dict):
            self.app.push_screen(ValuesScreen(self.store, list(row.items())))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filters while typing."""
        self._select(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Focuses the rows on Enter."""
        self.focus_grid()

    def action_sort(self) -> None:
        """Asks for the column to sort by."""
        names = [ROW, *self.names]
        shown = [show(name, 200) for name in names]
        self.app.push_screen(
            ChoiceDialog("Sort by (choose again to reverse)", shown, show(self.sort, 200)),
            lambda choice: self._sort_by(names[shown.index(choice)]) if choice is not None else None,
        )

    def on_grid_header_chosen(self, event: Grid.HeaderChosen) -> None:
        """Sorts by the column whose title was clicked."""
        self._sort_by(ROW if event.row == 0 else self.names[self.first + event.row - 1])

    def _sort_by(self, name: str) -> None:
        self.rising = not self.rising if name == self.sort else True
        self.sort = name
        box = self.filter_box()
        self._select(box.value if box else "")
