"""The screen of one column of a data table that changed: every row in which it differs, A beside B."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from textual.app import ComposeResult
from textual.widgets import Static

from repro_tui.model.finding import Finding
from repro_tui.tui.actions import AUDIT, CELLS, GLOBAL, GRID, LIST, bindings, some
from repro_tui.tui.differences import DifferingCells
from repro_tui.tui.navigation import OpenFinding
from repro_tui.tui.one_row import cell_finding
from repro_tui.tui.screens.cells import CellsScreen
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import Grid
from repro_tui.tui.widgets.safe import lines, safe

SORTED = some(CELLS, "sort")


class DataCellsScreen(CellsScreen):
    """The differing cells of a data column."""

    CSS_PATH = "data_cells.tcss"
    BINDINGS = bindings(GLOBAL, AUDIT, LIST, SORTED)
    title_text = "Data"

    def __init__(self, store: AuditStore, finding: Finding, cells: Path) -> None:
        super().__init__(store)
        self.finding, self.path = finding, cells
        self.only_different = False  # data has no tolerance

    def compose(self) -> ComposeResult:
        """The column, and its cells."""
        yield TitleBar()
        yield Static("", id="head", markup=False)
        yield from self.compose_cells()
        yield KeyBar(some(GRID, "open"), LIST, SORTED, AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """Opens the cells, and focuses them."""
        super().on_mount()
        self.query_one("#filter").display = False
        name = safe(f"≠ {' › '.join(self.finding.path)}", "bold")
        self.query_one("#head", Static).update(lines([name, safe(self.finding.note)]))
        self.focus_grid()
        self.select("")

    def open_differences(self) -> DifferingCells:
        """The cells of this column, or of the whole table where the finding is about its rows and has their counts."""
        is_about_column = self.finding.a is None and self.finding.b is None
        return DifferingCells(self.path, only=self.finding.path[-1] if is_about_column else None)

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Opens a cell as two values side by side."""
        cell = self.cell()
        if cell is not None:
            self.post_message(OpenFinding("data", cell_finding(cell)))

    def selected(self) -> object:
        """The cell under the cursor, as plain values."""
        cell = self.cell()
        return asdict(cell) if cell else None

    def texts(self) -> dict[str, str] | None:
        """The cell under the cursor as JSON."""
        from repro_tui.tui.editor import as_json

        cell = self.selected()
        return {"cell.json": as_json(cell)} if cell else None

    def artifact(self) -> Path:
        """The file of the cells."""
        return self.path
