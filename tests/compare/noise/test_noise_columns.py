"""One column over all runs, by hand and by brute force: distances, ranks, and the rows beyond their own noise."""

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

from repro_tui.compare.noise.chosen_rows import MOST_DRAWN, MOST_SCATTERED, Chosen, Kept
from repro_tui.compare.noise.columns import ExactNoise, ListNoise, NumberNoise, RunFiles

FILES = RunFiles((0, 1, 2), (3, 4, 3))  # the third run of B is its first once more
TOLERANCE = 0.1
nan, inf = math.nan, math.inf


def numbers(files: RunFiles = FILES, atol: float = TOLERANCE, rtol: float = 0.0) -> NumberNoise:
    return NumberNoise(files, atol, rtol, Chosen(1_000, 6, 1))


def take(noise: Any, files: Sequence[Sequence[Any]], kind: pa.DataType | None = None) -> list[bool]:
    """Takes one batch of which every row is chosen; says which of them moved beyond their own noise."""
    arrays = [pa.array(values, kind) for values in files]
    return list(map(bool, noise.take(arrays, np.ones(len(arrays[0]), dtype=np.bool_))))


def evidence_of(noise: Any) -> Any:
    (evidence,) = noise.evidence("v")
    return evidence


def in_their_mean(distances: Any) -> Any:
    return distances / distances[~np.eye(len(distances), dtype=bool)].mean()


def rms(runs: Any) -> Any:
    """The root mean square of the differences between every two runs, in units of its mean."""
    return in_their_mean(np.sqrt(np.square(runs[:, None] - runs[None]).mean(axis=2)))


def beyond(values: Any, files: RunFiles = FILES) -> list[bool]:
    """The rows of which no run of A is within the tolerance of B's range, nor in it."""
    a, b = values[list(files.a)], values[list(files.b)]
    gap = np.maximum(b.min(axis=0) - a.max(axis=0), a.min(axis=0) - b.max(axis=0))
    return list(map(bool, gap > TOLERANCE))


def test_numbers_against_brute_force() -> None:
    draw = np.random.default_rng(1)
    values = draw.normal(size=(5, 60)) + np.r_[0, 0, 0, 1, 1][:, None]
    noise = numbers()
    found = [*take(noise, values[:, :25]), *take(noise, values[:, 25:])]
    runs = values[FILES.runs]
    evidence = evidence_of(noise)
    assert found == beyond(values)
    assert set(found) == {False, True}
    assert evidence.values == pytest.approx(rms(runs))
    assert evidence.order == pytest.approx(stats.rankdata(runs, axis=0) - 1)
    assert evidence.rows - evidence.rows[0] == pytest.approx(runs - runs[0])
    order = stats.rankdata(runs, axis=0)
    assert evidence.ranks == pytest.approx(np.sqrt(np.square(order[:, None] - order[None]).sum(axis=2)))
    sides = values[[0, 1, 2]], values[[3, 4]]
    assert noise.largest_within() == pytest.approx(max(float(np.ptp(side, axis=0).max()) for side in sides))
    assert noise.apart.over


