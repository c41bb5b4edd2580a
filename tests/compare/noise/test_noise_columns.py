"""One column over all runs, by hand and by brute force: distances, ranks, and the rows that exceed their own noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from repro_tui.compare.noise.columns import ExactNoise, RunFiles
from repro_tui.compare.noise.numbers import ListNoise, NumberNoise
from repro_tui.compare.noise.row_selection import FINITE, MOST_DRAWN, MOST_VARIABLE, RowSelection, SelectedRows

FILES = RunFiles((0, 1, 2), (3, 4, 3))  # B's third run wrote the same bytes as its first
TOLERANCE = 0.1
nan, inf = math.nan, math.inf


def numbers(files: RunFiles = FILES, atol: float = TOLERANCE, rtol: float = 0.0) -> NumberNoise:
    return NumberNoise(files, atol, rtol, RowSelection(1_000, 6, 1))


def add_rows(noise: Any, files: Sequence[Sequence[Any]], kind: pa.DataType | None = None) -> list[bool]:
    """Adds one batch, every row of which is selected; returns which of the rows exceed their own noise."""
    arrays = [pa.array(values, kind) for values in files]
    return list(map(bool, noise.add_batch(arrays, np.ones(len(arrays[0]), dtype=np.bool_))))


def evidence_of(noise: Any) -> Any:
    (evidence,) = noise.evidence("v")
    return evidence


def in_units_of_mean(distances: Any) -> Any:
    return distances / distances[~np.eye(len(distances), dtype=bool)].mean()


def rms(runs: Any) -> Any:
    """The root mean square of the differences between every two runs, in units of its mean."""
    return in_units_of_mean(np.sqrt(np.square(runs[:, None] - runs[None]).mean(axis=2)))


def ranges_apart(values: Any, files: RunFiles = FILES) -> list[bool]:
    """The rows in which the ranges of the two sides leave a gap above the tolerance."""
    a, b = values[list(files.a)], values[list(files.b)]
    gap = np.maximum(b.min(axis=0) - a.max(axis=0), a.min(axis=0) - b.max(axis=0))
    return list(map(bool, gap > TOLERANCE))


def test_numbers_against_brute_force() -> None:
    draw = np.random.default_rng(1)
    values = draw.normal(size=(5, 60)) + np.r_[0, 0, 0, 1, 1][:, None]
    noise = numbers()
    exceeding = [*add_rows(noise, values[:, :25]), *add_rows(noise, values[:, 25:])]
    runs = values[FILES.runs]
    evidence = evidence_of(noise)
    assert exceeding == ranges_apart(values)
    assert set(exceeding) == {False, True}
    assert evidence.by_value == pytest.approx(rms(runs))
    assert evidence.row_ranks == pytest.approx(stats.rankdata(runs, axis=0) - 1)
    assert evidence.row_values - evidence.row_values[0] == pytest.approx(runs - runs[0])
    ranks = stats.rankdata(runs, axis=0)
    assert evidence.by_rank == pytest.approx(np.sqrt(np.square(ranks[:, None] - ranks[None]).sum(axis=2)))
    sides = values[[0, 1, 2]], values[[3, 4]]
    assert noise.largest_step() == pytest.approx(max(float(np.ptp(side, axis=0).max()) for side in sides))
    assert noise.differences.over_tolerance


@pytest.mark.parametrize(
    ("a", "b", "exceeds"),
    [
        ([0.0, 0.0, 0.0], [0.3, 0.3], True),
        ([0.0, 0.0, 0.0], [0.125, 0.5], False),  # a gap as large as the tolerance is allowed
        ([0.5, 0.0, 0.0], [0.625, 1.0], False),
        ([0.0, 1.0, 0.0], [0.5, 0.5], False),
        ([5.0, 4.0, 5.0], [3.0, 3.5], True),
        ([nan, nan, nan], [1.0, 1.0], True),
        ([nan, 1.0, 1.0], [nan, 9.0], False),  # both sides have it
        ([nan, 1.0, 1.0], [1.0, 1.0], False),  # where they have numbers, these meet
        ([nan, 1.0, 1.0], [2.0, 2.0], True),
        ([nan, nan, nan], [None, None], True),
        ([inf, inf, inf], [-inf, -inf], True),
        ([nan, 1.0, 1.0], [1.1, nan], False),
        ([nan, 1.0, 1.0], [1.1, 1.1], False),
        ([inf, 1.0, 1.0], [2.0, 2.0], True),
        ([inf, 1.0, 1.0], [-inf, 2.0], True),
        ([inf, 1.0, 1.0], [-inf, 1.1], False),
        ([None, 1.0, 1.0], [2.0, 2.0], True),
    ],
)
def test_a_row_exceeds_its_noise_where_no_run_of_a_gave_what_a_run_of_b_did(
    a: list[Any], b: list[Any], exceeds: bool
) -> None:
    noise = numbers(atol=0.125)
    assert add_rows(noise, [[value] for value in (*a, *b)], pa.float64()) == [exceeds]
    assert noise.differences.over_tolerance


@pytest.mark.parametrize("first", [None, nan, inf, -inf])
@pytest.mark.parametrize(("b", "exceeds"), [(1.125, False), (1.25, True)])
def test_the_tolerance_of_a_row_is_relative_to_the_finite_one_of_the_first_runs(
    first: float | None, b: float, exceeds: bool
) -> None:
    """A gap of 0.125 is within an eighth of B's 1.125, a gap of 0.25 is not within an eighth of 1.25."""
    noise = numbers(atol=0.0, rtol=0.125)
    assert add_rows(noise, [[first], [1.0], [1.0], [b], [b]], pa.float64()) == [exceeds]


