"""Noise or drift: known answers of the permutation test, and how often it is wrong on simulated deployments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from repro_tui.compare.noise import Distances, judge, next_repeat, permutation_test
from repro_tui.compare.statistics import interval, kolmogorov_smirnov, wasserstein
from repro_tui.model.predictions import PredictionsArea
from repro_tui.model.request import Settings
from tests.compare.test_predictions import compare_in, run_of


def distances(values: list[float]) -> Distances:
    points = np.asarray(values)
    return Distances(np.abs(points[:, None] - points[None, :])[None], len(values) // 2)


def test_the_furthest_split_of_five_runs_has_the_smallest_p() -> None:
    p, _ = permutation_test(distances([0, 1, 2, 3, 4, 100, 101, 102, 103, 104]))
    assert p == pytest.approx(2 / 252)


def test_three_and_four_runs_cannot_reach_the_level() -> None:
    assert permutation_test(distances([0, 1, 2, 100, 101, 102]))[0] == pytest.approx(0.1)
    assert permutation_test(distances([0, 1, 2, 3, 100, 101, 102, 103]))[0] == pytest.approx(2 / 70)


def test_ten_runs_are_tested_exactly() -> None:
    p, _ = permutation_test(distances([*range(10), *range(100, 110)]))
    assert p == pytest.approx(2 / 184_756)


def test_equal_runs_on_both_sides_are_no_evidence() -> None:
    assert permutation_test(distances([0, 1, 2, 3, 4] * 2))[0] == 1.0


def test_few_runs_are_undecided_and_not_called_equal() -> None:
    assert judge(distances([0, 1, 100, 101]), (False, False), fixed=False)[0] == "undecided"


def test_false_alarms_and_power() -> None:
    """A against A alarms at most 5 % of the time (0.025 by the level); a clear shift is found."""
    generator = np.random.default_rng(11)
    alarms = sum(
        judge(distances(list(generator.normal(size=10))), (False, False), False)[0] == "drift" for _ in range(200)
    )
    found = 0
    for _ in range(100):
        values = generator.normal(size=10)
        values[5:] += 4.0
        found += judge(distances(list(values)), (False, False), False)[0] == "drift"
    assert alarms <= 10
    assert found >= 90


def test_the_sequential_rule(tmp_path: Path) -> None:
    runs = [run_of(tmp_path, pa.table({"v": [float(n)]})) for n in range(10)]
    undecided = PredictionsArea("unknown", "undecided")
    assert next_repeat(runs[:2], runs[:2], undecided, Settings()) == 5
    assert next_repeat(runs[:5], runs[:5], undecided, Settings()) == 10
    assert next_repeat(runs, runs, undecided, Settings()) is None
    assert next_repeat(runs[:2], runs[:2], PredictionsArea("different", "drift"), Settings()) is None
    assert next_repeat(runs[:2], runs[:2], undecided, Settings(repeat=2)) is None


def test_one_noisy_side_goes_on_to_more_runs(tmp_path: Path) -> None:
    still = pa.table({"v": [1.0, 2.0]})
    noisy = [pa.table({"v": [1.0 + n / 10, 2.0]}) for n in (1, 2)]
    area = compare_in(tmp_path)([still, still], noisy)
    assert (area.verdict, area.noise.deterministic_a, area.noise.deterministic_b) == ("undecided", True, False)


def test_a_shift_among_quiet_columns_is_found(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)

    def run(shift: float) -> pa.Table:
        noise = generator.normal(size=8)
        return pa.table({f"v{n}": np.arange(20.0) + noise[n] + (shift if n == 3 else 0.0) for n in range(8)})

    compare = compare_in(tmp_path)
    quiet = compare([run(0) for _ in range(5)], [run(0) for _ in range(5)])
    moved = compare([run(0) for _ in range(5)], [run(9) for _ in range(5)])
    assert quiet.verdict in ("within-noise", "undecided")
    assert moved.verdict == "drift"
    assert moved.noise.p is not None
    assert moved.noise.p <= 0.025


@pytest.mark.parametrize(("hits", "of"), [(0, 10), (1, 10), (5, 100), (99, 100), (400, 400)])
def test_intervals_are_those_of_scipy(hits: int, of: int) -> None:
    found = stats.binomtest(hits, of).proportion_ci(0.95, method="wilson" if hits else "exact")
    assert interval(hits, of) == pytest.approx((found.low, found.high))


def test_distribution_measures_are_those_of_scipy() -> None:
    generator = np.random.default_rng(5)
    a, b = generator.normal(size=500), generator.normal(0.3, 1.2, size=500)
    assert kolmogorov_smirnov(a, b) == pytest.approx(stats.ks_2samp(a, b).statistic)
    assert wasserstein(a, b) == pytest.approx(stats.wasserstein_distance(a, b))


def test_the_noise_of_a_column_is_the_largest_step_of_a_row_between_runs_of_one_side(tmp_path: Path) -> None:
    """Rows come in any order; the text column has none, and the sides' own distance does not count."""
    generator = np.random.default_rng(5)

    def run(values: list[float]) -> pa.Table:
        order = generator.permutation(3)
        ids, names = np.asarray(["x", "y", "z"])[order], np.asarray(["p", "q", "r"])[order]
        return pa.table({"id": ids, "score": np.asarray(values)[order], "name": names})

    a = [run([1.0, 2.0, 3.0]), run([1.0, 2.25, 3.0])]
    b = [run([9.0, 2.0, 3.0]), run([9.0, 2.0, 3.125])]
    area = compare_in(tmp_path)(a, b, key=("id",))
    found = {column.name: column for column in area.columns}
    assert found["score"].noise_abs == 0.25
    assert found["name"].noise_abs is None
    assert (found["score"].atol, found["score"].rtol) == (1e-7, 1e-7)
    assert (found["name"].atol, found["name"].rtol) == (0.0, 0.0)


def test_runs_of_the_same_bytes_have_no_noise(tmp_path: Path) -> None:
    same = pa.table({"id": ["x", "y"], "score": [1.0, 2.0], "name": ["p", "q"]})
    other = pa.table({"id": ["x", "y"], "score": [1.5, 2.0], "name": ["p", "q"]})
    found = {column.name: column for column in compare_in(tmp_path)(same, other, key=("id",)).columns}
    assert found["score"].noise_abs == 0.0
    assert found["name"].noise_abs is None