@pytest.mark.parametrize(
    ("a", "b", "moved"),
    [
        ([0.0, 0.0, 0.0], [0.3, 0.3], True),
        ([0.0, 0.0, 0.0], [0.125, 0.5], False),  # a gap of the tolerance is none
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
def test_a_row_moved_where_no_run_of_a_gave_what_a_run_of_b_did(a: list[Any], b: list[Any], moved: bool) -> None:
    noise = numbers(atol=0.125)
    assert take(noise, [[value] for value in (*a, *b)], pa.float64()) == [moved]
    assert noise.apart.over


@pytest.mark.parametrize(
    ("atol", "rtol", "still"), [(0.5, 0.0, True), (0.4375, 0.0, False), (0.0, 0.25, True), (0.25, 0.0625, False)]
)
def test_a_shift_within_the_tolerance_is_none(atol: float, rtol: float, still: bool) -> None:
    """Two runs of 2.0 and 1.5: the larger of the two first ones is 2.0."""
    noise = numbers(RunFiles((0,), (1,)), atol, rtol)
    assert take(noise, [[2.0], [1.5]]) == [not still]
    assert noise.apart.over is not still
    assert evidence_of(noise).values.any() != still
    noise = numbers(RunFiles((0,), (1,)), atol, rtol)
    assert take(noise, [[2.0, 0.0], [1.5, 9.0]]) == [not still, True]
    assert np.ptp(evidence_of(noise).rows, axis=0).tolist() == [0.0 if still else 0.5, 9.0]


def test_what_is_no_number_is_ranked_by_what_it_is() -> None:
    """Null, NaN, minus infinity, numbers, infinity; and it stands three or more deviations from the row's median."""
    files = RunFiles((0, 1, 2), (3, 4, 5))
    noise = numbers(files)
    take(noise, [[None, 0.0], [nan, 1.0], [-inf, 2.0], [1.0, 3.0], [3.0, 4.0], [inf, 6.0]], pa.float64())
    found: Any = noise.evidence("v")
    whole, missing = found
    assert whole.order[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    step = np.std([0.0, 1.0, 2.0, 3.0, 4.0, 6.0])  # of the other row, which is more than the 1.0 of this one
    filled = 2.0 + np.array([3 * step, 4 * step, -6 * step, -1.0, 1.0, 6 * step])
    assert whole.rows[:, 0] - whole.rows[3, 0] == pytest.approx(filled - filled[3])
    assert (missing.name, missing.only_tested) == ("v (missing)", True)
    apart = np.full((6, 6), math.sqrt(2))  # each has one of its own kind
    apart[3:5, :] = apart[:, 3:5] = 1.0  # and these have none
    apart[3:5, 3:5] = 0.0
    np.fill_diagonal(apart, 0.0)
    assert missing.values == pytest.approx(apart)


def test_what_is_missing_from_every_run_alike_is_no_evidence() -> None:
    noise = numbers(RunFiles((0,), (1,)))
    assert take(noise, [[None, 1.0], [None, 2.0]], pa.float64()) == [False, True]
    assert [evidence.name for evidence in noise.evidence("v")] == ["v"]


def test_runs_without_any_number_differ_by_what_is_missing() -> None:
    noise = numbers(RunFiles((0,), (1,)))
    assert take(noise, [[None], [nan]], pa.float64()) == [True]
    whole, missing = noise.evidence("v")
    assert whole.order is not None
    assert whole.order.tolist() == [[0.0], [1.0]]
    assert missing.values == pytest.approx(np.array([[0, 1], [1, 0]]) * math.sqrt(2))


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
        ([pa.float64()] * 3, [1e300, 1.0, 1.5], [None, 0.5]),  # the two others, beside a wild first one
        ([pa.float64()] * 3, [1e7, 1e7 + 0.5, 2e7], [0.5, 1e7]),
        ([pa.decimal128(38, 2)] * 3, [Decimal(10**30), Decimal(f"{10**30}.25"), Decimal(10**30 - 1)], [0.25, -1]),
        ([pa.timestamp("us")] * 3, [10**15, 10**15 + 1, 10**15 + 10**6], [1, 1e6]),
        ([pa.float16()] * 3, [np.float16(1), np.float16(1.5), np.float16(3)], [0.5, 2]),
    ],
)
def test_differences_keep_their_digits(kinds: list[Any], values: list[Any], steps: list[float | None]) -> None:
    noise = numbers(RunFiles((0, 1), (2,)), atol=0.0)
    noise.take([pa.array([v], k) for v, k in zip(values, kinds, strict=True)], np.ones(1, dtype=np.bool_))
    evidence = evidence_of(noise)
    if steps[0] is None:
        assert evidence.rows[2] - evidence.rows[1] == steps[1]
    else:
        assert (evidence.rows - evidence.rows[0])[1:, 0].tolist() == steps
        assert noise.largest_within() == abs(steps[0])


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (pa.float64(), 1e9, 1e9 + 1),
        (WHOLE, 2**60 + 1, 2**60 + 2),
        (pa.decimal128(38, 2), Decimal(10**30), Decimal(10**30 + 1)),
        (pa.timestamp("ns"), 2**60 + 1, 2**60 + 2),
    ],
)
def test_it_makes_no_difference_which_run_lacks_a_value(kind: pa.DataType, one: Any, other: Any, place: int) -> None:
    """A's others are one, and B's are one more: the row moved, and every digit of its distances is there. So it is in
    a row beside it, which lacks none."""
    whole = [one] * 4 + [other] * 4
    given = [[None if at == place else value, value] for at, value in enumerate(whole)]
    noise = numbers(RunFiles((0, 1, 2, 3), (4, 5, 6, 7)))
    assert take(noise, given, kind) == [True, True]
    found: Any = noise.evidence("v")[0]
    rows = found.rows
    known = [at for at in range(8) if at != place]
    assert (rows[known, 0] - rows[7, 0]).tolist() == [-1.0] * 3 + [0.0] * 4
    assert (rows[:, 1] - rows[7, 1]).tolist() == [-1.0] * 4 + [0.0] * 4
    squared = np.square(rms(rows))
    assert np.square(found.values) == pytest.approx(squared)


