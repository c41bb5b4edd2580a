"""Digests of files, texts and trees."""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from typing import NamedTuple, Protocol

from repro_tui.support.regular import check_dense, regular_handle

CHUNK = 1 << 20
SMALL = 64 << 10  # bytes: a smaller file is read at once
LARGE = 8 << 20  # bytes: from here on, two digests are worth a thread each


class Hash(Protocol):
    """A digest that is being computed."""

    def update(self, data: memoryview, /) -> None:
        """Adds bytes."""
        ...

    def hexdigest(self) -> str:
        """The digest so far."""
        ...


class Digests(NamedTuple):
    """The size in bytes and the digests of one file, in hexadecimal; md5 only if it was requested."""

    size: int
    sha256: str
    md5: str | None = None


def digest_file(path: Path | str, *, md5: bool = False) -> Digests:
    """Reads a regular file once and returns its size and digests. Raises OSError."""
    small = _small_file(path)
    if small is not None:
        found_md5 = hashlib.md5(small, usedforsecurity=False).hexdigest() if md5 else None
        return Digests(len(small), hashlib.sha256(small).hexdigest(), found_md5)
    states = [hashlib.sha256(), *([hashlib.md5(usedforsecurity=False)] if md5 else [])]
    with os.fdopen(regular_handle(path), "rb", buffering=0) as stream:
        check_dense(stream.fileno(), path)
        large = md5 and os.fstat(stream.fileno()).st_size >= LARGE
        size = _read_at_once(stream, states) if large else _read(stream, states)
    hexdigests = [state.hexdigest() for state in states]
    return Digests(size, hexdigests[0], hexdigests[1] if md5 else None)


def _small_file(path: Path | str) -> bytes | None:
    """The content of a file that one read returns completely; None for a larger one. Saves calls for many files."""
    handle = regular_handle(path)
    try:
        content = os.read(handle, SMALL)
        return content if len(content) < SMALL and not os.read(handle, 1) else None
    finally:
        os.close(handle)


def _buffer(size: int) -> memoryview:
    """A page-aligned buffer: some processors copy several times slower to an address just past a page boundary."""
    return memoryview(mmap.mmap(-1, size))


def _read(stream: FileIO, states: Sequence[Hash]) -> int:
    size, buffer = 0, _buffer(min(CHUNK, os.fstat(stream.fileno()).st_size + 1))
    while count := stream.readinto(buffer):
        for state in states:
            state.update(buffer[:count])
        size += count
    return size


def _read_at_once(stream: FileIO, states: Sequence[Hash]) -> int:
    """Like `_read`, with one thread per digest: a large file takes as long as its slowest digest."""
    size, buffer = 0, _buffer(CHUNK)
    with ThreadPoolExecutor(len(states)) as pool:
        while count := stream.readinto(buffer):
            part = buffer[:count]
            list(pool.map(lambda state, part=part: state.update(part), states))
            size += count
    return size


def digest_text(*parts: str) -> str:
    """The sha256 of these texts, each prefixed with its length: ("ab", "c") and ("a", "bc") differ. A cache key."""
    state = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        state.update(len(raw).to_bytes(8, "big") + raw)
    return state.hexdigest()


def digest_tree(entries: Iterable[tuple[str, str]]) -> str:
    """One digest of a tree, given as pairs of relative path and digest in any order."""
    return digest_text(*(part for entry in sorted(entries) for part in entry))
