"""What one batch of one column says, whatever its kind: the common ground of the verdict and of differences.parquet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from repro_tui.compare.columns.tolerance import Rule
from repro_tui.compare.rows.pairs import RowPairs
from repro_tui.model.predictions import Column, Verdict
from repro_tui.model.record import Kind

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Cells:
    """Masks over the rows of one batch. `delta` and `scale` are NaN where there is no number."""

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
class OfColumn:
    """Which column is compared: its name, kind and both types, by which rule, and why the kind was inferred ("" where
    it was declared)."""

    name: str
    kind: Kind
    rule: Rule
    types: tuple[pa.DataType, pa.DataType]
    why: str


@dataclass(frozen=True, slots=True)
class Whole:
    """What all rows of one column count for, where only those that moved are handed over: how many there are, the
    nulls of each side, and both sides' first 100,000 values."""

    rows: int
    nulls_a: int
    nulls_b: int
    first: Callable[[], tuple[pa.Array, pa.Array]]


class ColumnComparison(Protocol):
    """One column under comparison: fed with batches, then asked for its result."""

    of: OfColumn

    def whole(self, pair: RowPairs) -> None:
        """Takes what every row counts for, whether it moved or not."""
        ...

    def still(self, rows: int) -> None:
        """Takes this many rows that are the same bits on both sides."""
        ...

    def take(self, pair: RowPairs) -> Cells:
        """Compares rows that may have moved, and adds them up."""
        ...

    def column(self) -> Column:
        """The result; a column that is over its tolerance has the verdict `drift`, before noise is considered."""
        ...


COARSE = 2.0**-20  # a unit of rounding that may be seen


class Tally:
    """The counts that every kind has, and the verdict that they give."""

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

    def still(self, rows: int) -> None:
        """Adds rows that are the same bits."""
        for name in ("rows", "same", "equal", "rounding", "within"):
            setattr(self, name, getattr(self, name) + rows)

    def column(self, of: OfColumn, nulls: tuple[int, int]) -> Column:
        """What the result of every kind has; its own measures are laid over it."""
        a, b = of.types
        return Column(
            name=of.name,
            kind=of.kind,
            verdict=self.verdict(a == b, coarse=of.rule.epsilon > COARSE),
            equal=self.equal,
            within_tolerance=self.within - self.equal,
            different=self.rows - self.within,
            nulls_a=nulls[0],
            nulls_b=nulls[1],
            type_a=str(a),
            type_b=str(b),
            rule=of.rule.words,
            atol=of.rule.atol,
            rtol=of.rule.rtol,
            inferred=bool(of.why),
            kind_why=of.why,
        )

    def verdict(self, same_type: bool, *, coarse: bool = False) -> Verdict:
        """The first that holds of the scale; `drift` stands for over tolerance. Where rounding is `coarse`, it does not
        excuse a decision that flips."""
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
