"""Numbers, moments and lists of numbers over all runs: distances between runs, and rows that exceed their own noise.

Values are measured as differences to the first finite value of their row, not as they are: 1e15 + 0.1 and 1e15 + 0.2
keep the digits in which they differ, also where the first run has a null, and whole numbers of 64 bits and decimals are
subtracted exactly. The distance of two runs is the root mean square of their differences over all rows.

A value that is not finite has no difference. For the distance it gets a stand-in, some standard deviations of its row
away from the row's median (null 3, NaN 4, infinities 6), so that it counts as different without drowning the other
rows. For the ranges of a row, null, NaN and each infinity are values of their own: the sides meet there if both have
one.

Rows in which no two runs differ by more than the tolerance count as equal, however steadily they are shifted between
the sides: without that, noise below the tolerance could be called drift.

Cost: rows · files² for the distances (one matrix product a batch), rows · files for the ranges.

Example: A's runs gave 5, 5 and null, B's null, 7 and 7. The finite ranges [5, 5] and [7, 7] are apart, but both sides
have a null, so the row is within its own noise. Without B's null it would exceed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from repro_tui.compare.columns.nested import counts, leaves, same_shape
from repro_tui.compare.columns.number_pairs import WIDEST
from repro_tui.compare.noise.arrays import AnyNumbers, Floats, Integers, Mask, States
from repro_tui.compare.noise.columns import ExactNoise, RunDifferences, RunFiles, value_codes
from repro_tui.compare.noise.exchange import Evidence
from repro_tui.compare.noise.row_selection import FINITE, HIGH, LOW, NAN, NULL, RowSelection, SelectedRows

WRAPS = 2.0**62  # from this difference of whole numbers on, 64 bits may not suffice
WILD = 1e6  # a first value so many times as large as another run's is not what the others are measured from
# Where a value that is not finite stands for the distance, in standard deviations of its row.
STAND_INS = {NULL: 3.0, NAN: 4.0, HIGH: 6.0, LOW: -6.0}


class NumberNoise:
    """One column of numbers, moments or time spans; `atol` and `rtol` are its tolerance."""

    def __init__(self, files: RunFiles, atol: float, rtol: float, selection: RowSelection) -> None:
        self.differences = RunDifferences(files)
        self._atol, self._rtol = atol, rtol
        self._rows = SelectedRows(selection)
        self._not_finite = np.zeros((files.count, len(STAND_INS)))  # how many values of each such state, by file

    def add_batch(self, values: Sequence[pa.Array], selected: Mask) -> Mask:
        """See NoiseColumn."""
        values = [_as_numbers(array) for array in values]
        states = np.stack([_states(array) for array in values])
        exceeding = np.zeros(states.shape[1], dtype=np.bool_)
        with np.errstate(all="ignore"):
            delta, scale = _differences_to_first(values, states, self.differences.files.first_runs)
            self.differences.over_tolerance |= bool(
                (states != states[0]).any() or self._is_over_tolerance(delta, states, scale)
            )
            self._clear_rows_within_tolerance(delta, states, scale)
            delta[states != FINITE] = np.nan
            if (states != FINITE).any():
                self._not_finite += np.stack([(states == state).sum(axis=1) for state in STAND_INS], axis=1)
            self._measure(delta, states, scale, selected)
            some_missing = (states != FINITE).any(axis=0)
            rows = np.flatnonzero(~some_missing & (delta != 0).any(axis=0))
            if len(rows):
                exceeding[rows] = self._ranges_apart(delta[:, rows], scale[rows])
            rows = np.flatnonzero(some_missing & (states != states[0]).any(axis=0))
            if len(rows):
                exceeding[rows] = self._states_apart(states[:, rows], delta[:, rows], scale[rows])
        return exceeding

    def _clear_rows_within_tolerance(self, delta: Floats, states: States, scale: Floats) -> None:
        """Sets the differences to 0 in rows in which no two runs differ by more than the tolerance."""
        low, high = delta.min(axis=0), delta.max(axis=0)
        bound = self._atol + self._rtol * scale
        clear = (high > low) & (high - low <= bound) & (states == FINITE).all(axis=0)
        if clear.any():
            delta[:, clear] = 0.0

    def _is_over_tolerance(self, delta: Floats, states: States, scale: Floats) -> bool:
        over = np.abs(delta) > self._atol + self._rtol * scale
        return bool((over & (states == FINITE)).any())

    def _measure(self, delta: Floats, states: States, scale: Floats, selected: Mask) -> None:
        """Adds up distances, and keeps the selected rows."""
        runs = self.differences.files.runs
        self.differences.values += delta.shape[1]
        filled = _with_stand_ins(delta, states, runs)
        moving = (filled != filled[0]).any(axis=0)
        if moving.any():
            self.differences.add(squared_distances(filled[:, moving], self.differences.files))
        self._rows.add(filled[runs], states[runs], scale, selected)

    def _ranges_apart(self, delta: Floats, scale: Floats) -> Mask:
        """The rows in which the ranges of the two sides leave a gap above the tolerance. Notes the largest step."""
        (low_a, high_a), (low_b, high_b) = (_range(delta[side]) for side in self.differences.files.sides)
        for step in (high_a - low_a, high_b - low_b):
            largest = float(step[np.isfinite(step)].max(initial=0.0))
            self.differences.largest_step = max(self.differences.largest_step, largest)
        gap = np.maximum(low_b - high_a, low_a - high_b)
        return np.asarray(gap > self._atol + self._rtol * scale)

    def _states_apart(self, states: States, delta: Floats, scale: Floats) -> Mask:
        """The same for rows in which a run has no finite number: the sides meet where both have null, or NaN."""
        meet = np.zeros(states.shape[1], dtype=np.bool_)
        a, b = (states[side] for side in self.differences.files.sides)
        for state in np.unique(states):
            both = (a == state).any(axis=0) & (b == state).any(axis=0)
            meet |= both & (~self._ranges_apart(delta, np.nan_to_num(scale)) if state == FINITE else True)
        return ~meet

    def evidence(self, name: str) -> tuple[Evidence, ...]:
        """See NoiseColumn. How many values are missing in a run is tested as evidence of its own."""
        matrix = self.differences.matrix()
        if self._rows.is_empty:
            return (Evidence(name, matrix),)
        ranks = self._rows.ranks
        numbers = Evidence(name, matrix, run_distances(ranks), row_values=self._rows.values, row_ranks=ranks)
        missing = run_distances(self._not_finite[self.differences.files.runs])
        return (numbers, Evidence(f"{name} (missing)", missing, test_only=True)) if missing.any() else (numbers,)

    def largest_step(self) -> float | None:
        """See NoiseColumn."""
        return self.differences.largest_step


class ListNoise(NumberNoise):
    """Lists of numbers, measured element by element.

    A row exceeds its own noise where an element is over the tolerance, and the nearest two runs of the two sides are
    farther apart (Euclidean distance of the whole list) than the farthest two runs of one side.
    """

    def add_batch(self, values: Sequence[pa.Array], selected: Mask) -> Mask:
        """See NoiseColumn."""
        sizes = _common_sizes(values)
        if sizes is None:
            return self._add_as_labels(values)
        flat = [leaves(array) for array in values]
        states = np.stack([_states(array) for array in flat])
        if (states != FINITE).any() and (states != states[0]).any():
            return self._add_as_labels(values)
        with np.errstate(all="ignore"):
            delta, scale = _differences_to_first(flat, states, self.differences.files.first_runs)
            self.differences.over_tolerance |= self._is_over_tolerance(delta, states, scale)
            self._clear_rows_within_tolerance(delta, states, scale)
            delta[states != FINITE] = 0.0
            self._measure(delta, np.full_like(states, FINITE), scale, self._selected_elements(selected, sizes))
            for side in self.differences.files.sides:
                low, high = _range(delta[side])
                largest = float((high - low).max(initial=0.0))
                self.differences.largest_step = max(self.differences.largest_step, largest)
            return self._rows_exceeding(delta, scale, sizes)

    def _selected_elements(self, selected: Mask, sizes: Integers) -> Mask:
        """Some elements of the selected rows, evenly spaced: over all batches no more than there is room for."""
        mask = np.repeat(selected, sizes)
        elements = np.flatnonzero(mask)
        selection = self._rows.selection
        room = max(1, int(selection.capacity * min(1.0, len(sizes) / max(1, selection.row_count))))
        if len(elements) > room:
            mask[:] = False
            mask[elements[np.linspace(0, len(elements) - 1, room).astype(np.int64)]] = True
        return mask

    def _rows_exceeding(self, delta: Floats, scale: Floats, sizes: Integers) -> Mask:
        a, b = self.differences.files.first_runs
        over = np.abs(delta[b] - delta[a]) > self._atol + self._rtol * scale
        row_of_element = np.repeat(np.arange(len(sizes)), sizes)
        exceeding = np.zeros(len(sizes), dtype=np.bool_)
        exceeding[row_of_element[over]] = True
        rows = np.flatnonzero(exceeding)
        if len(rows):
            elements = exceeding[row_of_element]
            _, owners = np.unique(row_of_element[elements], return_inverse=True)
            exceeding[rows] = self._runs_apart(delta[:, elements], owners, len(rows))
        return exceeding

    def _runs_apart(self, delta: Floats, owners: Integers, rows: int) -> Mask:
        """Of these rows (`owners`: the row of each element), those whose sides keep apart."""

        def distance(i: int, j: int) -> Floats:
            return np.asarray(np.bincount(owners, np.square(delta[i] - delta[j]), rows), dtype=np.float64)

        a, b = self.differences.files.sides
        nearest_across = np.minimum.reduce([distance(i, j) for i in a for j in b])
        pairs = [pair for side in (a, b) for pair in combinations(side, 2)]
        farthest_inside = np.maximum.reduce([distance(i, j) for i, j in pairs]) if pairs else np.zeros(rows)
        return np.asarray(nearest_across > farthest_inside)

    def _add_as_labels(self, values: Sequence[pa.Array]) -> Mask:
        """Lists whose lengths differ, or whose missing elements do: runs that differ are infinitely far apart."""
        exact = ExactNoise(self.differences.files)
        exceeding = exact.count_differences(value_codes(values))
        self.differences.infinite |= exact.differences.squares > 0
        self.differences.over_tolerance |= exact.differences.over_tolerance
        return exceeding


def run_distances(rows: Floats) -> Floats:
    """The Euclidean distances between runs, by their rows (runs x rows)."""
    return np.asarray(np.sqrt(_pairwise_squares(rows - rows[0])))


def _with_stand_ins(delta: Floats, states: States, runs: list[int]) -> Floats:
    """Differences in which a value that is not finite stands apart from the rest of its row.

    The step is the row's standard deviation over the finite values of the runs, or the median one of the batch where
    that is larger.
    """
    rows_with_gaps = np.flatnonzero((states != FINITE).any(axis=0))
    if not len(rows_with_gaps):
        return delta
    filled = delta.copy()
    values = delta[runs][:, rows_with_gaps]
    has_finite = np.isfinite(values).any(axis=0)
    median, spread = np.zeros(len(rows_with_gaps)), np.zeros(len(rows_with_gaps))
    median[has_finite] = np.nanmedian(values[:, has_finite], axis=0)
    spread[has_finite] = np.nanstd(values[:, has_finite], axis=0)
    usual = np.delete(delta[runs], rows_with_gaps, axis=1).std(axis=0)
    usual = usual[np.isfinite(usual) & (usual > 0)]
    step = np.maximum(spread, float(np.median(usual)) if len(usual) else 1.0)
    for state, deviations in STAND_INS.items():
        files, gaps = np.nonzero(states[:, rows_with_gaps] == state)
        filled[files, rows_with_gaps[gaps]] = median[gaps] + deviations * step[gaps]
    return filled


def is_number(kind: pa.DataType) -> bool:
    """Whether values of this type are measured as numbers: integers, floats, decimals, moments and time spans."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or _is_time(kind))


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_temporal(kind) and not pa.types.is_interval(kind))


