"""Noise or drift: what repeated runs in fresh processes show about outputs that are over their tolerance.

The unit is one run, never a row: the rows of a run are not independent of each other. Every run of both sides is
measured, column by column (`columns`), and the measurements are judged (`exchange`):

- `drift` where the permutation test is significant: p at most 0.025 where the rule may look twice (after 5 and after 10
  runs a side), 0.05 where the number of runs was fixed;
- `within-noise` where p is far from that (above 0.3 after 5 runs, otherwise above 0.1) and the sides are equivalent;
- `undecided` otherwise, and always with fewer than 5 runs a side.

Columns: drift of the whole is reported for the columns that show it by themselves, and at least for the one that the
test over all columns rests on; any other verdict holds for every column.

A recorded table is one run that cannot be repeated, and has a rule of its own: `judge_recorded`.

Cost: one pass over all rows of all files, and one test over all columns; on drift one more test per column.
Example: 5 runs a side with p = 1/126 = 0.008 are drift; with p = 0.4 and a distance across of at most 1.3 times that
within they are within the noise; with p = 0.2 the rule asks for 10 runs.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from repro_tui.compare.columns.nested import leaf_type
from repro_tui.compare.noise.arrays import Floats, Mask
from repro_tui.compare.noise.columns import ExactNoise, NoiseColumn, RunFiles
from repro_tui.compare.noise.documents import DocumentNoise
from repro_tui.compare.noise.exchange import (
    MARGIN,
    Evidence,
    equivalence,
    exchange,
)
from repro_tui.compare.noise.numbers import ListNoise, NumberNoise, is_number
from repro_tui.compare.noise.row_marks import RowSet
from repro_tui.compare.noise.row_selection import RowSelection
from repro_tui.compare.noise.runs import AllRuns, RowOrderError, RunBatch
from repro_tui.compare.noise.sentences import explanation
from repro_tui.compare.noise.text import TextNoise
from repro_tui.compare.rows.database import Database
from repro_tui.model.predictions import Noise, PredictionsArea, Verdict
from repro_tui.model.request import Settings
from repro_tui.model.run import Run

STEPS = (2, 5, 10)
RUNS_FOR_DRIFT = 3  # runs a side before a difference that never changes is called drift: outputs may have two modes
FEWEST = 5  # runs a side from which on the test can be significant
SEQUENTIAL_LEVEL, SINGLE_LEVEL = 0.025, 0.05
NOT_SIGNIFICANT = 0.1  # the p above which nothing hints at drift …
NOT_SIGNIFICANT_AFTER = {5: 0.3}  # … where the rule may look again after more runs
MORE_RUNS = "run again with --repeat 10"
LEAVE_OUT = "leave out columns that are different in every run (--ignore predictions.NAME)"
FAR = 3.0  # a recorded table is drift where it is this many times as far as the farthest run is from the others


def is_deterministic(runs: Sequence[Run]) -> bool:
    """Whether all runs of one side wrote the same bytes; at least two are needed to say so."""
    return len(runs) > 1 and wrote_same_bytes(runs)


def wrote_same_bytes(runs: Sequence[Run]) -> bool:
    """Whether no run of a side wrote other bytes than another; true of a single run."""
    return len({run.output_sha256 for run in runs}) <= 1


def next_repeat(
    a: Sequence[Run], b: Sequence[Run], area: PredictionsArea, settings: Settings, *, recorded: bool = False
) -> int | None:
    """How many runs a side the rule needs next; None where the runs so far decide, or no more would help.

    `recorded`: A is one recorded table, which is not run.
    """
    if settings.repeat is not None or area.verdict != "undecided":
        return None
    done = len(b) if recorded else min(len(a), len(b))
    no_variation = (recorded or wrote_same_bytes(a)) and wrote_same_bytes(b)
    steps = (2, RUNS_FOR_DRIFT) if done < RUNS_FOR_DRIFT and no_variation else STEPS
    return next((step for step in steps if step > done), None)


@dataclass(frozen=True, slots=True)
class RunDistances:
    """What was measured of all runs of both sides.

    `evidence` is that of each column. For every column, `largest_step` has the largest |difference| of one row between
    two runs of one side, in the column's own unit (None: it has no numbers), `exceeding` the rows that exceed their own
    noise, and `over_tolerance` whether a run differs from A's first by more than the tolerance.
    """

    evidence: tuple[Evidence, ...]
    runs_a: int
    runs_b: int
    largest_step: dict[str, float | None] = field(default_factory=dict)
    exceeding: dict[str, RowSet] = field(default_factory=dict)
    over_tolerance: dict[str, bool] = field(default_factory=dict)

    def for_columns(self, names: Collection[str]) -> RunDistances:
        """The same with the evidence of these columns alone."""
        return replace(self, evidence=tuple(part for part in self.evidence if part.column in names))

    def rows_exceeding_noise(self) -> dict[str, RowSet]:
        """The rows that exceed their own noise, by column; without columns such as ids, in which every row always
        would."""
        uninformative = {part.column for part in self.evidence if part.is_uninformative}
        return {name: rows for name, rows in self.exceeding.items() if name not in uninformative}

    @property
    def mean(self) -> Floats:
        """The distances between runs by value, each column's in units of its own mean, averaged over the columns."""
        moving = [part.by_value for part in self.evidence if part.by_value.any() and not part.test_only]
        runs = self.runs_a + self.runs_b
        return np.asarray(
            np.mean([matrix / matrix.mean() for matrix in moving], axis=0) if moving else np.zeros((runs, runs))
        )


