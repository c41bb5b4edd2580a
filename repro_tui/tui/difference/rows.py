"""Findings as rows of a grid: glyph, name, A, B, the difference of numbers; children expand and collapse.

The columns are as wide as these findings need. `allocate` gives each column what it needs where that is little, and
divides the rest equally among the wide ones: of 60 cells, columns that need 10, 100 and 100 get 10, 25 and 25.

A name keeps its last part, values are cut around their first difference, and hashes do not stand here at all: the pane
beside the list has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from rich.text import Text

from repro_tui.model.finding import Finding
from repro_tui.report.words import ABSENT, GLYPHS, finding_note
from repro_tui.support.text import part, shorten_middle, show, show_apart
from repro_tui.tui.difference.parts import first_part
from repro_tui.tui.difference.tree import Explained, FindingLine, is_folder
from repro_tui.tui.differences import relative
from repro_tui.tui.widgets.grid import ColumnSpec
from repro_tui.tui.widgets.safe import marked_pair, shortened, text_of

STYLES = {"changed": "bad", "added": "new", "removed": "gone", "unknown": "warn", "same": ""}
LOUD = {"important": "loud", "notice": "", "info": "quiet"}
DELTA_WIDTH = 15
ROOM_FOR_DELTA = 72  # cells; a narrower table has no column for the difference
MOST_SECTIONS, SECTION_WIDTH = 8, 12
MEASURED = 500  # findings whose widths decide the columns
LONGEST_VALUE = 100_000  # characters of a value in which the first difference is looked for
LEAST_NAME, LEAST_VALUE = 8, 9
LEAST_PARENT = 5  # characters of what stands above a name
COUNTS = re.compile(r"(\+[\d,]+ -[\d,]+) lines")
COMMIT = re.compile(r"[0-9a-f]{40}")
HASHES = re.compile(r"(sha256:|tree:)?[0-9a-f]{16,64}( |$)|blob [0-9a-f]+")


def delta(finding: Finding) -> str:
    """How far a number moved, absolute and relative to A, such as "+0.1 +20.0 %"; "" for other values."""
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


def columns_for(
    lines: Sequence[FindingLine], width: int, top: int = 0, explained: Explained | None = None
) -> list[ColumnSpec]:
    """The columns that these findings need, as wide as their content where that fits into `width` cells.

    `top` is the level of the lines below the area: 1 for the children of a finding. `explained` adds a column for the
    share of the change that a finding explains, if any does.
    """
    measured = lines[:MEASURED]
    findings = [line.finding for line in measured]
    columns = [ColumnSpec("", 1)]
    if explained and any(map(explained, findings)):
        columns.append(ColumnSpec("share", 6, 0, True))
        width -= 7
    section = not top and _in_sections(findings)
    if any(map(_change, findings)):
        return [
            *columns,
            ColumnSpec("what", 16, 1),
            ColumnSpec("change", _longest(map(_change, findings), max(24, width // 2)), 0, True),
        ]
    moved = width >= ROOM_FOR_DELTA and any(map(delta, findings))
    name = _longest(_name(line, top, section, 300) for line in measured)
    room = width - 6 - (DELTA_WIDTH + 1 if moved else 0)
    if section and name + 2 * LEAST_VALUE > room - SECTION_WIDTH - 1:
        section = False  # a whole name is worth more than its section, which stands in the pane
        name = _longest(_name(line, top, True, 300) for line in measured)
    room -= SECTION_WIDTH + 1 if section else 0
    name_width = max(LEAST_NAME, min(name, room - 2 * LEAST_VALUE))
    needed = {"A": _longest(_one_line(f.a) for f in findings), "B": _longest(_one_line(f.b) for f in findings)}
    columns.append(ColumnSpec("what", name_width, 1))
    for title, least in allocate(needed, room - name_width).items():
        columns.append(ColumnSpec(title, max(6, least), 1, side=title.lower()))
    if moved:
        columns.append(ColumnSpec("Δ", DELTA_WIDTH, 0, True))
    return [*columns, ColumnSpec("in", SECTION_WIDTH)] if section else columns


def _in_sections(findings: Sequence[Finding]) -> bool:
    """Whether the findings are in a few sections with names of one part below them, such as packages and system."""
    sections = {finding.path[0] for finding in findings if len(finding.path) > 1}
    return 1 < len(sections) <= MOST_SECTIONS and all(len(finding.path) <= 2 for finding in findings)


def _longest(texts: Iterable[str], most: int = 1_000) -> int:
    return min(most, max(map(len, texts), default=0))


def allocate(needed: Mapping[str, int], room: int) -> dict[str, int]:
    """The width of each column, at most what it needs, and `room` in all: the narrow ones first, the rest equally."""
    widths: dict[str, int] = {}
    for index, name in enumerate(sorted(needed, key=lambda name: needed[name])):
        widths[name] = max(0, min(needed[name], room // (len(needed) - index)))
        room -= widths[name]
    return {name: widths[name] for name in needed}


class FindingRows:
    """Findings as rows of a grid with these columns, which are those of `columns_for`."""

    def __init__(
        self,
        lines: Sequence[FindingLine],
        columns: Sequence[ColumnSpec],
        top: int = 0,
        explained: Explained | None = None,
    ) -> None:
        self.lines, self.top, self.explained = lines, top, explained
        self._titles = [column.title for column in columns]
        self._sections = not top and _in_sections([line.finding for line in lines[:MEASURED]])

    def __len__(self) -> int:
        return len(self.lines)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """The cells of one finding, with what changed inside the values marked."""
        line = self.lines[row]
        width = dict(zip(self._titles, widths, strict=False))
        return [self._cell(title, line, width) for title in self._titles]

    def _cell(self, title: str, line: FindingLine, width: Mapping[str, int]) -> Text:
        finding = line.finding
        if title == "":
            return Text(GLYPHS[finding.change], style=STYLES[finding.change])
        if title == "what":
            return self._named(line, width)
        if title in ("A", "B"):
            return values(finding, width["A"], width["B"])[title == "B"]
        if title == "share":
            share = self.explained(finding) if self.explained else 0.0
            return Text(part(share) if share else "", style="bad")
        if title == "change":
            return Text(shortened(_change(finding), width["change"]), style="quiet")
        if title == "in":
            return text_of(finding.path[0] if len(finding.path) > 1 and not line.depth else "", SECTION_WIDTH, "quiet")
        return Text(delta(finding))

    def _named(self, line: FindingLine, width: Mapping[str, int]) -> Text:
        finding = line.finding
        name = Text(_name(line, self.top, self._sections, width["what"]), style=LOUD[finding.severity])
        if finding.a is None and finding.b is None and "change" not in width and width["what"] > len(name) + LEAST_NAME:
            return Text.assemble(name, text_of(f"  {_note(finding)}", width["what"] - len(name), "quiet"))
        return name


def _name(line: FindingLine, top: int, section: bool, width: int) -> str:
    """A line's name in at most `width` cells: its path, or for a child only the last part; its end is always there."""
    path = line.finding.path
    if line.depth + top:
        path = (line.leaf,)
    elif section and len(path) > 1:
        path = path[1:]
    if path and COMMIT.fullmatch(path[-1]):
        path = (*path[:-1], path[-1][:10])
    sign = ("▾ " if line.open else "▸ ") if is_folder(line.finding) else ""
    head = "  " * line.depth + sign
    return head + leaf_kept([show(part, 300) for part in path], max(LEAST_NAME, width - len(head)))


