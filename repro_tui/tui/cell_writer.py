"""Writes cells to a terminal with as few bytes as it takes.

In 256 colours a change of style takes up to 22 bytes, and a move of the cursor 3 to 8. So of the cells that differ, all
that look the same are written before the next style is set, wherever they stand. A run of blanks is erased by one
sequence where the terminal's description says that erasing keeps the background.

A line with characters that are not one cell wide is written whole, and each of them is followed by an absolute
position, since terminals do not agree on the width of all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len

ENDS = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "7": "27", "9": "29"}  # what ends an attribute
SEEN_ON_BLANKS = frozenset({"4", "5", "7", "9"})  # attributes that show where there is no text
NEAR = 4  # unchanged cells that are written again, as moving over them costs as much
BLANKS = re.compile(" {10,}")  # fewer are not worth the two sequences that erase them and move over them
RESET = "\x1b[0m"


class CellLook(NamedTuple):
    """A style as parameters of SGR; "" is the terminal's own colour."""

    attributes: tuple[str, ...] = ()
    foreground: str = ""
    background: str = ""


class DrawnCell(NamedTuple):
    """What stands in one cell; "" in those that a wide character covers beside its first."""

    text: str
    look: CellLook


Line = list[DrawnCell | None]  # None: nobody knows
PLAIN = CellLook()


def erases_with_background(term: str | None = None) -> bool:
    """Whether a terminal's description has "back color erase"; `term` is its name (None: $TERM)."""
    try:
        import curses

        curses.setupterm(term, 2)  # what is drawn goes to standard error
        return curses.tigetflag("bce") == 1 and curses.tigetstr("ech") == b"\x1b[%p1%dX"
    except (ImportError, OSError, ValueError):
        return False
    except curses.error:  # nothing is known of it
        return False


def blank_look(look: CellLook) -> CellLook:
    """What is seen of a look where there is no text: two blanks that look the same are the same."""
    return look if SEEN_ON_BLANKS.intersection(look.attributes) else CellLook(background=look.background)


@lru_cache(4096)
def is_single(text: str) -> bool:
    """Whether every character is one cell wide."""
    return all(cell_len(character) == 1 for character in text)


@dataclass(slots=True)
class _Piece:
    """Neighbouring cells of one look."""

    x: int
    text: str
    look: CellLook

    @property
    def end(self) -> int:
        return self.x + len(self.text)

    @property
    def is_blank(self) -> bool:
        return not self.text.strip(" ")

    def joined_look(self, cells: Sequence[DrawnCell | None]) -> CellLook | None:
        """The look in which this piece and the cells after it can be written together; None if there is none."""
        look, is_blank = self.look, self.is_blank
        for cell in cells:
            if cell is None:
                return None
            if not _fits(cell, look):
                if not (is_blank and _fits(DrawnCell(" ", look), cell.look)):
                    return None
                look = cell.look
            is_blank = is_blank and cell.text == " "
        return look


def _fits(cell: DrawnCell, look: CellLook) -> bool:
    """Whether a cell shows what it should when it is written in this look: of a blank, only the background is seen."""
    return cell.look == look or (cell.text == " " and cell.look == blank_look(look))


