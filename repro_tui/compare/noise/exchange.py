"""Drift or noise, by exchanging runs between the sides: a permutation test, and a test of equivalence.

The idea: if both sides are the same deployment, it makes no difference which of the 2K runs are called A. Each
statistic is therefore computed for every split of the runs into K called A and K called B (or for 2,000 drawn splits)
and standardised over the splits. The largest statistic over all columns for the true split is compared with the largest
for every other split; p is the share of splits whose largest is no smaller. Because the maximum is compared with
maxima, more columns and statistics do not raise more false alarms.

"Not significant" does not show that sides are the same. The sides are equivalent where the distance across them is
shown to be at most half as large again as the distance within them: the mean ratio has an upper 95 % bound (jackknife
over the runs) of at most 1.5, no column's own ratio is above 1.5, and neither side scatters far more than the other.

Invariants: neither the unit and origin of a column, nor the order of the runs of a side, nor which side is called A
changes p. The unit of evidence is one run, never a row.

Cost: splits · runs² for each matrix of distances, and splits · runs for each selected row. The smallest p is one over
the number of splits: 1/126 for five runs a side, 1/10 for three, which is why fewer than five runs cannot show drift.

Example: the runs 0, 1, 2, 3, 4 of A and 100, 101, 102, 103, 104 of B. Of the 126 splits the true one has by far the
largest energy distance 2 E|A-B| - E|A-A'| - E|B-B'|, so p = 1/126 = 0.008: drift.

Sources: Székely and Rizzo, energy statistics (2013); Westfall and Young, max-T (1993).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations
from math import comb
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from repro_tui.compare.noise.arrays import Floats, Integers

Scalar = TypeVar("Scalar", bound=np.generic)
StatisticName = Literal["values", "ranks", "words", "rows apart", "one row"]

MOST_SPLITS = 2_000
MARGIN = 1.5  # the distance across over the distance within, up to which sides are equivalent
SCATTER = 3.0  # how many times as far as the other's a side's runs may scatter; beyond it a single run may be wrong
CONFIDENCE = 0.95
BATCH_ROWS = 1_000  # whose statistics are computed together
SHARED_VARIANCE = 0.05  # of the median row's, so that no row decides by its tiny variance
TIE = 1e-9
MOSTLY = 0.9  # the share of rows from which on, if they differ between any two runs, a column shows nothing


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was measured of one `column` over the runs of both sides, A's first.

    `name` is that of the column or of a part of it, such as a path of a document. The matrices (runs x runs) hold
    distances: `by_value` over every row, `by_rank` of the ranks of each row's values over the runs (None where values
    have no order), `by_word` of the words of some rows of text (None where there are none). `row_values` has the values
    of the selected rows (runs x rows; NaN: missing), `row_ranks` their ranks, `row_labels` those of values without an
    order, as codes. `least_changed` is the share of rows without an order that differ between the two files that are
    nearest to each other. `test_only` evidence may show drift, but says nothing about equivalence.
    """

    name: str
    by_value: Floats
    by_rank: Floats | None = None
    by_word: Floats | None = None
    row_values: Floats | None = None
    row_ranks: Floats | None = None
    row_labels: Integers | npt.NDArray[np.int32] | None = None
    least_changed: float = 0.0
    test_only: bool = False
    column: str = ""

    @property
    def matrices(self) -> tuple[Floats | None, ...]:
        """The matrices of distances: by value, by rank and by word."""
        return self.by_value, self.by_rank, self.by_word

    @property
    def is_uninformative(self) -> bool:
        """Whether runs differ, and any two of them equally: then nothing separates the sides, or shows them alike.

        Such are columns in which every row is different in every run: ids, hashes, whole texts.
        """
        if self.by_value.any() and self.least_changed < MOSTLY and not _all_equal(self.by_value):
            return False
        if self.by_rank is not None and self.by_rank.any() and not _all_equal(self.by_rank):
            return False
        if self.by_word is not None and self.by_word.any() and not _all_equal(self.by_word):
            return bool(off_diagonal(self.by_word).min() >= MOSTLY)
        return bool(self.by_value.any())


