"""The permutation test and the claim of equivalence: known answers, and laws that hold for any runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from repro_tui.compare.noise.exchange import (
    MARGIN,
    Equivalence,
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


@pytest.mark.parametrize("unit", [1e-20, 1.0, 1e20])
def test_the_furthest_split_of_five_runs_has_the_smallest_p(unit: float) -> None:
    values = unit * np.asarray([0, 1, 2, 3, 4, 100, 101, 102, 103, 104])
    assert exchange([points(values)], 5, 5).p == pytest.approx(1 / 126)


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


@pytest.mark.parametrize(("a", "b"), [(2, 3), (5, 5), (3, 7), (7, 7)])
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


@pytest.mark.parametrize(("a", "b"), [(4, 6), (6, 4), (3, 4)])
def test_the_ratio_of_sides_of_which_one_has_more_runs_is_that_of_its_definition(a: int, b: int) -> None:
    matrix = points(np.random.default_rng(a).normal(size=a + b)).by_value
    assert equivalence([Evidence("v", matrix)], a, b).ratio == pytest.approx(by_hand(matrix, a))
    within_a, within_b = matrix[:a, :a][np.triu_indices(a, 1)].mean(), matrix[a:, a:][np.triu_indices(b, 1)].mean()
    assert mean_within_sides(matrix, a) == pytest.approx((within_a, within_b))
    assert mean_within_sides(matrix[:3, :3], 1) == pytest.approx((0.0, matrix[1, 2]))  # a single run has no distance


def sides(within_a: float, within_b: float, across: float) -> Floats:
    """Distances of five runs a side that are all equally far apart within A, within B and across."""
    side = np.repeat([0, 1], 5)
    matrix = np.where(np.not_equal.outer(side, side), across, np.where(side, within_b, within_a))
    return np.asarray(matrix * (1 - np.eye(10)))


@pytest.mark.parametrize(
    ("columns", "ratio", "largest", "scatter"),
    [
        ([sides(1, 4, 3)], 3 / 2.5, 3 / 2.5, 4),
        ([sides(4, 1, 3)], 3 / 2.5, 3 / 2.5, 4),
        ([sides(1, 4, 3)] * 2, 3 / 2.5, 3 / 2.5, 4),
        ([sides(1, 4, 3), sides(4, 1, 3)], 3 / 2.5, 3 / 2.5, 4 / 1.25),  # on average, both sides scatter equally
        ([sides(1, 1, 3), np.zeros((10, 10))], 3, 3, 1),
        ([sides(1, 1, 3), sides(2, 2, 1)], (3 / 1.9 + 1 / 1.3) / (1 / 1.9 + 2 / 1.3), 3, 1),  # means: 190/100, 130/100
        ([sides(0, 1, 1)], 2, 2, np.inf),
        ([sides(0, 0, 0)], 1, 1, 1),
    ],
)
@pytest.mark.parametrize("view", ["by_value", "by_rank", "by_word"])
def test_the_worst_of_all_views_counts(
    columns: list[Floats], ratio: float, largest: float, scatter: float, view: str
) -> None:
    near = sides(1, 1, 1) * (view != "by_value")
    views: list[dict[str, Any]] = [{"by_value": near, view: matrix} for matrix in columns]
    evidence = [Evidence(f"c{n}", **matrices) for n, matrices in enumerate(views)]
    tested = Evidence("tested", sides(1, 9, 99), test_only=True)
    claim = equivalence([*evidence, tested], 5, 5)
    assert (claim.ratio, claim.largest, claim.scatter) == pytest.approx((ratio, largest, scatter))
    assert claim.upper == pytest.approx(ratio)  # omitting any run leaves the ratio the same: nothing is uncertain


@pytest.mark.parametrize(
    ("claim", "shown"),
    [
        (Equivalence(1.0, 1.5, 1.5, 3.0), True),
        (Equivalence(1.0, 1.51, 1.0), False),
        (Equivalence(1.0, 1.0, 1.51), False),
        (Equivalence(1.0, 1.0, 1.0, 3.01), False),
        (Equivalence(1.0, 1.0, 1.0, 1.0, ("id",)), False),
    ],
)
def test_equivalence_is_shown_up_to_its_bounds_in_all_of_them(claim: Equivalence, shown: bool) -> None:
    assert claim.is_shown == shown


ALIKE, VARIED = 1.0 - np.eye(10), points(range(10)).by_value


@pytest.mark.parametrize(
    ("by_value", "by_rank", "by_word", "uninformative"),
    [
        (VARIED, None, None, False),
        (ALIKE, ALIKE, None, True),
        (ALIKE, VARIED, None, False),
        (ALIKE, 0 * ALIKE, None, True),  # ranks that never change show nothing
        (ALIKE, None, ALIKE, True),
        (ALIKE, None, 0 * ALIKE, True),
        (ALIKE, None, 0.9 * ALIKE + 0.001 * VARIED, True),  # words that are nearly all new
        (ALIKE, None, 0.8 * ALIKE + 0.001 * VARIED, False),
        (0 * ALIKE, None, None, False),
    ],
)
def test_a_column_is_uninformative_where_no_view_separates_any_runs(
    by_value: Floats, by_rank: Floats | None, by_word: Floats | None, uninformative: bool
) -> None:
    assert Evidence("v", by_value, by_rank, by_word).is_uninformative == uninformative


Statistic = Callable[[Any, Any], float]


def over_all_splits(values: Any, statistic: Statistic, runs_a: int = 5) -> tuple[float, float]:
    """How many standard deviations the true split's statistic is from the mean over all splits, and its p."""
    in_a = [np.isin(np.arange(10), called_a) for called_a in combinations(range(10), runs_a)]
    statistics = np.asarray([statistic(values[side], values[~side]) for side in in_a])
    deviations = (statistics[0] - statistics.mean()) / statistics.std()
    return float(deviations), float(np.mean(statistics >= statistics[0] - 1e-4))


