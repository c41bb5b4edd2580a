"""The screen of a text file of the audit: a log, a record, or the journal."""

from __future__ import annotations

from pathlib import Path

from textual.app import ComposeResult
from textual.widgets import Input, Static

from repro_tui.support.text import plural
from repro_tui.tui.actions import AUDIT, GLOBAL, LIST, bindings, some
from repro_tui.tui.editor import text_of_file
from repro_tui.tui.screens.base import AuditScreen, filter_line
from repro_tui.tui.store import AuditStore
from repro_tui.tui.text_lines import TextRows
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.safe import safe

KEYS = some(LIST, "filter")


class TextScreen(AuditScreen):
    """The lines of a file; while the audit is running, a cursor on the last line follows a growing file."""

    CSS_PATH = "text.tcss"
    BINDINGS = bindings(GLOBAL, AUDIT, KEYS)
    title_text = "Text"

    def __init__(self, store: AuditStore, path: Path) -> None:
        super().__init__(store)
        self.path = path

    def compose(self) -> ComposeResult:
        """The file's name, and its lines."""
        yield TitleBar()
        yield Static("", id="head", markup=False)
        yield filter_line("filter: lines that contain this")
        yield Grid([ColumnSpec("", 8, 0, True), ColumnSpec("", 20, 1)], id="lines", empty="no lines")
        yield KeyBar(KEYS, AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """Focuses the lines."""
        self.query_one("#filter").display = False
        super().on_mount()
        self.query_one(Grid).focus()

    def changed(self) -> None:
        """Reads the file again; a cursor on the last line stays on the last line."""
        grid, box = self.query_one(Grid), self.filter_box()
        following = grid.count > 0 and grid.cursor == grid.count - 1
        rows = TextRows(self.path, box.value if box else "")
        grid.show_rows(rows, keep=True)
        if following and self.store.running:
            grid.action_edge(1)
        cut = f"   (the last {rows.shown_bytes:,} bytes)" if rows.cut else ""
        name = self.path.relative_to(self.store.folder.path)
        self.query_one("#head", Static).update(safe(f"{name}   {plural(len(rows), 'line')}{cut}", "dim"))

    def selected(self) -> object:
        """The line under the cursor."""
        grid = self.query_one(Grid)
        return grid.source.line(grid.cursor) if isinstance(grid.source, TextRows) and grid.count else None

    def texts(self) -> dict[str, str] | None:
        """The file."""
        return text_of_file(self.path)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filters while typing."""
        self.changed()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Focuses the lines on Enter."""
        self.focus_grid()
