"""Columns of numbers: values and probabilities."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from repro_tui.compare.columns.cells import Cells, OfColumn, Tally, Whole
from repro_tui.compare.columns.kinds import Profile, Spread
from repro_tui.compare.columns.moments import Moments, Sample
from repro_tui.compare.columns.number_pairs import Numbers, compare_numbers
from repro_tui.compare.columns.rank_agreement import of_columns
from repro_tui.compare.rows.pairs import RowPairs
from repro_tui.model.predictions import Column
from repro_tui.model.record import ColumnRule


class NumberColumn:
    """Adds up one column of numbers; `threshold` is what a probability decides by.

    `told` is what was seen of it before. `spread` tells that of A's whole column; it is asked for once, where a row
    moved.
    """

    def __init__(self, of: OfColumn, declared: ColumnRule, told: Profile, spread: Callable[[], Spread]) -> None:
        self.of = of
        self._told = told
        self._spread = cache(spread)
        self.threshold = declared.threshold if declared.threshold is not None else 0.5
        self.decides = of.kind == "probability"
        self.tally, self.moments = Tally(), Moments()
        self.nulls_a = self.nulls_b = self.non_finite = self.lost = self.finite_a = 0
        self._whole: Whole | None = None
        self.sample = Sample()
        self.needed = 0.0  # the smallest absolute tolerance that would pass beside the rule's relative one

    def belongs_to(self, vector: str) -> None:
        """Several columns decide together: this one has no threshold."""
        self.decides = False
        why = f"{self.of.why}; one of the columns of {vector}, of which the likeliest decides" if self.of.why else ""
        self.of = replace(self.of, rule=replace(self.of.rule, no_flips=False), why=why)

    def whole(self, pair: RowPairs) -> None:
        """Counts nulls, and keeps a sample."""
        a, b = pair.a[self.of.name], pair.b[self.of.name]
        self.nulls_a += a.null_count
        self.finite_a += _finite(a)
        self.nulls_b += b.null_count
        if len(pair.first):
            hashes = pair.hashes[pair.first.to_numpy()] if self.of.kind == "ranking" else None
            self.sample.take(a.take(pair.first), b.take(pair.first), hashes)

    def rest(self, whole: Whole) -> None:
        """Takes the same of all rows at once, after those that moved: the rest did not."""
        self._whole = whole
        self.nulls_a, self.nulls_b = whole.nulls_a, whole.nulls_b
        self.still(whole.rows - self.tally.rows)

    def still(self, rows: int) -> None:
        """Rows that did not move."""
        self.tally.still(rows)

    def take(self, pair: RowPairs) -> Cells:
        """Compares rows that may have moved, and adds them up."""
        found = compare_numbers(pair.a[self.of.name], pair.b[self.of.name], self.of.rule)
        cells = self._cells(found)
        self.tally.add(cells)
        finite = np.isfinite(found.delta)
        self.lost += _finite(pair.a[self.of.name]) - int(np.count_nonzero(finite))
        self.non_finite += int(np.count_nonzero(~finite & ~found.equal))
        open_cells = finite & ~found.equal
        if open_cells.any():
            over = np.abs(found.delta[open_cells]) - self.of.rule.rtol * found.scale[open_cells]
            self.needed = max(self.needed, float(over.max()))
        self.moments.add(found, finite)
        return cells

    def _cells(self, found: Numbers) -> Cells:
        flip = np.zeros(len(found.equal), dtype=np.bool_)
        if self.decides:
            with np.errstate(invalid="ignore"):
                flip = (found.a >= self.threshold) != (found.b >= self.threshold)
            flip &= ~found.null_a & ~found.null_b
        numbers = (np.where(found.null_a, np.nan, found.a), np.where(found.null_b, np.nan, found.b))
        return Cells(found.same, found.equal, found.rounding, found.within, flip, found.delta, found.scale, *numbers)

    @property
    def finite(self) -> int:
        """Rows with a finite number on both sides."""
        return (self.finite_a if self._whole is None else self._spread().finite) - self.lost

    @property
    def any_finite(self) -> bool:
        """Whether there is such a row; of a column that did not move, what was seen before tells it."""
        still = self.tally.same == self.tally.rows
        return (still and self._told.low is not None) or self.finite > 0

    def column(self) -> Column:
        """The result of all batches."""
        a, b = self.of.types
        passing = None if self.non_finite else {"atol": _rounded_up(self.needed), "rtol": self.of.rule.rtol}
        if self.decides and self.tally.flips:
            passing = None
        return replace(
            self.tally.column(self.of, (self.nulls_a, self.nulls_b)),
            max_abs=self.moments.largest if self.any_finite else None,
            max_rel=self.moments.largest_relative if self.any_finite else None,
            non_finite=self.non_finite,
            flips=self.tally.flips if self.decides else None,
            smallest_passing=passing,
            measures=self._measures() | self._probability_measures(),
            histogram=self.moments.histogram(),
            note="" if a == b else f"the types differ: {a} in A, {b} in B",
        )

    def _measures(self) -> dict[str, Any]:
        if not self.moments.largest:
            return self.moments.measures(int(self.any_finite), 0.0)
        sd = self._spread().sd
        if self._whole is not None:
            self.sample.take(*self._whole.first())
        return self.moments.measures(self.finite, sd) | self.sample.measures(sd) | self._ranking()

    def _ranking(self) -> dict[str, Any]:
        """Of a column that ranks its rows: by score where it has fractions, else by rank."""
        if self.of.kind != "ranking":
            return {}
        return of_columns(*self.sample.sides(), descending=pa.types.is_floating(self.of.types[0]))

    def _probability_measures(self) -> dict[str, Any]:
        if not self.decides or not self.tally.rows:
            return {}
        rate = {"flip_rate": self.tally.flips / self.tally.rows}
        mean, largest = self.moments.divergence / self.tally.rows, self.moments.largest_divergence
        divergence = {"mean_jensen_shannon": mean, "max_jensen_shannon": largest}
        return {"threshold": self.threshold} | rate | divergence


def _rounded_up(value: float) -> float:
    """Three digits that still pass when they are typed in."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    if unit < sys.float_info.min or value > sys.float_info.max / 10:
        return value  # as it is: three digits of it are no float
    rounded = float(f"{math.ceil(value / unit) * unit:.3g}")
    return rounded if rounded >= value else float(f"{(math.ceil(value / unit) + 1) * unit:.3g}")


def _finite(values: pa.Array) -> int:
    """How many values are neither null nor NaN nor infinite."""
    if not pa.types.is_floating(values.type):
        return len(values) - int(values.null_count)
    return int(pc.sum(pc.is_finite(values)).as_py() or 0)
