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

from repro_tui.compare.columns.nested import counts, leaves, same_shape, single
from repro_tui.compare.columns.number_pairs import WIDEST
from repro_tui.compare.noise.chosen_rows import FINITE, HIGH, LOW, NAN, NULL, Chosen, Floats, Kept, Mask
from repro_tui.compare.noise.exchange import Evidence, off_diagonal

WRAPS = 2.0**62  # differences of whole numbers beyond which 64 bits may not do
WILD = 1e6  # times as large as another run's: a value that the others are not measured from
# Where a value that is not finite stands for a distance, in standard deviations of its row.
PLACES = {NULL: 3.0, NAN: 4.0, HIGH: 6.0, LOW: -6.0}


@dataclass(frozen=True, slots=True)
class RunFiles:
    """Which of the files each side's runs are; a file that several runs wrote alike stands once."""

    a: tuple[int, ...]
    b: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many files there are."""
        return max(*self.a, *self.b) + 1

    @property
    def runs(self) -> list[int]:
        """The file of each run, A's first."""
        return [*self.a, *self.b]

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
    are of, which pairs are `endless`ly far apart, the largest step of one row `within` one side, and whether a run is
    `over` the tolerance from A's first."""

    files: RunFiles
    squares: Floats = field(init=False)
    endless: Mask = field(init=False)
    values: int = 0
    within: float = 0.0
    over: bool = False

    def __post_init__(self) -> None:
        count = self.files.count
        self.squares, self.endless = np.zeros((count, count)), np.zeros((count, count), dtype=np.bool_)

    def add(self, squares: Floats) -> None:
        """Adds the sums of some rows; what overflows is endless."""
        self.endless |= ~np.isfinite(squares)
        self.squares += np.where(np.isfinite(squares), squares, 0.0)

    def matrix(self) -> Floats:
        """The distances between all runs, A's first, in units of their own mean."""
        found = np.sqrt(self.squares / max(1, self.values))
        known = found[~self.endless]
        found = np.where(self.endless, 2 * max(0.25, known.max(initial=0.0)), found)
        runs = self.files.runs
        found = found[np.ix_(runs, runs)]
        mean = found.sum() / max(1, len(runs) * (len(runs) - 1))
        return np.asarray(found / mean) if mean else found


class NoiseColumn(Protocol):
    """One column under measurement."""

    apart: Apart

    def take(self, values: Sequence[pa.Array], chosen: Mask) -> Mask:
        """Takes one batch, an array a file; returns the rows that moved beyond their own noise. Statistics of single
        rows are of those `chosen`."""
        ...

    def evidence(self, name: str) -> tuple[Evidence, ...]:
        """What was measured, under the column's name; of documents, for each of their paths."""
        ...

    def largest_within(self) -> float | None:
        """The largest |delta| of one row between two runs of one side; None: no numbers."""
        ...


class ExactNoise:
    """Labels and what else has no order: the distance is the root of the share of rows that differ, and a row moved
    beyond its own noise where no run of A gave what a run of B did."""

    def __init__(self, files: RunFiles) -> None:
        self.apart = Apart(files)
        self._kept: list[np.ndarray[Any, np.dtype[np.int32]]] = []

    def take(self, values: Sequence[pa.Array], chosen: Mask) -> Mask:
        """See NoiseColumn."""
        codes = codes_of(values)
        self._kept.append(codes[:, chosen].astype(np.int32))
        return self.count(codes)

    def count(self, codes: np.ndarray[Any, np.dtype[np.int64]]) -> Mask:
        """Adds rows up by what stands for their values; returns those that moved beyond their own noise."""
        self.apart.values += codes.shape[1]
        rows = np.flatnonzero((codes != codes[0]).any(axis=0))
        found = np.zeros(codes.shape[1], dtype=np.bool_)
        if len(rows):
            self.apart.over = True
            codes = codes[:, rows]
            for i, j in combinations(range(len(codes)), 2):
                self.apart.squares[[i, j], [j, i]] += np.count_nonzero(codes[i] != codes[j])
            found[rows] = ~self._met(codes)
        return found

    def _met(self, codes: np.ndarray[Any, np.dtype[np.int64]]) -> Mask:
        a, b = self.apart.files.sides
        return np.asarray(np.logical_or.reduce([(codes[a] == codes[file]).any(axis=0) for file in b]))

    def evidence(self, name: str) -> tuple[Evidence, ...]:
        """See NoiseColumn."""
        labels = np.concatenate(self._kept, axis=1)[self.apart.files.runs] if self._kept else None
        apart = off_diagonal(self.apart.squares) / max(1, self.apart.values)
        return (Evidence(name, self.apart.matrix(), labels=labels, unlike=float(apart.min(initial=1.0))),)

    def largest_within(self) -> float | None:
        """See NoiseColumn."""
        return None


