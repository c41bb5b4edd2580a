"""Columns of numbers: values and probabilities."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from repro_tui.compare.alignment import Pair
from repro_tui.compare.cells import Cells, Floats, OfColumn, Tally
from repro_tui.compare.kinds import Profile
from repro_tui.compare.numbers import Numbers, compare_numbers
from repro_tui.compare.statistics import kolmogorov_smirnov, wasserstein
from repro_tui.model.predictions import Column
from repro_tui.model.record import ColumnRule

LOWEST, HIGHEST, BINS_PER_DECADE = -20, 20, 100
SAMPLE = 100_000


class NumberColumn:
    """Adds up one column of numbers; `threshold` is what a probability decides by."""

    def __init__(self, of: OfColumn, told: Profile, declared: ColumnRule) -> None:
        self.of, self.told = of, told
        self.threshold = declared.threshold if declared.threshold is not None else 0.5
        self.decides = of.kind == "probability"
        self.tally, self.moments = Tally(), _Moments()
        self.nulls_a = self.nulls_b = self.non_finite = 0
        self.needed = 0.0  # the smallest absolute tolerance that would pass beside the rule's relative one

    def take(self, pair: Pair) -> Cells:
        """Compares one batch and adds it up."""
        found = compare_numbers(pair.a[self.of.name], pair.b[self.of.name], self.of.rule, self.told.rms)
        cells = self._cells(found)
        self.tally.add(cells)
        self.nulls_a += int(found.null_a.sum())
        self.nulls_b += int(found.null_b.sum())
        finite = np.isfinite(found.delta)
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

    def column(self) -> Column:
        """The result of all batches."""
        a, b = self.of.types
        passing = None if self.non_finite else {"atol": _rounded_up(self.needed), "rtol": self.of.rule.rtol}
        if self.decides and self.tally.flips:
            passing = None
        return replace(
            self.tally.column(self.of, (self.nulls_a, self.nulls_b)),
            max_abs=self.moments.largest if self.moments.count else None,
            max_rel=self.moments.largest_relative if self.moments.count else None,
            non_finite=self.non_finite,
            flips=self.tally.flips if self.decides else None,
            smallest_passing=passing,
            measures=self.moments.measures(self.told.sd) | self._probability_measures(),
            histogram=self.moments.histogram(),
            note="" if a == b else f"the types differ: {a} and {b}",
        )

    def _probability_measures(self) -> dict[str, Any]:
        if not self.decides or not self.tally.rows:
            return {}
        return {"threshold": self.threshold, "mean_jensen_shannon": self.moments.divergence / self.tally.rows}


def _rounded_up(value: float) -> float:
    """Three digits that still pass when they are typed in."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    rounded = float(f"{math.ceil(value / unit) * unit:.3g}")
    return rounded if rounded >= value else float(f"{(math.ceil(value / unit) + 1) * unit:.3g}")


class _Moments:
    """The sums behind the measures, and a histogram of |delta| fine enough for its percentiles."""

    def __init__(self) -> None:
        self.count = 0
        self.largest = self.largest_relative = self.sum = self.sum_abs = self.sum_squares = self.divergence = 0.0
        self.bins = np.zeros((HIGHEST - LOWEST) * BINS_PER_DECADE, dtype=np.int64)
        self.sample_a: list[Floats] = []
        self.sample_b: list[Floats] = []
        self.sampled = 0

    def add(self, found: Numbers, finite: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
        delta = found.delta[finite]
        if not len(delta):
            return
        size = np.abs(delta)
        self.count += len(delta)
        self.largest = max(self.largest, float(size.max()))
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.where(found.scale[finite] > 0, size / found.scale[finite], 0.0)
        self.largest_relative = max(self.largest_relative, float(relative.max()))
        with np.errstate(over="ignore"):
            self.sum, self.sum_abs = self.sum + float(delta.sum()), self.sum_abs + float(size.sum())
            self.sum_squares += float(np.square(delta).sum())
        moved = size[size > 0]
        if len(moved):
            place = ((np.log10(moved) - LOWEST) * BINS_PER_DECADE).astype(np.int64).clip(0, len(self.bins) - 1)
            self.bins += np.bincount(place, minlength=len(self.bins))
        self.divergence += _divergence(found.a[finite], found.b[finite])
        if self.sampled < SAMPLE:
            self.sample_a.append(found.a[finite][: SAMPLE - self.sampled])
            self.sample_b.append(found.b[finite][: SAMPLE - self.sampled])
            self.sampled += len(self.sample_a[-1])

    def measures(self, sd: float) -> dict[str, Any]:
        if not self.count:
            return {}
        root = math.sqrt(self.sum_squares / self.count)
        found: dict[str, Any] = {
            "mean_abs": self.sum_abs / self.count,
            "p99_abs": self._percentile(0.99),
            "bias": self.sum / self.count,
            "rmse": root,
            "rmse_over_sd": root / sd if sd else None,
        }
        return found | (self._distributions(sd) if self.largest else {})

    def _percentile(self, share: float) -> float:
        """From the bins, so within 2.3 %."""
        still = self.count - int(self.bins.sum())
        cumulated = still + np.cumsum(self.bins)
        wanted = share * self.count
        if still >= wanted:
            return 0.0
        place = int(np.searchsorted(cumulated, wanted))
        return float(min(10.0 ** (LOWEST + (place + 1) / BINS_PER_DECADE), self.largest))

    def _distributions(self, sd: float) -> dict[str, Any]:
        """Secondary: they ignore which rows belong together. Over the first 100,000 rows."""
        a, b = np.concatenate(self.sample_a), np.concatenate(self.sample_b)
        found = {"ks": kolmogorov_smirnov(a, b)}
        if sd:
            found["wasserstein_over_sd"] = wasserstein(a, b) / sd
        return found

    def histogram(self) -> tuple[tuple[float, float, int], ...]:
        """Rows by decade of |delta|: (log10 from, log10 to, rows), empty decades at the ends left out."""
        decades = self.bins.reshape(-1, BINS_PER_DECADE).sum(axis=1)
        filled = np.flatnonzero(decades)
        if not len(filled):
            return ()
        return tuple(
            (float(LOWEST + n), float(LOWEST + n + 1), int(decades[n])) for n in range(filled[0], filled[-1] + 1)
        )


def _divergence(a: Floats, b: Floats) -> float:
    """The sum of the Jensen-Shannon divergences (bits) of the two-outcome distributions that a and b stand for."""
    inside = (a >= 0) & (a <= 1) & (b >= 0) & (b <= 1) & (a != b)
    p, q = a[inside], b[inside]
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [
            np.where(x > 0, x * np.log2(x / m), 0.0) + np.where(x < 1, (1 - x) * np.log2((1 - x) / (1 - m)), 0.0)
            for x, m in ((p, middle), (q, middle))
        ]
    return float(sum(np.nansum(term) for term in terms) / 2)