def leaf_kept(path: Sequence[str], width: int) -> str:
    """A path in at most `width` characters that keeps its end: "…› encoder › schedule", "…› en…_1 › schedule".

    What stands before the last part is what tells one `schedule` from another, so that as much of it stays as fits: its
    beginning and its end, as the end alone is the same of encoder_1 and decoder_1.
    """
    text = " › ".join(path)
    if len(text) <= width:
        return text
    for start in range(1, len(path) - 1):
        shorter = "…› " + " › ".join(path[start:])
        if len(shorter) <= width:
            return shorter
    leaf = path[-1] if path else ""
    above = "…› " if len(path) > 2 else ""
    room = width - len(above) - len(f" › {leaf}")
    if len(path) > 1 and room >= LEAST_PARENT:
        return f"{above}{shorten_middle(path[-2], room)} › {leaf}"
    file = leaf.removesuffix("/").rpartition("/")[2]
    return f"…{text[len(text) - width + 1 :]}" if len(file) + 2 <= width else shorten_middle(leaf, width)


def _note(finding: Finding) -> str:
    children = f"{len(finding.children):,} below" if is_folder(finding) else ""
    note = show(finding_note(finding), 200)
    return f"{note}; {children}" if note and children else note or children


def _change(finding: Finding) -> str:
    """How a file changed, in a few words, where its values are only hashes: "+3 -3", "new", "renamed"; else ""."""
    note = show(finding.note.partition("\n")[0], 200)
    if counts := COUNTS.search(note):
        return counts[1]
    if finding.a is None and finding.b is None and finding.path and finding.path[-1].endswith("/"):
        return note
    if any(isinstance(value, str) and HASHES.match(value) for value in (finding.a, finding.b)):
        return {"added": "new", "removed": "deleted"}.get(finding.change, note)
    return "renamed" if note.startswith("renamed") else ""


def values(finding: Finding, width_a: int, width_b: int) -> tuple[Text, Text]:
    """Both values on one line each, cut around their first difference, with what changed marked."""
    element = first_part(finding) if finding.change == "changed" else None
    if element is not None and max(len(_one_line(finding.a)) - width_a, len(_one_line(finding.b)) - width_b) > 0:
        name = " › ".join(element.path[len(finding.path) :])
        a, b = (_one_line(value) for value in (element.a, element.b))
        return marked_pair(f"{show(name, 80)}: {a}", f"{show(name, 80)}: {b}", width_a, width_b)
    text_a, text_b = _one_line(finding.a), _one_line(finding.b)
    if finding.a is None and finding.b is None:
        return Text(""), Text("")
    if finding.change != "changed":
        return Text(shortened(text_a, max(5, width_a))), Text(shortened(text_b, max(5, width_b)))
    if isinstance(finding.a, str) and isinstance(finding.b, str):
        line_a, line_b = finding.a, finding.b
        if "\n" in line_a + line_b:
            line_a, line_b = _first_changed_line(line_a, line_b)
            text_a, text_b = _one_line(line_a), _one_line(line_b)
        if text_a == text_b:
            text_a, text_b = show_apart(line_a, line_b, LONGEST_VALUE)
    return marked_pair(text_a, text_b, width_a, width_b)


def _first_changed_line(a: str, b: str) -> tuple[str, str]:
    """The first line of each text in which they differ."""
    lines_a, lines_b = a.split("\n"), b.split("\n")
    first = next(
        (index for index, (x, y) in enumerate(zip(lines_a, lines_b, strict=False)) if x != y),
        min(len(lines_a), len(lines_b)),
    )
    return tuple(side[first] if first < len(side) else ABSENT for side in (lines_a, lines_b))  # type: ignore[return-value]


def _one_line(value: object) -> str:
    if value is None:
        return ABSENT
    text = value if isinstance(value, str) else show(value, LONGEST_VALUE)
    first, rest = text.partition("\n")[::2]
    return show(first, LONGEST_VALUE) + (" …" if rest else "")
