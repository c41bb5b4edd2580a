"""One output column over all runs: how far apart runs are, and which rows moved beyond what they do from run to run.

A row moved *within its own noise* where the ranges of its values over the runs of A and over those of B meet (or leave
a gap within the tolerance), and *beyond* it where they do not. Of K runs a side of one and the same deployment, the
ranges of a row keep apart by chance in 2 of the (2K over K) ways to deal the runs: in 1 row of 126 for five runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from repro_tui.compare.nested import counts, leaves, same_shape, single

Floats = np.ndarray[Any, np.dtype[np.float64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Files:
    """Which of the files each side's runs are; a file that several runs wrote alike stands once."""

    a: tuple[int, ...]
    b: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many files there are."""
        return max(*self.a, *self.b) + 1

    @property
    def sides(self) -> tuple[list[int], list[int]]:
        """The files of each side, each once."""
        return sorted(set(self.a)), sorted(set(self.b))

    def first(self) -> tuple[int, int]:
        """The two files that were compared cell by cell."""
        return self.a[0], self.b[0]


@dataclass(slots=True)
class Apart:
    """Sums over all rows so far: `squares` between files (of differences, or rows that differ), how many `values` they
    are of, which pairs are `endless`ly far apart, and the largest step of one row `within` one side."""

    files: Files
    squares: Floats = field(init=False)
    endless: Mask = field(init=False)
    values: int = 0
    within: float = 0.0

    def __post_init__(self) -> None:
        count = self.files.count
        self.squares, self.endless = np.zeros((count, count)), np.zeros((count, count), dtype=np.bool_)

    def add(self, squares: Floats) -> None:
        """Adds the sums of some rows; what overflows is endless."""
        self.endless |= ~np.isfinite(squares)
        self.squares += np.where(np.isfinite(squares), squares, 0.0)

    def matrix(self, root: bool) -> Floats:
        """The distances between all runs, A's first, in units of their own mean."""
        found = self.squares / max(1, self.values)
        found = np.sqrt(found) if root else found
        known = found[~self.endless]
        found = np.where(self.endless, 2 * max(0.25, known.max(initial=0.0)), found)
        runs = [*self.files.a, *self.files.b]
        found = found[np.ix_(runs, runs)]
        mean = found.sum() / max(1, len(runs) * (len(runs) - 1))
        return np.asarray(found / mean) if mean else found


class NoiseColumn(Protocol):
    """One column under measurement."""

    apart: Apart

    def take(self, values: Sequence[pa.Array]) -> Mask:
        """Takes one batch, an array a file; returns the rows that moved beyond their own noise."""
        ...

    def matrix(self) -> Floats:
        """The distances between all runs."""
        ...

    def largest_within(self) -> float | None:
        """The largest |delta| of one row between two runs of one side; None: no numbers."""
        ...


class ExactNoise:
    """Labels, texts, dates: the distance is the share of rows that differ, and a row moved beyond its own noise where
    no run of A gave what a run of B did."""

    def __init__(self, files: Files) -> None:
        self.apart = Apart(files)

    def take(self, values: Sequence[pa.Array]) -> Mask:
        """See NoiseColumn."""
        codes = _codes(values)
        self.apart.values += codes.shape[1]
        rows = np.flatnonzero((codes != codes[0]).any(axis=0))
        found = np.zeros(codes.shape[1], dtype=np.bool_)
        if len(rows):
            codes = codes[:, rows]
            for i, j in combinations(range(len(codes)), 2):
                self.apart.squares[[i, j], [j, i]] += np.count_nonzero(codes[i] != codes[j])
            found[rows] = ~self._met(codes)
        return found

    def _met(self, codes: np.ndarray[Any, np.dtype[np.int64]]) -> Mask:
        a, b = self.apart.files.sides
        return np.asarray(np.logical_or.reduce([(codes[a] == codes[file]).any(axis=0) for file in b]))

    def matrix(self) -> Floats:
        """See NoiseColumn."""
        return self.apart.matrix(root=False)

    def largest_within(self) -> float | None:
        """See NoiseColumn."""
        return None