def codes_of(values: Sequence[pa.Array]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Each value as a number that stands for it, a row of them a file; null is -1."""
    if any(array.type != values[0].type for array in values) or pa.types.is_nested(values[0].type):
        values = [
            pa.array([None if v is None else word_of(v) for v in array.to_pylist()], pa.string()) for array in values
        ]
    whole = single(pa.concat_arrays(list(values)))
    if pa.types.is_float64(whole.type) or pa.types.is_float32(whole.type):
        whole = pc.add(whole, pa.scalar(0, whole.type))  # there are two zeros
    indices = pc.fill_null(whole.dictionary_encode().indices, -1)
    return np.asarray(indices.to_numpy(), dtype=np.int64).reshape(len(values), -1)


def word_of(value: Any) -> str:
    """A value of any type in words: a number by its value, whatever its type."""
    if isinstance(value, list):
        return f"[{', '.join(map(word_of, value))}]"
    return repr(int(value)) if isinstance(value, float) and value.is_integer() else repr(value)


class NumberNoise:
    """Numbers: the distance is the root mean square of the differences."""

    def __init__(self, files: RunFiles, atol: float, rtol: float, chosen: Chosen) -> None:
        self.apart = Apart(files)
        self._atol, self._rtol = atol, rtol
        self._kept = Kept(chosen)
        self._odd_ones = np.zeros((files.count, len(PLACES)))  # how many of each kind that is not finite, by file

    def take(self, values: Sequence[pa.Array], chosen: Mask) -> Mask:
        """See NoiseColumn."""
        values = [_as_numbers(array) for array in values]
        states = np.stack([_states(array) for array in values])
        found = np.zeros(states.shape[1], dtype=np.bool_)
        with np.errstate(all="ignore"):
            delta, scale = _from_first(values, states, self.apart.files.first())
            self.apart.over |= bool((states != states[0]).any() or self._is_over(delta, states, scale))
            self._still(delta, states, scale)
            delta[states != FINITE] = np.nan
            if (states != FINITE).any():
                self._odd_ones += np.stack([(states == state).sum(axis=1) for state in PLACES], axis=1)
            self._measure(delta, states, scale, chosen)
            odd = (states != FINITE).any(axis=0)
            rows = np.flatnonzero(~odd & (delta != 0).any(axis=0))
            if len(rows):
                found[rows] = self._beyond(delta[:, rows], scale[rows])
            rows = np.flatnonzero(odd & (states != states[0]).any(axis=0))
            if len(rows):
                found[rows] = self._odd(states[:, rows], delta[:, rows], scale[rows])
        return found

    def _still(self, delta: Floats, states: np.ndarray[Any, Any], scale: Floats) -> None:
        """Takes the differences from rows that no two runs differ in by more than the tolerance: such a row is the
        same, however steadily it is shifted between the sides."""
        low, high = delta.min(axis=0), delta.max(axis=0)
        still = (high > low) & (high - low <= self._atol + self._rtol * scale) & (states == FINITE).all(axis=0)
        if still.any():
            delta[:, still] = 0.0

    def _is_over(self, delta: Floats, states: np.ndarray[Any, Any], scale: Floats) -> bool:
        over = np.abs(delta) > self._atol + self._rtol * scale
        return bool((over & (states == FINITE)).any())

    def _measure(self, delta: Floats, states: np.ndarray[Any, Any], scale: Floats, chosen: Mask) -> None:
        """Adds up distances, and keeps the chosen rows."""
        runs = self.apart.files.runs
        self.apart.values += delta.shape[1]
        filled = _filled(delta, states, scale, runs)
        moving = (filled != filled[0]).any(axis=0)
        if moving.any():
            self.apart.add(squares(filled[:, moving], self.apart.files))
        self._kept.add(filled[runs], states[runs], scale, chosen)

    def _beyond(self, delta: Floats, scale: Floats) -> Mask:
        (low_a, high_a), (low_b, high_b) = (_span(delta[side]) for side in self.apart.files.sides)
        for step in (high_a - low_a, high_b - low_b):
            self.apart.within = max(self.apart.within, float(step[np.isfinite(step)].max(initial=0.0)))
        gap = np.maximum(low_b - high_a, low_a - high_b)
        return np.asarray(gap > self._atol + self._rtol * scale)

    def _odd(self, states: np.ndarray[Any, Any], delta: Floats, scale: Floats) -> Mask:
        """Rows in which a run has no finite number: null, NaN and the infinities are each at one place of their own."""
        met = np.zeros(states.shape[1], dtype=np.bool_)
        a, b = (states[side] for side in self.apart.files.sides)
        for state in np.unique(states):
            both = (a == state).any(axis=0) & (b == state).any(axis=0)
            met |= both & (~self._beyond(delta, np.nan_to_num(scale)) if state == FINITE else True)
        return ~met

    def evidence(self, name: str) -> tuple[Evidence, ...]:
        """See NoiseColumn."""
        if self._kept.empty:
            return (Evidence(name, self.apart.matrix()),)
        order = self._kept.order
        whole = Evidence(name, self.apart.matrix(), between(order), rows=self._kept.values, order=order)
        runs = self.apart.files.runs
        missing = between(self._odd_ones[runs])
        return (whole, Evidence(f"{name} (missing)", missing, only_tested=True)) if missing.any() else (whole,)

    def largest_within(self) -> float | None:
        """See NoiseColumn."""
        return self.apart.within


def between(rows: Floats) -> Floats:
    """The distances between runs, by their rows (runs x rows)."""
    return np.asarray(np.sqrt(_squares(rows - rows[0])))


def _filled(delta: Floats, states: np.ndarray[Any, Any], scale: Floats, runs: list[int]) -> Floats:
    """Differences in which what is not finite stands apart from the rest of its row."""
    odd = np.flatnonzero((states != FINITE).any(axis=0))
    if not len(odd):
        return delta
    found = delta.copy()
    own = delta[runs][:, odd]
    finite = np.isfinite(own).any(axis=0)
    middle, spread = np.zeros(len(odd)), np.zeros(len(odd))
    middle[finite], spread[finite] = np.nanmedian(own[:, finite], axis=0), np.nanstd(own[:, finite], axis=0)
    usual = np.delete(delta[runs], odd, axis=1).std(axis=0)
    usual = usual[np.isfinite(usual) & (usual > 0)]
    least = float(np.median(usual)) if len(usual) else 1.0
    step = np.maximum(spread, least)
    for state, place in PLACES.items():
        rows, places = np.nonzero(states[:, odd] == state)
        found[rows, odd[places]] = middle[places] + place * step[places]
    return found


def is_number(kind: pa.DataType) -> bool:
    """Whether values of this type are numbers here: so are moments and spans of time, and decimals."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or _is_time(kind))


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_temporal(kind) and not pa.types.is_interval(kind))