def _all_equal(matrix: Floats) -> bool:
    distances = off_diagonal(matrix)
    return bool(np.ptp(distances) <= TIE * distances.max())


def off_diagonal(matrix: Floats) -> Floats:
    """The entries of two different runs or files."""
    return np.asarray(matrix[~np.eye(len(matrix), dtype=np.bool_)])


@dataclass(frozen=True, slots=True)
class ExchangeTest:
    """The test's p, its largest statistic in standard deviations over the splits, the column that this is of and the
    statistic's name, and its matrix of distances (None: it is of single rows)."""

    p: float
    statistic: float
    column: str = ""
    statistic_name: StatisticName = "values"
    matrix: Floats | None = None


@dataclass(frozen=True, slots=True)
class Equivalence:
    """The distance across the sides over the distance within them.

    `ratio` is that of the mean over all columns and `upper` its upper 95 % bound; `largest` is the largest ratio of one
    column. `scatter` is the larger mean distance between runs of one side over the smaller. `uninformative` names the
    columns that cannot show any of this.
    """

    ratio: float
    upper: float
    largest: float
    scatter: float = 1.0
    uninformative: tuple[str, ...] = ()

    @property
    def is_shown(self) -> bool:
        """Whether it is shown that the sides are about as close as the runs of one side are."""
        return not self.uninformative and self.upper <= MARGIN and self.largest <= MARGIN and self.scatter <= SCATTER


def exchange(evidence: Sequence[Evidence], runs_a: int, runs_b: int) -> ExchangeTest:
    """The permutation test over all columns of `runs_a` and `runs_b` runs; p is 1 where no run differs from another."""
    splits = possible_splits(runs_a, runs_b)
    largest = np.full(len(splits), -np.inf)
    test = ExchangeTest(1.0, 0.0)

    def standardised(part: Evidence) -> list[tuple[StatisticName, Floats | None]]:
        return [(name, _standardised(values)) for name, values in _statistics(part, splits, runs_a, runs_b)]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for part, statistics in zip(evidence, pool.map(standardised, evidence), strict=True):
            matrices = dict(zip(("values", "ranks", "words"), part.matrices, strict=True))
            for name, values in statistics:
                if values is None:
                    continue
                if values[0] > largest[0]:
                    test = ExchangeTest(1.0, float(values[0]), part.column, name, matrices.get(name))
                largest = np.maximum(largest, values)
    if not np.isfinite(largest[0]):
        return test
    return replace(test, p=float(np.mean(largest >= largest[0] - TIE)))


@lru_cache(maxsize=8)
def possible_splits(runs_a: int, runs_b: int) -> Floats:
    """The splits of the runs into A's (1) and B's (0), splits x runs, the true one first: all of them, or 2,000 drawn
    ones where there are more.

    Where the sides have equally many runs, a split and its mirror image are the same, and one of them is listed.
    """
    runs = runs_a + runs_b
    mirrored = runs_a == runs_b
    count = comb(runs - 1, runs_a - 1) if mirrored else comb(runs, runs_a)
    true = np.repeat([1.0, 0.0], [runs_a, runs_b])
    if count > MOST_SPLITS:
        drawn = np.random.default_rng(runs).permuted(np.tile(true, (MOST_SPLITS, 1)), axis=1)
        return np.vstack([true, drawn])
    first, rest = ((0,), range(1, runs)) if mirrored else ((), range(runs))
    splits = np.zeros((count, runs))
    for row, called_a in enumerate(combinations(rest, runs_a - len(first))):
        splits[row, [*first, *called_a]] = 1.0
    assert (splits[0] == true).all()  # combinations come in order
    return splits


def _statistics(evidence: Evidence, splits: Floats, runs_a: int, runs_b: int) -> Iterator[tuple[StatisticName, Floats]]:
    yield "values", energy(evidence.by_value, splits, runs_a, runs_b)
    if evidence.by_rank is not None:
        yield "ranks", energy(evidence.by_rank, splits, runs_a, runs_b)
    if evidence.by_word is not None:
        yield "words", energy(evidence.by_word, splits, runs_a, runs_b)
    if evidence.row_ranks is not None and evidence.row_ranks.shape[1] > 1:
        yield "rows apart", _rows_apart(evidence.row_ranks, splits, runs_a)
    if evidence.row_values is not None and evidence.row_values.shape[1] > 1:
        yield "one row", _largest_gap(evidence.row_values, splits, runs_a, runs_b)
    if evidence.row_labels is not None and evidence.row_labels.shape[1] > 1:
        yield "rows apart", _rows_without_common_label(evidence.row_labels, splits)


