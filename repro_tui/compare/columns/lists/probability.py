"""Vectors of probabilities: which class is the likeliest, and how far the distributions are from each other."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from repro_tui.compare.columns.cells import Floats, Mask, Tally
from repro_tui.compare.columns.lists.base import Vectors
from repro_tui.compare.columns.moments import Moments
from repro_tui.compare.rows.pairs import RowPairs

MOST_PAIRS = 100


class Probabilities:
    """Adds up rows that moved; a row flips where its likeliest class is another (the first of equals)."""

    distances = True

    def __init__(self) -> None:
        self.moments, self.numbers = Moments(), 0
        self.shift = Shift()

    def whole(self, pair: RowPairs) -> None:
        """Nothing."""

    def moved(self, a: pa.Array, b: pa.Array, pair: RowPairs) -> None:
        """Rows of any shape say nothing more."""

    def flips(self, vectors: Vectors) -> Mask:
        """The rows whose likeliest class is another."""
        found, starts, sizes = vectors.found, vectors.starts, vectors.sizes
        self.numbers += len(found.a)
        self.moments.add(found, np.isfinite(found.delta))
        classes = [likeliest(side, starts, sizes) for side in (found.a, found.b)]
        return self.shift.add(classes[0], classes[1], divergence(found.a, found.b, starts))

    def column(self, tally: Tally, unmoved: int) -> dict[str, Any]:
        """The measures of all rows."""
        rows = tally.rows
        width = self.numbers / max(1, rows - unmoved)
        measures = self.moments.measures(round(width * rows), 0.0) if self.numbers else {}
        told = {name: measures[name] for name in ("mean_abs", "p99_abs") if name in measures}
        return {"flips": tally.flips, "flip_matrix": self.shift.matrix(), "measures": told | self.shift.measures(rows)}


class Shift:
    """From which class to which rows go, and how far the distributions do."""

    def __init__(self) -> None:
        self.pairs: Counter[tuple[int, int]] = Counter()
        self.sum = self.largest = 0.0

    def add(self, a: Any, b: Any, divergences: Floats) -> Mask:
        """Adds rows by their likeliest classes and divergences; which of them flip."""
        flip = np.asarray(a != b)
        self.pairs.update(zip(a[flip].tolist(), b[flip].tolist(), strict=True))
        self.sum += float(divergences.sum())
        self.largest = max(self.largest, float(divergences.max(initial=0.0)))
        return flip

    def matrix(self, names: tuple[str, ...] = ()) -> tuple[tuple[str, str, int], ...]:
        """What became what; a class is called by its place where it has no name."""

        def name(place: int) -> str:
            return "none" if place < 0 else names[place] if names else str(place)

        ordered = sorted(self.pairs.items(), key=lambda found: (-found[1], name(found[0][0]), name(found[0][1])))
        return tuple((name(a), name(b), count) for (a, b), count in ordered[:MOST_PAIRS])

    def measures(self, rows: int) -> dict[str, Any]:
        """The divergences' mean over all rows, and the largest; in bits."""
        if not rows:
            return {}
        flips = {"flip_rate": sum(self.pairs.values()) / rows}
        return flips | {"mean_jensen_shannon": self.sum / rows, "max_jensen_shannon": self.largest}


def divergence(a: Floats, b: Floats, starts: Any) -> Floats:
    """Every row's Jensen-Shannon divergence in bits, 0 (the same) to 1; that of no distribution counts as 0."""
    from scipy.special import rel_entr

    with np.errstate(all="ignore"):
        middle = (a + b) / 2
        terms = (rel_entr(a, middle) + rel_entr(b, middle)) / (2 * np.log(2))
        found = np.add.reduceat(terms, starts)
    return np.where(np.isfinite(found), np.maximum(found, 0.0), 0.0)


def likeliest(values: Floats, starts: Any, sizes: Any) -> Any:
    """The place of the largest number of every row, the first of equals; -1 where one is NaN."""
    best = np.maximum.reduceat(values, starts)
    owner = np.repeat(np.arange(len(starts)), sizes)
    hits = np.flatnonzero(values == best[owner])
    first = np.full(len(starts), -1, dtype=np.int64)
    first[owner[hits][::-1]] = (hits - starts[owner[hits]])[::-1]
    return first
