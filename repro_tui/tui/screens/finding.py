"""The screen of one finding: its difference alone, from which `n` and `N` go on into the next finding of the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from textual.app import ComposeResult

from repro_tui.model.finding import AreaName, Finding
from repro_tui.tui.accepting import Selected, ask_and_accept, whole_finding
from repro_tui.tui.actions import ACCEPT, AUDIT, GLOBAL, GRID, LIST, bindings, some
from repro_tui.tui.difference.pane import DifferencePane
from repro_tui.tui.difference.parts import parts_of
from repro_tui.tui.difference.tree import explained_by
from repro_tui.tui.finding_table import finding_table, finding_texts
from repro_tui.tui.navigation import OpenFinding
from repro_tui.tui.screens.base import AuditScreen
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import Grid
from repro_tui.tui.widgets.safe import notify
from repro_tui.tui.written_table import WrittenTable

KEYS = some(LIST, "difference")


class FindingScreen(AuditScreen):
    """A finding of one area; `among` are the findings of the list that it was opened from."""

    CSS_PATH = "finding.tcss"
    BINDINGS = bindings(GLOBAL, AUDIT, KEYS, ACCEPT)

    def __init__(self, store: AuditStore, area: AreaName, finding: Finding, among: Sequence[Finding] = ()) -> None:
        super().__init__(store)
        self.area, self.finding, self.among = area, finding, among
        self.title_text = area.capitalize()

    def compose(self) -> ComposeResult:
        """Its difference."""
        yield TitleBar()
        yield DifferencePane(id="detail", classes="pane", whole=True)
        yield KeyBar(KEYS, some(GRID, "open"), ACCEPT, AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """Shows the finding."""
        super().on_mount()
        self._show()
        self.query_one(Grid).focus()

    @property
    def pane(self) -> DifferencePane:
        """The difference."""
        return self.query_one(DifferencePane)

    def _show(self) -> None:
        explained = explained_by(self.store.report.causes if self.store.report else None, self.area)
        self.pane.show_finding(self.finding, explained(self.finding))
        self._show_place()

    def on_grid_highlighted(self, event: Grid.Highlighted) -> None:
        """Says where the cursor is."""
        self._show_place()

    def _show_place(self) -> None:
        row = self._row()
        finding = f"finding {row + 1:,} of {len(self.among):,}" if row is not None and len(self.among) > 1 else ""
        self.pane.border_title = "   ".join(filter(None, (finding, self.pane.place()))) or "difference"

    def _row(self) -> int | None:
        """The row of the finding in the list that it was opened from."""
        return next((row for row, finding in enumerate(self.among) if finding is self.finding), None)

    def action_difference(self, step: int) -> None:
        """Moves to the next difference, or the one before: inside the finding, then in the next one of the list."""
        if self.pane.step(step):
            return
        row = self._row()
        if row is None or not 0 <= row + step < len(self.among):
            notify(self, "This is the last difference." if step > 0 else "This is the first difference.")
            return
        self.finding = self.among[row + step]
        self._show()
        if step < 0:
            self.call_after_refresh(self.pane.go_to_last)

    def action_accept(self) -> None:
        """Accepts this finding, or the one that it is a part of."""
        finding = whole_finding(self.store, self.area, self.finding)
        if finding is not None:
            ask_and_accept(self, self.store, Selected(self.area, finding))

    def action_stack(self) -> None:
        """Shows A beside B, or above it."""
        self.pane.stack()

    def on_difference_pane_part_opened(self, event: DifferencePane.PartOpened) -> None:
        """Opens a part."""
        self.post_message(OpenFinding(self.area, event.parts[event.index], among=tuple(event.parts)))

    def selected(self) -> object:
        """The line under the cursor, else the part under it, else the finding, as plain values."""
        line, part = self.pane.line(), self.pane.part()
        if line is not None and self.finding.children:
            return {"a": line.a, "b": line.b}
        return asdict(part or self.finding)

    def texts(self) -> dict[str, str]:
        """Both values."""
        return finding_texts(self.finding)

    def artifact(self) -> Path | None:
        """The whole line diff of the file, where the report has only its beginning."""
        return self.store.whole_diff(self.area, self.finding)

    def table(self) -> WrittenTable | None:
        """The parts."""
        parts = parts_of(self.finding)
        return finding_table(self.area, parts) if parts else None
