"""A bounded sample of rows that is the same one in whatever order the rows come: those with the smallest hashes of
what names them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa

T = TypeVar("T")
Integers = np.ndarray[Any, np.dtype[Any]]
Places = np.ndarray[Any, np.dtype[np.int64]]
Hashes = np.ndarray[Any, np.dtype[np.uint64]]


class RowSample(Generic[T]):
    """At most `most` items, one a row, ordered by their hashes; which ones depends on the hashes alone."""

    def __init__(self, most: int) -> None:
        self.most, self.seen = most, 0
        self._hashes: Hashes = np.empty(0, dtype=np.uint64)
        self._items: list[T] = []

    def offer(self, hashes: Hashes, items: Callable[[Places], Sequence[T]]) -> None:
        """Offers rows by their hashes; `items` makes what is kept of those at some places among them."""
        self.seen += len(hashes)
        places = np.arange(len(hashes), dtype=np.int64)
        if len(self._items) >= self.most:
            places = np.flatnonzero(hashes < self._hashes[-1])
        if len(places) > self.most:
            places = np.sort(places[np.argpartition(hashes[places], self.most)[: self.most]])
        if len(places):
            self._keep(hashes[places], items(places))

    def _keep(self, hashes: Hashes, items: Sequence[T]) -> None:
        every, both = [*self._items, *items], np.concatenate([self._hashes, hashes])
        order = np.argsort(both, kind="stable")[: self.most]
        self._hashes, self._items = both[order], [every[place] for place in order]

    @property
    def items(self) -> list[T]:
        """What was kept."""
        return self._items

    def measure(self, of: str) -> dict[str, str]:
        """Where not all rows were kept, the measure that says so; `of` is what the rows are."""
        if self.seen <= len(self._items):
            return {}
        return {"sample": f"{len(self._items):,} of {self.seen:,} {of}"}


def hashes_of_texts(texts: pa.Array) -> Hashes:
    """The same on every machine and in every process, which Python's own hashes are not."""
    found = [zlib.crc32(text) << 32 | zlib.adler32(text) for text in texts.cast(pa.binary()).to_pylist()]
    return hashes_of_numbers(np.array(found, dtype=np.uint64))


def hashes_of_numbers(numbers: Integers) -> Hashes:
    """SplitMix64's finaliser (Steele, Lea and Flood, 2014): neighbouring numbers become unlike."""
    x = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
