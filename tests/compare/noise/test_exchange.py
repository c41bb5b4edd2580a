"""The permutation test and the claim of equivalence: known answers, and laws that hold for any runs."""

from __future__ import annotations

from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from repro_tui.compare.noise.exchange import (
    MARGIN,
    Evidence,
    energy,
    equivalence,
    exchange,
    mean_within_sides,
    possible_splits,
    ranked,
)
from tests.conftest import EXAMPLES

Floats = np.ndarray[Any, np.dtype[np.float64]]


def points(values: Any) -> Evidence:
    """Runs that are one number each."""
    numbers = np.asarray(values, dtype=np.float64)
    return Evidence("v", np.abs(numbers[:, None] - numbers[None, :]))


def rows(values: Floats) -> Evidence:
    """Runs (each a row of numbers) as the engine measures them."""
    ranks = ranked(values)
    return Evidence("v", distances(values), distances(ranks), row_values=values, row_ranks=ranks)


def distances(values: Floats) -> Floats:
    return np.sqrt(np.square(values[:, None, :] - values[None, :, :]).sum(axis=2))


def test_the_furthest_split_of_five_runs_has_the_smallest_p() -> None:
    assert exchange([points([0, 1, 2, 3, 4, 100, 101, 102, 103, 104])], 5, 5).p == pytest.approx(1 / 126)


def test_few_runs_cannot_reach_the_level() -> None:
    assert exchange([points([0, 1, 2, 100, 101, 102])], 3, 3).p == pytest.approx(1 / 10)
    assert exchange([points([0, 1, 2, 3, 100, 101, 102, 103])], 4, 4).p == pytest.approx(1 / 35)


def test_for_ten_runs_two_thousand_splits_are_drawn_and_the_true_one_is_among_them() -> None:
    assert len(possible_splits(10, 10)) == 2_001
    assert exchange([points([*range(10), *range(100, 110)])], 10, 10).p == pytest.approx(1 / 2_001)
    assert exchange([points(list(range(20)) * 2)], 20, 20).p > 0.9


def test_runs_that_differ_nowhere_are_no_evidence() -> None:
    assert exchange([points([1.0] * 10)], 5, 5).p == 1.0
    assert exchange([points([0, 1, 2, 3, 4] * 2)], 5, 5).p == 1.0


@pytest.mark.parametrize(("a", "b"), [(2, 3), (5, 5), (3, 7), (6, 6)])
def test_the_splits_are_complete_and_the_true_one_is_first(a: int, b: int) -> None:
    splits = possible_splits(a, b)
    assert (splits.sum(axis=1) == a).all()
    assert (splits[0] == np.repeat([1, 0], [a, b])).all()
    assert len(np.unique(splits, axis=0)) == len(splits) == comb(a + b, a) // (2 if a == b else 1)


def test_energy_is_that_of_its_definition() -> None:
    draw = np.random.default_rng(1)
    values = draw.normal(size=(9, 4))
    matrix = distances(values)
    splits = possible_splits(4, 5)
    for split, computed in zip(splits, energy(matrix, splits, 4, 5), strict=True):
        a, b = np.flatnonzero(split), np.flatnonzero(1 - split)
        expected = 2 * matrix[np.ix_(a, b)].mean() - matrix[np.ix_(a, a)].mean() - matrix[np.ix_(b, b)].mean()
        assert computed == pytest.approx(expected)


def test_ranks_are_those_of_scipy() -> None:
    draw = np.random.default_rng(2)
    values = draw.integers(0, 4, size=(10, 30)).astype(float)
    assert (ranked(values) == stats.rankdata(values, axis=0) - 1).all()
    values[3] = np.nan
    assert (ranked(values)[3] == 0).all()


BLINDING = {
    "one row a hundred thousand times as noisy": lambda x: x * np.r_[1e5, np.ones(x.shape[1] - 1)],
    "a heavy tail": lambda x: x + np.random.default_rng(9).standard_cauchy(x.shape),
    "spreads of rows that differ by e^2": lambda x: x * np.exp(np.random.default_rng(9).normal(0, 2, x.shape[1])),
}


@pytest.mark.parametrize("disturbance", BLINDING)
def test_no_row_and_no_tail_hides_a_shift_of_all_others(disturbance: str) -> None:
    draw = np.random.default_rng(3)
    values = draw.normal(size=(10, 200))
    values[5:] += 2.0
    assert exchange([rows(BLINDING[disturbance](values))], 5, 5).p <= 0.025


def test_labels_that_one_side_alone_has_are_seen() -> None:
    """One row of a thousand has a label for good in B that no run of A gave it; others flip at random."""
    draw = np.random.default_rng(4)
    codes = (draw.random((10, 1_000)) < 0.01).astype(np.int64)
    codes[5:, :5] = 2
    moved = np.asarray([[np.sqrt((left != right).mean()) for right in codes] for left in codes])
    test = exchange([Evidence("label", moved, row_labels=codes)], 5, 5)
    assert (test.p, test.statistic_name) == (pytest.approx(1 / 126), "rows apart")


def test_one_row_that_moves_far_is_seen_among_thousands() -> None:
    draw = np.random.default_rng(5)
    values = draw.normal(size=(20, 3_000))
    values[10:, 1_234] += 30.0
    test = exchange([rows(values)], 10, 10)
    assert (test.p <= 0.025, test.statistic_name) == (True, "one row")


def test_many_columns_raise_no_false_alarm() -> None:
    alarms = 0
    for seed in range(60):
        draw = np.random.default_rng(seed)
        alarms += exchange([rows(draw.normal(size=(10, 8))) for _ in range(20)], 5, 5).p <= 0.025
    assert alarms <= 5


