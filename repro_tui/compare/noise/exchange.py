"""Drift or noise, by exchanging runs between the sides: a permutation test, and what shows that sides are equivalent.

If both sides are one and the same, it makes no difference which of the 2K runs are called A. Whatever is measured of
the runs may therefore decide: each statistic is computed for every way to call K of them A (or for 2,000 drawn ways)
and standardised over those. The largest of all statistics and columns for the true way is compared with the largest for
every other way, so that many columns and statistics raise no more false alarms.

"Not significant" is no evidence of being the same. Sides are equivalent where the distance across them is shown to be
no more than half as large again as that within them. Sources: Székely and Rizzo, energy statistics (2013); Westfall and
Young, max-T (1993).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations
from math import comb
from typing import Any, Literal

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]
Codes = np.ndarray[Any, np.dtype[np.int64]]
Way = Literal["values", "ranks", "words", "rows apart", "one row"]

MOST_SPLITS = 2_000
MARGIN = 1.5  # across over within, up to which sides are equivalent
SCATTER = 3.0  # times as far as the other's, up to which a side's runs may scatter: one run that is off is no noise
CONFIDENCE = 0.95
AT_ONCE = 1_000  # rows whose statistics are computed together
SHARED_VARIANCE = 0.05  # of the median row's, so that no row decides by its tiny variance
TIE = 1e-9
MOSTLY = 0.9  # of rows that are another in every run: what is left of them shows nothing


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was measured of one `column` over the runs of both sides, A's first; `name` is the column's or that of a
    part of it.

    `values` is the matrix of distances between runs over every row, `ranks` that of the ranks of each row's values over
    the runs (None where values have no order), `words` that of the words of some rows of text. `rows` are the values of
    a sample of rows (runs x rows, NaN: missing), `order` their ranks, `labels` the same of what has no order, as
    numbers that stand for values. `unlike` is the share of rows without order that any two files differ in at least.
    `only_tested`: it may show drift, and says nothing of the sides being equivalent.
    """

    name: str
    values: Floats
    ranks: Floats | None = None
    words: Floats | None = None
    rows: Floats | None = None
    order: Floats | None = None
    labels: Codes | None = None
    unlike: float = 0.0
    only_tested: bool = False
    column: str = ""

    @property
    def views(self) -> tuple[Floats | None, ...]:
        """The matrices of distances: by values, ranks and words."""
        return self.values, self.ranks, self.words

    @property
    def blind(self) -> bool:
        """Whether runs differ, and any two of them just as much: then the sides cannot be told apart, nor called alike.

        Such are columns of which every row is another in every run: ids, hashes, whole texts.
        """
        if self.values.any() and self.unlike < MOSTLY and not _alike(self.values):
            return False
        if self.ranks is not None and self.ranks.any() and not _alike(self.ranks):
            return False
        if self.words is not None and self.words.any() and not _alike(self.words):
            return bool(off_diagonal(self.words).min() >= MOSTLY)
        return bool(self.values.any())


def _alike(matrix: Floats) -> bool:
    apart = off_diagonal(matrix)
    return bool(np.ptp(apart) <= TIE * apart.max())


def off_diagonal(matrix: Floats) -> Floats:
    """The distances between two different ones."""
    return np.asarray(matrix[~np.eye(len(matrix), dtype=np.bool_)])


