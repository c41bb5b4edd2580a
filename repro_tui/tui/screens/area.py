"""One of the areas code, environment, parameters and data: findings with A beside B, filtered, opened on Enter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Static

from repro_tui.model.finding import AreaName, Finding
from repro_tui.support.text import shorten_middle, show
from repro_tui.tui.actions import AUDIT, GLOBAL, LIST, bindings
from repro_tui.tui.screens.base import WIDE, AuditScreen
from repro_tui.tui.store import Store
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.safe import ABSENT, GLYPHS, changed_segments, safe
from repro_tui.tui.widgets.side_by_side import SideBySide

STYLES = {"changed": "red", "added": "green", "removed": "yellow", "unknown": "magenta", "same": ""}
LOUD = {"important": "bold", "notice": "", "info": "dim"}


@dataclass(frozen=True, slots=True)
class Line:
    """One finding as a row; `depth` is how far below the area it stands."""

    finding: Finding
    depth: int = 0


def flattened(findings: Sequence[Finding], children: bool) -> Iterator[Line]:
    """The findings, with those that stand directly below where that is wanted."""
    for finding in findings:
        yield Line(finding)
        if children:
            yield from (Line(child, 1) for child in finding.children)


class FindingRows:
    """Findings as rows: glyph, name, A, B, note."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = lines

    def __len__(self) -> int:
        return len(self.lines)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """One finding; what changed inside a value is marked."""
        line = self.lines[row]
        finding = line.finding
        path = finding.path[1:] if line.depth else finding.path
        name = shorten_middle("  " * line.depth + show(" › ".join(path), 300), max(5, widths[1]))
        a, b = _values(finding, widths[2], widths[3])
        glyph = Text(GLYPHS[finding.change], style=STYLES[finding.change])
        return (glyph, Text(name, style=LOUD[finding.severity]), a, b, Text(_note(finding), style="dim"))


def _note(finding: Finding) -> str:
    below = f"{len(finding.children)} below; " if finding.children else ""
    return below + show(finding.note, 200)


def _values(finding: Finding, width_a: int, width_b: int) -> tuple[Text, Text]:
    one, other = (_one_line(value) for value in (finding.a, finding.b))
    one, other = shorten_middle(one, max(5, width_a)), shorten_middle(other, max(5, width_b))
    if finding.change != "changed":
        return Text(one), Text(other)
    cut_a, cut_b = changed_segments(one, other)
    return _marked(cut_a, "red"), _marked(cut_b, "green")


def _one_line(value: object) -> str:
    if value is None:
        return ABSENT
    text = value if isinstance(value, str) else show(value)
    first, rest = text.partition("\n")[::2]
    return show(first, 400) + (" …" if rest else "")


def _marked(segments: list[tuple[str, bool]], style: str) -> Text:
    found = Text()
    for text, changed in segments:
        found.append(text, style if changed else "")
    return found


COLUMNS = [
    ColumnSpec("", 1),
    ColumnSpec("what", 16, 3),
    ColumnSpec("A", 12, 3),
    ColumnSpec("B", 12, 3),
    ColumnSpec("note", 10, 2),
]


