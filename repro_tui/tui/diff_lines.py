"""The hunks of a changed file as lines side by side, or one above the other, with syntax in colour."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from repro_tui.model.finding import Finding
from repro_tui.support.text import show, show_lines
from repro_tui.tui.widgets.grid import ColumnSpec
from repro_tui.tui.widgets.safe import changed_segments

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
    """One line of each side (None: there is none) with its number; a hunk's head has `head`."""

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
    """All hunks of a file, each with its head."""
    return [line for hunk in hunks for line in _hunk(hunk)]


def _hunk(hunk: Finding) -> Iterator[DiffLine]:
    head = hunk.path[-1] if hunk.path else ""
    match = HEADER.fullmatch(head)
    number_a, number_b = (int(match[1]), int(match[2])) if match else (1, 1)
    a, b = (show_lines(value, 1000) if isinstance(value, str) else [] for value in (hunk.a, hunk.b))
    yield DiffLine(None, None, head=show(head, 200))
    for _, a_from, a_to, b_from, b_to in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        for step in range(max(a_to - a_from, b_to - b_from)):
            at, to = a_from + step, b_from + step
            one = a[at] if at < a_to else None
            other = b[to] if to < b_to else None
            yield DiffLine(one, other, number_a + at, number_b + to)


def stacked(lines: Sequence[DiffLine]) -> list[DiffLine]:
    """The same as one column: what A had, then what B has instead."""
    found: list[DiffLine] = []
    waiting: list[DiffLine] = []
    for line in lines:
        if line.changed:
            if line.a is not None:
                found.append(DiffLine(line.a, None, line.number_a))
            if line.b is not None:
                waiting.append(DiffLine(None, line.b, 0, line.number_b))
        else:
            found += [*waiting, line]
            waiting = []
    return found + waiting


class DiffRows:
    """Lines of a diff as rows of the grid."""

    def __init__(self, lines: Sequence[DiffLine], name: str, beside: bool) -> None:
        self.lines = list(lines) if beside else stacked(lines)
        self.beside, self._lexer = beside, lexer_of(name)

    def __len__(self) -> int:
        return len(self.lines)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Numbers, glyph, and one line of each side."""
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
        cut_a, cut_b = changed_segments(line.a, line.b)
        return _marked(cut_a, "line-a", "mark-a"), _marked(cut_b, "line-b", "mark-b")

    def _coloured(self, text: str) -> Text:
        found = Text()
        for kind, part in self._lexer.get_tokens(text) if self._lexer else ():
            found.append(part.rstrip("\n"), style_of(kind))
        return found if self._lexer else Text(text)


def _numbered(line: DiffLine) -> list[tuple[int, str | None]]:
    return [(line.number_a, line.a), (line.number_b, line.b)]


def _glyph(line: DiffLine) -> tuple[str, str]:
    if not line.changed:
        return " ", ""
    return ("+", "line-b") if line.a is None else ("-", "line-a") if line.b is None else ("≠", "bad")


def _marked(segments: list[tuple[str, bool]], line: str, mark: str) -> Text:
    found = Text()
    for text, changed in segments:
        found.append(text, mark if changed else line)
    return found


def lexer_of(name: str) -> Any:
    """The lexer for a file's name, or None."""
    from pygments.lexers import get_lexer_for_filename
    from pygments.util import ClassNotFound

    try:
        return get_lexer_for_filename(name, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


def style_of(kind: Any) -> str:
    """The look of a token."""
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
    return next((look for token, look in looks if kind in token), "")