@dataclass(frozen=True, slots=True)
class ExchangeTest:
    """The test's p, the largest statistic in standard deviations, and the column and statistic that it is of, with its
    matrix of distances (None: it is of single rows)."""

    p: float
    statistic: float
    column: str = ""
    way: Way = "values"
    matrix: Floats | None = None


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Distance across over distance within: the mean of all columns with its upper bound (95 %), and the largest.

    `scatter` is the larger mean distance between runs of one side over the smaller, `blind` are the columns that say
    nothing of all this.
    """

    ratio: float
    upper: float
    largest: float
    scatter: float = 1.0
    blind: tuple[str, ...] = ()

    @property
    def shown(self) -> bool:
        """Whether it is shown that the sides are about as close as the runs of one side are."""
        return not self.blind and self.upper <= MARGIN and self.largest <= MARGIN and self.scatter <= SCATTER


def exchange(found: Sequence[Evidence], runs_a: int, runs_b: int) -> ExchangeTest:
    """The test over all columns; p is 1 where nothing moves from run to run."""
    splits = ways(runs_a, runs_b)
    largest = np.full(len(splits), -np.inf)
    told = ExchangeTest(1.0, 0.0)

    def measured(evidence: Evidence) -> list[tuple[Way, Floats | None]]:
        return [(way, _standardised(one)) for way, one in _statistics(evidence, splits, runs_a, runs_b)]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for evidence, statistics in zip(found, pool.map(measured, found), strict=True):
            matrices = dict(zip(("values", "ranks", "words"), evidence.views, strict=True))
            for way, standard in statistics:
                if standard is None:
                    continue
                if standard[0] > largest[0]:
                    told = ExchangeTest(1.0, float(standard[0]), evidence.name, way, matrices.get(way))
                largest = np.maximum(largest, standard)
    if not np.isfinite(largest[0]):
        return told
    return replace(told, p=float(np.mean(largest >= largest[0] - TIE)))


@lru_cache(maxsize=8)
def ways(runs_a: int, runs_b: int) -> Floats:
    """The ways to call runs A's (1) or B's (0), the true one first: all of them where they are few, else a sample.

    Where the sides have as many runs each, a way and its mirror are the same, and one of them is listed.
    """
    runs = runs_a + runs_b
    mirrored = runs_a == runs_b
    count = comb(runs - 1, runs_a - 1) if mirrored else comb(runs, runs_a)
    true = np.repeat([1.0, 0.0], [runs_a, runs_b])
    if count > MOST_SPLITS:
        drawn = np.random.default_rng(runs).permuted(np.tile(true, (MOST_SPLITS, 1)), axis=1)
        return np.vstack([true, drawn])
    first, rest = ((0,), range(1, runs)) if mirrored else ((), range(runs))
    found = np.zeros((count, runs))
    for row, chosen in enumerate(combinations(rest, runs_a - len(first))):
        found[row, [*first, *chosen]] = 1.0
    assert (found[0] == true).all()  # combinations come in order
    return found


def _statistics(evidence: Evidence, splits: Floats, runs_a: int, runs_b: int) -> Iterator[tuple[Way, Floats]]:
    yield "values", energy(evidence.values, splits, runs_a, runs_b)
    if evidence.ranks is not None:
        yield "ranks", energy(evidence.ranks, splits, runs_a, runs_b)
    if evidence.words is not None:
        yield "words", energy(evidence.words, splits, runs_a, runs_b)
    if evidence.order is not None and evidence.order.shape[1] > 1:
        yield "rows apart", _apart(evidence.order, splits, runs_a)
    if evidence.rows is not None and evidence.rows.shape[1] > 1:
        yield "one row", _largest_gap(evidence.rows, splits, runs_a, runs_b)
    if evidence.labels is not None and evidence.labels.shape[1] > 1:
        yield "rows apart", _unlike(evidence.labels, splits)


def _standardised(statistic: Floats) -> Floats | None:
    spread = float(statistic.std())
    size = float(np.abs(statistic).max(initial=0.0))
    return (statistic - statistic.mean()) / spread if spread > 1e-12 * size else None


def energy(matrix: Floats, splits: Floats, runs_a: int, runs_b: int) -> Floats:
    """2 E|A-B| - E|A-A'| - E|B-B'| for every way."""
    other = 1.0 - splits
    to_a, to_b = splits @ matrix, other @ matrix
    across = (to_a * other).sum(axis=1) / (runs_a * runs_b)
    within_a = (to_a * splits).sum(axis=1) / runs_a**2
    within_b = (to_b * other).sum(axis=1) / runs_b**2
    return np.asarray(2 * across - within_a - within_b)


def ranked(keys: Floats) -> Floats:
    """The ranks of each row's values over the runs (runs x rows), those of ties averaged; NaN is lowest."""
    keys = np.where(np.isnan(keys), -np.inf, keys)
    below, ties = np.zeros(keys.shape, dtype=np.float32), np.zeros(keys.shape, dtype=np.float32)
    for other in keys:
        below += keys > other
        ties += keys == other
    return np.asarray(below + (ties - 1) / 2, dtype=np.float64)


def _apart(order: Floats, splits: Floats, runs_a: int) -> Floats:
    """In how many rows every run of one side is above every run of the other."""
    found = np.zeros(len(splits))
    stays = np.ptp(order, axis=0) == 0
    moving = order[:, ~stays]
    for part in _parts(moving):
        sums = splits @ part
        ordered = np.sort(part, axis=0)
        lowest, highest = ordered[:runs_a].sum(axis=0), ordered[-runs_a:].sum(axis=0)
        found += ((sums <= lowest + TIE) | (sums >= highest - TIE)).sum(axis=1)
    return found


def _unlike(labels: Codes, splits: Floats) -> Floats:
    """In how many rows the sides have no label in common."""
    found = np.zeros(len(splits))
    moving = labels[:, (labels != labels[0]).any(axis=0)]
    for part in _parts(moving):
        met = np.zeros((len(splits), part.shape[1]), dtype=np.bool_)
        for number in range(len(part)):  # of each label, the first run that has it speaks for it
            same = part == part[number]
            first = same.argmax(axis=0) == number
            if first.any():
                here = same[:, first].astype(np.float64)
                in_a = splits @ here
                met[:, first] |= (in_a > 0.5) & (in_a < here.sum(axis=0) - 0.5)
        found += (~met).sum(axis=1)
    return found