def _as_numbers(array: pa.Array) -> pa.Array:
    if _is_time(array.type):
        return array.view(pa.int32() if array.type.bit_width == 32 else pa.int64())
    return array


def _states(array: pa.Array) -> States:
    """What each value is: finite, null, NaN or an infinity."""
    states = np.full(len(array), FINITE, dtype=np.int8)
    if pa.types.is_floating(array.type):
        raw = array.to_numpy(zero_copy_only=False)
        if not np.isfinite(raw).all():
            states[np.isnan(raw)], states[raw == np.inf], states[raw == -np.inf] = NAN, HIGH, LOW
    if array.null_count:
        states[np.asarray(array.is_null().to_numpy(zero_copy_only=False))] = NULL
    return states


def _differences_to_first(
    values: Sequence[pa.Array], states: States, first_runs: tuple[int, int]
) -> tuple[Floats, Floats]:
    """Every value less the first finite value of its row (files x rows): no digits of small differences are lost.

    Also the size of each row: the larger absolute value in the two files that were compared cell by cell (NaN where
    neither is finite).
    """
    starts = (states == FINITE).argmax(axis=0)
    raw = [_raw(array) for array in values]
    compared = [np.abs(raw[file].astype(np.float64)) for file in first_runs]
    scale = np.fmax(*(np.where(np.isfinite(size), size, np.nan) for size in compared))
    if pa.types.is_decimal(values[0].type):
        return _decimals_to_first(values), scale
    types = {array.dtype for array in raw}
    if any(dtype.kind in "iu" and dtype.itemsize == 8 for dtype in types):
        return (_integers_to_first(raw, starts) if len(types) == 1 else _mixed_to_first(raw, starts)), scale
    return _floats_to_first(np.stack(raw).astype(np.float64), states, starts), scale


