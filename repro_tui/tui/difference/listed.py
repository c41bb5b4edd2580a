"""Differences of all areas in one list, for the screens that show them beside something else.

Files stand here with how they changed, and not with the hashes of their contents.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.text import Text

from repro_tui.model.finding import AreaName, Finding
from repro_tui.report.words import GLYPHS
from repro_tui.support.text import show
from repro_tui.tui.difference.rows import values
from repro_tui.tui.widgets.grid import ColumnSpec
from repro_tui.tui.widgets.safe import text_of

COLUMNS = [
    ColumnSpec("", 1),
    ColumnSpec("area", 11),
    ColumnSpec("what differs", 14, 3),
    ColumnSpec("A", 12, 3, side="a"),
    ColumnSpec("B", 12, 3, side="b"),
]
HASHES = re.compile(r"(?:blob |sha256:|md5:)?[0-9a-f]{7,}…?.*|blob .*")
STYLES = {"added": "new", "removed": "gone", "unknown": "warn"}


class DifferenceRows:
    """What differs as rows: glyph, area, path, A, B. The end of a path is kept, which says what it is."""

    def __init__(self, differences: Sequence[tuple[AreaName, Finding]]) -> None:
        self.differences = differences

    def __len__(self) -> int:
        return len(self.differences)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Glyph, area, path, A, B."""
        area, finding = self.differences[row]
        glyph = Text(GLYPHS[finding.change], style=STYLES.get(finding.change, "loud"))
        name = _end_of(" › ".join(show(piece, 300) for piece in finding.path), max(5, widths[2]))
        return (glyph, Text(area, style="quiet"), Text(name, style="loud"), *_values(finding, widths[3], widths[4]))


def _values(finding: Finding, width_a: int, width_b: int) -> tuple[Text, Text]:
    both = width_a + 1 + width_b  # cells: the grid lets a remark alone take the room of both sides
    if finding.change == "unknown" and finding.a is None and finding.b is None:
        return text_of(finding.note, both, "warn"), Text("")
    if finding.note and all(value is None or HASHES.fullmatch(str(value)) for value in (finding.a, finding.b)):
        return text_of(finding.note.partition("\n")[0], both), Text("")  # it says more than two hashes
    return values(finding, width_a, width_b)


def _end_of(text: str, width: int) -> str:
    return text if len(text) <= width else f"…{text[len(text) - width + 1 :]}"
