"""A bounded sample of rows that is the same in whatever order the rows come: those with the smallest hashes.

A row's hash depends only on its key (or on its position, where there is no key), so that two comparisons of the same
tables, in another order or split into other batches, measure the same rows. The sample is uniform as far as the hash is
(bottom-k sampling; Cohen and Kaplan, 2007). Example: of rows with the hashes 7, 2, 9 and 4, a sample of two keeps 2 and
4. A batch of n rows costs O(n), and once the sample is full, only rows below its largest hash are looked at.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from repro_tui.compare.rows.arrays import Hashes, Indices

T = TypeVar("T")


class RowSample(Generic[T]):
    """At most `most` items, one per row, ordered by the rows' hashes; `seen` is how many rows were offered."""

    def __init__(self, most: int) -> None:
        self.most, self.seen = most, 0
        self._hashes: Hashes = np.empty(0, dtype=np.uint64)
        self._items: list[T] = []

    def offer(self, hashes: Hashes, items: Callable[[Indices], Sequence[T]]) -> None:
        """Offers a batch of rows by their hashes.

        `items` computes the items of the rows at some indices of the batch; it is called for rows that may be kept
        only.
        """
        self.seen += len(hashes)
        indices = np.arange(len(hashes), dtype=np.int64)
        if len(self._items) >= self.most:
            indices = np.flatnonzero(hashes < self._hashes[-1])
        if len(indices) > self.most:
            indices = np.sort(indices[np.argpartition(hashes[indices], self.most)[: self.most]])
        if len(indices):
            self._keep(hashes[indices], items(indices))

    def _keep(self, hashes: Hashes, items: Sequence[T]) -> None:
        merged, merged_hashes = [*self._items, *items], np.concatenate([self._hashes, hashes])
        order = np.argsort(merged_hashes, kind="stable")[: self.most]
        self._hashes, self._items = merged_hashes[order], [merged[index] for index in order]

    @property
    def items(self) -> list[T]:
        """The items that were kept."""
        return self._items

    def measure(self, of: str) -> dict[str, str]:
        """The measure that says how many rows were sampled; {} where all were kept. `of` says what the rows are."""
        if self.seen <= len(self._items):
            return {}
        return {"sample": f"{len(self._items):,} of {self.seen:,} {of}"}


def hashes_of_texts(texts: pa.Array) -> Hashes:
    """Hashes of texts that are the same on every machine and in every process, unlike Python's own."""
    checksums = [zlib.crc32(text) << 32 | zlib.adler32(text) for text in texts.cast(pa.binary()).to_pylist()]
    return hashes_of_numbers(np.array(checksums, dtype=np.uint64))


def hashes_of_numbers(numbers: npt.NDArray[np.integer]) -> Hashes:
    """Hashes of integers by the finaliser of SplitMix64 (Steele, Lea and Flood, 2014), which scatters close numbers."""
    x = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
