"""The few closed forms that the measures need. SciPy has them too, but takes a second to import: tests hold the two
against each other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]
Z95 = 1.959963984540054


def interval(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share: Wilson's (1927), and at no hits the exact bound of Clopper and Pearson (1934)."""
    if hits == 0:
        return 0.0, 1.0 - 0.025 ** (1.0 / of)
    share, square = hits / of, Z95 * Z95
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = Z95 / (1 + square / of) * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def kolmogorov_smirnov(a: Floats, b: Floats) -> float:
    """The largest distance between the two samples' distribution functions (0 to 1)."""
    one, other = np.sort(a), np.sort(b)
    every = np.concatenate([one, other])
    below_a = np.searchsorted(one, every, side="right") / len(one)
    below_b = np.searchsorted(other, every, side="right") / len(other)
    return float(np.max(np.abs(below_a - below_b)))


def wasserstein(a: Floats, b: Floats) -> float:
    """The mean distance between the ordered samples, which are of one size; infinite where float64 cannot hold it."""
    with np.errstate(over="ignore"):
        return float(np.mean(np.abs(np.sort(a) - np.sort(b))))