@pytest.mark.parametrize(
    ("step", "rows", "times"), [(2.0, 1, 2.0), (2.0, 3, 2.0), (0.2, 1, 2.5), (0.2 * 2**0.5, 2, 2.5)]
)
def test_what_overflows_is_twice_as_far_as_the_farthest(step: float, rows: int, times: float) -> None:
    """And at least half of a unit away, where the root mean square of what is known is less than a quarter."""
    noise = numbers(RunFiles((0, 1), (2, 3)))
    take(noise, [[value, *[0.0] * (rows - 1)] for value in (1e200, -1e200, 1.0, 1.0 + step)])
    found = evidence_of(noise).values
    assert found[0, 1] == pytest.approx(times * found[2, 3])
    assert found[0, 1] == found[0, 2] == found[1, 3]
    assert found[found > 0].size == 12


# -- labels ---------------------------------------------------------------------------------------------------------


def test_labels_against_brute_force() -> None:
    draw = np.random.default_rng(2)
    words = draw.choice(["x", "y", "z"], size=(5, 40), p=[0.8, 0.1, 0.1])
    words[3:, :10] = "other"
    noise = ExactNoise(FILES)
    found = [*take(noise, words[:, :15].tolist()), *take(noise, words[:, 15:].tolist())]
    assert found == [not set(words[:3, row]) & set(words[3:, row]) for row in range(40)]
    evidence = evidence_of(noise)
    runs = words[FILES.runs]
    assert evidence.values == pytest.approx(in_their_mean(np.sqrt((runs[:, None] != runs[None]).mean(axis=2))))
    assert evidence.unlike == min((words[i] != words[j]).mean() for i, j in combinations(range(5), 2))
    assert evidence.labels.shape == (6, 40)
    assert noise.largest_within() is None


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
    assert list(noise.take([a, b], np.ones(1, dtype=np.bool_))) == [not same]
    assert noise.apart.over is not same


# -- lists ----------------------------------------------------------------------------------------------------------


def test_lists_against_brute_force() -> None:
    """A row moved where the nearest two runs across are farther apart than the farthest two of one side."""
    draw = np.random.default_rng(3)
    values = draw.normal(size=(5, 50, 3))
    values[3:] += np.linspace(0, 4, 50)[:, None]
    noise = ListNoise(FILES, TOLERANCE, 0.0, Chosen(50, 6, 1))
    found = take(noise, values.tolist())
    apart = np.sqrt(np.square(values[:, None] - values[None]).sum(axis=3))
    across = apart[:3, 3:].min(axis=(0, 1))
    within = np.maximum(apart[:3, :3].max(axis=(0, 1)), apart[3, 4])
    assert found == list(across > within)
    assert set(found) == {False, True}
    evidence = evidence_of(noise)
    assert evidence.values == pytest.approx(rms(values.reshape(5, -1)[FILES.runs]))
    assert evidence.rows.shape == (6, 150)
    assert noise.largest_within() == pytest.approx(
        max(np.ptp(values[:3], axis=0).max(), np.ptp(values[3:], axis=0).max())
    )


