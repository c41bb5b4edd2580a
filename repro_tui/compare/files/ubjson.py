"""UBJSON, draft 12 (https://ubjson.org), as XGBoost writes its models: read as data, within limits.

Arrays of one type of number are lists. Depth is bounded, and a declared length is never trusted beyond the bytes that
are there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from repro_tui.formats.documents import no_duplicates

DEEPEST = 100


class Character(str):
    """A single character, which is of another type than a text of one."""

    __slots__ = ()


_NUMBERS = {
    ord("i"): (">b", 1),
    ord("U"): (">B", 1),
    ord("I"): (">h", 2),
    ord("l"): (">i", 4),
    ord("L"): (">q", 8),
    ord("d"): (">f", 4),
    ord("D"): (">d", 8),
}
_WORDS = {ord("Z"): None, ord("T"): True, ord("F"): False}
_LENGTHS = b"iUIlL"


def parse_ubjson(content: bytes) -> object:
    """The value in these bytes. Raises ValueError where they are not UBJSON, or nested too deeply."""
    reader = _Ubjson(content)
    value = reader.value(reader.byte(), 0)
    if reader.place != len(content):
        raise ValueError(f"{len(content) - reader.place:,} bytes follow its value")
    return value


class _Ubjson:
    def __init__(self, content: bytes) -> None:
        self.content, self.place = content, 0

    def byte(self) -> int:
        return self.consume(1)[0]

    def consume(self, count: int) -> bytes:
        if count < 0 or count > len(self.content) - self.place:
            raise ValueError(f"it ends within a value at byte {self.place:,}")
        self.place += count
        return self.content[self.place - count : self.place]

    def peek(self) -> int:
        if self.place >= len(self.content):
            raise ValueError("it ends within a value")
        return self.content[self.place]

    def value(self, kind: int, depth: int) -> object:
        if kind in _NUMBERS:
            form, size = _NUMBERS[kind]
            number: object = struct.unpack(form, self.consume(size))[0]
            return number
        if kind in _WORDS:
            return _WORDS[kind]
        if kind == ord("S"):
            return self.text()
        if kind == ord("C"):
            return Character(chr(self.byte()))
        if kind == ord("H"):
            return self.precise_number()
        if kind not in b"[{":
            raise ValueError(f"unknown type {kind:#04x} at byte {self.place - 1:,}")
        if depth > DEEPEST:
            raise ValueError(f"it is nested deeper than {DEEPEST} levels")
        return self.list(depth) if kind == ord("[") else self.table(depth)

    def length(self, kind: int | None = None) -> int:
        kind = self.byte() if kind is None else kind
        if kind not in _LENGTHS:
            raise ValueError(f"a length is missing at byte {self.place - 1:,}")
        form, size = _NUMBERS[kind]
        number: int = struct.unpack(form, self.consume(size))[0]
        if not 0 <= number <= len(self.content):
            raise ValueError(f"an impossible length of {number:,} at byte {self.place:,}")
        return number

    def text(self, kind: int | None = None) -> str:
        """A text; bytes that are not UTF-8 stay apart from any text that is."""
        return self.consume(self.length(kind)).decode("utf-8", "surrogateescape")

    def precise_number(self) -> Decimal:
        """A number of any precision, which is written as text."""
        try:
            number = Decimal(self.text())
        except InvalidOperation as error:
            raise ValueError("a number is not one") from error
        if not number.is_finite():
            raise ValueError("a number is not finite")
        return number

    def header(self) -> tuple[int | None, int | None]:
        """The common type and the number of elements, where they are declared."""
        kind = count = None
        if self.peek() == ord("$"):
            self.byte()
            kind = self.byte()
            if kind in _WORDS or self.peek() != ord("#"):  # elements without bytes could be any number
                raise ValueError("a typed list whose elements have no bytes, or are not counted")
        if self.peek() == ord("#"):
            self.byte()
            count = self.length()
        return kind, count

    def list(self, depth: int) -> list[object]:
        kind, count = self.header()
        if kind in _NUMBERS and count is not None:
            form, size = _NUMBERS[kind]
            return list(struct.unpack(f">{count}{form[1]}", self.consume(count * size)))
        return [self.value(self._kind(kind), depth + 1) for _ in self._entries(count, ord("]"))]

    def table(self, depth: int) -> dict[str, object]:
        kind, count = self.header()
        pairs = []
        for _ in self._entries(count, ord("}")):
            name = self.text()
            pairs.append((name, self.value(self._kind(kind), depth + 1)))
        return no_duplicates(pairs)

    def _kind(self, kind: int | None) -> int:
        return self.byte() if kind is None else kind

    def _entries(self, count: int | None, end: int) -> Iterator[None]:
        """Once for each entry: as many as declared, else up to the closing bracket; no-ops between are skipped."""
        if count is not None:
            for _ in range(count):
                yield
            return
        while True:
            following = self.peek()
            if following == end:
                self.byte()
                return
            if following == ord("N"):
                self.byte()
                continue
            yield