@pytest.mark.parametrize(
    ("atol", "rtol", "tolerated"), [(0.5, 0.0, True), (0.4375, 0.0, False), (0.0, 0.25, True), (0.25, 0.0625, False)]
)
def test_a_shift_within_the_tolerance_counts_as_none(atol: float, rtol: float, tolerated: bool) -> None:
    """Two runs, 2.0 and 1.5: the larger value of the two first runs is 2.0."""
    noise = numbers(RunFiles((0,), (1,)), atol, rtol)
    assert add_rows(noise, [[2.0], [1.5]]) == [not tolerated]
    assert noise.differences.over_tolerance is not tolerated
    assert evidence_of(noise).by_value.any() != tolerated
    noise = numbers(RunFiles((0,), (1,)), atol, rtol)
    assert add_rows(noise, [[2.0, 0.0], [1.5, 9.0]]) == [not tolerated, True]
    assert np.ptp(evidence_of(noise).row_values, axis=0).tolist() == [0.0 if tolerated else 0.5, 9.0]


def test_values_that_are_not_finite_are_ranked_by_their_state() -> None:
    """Null, NaN, minus infinity, numbers, infinity; they stand three or more deviations from the row's median."""
    files = RunFiles((0, 1, 2), (3, 4, 5))
    noise = numbers(files)
    add_rows(noise, [[None, 0.0], [nan, 1.0], [-inf, 2.0], [1.0, 3.0], [3.0, 4.0], [inf, 6.0]], pa.float64())
    parts: Any = noise.evidence("v")
    whole, missing = parts
    assert whole.row_ranks[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    step = np.std([0.0, 1.0, 2.0, 3.0, 4.0, 6.0])  # of the other row, which is more than this row's own 1.0
    filled = 2.0 + np.array([3 * step, 4 * step, -6 * step, -1.0, 1.0, 6 * step])
    assert whole.row_values[:, 0] - whole.row_values[3, 0] == pytest.approx(filled - filled[3])
    assert (missing.name, missing.test_only) == ("v (missing)", True)
    distances = np.full((6, 6), math.sqrt(2))  # each run has one value of a state of its own
    distances[3:5, :] = distances[:, 3:5] = 1.0  # and these two runs have none
    distances[3:5, 3:5] = 0.0
    np.fill_diagonal(distances, 0.0)
    assert missing.by_value == pytest.approx(distances)


def test_values_that_are_missing_from_every_run_alike_are_not_evidence() -> None:
    noise = numbers(RunFiles((0,), (1,)))
    assert add_rows(noise, [[None, 1.0], [None, 2.0]], pa.float64()) == [False, True]
    assert [evidence.name for evidence in noise.evidence("v")] == ["v"]


def test_runs_without_any_number_differ_by_what_is_missing() -> None:
    noise = numbers(RunFiles((0,), (1,)))
    assert add_rows(noise, [[None], [nan]], pa.float64()) == [True]
    whole, missing = noise.evidence("v")
    assert whole.row_ranks is not None
    assert whole.row_ranks.tolist() == [[0.0], [1.0]]
    assert missing.by_value == pytest.approx(np.array([[0, 1], [1, 0]]) * math.sqrt(2))


LARGE = 2**62
WHOLE = pa.int64()


@pytest.mark.parametrize(
    ("kinds", "values", "steps"),
    [
        ([WHOLE] * 3, [LARGE, LARGE + 1, LARGE + 3], [1, 3]),
        ([WHOLE] * 3, [LARGE, -LARGE, -LARGE - 2], [-(2.0**63), -(2.0**63)]),
        ([pa.uint64()] * 3, [2**64 - 1, 2**64 - 2, 0], [-1, -(2.0**64)]),
        ([WHOLE, pa.uint64(), pa.int8()], [LARGE, LARGE + 1, 5], [1, 5.0 - LARGE]),
        ([WHOLE, pa.float64(), pa.int8()], [2**53, 2.0**53 + 2, 5], [2, 5 - 2.0**53]),
        ([pa.float64()] * 3, [1e300, 1.0, 1.5], [None, 0.5]),  # the other two, next to a wild first one
        ([pa.float64()] * 3, [1e7, 1e7 + 0.5, 2e7], [0.5, 1e7]),
        ([pa.decimal128(38, 2)] * 3, [Decimal(10**30), Decimal(f"{10**30}.25"), Decimal(10**30 - 1)], [0.25, -1]),
        ([pa.timestamp("us")] * 3, [10**15, 10**15 + 1, 10**15 + 10**6], [1, 1e6]),
        ([pa.float16()] * 3, [np.float16(1), np.float16(1.5), np.float16(3)], [0.5, 2]),
    ],
)
def test_differences_keep_their_digits(kinds: list[Any], values: list[Any], steps: list[float | None]) -> None:
    noise = numbers(RunFiles((0, 1), (2,)), atol=0.0)
    noise.add_batch([pa.array([v], k) for v, k in zip(values, kinds, strict=True)], np.ones(1, dtype=np.bool_))
    evidence = evidence_of(noise)
    if steps[0] is None:
        assert evidence.row_values[2] - evidence.row_values[1] == steps[1]
    else:
        assert (evidence.row_values - evidence.row_values[0])[1:, 0].tolist() == steps
        assert noise.largest_step() == abs(steps[0])


@pytest.mark.parametrize("missing", range(4))
@pytest.mark.parametrize(
    ("kind", "of_a", "of_b"),
    [
        (pa.float64(), 1e9, 1e9 + 1),
        (WHOLE, 2**60 + 1, 2**60 + 2),
        (pa.decimal128(38, 2), Decimal(10**30), Decimal(10**30 + 1)),
        (pa.timestamp("ns"), 2**60 + 1, 2**60 + 2),
    ],
)
def test_it_makes_no_difference_which_run_lacks_a_value(kind: pa.DataType, of_a: Any, of_b: Any, missing: int) -> None:
    """A's other runs gave one value and B's runs one more: the row exceeds its noise, and its distances keep all
    digits. So do those of a second row, in which no run lacks a value."""
    complete = [of_a] * 4 + [of_b] * 4
    files = [[None if run == missing else value, value] for run, value in enumerate(complete)]
    noise = numbers(RunFiles((0, 1, 2, 3), (4, 5, 6, 7)))
    assert add_rows(noise, files, kind) == [True, True]
    evidence: Any = noise.evidence("v")[0]
    rows = evidence.row_values
    known = [run for run in range(8) if run != missing]
    assert (rows[known, 0] - rows[7, 0]).tolist() == [-1.0] * 3 + [0.0] * 4
    assert (rows[:, 1] - rows[7, 1]).tolist() == [-1.0] * 4 + [0.0] * 4
    squared = np.square(rms(rows))
    assert np.square(evidence.by_value) == pytest.approx(squared)


@pytest.mark.parametrize(
    ("step", "rows", "times"), [(2.0, 1, 2.0), (2.0, 3, 2.0), (0.2, 1, 2.5), (0.2 * 2**0.5, 2, 2.5)]
)
def test_a_distance_that_overflows_is_twice_the_largest_finite_one(step: float, rows: int, times: float) -> None:
    """And at least half a unit, where the largest finite root mean square is less than a quarter."""
    noise = numbers(RunFiles((0, 1), (2, 3)))
    add_rows(noise, [[value, *[0.0] * (rows - 1)] for value in (1e200, -1e200, 1.0, 1.0 + step)])
    distances = evidence_of(noise).by_value
    assert distances[0, 1] == pytest.approx(times * distances[2, 3])
    assert distances[0, 1] == distances[0, 2] == distances[1, 3]
    assert distances[distances > 0].size == 12


# -- labels ---------------------------------------------------------------------------------------------------------


def test_labels_against_brute_force() -> None:
    draw = np.random.default_rng(2)
    labels = draw.choice(["x", "y", "z"], size=(5, 40), p=[0.8, 0.1, 0.1])
    labels[3:, :10] = "other"
    noise = ExactNoise(FILES)
    exceeding = [*add_rows(noise, labels[:, :15].tolist()), *add_rows(noise, labels[:, 15:].tolist())]
    assert exceeding == [not set(labels[:3, row]) & set(labels[3:, row]) for row in range(40)]
    evidence = evidence_of(noise)
    runs = labels[FILES.runs]
    assert evidence.by_value == pytest.approx(in_units_of_mean(np.sqrt((runs[:, None] != runs[None]).mean(axis=2))))
    assert evidence.least_changed == min((labels[i] != labels[j]).mean() for i, j in combinations(range(5), 2))
    assert evidence.row_labels.shape == (6, 40)
    assert noise.largest_step() is None


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (pa.array([0.0]), pa.array([-0.0]), True),
        (pa.array([1], pa.int64()), pa.array([1.0]), True),
        (pa.array([1], pa.int64()), pa.array([1.5]), False),
        (pa.array([[1, 2]]), pa.array([[1.0, 2.0]]), True),
        (pa.array([[1, 2]]), pa.array([[1, 2, 3]]), False),
        (pa.array([None], pa.string()), pa.array(["None"]), False),
        (pa.array([None], pa.string()), pa.array([None], pa.string()), True),
        (pa.array(["x"]), pa.array(["x"]).dictionary_encode(), True),
    ],
)
def test_labels_are_the_same_by_value(a: pa.Array, b: pa.Array, same: bool) -> None:
    noise = ExactNoise(RunFiles((0,), (1,)))
    assert list(noise.add_batch([a, b], np.ones(1, dtype=np.bool_))) == [not same]
    assert noise.differences.over_tolerance is not same