def _as_numbers(array: pa.Array) -> pa.Array:
    if _is_time(array.type):
        return array.view(pa.int32() if array.type.bit_width == 32 else pa.int64())
    return array


def _states(array: pa.Array) -> np.ndarray[Any, np.dtype[np.int8]]:
    """What each value is: finite, null, NaN or an infinity."""
    found = np.full(len(array), FINITE, dtype=np.int8)
    if pa.types.is_floating(array.type):
        raw = array.to_numpy(zero_copy_only=False)
        if not np.isfinite(raw).all():
            found[np.isnan(raw)], found[raw == np.inf], found[raw == -np.inf] = NAN, HIGH, LOW
    if array.null_count:
        found[np.asarray(array.is_null().to_numpy(zero_copy_only=False))] = NULL
    return found


def _from_first(
    values: Sequence[pa.Array], states: np.ndarray[Any, Any], first: tuple[int, int]
) -> tuple[Floats, Floats]:
    """Every value less the first finite one of its row, so that no digits of small differences are lost; and the larger
    of the absolute values of the two files that were compared cell by cell (NaN: neither is finite)."""
    begin = (states == FINITE).argmax(axis=0)
    raw = [_raw(array) for array in values]
    compared = [np.abs(raw[file].astype(np.float64)) for file in first]
    scale = np.fmax(*(np.where(np.isfinite(size), size, np.nan) for size in compared))
    if pa.types.is_decimal(values[0].type):
        return decimals_from_first(values), scale
    whole = {values_of.dtype for values_of in raw}
    if len(whole) == 1 and raw[0].dtype.kind in "iu" and raw[0].dtype.itemsize == 8:
        wide = np.stack(raw).view(np.uint64)  # wraps, and so comes out right up to half of the range
        exact = (wide - _begun(wide, begin)).view(np.int64).astype(np.float64)
        about = np.stack(raw).astype(np.float64)
        about -= _begun(about, begin)
        return np.where(np.abs(about) < WRAPS, exact, about), scale
    if len(whole) > 1 and any(kind.kind in "iu" and kind.itemsize == 8 for kind in whole):
        exact = np.stack([one.astype(np.longdouble) for one in raw])  # which holds every whole number of 64 bits
        start = _begun(exact, begin)
        return (exact - np.where(np.isfinite(start), start, 0)).astype(np.float64), scale
    stacked = np.stack(raw).astype(np.float64)
    start = _begun(stacked, begin)
    start = np.where(np.isfinite(start), start, 0.0)
    wild = np.flatnonzero(np.abs(start) > WILD)
    if len(wild):  # the digits of the other runs would be lost beside it
        sizes = np.where(states[:, wild] == FINITE, np.abs(stacked[:, wild]), np.inf)
        least = stacked[sizes.argmin(axis=0), wild]
        start[wild] = np.where(np.isfinite(least) & (np.abs(least) < np.abs(start[wild]) / WILD), least, start[wild])
    return stacked - start, scale


