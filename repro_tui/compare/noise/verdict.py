"""Noise or drift: what repeated runs in fresh processes say of outputs that are over their tolerance.

The unit is one run, never a row. Every run of both sides is measured, column by column; `exchange` decides.
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
from repro_tui.compare.noise.chosen_rows import Chosen
from repro_tui.compare.noise.columns import ExactNoise, ListNoise, NoiseColumn, NumberNoise, RunFiles, is_number
from repro_tui.compare.noise.documents import DocumentNoise
from repro_tui.compare.noise.exchange import (
    MARGIN,
    SCATTER,
    Equivalence,
    Evidence,
    ExchangeTest,
    Floats,
    equivalence,
    exchange,
    within,
)
from repro_tui.compare.noise.own import Bits
from repro_tui.compare.noise.runs import AllRuns, OtherOrderError, Together
from repro_tui.compare.noise.text import TextNoise
from repro_tui.compare.rows.database import Database
from repro_tui.model.predictions import Noise, PredictionsArea
from repro_tui.model.request import Settings
from repro_tui.model.run import Run
from repro_tui.support.text import show

STEPS = (2, 5, 10)
STILL = 3  # runs a side before what never changes from run to run is called drift: it may have two modes
FEWEST = 5
SEQUENTIAL_LEVEL, SINGLE_LEVEL = 0.025, 0.05
CLEARLY_NOT = {5: 0.3}  # the p above which nothing hints at drift; from 10 runs on, and at one look, the other
NOT = 0.1
FAR = 3.0  # times the farthest run's own distance, beyond which a recorded table is drift
GROUPS_APART = 3.0


def is_deterministic(runs: Sequence[Run]) -> bool:
    """Whether all runs of one side wrote the same bytes; at least two are needed to say so."""
    return len(runs) > 1 and is_still(runs)


def next_repeat(
    a: Sequence[Run], b: Sequence[Run], area: PredictionsArea, settings: Settings, *, recorded: bool = False
) -> int | None:
    """How many runs a side are wanted next, or None where what there is decides. `recorded`: A is one table, and is not
    run."""
    if settings.repeat is not None or area.verdict != "undecided":
        return None
    done = len(b) if recorded else min(len(a), len(b))
    steps = (2, STILL) if done < STILL and (recorded or is_still(a)) and is_still(b) else STEPS
    return next((step for step in steps if step > done), None)


def is_still(runs: Sequence[Run]) -> bool:
    """Whether no run of a side wrote other bytes than another."""
    return len({run.output_sha256 for run in runs}) <= 1


@dataclass(frozen=True, slots=True)
class RunDistances:
    """What was measured of all runs of both sides.

    `found` is the evidence of each column. For every column, `largest_within` has the largest |delta| of one row
    between two runs of one side, in the column's own unit (None: no numbers), and `beyond` the rows that moved beyond
    their own noise; `over` says whether a run differs from A's first by more than the tolerance.
    """

    found: tuple[Evidence, ...]
    runs_a: int
    runs_b: int
    largest_within: dict[str, float | None] = field(default_factory=dict)
    beyond: dict[str, Bits] = field(default_factory=dict)
    over: dict[str, bool] = field(default_factory=dict)

    def of(self, names: Collection[str]) -> RunDistances:
        """What was measured of these columns alone."""
        return replace(self, found=tuple(one for one in self.found if one.column in names))

    def rows_beyond(self) -> dict[str, Bits]:
        """The rows that moved beyond their own noise, of the columns that have some: of ids every row would, always."""
        blind = {one.column for one in self.found if one.blind}
        return {name: rows for name, rows in self.beyond.items() if name not in blind}

    @property
    def mean(self) -> Floats:
        """The columns' distances between runs by their values, each in units of its own mean, averaged."""
        moving = [one.values for one in self.found if one.values.any() and not one.only_tested]
        runs = self.runs_a + self.runs_b
        return np.asarray(
            np.mean([matrix / matrix.mean() for matrix in moving], axis=0) if moving else np.zeros((runs, runs))
        )