def _largest_gap(rows: Floats, splits: Floats, runs_a: int, runs_b: int) -> Floats:
    """The largest gap between the sides' means of one row, in standard deviations of that row within the sides."""
    centred = rows - np.median(rows, axis=0)
    with np.errstate(over="ignore"):
        squares = (centred * centred).sum(axis=0)
    shared = SHARED_VARIANCE * float(np.median(squares))
    found = np.zeros(len(splits))
    moving = squares > 0
    for part, size in zip(_parts(centred[:, moving]), _parts(squares[None, moving]), strict=True):
        scale = np.sqrt(size[0])  # each row in its own unit, so that single precision is enough
        unit = (part / scale).astype(np.float32)
        in_a = splits.astype(np.float32) @ unit
        in_b = unit.sum(axis=0) - in_a
        within = np.maximum(1.0 - in_a * in_a / runs_a - in_b * in_b / runs_b, 0.0)
        spread = np.sqrt((within + (shared / size[0]).astype(np.float32)) / (runs_a + runs_b - 2))
        gap = np.abs(in_a / runs_a - in_b / runs_b)
        with np.errstate(divide="ignore", invalid="ignore"):
            gaps = np.where(spread > 1e-6, gap / spread, gap * 1e6)
        found = np.maximum(found, gaps.max(axis=1))
    return found


def _parts(rows: Any) -> Iterator[Any]:
    for start in range(0, rows.shape[1], AT_ONCE):
        yield rows[:, start : start + AT_ONCE]


def equivalence(found: Sequence[Evidence], runs_a: int, runs_b: int) -> Equivalence:
    """The distance between the sides relative to that between runs of one side: the worst of all views."""
    found = [evidence for evidence in found if not evidence.only_tested]
    views = [
        [matrix for matrix in view if matrix is not None and matrix.any()]
        for view in zip(*(evidence.views for evidence in found), strict=True)
    ]
    means = [np.mean([matrix / matrix.mean() for matrix in view], axis=0) for view in views if view]
    ratios = [_ratio(mean, runs_a, runs_b) for mean in means]
    each = [_ratio(matrix, runs_a, runs_b) for view in views for matrix in view]
    uppers = [_upper(mean, runs_a, runs_b) for mean in means]
    blind = tuple(evidence.name for evidence in found if evidence.blind)
    wider = 1.0 + np.log2(max(1, len(found))) / 4  # of more columns, one may scatter farther by chance
    scatters = [_scatter(mean, runs_a) for mean in means]
    scatters += [_scatter(matrix, runs_a) / wider for view in views for matrix in view]
    ratio, upper, largest, scatter = (max(told, default=1.0) for told in (ratios, uppers, each, scatters))
    return Equivalence(ratio, upper, largest, scatter, blind)


def within(matrix: Floats, runs_a: int) -> tuple[float, float]:
    """The mean distance between two runs of A, and of B."""
    return tuple(  # type: ignore[return-value]
        float(part.sum() / max(1, len(part) * (len(part) - 1)))
        for part in (matrix[:runs_a, :runs_a], matrix[runs_a:, runs_a:])
    )


def _scatter(matrix: Floats, runs_a: int) -> float:
    less, more = sorted(within(matrix, runs_a))
    return more / less if less > 0 else np.inf if more > 0 else 1.0


def _ratio(matrix: Floats, runs_a: int, runs_b: int, without: int | None = None) -> float:
    """The mean distance across over that within, without one of the runs."""
    kept = np.arange(runs_a + runs_b) != without
    a, b = np.flatnonzero(kept[:runs_a]), runs_a + np.flatnonzero(kept[runs_a:])
    inside = sum(matrix[np.ix_(side, side)].sum() / (len(side) * (len(side) - 1)) for side in (a, b)) / 2
    across = float(matrix[np.ix_(a, b)].mean())
    if inside > 0:
        return float(across / inside)
    return np.inf if across > 0 else 1.0


def _upper(matrix: Floats, runs_a: int, runs_b: int) -> float:
    """The upper bound of the ratio, by the jackknife over runs, on the log, with Student's t."""
    from scipy.special import stdtrit

    runs = runs_a + runs_b
    ratio = _ratio(matrix, runs_a, runs_b)
    left = np.asarray([_ratio(matrix, runs_a, runs_b, run) for run in range(runs)])
    if not (np.isfinite(left).all() and np.isfinite(ratio) and ratio > 0 and (left > 0).all()):
        return 1.0 if ratio == 0 else np.inf
    logs = np.log(left)
    error = float(np.sqrt((runs - 1) / runs * np.square(logs - logs.mean()).sum()))
    return float(np.exp(np.log(ratio) + stdtrit(runs - 2, CONFIDENCE) * error))
