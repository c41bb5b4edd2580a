"""Differences as lines, side by side or in one column: of code, of texts, and of single values.

A hunk has the lines of both sides. difflib aligns them: equal lines stand at the same height, and a changed block is as
high as its longer side, with empty lines on the other. For "one two three" against "one 2 three new":

    one    | one
    two    | 2        changed words are marked where both sides have a line
    three  | three
           | new      only in B

In one column, the lines that A had come before the lines that B has instead, block by block. Cost: quadratic in the
lines of a hunk, which git keeps short.

A line that is longer than its column goes on below itself (`fitted`). Of a changed pair both sides are cut at the same
words, so that what corresponds stays at one height, and a difference at the end of 5,000 characters is a line of its
own that the cursor can go to.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from repro_tui.model.finding import Finding
from repro_tui.support.text import first_difference, plural, show, show_apart
from repro_tui.tui.widgets.grid import ColumnSpec
from repro_tui.tui.widgets.safe import SPACELESS, changed_segments, marked

if TYPE_CHECKING:
    from pygments.lexer import Lexer

HEADER = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")
WORDS = re.compile(rf"\s+|[{SPACELESS}]|[^\W{SPACELESS}]+|[^\w\s]")
LONGEST = 200_000  # characters of a line that are shown
MOST_LINES = 20_000
FEW_LINES = 500  # that difflib aligns
MOST_WORDS = 20_000  # words of a changed pair that are aligned; a longer one is shown as two blocks
NUMBER = 5  # cells of a line's number
AROUND = 3  # lines that stay around a difference where the rest is folded away
BESIDE = [ColumnSpec("", 1), ColumnSpec("A", 20, 1, side="a"), ColumnSpec("B", 20, 1, side="b")]
STACKED = [ColumnSpec("", 1), ColumnSpec("", 20, 1)]


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of each side (None: that side has none), or the header of what follows, in `head`.

    The numbers of the lines count from 1; 0 stands for none. `changed` is whether the sides differ here.
    """

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


def is_hunk(finding: Finding) -> bool:
    """Whether a finding is a block of changed lines of a text."""
    return bool(finding.path) and finding.path[-1].startswith("@@ ")


def text_lines(a: str, b: str) -> list[DiffLine]:
    """Two texts of one or several lines, aligned line by line."""
    numbered = "\n" in a or "\n" in b
    return list(_aligned(a, b, 1 if numbered else 0, 1 if numbered else 0))


def _hunk(hunk: Finding) -> Iterator[DiffLine]:
    head = hunk.path[-1] if hunk.path else ""
    match = HEADER.match(head)
    number_a, number_b = (int(match[1]), int(match[2])) if match else (1, 1)
    yield DiffLine(None, None, head=show(head, 200))
    yield from _aligned(hunk.a, hunk.b, number_a, number_b)


def _aligned(text_a: object, text_b: object, number_a: int, number_b: int) -> Iterator[DiffLine]:
    """The lines of two texts, equal ones at one height; numbers count from `number_a` and `number_b` (0: none)."""
    a, b = (text.split("\n") if isinstance(text, str) else [] for text in (text_a, text_b))
    rests = a[MOST_LINES:], b[MOST_LINES:]
    for a_from, a_to, b_from, b_to in _blocks(a[:MOST_LINES], b[:MOST_LINES]):
        for line_a, line_b in zip_longest(range(a_from, a_to), range(b_from, b_to)):
            shown_a, shown_b = _shown_pair(None if line_a is None else a[line_a], None if line_b is None else b[line_b])
            yield DiffLine(
                shown_a,
                shown_b,
                number_a + line_a if number_a and line_a is not None else 0,
                number_b + line_b if number_b and line_b is not None else 0,
            )
    if any(rests):
        remark_a, remark_b = (f"… ({plural(len(rest), 'more line')})" if rest else None for rest in rests)
        if rests[0] != rests[1] and remark_a == remark_b:
            remark_b = f"{remark_b}, which differ"
        yield DiffLine(remark_a, remark_b)


def _shown_pair(a: str | None, b: str | None) -> tuple[str | None, str | None]:
    if a is None or b is None:
        return (None if a is None else show(a, LONGEST)), (None if b is None else show(b, LONGEST))
    return show_apart(a, b, LONGEST)


def _blocks(a: list[str], b: list[str]) -> Iterator[tuple[int, int, int, int]]:
    """Where the blocks of equal lines and of changed ones begin and end on both sides.

    difflib's time grows with the cube of lines that repeat: of a long text, a longest common subsequence is taken.
    """
    if max(len(a), len(b)) <= FEW_LINES:
        for _, a_from, a_to, b_from, b_to in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
            yield a_from, a_to, b_from, b_to
        return
    from rapidfuzz.distance import Indel

    for _, block in groupby(Indel.opcodes(a, b), key=lambda code: code.tag == "equal"):
        codes = list(block)
        yield codes[0].src_start, codes[-1].src_end, codes[0].dest_start, codes[-1].dest_end


