"""The few closed forms that the measures need. SciPy has them as well, but takes a second to import; tests check that
both agree."""

from __future__ import annotations

import math

import numpy as np

from repro_tui.compare.rows.arrays import Floats

Z95 = 1.959963984540054


def interval(hits: int, of: int) -> tuple[float, float]:
    """The 95 % confidence interval (low, high) of the share `hits` / `of`, where `of` is at least 1.

    Wilson's score interval (1927); with no hits, the exact bound of Clopper and Pearson (1934), since Wilson's is too
    narrow there. For example, 3 of 10 gives 0.108 to 0.603, and 0 of 500 gives 0 to 0.0074.
    """
    if hits == 0:
        return 0.0, 1.0 - 0.025 ** (1.0 / of)
    share, square = hits / of, Z95 * Z95
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = Z95 / (1 + square / of) * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def kolmogorov_smirnov(a: Floats, b: Floats) -> float:
    """The two-sample Kolmogorov-Smirnov statistic: the largest distance between the distribution functions (0 to 1)."""
    sorted_a, sorted_b = np.sort(a), np.sort(b)
    pooled = np.concatenate([sorted_a, sorted_b])
    below_a = np.searchsorted(sorted_a, pooled, side="right") / len(sorted_a)
    below_b = np.searchsorted(sorted_b, pooled, side="right") / len(sorted_b)
    return float(np.max(np.abs(below_a - below_b)))


def wasserstein(a: Floats, b: Floats) -> float:
    """The 1-Wasserstein distance of two samples of one size: the mean |a - b| of the sorted values.

    Infinite where float64 cannot hold it.
    """
    with np.errstate(over="ignore"):
        return float(np.mean(np.abs(np.sort(a) - np.sort(b))))
