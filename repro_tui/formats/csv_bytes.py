"""A scan of the bytes of a CSV file before its cells are read: is it text, and are its numbers written canonically?

Idea: reading cells as numbers directly is fast, but loses the spelling: 007, +1 and -0 would become 7, 1 and 0. If no
cell can be such a number, which is almost always so, the cells are read as numbers at once. Otherwise they are read as
text, and the type of each column is decided by all of its cells.

The scan may report an odd number where there is none (a text such as "x-0"), which only costs time, but never misses
one. It compares whole windows with numpy, in pieces that fit into the processor's cache: 250 MB take 0.25 s.

Example: `id,score\\n007,0.5\\n` is odd, since a cell begins with 0 and a digit; `id,score\\n7,-0.5\\n` is not.
"""

from __future__ import annotations

import codecs
from pathlib import Path

import numpy as np
import numpy.typing as npt

from repro_tui.formats.columns import TableError
from repro_tui.support.regular import open_regular

BLOCK = 8 << 20
WINDOW = 1 << 17
BEFORE, AFTER = 2, 3  # context: bytes on both sides of those that are checked
_LOWER = 0x20  # the bit that turns an upper-case letter into lower case
_ZEROS = b"0" * 64  # a number with this many zeros may be nearer to 0 than a float can be
_OF_NUMBERS = np.isin(np.arange(256), list(b"0123456789.+-infINFatyATY \t"))

Bytes = npt.NDArray[np.uint8]  # unsigned: a difference below 0 wraps around to 255
Mask = npt.NDArray[np.bool_]


def check_bytes(raw: Path) -> bool:
    """Whether every number in a CSV file is certainly written canonically.

    Raises TableError, with the line, for a NUL byte or a quote that is never closed.
    """
    position, quotes, last, plain, before = 0, 0, 0, True, b"\n" * BEFORE
    with open_regular(raw) as stream:
        while chunk := stream.read(WINDOW):
            if b"\0" in chunk:
                raise TableError(f"line {_line(raw, position + chunk.index(0))} contains a NUL byte")
            if count := int(np.count_nonzero(np.frombuffer(chunk, dtype=np.uint8) == ord('"'))):
                quotes, last = quotes + count, position + chunk.rindex(b'"')
            if plain:
                before += chunk
                plain = not has_odd_numbers(before)
                before = before[-(BEFORE + AFTER) :]
            position += len(chunk)
    if quotes % 2:
        raise TableError(f"a quote is never closed: the last one is on line {_line(raw, last)}")
    return plain and not has_odd_numbers(before + b"\n" * AFTER)


def has_odd_numbers(text: bytes) -> bool:
    """Whether a cell may be a number with a redundant sign or zero (+1, 007, -0, 0x1F), one nearer to 0 than any float,
    or one with blanks around it. Some other text is reported, too.

    The first two and the last three bytes of `text` are only context for the others.
    """
    codes = np.frombuffer(text, dtype=np.uint8)
    edge = (codes == ord(",")) | (codes == ord("\n"))
    for mark in (b'"', b"\r"):
        if mark in text:
            edge |= codes == ord(mark)
    window = _Window(text, codes, edge)
    return window.has_zeros() or window.has_signs() or window.has_blanks()


class _Window:
    """A window of bytes, each with its neighbours and whether it begins or ends a cell."""

    def __init__(self, text: bytes, codes: Bytes, edge: Mask) -> None:
        self.text, self.before, self.inner = text, codes[1:-4], codes[2:-3]
        self.after, self.second, self.third = codes[3:-2], codes[4:-1], codes[5:]
        self.begins, self.ends = edge[1:-4], edge[3:-2]

    def has_zeros(self) -> bool:
        """Whether there may be a number such as 007 or 0x1F, or 0.000… with very many zeros."""
        zeros = (self.inner == ord("0")) & self.begins
        if (zeros & (self.after - ord("0") <= 9)).any() or self._has_many_zeros():
            return True
        return (b"x" in self.text or b"X" in self.text) and bool((zeros & (self.after | _LOWER == ord("x"))).any())

    def _has_many_zeros(self) -> bool:
        """Whether there are 64 zeros in a row: every eighth byte is sampled, of which eight in a row must be zeros."""
        sampled = self.inner[::8] == ord("0")
        for step in (1, 2, 4):  # two in a row, then four, then eight
            sampled = sampled[:-step] & sampled[step:]
        return bool(sampled.any()) and _ZEROS in self.text

    def has_signs(self) -> bool:
        """Whether there may be a number such as +1, -0, -01 or 1e-400 (an exponent of three digits may underflow)."""
        if b"+" in self.text and ((self.inner == ord("+")) & self.begins).any():
            return True
        if b"-" not in self.text:
            return False
        minus = self.inner == ord("-")
        if (minus & self.begins & (self.after == ord("0")) & (self.second != ord("."))).any():
            return True
        tiny = minus & (self.before | _LOWER == ord("e"))
        for part in (self.after, self.second, self.third) if tiny.any() else ():
            tiny &= part - ord("0") <= 9
        return bool(tiny.any())

    def has_blanks(self) -> bool:
        """Whether there is a blank or a tab before or after what may be a number."""
        for mark in (b" ", b"\t"):
            if mark in self.text:
                blank = self.inner == ord(mark)
                adjacent = self.after[blank & self.begins], self.before[blank & self.ends]
                if any(_OF_NUMBERS[neighbours].any() for neighbours in adjacent):
                    return True
        return False


def check_text(raw: Path) -> None:
    """Raises TableError with the position of the first byte that is not UTF-8, which Arrow's reader does not report."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    position = 0
    with open_regular(raw) as stream:
        while chunk := stream.read(BLOCK):
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                raise TableError(f"byte {position + error.start:,} is not UTF-8") from error
            position += len(chunk)
    if decoder.getstate()[0]:
        raise TableError(f"byte {position:,}: the file ends inside a UTF-8 character")


def _line(raw: Path, position: int) -> int:
    """The number of the line that contains a byte."""
    line = 1
    with open_regular(raw) as stream:
        while position > 0 and (chunk := stream.read(min(BLOCK, position))):
            line, position = line + chunk.count(b"\n"), position - len(chunk)
    return line
