"""The screen of a table: a run's predictions or the inputs; as many columns as fit, the others by ← and →."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from rich.cells import cell_len
from rich.text import Text
from textual import events, work
from textual.app import ComposeResult
from textual.timer import Timer
from textual.widgets import Input, Static

from repro_tui.report.words import ABSENT
from repro_tui.support.text import plural, shorten_middle, show
from repro_tui.tui.actions import AUDIT, CELLS, COLUMNS, GLOBAL, GRID, LIST, bindings, key_of, some
from repro_tui.tui.column_view import ColumnView, visible_part
from repro_tui.tui.dialogs import ChoiceDialog, PromptDialog
from repro_tui.tui.lazy_table import LazyTable, NotAnExpression, numbered_rows, quoted
from repro_tui.tui.names import ShortNames
from repro_tui.tui.screens.base import AuditScreen, filter_line
from repro_tui.tui.screens.cells import DIM_AFTER_S, READING
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.safe import notify, safe
from repro_tui.tui.workers import hand_over, superseded
from repro_tui.tui.written_table import WrittenTable

KEYS = (*some(LIST, "filter"), *some(CELLS, "sort"), *COLUMNS)
WIDTH, WIDEST = 16, 200  # cells of a column
ROW = "row"


class TableRows:
    """The rows of a Parquet file, with the columns whose positions among all of them are `positions`."""

    def __init__(self, table: LazyTable, positions: Sequence[int]) -> None:
        self.table, self.positions = table, positions

    def __len__(self) -> int:
        return len(self.table)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """The row's number, and the values of the visible columns."""
        values = self.table[row]
        visible = [values[1 + position] for position in self.positions]
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
        self.view = ColumnView(())
        self.first, self.current = 0, 0  # the first visible and the current one of the columns that are shown
        self.sort, self.rising = ROW, True
        self._condition = ""
        self._dim_soon = Timer(self, DIM_AFTER_S)
        self._select_lock = threading.Lock()

    def compose(self) -> ComposeResult:
        """The file's name, and its rows."""
        yield TitleBar()
        yield Static("", id="head", markup=False)
        yield filter_line("filter by an expression over the columns: income > 50 and region = 'N'")
        yield Grid([ColumnSpec(ROW, 8, 0, True)], id="rows", empty=READING)
        yield KeyBar(some(GRID, "open"), KEYS, AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """Focuses the rows, and opens the file."""
        self.query_one("#filter").display = False
        super().on_mount()
        self.query_one(Grid).focus()
        self.select("")

    def on_unmount(self) -> None:
        """Closes the database."""
        if self.rows:
            self.rows.close()

    def on_resize(self, event: events.Resize) -> None:
        """Shows as many columns as fit."""
        self.call_after_refresh(self._show)

    def select(self, condition: str) -> None:
        """Filters and sorts; until that is done, the head says so, and the rows of before are soon dimmed."""
        self._condition = condition
        self._show_head(READING, "$text-accent")
        self._dim_soon.stop()
        self._dim_soon = self.set_timer(DIM_AFTER_S, self._dim)
        self._select(condition)

    def _dim(self) -> None:
        if self.is_mounted:
            self.query_one(Grid).dim()

    def _refuse(self, problem: str) -> None:
        """Shows why the text is not an expression, above the dimmed rows of the filter before."""
        self._dim_soon.stop()
        self._dim()
        self._show_head(problem, "$text-warning")

    @work(thread=True, exclusive=True)
    def _select(self, condition: str) -> None:
        """Filters and sorts in a thread; opens the file first."""
        with self._select_lock:
            if superseded():
                return
            if self.rows is None:
                self._open()
            assert self.rows is not None
            direction = "ASC" if self.rising else "DESC"
            order = f"n {direction}" if self.sort == ROW else f"{quoted(self.sort)} {direction} NULLS LAST, n"
            try:
                self.rows.select(condition or "true", (), order, names=self.names)
            except NotAnExpression as error:
                hand_over(self._refuse, f"not an expression yet: {error}")
                return
        hand_over(self._show)

    def _open(self) -> None:
        table = LazyTable([self.path], numbered_rows(self.path), ["n"])
        self.names = [row[0] for row in table.query("DESCRIBE SELECT * EXCLUDE (n) FROM {source}")]
        table.fields = ["n", *self.names]
        self.view = ColumnView(self.names)
        self.rows = table

    def _show(self) -> None:
        """Shows the rows with the current column and as many after the first visible one as there is room for."""
        if self.rows is None or not self.is_mounted:
            return
        self._dim_soon.stop()
        grid, shown = self.query_one(Grid), self.view.shown
        self.current = max(0, min(self.current, len(shown) - 1))
        widths = [self._width(name) for name in shown]
        self.first, count = visible_part(widths, self.first, self.current, grid.size.width - 10)
        visible = shown[self.first : self.first + count]
        short = ShortNames([self._titled(name) for name in self.names])
        grid.columns = [ColumnSpec(ROW, 8, 0, True), *(self._spec(name, short) for name in visible)]
        clears = f"{key_of('up', self.store.keys)} clears it"
        grid.empty = f"no row matches the filter: {clears}" if self._condition else "the table has no rows"
        grid.show_rows(TableRows(self.rows, [self.names.index(name) for name in visible]), keep=True)
        extent = f", columns {self.first + 1} to {self.first + count} of {len(shown)}"
        columns = extent if count < len(shown) else ""
        hidden = f"   {self.view.extent}" if self.view.extent else ""
        name = self.path.relative_to(self.store.folder.path)
        self._show_head(f"{name}   {plural(len(self.rows), 'row')}{columns}{hidden}", "dim")

    def _width(self, name: str) -> int:
        """The width of a column: widened, that of its longest value among the rows on the screen, and of its name."""
        if name not in self.view.wide or self.rows is None:
            return WIDTH
        grid, position = self.query_one(Grid), 1 + self.names.index(name)
        rows = range(grid.scroll_offset.y, min(len(self.rows), grid.scroll_offset.y + max(1, grid.size.height)))
        texts = [show(name, WIDEST), *(show(self.rows[row][position], WIDEST) for row in rows)]
        return max(WIDTH, min(WIDEST, grid.size.width - 12, max(map(cell_len, texts))))

    def _titled(self, name: str) -> str:
        return f"{'▲' if self.rising else '▼'} {name}" if name == self.sort else name

    def _spec(self, name: str, short: ShortNames) -> ColumnSpec:
        width = self._width(name)
        look = "here" if name == self.view.shown[self.current] else ""
        return ColumnSpec(short(self._titled(name), width), width, 0 if name in self.view.wide else 1, look=look)

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
        """Goes to the column on the left or on the right, and scrolls as far as that needs."""
        self.current += event.step
        self._show()

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Opens a row with all of its columns."""
        from repro_tui.tui.screens.values import ValuesScreen

        row = self.selected()
        if isinstance(row, dict):
            self.app.push_screen(ValuesScreen(self.store, list(row.items())))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filters while typing."""
        self.select(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Focuses the rows on Enter."""
        self.focus_grid()

    def action_hide_column(self) -> None:
        """Hides the current column."""
        if self.view.shown:
            self._changed_view(self.view.hide(self.view.shown[self.current]))

    def action_widen_column(self) -> None:
        """Widens the current column to its longest value in view, or makes it as narrow as before."""
        if self.view.shown:
            self.view.widen(self.view.shown[self.current])
            self._show()

    def action_all_columns(self) -> None:
        """Shows all columns again."""
        current = self.view.shown[self.current] if self.view.shown else ""
        self.view.show_all()
        self.current = self.names.index(current) if current in self.names else 0
        self._show()

    def action_keep_columns(self) -> None:
        """Asks for a text, and shows only the columns whose name contains it."""
        question = "Show only columns whose name contains"
        self.app.push_screen(
            PromptDialog(question, self.view.containing),
            lambda text: self._changed_view(self.view.keep(text)) if text is not None else None,
        )

    def _changed_view(self, problem: str) -> None:
        if problem:
            notify(self, problem)
        self._show()

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
        self._sort_by(ROW if event.row == 0 else self.view.shown[self.first + event.row - 1])

    def _sort_by(self, name: str) -> None:
        self.rising = not self.rising if name == self.sort else True
        self.sort = name
        box = self.filter_box()
        self.select(box.value if box else "")
