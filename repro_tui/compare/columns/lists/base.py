"""Columns of lists of numbers, of any depth: each row is a vector of probabilities, an embedding, a tensor or a
ranking.

Rows whose lists have one shape on both sides are flattened into one long array of numbers, compared at once, and
reduced row by row with `reduceat`: `starts` are the positions at which rows begin in the long array, `sizes` their
lengths. For example, the rows [[1, 2], [3]] and [[4]] become 1, 2, 3, 4 with starts 0, 3 and sizes 3, 1. Empty lists
have no numbers and are equal; rows of different shapes differ. What depends on the kind of list is in an `Aspect`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pyarrow as pa

from repro_tui.compare.columns.cells import MASKS, Cells, ComparisonSpec, OwnFields, TalliedColumn, Tally
from repro_tui.compare.columns.nested import counts, leaves, mask, same_shape, shape
from repro_tui.compare.columns.number_pairs import Numbers, compare_numbers
from repro_tui.compare.rows.arrays import Floats, Hashes, Indices, Mask
from repro_tui.compare.rows.pairs import RowPairs
from repro_tui.model.predictions import Column


@dataclass(frozen=True, slots=True)
class Vectors:
    """Rows that moved and have one shape on both sides, as flat `numbers`.

    `starts` and `sizes` say where each row begins in them and how many it has; `hashes` identify the rows.
    """

    numbers: Numbers
    starts: Indices
    sizes: Indices
    hashes: Hashes


class ListFields(OwnFields, total=False):
    """The fields of the result that each kind of list fills in itself."""

    flips: int


class Aspect(Protocol):
    """What one kind of list is measured by in addition to its numbers, and which rows flip.

    `distances` says whether a distance between its numbers means something: not if they are identifiers of items.
    """

    distances: bool

    def observe_batch(self, pair: RowPairs) -> None:
        """Observes a batch of rows, whether they moved or not."""
        ...

    def observe_moved(self, a: pa.Array, b: pa.Array, pair: RowPairs) -> None:
        """Measures a batch of rows that moved, whatever their shapes."""
        ...

    def flips(self, vectors: Vectors) -> Mask:
        """Measures the rows that moved and have one shape, and returns which of them flip."""
        ...

    def result_fields(self, tally: Tally, unmoved: int) -> ListFields:
        """The fields of the result that only this kind has, `measures` among them; `unmoved` rows did not move."""
        ...


class ListColumn(TalliedColumn):
    """Compares one column of lists; a row is within the tolerance if all of its numbers are."""

    def __init__(self, spec: ComparisonSpec, aspect: Aspect) -> None:
        super().__init__(spec)
        self._aspect = aspect
        self.largest, self.non_finite, self.shapes = 0.0, 0, 0
        self.needed = 0.0  # the smallest absolute tolerance that would pass together with the rule's relative one
        self._shapes = ("", "")  # of the first row whose shapes differ

    def observe_batch(self, pair: RowPairs) -> None:
        """Counts nulls, and shows the batch to the aspect."""
        super().observe_batch(pair)
        self._aspect.observe_batch(pair)

    def compare_batch(self, pair: RowPairs) -> Cells:
        """Compares rows that may have moved, and counts them."""
        a, b = pair.a[self.spec.name], pair.b[self.spec.name]
        rows = len(a)
        null_a, null_b = mask(a.is_null()), mask(b.is_null())
        paired = same_shape(a, b)
        self._count_shapes(a, b, np.flatnonzero(~null_a & ~null_b & ~paired))
        empty = null_a & null_b
        masks = {name: empty.copy() for name in MASKS}
        delta, scale, nothing = (np.full(rows, np.nan) for _ in range(3))
        flip = np.zeros(rows, dtype=np.bool_)
        cells = Cells(**masks, flip=flip, delta=delta, scale=scale, a_number=nothing, b_number=nothing)
        if paired.any():
            self._compare_paired(a, b, np.flatnonzero(paired), cells, pair)
        if self.spec.kind == "ranking":
            flip |= ~paired & ~empty
        self._aspect.observe_moved(a, b, pair)
        self.tally.add(cells)
        return cells

    def _count_shapes(self, a: pa.Array, b: pa.Array, rows: Indices) -> None:
        """Counts rows whose shapes differ."""
        self.shapes += len(rows)
        if len(rows) and not self._shapes[0]:
            self._shapes = (shape(a, int(rows[0])), shape(b, int(rows[0])))

    def _compare_paired(self, a: pa.Array, b: pa.Array, rows: Indices, cells: Cells, pair: RowPairs) -> None:
        """Fills in the `cells` of the rows that have one shape on both sides."""
        paired_a, paired_b = a.take(pa.array(rows)), b.take(pa.array(rows))
        sizes = counts(paired_a)
        filled = sizes > 0
        for name in MASKS:
            getattr(cells, name)[rows[~filled]] = True
        filled_rows, starts = rows[filled], (np.cumsum(sizes) - sizes)[filled]
        if not len(filled_rows):
            return
        numbers = compare_numbers(leaves(paired_a), leaves(paired_b), self.spec.rule)
        for name in MASKS:
            getattr(cells, name)[filled_rows] = np.logical_and.reduceat(getattr(numbers, name), starts)
        if self._aspect.distances:
            cells.delta[filled_rows] = self._largest(numbers, starts)
            cells.scale[filled_rows] = np.maximum.reduceat(np.nan_to_num(numbers.scale), starts)
        vectors = Vectors(numbers, starts, sizes[filled], pair.hashes[filled_rows])
        cells.flip[filled_rows] = self._aspect.flips(vectors)

    def _largest(self, numbers: Numbers, starts: Indices) -> Floats:
        """The largest |delta| of every row, NaN where it is not finite."""
        size = np.where(np.isfinite(numbers.delta), np.abs(numbers.delta), np.where(numbers.equal, 0.0, np.inf))
        largest = np.asarray(np.maximum.reduceat(size, starts))
        finite = np.isfinite(largest)
        self.non_finite += int(np.count_nonzero(~finite))
        self.largest = max(self.largest, float(largest[finite].max(initial=0.0)))
        over = size - self.spec.rule.rtol * np.nan_to_num(numbers.scale)
        self.needed = max(self.needed, float(over.max(initial=0.0)))
        return np.where(finite, largest, np.nan)

    def result(self) -> Column:
        """The result over all batches; lists whose shapes differ in every row cannot be compared."""
        distances = self._aspect.distances
        never_passes = self.non_finite or self.shapes or self.tally.flips or not distances
        column = replace(
            self.tally.result(self.spec, (self.nulls_a, self.nulls_b)),
            max_abs=self.largest if distances else None,
            non_finite=self.non_finite,
            smallest_passing=None if never_passes else {"atol": self.needed},
            note=_unlike_lengths(self.shapes) if self.shapes else "",
            **self._aspect.result_fields(self.tally, self.unmoved),
        )
        if self.shapes and self.shapes == self.tally.rows and self.spec.kind != "ranking":
            note = f"the shapes differ: {self._shapes[0]} in A and {self._shapes[1]} in B"
            return replace(column, verdict="not-comparable", max_abs=None, note=note)
        return column


def _unlike_lengths(rows: int) -> str:
    return f"in {rows:,} {'row' if rows == 1 else 'rows'}, A and B have lists of different lengths"
