"""The screen of one changed file of the code: its hunks line by line, A beside B."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.widgets import Static

from repro_tui.model.finding import Finding
from repro_tui.report.words import GLYPHS
from repro_tui.tui.actions import AUDIT, GLOBAL, LIST, bindings, some
from repro_tui.tui.diff_lines import BESIDE, STACKED, DiffRows, diff_lines
from repro_tui.tui.finding_table import finding_table
from repro_tui.tui.screens.base import NARROW, AuditScreen
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import Grid
from repro_tui.tui.widgets.safe import joined, notify, safe
from repro_tui.tui.written_table import WrittenTable

KEYS = some(LIST, "difference")


class DiffScreen(AuditScreen):
    """The hunks of a changed file."""

    CSS_PATH = "diff.tcss"
    BINDINGS = bindings(GLOBAL, AUDIT, KEYS)
    title_text = "Code"

    def __init__(self, store: AuditStore, finding: Finding) -> None:
        super().__init__(store)
        self.finding = finding
        self.lines = diff_lines(finding.children)
        self.beside: bool | None = None

    def compose(self) -> ComposeResult:
        """The file's name, and its lines."""
        yield TitleBar()
        name = f"{GLYPHS[self.finding.change]} {' › '.join(self.finding.path)}"
        yield Static(joined([safe(name, "bold"), "   ", safe(self.finding.note, "dim")]), id="head", markup=False)
        yield Grid(BESIDE, id="lines")
        yield KeyBar(KEYS, AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """Focuses the lines."""
        super().on_mount()
        self._show()
        self.query_one(Grid).focus()

    def on_resize(self, event: events.Resize) -> None:
        """Shows one column in a narrow terminal, unless the user has chosen."""
        self._show()

    def _show(self) -> None:
        beside = self.size.width >= NARROW if self.beside is None else self.beside
        grid = self.query_one(Grid)
        if isinstance(grid.source, DiffRows) and grid.source.beside == beside:
            return
        grid.columns = list(BESIDE if beside else STACKED)
        grid.show_rows(DiffRows(self.lines, self.finding.path[-1], beside))

    def action_stack(self) -> None:
        """Shows A beside B, or both in one column."""
        source = self.query_one(Grid).source
        self.beside = not (isinstance(source, DiffRows) and source.beside)
        self._show()

    def action_difference(self, step: int) -> None:
        """Moves to the next changed block, or the one before."""
        grid = self.query_one(Grid)
        if not isinstance(grid.source, DiffRows):
            return
        lines = grid.source.lines
        row = grid.cursor + step
        while 0 <= row < len(lines) and not (lines[row].changed and not lines[row - 1].changed):
            row += step
        if 0 <= row < len(lines):
            grid.move_to(row)
        else:
            notify(self, "This is the last difference." if step > 0 else "This is the first difference.")

    def selected(self) -> object:
        """The line under the cursor."""
        grid = self.query_one(Grid)
        if not isinstance(grid.source, DiffRows) or not grid.count:
            return None
        line = grid.source.lines[grid.cursor]
        return {"a": line.a, "b": line.b}

    def texts(self) -> dict[str, str]:
        """All hunks of each side as a text file."""
        sides = (("a", [hunk.a for hunk in self.finding.children]), ("b", [hunk.b for hunk in self.finding.children]))
        return {f"{side}.txt": "\n".join(str(text or "") for text in texts) + "\n" for side, texts in sides}

    def table(self) -> WrittenTable:
        """The hunks as findings."""
        return finding_table("hunks", self.finding.children)