# -- lists ----------------------------------------------------------------------------------------------------------


def test_lists_against_brute_force() -> None:
    """A row exceeds its noise where the nearest two runs across are farther apart than the farthest two of one side."""
    draw = np.random.default_rng(3)
    values = draw.normal(size=(5, 50, 3))
    values[3:] += np.linspace(0, 4, 50)[:, None]
    noise = ListNoise(FILES, TOLERANCE, 0.0, RowSelection(50, 6, 1))
    exceeding = add_rows(noise, values.tolist())
    distances = np.sqrt(np.square(values[:, None] - values[None]).sum(axis=3))
    across = distances[:3, 3:].min(axis=(0, 1))
    inside = np.maximum(distances[:3, :3].max(axis=(0, 1)), distances[3, 4])
    assert exceeding == list(across > inside)
    assert set(exceeding) == {False, True}
    evidence = evidence_of(noise)
    assert evidence.by_value == pytest.approx(rms(values.reshape(5, -1)[FILES.runs]))
    assert evidence.row_values.shape == (6, 150)
    assert noise.largest_step() == pytest.approx(
        max(np.ptp(values[:3], axis=0).max(), np.ptp(values[3:], axis=0).max())
    )


@pytest.mark.parametrize(("b", "exceeds"), [([1.0, 2.0625], False), ([1.0, 2.25], True), ([1.0, 2.0], False)])
def test_a_list_exceeds_its_noise_where_an_element_is_over_the_tolerance(b: list[float], exceeds: bool) -> None:
    noise = ListNoise(RunFiles((0,), (1,)), 0.0625, 0.0, RowSelection(2, 2, 1))
    assert add_rows(noise, [[[1.0, 2.0], [7.0]], [b, [7.0]]]) == [exceeds, False]
    assert noise.differences.over_tolerance is exceeds


