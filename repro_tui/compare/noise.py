"""Noise or drift: an exact permutation test on fresh-process runs, and the rule that says when more runs are wanted.

The unit of the test is one run, never a row. Each output column gives a matrix of distances between all runs of both
sides; the statistic of a column is the energy distance between the sides over the column's mean distance, and the
test's is the largest of all columns, so that many columns raise no false alarm. Source: Székely and Rizzo, energy
statistics (2013).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from repro_tui.compare.database import Database
from repro_tui.compare.nested import leaf_type
from repro_tui.compare.noise_columns import ExactNoise, Files, ListNoise, NoiseColumn, NumberNoise
from repro_tui.compare.own_noise import Bits
from repro_tui.compare.runs import OtherOrderError, SideBySide, Together
from repro_tui.model.predictions import Noise, PredictionsArea
from repro_tui.model.request import Settings
from repro_tui.model.run import Run

STEPS = (2, 5, 10)
SEQUENTIAL_LEVEL, SINGLE_LEVEL = 0.025, 0.05
FEWEST = 5
MOST_SPLITS = 100_000


def is_deterministic(runs: Sequence[Run]) -> bool:
    """Whether all runs of one side wrote the same bytes; at least two are needed to say so."""
    return len(runs) > 1 and len({run.output_sha256 for run in runs}) == 1


def next_repeat(a: Sequence[Run], b: Sequence[Run], area: PredictionsArea, settings: Settings) -> int | None:
    """How many runs a side are wanted next, or None where what there is decides."""
    if settings.repeat is not None or area.verdict != "undecided":
        return None
    done = min(len(a), len(b))
    return next((step for step in STEPS if step > done), None)


@dataclass(frozen=True, slots=True)
class Distances:
    """The 2K x 2K matrices of distances between runs (A's first), one a column, each in units of its own mean.

    For every column that was measured, `largest_within` has the largest |delta| of one row between two runs of one
    side, in the column's own unit (None: no numbers), and `beyond` the rows that moved beyond their own noise.
    """

    matrices: np.ndarray[Any, np.dtype[np.float64]]
    runs: int
    largest_within: dict[str, float | None] = field(default_factory=dict)
    beyond: dict[str, Bits] = field(default_factory=dict)

    @property
    def mean(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The columns' matrices averaged."""
        return np.asarray(self.matrices.mean(axis=0))


@dataclass(frozen=True, slots=True)
class RunColumn:
    """A column that is measured: its name in the files, and the tolerance that its rows may move by all the same."""

    name: str
    exact: bool = False
    atol: float = 0.0
    rtol: float = 0.0

    def of(self, kind: pa.DataType, files: Files) -> NoiseColumn:
        """What measures it, by the type that it has in the first file."""
        if pa.types.is_list(kind) and _is_number(leaf_type(kind)):
            return ListNoise(files, self.atol, self.rtol)
        if _is_number(kind) and not self.exact:
            return NumberNoise(files, self.atol, self.rtol)
        return ExactNoise(files)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def measure(
    a: Sequence[Run],
    b: Sequence[Run],
    key: tuple[str, ...],
    columns: Sequence[RunColumn],
    database: Database,
) -> Distances:
    """The distances between all runs, over these columns, and the rows that moved beyond their own noise.

    Every row of every run is read once, in a stream; runs whose rows stand in another order are sorted by their key
    on disk. Raises Inconclusive where runs have other rows.
    """
    contents = list(dict.fromkeys(run.output_sha256 for run in (*a, *b)))
    paths = {run.output_sha256: Path(run.predictions) for run in reversed((*a, *b))}
    files = Files(*(tuple(contents.index(run.output_sha256) for run in side) for side in (a, b)))
    names = tuple(column.name for column in columns)
    together = SideBySide(tuple(paths[content] for content in contents), key, names, database)
    schema = together.schema()

    def take(parts: Iterator[Together]) -> Distances:
        found = {column.name: column.of(schema.field(column.name).type, files) for column in columns}
        return _taken(found, parts, together.count(), len(a))

    try:
        return take(together.as_written())
    except OtherOrderError:
        return take(together.by_key())


def _taken(found: dict[str, NoiseColumn], parts: Iterator[Together], rows: int, runs: int) -> Distances:
    beyond = {name: Bits(rows) for name in found}
    for part in parts:
        for name, column in found.items():
            beyond[name].add(part.rows[column.take(part.columns[name])])
    matrices = [column.matrix() for column in found.values()]
    moving = [matrix for matrix in matrices if matrix.any()]
    size = next((len(matrix) for matrix in matrices), 2 * runs)
    within = {name: column.largest_within() for name, column in found.items()}
    return Distances(np.stack(moving) if moving else np.zeros((1, size, size)), runs, within, beyond)


def permutation_test(distances: Distances) -> tuple[float, float]:
    """The p-value and the statistic: the share of all splits that set the sides at least as far apart.

    Exact for up to 10 runs a side; of more, 100,000 splits are drawn (with a fixed seed), the true one among them.
    """
    splits = _splits(distances.runs)
    worst = np.max([_energy(matrix, splits, distances.runs) for matrix in distances.matrices], axis=0)
    observed = float(worst[0])
    return float(np.mean(worst >= observed - 1e-12)), observed


def _splits(runs: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Every way to call half of the runs A, the true one first; mirrored ones are left out, for they weigh the same."""
    if comb(2 * runs - 1, runs - 1) > MOST_SPLITS:
        return _drawn(runs)
    rest = list(combinations(range(1, 2 * runs), runs - 1))
    found = np.zeros((len(rest), 2 * runs))
    found[:, 0] = 1.0
    found[np.repeat(np.arange(len(rest)), runs - 1), np.asarray(rest, dtype=np.int64).ravel()] = 1.0
    true = int(np.flatnonzero((found[:, :runs] == 1).all(axis=1))[0])
    found[[0, true]] = found[[true, 0]]
    return found


def _drawn(runs: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Some ways to call half of the runs A, the true one first."""
    true = np.repeat([1.0, 0.0], runs)
    found = np.tile(true, (MOST_SPLITS, 1))
    found[1:] = np.random.default_rng(runs).permuted(found[1:], axis=1)
    return found


def _energy(
    matrix: np.ndarray[Any, np.dtype[np.float64]], splits: np.ndarray[Any, np.dtype[np.float64]], runs: int
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """2 E|A-B| - E|A-A'| - E|B-B'| for every split."""
    other = 1.0 - splits
    to_a, to_b = splits @ matrix, other @ matrix
    across = (to_a * other).sum(axis=1)
    within_a, within_b = (to_a * splits).sum(axis=1), (to_b * other).sum(axis=1)
    return np.asarray((2 * across - within_a - within_b) / runs**2)


def judge(distances: Distances, deterministic: tuple[bool, bool], fixed: bool) -> tuple[str, Noise]:
    """The verdict of outputs that are over their tolerance (drift, within-noise or undecided), and the numbers."""
    runs = distances.runs
    mean = distances.mean
    across = float(mean[:runs, runs:].mean())
    upper = float(max(mean[:runs, :runs].max(), mean[runs:, runs:].max()))
    level = SINGLE_LEVEL if fixed else SEQUENTIAL_LEVEL
    if runs < FEWEST:
        p = statistic = None
        verdict = "undecided"
    else:
        p, statistic = permutation_test(distances)
        verdict = "drift" if p <= level else "within-noise" if across <= upper else "undecided"
    noise = Noise(runs, *deterministic, p, level, statistic, across, upper, _sentence(verdict, runs, p, level))
    return verdict, noise


def judge_recorded(distances: Distances, runs: int, deterministic: bool) -> tuple[str, Noise]:
    """The same for one recorded table (A) against the runs of the rebuilt side.

    One table cannot be permuted against runs with any power, so it is within the noise where it is no farther from the
    runs, on average, than the two runs that are farthest apart.
    """
    mean = distances.mean
    across, upper = float(mean[0, 1:].mean()), float(mean[1:, 1:].max())
    if runs < FEWEST:
        verdict, told = "undecided", f"the outputs change from run to run, and {runs} runs are too few to tell why"
    elif across <= upper:
        verdict, told = (
            "within-noise",
            f"what was recorded is no farther from {runs} runs than they are from each other",
        )
    else:
        verdict, told = "drift", f"what was recorded is farther from {runs} runs than they are from each other"
    return verdict, Noise(runs, None, deterministic, None, None, None, across, upper, told)


def _sentence(verdict: str, runs: int, p: float | None, level: float) -> str:
    if p is None:
        return f"the outputs change from run to run, and {runs} runs a side are too few to tell noise from drift"
    told = f"{runs} runs a side, permutation test p = {p:.3g} against {level:g}"
    if verdict == "drift":
        return f"the sides differ by more than the runs of one side do ({told})"
    if verdict == "within-noise":
        return f"the sides differ no more than the runs of one side do ({told})"
    return f"the test does not tell noise from drift ({told}), and the distance across is above that within"
