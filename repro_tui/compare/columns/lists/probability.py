"""Vectors of probabilities: which class is the most likely, and how far the two distributions are from each other.

A row flips where its most likely class changes (the first of equals). The distance of two distributions p and q is the
Jensen-Shannon divergence (Lin, 1991): the mean of the relative entropies of p and of q against m = (p + q) / 2, in
bits, from 0 (the same) to 1 (no class in common). For p = (1, 0) and q = (0, 1) it is 1; for (0.5, 0.5) and (1, 0) it
is 0.311.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa

from repro_tui.compare.columns.cells import Tally
from repro_tui.compare.columns.lists.base import ListFields, Vectors
from repro_tui.compare.columns.moments import Moments
from repro_tui.compare.rows.arrays import Floats, Indices, Mask
from repro_tui.compare.rows.pairs import RowPairs

MOST_PAIRS = 100  # pairs of classes that are reported


class Probabilities:
    """Measures rows that moved; a row flips where its most likely class changes."""

    distances = True

    def __init__(self) -> None:
        self.moments, self.numbers = Moments(), 0
        self.shift = Shift()

    def observe_batch(self, pair: RowPairs) -> None:
        """Does nothing: only rows that moved are measured."""

    def observe_moved(self, a: pa.Array, b: pa.Array, pair: RowPairs) -> None:
        """Does nothing: only rows of one shape are measured."""

    def flips(self, vectors: Vectors) -> Mask:
        """The rows whose most likely class changes."""
        numbers, starts, sizes = vectors.numbers, vectors.starts, vectors.sizes
        self.numbers += len(numbers.a)
        self.moments.add(numbers, np.isfinite(numbers.delta))
        classes = [most_likely_class(side, starts, sizes) for side in (numbers.a, numbers.b)]
        return self.shift.add(classes[0], classes[1], divergence(numbers.a, numbers.b, starts))

    def result_fields(self, tally: Tally, unmoved: int) -> ListFields:
        """The measures over all rows."""
        rows = tally.rows
        width = self.numbers / max(1, rows - unmoved)
        measures = self.moments.distances(round(width * rows)) if self.numbers else {}
        measures |= self.shift.measures(rows)
        return {"flips": tally.flips, "flip_matrix": self.shift.matrix(), "measures": measures}


class Shift:
    """Counts which class became which, and adds up how far the distributions moved."""

    def __init__(self) -> None:
        self.pairs: Counter[tuple[int, int]] = Counter()
        self.sum = self.largest = 0.0

    def add(self, a: Indices, b: Indices, divergences: Floats) -> Mask:
        """Adds rows, by their most likely classes in A and B and their divergences; returns which of them flip."""
        flip = np.asarray(a != b)
        self.pairs.update(zip(a[flip].tolist(), b[flip].tolist(), strict=True))
        self.sum += float(divergences.sum())
        self.largest = max(self.largest, float(divergences.max(initial=0.0)))
        return flip

    def matrix(self, names: tuple[str, ...] = ()) -> tuple[tuple[str, str, int], ...]:
        """Which class became which: (class in A, class in B, rows), the most frequent pair first.

        A class without a name is called by its index, and "none" stands for a row without a most likely class.
        """

        def name(index: int) -> str:
            return "none" if index < 0 else names[index] if names else str(index)

        entries = [(name(a), name(b), count) for (a, b), count in self.pairs.items()]
        return tuple(sorted(entries, key=lambda entry: (-entry[2], *entry[:2]))[:MOST_PAIRS])

    def measures(self, rows: int) -> dict[str, object]:
        """The share of rows that flip, and the mean over all rows and the largest of the divergences, in bits."""
        if not rows:
            return {}
        return {
            "flip_rate": sum(self.pairs.values()) / rows,
            "mean_jensen_shannon": self.sum / rows,
            "max_jensen_shannon": self.largest,
        }


def divergence(a: Floats, b: Floats, starts: Indices) -> Floats:
    """The Jensen-Shannon divergence of every row, in bits; 0 for rows that are not distributions.

    `a` and `b` hold the numbers of all rows one after the other, and `starts` where each row begins.
    """
    from scipy.special import rel_entr

    with np.errstate(all="ignore"):
        middle = (a + b) / 2
        terms = (rel_entr(a, middle) + rel_entr(b, middle)) / (2 * np.log(2))
        sums = np.add.reduceat(terms, starts)
    return np.where(np.isfinite(sums), np.maximum(sums, 0.0), 0.0)


def most_likely_class(values: Floats, starts: Indices, sizes: Indices) -> Indices:
    """The index, within its row, of the largest number of every row, the first of equals; -1 if the row has a NaN.

    `values` holds the numbers of all rows one after the other; `starts` and `sizes` say where each row begins and how
    many numbers it has, at least one.
    """
    best = np.maximum.reduceat(values, starts)
    owner = np.repeat(np.arange(len(starts)), sizes)
    hits = np.flatnonzero(values == best[owner])
    first = np.full(len(starts), -1, dtype=np.int64)
    first[owner[hits][::-1]] = (hits - starts[owner[hits]])[::-1]
    return first
