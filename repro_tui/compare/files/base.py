"""The seam: what a kind of file is, the content that it compares, and the bounded list of differences that it fills."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from io import BufferedReader
from pathlib import Path
from typing import Protocol

from repro_tui.model.finding import Change, Finding
from repro_tui.support.regular import check_regular, open_regular
from repro_tui.support.sizes import size_over
from repro_tui.support.text import excerpt, first_difference

HEAD = 4096  # bytes by which a kind of file is recognised
MOST_DIFFERENCES = 1_000
MOST_INSIDE = 20_000  # differences of all members of one file
LONGEST_TEXT = 10_000  # characters of a value
KEPT_AROUND = 2_000  # characters of a longer value on either side of the first difference
SAFE_INTEGER = 1 << 63


class UnreadableError(Exception):
    """The content is not what it looks like, or it is too large or too deeply nested: `str()` says which."""


@dataclass(frozen=True)
class FileContent:
    """One version of a file: its bytes at `path`, and the name by which it is known, such as `model.json`."""

    path: Path
    name: str

    @cached_property
    def size(self) -> int:
        """The number of bytes. Raises OSError, as does every reading here, where it is not a regular file."""
        return check_regular(self.path).st_size

    @cached_property
    def head(self) -> bytes:
        """The first bytes."""
        with self.stream() as stream:
            return stream.read(HEAD)

    @property
    def suffix(self) -> str:
        """The name's extension in lower case, such as `.json`."""
        return Path(self.name).suffix.lower()

    def stream(self) -> BufferedReader:
        """The bytes as a stream."""
        return open_regular(self.path)

    def read(self, most: int) -> bytes:
        """All bytes. Raises UnreadableError where there are more than `most`."""
        if self.size > most:
            raise UnreadableError("it has {}, and at most {} are read".format(*size_over(self.size, most)))
        with self.stream() as stream:
            return stream.read(most)


@dataclass(slots=True)
class FileDifferences:
    """The differences of two contents in the order in which they are met: the first 1,000, and the number of all.

    `inner` compares two contents inside these two, such as the members of an archive, and `scratch` is a folder for
    them. `depth` is how many contents these are inside, and `room` how many differences may still be kept in all.
    """

    scratch: Path
    inner: Callable[[FileContent, FileContent, FileDifferences], str]
    depth: int = 0
    kept: list[Finding] = field(default_factory=list)
    count: int = 0
    room: list[int] = field(default_factory=lambda: [MOST_INSIDE])
    is_text: bool = False  # two text files, which the caller compares by line

    def add(self, path: tuple[str, ...], change: Change, a: object, b: object, note: str = "") -> None:
        """Adds one difference; past the limit it is only counted."""
        self.add_finding(Finding(path, change, plain(a), plain(b), "notice", note))

    @property
    def is_full(self) -> bool:
        """Whether further differences are only counted: `count` may then be added to, without a finding."""
        return len(self.kept) >= MOST_DIFFERENCES or self.room[0] <= 0

    def add_finding(self, finding: Finding) -> None:
        """Adds a difference that may have others below it."""
        self.count += 1
        if not self.is_full:
            self.kept.append(finding)
            self.room[0] -= 1

    def below(self) -> FileDifferences:
        """An empty list for the differences of two contents inside these."""
        return FileDifferences(self.scratch, self.inner, self.depth + 1, room=self.room)

    @property
    def left_out(self) -> str:
        """A note on what was counted and not kept; "" where everything was kept."""
        more = self.count - len(self.kept)
        if not more:
            return ""
        return f"the first {len(self.kept):,} are listed, {more:,} more {'is' if more == 1 else 'are'} not"


class FileKind(Protocol):
    """Compares two contents of one kind. It never executes or unpickles anything, whatever the bytes are."""

    @property
    def name(self) -> str:
        """What the kind is called in a note: `JSON`, `safetensors`."""

    def matches(self, content: FileContent) -> bool:
        """Whether the content looks like this kind: by its first bytes, by its name only where these do not tell."""

    def compare(self, a: FileContent, b: FileContent, differences: FileDifferences) -> str:
        """Adds the differences and returns a note on the whole.

        Raises UnreadableError where a side is not of this kind or exceeds a limit; the next kind is tried then.
        """


def plain(value: object) -> object:
    """A single value as one of JSON: what JSON cannot hold, or readers of it cannot, becomes text."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if -SAFE_INTEGER <= value < SAFE_INTEGER else digits(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if isinstance(value, str) else str(value)


def digits(value: int) -> str:
    """An integer as text; one that Python refuses to print is described by its number of bits."""
    return str(value) if value.bit_length() <= 10_000 else f"an integer of {value.bit_length():,} bits"


def cut_texts(a: str, b: str) -> tuple[str, str, str]:
    """Two texts cut around their first difference where they are long, and a note on where that is ("": not cut)."""
    if max(len(a), len(b)) <= LONGEST_TEXT:
        return a, b, ""
    first = first_difference(a, b)
    start = max(0, first - KEPT_AROUND)
    note = f"{len(a):,} and {len(b):,} characters, the first difference at character {first:,}"
    return excerpt(a, start, 2 * KEPT_AROUND), excerpt(b, start, 2 * KEPT_AROUND), note


def blocks(a: BufferedReader, b: BufferedReader, size: int = 1 << 20) -> Iterator[tuple[bytes, bytes]]:
    """Both streams in blocks, as far as either has bytes."""
    while True:
        pair = a.read(size), b.read(size)
        if not any(pair):
            return
        yield pair


def same_bytes(a: FileContent, b: FileContent) -> bool:
    """Whether two contents have the same bytes; reading ends at the first difference."""
    if a.size != b.size:
        return False
    with a.stream() as stream_a, b.stream() as stream_b:
        return all(left == right for left, right in blocks(stream_a, stream_b))
