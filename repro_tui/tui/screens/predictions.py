"""The screen of the predictions: columns with their verdicts, charts of how far they moved, every differing cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from repro_tui.model.predictions import Column, PredictionsArea
from repro_tui.report.stress import movers
from repro_tui.report.words import area_notes
from repro_tui.support.text import plural, show
from repro_tui.tui.actions import AUDIT, CELLS, GLOBAL, GRID, LIST, bindings, some
from repro_tui.tui.differences import DifferingCells
from repro_tui.tui.failure import why_not_compared
from repro_tui.tui.screens.base import NARROW, ReadingPane
from repro_tui.tui.screens.cells import CellsScreen
from repro_tui.tui.screens.charts import Charts, Measures
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.safe import joined, lines, safe
from repro_tui.tui.widgets.verdict_colours import verdict_look

COLUMNS = [
    ColumnSpec("", 1),
    ColumnSpec("column", 14, 2),
    ColumnSpec("kind", 11),
    ColumnSpec("verdict", 17),
    ColumnSpec("equal", 9, 0, True),
    ColumnSpec("within", 9, 0, True),
    ColumnSpec("different", 9, 0, True),
    ColumnSpec("max |Δ|", 9, 0, True),
    ColumnSpec("flips", 7, 0, True),
]
LEFT_OUT_WHEN_NARROW = ("kind", "within")
ROOM_FOR_ALL = 100
MOST_COLUMNS_SHOWN = 8
NOT_COMPARED = "the predictions were not compared"


class ColumnRows:
    """The output columns as rows, in the columns `shown` of COLUMNS."""

    def __init__(self, area: PredictionsArea, shown: Sequence[ColumnSpec]) -> None:
        self.columns, self.shown = area.columns, [spec.title for spec in shown]

    def __len__(self) -> int:
        return len(self.columns)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """One column's verdict and counts."""
        c = self.columns[row]
        look = verdict_look(c.verdict)
        numbers = (f"{c.equal:,}", f"{c.within_tolerance:,}", f"{c.different:,}")
        cells = (
            Text(look.glyph, style=look.style),
            Text(show(c.name, 80)),
            Text(c.kind),
            Text(c.verdict, style=look.style),
            *(Text(number) for number in numbers),
            Text("" if c.max_abs is None else f"{c.max_abs:.3g}"),
            Text("" if c.flips is None else f"{c.flips:,}"),
        )
        return [cell for cell, spec in zip(cells, COLUMNS, strict=True) if spec.title in self.shown]