@dataclass(frozen=True, slots=True)
class RunColumn:
    """A column that is measured: its name in the files, and the tolerance that its rows may move by all the same."""

    name: str
    kind: str = "value"
    atol: float = 0.0
    rtol: float = 0.0

    def of(self, kind: pa.DataType, files: RunFiles, chosen: Chosen) -> NoiseColumn:
        """What measures it, by the type that it has in the first file."""
        if pa.types.is_list(kind) and is_number(leaf_type(kind)):
            return ListNoise(files, self.atol, self.rtol, chosen)
        if is_number(kind) and self.kind != "label":
            return NumberNoise(files, self.atol, self.rtol, chosen)
        if self.kind == "json" and _is_text(kind):
            return DocumentNoise(files, self.rtol, chosen)
        if _is_text(kind):
            return TextNoise(files, chosen)
        return ExactNoise(files)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def measure(
    a: Sequence[Run],
    b: Sequence[Run],
    key: tuple[str, ...],
    columns: Sequence[RunColumn],
    database: Database,
) -> RunDistances:
    """What tells drift from noise, over these columns, and the rows that moved beyond their own noise.

    Every row of every run is read once, in a stream; runs whose rows stand in another order are sorted by their key
    on disk. Raises Inconclusive where runs have other rows.
    """
    contents = list(dict.fromkeys(run.output_sha256 for run in (*a, *b)))
    paths = {run.output_sha256: Path(run.predictions) for run in reversed((*a, *b))}
    files = RunFiles(*(tuple(contents.index(run.output_sha256) for run in side) for side in (a, b)))
    names = tuple(column.name for column in columns)
    together = AllRuns(tuple(paths[content] for content in contents), key, names, database)
    schema = together.schema()

    chosen = Chosen(together.count(), len(files.runs), len(columns))

    def take(parts: Iterator[Together]) -> RunDistances:
        found = {column.name: column.of(schema.field(column.name).type, files, chosen) for column in columns}
        beyond = {name: Bits(together.count()) for name in found}
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for part in parts:
                mask = chosen.among(part.rows)
                moved = pool.map(lambda name, part=part, mask=mask: found[name].take(part.columns[name], mask), found)
                for name, rows in zip(found, moved, strict=True):
                    beyond[name].add(part.rows[rows])
        evidence = tuple(replace(one, column=name) for name, column in found.items() for one in column.evidence(name))
        within = {name: column.largest_within() for name, column in found.items()}
        over = {name: column.apart.over for name, column in found.items()}
        return RunDistances(evidence, len(a), len(b), within, beyond, over)

    try:
        return take(together.as_written())
    except OtherOrderError:
        return take(together.by_key())


def judge(measured: RunDistances, deterministic: tuple[bool, bool], fixed: bool) -> tuple[str, Noise]:
    """The verdict of outputs that are over their tolerance (drift, within-noise or undecided), and the numbers."""
    runs = min(measured.runs_a, measured.runs_b)
    level = SINGLE_LEVEL if fixed else SEQUENTIAL_LEVEL
    across, upper = _distances(measured.mean, measured.runs_a)
    noise = Noise(runs, *deterministic, None, level, None, across, upper)
    if runs < FEWEST:
        few = f"the outputs change from run to run, and {runs} runs a side are too few to tell noise from drift"
        return "undecided", replace(noise, sentence=few)
    test = exchange(measured.found, measured.runs_a, measured.runs_b)
    claim = equivalence(measured.found, measured.runs_a, measured.runs_b)
    enough = NOT if fixed else CLEARLY_NOT.get(runs, NOT)
    verdict = "drift" if test.p <= level else "within-noise" if claim.shown and test.p > enough else "undecided"
    told = _sentence(verdict, measured, test, claim, f"{runs} runs a side, permutation test p = {test.p:.3g}")
    return verdict, replace(
        noise, p=test.p, statistic=test.statistic, ratio=claim.ratio, ratio_upper=claim.upper, sentence=told
    )


def judge_columns(
    measured: RunDistances, verdict: str, deterministic: tuple[bool, bool], fixed: bool, recorded: bool
) -> dict[str, str]:
    """The verdict of each column of which a run is over its tolerance, where the whole has this one.

    What is said of all holds of each, but for drift: that is said of the columns that show it by themselves, and of the
    one that shows it most.
    """
    over = [name for name, moved in measured.over.items() if moved]
    if verdict != "drift" or len(over) < 2:
        return dict.fromkeys(over, verdict)
    found = {}
    for name in over:
        alone = measured.of({name})
        if recorded:
            found[name] = judge_recorded(alone, measured.runs_b, deterministic[1])[0]
        else:
            found[name] = judge(alone, deterministic, fixed)[0]
    if "drift" not in found.values():
        found[_most(measured, over)] = "drift"
    return found


def _most(measured: RunDistances, names: Sequence[str]) -> str:
    """The column that the test over all rests on; of one recorded table the one that is farthest from the runs."""
    told = exchange(measured.found, measured.runs_a, measured.runs_b).column
    column = next((one.column for one in measured.found if one.name == told), "")
    return column if column in names else names[0]


def judge_recorded(measured: RunDistances, runs: int, deterministic: bool) -> tuple[str, Noise]:
    """The same for one recorded table (A) against the runs of the rebuilt side.

    One table cannot be permuted against runs with any power. It is within the noise where it is no farther from the
    runs, on average, than the run that is farthest from the others, and no column is more than 1.5 times as far; drift
    where it is three times as far, on average or in one column (of more columns, farther: one may be far by chance).
    By the values, by the ranks and by the words.
    """
    far, own, each = 0.0, 0.0, []
    shares = []
    for view in zip(*(one.views for one in measured.found if not one.only_tested), strict=True):
        moving = [matrix for matrix in view if matrix is not None and matrix.any()]
        each += [_from_runs(matrix) for matrix in moving]
        if moving:
            shares.append(_from_runs(np.mean([matrix / matrix.mean() for matrix in moving], axis=0)))
    if shares:
        far, own = shares[0]
    noise = Noise(runs, None, deterministic, None, None, None, far, own)
    if runs < FEWEST:
        few = f"the outputs change from run to run, and {runs} runs are too few to tell noise from drift"
        return "undecided", replace(noise, sentence=few)
    blind = [evidence.name for evidence in measured.found if evidence.blind]
    limit = FAR * (1.0 + np.log2(max(1, len(measured.found))))
    if any(one > FAR * other for one, other in shares) or any(one > limit * other for one, other in each):
        verdict, words = "drift", "is far outside the spread of {} runs"
    elif blind or not shares:
        verdict, words = (
            "undecided",
            "differs from {} runs as they differ from each other, as ids would: leave such columns out",
        )
    elif all(one <= other for one, other in shares) and all(one <= MARGIN * other for one, other in each):
        verdict, words = "within-noise", "lies within the spread of {} runs"
    else:
        verdict, words = "undecided", "is somewhat outside the spread of {} runs, too little to call drift"
    return verdict, replace(noise, sentence="what was recorded " + words.format(runs))