@pytest.mark.parametrize("b", [[[1.0, 2.0, 3.0], [4.0]], [[1.0, None], [4.0]], [None, [4.0]]])
def test_lists_of_different_shapes_are_infinitely_far_apart(b: list[Any]) -> None:
    noise = ListNoise(RunFiles((0, 1), (2,)), TOLERANCE, 0.0, RowSelection(2, 3, 1))
    same = [[1.0, 2.0], [4.0]]
    assert add_rows(noise, [same, same, b]) == [True, False]
    assert evidence_of(noise).by_value == pytest.approx(np.array([[0, 0, 1], [0, 0, 1], [1, 1, 0]]) * 1.5)
    assert noise.differences.over_tolerance


def test_of_long_lists_as_many_elements_are_kept_as_there_is_room_for() -> None:
    noise = ListNoise(RunFiles((0,), (1,)), 0.0, 0.0, RowSelection(4, 1, 1))
    values = np.arange(4 * 30_000.0).reshape(4, -1)
    add_rows(noise, [(values[:1] + side).tolist() for side in (0, 1)])
    add_rows(noise, [(values[1:] + side).tolist() for side in (0, 1)])
    assert evidence_of(noise).row_values.shape == (2, MOST_DRAWN)  # a quarter of them from the first batch's row