def _codes(values: Sequence[pa.Array]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Each value as a number that stands for it, a row of them a file; null is -1."""
    if any(array.type != values[0].type for array in values) or pa.types.is_nested(values[0].type):
        values = [
            pa.array([None if v is None else repr(v) for v in array.to_pylist()], pa.string()) for array in values
        ]
    whole = single(pa.concat_arrays(list(values)))
    if pa.types.is_float64(whole.type) or pa.types.is_float32(whole.type):
        whole = pc.add(whole, pa.scalar(0, whole.type))  # there are two zeros
    indices = pc.fill_null(whole.dictionary_encode().indices, -1)
    return np.asarray(indices.to_numpy(), dtype=np.int64).reshape(len(values), -1)


def _texts(array: pa.Array) -> pa.Array:
    return pa.array([None if value is None else repr(value) for value in array.to_pylist()], pa.string())


class NumberNoise:
    """Numbers: the distance is the root mean square of the differences."""

    def __init__(self, files: Files, atol: float, rtol: float) -> None:
        self.apart = Apart(files)
        self._atol, self._rtol = atol, rtol

    def take(self, values: Sequence[pa.Array]) -> Mask:
        """See NoiseColumn."""
        states = np.stack([_states(array) for array in values])
        found = np.zeros(states.shape[1], dtype=np.bool_)
        self.apart.values += len(found)
        with np.errstate(all="ignore"):
            delta, scale = _from_first(values, self.apart.files.first())
            delta[states != FINITE] = np.nan
            odd = (states != FINITE).any(axis=0)
            rows = np.flatnonzero(~odd & (delta != 0).any(axis=0))
            if len(rows):
                moved = delta[:, rows]
                self.apart.add(squares(moved, self.apart.files))
                found[rows] = self._beyond(moved, scale[rows])
            rows = np.flatnonzero(odd & (states != states[0]).any(axis=0))
            if len(rows):
                found[rows] = self._odd(states[:, rows], delta[:, rows], scale[rows])
        return found

    def _beyond(self, delta: Floats, scale: Floats) -> Mask:
        (low_a, high_a), (low_b, high_b) = (_span(delta[side]) for side in self.apart.files.sides)
        for step in (high_a - low_a, high_b - low_b):
            self.apart.within = max(self.apart.within, float(step[np.isfinite(step)].max(initial=0.0)))
        gap = np.maximum(low_b - high_a, low_a - high_b)
        return np.asarray(gap > self._atol + self._rtol * scale)

    def _odd(self, states: np.ndarray[Any, Any], delta: Floats, scale: Floats) -> Mask:
        """Rows in which a run has no finite number: null, NaN and the infinities are each at one place of their own."""
        for i, j in combinations(range(len(states)), 2):
            unlike = bool((states[i] != states[j]).any())
            self.apart.endless[[i, j], [j, i]] |= unlike
        met = np.zeros(states.shape[1], dtype=np.bool_)
        a, b = (states[side] for side in self.apart.files.sides)
        for state in np.unique(states):
            both = (a == state).any(axis=0) & (b == state).any(axis=0)
            met |= both & (~self._beyond(delta, scale) if state == FINITE else True)
        return ~met

    def matrix(self) -> Floats:
        """See NoiseColumn."""
        return self.apart.matrix(root=True)

    def largest_within(self) -> float | None:
        """See NoiseColumn."""
        return self.apart.within


FINITE, NULL, NAN, HIGH, LOW = range(5)


def _states(array: pa.Array) -> np.ndarray[Any, np.dtype[np.int8]]:
    """What each value is: finite, null, NaN or an infinity."""
    found = np.zeros(len(array), dtype=np.int8)
    if pa.types.is_floating(array.type):
        raw = array.to_numpy(zero_copy_only=False)
        if not np.isfinite(raw).all():
            found[np.isnan(raw)], found[raw == np.inf], found[raw == -np.inf] = NAN, HIGH, LOW
    if array.null_count:
        found[np.asarray(array.is_null().to_numpy(zero_copy_only=False))] = NULL
    return found


def _from_first(values: Sequence[pa.Array], first: tuple[int, int]) -> tuple[Floats, Floats]:
    """Every value less the first file's, so that no digits of small differences are lost; and the larger of the
    absolute values of the two files that were compared cell by cell."""
    raw = [_raw(array) for array in values]
    whole = {values_of.dtype for values_of in raw}
    scale = np.maximum(*(np.abs(raw[file].astype(np.float64)) for file in first))
    if len(whole) == 1 and raw[0].dtype.kind in "iu" and raw[0].dtype.itemsize == 8:
        wide = np.stack(raw).view(np.uint64)  # wraps, and so comes out right up to half of the range
        return (wide - wide[0]).view(np.int64).astype(np.float64), scale
    stacked = np.stack(raw).astype(np.float64)
    return stacked - stacked[0], scale


def _raw(array: pa.Array) -> np.ndarray[Any, Any]:
    if array.null_count:
        if pa.types.is_float16(array.type):
            return np.asarray(np.nan_to_num(array.to_numpy(zero_copy_only=False)))
        array = pc.fill_null(array, pa.scalar(0, array.type))
    return np.asarray(array.to_numpy(zero_copy_only=False))


def _span(values: Floats) -> tuple[Floats, Floats]:
    """The smallest and the largest of each column; NaN is passed over."""
    return np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)


def squares(delta: Floats, files: Files) -> Floats:
    """The sums of squared differences between all files, from their differences to the first one.

    Each side's own are taken from its own first file: where the sides are far apart, they would drown otherwise.
    """
    found = _squares(delta)
    for side in files.sides:
        if len(side) > 1:
            found[np.ix_(side, side)] = _squares(delta[side] - delta[side[0]])
    return found


def _squares(delta: Floats) -> Floats:
    products = delta @ delta.T
    lengths = np.diag(products)
    found = np.maximum(lengths[:, None] + lengths[None, :] - 2 * products, 0.0)
    np.fill_diagonal(found, 0.0)
    return np.asarray(found)


class ListNoise(NumberNoise):
    """Lists of numbers: a row moved beyond its own noise where the nearest two runs of the two sides are farther apart
    than the farthest two of one side, and an element is over the tolerance."""

    def take(self, values: Sequence[pa.Array]) -> Mask:
        """See NoiseColumn."""
        sizes = _sizes(values)
        if sizes is None:
            return self._as_texts(values)
        flat = [leaves(array) for array in values]
        states = np.stack([_states(array) for array in flat])
        self.apart.values += states.shape[1]
        if (states != FINITE).any() and (states != states[0]).any():
            return self._as_texts(values)
        with np.errstate(all="ignore"):
            delta, scale = _from_first(flat, self.apart.files.first())
            delta[states != FINITE] = 0.0
            self.apart.add(squares(delta, self.apart.files))
            for side in self.apart.files.sides:
                low, high = _span(delta[side])
                self.apart.within = max(self.apart.within, float((high - low).max(initial=0.0)))
            return self._rows_beyond(delta, scale, sizes)

    def _rows_beyond(self, delta: Floats, scale: Floats, sizes: np.ndarray[Any, Any]) -> Mask:
        a, b = self.apart.files.first()
        over = np.abs(delta[b] - delta[a]) > self._atol + self._rtol * scale
        owner = np.repeat(np.arange(len(sizes)), sizes)
        found = np.zeros(len(sizes), dtype=np.bool_)
        found[owner[over]] = True
        rows = np.flatnonzero(found)
        if len(rows):
            part = found[owner]
            _, places = np.unique(owner[part], return_inverse=True)
            found[rows] = self._kept_apart(delta[:, part], places, len(rows))
        return found

    def _kept_apart(self, delta: Floats, places: np.ndarray[Any, Any], rows: int) -> Mask:
        def distance(i: int, j: int) -> Floats:
            return np.asarray(np.bincount(places, np.square(delta[i] - delta[j]), rows), dtype=np.float64)

        a, b = self.apart.files.sides
        across = np.minimum.reduce([distance(i, j) for i in a for j in b])
        pairs = [pair for side in (a, b) for pair in combinations(side, 2)]
        within = np.maximum.reduce([distance(i, j) for i, j in pairs]) if pairs else np.zeros(rows)
        return np.asarray(across > within)

    def _as_texts(self, values: Sequence[pa.Array]) -> Mask:
        """Lists of other lengths, or with holes at other places: runs that have them are endlessly far apart."""
        exact = ExactNoise(self.apart.files)
        beyond = exact.take(values)
        self.apart.endless |= exact.apart.squares > 0
        return beyond


def _sizes(values: Sequence[pa.Array]) -> np.ndarray[Any, Any] | None:
    """How many numbers each row has, where the shapes are those of every file and no row is null."""
    if any(array.null_count for array in values):
        return None
    if not all(same_shape(values[0], array).all() for array in values[1:]):
        return None
    return counts(values[0])
