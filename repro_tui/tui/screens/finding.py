"""The screen of one finding: both values side by side, and its children."""

from __future__ import annotations

from dataclasses import asdict

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from repro_tui.model.finding import AreaName, Finding
from repro_tui.report.words import GLYPHS
from repro_tui.tui.actions import AUDIT, GLOBAL, bindings
from repro_tui.tui.finding_table import finding_table, finding_texts
from repro_tui.tui.navigation import OpenFinding
from repro_tui.tui.screens.base import NARROW, AuditScreen
from repro_tui.tui.screens.findings import FindingLine, FindingRows, columns_for, delta
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import Grid
from repro_tui.tui.widgets.safe import lines, safe
from repro_tui.tui.widgets.side_by_side import SideBySide
from repro_tui.tui.written_table import WrittenTable


class FindingScreen(AuditScreen):
    """A finding of one area."""

    CSS_PATH = "finding.tcss"
    BINDINGS = bindings(GLOBAL, AUDIT)

    def __init__(self, store: AuditStore, area: AreaName, finding: Finding) -> None:
        super().__init__(store)
        self.area, self.finding = area, finding
        self.title_text = area.capitalize()
        self.stacked: bool | None = None

    def compose(self) -> ComposeResult:
        """Its name, both values, its children."""
        yield TitleBar()
        yield Static("", id="head", markup=False)
        yield SideBySide(id="values")
        yield Grid(columns_for([], 80), id="children")
        yield KeyBar(AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """Shows the finding."""
        super().on_mount()
        finding = self.finding
        moved = delta(finding)
        facts = [finding.change, finding.severity, *([moved] if moved else [])]
        head: list[Content | str] = [
            safe(f"{GLYPHS[finding.change]} {' › '.join(finding.path)}", "bold"),
            safe(", ".join(facts) + (f": {finding.note.partition(chr(10))[0]}" if finding.note else "")),
        ]
        self.query_one("#head", Static).update(lines(head))
        self.query_one(SideBySide).show_values(finding.a, finding.b)
        grid = self.query_one(Grid)
        grid.display = bool(finding.children)
        below = [FindingLine(child) for child in finding.children]
        grid.columns = columns_for(below, self.size.width, top=1)
        grid.show_rows(FindingRows(below, grid.columns, top=1))
        if finding.children:
            grid.focus()
        else:
            self.query_one("#pane-a").focus()

    def on_resize(self, event: events.Resize) -> None:
        """Shows A above B in a narrow terminal, unless the user has chosen."""
        stacked = self.size.width < NARROW if self.stacked is None else self.stacked
        self.query_one(SideBySide).set_class(stacked, "stacked")

    def action_stack(self) -> None:
        """Shows A beside B, or above it."""
        pane = self.query_one(SideBySide)
        self.stacked = not pane.has_class("stacked")
        pane.set_class(self.stacked, "stacked")

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Opens a child."""
        self.post_message(OpenFinding(self.area, self.finding.children[event.row]))

    def selected(self) -> object:
        """The finding, as plain values."""
        return asdict(self.finding)

    def texts(self) -> dict[str, str]:
        """Both values."""
        return finding_texts(self.finding)

    def table(self) -> WrittenTable | None:
        """The children."""
        return finding_table(self.area, self.finding.children) if self.finding.children else None
