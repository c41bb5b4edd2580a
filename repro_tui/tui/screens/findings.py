"""Findings as rows: glyph, name, A, B, the numbers' difference and a note; what stands below opens and closes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from repro_tui.model.finding import Finding
from repro_tui.support.text import show
from repro_tui.tui.differences import relative
from repro_tui.tui.widgets.grid import ColumnSpec
from repro_tui.tui.widgets.safe import ABSENT, GLYPHS, changed_segments, marked, shortened

STYLES = {"changed": "bad", "added": "new", "removed": "gone", "unknown": "warn", "same": ""}
LOUD = {"important": "loud", "notice": "", "info": "quiet"}
COLUMNS = [
    ColumnSpec("", 1),
    ColumnSpec("what", 16, 3),
    ColumnSpec("A", 12, 3, side="a"),
    ColumnSpec("B", 12, 3, side="b"),
    ColumnSpec("Δ", 15),
    ColumnSpec("note", 8, 2),
]
DELTA_WIDTH = 15
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One finding as a row; `depth` is how far below the area it stands, `open` whether what is below is shown."""

    finding: Finding
    depth: int = 0
    open: bool = False


def flattened(findings: Sequence[Finding], opened: set[Path], all_open: bool = False, depth: int = 0) -> Iterator[Line]:
    """The findings as a tree: below each that is open, what stands below it."""
    for finding in findings:
        is_open = bool(finding.children) and (all_open or finding.path in opened)
        yield Line(finding, depth, is_open)
        if is_open:
            yield from flattened(finding.children, opened, all_open, depth + 1)


def matches(finding: Finding, wanted: str) -> bool:
    """Whether any part of a finding contains the text."""
    return wanted in f"{' '.join(finding.path)} {finding.a} {finding.b} {finding.note}".lower()


def section_of(finding: Finding) -> str:
    """The part of its area that a finding stands in."""
    return finding.path[0] if len(finding.path) > 1 else finding.path[0].partition("/")[0] if finding.path else ""


def delta(finding: Finding) -> str:
    """How far a number moved: absolute, and relative to A."""
    a, b = finding.a, finding.b
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (a, b))
    if not numbers or a == b:
        return ""
    try:
        moved = b - a
        told = f"{moved:+.4g}"
        return f"{told} {'-' if moved / a < 0 else '+'}{relative(abs(moved / a))}" if a else told
    except (OverflowError, ValueError):
        return ""


def columns_for(lines: Sequence[Line], width: int) -> list[ColumnSpec]:
    """The columns that these findings need: Δ only where numbers differ, and room for it."""
    some = [line.finding for line in lines[:500]]
    moved, noted = width >= 72 and any(map(delta, some)), any(map(_note, some))
    return [
        ColumnSpec("Δ", DELTA_WIDTH, 0, True) if c.title == "Δ" else c
        for c in COLUMNS
        if (moved or c.title != "Δ") and (noted or c.title != "note")
    ]


class FindingRows:
    """Findings as rows of the grid, with the columns that they need."""

    def __init__(self, lines: Sequence[Line], columns: Sequence[ColumnSpec], top: int = 0) -> None:
        self.lines, self.top = lines, top
        self._titles = [column.title for column in columns]

    def __len__(self) -> int:
        return len(self.lines)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """One finding; what changed inside a value is marked."""
        line = self.lines[row]
        finding = line.finding
        path = finding.path[-1:] if line.depth + self.top else finding.path
        sign = ("▾ " if line.open else "▸ ") if finding.children else ""
        name = "  " * line.depth + sign + shortened(show(" › ".join(path), 300), max(5, widths[1] - 2 * line.depth - 2))
        a, b = values(finding, widths[2], widths[3])
        cells = {
            "": Text(GLYPHS[finding.change], style=STYLES[finding.change]),
            "what": Text(name, style=LOUD[finding.severity]),
            "A": a,
            "B": b,
            "Δ": Text(delta(finding)),
            "note": Text(_note(finding), style="quiet"),
        }
        return [cells[title] for title in self._titles]


def _note(finding: Finding) -> str:
    below = f"{len(finding.children):,} below" if finding.children else ""
    note = show(finding.note.partition("\n")[0], 200)
    return f"{note}; {below}" if note and below else note or below


def values(finding: Finding, width_a: int, width_b: int) -> tuple[Text, Text]:
    """Both values on one line each, shortened in the middle, with what changed marked."""
    one, other = (_one_line(value) for value in (finding.a, finding.b))
    one, other = shortened(one, max(5, width_a)), shortened(other, max(5, width_b))
    if finding.change != "changed":
        return Text(one), Text(other)
    cut_a, cut_b = changed_segments(one, other)
    return marked(cut_a, "mark-a"), marked(cut_b, "mark-b")


def _one_line(value: object) -> str:
    if value is None:
        return ABSENT
    text = value if isinstance(value, str) else show(value)
    first, rest = text.partition("\n")[::2]
    return show(first, 400) + (" …" if rest else "")
