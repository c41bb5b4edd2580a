"""Noise or drift: an exact permutation test on fresh-process runs, and the rule that says when more runs are wanted.

The unit is one run, never a row. Each output column gives a matrix of distances between all runs of both sides; the
statistic of a column is the energy distance between the sides over the column's mean distance, and the test's is the
largest of all columns, so that many columns raise no false alarm. Source: Székely and Rizzo, energy statistics (2013).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from repro_tui.compare.nested import leaves
from repro_tui.model.errors import Inconclusive
from repro_tui.model.predictions import Noise, PredictionsArea
from repro_tui.model.request import Settings
from repro_tui.model.run import Run

STEPS = (2, 5, 10)
SEQUENTIAL_LEVEL, SINGLE_LEVEL = 0.025, 0.05
FEWEST = 5
MOST_ROWS = 200_000


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

    `largest_within` has, for every column asked for, the largest |delta| of one row between two runs of one side, in
    the column's own unit (None: no numbers, or not finite).
    """

    matrices: np.ndarray[Any, np.dtype[np.float64]]
    runs: int
    largest_within: tuple[float | None, ...] = ()

    @property
    def mean(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The columns' matrices averaged."""
        return np.asarray(self.matrices.mean(axis=0))


def measure(a: Sequence[Run], b: Sequence[Run], key: tuple[str, ...], columns: Sequence[str]) -> Distances:
    """The distances between all runs, over these columns. Raises Inconclusive where runs have other rows."""
    tables = [_load(Path(run.predictions), key, columns) for run in (*a, *b)]
    names = {table[0] for table in tables}
    if len(names) > 1:
        raise Inconclusive(
            "the runs of one deployment do not write the same rows", "see why the predict step leaves rows out at times"
        )
    by_column = [[table[1][number] for table in tables] for number in range(len(columns))]
    matrices = [_matrix(values) for values in by_column]
    within = tuple(_largest_within(values, len(a)) for values in by_column)
    moving = [matrix for matrix in matrices if matrix.any()]
    return Distances(np.stack(moving) if moving else np.zeros((1, len(tables), len(tables))), len(a), within)


def _load(path: Path, key: tuple[str, ...], columns: Sequence[str]) -> tuple[str, list[Any]]:
    """A digest of a run's rows, and its columns as arrays in the order of the key."""
    import hashlib

    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=[*key, *columns])
    digest = str(table.num_rows)
    if key:
        table = table.sort_by([(name, "ascending") for name in key])
        texts = "\n".join(str(row) for name in key for row in table.column(name).to_pylist())
        digest = hashlib.sha256(texts.encode("utf-8", "surrogatepass")).hexdigest()
    if table.num_rows > MOST_ROWS:  # evenly spaced rows: the test is about runs, and needs no more
        table = table.take(np.linspace(0, table.num_rows - 1, MOST_ROWS).astype(np.int64))
    return digest, [_array(table.column(name)) for name in columns]


def _array(column: Any) -> np.ndarray[Any, Any]:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_list(kind):
        numbers = [leaves(chunk).to_numpy(zero_copy_only=False) for chunk in column.chunks]
        return np.asarray(np.concatenate(numbers) if numbers else [], dtype=np.float64)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
    return np.asarray([str(value) for value in column.to_pylist()], dtype=object)


def _largest_within(runs: list[np.ndarray[Any, Any]], of_a: int) -> float | None:
    if runs[0].dtype == object or len({len(values) for values in runs}) > 1:
        return None
    spans = []
    for side in (runs[:of_a], runs[of_a:]):
        stacked = np.stack(side)
        with np.errstate(all="ignore"):
            span = stacked.max(axis=0) - stacked.min(axis=0)
        spans.append(float(span[np.isfinite(span)].max(initial=0.0)))
    return max(spans)


def _matrix(runs: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Distances between runs of one column: the share of rows that differ, or the root mean square of differences."""
    found = np.zeros((len(runs), len(runs)))
    for i, j in combinations(range(len(runs)), 2):
        found[i, j] = found[j, i] = _distance(runs[i], runs[j])
    finite = found[np.isfinite(found)]
    found = np.where(np.isfinite(found), found, 2 * finite.max(initial=0.5))
    mean = found.sum() / max(1, len(runs) * (len(runs) - 1))
    return found / mean if mean else found


def _distance(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    if len(a) != len(b):
        return float("inf")
    if not len(a):
        return 0.0
    if a.dtype == object:
        return float(np.mean(a != b))
    with np.errstate(all="ignore"):
        delta = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, b - a)
        return float(np.sqrt(np.mean(np.square(delta)))) if np.isfinite(delta).all() else float("inf")


def permutation_test(distances: Distances) -> tuple[float, float]:
    """The exact p-value and the statistic: the share of all splits that set the sides at least as far apart."""
    splits = _splits(distances.runs)
    worst = np.max([_energy(matrix, splits, distances.runs) for matrix in distances.matrices], axis=0)
    observed = float(worst[0])
    return float(np.mean(worst >= observed - 1e-12)), observed


def _splits(runs: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Every way to call half of the runs A, the true one first; mirrored ones are left out, for they weigh the same."""
    rest = list(combinations(range(1, 2 * runs), runs - 1))
    found = np.zeros((len(rest), 2 * runs))
    found[:, 0] = 1.0
    found[np.repeat(np.arange(len(rest)), runs - 1), np.asarray(rest, dtype=np.int64).ravel()] = 1.0
    true = int(np.flatnonzero((found[:, :runs] == 1).all(axis=1))[0])
    found[[0, true]] = found[[true, 0]]
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