@dataclass(frozen=True, slots=True)
class RunColumn:
    """A column to measure: its name in the files, its kind, and the tolerance that its rows may move by."""

    name: str
    kind: str = "value"
    atol: float = 0.0
    rtol: float = 0.0

    def measurement(self, data_type: pa.DataType, files: RunFiles, selection: RowSelection) -> NoiseColumn:
        """What measures the column, by its type in the first file."""
        if pa.types.is_list(data_type) and is_number(leaf_type(data_type)):
            return ListNoise(files, self.atol, self.rtol, selection)
        if is_number(data_type) and self.kind != "label":
            return NumberNoise(files, self.atol, self.rtol, selection)
        if self.kind == "json" and _is_text(data_type):
            return DocumentNoise(files, self.rtol, selection)
        if _is_text(data_type):
            return TextNoise(files, selection)
        return ExactNoise(files)


def _is_text(data_type: pa.DataType) -> bool:
    return bool(pa.types.is_string(data_type) or pa.types.is_large_string(data_type))


def measure(
    a: Sequence[Run],
    b: Sequence[Run],
    key: tuple[str, ...],
    columns: Sequence[RunColumn],
    database: Database,
) -> RunDistances:
    """Measures how far the runs of both sides differ in these columns, and which rows exceed their own noise.

    Every row of every run is read once, in a stream; runs whose rows are in another order are sorted by `key` on disk
    first. Raises Inconclusive where the runs do not have the same rows or columns.
    """
    contents = list(dict.fromkeys(run.output_sha256 for run in (*a, *b)))
    paths = {run.output_sha256: Path(run.predictions) for run in reversed((*a, *b))}
    files = RunFiles(*(tuple(contents.index(run.output_sha256) for run in side) for side in (a, b)))
    names = tuple(column.name for column in columns)
    runs = AllRuns(tuple(paths[content] for content in contents), key, names, database)
    schema, row_count = runs.schema(), runs.row_count()
    selection = RowSelection(row_count, len(files.runs), len(columns))

    def measured(batches: Iterator[RunBatch]) -> RunDistances:
        measurements = {
            column.name: column.measurement(schema.field(column.name).type, files, selection) for column in columns
        }
        exceeding = {name: RowSet(row_count) for name in measurements}
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for batch in batches:
                selected = selection.mask(batch.rows)

                def add(name: str, batch: RunBatch = batch, selected: Mask = selected) -> Mask:
                    return measurements[name].add_batch(batch.columns[name], selected)

                for name, rows in zip(measurements, pool.map(add, measurements), strict=True):
                    exceeding[name].add(batch.rows[rows])
        return RunDistances(
            tuple(replace(part, column=name) for name, m in measurements.items() for part in m.evidence(name)),
            len(a),
            len(b),
            {name: measurement.largest_step() for name, measurement in measurements.items()},
            exceeding,
            {name: measurement.differences.over_tolerance for name, measurement in measurements.items()},
        )

    try:
        return measured(runs.in_file_order())
    except RowOrderError:
        return measured(runs.in_key_order())


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on outputs that are over their tolerance (drift, within-noise or undecided) and the numbers behind
    it; the column that it rests on most ("": none), and what to do where it is undecided."""

    verdict: Verdict
    noise: Noise
    column: str = ""
    remedy: str = ""


def judge(measured: RunDistances, deterministic: tuple[bool, bool], *, fixed: bool) -> Judgement:
    """Judges two sides that were both run.

    `deterministic` says of each side whether its runs wrote the same bytes, `fixed` whether the user fixed the number
    of runs, so that the test is made once.
    """
    runs = min(measured.runs_a, measured.runs_b)
    level = SINGLE_LEVEL if fixed else SEQUENTIAL_LEVEL
    across, largest_within = _distances(measured.mean, measured.runs_a)
    noise = Noise(runs, *deterministic, None, level, None, across, largest_within)
    if runs < FEWEST:
        sentence = f"the outputs change from run to run, and {runs} runs a side are too few to tell noise from drift"
        return Judgement("undecided", replace(noise, sentence=sentence), remedy=MORE_RUNS)
    test = exchange(measured.evidence, measured.runs_a, measured.runs_b)
    claim = equivalence(measured.evidence, measured.runs_a, measured.runs_b)
    not_significant = NOT_SIGNIFICANT if fixed else NOT_SIGNIFICANT_AFTER.get(runs, NOT_SIGNIFICANT)
    verdict: Verdict = "undecided"
    if test.p <= level:
        verdict = "drift"
    elif claim.is_shown and test.p > not_significant:
        verdict = "within-noise"
    basis = f"{runs} runs a side, permutation test p = {test.p:.3g}"
    noise = replace(
        noise,
        p=test.p,
        statistic=test.statistic,
        ratio=claim.ratio,
        ratio_upper=claim.upper,
        sentence=explanation(verdict, measured.mean, measured.runs_a, test, claim, basis),
    )
    return Judgement(verdict, noise, test.column, LEAVE_OUT if claim.uninformative else _run_more_often(runs))


def judge_columns(
    measured: RunDistances, whole: Judgement, deterministic: tuple[bool, bool], *, fixed: bool, recorded: bool
) -> dict[str, Verdict]:
    """The verdict of each column in which a run is over its tolerance, given the judgement of the whole.

    Drift is reported for the columns that show it by themselves, or else for the one that the judgement of the whole
    rests on. Any other verdict of the whole holds for every column.
    """
    over = [name for name, is_over in measured.over_tolerance.items() if is_over]
    if whole.verdict != "drift" or len(over) < 2:
        return dict.fromkeys(over, whole.verdict)
    verdicts: dict[str, Verdict] = {}
    for name in over:
        alone = measured.for_columns({name})
        if recorded:
            verdicts[name] = judge_recorded(alone, deterministic[1]).verdict
        else:
            verdicts[name] = judge(alone, deterministic, fixed=fixed).verdict
    if "drift" not in verdicts.values():
        verdicts[whole.column if whole.column in over else over[0]] = "drift"
    return verdicts


def judge_recorded(measured: RunDistances, deterministic: bool) -> Judgement:
    """Judges one recorded table (A) against the runs of the rebuilt side (B).

    One table cannot be permuted against runs with any power. Its mean distance to the runs is compared with that of the
    farthest run to the others, by value, by rank and by word. It is within the noise where it is no farther on average
    over the columns, and in no column more than 1.5 times as far; it is drift where it is more than three times as far,
    on average or in one column (with more columns the limit is higher: one may be far by chance).
    """
    runs = measured.runs_b
    means, single = [], []
    for view in zip(*(part.matrices for part in measured.evidence if not part.test_only), strict=True):
        moving = [matrix for matrix in view if matrix is not None and matrix.any()]
        single += [_from_runs(matrix) for matrix in moving]
        if moving:
            means.append(_from_runs(np.mean([matrix / matrix.mean() for matrix in moving], axis=0)))
    distance, farthest = means[0] if means else (0.0, 0.0)
    noise = Noise(runs, None, deterministic, None, None, None, distance, farthest)
    if runs < FEWEST:
        sentence = f"the outputs change from run to run, and {runs} runs are too few to tell noise from drift"
        return Judgement("undecided", replace(noise, sentence=sentence), remedy=MORE_RUNS)
    verdict: Verdict
    uninformative = not means or any(part.is_uninformative for part in measured.evidence)
    limit = FAR * (1.0 + np.log2(max(1, len(measured.evidence))))
    if any(far > FAR * own for far, own in means) or any(far > limit * own for far, own in single):
        verdict, sentence = "drift", f"the recorded table is far outside the spread of {runs} runs"
    elif uninformative:
        verdict, sentence = (
            "undecided",
            f"the recorded table differs from {runs} runs as much as they differ from each other, as ids would",
        )
    elif all(far <= own for far, own in means) and all(far <= MARGIN * own for far, own in single):
        verdict, sentence = "within-noise", f"the recorded table lies within the spread of {runs} runs"
    else:
        verdict, sentence = (
            "undecided",
            f"the recorded table is slightly outside the spread of {runs} runs, too little to call it drift",
        )
    remedy = LEAVE_OUT if uninformative else _run_more_often(runs)
    return Judgement(verdict, replace(noise, sentence=sentence), _farthest_column(measured), remedy)


def _run_more_often(runs: int) -> str:
    return f"run again with --repeat {min(100, max(20, 2 * runs))}, or make the predict step deterministic"


def _from_runs(matrix: Floats) -> tuple[float, float]:
    """The mean distance of the recorded table (the first) to the runs, and that of the farthest run to the others."""
    return float(matrix[0, 1:].mean()), _farthest(matrix[1:, 1:])


def _farthest(matrix: Floats) -> float:
    """The mean distance to the others of the run that is farthest from them."""
    return float((matrix.sum(axis=1) / max(1, len(matrix) - 1)).max())


def _farthest_column(measured: RunDistances) -> str:
    """The column in which the recorded table is farthest from the runs, in units of the farthest run's own distance."""
    ratios = []
    for part in measured.evidence:
        for matrix in part.matrices:
            if not part.test_only and matrix is not None and matrix.any():
                far, own = _from_runs(matrix)
                ratios.append((far / own if own else np.inf, part.column))
    return max(ratios, key=lambda ratio: ratio[0], default=(0.0, ""))[1]


def _distances(mean: Floats, runs_a: int) -> tuple[float, float]:
    """The mean distance across the sides, and the largest distance within one of them."""
    return float(mean[:runs_a, runs_a:].mean()), float(max(mean[:runs_a, :runs_a].max(), mean[runs_a:, runs_a:].max()))