def _begun(values: np.ndarray[Any, Any], begin: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Of each row the value of the file at which it begins."""
    return np.asarray(values[begin, np.arange(len(begin))] if begin.any() else values[0].copy())


def decimals_from_first(values: Sequence[pa.Array]) -> Floats:
    """Decimals less the first of their row by all of their digits; 0 where one is missing."""
    wide = [array.cast(pa.decimal256(WIDEST, array.type.scale), safe=False) for array in values]
    start = pc.coalesce(*wide)
    steps = [pc.fill_null(pc.subtract(array, start).cast(pa.float64()), 0.0) for array in wide]
    return np.stack([np.asarray(step.to_numpy(zero_copy_only=False)) for step in steps])


def _raw(array: pa.Array) -> np.ndarray[Any, Any]:
    if pa.types.is_decimal(array.type):
        array = array.cast(pa.float64())
    if array.null_count:
        if pa.types.is_float16(array.type):
            return np.asarray(np.nan_to_num(array.to_numpy(zero_copy_only=False)))
        array = pc.fill_null(array, pa.scalar(0, array.type))
    return np.asarray(array.to_numpy(zero_copy_only=False))


def _span(values: Floats) -> tuple[Floats, Floats]:
    """The smallest and the largest of each column; NaN is passed over."""
    return np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)


def squares(delta: Floats, files: RunFiles) -> Floats:
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

    def take(self, values: Sequence[pa.Array], chosen: Mask) -> Mask:
        """See NoiseColumn."""
        sizes = _sizes(values)
        if sizes is None:
            return self._as_labels(values)
        flat = [leaves(array) for array in values]
        states = np.stack([_states(array) for array in flat])
        if (states != FINITE).any() and (states != states[0]).any():
            return self._as_labels(values)
        with np.errstate(all="ignore"):
            delta, scale = _from_first(flat, states, self.apart.files.first())
            self.apart.over |= self._is_over(delta, states, scale)
            self._still(delta, states, scale)
            delta[states != FINITE] = 0.0
            self._measure(delta, np.full_like(states, FINITE), scale, self._elements(chosen, sizes))
            for side in self.apart.files.sides:
                low, high = _span(delta[side])
                self.apart.within = max(self.apart.within, float((high - low).max(initial=0.0)))
            return self._rows_beyond(delta, scale, sizes)

    def _elements(self, chosen: Mask, sizes: np.ndarray[Any, Any]) -> Mask:
        """Some elements of the chosen rows: of all rows no more than there is room for."""
        found = np.repeat(chosen, sizes)
        places = np.flatnonzero(found)
        most = max(1, int(self._kept.chosen.most * min(1.0, len(sizes) / max(1, self._kept.chosen.rows))))
        if len(places) > most:
            found[:] = False
            found[places[np.linspace(0, len(places) - 1, most).astype(np.int64)]] = True
        return found

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

    def _as_labels(self, values: Sequence[pa.Array]) -> Mask:
        """Lists of other lengths, or with holes at other places: runs that have them are endlessly far apart."""
        exact = ExactNoise(self.apart.files)
        beyond = exact.count(codes_of(values))
        self.apart.endless |= exact.apart.squares > 0
        self.apart.over |= exact.apart.over
        return beyond


def _sizes(values: Sequence[pa.Array]) -> np.ndarray[Any, Any] | None:
    """How many numbers each row has, where the shapes are those of every file and no row is null."""
    if any(array.null_count for array in values):
        return None
    if not all(same_shape(values[0], array).all() for array in values[1:]):
        return None
    return counts(values[0])
