"""Findings as rows of a grid: glyph, name, A, B, the difference of numbers, and a note; children expand and collapse.

The columns are as wide as these findings need. `allocate` gives each column what it needs where that is little, and
divides the rest equally among the wide ones: of 60 cells, columns that need 10, 100 and 100 get 10, 25 and 25.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text

from repro_tui.model.finding import Finding
from repro_tui.report.words import ABSENT, GLYPHS, finding_note
from repro_tui.support.text import show
from repro_tui.tui.differences import relative
from repro_tui.tui.widgets.grid import ColumnSpec
from repro_tui.tui.widgets.safe import marked_pair, shortened, text_of

STYLES = {"changed": "bad", "added": "new", "removed": "gone", "unknown": "warn", "same": ""}
LOUD = {"important": "loud", "notice": "", "info": "quiet"}
DELTA_WIDTH = 15
ROOM_FOR_DELTA = 72  # cells; a narrower table has no column for the difference
MEASURED = 500  # findings whose widths decide the columns
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FindingLine:
    """One finding as a row: `depth` is its level in the tree (from 0), `open` whether its children are shown."""

    finding: Finding
    depth: int = 0
    open: bool = False


def flattened(
    findings: Sequence[Finding], opened: set[Path], all_open: bool = False, depth: int = 0
) -> Iterator[FindingLine]:
    """The findings as lines, each open one followed by its children; `opened` are the paths of open findings."""
    for finding in findings:
        is_open = bool(finding.children) and (all_open or finding.path in opened)
        yield FindingLine(finding, depth, is_open)
        if is_open:
            yield from flattened(finding.children, opened, all_open, depth + 1)


def matches(finding: Finding, text: str) -> bool:
    """Whether any part of a finding contains the text, which is in lower case."""
    return text in f"{' '.join(finding.path)} {finding.a} {finding.b} {finding.note}".lower()


def section_of(finding: Finding) -> str:
    """The section of its area that a finding belongs to: the first part of its path, or the file's top folder."""
    return finding.path[0] if len(finding.path) > 1 else finding.path[0].partition("/")[0] if finding.path else ""


def delta(finding: Finding) -> str:
    """How far a number moved, absolute and relative to A, such as "+0.1 +20.0%"; "" for other values."""
    a, b = finding.a, finding.b
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (a, b))
    if not numbers or a == b:
        return ""
    try:
        moved = b - a
        absolute = f"{moved:+.4g}"
        return f"{absolute} {'-' if moved / a < 0 else '+'}{relative(abs(moved / a))}" if a else absolute
    except (OverflowError, ValueError):
        return ""


def columns_for(lines: Sequence[FindingLine], width: int, top: int = 0) -> list[ColumnSpec]:
    """The columns that these findings need, as wide as their content where that fits into `width` cells.

    `top` is the level of the lines below the area: 1 for the children of a finding.
    """
    measured = lines[:MEASURED]
    findings = [line.finding for line in measured]
    moved = width >= ROOM_FOR_DELTA and any(map(delta, findings))
    needed = {
        "what": max((len(_name(line, top)) for line in measured), default=0),
        "A": max((len(_one_line(f.a)) for f in findings), default=0),
        "B": max((len(_one_line(f.b)) for f in findings), default=0),
        "note": max((len(_note(f)) for f in findings), default=0),
    }
    columns = [ColumnSpec("", 1)]
    room = allocate(needed, width - 8 - (DELTA_WIDTH + 1 if moved else 0))
    for title, least in room.items():
        if title == "note" and moved:
            columns.append(ColumnSpec("Δ", DELTA_WIDTH, 0, True))
        if title != "note" or needed["note"]:
            columns.append(ColumnSpec(title, max(6, least), 1, side={"A": "a", "B": "b"}.get(title, "")))
    return columns


def allocate(needed: Mapping[str, int], room: int) -> dict[str, int]:
    """The width of each column, at most what it needs, and `room` in all: the narrow ones first, the rest equally."""
    widths: dict[str, int] = {}
    for index, name in enumerate(sorted(needed, key=lambda name: needed[name])):
        widths[name] = max(0, min(needed[name], room // (len(needed) - index)))
        room -= widths[name]
    return {name: widths[name] for name in needed}


class FindingRows:
    """Findings as rows of a grid with these columns, which are those of `columns_for`."""

    def __init__(self, lines: Sequence[FindingLine], columns: Sequence[ColumnSpec], top: int = 0) -> None:
        self.lines, self.top = lines, top
        self._titles = [column.title for column in columns]

    def __len__(self) -> int:
        return len(self.lines)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """The cells of one finding, with what changed inside the values marked."""
        line = self.lines[row]
        finding = line.finding
        name = shortened(_name(line, self.top), max(5, widths[1]))
        a, b = values(finding, widths[2], widths[3])
        cells = {
            "": Text(GLYPHS[finding.change], style=STYLES[finding.change]),
            "what": Text(name, style=LOUD[finding.severity]),
            "A": a,
            "B": b,
            "Δ": Text(delta(finding)),
            "note": text_of(_note(finding), max(4, widths[-1]), "quiet"),
        }
        return [cells[title] for title in self._titles]


def _name(line: FindingLine, top: int) -> str:
    """A line's name: its path, or for a child only the last part."""
    path = line.finding.path[-1:] if line.depth + top else line.finding.path
    sign = ("▾ " if line.open else "▸ ") if line.finding.children else ""
    return "  " * line.depth + sign + show(" › ".join(path), 300)


def _note(finding: Finding) -> str:
    children = f"{len(finding.children):,} below" if finding.children else ""
    note = show(finding_note(finding), 200)
    return f"{note}; {children}" if note and children else note or children


def values(finding: Finding, width_a: int, width_b: int) -> tuple[Text, Text]:
    """Both values on one line each, shortened to their widths, with what changed marked."""
    text_a, text_b = _one_line(finding.a), _one_line(finding.b)
    if finding.change != "changed":
        return Text(shortened(text_a, max(5, width_a))), Text(shortened(text_b, max(5, width_b)))
    return marked_pair(text_a, text_b, width_a, width_b)


def _one_line(value: object) -> str:
    if value is None:
        return ABSENT
    text = value if isinstance(value, str) else show(value)
    first, rest = text.partition("\n")[::2]
    return show(first, 400) + (" …" if rest else "")