def rows_apart(a: Any, b: Any) -> float:
    """Rows in which no run of one side is below any run of the other."""
    return float(((a.max(axis=0) <= b.min(axis=0)) | (b.max(axis=0) <= a.min(axis=0))).sum())


def labels_apart(a: Any, b: Any) -> float:
    """Rows in which the sides have no label in common."""
    return float((a[:, None] != b[None, :]).all(axis=(0, 1)).sum())


def largest_gap(a: Any, b: Any) -> float:
    """The largest t of a row, where a twentieth of the median row's squares about its own median is added to each
    row's squares."""
    both = np.concatenate([a, b])
    shared = 0.05 * np.median(np.square(both - np.median(both, axis=0)).sum(axis=0))
    squares = np.square(a - a.mean(axis=0)).sum(axis=0) + np.square(b - b.mean(axis=0)).sum(axis=0)
    gap = np.abs(a.mean(axis=0) - b.mean(axis=0))
    return float((gap / np.sqrt((squares + shared) / 8)).max())


@pytest.mark.parametrize(("size", "runs_a"), [(40, 5), (1_100, 5), (40, 4)])
@pytest.mark.parametrize(
    ("field", "name", "statistic"),
    [
        ("row_ranks", "rows apart", rows_apart),
        ("row_labels", "rows apart", labels_apart),
        ("row_values", "one row", largest_gap),
    ],
)
def test_the_statistics_of_single_rows_are_those_of_their_definitions(
    field: str, name: str, statistic: Statistic, size: int, runs_a: int
) -> None:
    """Whole numbers, many of them ties, and a quarter of the rows the same in all runs."""
    integers = np.random.default_rng(size).integers(0, 12, size=(10, size))
    integers[runs_a:, : size // 8] += 5
    integers[:, -size // 4 :] = 3
    numbers = integers.astype(float)
    values = {"row_ranks": ranked(numbers), "row_labels": integers, "row_values": numbers}[field]
    fields: dict[str, Any] = {field: values}
    test = exchange([Evidence("v", np.zeros((10, 10)), column="v", **fields)], runs_a, 10 - runs_a)
    assert (test.column, test.statistic_name, test.matrix) == ("v", name, None)
    assert (test.statistic, test.p) == pytest.approx(over_all_splits(values, statistic, runs_a), rel=1e-3)


@pytest.mark.parametrize("field", ["row_ranks", "row_labels", "row_values"])
def test_a_single_row_is_tested_by_its_distances_alone(field: str) -> None:
    values = np.repeat([[0], [1]], 5, axis=0).astype(np.int64 if field == "row_labels" else np.float64)
    for row_count, p in ((1, 1.0), (2, 1 / 126)):
        fields: dict[str, Any] = {field: np.repeat(values, row_count, axis=1)}
        assert exchange([Evidence("v", np.zeros((10, 10)), **fields)], 5, 5).p == pytest.approx(p)


def test_a_row_that_differs_between_the_sides_and_not_within_is_as_far_as_can_be() -> None:
    values = np.zeros((10, 50))
    values[5:, 7] = 1e-9
    values[:, 9] = np.random.default_rng(1).normal(size=10)
    test = exchange([Evidence("v", np.zeros((10, 10)), row_values=values)], 5, 5)
    assert test.p == pytest.approx(1 / 126)
    assert test.statistic_name == "one row"


def test_the_column_and_the_view_that_the_test_rests_on_are_reported() -> None:
    """The largest over all columns and views, in standard deviations over all 126 splits."""
    noisy, moved = points(np.random.default_rng(1).normal(size=10)), points([*range(5), *range(9, 14)]).by_value
    columns = [
        replace(noisy, column="v"),
        Evidence("w", noisy.by_value, by_word=moved, column="w"),
        Evidence("x", noisy.by_value, column="x"),
    ]
    test = exchange(columns, 5, 5)

    def distance(a: Any, b: Any) -> float:
        inside = [moved[np.ix_(side, side)].sum() / 25 for side in (a, b)]
        return float(2 * moved[np.ix_(a, b)].mean() - sum(inside))

    assert (test.column, test.statistic_name, test.matrix is moved) == ("w", "words", True)
    assert test.statistic == pytest.approx(over_all_splits(np.arange(10), distance)[0])


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
    by_one_run = equivalence([points([0, 0, 0, 0, 1, 1, 1, 1, 1, 1])], 5, 5)  # without A's last, there is none
    assert (by_one_run.ratio, by_one_run.upper) == (pytest.approx((4 / 5) / (8 / 20 / 2)), np.inf)


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