def _row_starts(stacked: AnyNumbers, starts: Integers) -> AnyNumbers:
    """For each row, the value in the file at which its finite values start."""
    return np.asarray(stacked[starts, np.arange(len(starts))] if starts.any() else stacked[0].copy())


def _integers_to_first(raw: Sequence[AnyNumbers], starts: Integers) -> Floats:
    unsigned = np.stack(raw).view(np.uint64)  # wraps around, and so is right up to half of the range
    exact = (unsigned - _row_starts(unsigned, starts)).view(np.int64).astype(np.float64)
    rounded = np.stack(raw).astype(np.float64)
    rounded -= _row_starts(rounded, starts)
    return np.where(np.abs(rounded) < WRAPS, exact, rounded)


def _mixed_to_first(raw: Sequence[AnyNumbers], starts: Integers) -> Floats:
    exact = np.stack([array.astype(np.longdouble) for array in raw])  # which holds every whole number of 64 bits
    start = _row_starts(exact, starts)
    difference: Floats = (exact - np.where(np.isfinite(start), start, 0)).astype(np.float64)
    return difference


def _floats_to_first(stacked: Floats, states: States, starts: Integers) -> Floats:
    start = _row_starts(stacked, starts)
    start = np.where(np.isfinite(start), start, 0.0)
    wild = np.flatnonzero(np.abs(start) > WILD)
    if len(wild):  # the digits of the other runs would be lost next to it
        sizes = np.where(states[:, wild] == FINITE, np.abs(stacked[:, wild]), np.inf)
        least = stacked[sizes.argmin(axis=0), wild]
        start[wild] = np.where(np.isfinite(least) & (np.abs(least) < np.abs(start[wild]) / WILD), least, start[wild])
    return np.asarray(stacked - start)