def _standardised(statistic: Floats) -> Floats | None:
    spread = float(statistic.std())
    size = float(np.abs(statistic).max(initial=0.0))
    return (statistic - statistic.mean()) / spread if spread > 1e-12 * size else None


def energy(matrix: Floats, splits: Floats, runs_a: int, runs_b: int) -> Floats:
    """The energy distance 2 E|A-B| - E|A-A'| - E|B-B'| of every split, from the distances between runs."""
    in_b = 1.0 - splits
    to_a, to_b = splits @ matrix, in_b @ matrix
    across = (to_a * in_b).sum(axis=1) / (runs_a * runs_b)
    within_a = (to_a * splits).sum(axis=1) / runs_a**2
    within_b = (to_b * in_b).sum(axis=1) / runs_b**2
    return np.asarray(2 * across - within_a - within_b)


def ranked(values: Floats) -> Floats:
    """The ranks of each row's values over the runs (runs x rows), those of ties averaged; NaN is lowest."""
    keys = np.where(np.isnan(values), -np.inf, values)
    below, ties = np.zeros(keys.shape, dtype=np.float32), np.zeros(keys.shape, dtype=np.float32)
    for run_keys in keys:
        below += keys > run_keys
        ties += keys == run_keys
    return np.asarray(below + (ties - 1) / 2, dtype=np.float64)


def _rows_apart(ranks: Floats, splits: Floats, runs_a: int) -> Floats:
    """For each split, the number of rows in which every run of one side is above every run of the other."""
    counts = np.zeros(len(splits))
    moving = ranks[:, np.ptp(ranks, axis=0) > 0]
    for batch in _batches(moving):
        sums = splits @ batch
        ordered = np.sort(batch, axis=0)
        lowest, highest = ordered[:runs_a].sum(axis=0), ordered[-runs_a:].sum(axis=0)
        counts += ((sums <= lowest + TIE) | (sums >= highest - TIE)).sum(axis=1)
    return counts


def _rows_without_common_label(labels: Integers | npt.NDArray[np.int32], splits: Floats) -> Floats:
    """For each split, the number of rows in which the sides have no label in common."""
    counts = np.zeros(len(splits))
    moving = labels[:, (labels != labels[0]).any(axis=0)]
    for batch in _batches(moving):
        common = np.zeros((len(splits), batch.shape[1]), dtype=np.bool_)
        for number in range(len(batch)):  # each label is counted at the first run that has it
            same = batch == batch[number]
            first = same.argmax(axis=0) == number
            if first.any():
                with_label = same[:, first].astype(np.float64)
                in_a = splits @ with_label
                common[:, first] |= (in_a > 0.5) & (in_a < with_label.sum(axis=0) - 0.5)
        counts += (~common).sum(axis=1)
    return counts


def _largest_gap(rows: Floats, splits: Floats, runs_a: int, runs_b: int) -> Floats:
    """For each split, the largest gap between the sides' means of one row, in standard deviations of that row within
    the sides."""
    centred = rows - np.median(rows, axis=0)
    with np.errstate(over="ignore"):
        squares = (centred * centred).sum(axis=0)
    shared = SHARED_VARIANCE * float(np.median(squares))
    largest = np.zeros(len(splits))
    moving = squares > 0
    for batch, size in zip(_batches(centred[:, moving]), _batches(squares[None, moving]), strict=True):
        scale = np.sqrt(size[0])  # each row in its own unit, so that single precision is enough
        unit = (batch / scale).astype(np.float32)
        in_a = splits.astype(np.float32) @ unit
        in_b = unit.sum(axis=0) - in_a
        within = np.maximum(1.0 - in_a * in_a / runs_a - in_b * in_b / runs_b, 0.0)
        spread = np.sqrt((within + (shared / size[0]).astype(np.float32)) / (runs_a + runs_b - 2))
        gap = np.abs(in_a / runs_a - in_b / runs_b)
        with np.errstate(divide="ignore", invalid="ignore"):
            gaps = np.where(spread > 1e-6, gap / spread, gap * 1e6)
        largest = np.maximum(largest, gaps.max(axis=1))
    return largest


