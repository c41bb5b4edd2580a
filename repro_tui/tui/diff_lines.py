"""The hunks of a changed file as lines, side by side or in one column, with syntax highlighting.

A hunk has the lines of both sides. difflib aligns them: equal lines stand at the same height, and a changed block is as
high as its longer side, with empty lines on the other. For "one two three" against "one 2 three new":

    one    | one
    two    | 2        changed words are marked where both sides have a line
    three  | three
           | new      only in B

In one column, the lines that A had come before the lines that B has instead, block by block. Cost: quadratic in the
lines of a hunk, which git keeps short.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from repro_tui.model.finding import Finding
from repro_tui.support.text import show, show_lines
from repro_tui.tui.widgets.grid import ColumnSpec
from repro_tui.tui.widgets.safe import changed_segments, marked

if TYPE_CHECKING:
    from pygments.lexer import Lexer

HEADER = re.compile(r"@@ -(\d+),\d+ \+(\d+),\d+ @@")
BESIDE = [
    ColumnSpec("", 5, 0, True),
    ColumnSpec("", 1),
    ColumnSpec("A", 20, 1, side="a"),
    ColumnSpec("", 5, 0, True),
    ColumnSpec("B", 20, 1, side="b"),
]
STACKED = [ColumnSpec("A", 5, 0, True), ColumnSpec("B", 5, 0, True), ColumnSpec("", 1), ColumnSpec("", 20, 1)]


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of each side (None: that side has none) with its number (from 1); or the header of a hunk, in `head`."""

    a: str | None
    b: str | None
    number_a: int = 0
    number_b: int = 0
    head: str = ""

    @property
    def changed(self) -> bool:
        """Whether the sides differ here."""
        return not self.head and self.a != self.b


def diff_lines(hunks: Sequence[Finding]) -> list[DiffLine]:
    """The lines of all hunks of a file, each hunk after its header."""
    return [line for hunk in hunks for line in _hunk(hunk)]


def _hunk(hunk: Finding) -> Iterator[DiffLine]:
    head = hunk.path[-1] if hunk.path else ""
    match = HEADER.fullmatch(head)
    number_a, number_b = (int(match[1]), int(match[2])) if match else (1, 1)
    a, b = (show_lines(value, 1000) if isinstance(value, str) else [] for value in (hunk.a, hunk.b))
    yield DiffLine(None, None, head=show(head, 200))
    for _, a_from, a_to, b_from, b_to in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        for step in range(max(a_to - a_from, b_to - b_from)):
            index_a, index_b = a_from + step, b_from + step
            line_a = a[index_a] if index_a < a_to else None
            line_b = b[index_b] if index_b < b_to else None
            yield DiffLine(line_a, line_b, number_a + index_a, number_b + index_b)


def stacked(lines: Sequence[DiffLine]) -> list[DiffLine]:
    """The same lines for one column: in each changed block the lines of A, then those of B."""
    column: list[DiffLine] = []
    only_b: list[DiffLine] = []  # of the current block
    for line in lines:
        if line.changed:
            if line.a is not None:
                column.append(DiffLine(line.a, None, line.number_a))
            if line.b is not None:
                only_b.append(DiffLine(None, line.b, 0, line.number_b))
        else:
            column += [*only_b, line]
            only_b = []
    return column + only_b


class DiffRows:
    """The lines of a diff as rows of a grid; `name` is the file's, which decides the syntax highlighting."""

    def __init__(self, lines: Sequence[DiffLine], name: str, beside: bool) -> None:
        self.lines = list(lines) if beside else stacked(lines)
        self.beside, self._lexer = beside, lexer_of(name)

    def __len__(self) -> int:
        return len(self.lines)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Line numbers, glyph, and the line of each side."""
        line = self.lines[row]
        if line.head:
            head = Text(line.head, style="busy")
            return (
                (Text(""), Text(""), head, Text(""), Text("")) if self.beside else (Text(""), Text(""), Text(""), head)
            )
        glyph, style = _glyph(line)
        numbers = [Text(str(n) if text is not None else "", style="quiet") for n, text in _numbered(line)]
        if self.beside:
            a, b = self._pair(line)
            return (numbers[0], Text(glyph, style=style), a, numbers[1], b)
        text = line.a if line.b is None else line.b
        shown = self._coloured(text or "") if not line.changed else Text(text or "", style=style)
        return (*numbers, Text(glyph, style=style), shown)

    def _pair(self, line: DiffLine) -> tuple[Text, Text]:
        if not line.changed:
            shown = self._coloured(line.a or "")
            return shown, shown
        if line.a is None or line.b is None:
            return Text(line.a or "", style="line-a"), Text(line.b or "", style="line-b")
        segments_a, segments_b = changed_segments(line.a, line.b)
        return marked(segments_a, "mark-a", "line-a"), marked(segments_b, "mark-b", "line-b")

    def _coloured(self, text: str) -> Text:
        if self._lexer is None:
            return Text(text)
        line = Text()
        for token, part in self._lexer.get_tokens(text):
            line.append(part.rstrip("\n"), style_of(token))
        return line


def _numbered(line: DiffLine) -> list[tuple[int, str | None]]:
    return [(line.number_a, line.a), (line.number_b, line.b)]


def _glyph(line: DiffLine) -> tuple[str, str]:
    if not line.changed:
        return " ", ""
    return ("+", "line-b") if line.a is None else ("-", "line-a") if line.b is None else ("≠", "bad")


def lexer_of(name: str) -> Lexer | None:
    """The Pygments lexer for a file of this name; None where there is none."""
    from pygments.lexers import get_lexer_for_filename
    from pygments.util import ClassNotFound

    try:
        lexer: Lexer = get_lexer_for_filename(name, stripnl=False, ensurenl=False)
        return lexer
    except ClassNotFound:
        return None


def style_of(token: tuple[str, ...]) -> str:
    """The style of a Pygments token type: a name of widgets/styles.py, or ""."""
    from pygments.token import Token

    looks = (
        (Token.Comment, "comment"),
        (Token.Keyword, "keyword"),
        (Token.Literal.String, "string"),
        (Token.Literal.Number, "number"),
        (Token.Name.Function, "name"),
        (Token.Name.Class, "name"),
        (Token.Name.Tag, "name"),
        (Token.Name.Builtin, "keyword"),
    )
    return next((look for family, look in looks if token[: len(family)] == family), "")