class PredictionsScreen(CellsScreen):
    """The predictions."""

    CSS_PATH = "predictions.tcss"
    BINDINGS = bindings(GLOBAL, AUDIT, LIST, CELLS)
    title_text = "Predictions"

    def __init__(self, store: AuditStore) -> None:
        super().__init__(store)
        self.charts_alone = False
        self.start_column = ""  # the output column to put the cursor on
        self._shown: PredictionsArea | None = None

    def compose(self) -> ComposeResult:
        """Columns and cells left, measures and charts right, or charts in place of the cells."""
        yield TitleBar()
        yield Static("", id="line", markup=False)
        with Horizontal(id="panes"):
            with Vertical(id="left"):
                yield Grid(COLUMNS, id="columns", empty="")
                with Vertical(id="table"):
                    yield from self.compose_cells()
            with Vertical(id="right"):
                with ReadingPane(id="measures"):
                    yield Measures(id="column")
                yield Charts(id="charts")
        yield KeyBar(some(GRID, "open"), LIST, CELLS, AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """Focuses the columns."""
        self.query_one("#filter").display = False
        super().on_mount()
        self.query_one("#columns").focus()

    def on_resize(self, event: events.Resize) -> None:
        """Hides the measures and the charts in a narrow terminal: Enter and the chart key show them."""
        self._lay_out()
        self.call_after_refresh(self._fit_columns)

    def _lay_out(self) -> None:
        narrow = self.size.width < NARROW
        alone = narrow and self.charts_alone
        self.query_one("#measures").display = not narrow
        self.query_one("#right").display = not narrow or alone
        self.query_one("#table").display = not alone
        self.query_one("#left").styles.height = "auto" if alone else "1fr"
        area = self.store.predictions()
        columns = max(len(area.columns), 1) + 1 if area else 2  # the titles, and a row or why there is none
        self.query_one("#columns").styles.height = min(columns, MOST_COLUMNS_SHOWN)

    def _fit_columns(self) -> None:
        """Shows the columns that there is room for."""
        area, grid = self.store.predictions(), self.query_one("#columns", Grid)
        narrow = grid.size.width < ROOM_FOR_ALL
        grid.show_columns([c for c in COLUMNS if not (narrow and c.title in LEFT_OUT_WHEN_NARROW)])
        if area is not None:
            grid.show_rows(ColumnRows(area, grid.columns), keep=True)

    def changed(self) -> None:
        """Shows the columns, and opens the cells when the comparison has finished."""
        area = self.store.predictions()
        line = self.query_one("#line", Static)
        if area is None:
            self._show_reason(line, why_not_compared(self.store))
            return
        if area is self._shown:
            return
        self._shown = area
        unseen = NOT_COMPARED if area.rows is None else ""
        self.query_one("#columns", Grid).empty = unseen or "no columns to compare"
        self.query_one("#cells", Grid).empty = unseen or "no differing cells"
        line.update(_line(area))
        self._lay_out()
        self._fit_columns()
        names = [column.name for column in area.columns]
        if self.start_column in names:
            self.query_one("#columns", Grid).move_to(names.index(self.start_column))
        if self.store.folder.differences.exists():
            self.select("")

    def _show_reason(self, line: Static, reason: str) -> None:
        """Shows why nothing was compared, in the tables, too: an empty table would look as if nothing differed."""
        line.update(safe(reason))
        for grid in self.query(Grid):
            grid.empty = reason.partition(":")[0]

    def open_differences(self) -> DifferingCells:
        """The differing cells, with the inputs of their rows."""
        area, folder = self.store.predictions(), self.store.folder
        return DifferingCells(folder.differences, folder.path / "inputs.parquet", area.key if area else ())

    def opened(self) -> None:
        """Draws the charts, which are counted from the cells."""
        self._show_charts()

    def legend(self) -> str:
        """The meaning of the glyph ≈, if there are rows within their own noise."""
        area = self.store.predictions()
        marked = area is not None and any(column.beyond_noise is not None for column in area.columns)
        return "   ≈ within the row's own noise" if marked else ""

    def _show_charts(self) -> None:
        area = self.store.predictions()
        if area is not None and self.is_mounted:
            self.query_one(Charts).show_column(area, self.column(), self.differences)

    # -- what is under the cursor -------------------------------------------------------------------------------

    def column(self) -> Column | None:
        """The column under the cursor."""
        grid = self.query_one("#columns", Grid)
        source = grid.source
        return source.columns[grid.cursor] if isinstance(source, ColumnRows) and len(source) else None

    def selected(self) -> object:
        """The cell or the column under the focused cursor, as plain values."""
        current = self.cell() if self.query_one("#cells").has_focus else self.column()
        return asdict(current) if current else None

    def texts(self) -> dict[str, str] | None:
        """The cell or the column as JSON."""
        from repro_tui.tui.editor import as_json

        selection = self.selected()
        return {"prediction.json": as_json(selection)} if selection else None

    def artifact(self) -> Path | None:
        """The file of the cells, while they have the focus."""
        return self.store.folder.differences if self.query_one("#cells").has_focus else None

    def on_grid_highlighted(self, event: Grid.Highlighted) -> None:
        """Shows the measures and charts of the column under the cursor."""
        column = self.column()
        if event.grid.id == "columns" and column is not None:
            self.query_one(Measures).show_column(column)
            self._show_charts()

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Opens a column with its measures and charts, or a cell with its whole row."""
        area, column, cell = self.store.predictions(), self.column(), self.cell()
        if event.grid.id == "columns" and column is not None and area is not None:
            from repro_tui.tui.screens.column import ColumnScreen

            self.app.push_screen(ColumnScreen(self.store, area, column, self.differences))
        elif cell is not None and self.differences is not None:
            from repro_tui.tui.screens.row import RowScreen

            self.app.push_screen(RowScreen(self.store, cell, self.differences.of_row(cell)))

    # -- keys ---------------------------------------------------------------------------------------------------

    def action_up(self) -> None:
        """Shows the cells again where charts took their place, or else goes up."""
        if self.charts_alone and self.size.width < NARROW:
            self._only_charts(False)
        else:
            super().action_up()

    def action_filter(self) -> None:
        """Opens the filter above the cells."""
        if self.charts_alone:
            self._only_charts(False)
        super().action_filter()

    def action_chart(self) -> None:
        """Shows the next chart; in a narrow terminal charts take the cells' place until the last one was shown."""
        charts = self.query_one(Charts)
        if self.size.width >= NARROW:
            charts.next_kind()
        elif not self.charts_alone:
            self._only_charts(True)
            self.call_after_refresh(self._show_charts)
        elif not charts.next_kind():
            self._only_charts(False)

    def _only_charts(self, alone: bool) -> None:
        self.charts_alone = alone
        self._lay_out()


def _line(area: PredictionsArea) -> Content:
    colour = verdict_look(area.verdict).colour
    head = joined([safe(area.verdict, f"bold {colour}"), "   ", safe("   ".join(_facts(area)), cap=300)])
    remarks = [safe(area.what, "$text-warning")] if area.what else []
    if area.rows is None and area.do:
        remarks.append(safe(f"To do: {area.do}"))
    return lines([head, *remarks]) if remarks else head


def _facts(area: PredictionsArea) -> list[str]:
    """What is known of the rows, the runs and the conditions; of predictions that were not compared only that."""
    if area.rows is None:
        return [NOT_COMPARED]
    rows = area.rows
    counted = (
        (rows.only_a, "only in A"),
        (rows.only_b, "only in B"),
        (rows.duplicate_a + rows.duplicate_b, "with a duplicate key"),
    )
    by = f"by {', '.join(area.key)}" if area.key else "by position"
    facts = [
        f"{plural(rows.matched, 'row')} matched {by}",
        *(f"{count:,} {extent}" for count, extent in counted if count),
    ]
    facts += area_notes(area)
    return facts + [f"{side} moves with the {', '.join(names)}" for side, names in movers(area.stress)]