def _batches(rows: npt.NDArray[Scalar]) -> Iterator[npt.NDArray[Scalar]]:
    for start in range(0, rows.shape[1], BATCH_ROWS):
        yield rows[:, start : start + BATCH_ROWS]


def equivalence(evidence: Sequence[Evidence], runs_a: int, runs_b: int) -> Equivalence:
    """The distance across the sides over that within them, the worst of all views (values, ranks, words)."""
    evidence = [part for part in evidence if not part.test_only]
    views = [
        [matrix for matrix in view if matrix is not None and matrix.any()]
        for view in zip(*(part.matrices for part in evidence), strict=True)
    ]
    means = [np.mean([matrix / matrix.mean() for matrix in view], axis=0) for view in views if view]
    matrices = [matrix for view in views for matrix in view]
    allowance = 1.0 + np.log2(max(1, len(evidence))) / 4  # of more columns, one may scatter farther by chance
    return Equivalence(
        ratio=max((_ratio(mean, runs_a, runs_b) for mean in means), default=1.0),
        upper=max((_upper_bound(mean, runs_a, runs_b) for mean in means), default=1.0),
        largest=max((_ratio(matrix, runs_a, runs_b) for matrix in matrices), default=1.0),
        scatter=max(
            (
                *(_scatter(mean, runs_a) for mean in means),
                *(_scatter(matrix, runs_a) / allowance for matrix in matrices),
            ),
            default=1.0,
        ),
        uninformative=tuple(part.name for part in evidence if part.is_uninformative),
    )


def mean_within_sides(matrix: Floats, runs_a: int) -> tuple[float, float]:
    """The mean distance between two runs of A, and between two runs of B."""
    return _mean_distance(matrix[:runs_a, :runs_a]), _mean_distance(matrix[runs_a:, runs_a:])


def _mean_distance(matrix: Floats) -> float:
    """Between two different runs; 0 for a single run."""
    return float(matrix.sum() / max(1, len(matrix) * (len(matrix) - 1)))


def _scatter(matrix: Floats, runs_a: int) -> float:
    less, more = sorted(mean_within_sides(matrix, runs_a))
    return more / less if less > 0 else np.inf if more > 0 else 1.0


def _ratio(matrix: Floats, runs_a: int, runs_b: int, omitted: int | None = None) -> float:
    """The mean distance across the sides over that within them, omitting one of the runs."""
    kept = np.arange(runs_a + runs_b) != omitted
    a, b = np.flatnonzero(kept[:runs_a]), runs_a + np.flatnonzero(kept[runs_a:])
    inside = sum(matrix[np.ix_(side, side)].sum() / (len(side) * (len(side) - 1)) for side in (a, b)) / 2
    across = float(matrix[np.ix_(a, b)].mean())
    if inside > 0:
        return float(across / inside)
    return np.inf if across > 0 else 1.0


def _upper_bound(matrix: Floats, runs_a: int, runs_b: int) -> float:
    """The upper 95 % bound of the ratio: the jackknife over runs of its logarithm, with Student's t."""
    from scipy.special import stdtrit

    runs = runs_a + runs_b
    ratio = _ratio(matrix, runs_a, runs_b)
    omitting = np.asarray([_ratio(matrix, runs_a, runs_b, run) for run in range(runs)])
    if not (np.isfinite(omitting).all() and np.isfinite(ratio) and ratio > 0 and (omitting > 0).all()):
        return 1.0 if ratio == 0 else np.inf
    logs = np.log(omitting)
    error = float(np.sqrt((runs - 1) / runs * np.square(logs - logs.mean()).sum()))
    return float(np.exp(np.log(ratio) + stdtrit(runs - 2, CONFIDENCE) * error))
