"""The pane that shows the difference of one finding: what it is, and its lines, its parts or its two values.

It is the same beside a list, below one, and alone on the screen. Texts and code are lines, A beside B where there is
room; a finding with parts is a table of them; any other has its two values. The cursor begins at the first difference,
and `step` moves it from difference to difference.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from repro_tui.model.finding import Finding
from repro_tui.report.words import ABSENT, GLYPHS, finding_note
from repro_tui.support.text import part, show
from repro_tui.tui.difference.lines import BESIDE, LONGEST, STACKED, DiffLine, DiffRows, diff_lines, is_hunk, text_lines
from repro_tui.tui.difference.parts import extent, parts_of
from repro_tui.tui.difference.rows import FindingRows, columns_for, delta, leaf_kept
from repro_tui.tui.difference.tree import FIRST, FindingLine, folder_of
from repro_tui.tui.widgets.grid import Grid
from repro_tui.tui.widgets.pane import Pane
from repro_tui.tui.widgets.safe import joined, lines, safe

ROOM_BESIDE = 100  # cells from which on A stands beside B
ABOVE = 2  # lines above the first difference
GAP = "   "


class DifferencePane(Pane):
    """The difference of one finding; `whole`: with all of a long text, and not only what is around its differences."""

    DEFAULT_CSS = """
    DifferencePane { layout: vertical; height: 1fr; }
    DifferencePane > .head { height: auto; max-height: 50%; padding: 0 1; }
    DifferencePane > Grid { height: 1fr; }
    """

    class PartOpened(Message):
        """Enter was pressed on a part of the finding: `parts` are all of them, `index` the one under the cursor."""

        def __init__(self, parts: Sequence[Finding], index: int) -> None:
            self.parts, self.index = parts, index
            super().__init__()

    def __init__(self, *, id: str | None = None, classes: str | None = None, whole: bool = False) -> None:
        super().__init__(id=id, classes=classes)
        self.whole = whole
        self.finding: Finding | None = None
        self.share = 0.0
        self.beside: bool | None = None  # the user's choice
        self.swapped = False
        self._drawn: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """The head, and the lines."""
        yield Static("", classes="head", markup=False)
        yield Grid(STACKED, empty="", id="difference")

    @property
    def grid(self) -> Grid:
        """The lines or parts."""
        return self.query_one(Grid)

    def show_finding(self, finding: Finding | None, share: float = 0.0) -> None:
        """Shows a finding from its first difference on; `share` is the share of the change that it explains."""
        self.finding, self.share = finding, share
        self._drawn = ()
        self._draw()

    def swap(self, swapped: bool) -> None:
        """Shows B left of A or above it (`swapped`), or A first."""
        self.swapped = swapped
        self.grid.swap(swapped)
        self._draw()

    def stack(self) -> None:
        """Shows A above B where they were beside each other, and the other way round."""
        self.beside = not self._is_beside()
        self._draw()

    def on_resize(self, event: events.Resize) -> None:
        """Fits the lines to the new width."""
        self.call_after_refresh(self._draw)

    def _is_beside(self) -> bool:
        return self.grid.size.width >= ROOM_BESIDE if self.beside is None else self.beside

    def _draw(self) -> None:
        finding, grid = self.finding, self.grid
        most = None if self.whole else grid.size.height
        wanted = (finding, grid.size.width, most, self._is_beside(), self.swapped)
        if wanted == self._drawn or not grid.size.width:
            return
        self._drawn = wanted
        self.query_one(".head", Static).update(head_of(finding, self.share) if finding else "")
        grid.inert = True
        if finding is None:
            grid.show_rows(DiffRows([], "", False))
            return
        parts = parts_of(finding)
        if parts and not any(map(is_hunk, parts)):
            below = [FindingLine(child, folder=folder_of(finding)) for child in parts]
            grid.inert = False
            grid.show_columns(columns_for(below, grid.size.width, top=1))
            grid.show_rows(FindingRows(below, grid.columns, top=1))
            return
        beside = self._is_beside()
        name = finding.path[-1] if finding.path else ""
        rows = DiffRows(lines_of(finding), name, beside, grid.size.width - 1, self.swapped, most)
        grid.show_columns(BESIDE if beside else STACKED)
        grid.show_rows(rows)
        first = next(iter(rows.differences()), 0)
        grid.move_to(first)
        self._scroll_to_first(rows, first)
        self.call_after_refresh(self._scroll_to_first, rows, first)  # the head above may have taken some of its lines

    def _scroll_to_first(self, rows: DiffRows, first: int) -> None:
        """Shows the first difference with the lines around it, unless the cursor has been moved from there."""
        if self.grid.source is rows and self.grid.cursor == first:
            self.grid.scroll_to(y=max(0, first - ABOVE), animate=False, immediate=True, force=True)

    # -- the differences ----------------------------------------------------------------------------------------

    def differences(self) -> list[int]:
        """The rows at which a difference begins; commits and a folder's files are no differences of their own here."""
        source = self.grid.source
        if self.finding is not None and (self.finding.path in FIRST or folder_of(self.finding)):
            return [0]
        if isinstance(source, DiffRows):
            return source.differences()
        return list(range(len(source))) if isinstance(source, FindingRows) else []

    def step(self, step: int) -> bool:
        """Moves to the next (1) or the previous (-1) difference; returns False where there is none."""
        rows, cursor = self.differences(), self.grid.cursor
        ahead = [row for row in rows if row > cursor] if step > 0 else [row for row in reversed(rows) if row < cursor]
        if not ahead:
            return False
        self.grid.move_to(ahead[0])
        return True

    def go_to_last(self) -> None:
        """Moves to the last difference."""
        self.grid.move_to(max(self.differences(), default=0))

    def place(self) -> str:
        """Which difference the cursor is at: "difference 2 of 5"; "" where there is only one."""
        rows = self.differences()
        if len(rows) < 2:
            return ""
        return f"difference {max(1, sum(row <= self.grid.cursor for row in rows)):,} of {len(rows):,}"

    def part(self) -> Finding | None:
        """The part of the finding under the cursor; None where it has no parts."""
        source = self.grid.source
        return source.lines[self.grid.cursor].finding if isinstance(source, FindingRows) and len(source) else None

    def line(self) -> DiffLine | None:
        """The line under the cursor; None where the finding has parts instead."""
        source = self.grid.source
        return source.lines[self.grid.cursor] if isinstance(source, DiffRows) and len(source) else None

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Sends PartOpened for a part, and for lines nothing: they are already open."""
        event.stop()
        source = event.grid.source
        if isinstance(source, FindingRows):
            self.post_message(self.PartOpened([line.finding for line in source.lines], event.row))

    def on_grid_sideways(self, event: Grid.Sideways) -> None:
        """Nothing expands here."""
        event.stop()


def lines_of(finding: Finding) -> list[DiffLine]:
    """The difference of a finding as lines: of its hunks, or of its two values."""
    if any(map(is_hunk, finding.children)):
        return diff_lines([child for child in finding.children if is_hunk(child)])
    a, b = _text(finding.a), _text(finding.b)
    if a is None and b is None:
        return []
    if a is not None and b is not None:
        return text_lines(a, b)
    first, *rest = ((b if a is None else a) or "").split("\n")
    if a is None:
        return [DiffLine(ABSENT, first), *(DiffLine(None, line) for line in rest)]
    return [DiffLine(first, ABSENT), *(DiffLine(line, None) for line in rest)]


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else show(value, LONGEST)


def head_of(finding: Finding, share: float = 0.0) -> Content:
    """The name of a finding, and what there is to know of it beside its values."""
    name = leaf_kept([show(part, 300) for part in finding.path], 400) if finding.path else "the whole area"
    note = finding_note(finding)
    facts = [f"explains {part(share)} of the change"] if share else []
    facts += [text for text in (delta(finding), extent(finding), note) if text]
    if finding.severity == "important" and not share:
        facts.append("important")
    heading = safe(f"{GLYPHS[finding.change]} {name}", "bold")
    content: list[Content | str] = [heading]
    if facts:
        content.append(joined([safe(GAP.join(facts), "dim", cap=600)]))
    return lines(content)
