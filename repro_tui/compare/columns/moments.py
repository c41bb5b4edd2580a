"""How far numbers moved: sums, percentiles, a histogram, and samples of both distributions.

Everything is accumulated batch by batch in bounded memory:

- means need only sums over the rows that moved, since the others contribute 0;
- percentiles of |b - a| are exact as long as they are among the 200,000 largest differences, which are all kept: the
  99th percentile of up to 20 million rows is one of these. Further down they are read from a histogram with 100 bins
  per decade, whose bin edges are 10^0.01 = 2.3 % apart;
- measures of the two distributions (Kolmogorov-Smirnov, Wasserstein) use the pairs among A's first 100,000 rows.

Example: of 1,000 finite pairs, 5 moved, by 1 to 5. The 99th percentile is at position 0.99 * 999 = 989.01 from the
bottom, thus among the 995 rows that did not move: 0. The 99.7th is at 996.003, between the second (2) and the third (3)
of the five: 2.003.

A batch of n rows costs O(n); keeping the largest is a partial sort, once per 200,000 further differences.
"""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa

from repro_tui.compare.columns.number_pairs import Numbers
from repro_tui.compare.columns.statistics import kolmogorov_smirnov, wasserstein
from repro_tui.compare.rows.arrays import Floats, Hashes, Mask

LOWEST, HIGHEST, BINS_PER_DECADE = -20, 20, 100  # the histogram covers |b - a| from 1e-20 to 1e20
MOST_LARGEST = 200_000  # differences that are kept


class Moments:
    """The sums behind the measures, the largest of |delta|, and a histogram of all of them."""

    def __init__(self) -> None:
        self.largest = self.largest_relative = self.sum = self.sum_abs = self.sum_squares = 0.0
        self.divergence = self.largest_divergence = 0.0
        self.bins = np.zeros((HIGHEST - LOWEST) * BINS_PER_DECADE, dtype=np.int64)
        self._kept: list[Floats] = []

    def add(self, numbers: Numbers, finite: Mask) -> None:
        """Adds the `finite` rows of a batch; rows without a difference add nothing."""
        delta = numbers.delta[finite]
        if not len(delta):
            return
        size = np.abs(delta)
        self.largest = max(self.largest, float(size.max()))
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.where(numbers.scale[finite] > 0, size / numbers.scale[finite], 0.0)
        self.largest_relative = max(self.largest_relative, float(relative.max()))
        with np.errstate(over="ignore"):
            self.sum, self.sum_abs = self.sum + float(delta.sum()), self.sum_abs + float(size.sum())
            self.sum_squares += float(np.square(delta).sum())
        moved = size[size > 0]
        if len(moved):
            bins = ((np.log10(moved) - LOWEST) * BINS_PER_DECADE).astype(np.int64).clip(0, len(self.bins) - 1)
            self.bins += np.bincount(bins, minlength=len(self.bins))
            self._keep(moved)
        divergences = _divergences(numbers.a[finite], numbers.b[finite])
        self.divergence += float(divergences.sum())
        self.largest_divergence = max(self.largest_divergence, float(divergences.max(initial=0.0)))

    def join(self, moments: Moments) -> None:
        """Adds the moments of another column."""
        self.largest = max(self.largest, moments.largest)
        self.largest_relative = max(self.largest_relative, moments.largest_relative)
        self.largest_divergence = max(self.largest_divergence, moments.largest_divergence)
        for name in ("sum", "sum_abs", "sum_squares", "divergence"):
            setattr(self, name, getattr(self, name) + getattr(moments, name))
        self.bins += moments.bins
        self._keep(*moments._kept)

    def _keep(self, *moved: Floats) -> None:
        self._kept += moved
        if sum(map(len, self._kept)) > 2 * MOST_LARGEST:
            differences = np.concatenate(self._kept)
            self._kept = [np.partition(differences, len(differences) - MOST_LARGEST)[-MOST_LARGEST:]]

    def measures(self, count: int, sd: float) -> dict[str, object]:
        """The measures over `count` finite pairs; `sd` is the standard deviation of A (0.0: none, or not known)."""
        if not count:
            return {}
        rmse = math.sqrt(self.sum_squares / count)
        return {
            **self.distances(count),
            "bias": self.sum / count,
            "rmse": rmse,
            "rmse_over_sd": rmse / sd if sd else None,
        }

    def distances(self, count: int) -> dict[str, object]:
        """The mean and the 99th percentile of |delta| over `count` finite pairs; {} where there are none."""
        return {"mean_abs": self.sum_abs / count, "p99_abs": self._percentile(0.99, count)} if count else {}

    def _percentile(self, share: float, count: int) -> float:
        """The percentile of |delta| as NumPy's quantile interpolates it.

        Where it is not among the largest differences that were kept, it comes from the bins, with an error of up to
        2.3 %.
        """
        kept = np.sort(np.concatenate(self._kept)) if self._kept else np.zeros(0)
        position = share * (count - 1)
        moved = int(self.bins.sum())
        if moved == len(kept) or count - int(position) <= len(kept):
            low, high = (
                self._from_top(kept, count - 1 - index) for index in (math.floor(position), math.ceil(position))
            )
            return low + (high - low) * (position - math.floor(position))
        unmoved, target = count - moved, share * count
        if unmoved >= target:
            return 0.0
        bin_index = int(np.searchsorted(unmoved + np.cumsum(self.bins), target))
        return float(min(10.0 ** (LOWEST + (bin_index + 1) / BINS_PER_DECADE), self.largest))

    @staticmethod
    def _from_top(kept: Floats, rank: int) -> float:
        """The difference that exactly `rank` others are above; it is 0 for a row that did not move."""
        return float(kept[-1 - rank]) if rank < len(kept) else 0.0

    def histogram(self) -> tuple[tuple[float, float, int], ...]:
        """Rows by decade of |delta|: (log10 from, log10 to, rows), without the empty decades at the ends."""
        decades = self.bins.reshape(-1, BINS_PER_DECADE).sum(axis=1)
        filled = np.flatnonzero(decades)
        if not len(filled):
            return ()
        return tuple(
            (float(LOWEST + n), float(LOWEST + n + 1), int(decades[n])) for n in range(filled[0], filled[-1] + 1)
        )