def changed_blocks(a: list[str], b: list[str]) -> Iterator[tuple[int, int, int, int]]:
    """Where the blocks begin and end that differ."""
    return (block for block in _blocks(a, b) if a[block[0] : block[1]] != b[block[2] : block[3]])


# -- lines that fit ---------------------------------------------------------------------------------------------------


def fitted(lines: Sequence[DiffLine], width: int) -> list[DiffLine]:
    """The lines in pieces of at most `width` cells; a piece after the first one has no number."""
    pieces: list[DiffLine] = []
    for line in lines:
        if line.head or max(cell_len(line.a or ""), cell_len(line.b or "")) <= width:
            pieces.append(line)
        else:
            pieces += _cut(line, width)
    return pieces


def _cut(line: DiffLine, width: int) -> Iterator[DiffLine]:
    text_a, text_b = (line.b or "") if line.a is None else line.a, (line.a or "") if line.b is None else line.b
    for index, (a, b) in enumerate(_cut_together(text_a, text_b, width)):
        sides = DiffLine(None if line.a is None else a, None if line.b is None else b)
        yield replace(sides, number_a=line.number_a, number_b=line.number_b) if not index else sides


def _is_wider(text: str, cells: int) -> bool:
    """Whether a text fills more than so many cells; of a long one, the beginning mostly says it."""
    start = text[: 4 * cells + 4]
    return cell_len(start) > cells or (len(start) < len(text) and cell_len(text) > cells)


def _split(text: str, cells: int) -> tuple[str, str]:
    """A text cut where its first part fills at most so many cells; wide characters take two."""
    if text.isascii():
        return text[:cells], text[cells:]
    used = 0
    for index, character in enumerate(text):
        used += cell_len(character)
        if used > cells:
            return text[:index], text[index:]
    return text, ""


def _cut_together(a: str, b: str, width: int) -> Iterator[tuple[str | None, str | None]]:
    """Both texts in pieces that end at the same words, wherever they agree."""
    piece_a, piece_b, left_a, left_b = "", "", width, width  # the cells that are left in the current pieces
    for part_a, part_b in _parts(a, b):
        if (
            (_is_wider(part_a, left_a) or _is_wider(part_b, left_b))
            and not (_is_wider(part_a, width) or _is_wider(part_b, width))
            and (piece_a or piece_b)
        ):
            yield piece_a or None, piece_b or None  # nothing is cut that fits on the next line
            piece_a, piece_b, left_a, left_b = "", "", width, width
        while _is_wider(part_a, left_a) or _is_wider(part_b, left_b):
            if part_a == part_b:
                left_a = left_b = min(left_a, left_b)
            (first_a, part_a), (first_b, part_b) = _split(part_a, left_a), _split(part_b, left_b)
            yield piece_a + first_a or None, piece_b + first_b or None
            piece_a, piece_b, left_a, left_b = "", "", width, width
        piece_a, piece_b = piece_a + part_a, piece_b + part_b
        left_a, left_b = left_a - cell_len(part_a), left_b - cell_len(part_b)
    if piece_a or piece_b:
        yield piece_a or None, piece_b or None


def _parts(a: str, b: str) -> Iterator[tuple[str, str]]:
    """Both texts in parts that are equal, word by word so that lines can end there, or that replace each other."""
    words_a, words_b = WORDS.findall(a), WORDS.findall(b)
    if a == b:
        yield from zip(words_a, words_b, strict=True)
        return
    if max(len(words_a), len(words_b)) > MOST_WORDS:
        same = first_difference(a, b)
        yield from ((word, word) for word in WORDS.findall(a[:same]))
        yield a[same:], b[same:]
        return
    from rapidfuzz.distance import Indel

    for code in Indel.opcodes(words_a, words_b):
        part_a, part_b = words_a[code.src_start : code.src_end], words_b[code.dest_start : code.dest_end]
        if code.tag == "equal":
            yield from ((word, word) for word in part_a)
        else:
            yield "".join(part_a), "".join(part_b)


def folded(lines: Sequence[DiffLine]) -> list[DiffLine]:
    """The lines around the differences; each run of others is one line that says how much is the same there."""
    near = [False] * len(lines)
    for row, line in enumerate(lines):
        if line.changed or line.head:
            span = range(max(0, row - AROUND), min(len(lines), row + AROUND + 1))
            near[span.start : span.stop] = [True] * len(span)
    kept: list[DiffLine] = []
    for is_near, run in groupby(zip(lines, near, strict=True), key=lambda entry: entry[1]):
        block = [line for line, _ in run]
        kept += block if is_near or len(block) == 1 else [DiffLine(None, None, head=_same(block))]
    return kept


