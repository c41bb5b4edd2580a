"""Columns of lists of numbers, of any depth: vectors of probabilities, embeddings, tensors and rankings, a row each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from repro_tui.compare.columns.cells import Cells, Floats, Mask, OfColumn, Tally
from repro_tui.compare.columns.nested import counts, leaves, same_shape, shape
from repro_tui.compare.columns.number_pairs import Numbers, compare_numbers
from repro_tui.compare.rows.pairs import RowPairs
from repro_tui.model.predictions import Column


@dataclass(frozen=True, slots=True)
class Vectors:
    """Rows of one shape that moved: all of their numbers one after the other, `starts` and `sizes` of each row, and
    the rows' hashes."""

    found: Numbers
    starts: Any
    sizes: Any
    hashes: Any


class Aspect(Protocol):
    """What one kind of list is measured by beside its numbers, and which of its decisions flip.

    `distances` says whether its numbers can be far from each other: those that stand for things cannot.
    """

    distances: bool

    def whole(self, pair: RowPairs) -> None:
        """Takes a batch of all rows."""
        ...

    def moved(self, a: pa.Array, b: pa.Array, pair: RowPairs) -> None:
        """Takes a batch of rows that moved, whatever their shapes."""
        ...

    def flips(self, vectors: Vectors) -> Mask:
        """Takes those of one shape; which of them flip."""
        ...

    def column(self, tally: Tally, unmoved: int) -> dict[str, Any]:
        """The fields of the result that are this kind's own, `measures` among them."""
        ...


class ListColumn:
    """Adds up one column of lists; a row is within the tolerance where all of its numbers are."""

    def __init__(self, of: OfColumn, aspect: Aspect) -> None:
        self.of, self._aspect = of, aspect
        self.tally = Tally()
        self.largest, self.non_finite, self.shapes = 0.0, 0, 0
        self.nulls_a = self.nulls_b = self.unmoved = 0
        self.needed = 0.0
        self._shapes = ("", "")

    def whole(self, pair: RowPairs) -> None:
        """Counts nulls."""
        self.nulls_a += pair.a[self.of.name].null_count
        self.nulls_b += pair.b[self.of.name].null_count
        self._aspect.whole(pair)

    def still(self, rows: int) -> None:
        """Rows that did not move."""
        self.tally.still(rows)
        self.unmoved += rows

    def take(self, pair: RowPairs) -> Cells:
        """Compares rows that may have moved, and adds them up."""
        a, b = pair.a[self.of.name], pair.b[self.of.name]
        rows = len(a)
        null_a, null_b = (np.asarray(x.is_null().to_numpy(zero_copy_only=False), dtype=np.bool_) for x in (a, b))
        paired = same_shape(a, b)
        self._odd(a, b, np.flatnonzero(~null_a & ~null_b & ~paired))
        empty = null_a & null_b
        masks = {name: empty.copy() for name in ("same", "equal", "rounding", "within")}
        delta, scale, nothing = (np.full(rows, np.nan) for _ in range(3))
        flip = np.zeros(rows, dtype=np.bool_)
        cells = Cells(**masks, flip=flip, delta=delta, scale=scale, a_number=nothing, b_number=nothing)
        if paired.any():
            self._vectors(a, b, np.flatnonzero(paired), cells, pair)
        if self.of.kind == "ranking":
            flip |= ~paired & ~empty
        self._aspect.moved(a, b, pair)
        self.tally.add(cells)
        return cells

    def _odd(self, a: pa.Array, b: pa.Array, rows: Any) -> None:
        self.shapes += len(rows)
        if len(rows) and not self._shapes[0]:
            self._shapes = (shape(a, int(rows[0])), shape(b, int(rows[0])))

    def _vectors(self, a: pa.Array, b: pa.Array, rows: Any, cells: Cells, pair: RowPairs) -> None:
        """Fills in the rows of one shape."""
        chosen = pa.array(rows)
        one, other = a.take(chosen), b.take(chosen)
        sizes = counts(one)
        filled = sizes > 0
        for name in ("same", "equal", "rounding", "within"):
            getattr(cells, name)[rows[~filled]] = True
        places, starts = rows[filled], (np.cumsum(sizes) - sizes)[filled]
        if not len(places):
            return
        found = compare_numbers(leaves(one), leaves(other), self.of.rule)
        for name in ("same", "equal", "rounding", "within"):
            getattr(cells, name)[places] = np.logical_and.reduceat(getattr(found, name), starts)
        if self._aspect.distances:
            cells.delta[places] = self._largest(found, starts)
            cells.scale[places] = np.maximum.reduceat(np.nan_to_num(found.scale), starts)
        cells.flip[places] = self._aspect.flips(Vectors(found, starts, sizes[filled], pair.hashes[places]))

    def _largest(self, found: Numbers, starts: Any) -> Floats:
        """The largest |delta| of every row, NaN where it is not finite."""
        size = np.where(np.isfinite(found.delta), np.abs(found.delta), np.where(found.equal, 0.0, np.inf))
        largest = np.asarray(np.maximum.reduceat(size, starts))
        finite = np.isfinite(largest)
        self.non_finite += int(np.count_nonzero(~finite))
        self.largest = max(self.largest, float(largest[finite].max(initial=0.0)))
        self.needed = max(self.needed, float((size - self.of.rule.rtol * np.nan_to_num(found.scale)).max(initial=0.0)))
        return np.where(finite, largest, np.nan)

    def column(self) -> Column:
        """The result of all batches; lists that have another shape in every row cannot be compared."""
        distances = self._aspect.distances
        never = self.non_finite or self.shapes or self.tally.flips or not distances
        passing = None if never else {"atol": self.needed}
        found = replace(
            self.tally.column(self.of, (self.nulls_a, self.nulls_b)),
            max_abs=self.largest if distances else None,
            non_finite=self.non_finite,
            smallest_passing=passing,
            note=f"{self.shapes:,} rows have lists of other lengths" if self.shapes else "",
            **self._aspect.column(self.tally, self.unmoved),
        )
        if self.shapes and self.shapes == self.tally.rows and self.of.kind != "ranking":
            note = f"the shapes differ: {self._shapes[0]} in A and {self._shapes[1]} in B"
            return replace(found, verdict="not-comparable", max_abs=None, note=note)
        return found