def _decimals_to_first(values: Sequence[pa.Array]) -> Floats:
    """Decimals less the first value of their row, with all of their digits; 0 where a value is missing."""
    wide = [array.cast(pa.decimal256(WIDEST, array.type.scale), safe=False) for array in values]
    start = pc.coalesce(*wide)
    steps = [pc.fill_null(pc.subtract(array, start).cast(pa.float64()), 0.0) for array in wide]
    return np.stack([np.asarray(step.to_numpy(zero_copy_only=False)) for step in steps])


def _raw(array: pa.Array) -> AnyNumbers:
    """The values, of the type that the file stores; 0 for null."""
    if pa.types.is_decimal(array.type):
        array = array.cast(pa.float64())
    if array.null_count:
        if pa.types.is_float16(array.type):
            return np.asarray(np.nan_to_num(array.to_numpy(zero_copy_only=False)))
        array = pc.fill_null(array, pa.scalar(0, array.type))
    return np.asarray(array.to_numpy(zero_copy_only=False))


def _range(values: Floats) -> tuple[Floats, Floats]:
    """The smallest and the largest of each row over the files; NaN is ignored."""
    return np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)


def squared_distances(delta: Floats, files: RunFiles) -> Floats:
    """The sums of squared differences between all files (files x files), from their differences to one value a row.

    Those of each side are computed from that side's first file: where the sides are far apart, they would be lost in
    rounding otherwise.
    """
    sums = _pairwise_squares(delta)
    for side in files.sides:
        if len(side) > 1:
            sums[np.ix_(side, side)] = _pairwise_squares(delta[side] - delta[side[0]])
    return sums


def _pairwise_squares(delta: Floats) -> Floats:
    products = delta @ delta.T
    lengths = np.diag(products)
    sums = np.maximum(lengths[:, None] + lengths[None, :] - 2 * products, 0.0)
    np.fill_diagonal(sums, 0.0)
    return np.asarray(sums)


def _common_sizes(values: Sequence[pa.Array]) -> Integers | None:
    """How many numbers each row has, where its shape is the same in every file and no row is null; otherwise None."""
    if any(array.null_count for array in values):
        return None
    if not all(same_shape(values[0], array).all() for array in values[1:]):
        return None
    return counts(values[0])