def _from_runs(matrix: Floats) -> tuple[float, float]:
    """The mean distance of what was recorded (the first) to the runs, and that of the run farthest from the others."""
    return float(matrix[0, 1:].mean()), _farthest(matrix[1:, 1:])


def _farthest(matrix: Floats) -> float:
    """The mean distance to the others of the run that is farthest from them."""
    return float((matrix.sum(axis=1) / max(1, len(matrix) - 1)).max())


def _distances(mean: Floats, runs_a: int) -> tuple[float, float]:
    """The mean distance across the sides, and the largest within one."""
    return float(mean[:runs_a, runs_a:].mean()), float(max(mean[:runs_a, :runs_a].max(), mean[runs_a:, runs_a:].max()))


def _sentence(verdict: str, measured: RunDistances, test: ExchangeTest, claim: Equivalence, told: str) -> str:
    if verdict == "within-noise":
        words = (
            f"the sides are about as close as the runs of one side are ({told}; "
            f"the distance between sides is at most {claim.upper:.2f} times that within, with 95 % confidence)"
        )
    elif verdict == "drift":
        words = f"{_seen(measured, test)} ({told})"
    elif claim.blind:
        words = (
            f"in {', '.join(show(name, 80) for name in claim.blind[:3])} any two runs differ equally, as ids would "
            f"({told}): this cannot tell noise from drift, so leave it out (--ignore predictions.NAME)"
        )
    elif claim.scatter > SCATTER:
        wide, other = _wider(measured)
        words = f"{wide}'s runs scatter far more than {other}'s: some runs of {wide} may be wrong ({told})"
    elif claim.shown:
        words = f"the test hints at drift but does not show it ({told})"
    else:
        far = (
            "" if not np.isfinite(claim.upper) else f": up to {claim.upper:.1f} times as far apart as runs of one side"
        )
        words = f"the test shows neither drift nor that the sides are equivalent ({told}){far}"
    groups = two_groups(measured.mean, measured.runs_a)
    return f"{words}; runs fall into two groups: {groups}" if groups else words


def _wider(measured: RunDistances) -> tuple[str, str]:
    of_a, of_b = within(measured.mean, measured.runs_a)
    return ("A", "B") if of_a > of_b else ("B", "A")


def _seen(measured: RunDistances, test: ExchangeTest) -> str:
    """What differs: the sides, or how far their runs scatter."""
    matrix = test.matrix
    if matrix is None:
        return "single rows of the two sides are farther apart than the runs of one side"
    across = float(matrix[: measured.runs_a, measured.runs_a :].mean())
    of_a, of_b = within(matrix, measured.runs_a)
    if across <= max(of_a, of_b):
        wide, (more, less) = ("A", (of_a, of_b)) if of_a > of_b else ("B", (of_b, of_a))
        other = "B" if wide == "A" else "A"
        times = f"{more / less:.1f} times as far as" if less else "while"
        return f"{wide}'s runs scatter {times} {other}'s" + ("" if less else " do not")
    return "the sides differ by more than the runs of one side do"


def two_groups(matrix: Floats, runs_a: int) -> str:
    """The runs in two groups, where each run is far nearer to every run of its own than to any of the other."""
    runs = len(matrix)
    if runs < 2 * FEWEST:
        return ""
    far = np.unravel_index(int(matrix.argmax()), matrix.shape)
    first = matrix[far[0]] < matrix[far[1]]
    if min(first.sum(), (~first).sum()) < 2:
        return ""
    inside = max(float(matrix[np.ix_(group, group)].max()) for group in (np.flatnonzero(first), np.flatnonzero(~first)))
    apart = float(matrix[np.ix_(first, ~first)].min())
    sides = np.arange(runs) < runs_a
    if apart < GROUPS_APART * inside or (first == sides).all() or (first != sides).all():
        return ""
    groups = sorted(([*np.flatnonzero(group)] for group in (first, ~first)), key=min)
    return " | ".join(_named(group, runs_a) for group in groups)


def _named(group: Sequence[int], runs_a: int) -> str:
    a = [str(run + 1) for run in group if run < runs_a]
    b = [str(run - runs_a + 1) for run in group if run >= runs_a]
    return ", ".join(f"{side}'s {', '.join(runs)}" for side, runs in (("A", a), ("B", b)) if runs)