def by_hand(matrix: Floats, runs_a: int) -> float:
    """The mean distance across over the mean within, pair by pair."""
    runs = len(matrix)
    within_a = [matrix[x, y] for x in range(runs_a) for y in range(runs_a) if x != y]
    within_b = [matrix[x, y] for x in range(runs_a, runs) for y in range(runs_a, runs) if x != y]
    across = [matrix[x, y] for x in range(runs_a) for y in range(runs_a, runs)]
    return float(np.mean(across) / ((np.mean(within_a) + np.mean(within_b)) / 2))


@pytest.mark.parametrize("runs", [5, 8])
def test_the_bound_is_that_of_a_jackknife_over_runs(runs: int) -> None:
    values = np.random.default_rng(runs).normal(size=2 * runs)
    claim = equivalence([points(values)], runs, runs)
    matrix = points(values).by_value
    logs = []
    for run in range(2 * runs):
        kept = [number for number in range(2 * runs) if number != run]
        logs.append(np.log(by_hand(matrix[np.ix_(kept, kept)], runs - (run < runs))))
    error = np.sqrt((2 * runs - 1) / (2 * runs) * np.sum((np.array(logs) - np.mean(logs)) ** 2))
    assert claim.ratio == pytest.approx(by_hand(matrix, runs))
    assert claim.upper == pytest.approx(claim.ratio * np.exp(stats.t.ppf(0.95, 2 * runs - 2) * error))


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_the_unit_of_one_column_among_several_does_not_matter(unit: float) -> None:
    draw = np.random.default_rng(3)
    same, shifted = draw.normal(size=10), draw.normal(size=10) + np.repeat([0, 9], 5)
    claims = [equivalence([points(same), points(shifted * scale)], 5, 5) for scale in (1.0, unit)]
    assert (claims[0].ratio, claims[0].upper) == pytest.approx((claims[1].ratio, claims[1].upper))


def test_sides_without_any_distance_within_are_infinitely_far_apart_or_the_same() -> None:
    claim = equivalence([points([0] * 5 + [1] * 5)], 5, 5)
    assert (claim.ratio, claim.upper, claim.is_shown) == (np.inf, np.inf, False)
    assert equivalence([points([0] * 10)], 5, 5).ratio == 1.0


@pytest.mark.parametrize(("changed", "uninformative"), [(0.0, False), (0.89, False), (0.9, True), (1.0, True)])
def test_labels_are_uninformative_only_if_nearly_every_row_changes(changed: float, uninformative: bool) -> None:
    draw = np.random.default_rng(2)
    drawn = points(draw.normal(size=10)).by_value
    assert Evidence("v", drawn, least_changed=changed).is_uninformative == uninformative
    assert not Evidence("v", np.zeros((10, 10)), least_changed=changed).is_uninformative
    assert Evidence("v", 1.0 - np.eye(10), least_changed=changed).is_uninformative  # any two runs differ equally


def test_not_significant_is_not_equivalent() -> None:
    """A shift of two standard deviations, shared by all rows of a run: too small for the test, too large to be none."""
    shared = np.array([-1.0, 0.5, 0.2, 1.0, -0.6, 0.9, 1.2, -0.4, 1.4, 0.6])
    evidence = [rows(np.repeat(shared[:, None], 3, axis=1))]
    assert exchange(evidence, 5, 5).p > 0.025
    assert not equivalence(evidence, 5, 5).is_shown
    same = [rows(np.random.default_rng(6).normal(size=(10, 200)))]
    assert equivalence(same, 5, 5).is_shown
    assert equivalence(same, 5, 5).upper <= MARGIN


def test_columns_in_which_every_row_changes_in_every_run_show_nothing() -> None:
    ids = Evidence("id", 1.0 - np.eye(10))
    constant = Evidence("constant", np.zeros((10, 10)))
    noisy = rows(np.random.default_rng(7).normal(size=(10, 50)))
    assert (ids.is_uninformative, constant.is_uninformative, noisy.is_uninformative) == (True, False, False)
    claim = equivalence([ids, constant, noisy], 5, 5)
    assert (claim.is_shown, claim.uninformative) == (False, ("id",))
    assert exchange([ids], 5, 5).p == 1.0


def test_one_column_that_is_farther_apart_than_the_rest_is_not_averaged_away() -> None:
    draw = np.random.default_rng(8)
    columns = [rows(draw.normal(size=(10, 40))) for _ in range(49)]
    moved = draw.normal(size=(10, 40))
    moved[5:] += 3.0
    assert not equivalence([*columns, rows(moved)], 5, 5).is_shown


def test_the_mean_distances_show_how_much_farther_runs_scatter() -> None:
    draw = np.random.default_rng(9)
    values = draw.normal(size=(10, 500))
    values[5:] *= 3.0
    within_a, within_b = mean_within_sides(distances(values), 5)
    assert within_b / within_a == pytest.approx(3.0, rel=0.1)


@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-12, 1e12), shift=st.floats(-1e6, 1e6))
def test_neither_unit_nor_origin_of_the_values_matters(seed: int, scale: float, shift: float) -> None:
    draw = np.random.default_rng(seed)
    values = draw.integers(0, 1_000, size=(10, 6)).astype(float)
    scaled = values * 2.0 ** np.round(np.log2(scale))
    assert exchange([rows(values)], 5, 5).p == exchange([rows(scaled)], 5, 5).p
    assert equivalence([rows(values)], 5, 5).upper == pytest.approx(equivalence([rows(scaled)], 5, 5).upper)


@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_sides_and_the_order_of_their_runs_do_not_matter(seed: int) -> None:
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(10, 6))
    order = np.concatenate([5 + draw.permutation(5), draw.permutation(5)])
    assert exchange([rows(values)], 5, 5).p == pytest.approx(exchange([rows(values[order])], 5, 5).p)
