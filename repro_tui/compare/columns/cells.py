"""What every kind of column has in common: the result of one batch, the counts over all batches, and the verdict.

A comparison of one column goes through three steps. `observe_batch` sees every row and counts what does not depend on
the other side, such as nulls. Rows whose bits are the same are only counted (`count_identical`); the others are judged
by `compare_batch`, which returns one `Cells` per batch. `Tally` adds the batches up and derives the verdict:

    identical         all rows have the same bits, and both sides the same type
    equal             all rows are equal by value
    equal-to-rounding all rows differ by no more than a few units of rounding
    within-tolerance  all rows are within the tolerance, and no decision flips
    drift             otherwise

The masks are nested (same ⊆ equal ⊆ rounding, equal ⊆ within), so that the first line that holds is the verdict. For
example, of 3 rows with 2 equal and 1 within the tolerance, `within` is 3 and the verdict within-tolerance; if that one
row also flips a decision, it is drift. The cost is a constant number of array operations per batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypedDict

import numpy as np
import pyarrow as pa

from repro_tui.compare.columns.tolerance import Rule
from repro_tui.compare.rows.arrays import Floats, Mask
from repro_tui.compare.rows.pairs import RowPairs
from repro_tui.model.predictions import Column, Verdict
from repro_tui.model.record import Kind

MASKS = ("same", "equal", "rounding", "within")  # that `Cells` and the numbers of a column have
COARSE = 2.0**-20  # above this unit of rounding, rounding is large enough to matter


@dataclass(frozen=True, slots=True)
class Cells:
    """Masks over the rows of one batch. `delta` (b - a) and `scale` (max(|a|, |b|)) are NaN if there is no number."""

    same: Mask
    equal: Mask
    rounding: Mask
    within: Mask
    flip: Mask
    delta: Floats
    scale: Floats
    a_number: Floats
    b_number: Floats


@dataclass(frozen=True, slots=True)
class ComparisonSpec:
    """Which column is compared and how: its name, kind, rule and the types of A and B.

    `why` says what the kind was inferred from ("" where it was declared).
    """

    name: str
    kind: Kind
    rule: Rule
    types: tuple[pa.DataType, pa.DataType]
    why: str


@dataclass(frozen=True, slots=True)
class ColumnTotals:
    """What is known of all rows of a column, for columns that are fed only with the rows that moved.

    `rows` is the number of matched rows, `nulls_a` and `nulls_b` the nulls of each side, and `first` reads the first
    100,000 values of both sides.
    """

    rows: int
    nulls_a: int
    nulls_b: int
    first: Callable[[], tuple[pa.Array, pa.Array]]


class OwnFields(TypedDict, total=False):
    """The fields of a column's result that each kind fills in itself."""

    measures: dict[str, object]
    flip_matrix: tuple[tuple[str, str, int], ...]


class ColumnComparison(Protocol):
    """One column under comparison: it is fed with batches, and then gives its result."""

    spec: ComparisonSpec

    def observe_batch(self, pair: RowPairs) -> None:
        """Counts what every row contributes, whether it moved or not."""
        ...

    def count_identical(self, rows: int) -> None:
        """Counts rows that have the same bits on both sides."""
        ...

    def compare_batch(self, pair: RowPairs) -> Cells:
        """Compares rows that may have moved, and counts them."""
        ...

    def result(self) -> Column:
        """The result; a column that exceeds its tolerance has the verdict `drift`, before noise is considered."""
        ...


class Tally:
    """The counts that every kind has, and the verdict that follows from them."""

    def __init__(self) -> None:
        self.rows = self.same = self.equal = self.within = self.rounding = self.flips = 0

    def add(self, cells: Cells) -> None:
        """Adds one batch."""
        self.rows += len(cells.equal)
        self.same += int(np.count_nonzero(cells.same))
        self.equal += int(np.count_nonzero(cells.equal))
        self.rounding += int(np.count_nonzero(cells.rounding))
        self.within += int(np.count_nonzero(cells.within))
        self.flips += int(np.count_nonzero(cells.flip))

    def count_identical(self, rows: int) -> None:
        """Adds rows that have the same bits on both sides."""
        for name in ("rows", *MASKS):
            setattr(self, name, getattr(self, name) + rows)

    def result(self, spec: ComparisonSpec, nulls: tuple[int, int]) -> Column:
        """The fields that results of every kind have; each kind adds its own measures."""
        type_a, type_b = spec.types
        return Column(
            name=spec.name,
            kind=spec.kind,
            verdict=self.verdict(type_a == type_b, coarse=spec.rule.epsilon > COARSE),
            equal=self.equal,
            within_tolerance=self.within - self.equal,
            different=self.rows - self.within,
            nulls_a=nulls[0],
            nulls_b=nulls[1],
            type_a=str(type_a),
            type_b=str(type_b),
            rule=spec.rule.words,
            atol=spec.rule.atol,
            rtol=spec.rule.rtol,
            inferred=bool(spec.why),
            kind_why=spec.why,
        )

    def verdict(self, same_type: bool, *, coarse: bool = False) -> Verdict:
        """The best verdict that holds; `drift` means that the tolerance is exceeded.

        Where the unit of rounding is `coarse`, rounding does not excuse a decision that flips.
        """
        if self.rows == 0:
            return "not-comparable"
        if self.same == self.rows and same_type:
            return "identical"
        if self.equal == self.rows:
            return "equal"
        if self.rounding == self.rows and not (coarse and self.flips):
            return "equal-to-rounding"
        if self.within == self.rows and self.flips == 0:
            return "within-tolerance"
        return "drift"


class TalliedColumn:
    """The base of every column comparison: it counts rows and nulls."""

    def __init__(self, spec: ComparisonSpec) -> None:
        self.spec = spec
        self.tally = Tally()
        self.nulls_a = self.nulls_b = self.unmoved = 0

    def observe_batch(self, pair: RowPairs) -> None:
        """Counts nulls."""
        self.nulls_a += pair.a[self.spec.name].null_count
        self.nulls_b += pair.b[self.spec.name].null_count

    def complete(self, totals: ColumnTotals) -> None:
        """Accounts for all rows at once, after only those that moved were compared: the rest are identical."""
        self.nulls_a, self.nulls_b = totals.nulls_a, totals.nulls_b
        self.count_identical(totals.rows - self.tally.rows)

    def count_identical(self, rows: int) -> None:
        """Counts rows that have the same bits on both sides."""
        self.tally.count_identical(rows)
        self.unmoved += rows
