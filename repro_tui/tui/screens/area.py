"""One of the areas code, environment, parameters and data: findings with A beside B, filtered, opened on Enter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Static

from repro_tui.model.finding import Area, AreaName, Finding
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
from repro_tui.tui.widgets.safe import GLYPHS, safe, say
from repro_tui.tui.widgets.side_by_side import SideBySide
from repro_tui.tui.written_table import WrittenTable

EVERYTHING = "(all)"
COUNTED = ("changed", "added", "removed", "unknown", "same")


class Sections:
    """The parts of an area with how many findings each has."""

    def __init__(self, counts: Sequence[tuple[str, int]]) -> None:
        self.counts = counts

    def __len__(self) -> int:
        return len(self.counts)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Name and count."""
        name, count = self.counts[row]
        return (Text(shorten_middle(show(name, 200), max(5, widths[0]))), Text(f"{count:,}"))


class AreaScreen(AuditScreen):
    """One area, side by side."""

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
        """The counts; the sections, the findings, and in a wide terminal the one under the cursor."""
        yield TitleBar()
        yield Static("", id="counts", markup=False)
        yield filter_line("filter: any part of a name or value")
        with Horizontal(id="panes"):
            yield Grid([ColumnSpec("section", 10, 1), ColumnSpec("", 6, 0, True)], id="sections")
            yield Grid(columns_for([], 80), empty="no differences", id="findings")
            yield SideBySide(id="detail")
        yield KeyBar(some(GRID, "open"), LIST, AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """The table has the keys."""
        self.query_one("#filter").display = False
        super().on_mount()
        self.findings.focus()

    @property
    def findings(self) -> Grid:
        """The table of findings."""
        return self.query_one("#findings", Grid)

    def on_resize(self, event: events.Resize) -> None:
        """A wide terminal has room for the detail, one that is not narrow for the sections."""
        self._lay_out()
        self.call_after_refresh(self.changed)

    def _lay_out(self) -> None:
        self.query_one("#detail").display = self.size.width >= WIDE
        sections = self.query_one("#sections", Grid)
        sections.display = self.size.width >= NARROW and sections.count > 2

    def changed(self) -> None:
        """Shows the area as it is known."""
        area = self.store.area(self.area)
        counts, grid = self.query_one("#counts", Static), self.findings
        if area is None:
            waiting = "not compared yet: the audit is running" if self.store.running else "this area was not compared"
            counts.update(safe(waiting, "italic"))
            grid.empty = waiting
            grid.show_rows(FindingRows([], grid.columns))
            return
        told = [f"{GLYPHS[name]} {area.counts.get(name, 0):,} {name}" for name in COUNTED]
        counts.update(Content.styled("   ".join(told), "dim"))
        empty = {"same": "no differences", "not-recorded": "recorded on neither side"}
        grid.empty = empty.get(area.status, "nothing matches")
        self._show_sections(area)
        chosen = self._chosen(area.findings)
        grid.columns = columns_for(chosen, grid.size.width)
        grid.show_rows(FindingRows(chosen, grid.columns), keep=True)

    def _show_sections(self, area: Area) -> None:
        counted = Counter(section_of(finding) for finding in area.findings)
        rows = [(EVERYTHING, len(area.findings)), *sorted(counted.items())]
        sections = self.query_one("#sections", Grid)
        if not isinstance(sections.source, Sections) or sections.source.counts != rows:
            sections.show_rows(Sections(rows), keep=True)
            self._lay_out()

    def _chosen(self, findings: Sequence[Finding]) -> list[FindingLine]:
        wanted = self.query_one("#filter", Input).value.lower()
        if self.section != EVERYTHING:
            findings = [finding for finding in findings if section_of(finding) == self.section]
        return [
            line
            for line in flattened(findings, self.opened, all_open=bool(wanted))
            if (not wanted or matches(line.finding, wanted))
            and not (self.only_differences and line.finding.change == "same")
        ]

    # -- the row under the cursor -------------------------------------------------------------------------------

    def line(self) -> FindingLine | None:
        """The row under the cursor."""
        grid = self.findings
        source = grid.source
        return source.lines[min(grid.cursor, len(source) - 1)] if isinstance(source, FindingRows) and source else None

    def current(self) -> Finding | None:
        """The finding under the cursor."""
        line = self.line()
        return line.finding if line else None

    def selected(self) -> object:
        """That finding, as plain values."""
        finding = self.current()
        return asdict(finding) if finding else None

    def texts(self) -> dict[str, str] | None:
        """Both values of that finding."""
        finding = self.current()
        return finding_texts(finding) if finding else None

    def table(self) -> WrittenTable | None:
        """The findings that are shown."""
        source = self.findings.source
        return (
            finding_table(self.area, [line.finding for line in source.lines])
            if isinstance(source, FindingRows)
            else None
        )

    def on_grid_highlighted(self, event: Grid.Highlighted) -> None:
        """The detail pane follows the cursor, and the findings follow the section."""
        source = event.grid.source
        if isinstance(source, Sections):
            chosen = source.counts[event.row][0] if source else EVERYTHING
            if chosen != self.section:
                self.section = chosen
                self.changed()
            return
        finding = self.current()
        if finding is not None:
            self.query_one(SideBySide).tell(finding.a, finding.b)

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """A finding opens; from a section the keys go to its findings."""
        finding = self.current()
        if isinstance(event.grid.source, Sections):
            self.findings.focus()
        elif finding is not None:
            self.post_message(OpenFinding(self.area, finding))

    def on_grid_sideways(self, event: Grid.Sideways) -> None:
        """Shows what is below the finding, or closes it."""
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
        """Closes the row, or the one that it stands below."""
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
        """Back to the findings."""
        self.findings.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filters while typing."""
        self.changed()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the table."""
        self.focus_grid()

    def action_difference(self, step: int) -> None:
        """To the next row that differs, or the one before."""
        grid = self.findings
        if not isinstance(grid.source, FindingRows):
            return
        row = grid.cursor + step
        while 0 <= row < len(grid.source) and grid.source.lines[row].finding.change == "same":
            row += step
        if 0 <= row < len(grid.source):
            grid.move_to(row)
        else:
            say(self, "that was the last difference" if step > 0 else "that was the first difference")

    def action_only_differences(self) -> None:
        """Only differences, or all that the report lists."""
        self.only_differences = not self.only_differences
        every = "all that is listed (an audit with --all lists what is the same, too)"
        say(self, "only differences" if self.only_differences else every)
        self.changed()
