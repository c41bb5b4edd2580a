"""The screen of an area (code, environment, parameters or data): its findings with A beside B, and a filter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Static

from repro_tui.model.finding import Area, AreaName, Change, Finding
from repro_tui.report.words import GLYPHS, area_remarks
from repro_tui.support.text import shorten_middle, show
from repro_tui.tui.actions import AUDIT, GLOBAL, GRID, LIST, bindings, some
from repro_tui.tui.finding_table import finding_table, finding_texts
from repro_tui.tui.navigation import OpenFinding
from repro_tui.tui.screens.base import NARROW, WIDE, AuditScreen, filter_line
from repro_tui.tui.screens.findings import (
    FindingLine,
    FindingRows,
    Path,
    columns_for,
    flattened,
    matches,
    section_of,
)
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.safe import lines, notify, safe
from repro_tui.tui.widgets.side_by_side import SideBySide
from repro_tui.tui.written_table import WrittenTable

EVERYTHING = "(all)"
COUNTED: tuple[Change, ...] = ("changed", "added", "removed", "unknown", "same")


class Sections:
    """The sections of an area as rows, each with the number of its findings."""

    def __init__(self, counts: Sequence[tuple[str, int]]) -> None:
        self.counts = counts

    def __len__(self) -> int:
        return len(self.counts)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Name and number."""
        name, count = self.counts[row]
        return (Text(shorten_middle(show(name, 200), max(5, widths[0]))), Text(f"{count:,}"))