class Sample:
    """Pairs among A's first 100,000 rows, for measures of the distributions, which ignore how rows are paired."""

    def __init__(self) -> None:
        self.a: list[Floats] = []
        self.b: list[Floats] = []
        self.hashes: list[Hashes] = []

    def add_pairs(self, a: pa.Array, b: pa.Array, hashes: Hashes | None = None) -> None:
        """Keeps the pairs in which both numbers are finite.

        `hashes` of the rows' keys fix the order of the pairs, and with it that of ties in a ranking, whatever order
        the rows come in.
        """
        numbers_a, numbers_b = floats(a), floats(b)
        finite = np.isfinite(numbers_a) & np.isfinite(numbers_b)
        self.a.append(numbers_a[finite])
        self.b.append(numbers_b[finite])
        if hashes is not None:
            self.hashes.append(hashes[finite])

    def sides(self) -> tuple[Floats, Floats]:
        """The numbers of A and of B, pair by pair."""
        a, b = (np.concatenate(side) if side else np.zeros(0) for side in (self.a, self.b))
        order = np.argsort(np.concatenate(self.hashes), kind="stable") if self.hashes else slice(None)
        return a[order], b[order]

    def measures(self, sd: float) -> dict[str, float]:
        """The secondary measures; `sd` is the standard deviation of A."""
        a, b = self.sides()
        if not len(a):
            return {}
        measures = {"ks": kolmogorov_smirnov(a, b)}
        return measures | ({"wasserstein_over_sd": wasserstein(a, b) / sd} if sd else {})


def floats(values: pa.Array) -> Floats:
    """Numbers of any type as floats; nulls become NaN."""
    if pa.types.is_decimal(values.type):
        values = values.cast(pa.float64())
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)


def _divergences(a: Floats, b: Floats) -> Floats:
    """The Jensen-Shannon divergences, in bits, of the distributions (a, 1 - a) and (b, 1 - b).

    Only pairs that differ and whose numbers are from 0 to 1 have one; the array has an entry for each of these.
    """
    inside = (a >= 0) & (a <= 1) & (b >= 0) & (b <= 1) & (a != b)
    p, q = a[inside], b[inside]
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [
            np.where(x > 0, x * np.log2(x / m), 0.0) + np.where(x < 1, (1 - x) * np.log2((1 - x) / (1 - m)), 0.0)
            for x, m in ((p, middle), (q, middle))
        ]
    return np.asarray(np.maximum(np.nan_to_num(terms[0]) + np.nan_to_num(terms[1]), 0.0) / 2)
