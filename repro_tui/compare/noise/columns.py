"""One output column over all runs: how far apart the runs are, and which rows exceed their own noise.

The idea: noise is what a side's own runs do. For every column this measures (1) a matrix of distances between all runs,
which `exchange` tests, and (2) row by row, whether the two sides differ by more than their own runs do. Over the runs
of A the values of a row span a range, and so do those of B. The row is *within its own noise* where the two ranges
meet, or leave a gap within the tolerance; it *exceeds* its noise where they do not.

Invariants: a file that several runs wrote byte for byte alike is measured once (`RunFiles`). Rows come in batches, in
any order, and only sums are kept, so memory does not grow with the rows (beyond the rows selected for `exchange`).
Which side a run is on affects which rows exceed their noise, but never a distance.

Cost: a batch takes time in proportion to rows · files² for the distances.

By chance alone, the ranges of K runs a side of the same deployment keep apart in 2 of the (2K over K) ways to deal the
runs: in 1 row of 126 for five runs a side (`row_marks.rows_per_false_alarm`).

Example, tolerance 0.01: A's runs gave 1.0 and 1.2. B's runs 1.1 and 1.5 meet that range: within the row's noise. B's
runs 1.205 and 1.5 leave a gap of 0.005, within the tolerance. B's runs 1.4 and 1.5 leave a gap of 0.2: the row exceeds
it.

This file has what all columns share, and columns without an order; `numbers` has numbers and lists of them, `text`
text, and `documents` JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from repro_tui.compare.columns.nested import single
from repro_tui.compare.noise.arrays import Floats, Integers, Mask
from repro_tui.compare.noise.exchange import Evidence, off_diagonal


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The number of the file that each run wrote; runs that wrote the same bytes share a file."""

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

    @property
    def first_runs(self) -> tuple[int, int]:
        """The files of both first runs, which were compared cell by cell."""
        return self.a[0], self.b[0]


@dataclass(slots=True)
class RunDifferences:
    """Sums over all rows so far, for one column.

    `squares` are, for each pair of files, the sums of squared differences (without an order: the numbers of rows that
    differ), over `values` values each; `infinite` marks pairs of files that are infinitely far apart. `largest_step` is
    the largest difference of one row between two runs of one side, in the column's unit; `over_tolerance` says whether
    a run differs from A's first by more than the tolerance.
    """

    files: RunFiles
    squares: Floats = field(init=False)
    infinite: Mask = field(init=False)
    values: int = 0
    largest_step: float = 0.0
    over_tolerance: bool = False

    def __post_init__(self) -> None:
        count = self.files.count
        self.squares, self.infinite = np.zeros((count, count)), np.zeros((count, count), dtype=np.bool_)

    def add(self, squares: Floats) -> None:
        """Adds the sums of some rows (files x files); a sum that overflows is an infinite distance."""
        self.infinite |= ~np.isfinite(squares)
        self.squares += np.where(np.isfinite(squares), squares, 0.0)

    def matrix(self) -> Floats:
        """The distances between all runs (A's first), in units of their own mean.

        An infinite distance counts as twice the largest finite one.
        """
        distances = np.sqrt(self.squares / max(1, self.values))
        finite = distances[~self.infinite]
        distances = np.where(self.infinite, 2 * max(0.25, finite.max(initial=0.0)), distances)
        runs = self.files.runs
        distances = distances[np.ix_(runs, runs)]
        mean = distances.sum() / max(1, len(runs) * (len(runs) - 1))
        return np.asarray(distances / mean) if mean else distances


class NoiseColumn(Protocol):
    """One column under measurement."""

    differences: RunDifferences

    def add_batch(self, values: Sequence[pa.Array], selected: Mask) -> Mask:
        """Adds one batch of rows, an array for each file; returns which of the rows exceed their own noise.

        The rows under the mask `selected` are kept for the statistics of single rows.
        """
        ...

    def evidence(self, name: str) -> tuple[Evidence, ...]:
        """What was measured, under the column's name; of documents, for each of their paths."""
        ...

    def largest_step(self) -> float | None:
        """The largest |difference| of one row between two runs of one side; None where the column has no numbers."""
        ...


class ExactNoise:
    """Labels and other values without an order.

    The distance of two runs is the square root of the share of rows that differ. A row exceeds its own noise where no
    run of A gave what a run of B gave.
    """

    def __init__(self, files: RunFiles) -> None:
        self.differences = RunDifferences(files)
        self._selected: list[npt.NDArray[np.int32]] = []

    def add_batch(self, values: Sequence[pa.Array], selected: Mask) -> Mask:
        """See NoiseColumn."""
        codes = value_codes(values)
        self._selected.append(codes[:, selected].astype(np.int32))
        return self.count_differences(codes)

    def count_differences(self, codes: Integers) -> Mask:
        """Counts the rows that differ between files, by the codes of their values (files x rows); returns which of the
        rows exceed their own noise."""
        self.differences.values += codes.shape[1]
        rows = np.flatnonzero((codes != codes[0]).any(axis=0))
        exceeding = np.zeros(codes.shape[1], dtype=np.bool_)
        if len(rows):
            self.differences.over_tolerance = True
            codes = codes[:, rows]
            for i, j in combinations(range(len(codes)), 2):
                self.differences.squares[[i, j], [j, i]] += np.count_nonzero(codes[i] != codes[j])
            exceeding[rows] = ~self._share_a_value(codes)
        return exceeding

    def _share_a_value(self, codes: Integers) -> Mask:
        """The rows in which a run of A and a run of B gave the same value."""
        a, b = self.differences.files.sides
        return np.asarray(np.logical_or.reduce([(codes[a] == codes[file]).any(axis=0) for file in b]))

    def evidence(self, name: str) -> tuple[Evidence, ...]:
        """See NoiseColumn."""
        runs = self.differences.files.runs
        labels = np.concatenate(self._selected, axis=1)[runs] if self._selected else None
        shares = off_diagonal(self.differences.squares) / max(1, self.differences.values)
        least = float(shares.min(initial=1.0))
        return (Evidence(name, self.differences.matrix(), row_labels=labels, least_changed=least),)

    def largest_step(self) -> float | None:
        """See NoiseColumn."""
        return None


def value_codes(values: Sequence[pa.Array]) -> Integers:
    """Each value as a number that stands for it (files x rows): equal values have equal codes; null is -1."""
    if any(array.type != values[0].type for array in values) or pa.types.is_nested(values[0].type):
        values = [
            pa.array([None if v is None else canonical_text(v) for v in array.to_pylist()], pa.string())
            for array in values
        ]
    whole = single(pa.concat_arrays(list(values)))
    if pa.types.is_float64(whole.type) or pa.types.is_float32(whole.type):
        whole = pc.add(whole, pa.scalar(0, whole.type))  # -0.0 becomes 0.0
    indices = pc.fill_null(whole.dictionary_encode().indices, -1)
    return np.asarray(indices.to_numpy(), dtype=np.int64).reshape(len(values), -1)


def canonical_text(value: object) -> str:
    """A value of any type as text, so that equal values have one text: 1 and 1.0 are both written 1."""
    if isinstance(value, list):
        return f"[{', '.join(map(canonical_text, value))}]"
    return repr(int(value)) if isinstance(value, float) and value.is_integer() else repr(value)
