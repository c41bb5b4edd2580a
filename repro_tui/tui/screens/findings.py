"""Findings as rows: glyph, name, A, B, the numbers' difference and a note; what stands below opens and closes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from repro_tui.model.finding import Finding
from repro_tui.support.text import show
from repro_tui.tui.differences import relative
from repro_tui.tui.widgets.grid import ColumnSpec
from repro_tui.tui.widgets.safe import ABSENT, GLYPHS, changed_segments, marked, shortened, text_of

STYLES = {"changed": "bad", "added": "new", "removed": "gone", "unknown": "warn", "same": ""}
LOUD = {"important": "loud", "notice": "", "info": "quiet"}
DELTA_WIDTH = 15
ROOM_FOR_DELTA = 72
MEASURED = 500  # findings whose widths are looked at
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FindingLine:
    """One finding as a row; `depth` is how far below the area it stands, `open` whether what is below is shown."""

    finding: Finding
    depth: int = 0
    open: bool = False


def flattened(
    findings: Sequence[Finding], opened: set[Path], all_open: bool = False, depth: int = 0
) -> Iterator[FindingLine]:
    """The findings as a tree: below each that is open, what stands below it."""
    for finding in findings:
        is_open = bool(finding.children) and (all_open or finding.path in opened)
        yield FindingLine(finding, depth, is_open)
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


def columns_for(lines: Sequence[FindingLine], width: int, top: int = 0) -> list[ColumnSpec]:
    """The columns that these findings need, as wide as what stands in them where that fits into `width` cells."""
    seen = lines[:MEASURED]
    found = [line.finding for line in seen]
    moved = width >= ROOM_FOR_DELTA and any(map(delta, found))
    wanted = {
        "what": max((len(_name(line, top)) for line in seen), default=0),
        "A": max((len(_one_line(f.a)) for f in found), default=0),
        "B": max((len(_one_line(f.b)) for f in found), default=0),
        "note": max((len(_note(f)) for f in found), default=0),
    }
    columns = [ColumnSpec("", 1)]
    room = shared_out(wanted, width - 8 - (DELTA_WIDTH + 1 if moved else 0))
    for title, least in room.items():
        if title == "note" and moved:
            columns.append(ColumnSpec("Δ", DELTA_WIDTH, 0, True))
        if title != "note" or wanted["note"]:
            columns.append(ColumnSpec(title, max(6, least), 1, side={"A": "a", "B": "b"}.get(title, "")))
    return columns


def shared_out(wanted: dict[str, int], room: int) -> dict[str, int]:
    """Room for each: what it wants where that is little, else an equal share of what is left."""
    found: dict[str, int] = {}
    for place, name in enumerate(sorted(wanted, key=lambda name: wanted[name])):
        found[name] = max(0, min(wanted[name], room // (len(wanted) - place)))
        room -= found[name]
    return {name: found[name] for name in wanted}


class FindingRows:
    """Findings as rows of the grid, with the columns that they need."""

    def __init__(self, lines: Sequence[FindingLine], columns: Sequence[ColumnSpec], top: int = 0) -> None:
        self.lines, self.top = lines, top
        self._titles = [column.title for column in columns]

    def __len__(self) -> int:
        return len(self.lines)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """One finding; what changed inside a value is marked."""
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
    """What a row is about: below its parent only the last part of the path."""
    path = line.finding.path[-1:] if line.depth + top else line.finding.path
    sign = ("▾ " if line.open else "▸ ") if line.finding.children else ""
    return "  " * line.depth + sign + show(" › ".join(path), 300)


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
