"""The screen of an area (code, environment, parameters or data): its findings, and the difference of the current one.

The difference stands beside the list, or in a narrow terminal below it, and follows the cursor. `n` and `N` go from
difference to difference, through the lines of a file and on into the next finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.widgets import Input, Static

from repro_tui.model.finding import AreaName, Change, Finding
from repro_tui.report.words import GLYPHS, area_remarks
from repro_tui.tui.accepting import Selected, ask_and_accept, whole_finding
from repro_tui.tui.actions import ACCEPT, AUDIT, GLOBAL, GRID, LIST, bindings, some
from repro_tui.tui.difference.pane import DifferencePane
from repro_tui.tui.difference.rows import FindingRows, columns_for
from repro_tui.tui.difference.tree import (
    Explained,
    FindingLine,
    FindingPath,
    OrderedFindings,
    explained_by,
    folder_of,
    is_folder,
    opened_at_first,
    without_same,
)
from repro_tui.tui.finding_table import finding_table, finding_texts
from repro_tui.tui.navigation import OpenFinding
from repro_tui.tui.screens.base import NARROW, AuditScreen, filter_line
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import Grid
from repro_tui.tui.widgets.safe import lines, notify, safe
from repro_tui.tui.written_table import WrittenTable

COUNTED: tuple[Change, ...] = ("changed", "added", "removed", "unknown", "same")
LEAST_LIST, LEAST_OPEN = 5, 20  # rows


class AreaScreen(AuditScreen):
    """One area, A beside B."""

    CSS_PATH = "area.tcss"
    BINDINGS = bindings(GLOBAL, AUDIT, LIST, ACCEPT)

    def __init__(self, store: AuditStore, area: AreaName) -> None:
        super().__init__(store)
        self.area: AreaName = area
        self.title_text = area.capitalize()
        self.only_differences = True
        self.opened: set[FindingPath] | None = None  # the open lines; None before there were any
        self._ordered: tuple[tuple[object, ...], OrderedFindings] | None = None  # of which findings, and these

    def compose(self) -> ComposeResult:
        """The counts; then the findings, and the difference of the one under the cursor."""
        yield TitleBar()
        yield Static("", id="counts", markup=False)
        yield filter_line("filter: any part of a name or value")
        with Container(id="panes"):
            yield Grid(columns_for([], 80), empty="no differences", id="findings", classes="pane")
            yield DifferencePane(id="detail", classes="pane")
        yield KeyBar(some(GRID, "open"), LIST, ACCEPT, AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """Focuses the findings."""
        self.query_one("#filter").display = False
        super().on_mount()
        self.findings.focus()

    @property
    def findings(self) -> Grid:
        """The table of findings."""
        return self.query_one("#findings", Grid)

    @property
    def pane(self) -> DifferencePane:
        """The difference of the finding under the cursor."""
        return self.query_one(DifferencePane)

    @property
    def explained(self) -> Explained:
        """Which share of the change a finding of this area explains."""
        return explained_by(self.store.report.causes if self.store.report else None, self.area)

    def on_resize(self, event: events.Resize) -> None:
        """Fits the columns to the new width."""
        self.call_after_refresh(self.changed)

    def changed(self) -> None:
        """Shows the area as far as it is known."""
        area = self.store.area(self.area)
        counts, grid = self.query_one("#counts", Static), self.findings
        if area is None:
            waiting = "not compared yet: the audit is running" if self.store.running else "this area was not compared"
            counts.update(safe(waiting, "italic"))
            grid.empty = waiting
            self._show_lines([])
            return
        totals = [f"{GLYPHS[name]} {area.counts[name]:,} {name}" for name in COUNTED if area.counts.get(name)]
        remarks = area_remarks(area, self.store.report.sides if self.store.report else None)
        heading = "   ".join(totals) or "nothing to compare"
        counts.update(lines([safe(text, "dim", cap=600) for text in (heading, *remarks)]))
        empty = {"same": "no differences", "not-recorded": "recorded on neither side"}
        grid.empty = "no finding matches the filter" if self._filter() else empty.get(area.status, "no differences")
        self._show_lines(self._visible_lines(area.findings))

    def _filter(self) -> str:
        return self.query_one("#filter", Input).value.lower()

    def _show_lines(self, visible: Sequence[FindingLine]) -> None:
        grid = self.findings
        self._lay_out(len(visible))
        grid.columns = columns_for(visible, grid.size.width, explained=self.explained)
        grid.show_rows(FindingRows(visible, grid.columns, explained=self.explained), keep=True)
        if not visible:
            self.pane.show_finding(None)

    def _lay_out(self, rows: int) -> None:
        """In a narrow terminal the list is as high as it needs, up to half of the height."""
        pane, grid = self.pane, self.findings
        pane.display = rows > 0
        narrow = self.size.width < NARROW
        half = max(LEAST_LIST, (self.size.height - 5) // 2)
        grid.styles.height = min(rows + 2, half) if narrow and rows else "1fr"

    def _visible_lines(self, findings: Sequence[Finding]) -> list[FindingLine]:
        """The lines that match the filter, open as far as they were opened."""
        ordered = self._in_order(findings)
        if self.opened is None:
            self.opened = opened_at_first(ordered.findings, max(LEAST_OPEN, self.size.height - 6))
        text = self._filter()
        return ordered.matching(text) if text else ordered.lines(self.opened)

    def _in_order(self, findings: Sequence[Finding]) -> OrderedFindings:
        """The findings in order; of the same findings, those that were put in order before."""
        causes = self.store.report.causes if self.store.report else None
        source = (findings, causes, self.only_differences)
        before = self._ordered
        if before is None or not all(new is old for new, old in zip(source, before[0], strict=True)):
            kept = without_same(findings) if self.only_differences else findings
            before = (source, OrderedFindings(kept, self.explained, in_tree=self.area == "code"))
            self._ordered = before
        return before[1]

    # -- the row under the cursor -------------------------------------------------------------------------------

    def line(self) -> FindingLine | None:
        """The line under the cursor."""
        grid = self.findings
        source = grid.source
        return source.lines[min(grid.cursor, len(source) - 1)] if isinstance(source, FindingRows) and source else None

    def current(self) -> Finding | None:
        """The finding under the cursor of the list, or the part of it under that of the difference."""
        line = self.line()
        inside = self.pane.part() if line and self.pane.grid.has_focus else None
        return inside or (line.finding if line else None)

    def selected(self) -> object:
        """The finding under the cursor, as plain values."""
        finding = self.current()
        return asdict(finding) if finding else None

    def texts(self) -> dict[str, str] | None:
        """Both values of the finding under the cursor."""
        finding = self.current()
        return finding_texts(finding) if finding else None

    def artifact(self) -> Path | None:
        """The whole line diff of the file under the cursor, where the report has only its beginning."""
        line = self.line()
        return self.store.whole_diff(self.area, line.finding) if line else None

    def table(self) -> WrittenTable | None:
        """The findings as they are filtered."""
        source = self.findings.source
        if not isinstance(source, FindingRows):
            return None
        return finding_table(self.area, [line.finding for line in source.lines])

    def on_grid_highlighted(self, event: Grid.Highlighted) -> None:
        """Shows the difference of the finding under the cursor."""
        line = self.line()
        is_list = event.grid is self.findings
        if is_list and line is not None and line.finding is not self.pane.finding:
            self.pane.show_finding(line.finding, self.explained(line.finding))
        self._show_place()

    def _show_place(self) -> None:
        grid, pane = self.findings, self.pane
        grid.border_title = f"{min(grid.cursor + 1, grid.count):,} of {grid.count:,}" if grid.count else ""
        pane.border_title = pane.place() or "difference"

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Opens a finding alone on the screen; expands or collapses a folder."""
        line = self.line()
        if line is None:
            return
        if is_folder(line.finding) and line.finding.a is None and line.finding.b is None:
            self._toggle(line)
            return
        source = self.findings.source
        assert isinstance(source, FindingRows)
        findings = [line.finding for line in source.lines]
        self.post_message(OpenFinding(self.area, line.finding, among=tuple(findings)))

    def on_difference_pane_part_opened(self, event: DifferencePane.PartOpened) -> None:
        """Opens a part of a finding."""
        self.post_message(OpenFinding(self.area, event.parts[event.index], among=tuple(event.parts)))

    def on_grid_sideways(self, event: Grid.Sideways) -> None:
        """Expands (right) or collapses (left) the line under the cursor."""
        line = self.line()
        if line is None:
            return
        if event.step > 0 and is_folder(line.finding):
            self._opened().add(line.finding.path)
        elif event.step < 0:
            self._close(line)
        self.changed()

    def _opened(self) -> set[FindingPath]:
        if self.opened is None:
            self.opened = set()
        return self.opened

    def _toggle(self, line: FindingLine) -> None:
        (self._opened().discard if line.open else self._opened().add)(line.finding.path)
        self.changed()

    def _close(self, line: FindingLine) -> None:
        """Collapses the line, or the line that it is a child of."""
        if line.open:
            self._opened().discard(line.finding.path)
            return
        source = self.findings.source
        row = self.findings.cursor
        while line.depth and isinstance(source, FindingRows) and row > 0 and source.lines[row].depth >= line.depth:
            row -= 1
        if line.depth and isinstance(source, FindingRows):
            self._opened().discard(source.lines[row].finding.path)
            self.findings.move_to(row)

    # -- keys ---------------------------------------------------------------------------------------------------

    def focus_grid(self) -> None:
        """Focuses the findings."""
        self.findings.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filters while typing."""
        self.changed()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Focuses the findings on Enter."""
        self.focus_grid()

    def action_difference(self, step: int) -> None:
        """Moves to the next difference, or the one before: inside the finding, then in the next one of the list."""
        if self.pane.step(step):
            return
        row = self._next_row(step)
        if row is None:
            notify(self, "This is the last difference." if step > 0 else "This is the first difference.")
            return
        self.findings.move_to(row)
        if step < 0:
            self.call_after_refresh(self.pane.go_to_last)

    def _next_row(self, step: int) -> int | None:
        """The row of the next finding that differs, or the one before; folders on the way there are expanded."""
        row = self.findings.cursor + step
        while isinstance(source := self.findings.source, FindingRows) and 0 <= row < len(source):
            line = source.lines[row]
            if not folder_of(line.finding):
                if line.finding.change != "same":
                    return row
            elif not line.open:
                self._toggle(line)
                if step < 0:
                    row = self._last_below(row)
                    continue
            row += step
        return None

    def _last_below(self, row: int) -> int:
        """The last row below a folder that is expanded."""
        source = self.findings.source
        assert isinstance(source, FindingRows)
        depth = source.lines[row].depth
        while row + 1 < len(source) and source.lines[row + 1].depth > depth:
            row += 1
        return row

    def action_accept(self) -> None:
        """Accepts the finding under the cursor, or the one that it is a part of."""
        line = self.line()
        finding = whole_finding(self.store, self.area, line.finding if line else None)
        if finding is None:
            notify(self, "There is no difference under the cursor: move to one of a folder to accept it.")
        else:
            ask_and_accept(self, self.store, Selected(self.area, finding))

    def action_stack(self) -> None:
        """Shows A beside B, or A above B."""
        self.pane.stack()

    def action_only_differences(self) -> None:
        """Shows only differences, or everything that the report lists."""
        self.only_differences = not self.only_differences
        everything = "Showing everything that is listed (an audit with --all also lists what is the same)."
        notify(self, "Showing only differences." if self.only_differences else everything)
        self.changed()
