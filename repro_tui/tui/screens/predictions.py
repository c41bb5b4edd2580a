"""The screen of the predictions: columns with their verdicts, charts of how far they moved, every differing cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from repro_tui.model.predictions import Column, PredictionsArea
from repro_tui.report.acceptance import accepted_columns, verdict_suffix
from repro_tui.report.outcome import worst_first
from repro_tui.report.stress import movers
from repro_tui.report.words import area_notes
from repro_tui.support.text import plural
from repro_tui.tui.accepting import Selected, ask_and_accept
from repro_tui.tui.actions import ACCEPT, AUDIT, CELLS, COLUMNS, GLOBAL, GRID, LIST, Action, bindings, some
from repro_tui.tui.column_view import ColumnView
from repro_tui.tui.dialogs import PromptDialog
from repro_tui.tui.differences import DifferingCells
from repro_tui.tui.failure import why_not_compared
from repro_tui.tui.names import ShortNames
from repro_tui.tui.output_columns import COLUMNS as OUTPUT_COLUMNS
from repro_tui.tui.output_columns import NAME, ColumnRows, fitting_columns
from repro_tui.tui.screens.base import NARROW, ReadingPane
from repro_tui.tui.screens.cells import CellsScreen
from repro_tui.tui.screens.charts import Charts, Measures
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import Grid
from repro_tui.tui.widgets.safe import joined, lines, notify, safe
from repro_tui.tui.widgets.verdict_colours import verdict_look

LEAST_COLUMNS_SHOWN, COLUMNS_PART = 8, 3  # rows of the columns, of many; in a high terminal a third of it
TITLES = {"columns": "outputs", "table": "cells", "measures": "measures", "charts": "charts"}  # of the panes
NOT_COMPARED = "the predictions were not compared"


class PredictionsScreen(CellsScreen):
    """The predictions."""

    CSS_PATH = "predictions.tcss"
    BINDINGS = bindings(GLOBAL, AUDIT, LIST, CELLS, COLUMNS, ACCEPT)
    title_text = "Predictions"

    def __init__(self, store: AuditStore) -> None:
        super().__init__(store)
        self.charts_alone = False
        self.start_column = ""  # the output column to put the cursor on
        self._shown: PredictionsArea | None = None
        self._worst_first: list[Column] = []
        self._names = ShortNames(())
        self.view = ColumnView(())

    def compose(self) -> ComposeResult:
        """Columns and cells left, measures and charts right, or charts in place of the cells."""
        yield TitleBar()
        yield Static("", id="line", markup=False)
        with Horizontal(id="panes"):
            with Vertical(id="left"):
                yield Grid(OUTPUT_COLUMNS, id="columns", empty="", classes="pane")
                with Vertical(id="table", classes="pane"):
                    yield from self.compose_cells()
            with Vertical(id="right"):
                with ReadingPane(id="measures", classes="pane"):
                    yield Measures(id="column")
                yield Charts(id="charts", classes="pane")
        yield KeyBar(some(GRID, "open"), LIST, CELLS, ACCEPT, COLUMNS, AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """Focuses the columns."""
        self.query_one("#filter").display = False
        for pane, title in TITLES.items():
            self.query_one(f"#{pane}").border_title = title
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
        columns = max(len(self.view.shown), 1) + 2  # the frame and the titles, and a row or why there is none
        most = max(LEAST_COLUMNS_SHOWN, self.size.height // COLUMNS_PART) + 1  # the frame
        self.query_one("#columns").styles.height = min(columns, most)

    def _fit_columns(self) -> None:
        """Shows the columns that there is room for."""
        grid = self.query_one("#columns", Grid)
        shown, total = self.view.shown, len(self.view.names)
        extent = f" {len(shown):,}/{total:,}" if len(shown) < total else f" ({total:,})" if total > 1 else ""
        specs = fitting_columns(grid.size.width, widened=self.wide_names)
        grid.show_columns([replace(c, title=f"{c.title}{extent}") if c.title == NAME else c for c in specs])
        if self._shown is not None:
            visible = [column for column in self._worst_first if column.name in set(shown)]
            grid.show_rows(ColumnRows(visible, grid.columns, self._names), keep=True)

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
        self.query_one("#cells", Grid).empty = unseen or "the differing cells are not in this folder"
        line.update(_line(area))
        self._worst_first = worst_first(area.columns)
        self._names = ShortNames([column.name for column in area.columns])
        self.view = ColumnView([column.name for column in self._worst_first])
        self._lay_out()
        self._fit_columns()
        if self.start_column in self.view.names:
            self.query_one("#columns", Grid).move_to(self.view.shown.index(self.start_column))
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

    def has_cells(self) -> bool:
        """Whether the file of the cells exists."""
        return self.store.folder.differences.exists()

    def output_names(self) -> Sequence[str]:
        """The output columns, with those that are compared together."""
        return [name for column in self._worst_first for name in (column.name, *column.members)]

    def left_out(self) -> Sequence[str]:
        """The output columns whose cells are not shown, with those that are compared together."""
        left_out = set(self.view.left_out)
        return [n for column in self._worst_first if column.name in left_out for n in (column.name, *column.members)]

    def extent(self) -> str:
        """How many columns are shown, unless all are."""
        return self.view.extent

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
        file = self.store.folder.differences
        return file if self.query_one("#cells").has_focus and file.exists() else None

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

    def works(self, action: Action) -> bool:
        """Whether an action does something: some need output columns."""
        return super().works(action) and (action not in COLUMNS or bool(self.view.names))

    def _name_here(self) -> str:
        """The output column under the focused cursor; "" if there is none."""
        cell, column = self.cell(), self.column()
        if self.query_one("#cells").has_focus and cell is not None:
            return next((c.name for c in self._worst_first if cell.column in (c.name, *c.members)), "")
        return column.name if column else ""

    def _show_view(self, problem: str = "") -> None:
        """Shows the columns and the cells that are left, or why nothing changed."""
        if problem:
            notify(self, problem)
            return
        self._lay_out()
        self.call_after_refresh(self._fit_columns)
        if self.store.folder.differences.exists():
            self._select_again()

    def action_hide_column(self) -> None:
        """Hides the output column under the cursor, with its cells."""
        if name := self._name_here():
            self._show_view(self.view.hide(name))

    def action_all_columns(self) -> None:
        """Shows all output columns again."""
        self.view.show_all()
        self._show_view()

    def action_keep_columns(self) -> None:
        """Asks for a text, and shows only the output columns whose name contains it."""
        question = "Show only columns whose name contains"
        self.app.push_screen(
            PromptDialog(question, self.view.containing),
            lambda text: self._show_view(self.view.keep(text)) if text is not None else None,
        )

    def action_widen_column(self) -> None:
        """Leaves more room to the names of the output columns, or as much as before."""
        self.wide_names = not self.wide_names
        self._fit_columns()
        if self.differences is not None:
            self._select_again()

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

    def action_accept(self) -> None:
        """Accepts the drift: exactly the cells that differ, or any up to a bound."""
        ask_and_accept(self, self.store, Selected("predictions"))

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
    verdict = f"{area.verdict}{verdict_suffix(area)}"
    head = joined([safe(verdict, f"bold {colour}"), "   ", safe("   ".join(_facts(area)), cap=300)])
    remarks = [safe(area.what, "$text-warning")] if area.what else []
    if accepted := accepted_columns(area):
        remarks.append(safe(accepted, cap=300))
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
