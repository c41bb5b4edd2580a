"""Sums, percentiles and samples of how far numbers moved."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa

from repro_tui.compare.columns.cells import Floats, Mask
from repro_tui.compare.columns.number_pairs import Numbers
from repro_tui.compare.columns.statistics import kolmogorov_smirnov, wasserstein
from repro_tui.compare.rows.sample import Hashes

LOWEST, HIGHEST, BINS_PER_DECADE = -20, 20, 100
MOST_LARGEST = 200_000  # differences that are kept: the 99th percentile of up to 20 million rows is exact by these


class Moments:
    """The sums behind the measures over rows that moved, the largest of |delta|, and a histogram of all of them."""

    def __init__(self) -> None:
        self.largest = self.largest_relative = self.sum = self.sum_abs = self.sum_squares = 0.0
        self.divergence = self.largest_divergence = 0.0
        self.bins = np.zeros((HIGHEST - LOWEST) * BINS_PER_DECADE, dtype=np.int64)
        self._kept: list[Floats] = []

    def add(self, found: Numbers, finite: Mask) -> None:
        """Adds a batch of rows; those of no difference add nothing."""
        delta = found.delta[finite]
        if not len(delta):
            return
        size = np.abs(delta)
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
            self._keep(moved)
        divergences = _divergences(found.a[finite], found.b[finite])
        self.divergence += float(divergences.sum())
        self.largest_divergence = max(self.largest_divergence, float(divergences.max(initial=0.0)))

    def join(self, other: Moments) -> None:
        """Adds another column's."""
        self.largest = max(self.largest, other.largest)
        self.largest_relative = max(self.largest_relative, other.largest_relative)
        self.largest_divergence = max(self.largest_divergence, other.largest_divergence)
        for name in ("sum", "sum_abs", "sum_squares", "divergence"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.bins += other.bins
        self._keep(*other._kept)

    def _keep(self, *moved: Floats) -> None:
        self._kept += moved
        if sum(map(len, self._kept)) > 2 * MOST_LARGEST:
            every = np.concatenate(self._kept)
            self._kept = [np.partition(every, len(every) - MOST_LARGEST)[-MOST_LARGEST:]]

    def measures(self, count: int, sd: float) -> dict[str, Any]:
        """The measures over `count` finite pairs; `sd` is the standard deviation of A."""
        if not count:
            return {}
        root = math.sqrt(self.sum_squares / count)
        return {
            "mean_abs": self.sum_abs / count,
            "p99_abs": self._percentile(0.99, count),
            "bias": self.sum / count,
            "rmse": root,
            "rmse_over_sd": root / sd if sd else None,
        }

    def _percentile(self, share: float, count: int) -> float:
        """As numpy's quantile interpolates it; where it is not among the largest that were kept, from the bins, so
        within 2.3 %."""
        kept = np.sort(np.concatenate(self._kept)) if self._kept else np.zeros(0)
        place = share * (count - 1)
        of_all = int(self.bins.sum()) == len(kept)
        if of_all or count - int(place) <= len(kept):
            low, high = (self._from_top(kept, count - 1 - at) for at in (math.floor(place), math.ceil(place)))
            return low + (high - low) * (place - math.floor(place))
        still = count - int(self.bins.sum())
        cumulated = still + np.cumsum(self.bins)
        wanted = share * count
        if still >= wanted:
            return 0.0
        bin_of = int(np.searchsorted(cumulated, wanted))
        return float(min(10.0 ** (LOWEST + (bin_of + 1) / BINS_PER_DECADE), self.largest))

    @staticmethod
    def _from_top(kept: Floats, below: int) -> float:
        """The difference that so many are above; rows that did not move have none."""
        return float(kept[-1 - below]) if below < len(kept) else 0.0

    def histogram(self) -> tuple[tuple[float, float, int], ...]:
        """Rows by decade of |delta|: (log10 from, log10 to, rows), empty decades at the ends left out."""
        decades = self.bins.reshape(-1, BINS_PER_DECADE).sum(axis=1)
        filled = np.flatnonzero(decades)
        if not len(filled):
            return ()
        return tuple(
            (float(LOWEST + n), float(LOWEST + n + 1), int(decades[n])) for n in range(filled[0], filled[-1] + 1)
        )


class Sample:
    """The rows of A's first 100,000, for measures of the distributions: they ignore which rows belong together."""

    def __init__(self) -> None:
        self.a: list[Floats] = []
        self.b: list[Floats] = []
        self.hashes: list[Hashes] = []

    def take(self, a: pa.Array, b: pa.Array, hashes: Hashes | None = None) -> None:
        """Keeps rows that are among the first of A, where both numbers are finite; in the order of their hashes where
        these are given, which is that of equals in a ranking."""
        one, other = (_floats(side) for side in (a, b))
        both = np.isfinite(one) & np.isfinite(other)
        self.a.append(one[both])
        self.b.append(other[both])
        if hashes is not None:
            self.hashes.append(hashes[both])

    def sides(self) -> tuple[Floats, Floats]:
        """The numbers of A and of B, row by row."""
        a, b = (np.concatenate(side) if side else np.zeros(0) for side in (self.a, self.b))
        order = np.argsort(np.concatenate(self.hashes), kind="stable") if self.hashes else slice(None)
        return a[order], b[order]

    def measures(self, sd: float) -> dict[str, Any]:
        """Secondary measures."""
        a, b = self.sides()
        if not len(a):
            return {}
        found = {"ks": kolmogorov_smirnov(a, b)}
        return found | ({"wasserstein_over_sd": wasserstein(a, b) / sd} if sd else {})


def _floats(values: pa.Array) -> Floats:
    if pa.types.is_decimal(values.type):
        values = values.cast(pa.float64())
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)


def _divergences(a: Floats, b: Floats) -> Floats:
    """The Jensen-Shannon divergences (bits) of the two-outcome distributions that a and b stand for, where they do."""
    inside = (a >= 0) & (a <= 1) & (b >= 0) & (b <= 1) & (a != b)
    p, q = a[inside], b[inside]
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [
            np.where(x > 0, x * np.log2(x / m), 0.0) + np.where(x < 1, (1 - x) * np.log2((1 - x) / (1 - m)), 0.0)
            for x, m in ((p, middle), (q, middle))
        ]
    return np.asarray(np.maximum(np.nan_to_num(terms[0]) + np.nan_to_num(terms[1]), 0.0) / 2)
