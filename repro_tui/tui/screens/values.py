"""The screen of one row of a table: every column with its value."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult

from repro_tui.report.words import ABSENT
from repro_tui.support.text import shorten_middle, show
from repro_tui.tui.actions import AUDIT, GLOBAL, GRID, some
from repro_tui.tui.dialogs import MessageDialog
from repro_tui.tui.names import ShortNames
from repro_tui.tui.screens.base import AuditScreen
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import ColumnSpec, Grid

COLUMNS = [ColumnSpec("column", 14, 1), ColumnSpec("value", 20, 4)]


class Pairs:
    """Names and values as rows."""

    def __init__(self, pairs: Sequence[tuple[str, object]]) -> None:
        self.pairs = pairs
        self.names = ShortNames([name for name, _ in pairs])

    def __len__(self) -> int:
        return len(self.pairs)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Name and value."""
        name, value = self.pairs[row]
        return (Text(self.names(name, max(5, widths[0]))), Text(shorten_middle(show(value, 400), max(5, widths[1]))))


def value_dialog(name: str, value: object) -> MessageDialog:
    """A dialog with one value in full."""
    return MessageDialog("Value", [f"{name}:", ABSENT if value is None else str(value)])


class ValuesScreen(AuditScreen):
    """The values of a row."""

    title_text = "Row"

    def __init__(self, store: AuditStore, pairs: Sequence[tuple[str, object]]) -> None:
        super().__init__(store)
        self.pairs = pairs

    def compose(self) -> ComposeResult:
        """One line per column."""
        yield TitleBar()
        yield Grid(COLUMNS, id="values")
        yield KeyBar(some(GRID, "open"), AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """Shows and focuses the values."""
        super().on_mount()
        grid = self.query_one(Grid)
        grid.show_rows(Pairs(self.pairs))
        grid.focus()

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Opens a value in full."""
        self.app.push_screen(value_dialog(*self.pairs[event.row]))

    def selected(self) -> object:
        """The value under the cursor."""
        grid = self.query_one(Grid)
        return self.pairs[grid.cursor][1] if grid.count else None
