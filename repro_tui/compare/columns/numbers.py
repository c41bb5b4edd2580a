"""Columns of numbers: values and probabilities."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from repro_tui.compare.columns.cells import Cells, ColumnTotals, ComparisonSpec, TalliedColumn
from repro_tui.compare.columns.kinds import MOST_LABELS, WHOLE, WHOLE_FLOATS, Profile, Spread
from repro_tui.compare.columns.moments import Moments, Sample
from repro_tui.compare.columns.number_pairs import Numbers, compare_numbers
from repro_tui.compare.columns.rank_agreement import column_agreement
from repro_tui.compare.rows.pairs import RowPairs
from repro_tui.model.predictions import Column
from repro_tui.model.record import ColumnRule
from repro_tui.support.text import show


class NumberColumn(TalliedColumn):
    """Compares one column of numbers; a probability decides at `threshold`.

    `profile` is what a sample of the column showed before the comparison. `spread` computes the standard deviation over
    A's whole column; it is called once, and only if a row moved.
    """

    def __init__(
        self, spec: ComparisonSpec, declared: ColumnRule, profile: Profile, spread: Callable[[], Spread]
    ) -> None:
        super().__init__(spec)
        self._profile = profile
        self._spread = cache(spread)
        self.threshold = declared.threshold if declared.threshold is not None else 0.5
        self.decides = spec.kind == "probability"
        self.moments, self.sample = Moments(), Sample()
        self.finite_a = 0  # finite numbers of A, where every row was observed
        self.lost = 0  # rows with a finite number in A and not in B
        self.non_finite = 0
        self.needed = 0.0  # the smallest absolute tolerance that would pass together with the rule's relative one
        self._totals: ColumnTotals | None = None

    def belongs_to(self, vector: str) -> None:
        """Makes the column a member of a vector, whose columns decide together: it has no threshold of its own."""
        self.decides = False
        why = (
            f"{self.spec.why}; one of the columns of {vector}, of which the most likely decides"
            if self.spec.why
            else ""
        )
        self.spec = replace(self.spec, rule=replace(self.spec.rule, no_flips=False), why=why)

    def observe_batch(self, pair: RowPairs) -> None:
        """Counts nulls and finite numbers, and keeps a sample."""
        super().observe_batch(pair)
        a, b = pair.a[self.spec.name], pair.b[self.spec.name]
        self.finite_a += _finite(a)
        if len(pair.first):
            hashes = pair.hashes[pair.first.to_numpy()] if self.spec.kind == "ranking" else None
            self.sample.add_pairs(a.take(pair.first), b.take(pair.first), hashes)

    def complete(self, totals: ColumnTotals) -> None:
        """Accounts for all rows at once, after only those that moved were compared: the rest are identical."""
        super().complete(totals)
        self._totals = totals

    def compare_batch(self, pair: RowPairs) -> Cells:
        """Compares rows that may have moved, and counts them."""
        numbers = compare_numbers(pair.a[self.spec.name], pair.b[self.spec.name], self.spec.rule)
        cells = self._cells(numbers)
        self.tally.add(cells)
        finite = np.isfinite(numbers.delta)
        self.lost += _finite(pair.a[self.spec.name]) - int(np.count_nonzero(finite))
        self.non_finite += int(np.count_nonzero(~finite & ~numbers.equal))
        unequal = finite & ~numbers.equal
        if unequal.any():
            over = np.abs(numbers.delta[unequal]) - self.spec.rule.rtol * numbers.scale[unequal]
            self.needed = max(self.needed, float(over.max()))
        self.moments.add(numbers, finite)
        return cells

    def _cells(self, numbers: Numbers) -> Cells:
        flip = np.zeros(len(numbers.equal), dtype=np.bool_)
        if self.decides:
            with np.errstate(invalid="ignore"):
                flip = (numbers.a >= self.threshold) != (numbers.b >= self.threshold)
            flip &= ~numbers.null_a & ~numbers.null_b
        values = (np.where(numbers.null_a, np.nan, numbers.a), np.where(numbers.null_b, np.nan, numbers.b))
        return Cells(
            numbers.same, numbers.equal, numbers.rounding, numbers.within, flip, numbers.delta, numbers.scale, *values
        )

    @property
    def finite(self) -> int:
        """Rows with a finite number on both sides."""
        return (self.finite_a if self._totals is None else self._spread().finite) - self.lost

    @property
    def any_finite(self) -> bool:
        """Whether there is such a row; for a column in which no row moved, the sample answers it."""
        unmoved = self.tally.same == self.tally.rows
        return (unmoved and self._profile.low is not None) or self.finite > 0

    def result(self) -> Column:
        """The result over all batches."""
        type_a, type_b = self.spec.types
        differ = f"the types differ: {type_a} in A, {type_b} in B"
        passing = None if self.non_finite else {"atol": _rounded_up(self.needed), "rtol": self.spec.rule.rtol}
        if self.decides and self.tally.flips:
            passing = None
        return replace(
            self.tally.result(self.spec, (self.nulls_a, self.nulls_b)),
            max_abs=self.moments.largest if self.any_finite else None,
            max_rel=self.moments.largest_relative if self.any_finite else None,
            non_finite=self.non_finite,
            flips=self.tally.flips if self.decides else None,
            smallest_passing=passing,
            measures=self._measures() | self._probability_measures(),
            histogram=self.moments.histogram(),
            note="; ".join(filter(None, ("" if type_a == type_b else differ, self._may_be_labels()))),
        )

    def _may_be_labels(self) -> str:
        """What to record if the numbers are names, such as ids of clusters; "" where they cannot be, or nothing moved.

        A distance between ids means nothing, and no name or value shows for certain what they are.
        """
        few = 2 < self._profile.distinct <= MOST_LABELS and self.spec.why in (WHOLE, WHOLE_FLOATS)
        if not few or self.tally.same == self.tally.rows:
            return ""
        place = f'validation.columns.{show(self.spec.name, 80)}.kind = "label"'
        return (
            f"whole numbers with {self._profile.distinct} different values, compared as numbers: if they are names, "
            f"such as ids of clusters, record {place}"
        )

    def _measures(self) -> dict[str, object]:
        if not self.moments.largest:
            return self.moments.measures(int(self.any_finite), 0.0)
        sd = self._spread().sd
        if self._totals is not None:
            self.sample.add_pairs(*self._totals.first())
        return self.moments.measures(self.finite, sd) | self.sample.measures(sd) | self._ranking()

    def _ranking(self) -> dict[str, object]:
        """The measures of a column that ranks its rows: by score where it has fractions, else by rank."""
        if self.spec.kind != "ranking":
            return {}
        return column_agreement(*self.sample.sides(), descending=pa.types.is_floating(self.spec.types[0]))

    def _probability_measures(self) -> dict[str, float]:
        if not self.decides or not self.tally.rows:
            return {}
        rate = {"flip_rate": self.tally.flips / self.tally.rows}
        mean, largest = self.moments.divergence / self.tally.rows, self.moments.largest_divergence
        divergence = {"mean_jensen_shannon": mean, "max_jensen_shannon": largest}
        return {"threshold": self.threshold} | rate | divergence


def _rounded_up(value: float) -> float:
    """The tolerance in three digits, rounded up so that it still passes when a user types it in."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    if unit < sys.float_info.min or value > sys.float_info.max / 10:
        return value  # at the ends of the range, a value of three digits may not be a float
    rounded = float(f"{math.ceil(value / unit) * unit:.3g}")
    return rounded if rounded >= value else float(f"{(math.ceil(value / unit) + 1) * unit:.3g}")


def _finite(values: pa.Array) -> int:
    """How many values are neither null nor NaN nor infinite."""
    if not pa.types.is_floating(values.type):
        return len(values) - int(values.null_count)
    return int(pc.sum(pc.is_finite(values)).as_py() or 0)