@pytest.mark.parametrize(("b", "moved"), [([1.0, 2.0625], False), ([1.0, 2.25], True), ([1.0, 2.0], False)])
def test_a_list_moves_where_an_element_is_over_the_tolerance(b: list[float], moved: bool) -> None:
    noise = ListNoise(RunFiles((0,), (1,)), 0.0625, 0.0, Chosen(2, 2, 1))
    assert take(noise, [[[1.0, 2.0], [7.0]], [b, [7.0]]]) == [moved, False]
    assert noise.apart.over is moved


@pytest.mark.parametrize("b", [[[1.0, 2.0, 3.0], [4.0]], [[1.0, None], [4.0]], [None, [4.0]]])
def test_lists_of_other_shapes_are_endlessly_far_apart(b: list[Any]) -> None:
    noise = ListNoise(RunFiles((0, 1), (2,)), TOLERANCE, 0.0, Chosen(2, 3, 1))
    same = [[1.0, 2.0], [4.0]]
    assert take(noise, [same, same, b]) == [True, False]
    found = evidence_of(noise).values
    assert found == pytest.approx(np.array([[0, 0, 1], [0, 0, 1], [1, 1, 0]]) * 1.5)
    assert noise.apart.over


def test_of_long_lists_as_many_elements_are_kept_as_rows_have_room() -> None:
    noise = ListNoise(RunFiles((0,), (1,)), 0.0, 0.0, Chosen(4, 1, 1))
    values = np.arange(4 * 30_000.0).reshape(4, -1)
    take(noise, [(values[:1] + side).tolist() for side in (0, 1)])
    take(noise, [(values[1:] + side).tolist() for side in (0, 1)])
    assert evidence_of(noise).rows.shape == (2, MOST_DRAWN)  # a quarter of them of the quarter of the rows


# -- the rows that are kept -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "runs", "columns", "most"),
    [
        (MOST_DRAWN + MOST_SCATTERED, 10, 1, None),
        (MOST_DRAWN + MOST_SCATTERED + 1, 10, 1, MOST_DRAWN),
        (50_000, 20, 100, 13_421),  # 256 MiB, ten bytes for each of 2,000 values a row
        (50_000, 20, 10_000, 1_000),
        (2_001, 20, 10_000, 1_000),
        (2_000, 20, 10_000, None),
    ],
)
def test_as_many_rows_are_chosen_as_there_is_room_for(rows: int, runs: int, columns: int, most: int | None) -> None:
    chosen = Chosen(rows, runs, columns)
    assert chosen.every is (most is None)
    assert chosen.among(np.arange(rows)).sum() == (rows if most is None else most)


def test_of_the_other_rows_those_that_scatter_most_are_kept() -> None:
    """By their deviation over their size, that of the middle row at least; three batches, the ends of which tie."""
    draw = np.random.default_rng(4)
    rows = 3 * MOST_SCATTERED
    values = draw.normal(size=(4, rows)) * draw.uniform(0, 3, rows)
    scale = draw.uniform(0, 10, rows)
    kept = Kept(Chosen(10**6, 4, 1))
    mask = np.zeros(rows, dtype=np.bool_)
    mask[::7] = True
    score = np.empty(rows)
    for start in range(0, rows, 1_000):
        part = slice(start, start + 1_000)
        kept.add(values[:, part], np.full((4, 1_000), 3, dtype=np.int8), scale[part], mask[part])
        score[part] = values[:, part].std(axis=0) / np.maximum(scale[part], np.median(scale[part]))
    best = np.flatnonzero(~mask)[np.argsort(-score[~mask])[:MOST_SCATTERED]]
    wanted = np.concatenate([values[:, mask], values[:, best]], axis=1)
    assert np.array_equal(kept.values, wanted)
    assert kept.order == pytest.approx(stats.rankdata(wanted, axis=0) - 1)


def test_where_no_size_is_known_rows_are_measured_by_their_deviation() -> None:
    kept = Kept(Chosen(10**6, 2, 1))
    values = np.vstack([np.zeros(1_500), np.arange(1_500.0)])
    kept.add(values, np.full(values.shape, 3, dtype=np.int8), np.zeros(1_500), np.zeros(1_500, dtype=np.bool_))
    assert kept.values[1].tolist() == list(range(1_499, 499, -1))
