"""The closed forms against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from repro_tui.compare.columns.statistics import interval, kolmogorov_smirnov, wasserstein


@pytest.mark.parametrize(("hits", "of"), [(1, 1), (1, 7), (3, 10), (250, 1000), (999, 1000), (1000, 1000)])
def test_a_share_has_wilsons_interval(hits: int, of: int) -> None:
    expected = stats.binomtest(hits, of).proportion_ci(0.95, "wilson")
    assert interval(hits, of) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("of", [1, 7, 1000])
def test_no_hits_have_the_exact_bound(of: int) -> None:
    expected = stats.binomtest(0, of).proportion_ci(0.95, "exact")
    assert interval(0, of) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_distances_of_samples_with_ties(seed: int) -> None:
    random = np.random.default_rng(seed)
    a, b = random.normal(size=200).round(seed % 3), random.normal(0.2, 1.5, 200).round(1)
    assert kolmogorov_smirnov(a, b) == pytest.approx(stats.ks_2samp(a, b).statistic, abs=1e-12)
    assert wasserstein(a, b) == pytest.approx(stats.wasserstein_distance(a, b), abs=1e-12)


def test_a_sample_has_no_distance_from_itself() -> None:
    a = np.array([3.0, 1.0, 2.0])
    assert kolmogorov_smirnov(a, a[::-1]) == wasserstein(a, a[::-1]) == 0.0


def test_a_distance_that_float64_cannot_hold_is_infinite() -> None:
    assert wasserstein(np.array([1.7e308, 1.7e308]), np.array([-1.7e308, -1.7e308])) == float("inf")
    assert wasserstein(np.array([1.7e308, 1.7e308]), np.zeros(2)) == float("inf")
