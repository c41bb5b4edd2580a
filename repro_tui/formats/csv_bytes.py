"""What the bytes of a CSV file say before its cells are read: whether it is text, and whether its numbers are written
so that a reader of numbers loses nothing of them.

Every byte is looked at, in windows that stay in the processor's cache, by comparisons of whole windows: 250 MB take a
quarter of a second. Where nothing is odd, which is nearly always, the cells can be read as numbers at once; where
something may be, they are read as text, and what each column is gets decided by all of its cells.
"""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any

import numpy as np

from repro_tui.formats.columns import TableError

BLOCK = 8 << 20
WINDOW = 1 << 17
BEFORE, AFTER = 2, 3  # bytes beside those that are looked at, which show what these are
_SMALL = 0x20  # the bit that makes a capital a small letter
_ZEROS = b"0" * 64  # so may be what has as many zeros behind its point
_OF_NUMBERS = np.isin(np.arange(256), list(b"0123456789.+-infINFatyATY \t"))

Bytes = np.ndarray[Any, np.dtype[np.uint8]]  # below 0 they begin again at 255
Mask = np.ndarray[Any, np.dtype[np.bool_]]


def check_bytes(raw: Path) -> bool:
    """Whether every number in a CSV file is written as we would. Raises TableError, with the line, where there is a NUL
    or a quote that is never closed."""
    position, quotes, last, plain, before = 0, 0, 0, True, b"\n" * BEFORE
    with raw.open("rb") as stream:
        while chunk := stream.read(WINDOW):
            if b"\0" in chunk:
                raise TableError(f"line {_line(raw, position + chunk.index(0))} holds a NUL byte")
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
    """Whether a cell may be a number with a sign or a zero that says nothing (+1, 007, -0, 0x1F), one that is nearer to
    0 than a float can be, or one with blanks around it. Other text may look like that, too.

    `text` begins with two bytes and ends with three that are only there to see what is beside the others.
    """
    codes = np.frombuffer(text, dtype=np.uint8)
    edge = (codes == ord(",")) | (codes == ord("\n"))
    for mark in (b'"', b"\r"):
        if mark in text:
            edge |= codes == ord(mark)
    window = _Window(text, codes, edge)
    return window.has_zeros() or window.has_signs() or window.has_blanks()


class _Window:
    """Some bytes, each with those beside it, and whether it begins or ends a cell."""

    def __init__(self, text: bytes, codes: Bytes, edge: Mask) -> None:
        self.text, self.before, self.inner = text, codes[1:-4], codes[2:-3]
        self.after, self.second, self.third = codes[3:-2], codes[4:-1], codes[5:]
        self.begins, self.ends = edge[1:-4], edge[3:-2]

    def has_zeros(self) -> bool:
        """007, 0x1F, or 0.000 and so on."""
        zeros = (self.inner == ord("0")) & self.begins
        if (zeros & (self.after - ord("0") <= 9)).any() or self._has_many_zeros():
            return True
        return (b"x" in self.text or b"X" in self.text) and bool((zeros & (self.after | _SMALL == ord("x"))).any())

    def _has_many_zeros(self) -> bool:
        """Whether there are 64 zeros on end: of these eight stand eight places apart."""
        sampled = self.inner[::8] == ord("0")
        for step in (1, 2, 4):  # two on end, then four, then eight
            sampled = sampled[:-step] & sampled[step:]
        return bool(sampled.any()) and _ZEROS in self.text

    def has_signs(self) -> bool:
        """+1, -0, -01, or 1e-400: what has three digits there may be nearer to 0 than a float can be."""
        if b"+" in self.text and ((self.inner == ord("+")) & self.begins).any():
            return True
        if b"-" not in self.text:
            return False
        minus = self.inner == ord("-")
        if (minus & self.begins & (self.after == ord("0")) & (self.second != ord("."))).any():
            return True
        tiny = minus & (self.before | _SMALL == ord("e"))
        for part in (self.after, self.second, self.third) if tiny.any() else ():
            tiny &= part - ord("0") <= 9
        return bool(tiny.any())

    def has_blanks(self) -> bool:
        """A blank or a tab before or behind what may be a number."""
        for mark in (b" ", b"\t"):
            if mark in self.text:
                blank = self.inner == ord(mark)
                beside = self.after[blank & self.begins], self.before[blank & self.ends]
                if any(_OF_NUMBERS[neighbours].any() for neighbours in beside):
                    return True
        return False


def check_text(raw: Path) -> None:
    """Raises TableError with the first byte that is no UTF-8; what reads the cells only says that there is one."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    position = 0
    with raw.open("rb") as stream:
        while chunk := stream.read(BLOCK):
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                raise TableError(f"byte {position + error.start:,} is not UTF-8") from error
            position += len(chunk)
    if decoder.getstate()[0]:
        raise TableError(f"byte {position:,}: the file ends within a character of UTF-8")


def _line(raw: Path, position: int) -> int:
    """The number of the line in which a byte stands."""
    line = 1
    with raw.open("rb") as stream:
        while position > 0 and (chunk := stream.read(min(BLOCK, position))):
            line, position = line + chunk.count(b"\n"), position - len(chunk)
    return line