class CellWriter:
    """Collects what is to be written of an update; `erases`: blanks may be erased."""

    def __init__(self, erases: bool) -> None:
        self._erases = erases
        self._parts: list[str] = []
        self._pieces: dict[CellLook, list[tuple[int, _Piece]]] = {}
        self._look = PLAIN
        self._place: tuple[int, int] | None = None  # where the next character would stand; None: nobody knows

    def line(self, y: int, before: Line, after: Line) -> None:
        """Adds what differs between two states of a line."""
        if before == after:
            return
        if _is_odd(before) or _is_odd(after):
            self._write_whole(y, after)
            return
        for piece in _pieces(before, after):
            self._pieces.setdefault(piece.look, []).append((y, piece))

    def finished(self) -> str:
        """All that is to be written; the terminal is left in its own style."""
        self._place_blanks()
        while self._pieces:
            look = min(self._pieces, key=lambda each: len(_between(self._look, each)))
            for y, piece in sorted(self._pieces.pop(look), key=lambda entry: (entry[0], entry[1].x)):
                self._write(y, piece)
        return "".join((*self._parts, RESET)) if self._parts else ""

    def _place_blanks(self) -> None:
        """Writes pieces that are only blank in another look of their background, if there is one."""
        for look in [look for look in self._pieces if look == CellLook(background=look.background)]:
            hosts = (host for host in self._pieces if host != look and blank_look(host) == look)
            if (host := next(hosts, None)) is not None:
                self._pieces[host] += [entry for entry in self._pieces[look] if entry[1].is_blank]
                self._pieces[look] = [entry for entry in self._pieces[look] if not entry[1].is_blank]

    def _seen(self, cell: DrawnCell) -> CellLook:
        """The look in which a cell is written: of a blank, only the background has to be set."""
        if cell.text == " " and not SEEN_ON_BLANKS.intersection((*self._look.attributes, *cell.look.attributes)):
            return self._look._replace(background=cell.look.background)
        return cell.look

    def _set_look(self, look: CellLook) -> None:
        self._parts.append(_between(self._look, look))
        self._look = look

    def _write(self, y: int, piece: _Piece) -> None:
        look = self._seen(DrawnCell(" ", piece.look)) if piece.is_blank else piece.look
        self._set_look(look)
        if not self._erases or SEEN_ON_BLANKS.intersection(look.attributes):
            self._text(piece.x, y, piece.text)
            return
        start = 0
        for blanks in BLANKS.finditer(piece.text):
            self._text(piece.x + start, y, piece.text[start : blanks.start()])
            self._parts += (self._move(piece.x + blanks.start(), y), f"\x1b[{len(blanks[0])}X")
            start = blanks.end()
        self._text(piece.x + start, y, piece.text[start:])

    def _text(self, x: int, y: int, text: str) -> None:
        if text:
            self._parts += (self._move(x, y), text)
            self._place = (x + len(text), y)

    def _write_whole(self, y: int, cells: Line) -> None:
        for x, cell in enumerate(cells):
            if cell is None or not cell.text:
                continue
            if not _fits(cell, self._look):
                self._set_look(self._seen(cell))
            self._parts += (self._move(x, y), cell.text)
            self._place = (x + 1, y) if _is_plain(cell) else None

    def _move(self, x: int, y: int) -> str:
        """The shortest way to a cell. Right of the last column terminals differ in where they are."""
        if self._place == (x, y):
            return ""
        place, self._place = self._place, (x, y)
        if place is None:
            return f"\x1b[{y + 1};{x + 1}H"
        if place[1] == y and place[0] < x:
            return f"\x1b[{x - place[0]}C" if x - place[0] > 1 else "\x1b[C"
        if place[1] == y:
            return f"\x1b[{x + 1}G"
        return "\r\n" if (x, y) == (0, place[1] + 1) else f"\x1b[{y + 1};{x + 1}H"


def _pieces(before: Line, after: Line) -> Iterator[_Piece]:
    """The cells that differ, in pieces of one look, with those between two of them that are near."""
    piece: _Piece | None = None
    for x, (old, cell) in enumerate(zip(before, after, strict=True)):
        if cell is None or cell == old:
            continue
        if piece is not None and x - piece.end <= NEAR:
            between = after[piece.end : x + 1]
            look = piece.joined_look(between)
            if look is not None:
                piece.text += "".join(each.text for each in between if each is not None)
                piece.look = look
                continue
        if piece is not None:
            yield piece
        piece = _Piece(x, cell.text, cell.look)
    if piece is not None:
        yield piece


def _is_plain(cell: DrawnCell | None) -> bool:
    return cell is None or (len(cell.text) == 1 and (cell.text.isascii() or is_single(cell.text)))


def _is_odd(line: Line) -> bool:
    return not all(map(_is_plain, line))


@lru_cache(8192)
def _between(before: CellLook, after: CellLook) -> str:
    """The shortest sequence from one look to another."""
    if before == after:
        return ""
    gone, kept = set(before.attributes) - set(after.attributes), set(before.attributes) & set(after.attributes)
    ends = {ENDS[code] for code in gone}
    codes = sorted(ends)
    codes += [code for code in after.attributes if code not in kept or ENDS[code] in ends]
    if after.foreground != before.foreground:
        codes.append(after.foreground or "39")
    if after.background != before.background:
        codes.append(after.background or "49")
    anew = ["0", *after.attributes, *filter(None, (after.foreground, after.background))]
    return f"\x1b[{min(';'.join(codes), ';'.join(anew), key=len)}m"