def _same(lines: Sequence[DiffLine]) -> str:
    """How much a run of equal lines is: lines of a text of several, else characters."""
    numbered = sum(line.number_a > 0 for line in lines)
    extent = plural(numbered, "line") if numbered else plural(sum(len(line.a or "") for line in lines), "character")
    return f"… {extent} the same"


def stacked(lines: Sequence[DiffLine], b_first: bool = False) -> list[DiffLine]:
    """The same lines for one column: in each changed block the lines of A, then those of B, or the other way round."""
    column: list[DiffLine] = []
    block: tuple[list[DiffLine], list[DiffLine]] = ([], [])
    for line in lines:
        if line.changed:
            if line.a is not None:
                block[0].append(DiffLine(line.a, None, line.number_a))
            if line.b is not None:
                block[1].append(DiffLine(None, line.b, 0, line.number_b))
        else:
            column += [*block[b_first], *block[not b_first], line]
            block = ([], [])
    return [*column, *block[b_first], *block[not b_first]]


# -- rows of a grid ---------------------------------------------------------------------------------------------------


class DiffRows:
    """The lines of a difference as rows of a grid of `width` cells, with the columns BESIDE or STACKED.

    `name` is the file's, which decides the syntax highlighting. Lines without numbers, which are those of a single
    value, have the letters of their sides in one column. What needs more than `most` rows is folded around its
    differences (None: never).
    """

    def __init__(
        self,
        lines: Sequence[DiffLine],
        name: str,
        beside: bool,
        width: int = LONGEST,
        b_first: bool = False,
        most: int | None = None,
    ) -> None:
        self.beside, self._lexer = beside, lexer_of(name)
        self._numbered = any(line.number_a or line.number_b for line in lines)
        room = max(10, width // 2 - 3 if beside else width - 3) - (NUMBER + 1) * self._numbered
        pieces = fitted(lines, room)
        if most is not None and len(pieces) > most:
            pieces = folded(pieces)
        self.lines = pieces if beside else stacked(pieces, b_first)
        self._replaced = {} if beside else dict(_replaced(self.lines))

    def __len__(self) -> int:
        return len(self.lines)

    def differences(self) -> list[int]:
        """The rows at which a block of changed lines begins."""
        return [
            row for row, line in enumerate(self.lines) if line.changed and (row == 0 or not self.lines[row - 1].changed)
        ]

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """The glyph, and the line of each side after its number."""
        line = self.lines[row]
        if line.head:
            head = Text(line.head, style="busy")
            return (Text(""), head, Text("")) if self.beside else (Text(""), head)
        glyph, style = self._glyph(line)
        if self.beside:
            a, b = self._pair(line)
            return (Text(glyph, style=style), self._with_number(line.number_a, a), self._with_number(line.number_b, b))
        return (Text(glyph, style=style), self._with_number(line.number_a or line.number_b, self._single(row)))

    def _with_number(self, number: int, text: Text) -> Text:
        if not self._numbered:
            return text
        cell = Text()
        cell.append(f"{number or '':>{NUMBER}} ", "quiet")
        return cell.append_text(text)

    def _glyph(self, line: DiffLine) -> tuple[str, str]:
        if not line.changed:
            return " ", ""
        if self._numbered:
            return ("+", "line-b") if line.a is None else ("-", "line-a") if line.b is None else ("≠", "bad")
        return ("B", "line-b") if line.a is None else ("A", "line-a") if line.b is None else ("≠", "bad")

    def _single(self, row: int) -> Text:
        """A line of one column; of a changed line, only what differs from the other side's is marked."""
        line = self.lines[row]
        if not line.changed:
            return self._coloured(line.a or "")
        if row not in self._replaced:
            return Text(line.b or "", style="line-b") if line.a is None else Text(line.a, style="line-a")
        partner = self.lines[self._replaced[row]]
        first, last = (line, partner) if line.b is None else (partner, line)
        segments = changed_segments(first.a or "", last.b or "")
        return marked(segments[0], "mark-a", "line-a") if line.b is None else marked(segments[1], "mark-b", "line-b")

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


def _replaced(lines: Sequence[DiffLine]) -> Iterator[tuple[int, int]]:
    """The rows of changed lines in one column, each with the row of the line that the other side has in its place."""
    for changed, block in groupby(range(len(lines)), key=lambda row: lines[row].changed):
        rows = list(block) if changed else []
        only_a, only_b = [row for row in rows if lines[row].b is None], [row for row in rows if lines[row].a is None]
        for row_a, row_b in zip(only_a, only_b, strict=False):
            yield row_a, row_b
            yield row_b, row_a


def lexer_of(name: str) -> Lexer | None:
    """The Pygments lexer for a file of this name; None where there is none."""
    if "." not in name:
        return None
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