class AreaScreen(AuditScreen):
    """One area, side by side."""

    CSS_PATH = "area.tcss"
    BINDINGS = bindings(GLOBAL, AUDIT, LIST)

    def __init__(self, store: Store, area: AreaName) -> None:
        super().__init__(store)
        self.area: AreaName = area
        self.title_text = area.capitalize()
        self.only_differences = True
        self.zoomed = False

    def compose(self) -> ComposeResult:
        """The counts, the findings, and in a wide terminal the one under the cursor."""
        yield TitleBar(markup=False)
        yield Static("", id="counts", markup=False)
        yield Input(placeholder="filter: any part of a name or value", id="filter", compact=True)
        with Horizontal(id="panes"):
            yield Grid(COLUMNS, empty="no differences", id="findings")
            yield SideBySide(id="detail")
        yield KeyBar(LIST, AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """The table has the keys."""
        self.query_one("#filter").display = False
        super().on_mount()
        self.query_one(Grid).focus()

    def on_resize(self, event: events.Resize) -> None:
        """A wide terminal has room for the detail."""
        self._lay_out()

    def _lay_out(self) -> None:
        wide = self.size.width >= WIDE or self.zoomed
        self.query_one("#detail").display = wide
        self.query_one("#findings").display = not self.zoomed

    def changed(self) -> None:
        """Shows the area as it is known."""
        self._lay_out()
        area = self.store.area(self.area)
        counts = self.query_one("#counts", Static)
        grid = self.query_one(Grid)
        if area is None:
            waiting = "not compared yet: the audit is running" if self.store.running else "this area was not compared"
            counts.update(safe(waiting, "italic"))
            grid.empty = waiting
            grid.show_rows(FindingRows([]))
            return
        told = [
            f"{GLYPHS[name]} {area.counts.get(name, 0):,} {name}"
            for name in ("changed", "added", "removed", "unknown", "same")
        ]
        counts.update(Content.styled("   ".join(told), "dim"))
        grid.empty = "no differences" if area.status == "same" else "nothing matches"
        grid.show_rows(FindingRows(self._chosen(area.findings)), keep=True)

    def _chosen(self, findings: Sequence[Finding]) -> list[Line]:
        wanted = self.query_one("#filter", Input).value.lower()
        found = []
        for line in flattened(findings, children=bool(wanted) or self.area == "code"):
            finding = line.finding
            if self.only_differences and finding.change == "same":
                continue
            text = f"{' '.join(finding.path)} {finding.a} {finding.b} {finding.note}".lower()
            if not wanted or wanted in text:
                found.append(line)
        return found

    # -- the row under the cursor -------------------------------------------------------------------------------

    def current(self) -> Finding | None:
        """The finding under the cursor."""
        grid = self.query_one(Grid)
        source = grid.source
        if isinstance(source, FindingRows) and len(source):
            return source.lines[min(grid.cursor, len(source) - 1)].finding
        return None

    def selected(self) -> object:
        """That finding, as plain values."""
        finding = self.current()
        return asdict(finding) if finding else None

    def on_grid_highlighted(self) -> None:
        """The detail pane follows the cursor."""
        finding = self.current()
        if finding is not None:
            self.query_one(SideBySide).tell(finding.a, finding.b)

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """A finding opens."""
        finding = self.current()
        if finding is not None:
            from repro_tui.tui.screens.finding import FindingScreen

            self.app.push_screen(FindingScreen(self.store, self.area, finding))

    # -- keys ---------------------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Opens the filter."""
        box = self.query_one("#filter", Input)
        box.display = True
        box.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filters while typing."""
        self.changed()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the table."""
        self.focus_grid()

    def action_next_difference(self) -> None:
        """To the next row that differs."""
        self._difference(1)

    def action_previous_difference(self) -> None:
        """To the one before."""
        self._difference(-1)

    def _difference(self, step: int) -> None:
        grid = self.query_one(Grid)
        if not isinstance(grid.source, FindingRows):
            return
        row = grid.cursor + step
        while 0 <= row < len(grid.source) and grid.source.lines[row].finding.change == "same":
            row += step
        if 0 <= row < len(grid.source):
            grid.move_to(row)
        else:
            self.notify("that was the last difference" if step > 0 else "that was the first difference", timeout=2)

    def action_only_differences(self) -> None:
        """Only differences, or all that the report lists."""
        self.only_differences = not self.only_differences
        self.notify(
            "only differences" if self.only_differences else "all that is listed (audit with --all for the same)",
            timeout=3,
        )
        self.changed()

    def action_stack(self) -> None:
        """A beside B, or above it, in the detail pane."""
        self.query_one(SideBySide).toggle_class("stacked")

    def action_zoom(self) -> None:
        """The detail pane alone, or the table again."""
        self.zoomed = not self.zoomed
        self._lay_out()
        self.query_one("#pane-a" if self.zoomed else "#findings").focus()
