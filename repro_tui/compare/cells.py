"""What one batch of one column says, whatever its kind: the common ground of the verdict and of differences.parquet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from repro_tui.compare.alignment import Pair
from repro_tui.model.predictions import Column, Verdict

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


class ColumnComparison(Protocol):
    """One column under comparison: fed with batches, then asked for its result."""

    name: str

    def take(self, pair: Pair) -> Cells:
        """Compares one batch and adds it up."""
        ...

    def column(self) -> Column:
        """The result; a column that is over its tolerance has the verdict `drift`, before noise is considered."""
        ...


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

    def verdict(self, same_type: bool) -> Verdict:
        """The first that holds of the scale; `drift` stands for over tolerance."""
        if self.rows == 0:
            return "not-comparable"
        if self.same == self.rows and same_type:
            return "identical"
        if self.equal == self.rows:
            return "equal"
        if self.rounding == self.rows:
            return "equal-to-rounding"
        if self.within == self.rows and self.flips == 0:
            return "within-tolerance"
        return "drift"