# -- the rows that are selected -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "runs", "columns", "selected"),
    [
        (MOST_DRAWN + MOST_VARIABLE, 10, 1, None),
        (MOST_DRAWN + MOST_VARIABLE + 1, 10, 1, MOST_DRAWN),
        (50_000, 20, 100, 13_421),  # 256 MiB, ten bytes for each of 2,000 values a row
        (50_000, 20, 10_000, 1_000),
        (2_001, 20, 10_000, 1_000),
        (2_000, 20, 10_000, None),
    ],
)
def test_as_many_rows_are_selected_as_there_is_room_for(
    rows: int, runs: int, columns: int, selected: int | None
) -> None:
    selection = RowSelection(rows, runs, columns)
    assert selection.is_complete is (selected is None)
    assert selection.mask(np.arange(rows)).sum() == (rows if selected is None else selected)


def test_of_the_rows_outside_the_draw_the_most_variable_ones_are_kept() -> None:
    """By their deviation relative to their size, or to the median size where that is larger; three batches."""
    draw = np.random.default_rng(4)
    rows = 3 * MOST_VARIABLE
    values = draw.normal(size=(4, rows)) * draw.uniform(0, 3, rows)
    scale = draw.uniform(0, 10, rows)
    kept = SelectedRows(RowSelection(10**6, 4, 1))
    mask = np.zeros(rows, dtype=np.bool_)
    mask[::7] = True
    variation = np.empty(rows)
    for start in range(0, rows, 1_000):
        batch = slice(start, start + 1_000)
        kept.add(values[:, batch], np.full((4, 1_000), FINITE, dtype=np.int8), scale[batch], mask[batch])
        variation[batch] = values[:, batch].std(axis=0) / np.maximum(scale[batch], np.median(scale[batch]))
    top = np.flatnonzero(~mask)[np.argsort(-variation[~mask])[:MOST_VARIABLE]]
    expected = np.concatenate([values[:, mask], values[:, top]], axis=1)
    assert np.array_equal(kept.values, expected)
    assert kept.ranks == pytest.approx(stats.rankdata(expected, axis=0) - 1)


def test_where_no_size_is_known_the_variation_is_the_deviation() -> None:
    kept = SelectedRows(RowSelection(10**6, 2, 1))
    values = np.vstack([np.zeros(1_500), np.arange(1_500.0)])
    kept.add(values, np.full(values.shape, FINITE, dtype=np.int8), np.zeros(1_500), np.zeros(1_500, dtype=np.bool_))
    assert kept.values[1].tolist() == list(range(1_499, 499, -1))