class AreaScreen(AuditScreen):
    """One area, A beside B."""

    CSS_PATH = "area.tcss"
    BINDINGS = bindings(GLOBAL, AUDIT, LIST)

    def __init__(self, store: AuditStore, area: AreaName) -> None:
        super().__init__(store)
        self.area: AreaName = area
        self.title_text = area.capitalize()
        self.only_differences = True
        self.section = EVERYTHING
        self.opened: set[Path] = set()

    def compose(self) -> ComposeResult:
        """The counts; then the sections, the findings, and in a wide terminal the details of the current finding."""
        yield TitleBar()
        yield Static("", id="counts", markup=False)
        yield filter_line("filter: any part of a name or value")
        with Horizontal(id="panes"):
            yield Grid([ColumnSpec("section", 10, 1), ColumnSpec("", 6, 0, True)], id="sections")
            yield Grid(columns_for([], 80), empty="no differences", id="findings")
            yield SideBySide(id="detail")
        yield KeyBar(some(GRID, "open"), LIST, AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """Focuses the findings."""
        self.query_one("#filter").display = False
        super().on_mount()
        self.findings.focus()

    @property
    def findings(self) -> Grid:
        """The table of findings."""
        return self.query_one("#findings", Grid)

    def on_resize(self, event: events.Resize) -> None:
        """Shows the details where the terminal is wide, and the sections where it is not narrow."""
        self._lay_out()
        self.call_after_refresh(self.changed)

    def _lay_out(self) -> None:
        self.query_one("#detail").display = self.size.width >= WIDE
        sections = self.query_one("#sections", Grid)
        sections.display = self.size.width >= NARROW and sections.count > 2

    def changed(self) -> None:
        """Shows the area as far as it is known."""
        area = self.store.area(self.area)
        counts, grid = self.query_one("#counts", Static), self.findings
        if area is None:
            waiting = "not compared yet: the audit is running" if self.store.running else "this area was not compared"
            counts.update(safe(waiting, "italic"))
            grid.empty = waiting
            grid.show_rows(FindingRows([], grid.columns))
            return
        totals = "   ".join(f"{GLYPHS[name]} {area.counts.get(name, 0):,} {name}" for name in COUNTED)
        remarks = area_remarks(area, self.store.report.sides if self.store.report else None)
        counts.update(lines([safe(text, "dim", cap=600) for text in (totals, *remarks)]))
        empty = {"same": "no differences", "not-recorded": "recorded on neither side"}
        grid.empty = empty.get(area.status, "no finding matches the filter")
        self._show_sections(area)
        visible = self._visible_lines(area.findings)
        grid.columns = columns_for(visible, grid.size.width)
        grid.show_rows(FindingRows(visible, grid.columns), keep=True)

    def _show_sections(self, area: Area) -> None:
        counted = Counter(section_of(finding) for finding in area.findings)
        rows = [(EVERYTHING, len(area.findings)), *sorted(counted.items())]
        sections = self.query_one("#sections", Grid)
        if not isinstance(sections.source, Sections) or sections.source.counts != rows:
            sections.show_rows(Sections(rows), keep=True)
            self._lay_out()

    def _visible_lines(self, findings: Sequence[Finding]) -> list[FindingLine]:
        """The lines of the current section that match the filter, open as far as they were opened."""
        text = self.query_one("#filter", Input).value.lower()
        if self.section != EVERYTHING:
            findings = [finding for finding in findings if section_of(finding) == self.section]
        return [
            line
            for line in flattened(findings, self.opened, all_open=bool(text))
            if (not text or matches(line.finding, text))
            and not (self.only_differences and line.finding.change == "same")
        ]

    # -- the row under the cursor -------------------------------------------------------------------------------

    def line(self) -> FindingLine | None:
        """The line under the cursor."""
        grid = self.findings
        source = grid.source
        return source.lines[min(grid.cursor, len(source) - 1)] if isinstance(source, FindingRows) and source else None

    def current(self) -> Finding | None:
        """The finding under the cursor."""
        line = self.line()
        return line.finding if line else None

    def selected(self) -> object:
        """The finding under the cursor, as plain values."""
        finding = self.current()
        return asdict(finding) if finding else None

    def texts(self) -> dict[str, str] | None:
        """Both values of the finding under the cursor."""
        finding = self.current()
        return finding_texts(finding) if finding else None

    def table(self) -> WrittenTable | None:
        """The findings as they are filtered."""
        source = self.findings.source
        return (
            finding_table(self.area, [line.finding for line in source.lines])
            if isinstance(source, FindingRows)
            else None
        )

    def on_grid_highlighted(self, event: Grid.Highlighted) -> None:
        """Shows the details of the finding under the cursor, or the findings of the section under it."""
        source = event.grid.source
        if isinstance(source, Sections):
            section = source.counts[event.row][0] if source else EVERYTHING
            if section != self.section:
                self.section = section
                self.changed()
            return
        finding = self.current()
        if finding is not None:
            self.query_one(SideBySide).show_values(finding.a, finding.b)

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Opens a finding; on a section, focuses its findings."""
        finding = self.current()
        if isinstance(event.grid.source, Sections):
            self.findings.focus()
        elif finding is not None:
            self.post_message(OpenFinding(self.area, finding))

    def on_grid_sideways(self, event: Grid.Sideways) -> None:
        """Expands (right) or collapses (left) the line under the cursor."""
        line = self.line()
        if line is None or isinstance(event.grid.source, Sections):
            return
        path = line.finding.path
        if event.step > 0 and line.finding.children:
            self.opened.add(path)
        elif event.step < 0:
            self._close(line)
        self.changed()

    def _close(self, line: FindingLine) -> None:
        """Collapses the line, or the line that it is a child of."""
        if line.open:
            self.opened.discard(line.finding.path)
            return
        source = self.findings.source
        row = self.findings.cursor
        while line.depth and isinstance(source, FindingRows) and row > 0 and source.lines[row].depth >= line.depth:
            row -= 1
        if line.depth and isinstance(source, FindingRows):
            self.opened.discard(source.lines[row].finding.path)
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
        """Moves to the next line that differs, or the one before."""
        grid = self.findings
        if not isinstance(grid.source, FindingRows):
            return
        row = grid.cursor + step
        while 0 <= row < len(grid.source) and grid.source.lines[row].finding.change == "same":
            row += step
        if 0 <= row < len(grid.source):
            grid.move_to(row)
        else:
            notify(self, "This is the last difference." if step > 0 else "This is the first difference.")

    def action_only_differences(self) -> None:
        """Shows only differences, or everything that the report lists."""
        self.only_differences = not self.only_differences
        everything = "Showing everything that is listed (an audit with --all also lists what is the same)."
        notify(self, "Showing only differences." if self.only_differences else everything)
        self.changed()
