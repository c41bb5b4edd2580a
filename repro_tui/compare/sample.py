"""A bounded sample of rows that is the same one in whatever order the rows come: those with the smallest hashes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

T = TypeVar("T")
Places = np.ndarray[Any, np.dtype[np.int64]]
Hashes = np.ndarray[Any, np.dtype[np.uint64]]


class RowSample(Generic[T]):
    """At most `most` items, one a row; which ones depends on the numbers of A's rows alone."""

    def __init__(self, most: int) -> None:
        self.most, self.seen = most, 0
        self._hashes: Hashes = np.empty(0, dtype=np.uint64)
        self._items: list[T] = []

    def offer(self, rows: Places, items: Callable[[Places], Sequence[T]]) -> None:
        """Offers rows by their numbers; `items` makes what is kept of those at some places among them."""
        self.seen += len(rows)
        hashes = _mixed(rows)
        places = np.arange(len(rows), dtype=np.int64)
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


def _mixed(rows: Places) -> Hashes:
    """SplitMix64's finaliser (Steele, Lea and Flood, 2014): neighbouring numbers become unlike."""
    x = rows.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
