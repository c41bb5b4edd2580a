"""Noise or drift: known answers of the permutation test, and how often it is wrong on simulated deployments."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from repro_tui.compare.columns.statistics import interval, kolmogorov_smirnov, wasserstein
from repro_tui.compare.noise.columns import ExactNoise, RunFiles
from repro_tui.compare.noise.documents import DocumentNoise
from repro_tui.compare.noise.exchange import Evidence
from repro_tui.compare.noise.numbers import ListNoise, NumberNoise
from repro_tui.compare.noise.row_marks import RowSet
from repro_tui.compare.noise.row_selection import RowSelection
from repro_tui.compare.noise.sentences import two_groups
from repro_tui.compare.noise.text import TextNoise
from repro_tui.compare.noise.verdict import (
    Judgement,
    RunColumn,
    RunDistances,
    is_deterministic,
    judge,
    judge_columns,
    judge_recorded,
    next_repeat,
    wrote_same_bytes,
)
from repro_tui.model.predictions import Noise, PredictionsArea, Verdict
from repro_tui.model.request import Settings
from repro_tui.report.outcome import own_noise
from tests.compare.test_predictions import compare_in, run_of

Floats = np.ndarray[Any, np.dtype[np.float64]]


def drawn(draw_column: Callable[[Any, int], Any], runs: int = 5, seed: int = 1) -> list[list[pa.Table]]:
    """The runs of both sides: `draw_column` draws the values of one run from a generator, for the side 0 or 1."""
    generator = np.random.default_rng(seed)
    return [
        [pa.table({"id": np.arange(len(c)), "v": c}) for c in (draw_column(generator, side) for _ in range(runs))]
        for side in (0, 1)
    ]


def garbage(draw: Any, side: int) -> pa.Array:
    return pa.array([" ".join(draw.choice([f"{'wx'[side]}{n}" for n in range(300)], 20)) for _ in range(50)])


def one_null(draw: Any, side: int) -> pa.Array:
    values = draw.normal(size=200) + 1_000 * side
    return pa.array(values, mask=np.arange(200) == draw.integers(200))


def one_wild_row(draw: Any, side: int) -> pa.Array:
    return pa.array(draw.normal(size=200) * np.r_[1e5, np.ones(199)] + 100 * side)


def a_year_off(draw: Any, side: int) -> pa.Array:
    seconds = draw.normal(0, 30, 50) + 1.7e9 + side * 365 * 86_400
    return pa.array((seconds * 1e6).astype("int64"), pa.timestamp("us"))


COLUMNS = [garbage, one_null, one_wild_row, a_year_off]


@pytest.mark.parametrize("draw_column", COLUMNS, ids=lambda draw_column: draw_column.__name__)
def test_what_differs_far_beyond_its_noise_is_drift(draw_column: Any, tmp_path: Path) -> None:
    """Each was once called within the noise, because a part of it moves more from run to run than the sides differ."""
    a, b = drawn(draw_column)
    area = compare_in(tmp_path)(a, b, key=("id",))
    assert area.verdict == "drift", area.noise
    assert area.noise.p is not None
    assert area.noise.p <= 0.025


@pytest.mark.parametrize("draw_column", COLUMNS, ids=lambda draw_column: draw_column.__name__)
def test_the_same_against_itself_is_no_drift(draw_column: Any, tmp_path: Path) -> None:
    a, b = drawn(lambda draw, side: draw_column(draw, 0), seed=5)
    assert compare_in(tmp_path)(a, b, key=("id",)).verdict in ("within-noise", "undecided")


def test_ids_that_are_new_in_every_run_are_never_called_within_noise(tmp_path: Path) -> None:
    a, b = drawn(lambda draw, side: pa.array([f"{draw.integers(2**60):x}" for _ in range(20)]))
    area = compare_in(tmp_path)(a, b, key=("id",))
    assert area.verdict == "undecided"
    assert "in v, any two runs differ by the same amount" in area.what


def test_runs_that_scatter_more_without_a_shift_are_reported_as_such(tmp_path: Path) -> None:
    a, b = drawn(lambda draw, side: draw.normal(size=200) * (3.0 if side else 1.0), runs=10)
    area = compare_in(tmp_path)(a, b, key=("id",))
    assert area.verdict == "drift"
    assert area.noise.sentence.startswith("B's runs scatter 3.0 times as far as A's")


def test_runs_in_two_groups_are_reported(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    modes = [[0, 30, 30, 0, 30], [30, 0, 0, 30, 30]]
    sides = [[pa.table({"v": draw.normal(size=100) + mode}) for mode in side] for side in modes]
    area = compare_in(tmp_path)(*sides)
    assert area.verdict != "drift"
    assert "the runs fall into two groups: A (1, 4), B (2, 3) and A (2, 3, 5), B (1, 4, 5)" in area.noise.sentence


def test_few_runs_are_undecided_and_not_called_equal(tmp_path: Path) -> None:
    a, b = drawn(one_null, runs=4)
    area = compare_in(tmp_path)(a, b, key=("id",))
    assert area.verdict == "undecided"
    assert "too few to tell noise from drift" in area.noise.sentence


def test_the_sequential_rule(tmp_path: Path) -> None:
    runs = [run_of(tmp_path, pa.table({"v": [float(n)]})) for n in range(10)]
    undecided = PredictionsArea("unknown", "undecided")
    assert next_repeat(runs[:2], runs[:2], undecided, Settings()) == 5
    assert next_repeat(runs[:5], runs[:5], undecided, Settings()) == 10
    assert next_repeat(runs, runs, undecided, Settings()) is None
    assert (
        next_repeat(runs[:1] * 2, runs[1:2] * 2, undecided, Settings()) == 3
    )  # neither side varies: a third run decides
    assert next_repeat(runs[:1] * 3, runs[1:2] * 3, undecided, Settings()) == 5
    assert next_repeat(runs[:2], runs[:2], PredictionsArea("different", "drift"), Settings()) is None
    assert next_repeat(runs[:2], runs[:2], undecided, Settings(repeat=2)) is None


def test_one_noisy_side_goes_on_to_more_runs(tmp_path: Path) -> None:
    constant = pa.table({"v": [1.0, 2.0]})
    noisy = [pa.table({"v": [1.0 + n / 10, 2.0]}) for n in (1, 2)]
    area = compare_in(tmp_path)([constant, constant], noisy)
    assert (area.verdict, area.noise.deterministic_a, area.noise.deterministic_b) == ("undecided", True, False)


def test_a_shift_of_one_noisy_column_among_eight_is_found(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)

    def run(shift: float) -> pa.Table:
        noise = generator.normal(size=8)
        return pa.table({f"v{n}": np.arange(20.0) + noise[n] + (shift if n == 3 else 0.0) for n in range(8)})

    compare = compare_in(tmp_path)
    same = compare([run(0) for _ in range(5)], [run(0) for _ in range(5)])
    moved = compare([run(0) for _ in range(10)], [run(9) for _ in range(10)])
    assert same.verdict in ("within-noise", "undecided")
    assert moved.verdict == "drift"
    assert moved.noise.p is not None
    assert moved.noise.p <= 0.025


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (1, 10), (5, 100), (99, 100), (400, 400)])
def test_intervals_are_those_of_scipy(hits: int, trials: int) -> None:
    expected = stats.binomtest(hits, trials).proportion_ci(0.95, method="wilson" if hits else "exact")
    assert interval(hits, trials) == pytest.approx((expected.low, expected.high))


def test_distribution_measures_are_those_of_scipy() -> None:
    generator = np.random.default_rng(5)
    a, b = generator.normal(size=500), generator.normal(0.3, 1.2, size=500)
    assert kolmogorov_smirnov(a, b) == pytest.approx(stats.ks_2samp(a, b).statistic)
    assert wasserstein(a, b) == pytest.approx(stats.wasserstein_distance(a, b))


def test_the_noise_of_a_column_is_the_largest_step_of_a_row_between_runs_of_one_side(tmp_path: Path) -> None:
    """Rows come in any order; a text column has no such step, and the distance between the sides does not count."""
    generator = np.random.default_rng(5)

    def run(values: list[float]) -> pa.Table:
        order = generator.permutation(3)
        ids, names = np.asarray(["x", "y", "z"])[order], np.asarray(["p", "q", "r"])[order]
        return pa.table({"id": ids, "score": np.asarray(values)[order], "name": names})

    a = [run([1.0, 2.0, 3.0]), run([1.0, 2.25, 3.0])]
    b = [run([9.0, 2.0, 3.0]), run([9.0, 2.0, 3.125])]
    area = compare_in(tmp_path)(a, b, key=("id",))
    columns = {column.name: column for column in area.columns}
    assert columns["score"].noise_abs == 0.25
    assert columns["name"].noise_abs is None
    assert (columns["score"].atol, columns["score"].rtol) == (1e-7, 1e-7)
    assert (columns["name"].atol, columns["name"].rtol) == (0.0, 0.0)


def test_runs_of_the_same_bytes_have_no_noise(tmp_path: Path) -> None:
    same = pa.table({"id": ["x", "y"], "score": [1.0, 2.0], "name": ["p", "q"]})
    shifted = pa.table({"id": ["x", "y"], "score": [1.5, 2.0], "name": ["p", "q"]})
    columns = {column.name: column for column in compare_in(tmp_path)(same, shifted, key=("id",)).columns}
    assert columns["score"].noise_abs == 0.0
    assert columns["name"].noise_abs is None


def test_rows_within_their_own_noise_are_distinguished_from_rows_that_moved(tmp_path: Path) -> None:
    """Ten rows are noisy and do not shift; of the rows that do not vary, one number and one label moved."""
    generator = np.random.default_rng(8)
    ids = [f"r{number:02}" for number in range(40)]

    def run(moved: float, label: str) -> pa.Table:
        score = np.arange(40.0)
        score[:10] += generator.normal(0, 0.1, 10)
        score[20] += moved
        labels = ["yes"] * 39 + [label]
        labels[0] = str(generator.choice(["yes", "no"]))
        order = generator.permutation(40)
        table = pa.table({"id": ids, "score": score, "label": labels})
        return table.take(order)

    a = [run(0.0, "yes") for _ in range(5)]
    b = [run(5.0, "no") for _ in range(5)]
    area = compare_in(tmp_path)(a, b, key=("id",))
    columns = {column.name: column for column in area.columns}
    assert area.verdict == "drift"
    assert area.noise.by_chance == 126
    assert columns["score"].different == 11
    assert columns["score"].beyond_noise == 1
    assert columns["label"].beyond_noise == 1
    cells = pq.read_table(tmp_path / "differences.parquet").to_pylist()
    exceeding = {(cell["key"], cell["column"]) for cell in cells if cell["noise"] == "beyond"}
    assert exceeding == {('["r20"]', "score"), ('["r39"]', "label")}
    assert {cell["noise"] for cell in cells if cell["key"] == '["r03"]'} == {"within"}
    summary = " ".join(own_noise(area))
    assert "1 of 11 in score" in summary
    assert "1 row in 126" in summary


def test_one_unit_of_a_large_whole_number_is_a_distance(tmp_path: Path) -> None:
    """As floats, both sides would be the same, and the noise of another column would explain the difference."""
    generator = np.random.default_rng(4)

    def run(count: int) -> pa.Table:
        return pa.table({"n": pa.array([count], pa.int64()), "x": generator.normal(size=1)})

    area = compare_in(tmp_path)([run(2**53) for _ in range(5)], [run(2**53 + 1) for _ in range(5)])
    assert area.verdict == "drift"
    assert {column.name: column.beyond_noise for column in area.columns}["n"] == 1


def test_nulls_and_lists_have_noise_of_their_own(tmp_path: Path) -> None:
    generator = np.random.default_rng(6)

    def run(first: float | None, shift: float) -> pa.Table:
        lists = [list(generator.normal(0, 0.01, 8) + number * shift) for number in range(3)]
        return pa.table({"v": pa.array([first, float(generator.normal()), None]), "e": lists})

    area = compare_in(tmp_path)([run(None, 0.0) for _ in range(5)], [run(1.0, 1.0) for _ in range(5)])
    assert {column.name: column.beyond_noise for column in area.columns} == {"v": 1, "e": 2}


def test_noise_is_measured_in_bounded_memory(tmp_path: Path) -> None:
    """Ten runs of 400,000 rows, shuffled: within 600 MiB of a process of its own."""
    code = (
        "import sys, numpy as np, pyarrow as pa, pyarrow.parquet as pq\n"
        "from pathlib import Path\n"
        "from repro_tui.compare.rows.database import Database\n"
        "from repro_tui.compare.noise.verdict import RunColumn, measure\n"
        "from repro_tui.model.run import Run\n"
        "folder, rng = Path(sys.argv[1]), np.random.default_rng(1)\n"
        "runs = []\n"
        "for n in range(10):\n"
        "    ids = rng.permutation(400_000)\n"
        "    path = folder / f'{n}.parquet'\n"
        "    table = pa.table({'id': ids, 'x': ids + rng.normal(size=len(ids))})\n"
        "    pq.write_table(table, path, row_group_size=131_072)\n"
        "    runs.append(Run(n, 'succeeded', 0.1, 0, str(path), str(n)))\n"
        "database = Database(folder / 'scratch', 600 << 20)\n"
        "measured = measure(runs[:5], runs[5:], ('id',), [RunColumn('x')], database)\n"
        "status = dict(line.split(':', 1) for line in open('/proc/self/status'))\n"
        "print(measured.exceeding['x'].count, int(status['VmHWM'].split()[0]) >> 10)\n"  # ru_maxrss is the parent's
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    exceeding, peak = (int(number) for number in done.stdout.split())
    assert 2_900 < exceeding < 3_450  # 1 in 126 by chance
    assert peak < 600


# -- on distances that are made by hand -----------------------------------------------------------------------------


def gaps(values: Sequence[float]) -> Floats:
    """Distances between runs that are one number each."""
    return np.asarray(np.abs(np.subtract.outer(np.asarray(values, dtype=np.float64), values)))


def across(a: Floats, b: Floats, distance: float) -> Floats:
    """Distances of two sides whose runs are everywhere that far apart from each other."""
    between = np.full((len(a), len(b)), distance)
    return np.asarray(np.block([[a, between], [between.T, b]]))


def equally(runs: int, distance: float = 1.0) -> Floats:
    """Distances of runs any two of which are equally far apart."""
    return np.asarray(distance * (1.0 - np.eye(runs)))


def run_distances(*matrices: Floats, runs_a: int = 5, **fields: Any) -> RunDistances:
    """Columns c0, c1, … with these distances by value."""
    evidence = tuple(Evidence(f"c{n}", matrix, column=f"c{n}") for n, matrix in enumerate(matrices))
    return RunDistances(evidence, runs_a, len(matrices[0]) - runs_a, **fields)


def of_columns(values: dict[str, Any], runs_a: int) -> RunDistances:
    """Runs that are one number each in every column, A's first."""
    parts = [Evidence(name, gaps(runs), column=name) for name, runs in values.items()]
    runs_b = len(next(iter(values.values()))) - runs_a
    return RunDistances(tuple(parts), runs_a, runs_b, over_tolerance=dict.fromkeys(values, True))


def cloud(seed: int, runs: int, shift: float = 0.0) -> Floats:
    """Distances of runs of 50 independent values, B's shifted."""
    values = np.random.default_rng(seed).normal(size=(2 * runs, 50))
    values[runs:] += shift
    return np.sqrt(np.square(values[:, None] - values[None]).sum(axis=2))


ZEROS, ONES = [0, 0, 0, 0, 1], [1, 1, 1, 1, 1]


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    ("values", "splits", "fixed", "sequential"),
    [
        ([*ZEROS, 1, 1, 9, 9, 9], 3, "drift", "drift"),
        ([*ZEROS, 1, 1, 1, 9, 9], 4, "drift", "undecided"),
        ([*ZEROS, *ONES], 6, "drift", "undecided"),
        ([0, 0, 0, 1, 1, *ONES], 21, "undecided", "undecided"),
    ],
)
def test_one_look_may_call_drift_what_several_may_not(
    values: list[int], splits: int, fixed: str, sequential: str, swapped: bool
) -> None:
    """All zeros are on one side; which of the ones complete that side makes no difference: so many splits of 126."""
    measured = run_distances(gaps(values[::-1] if swapped else values))
    for is_fixed, verdict, level in ((True, fixed, 0.05), (False, sequential, 0.025)):
        judgement = judge(measured, (False, True), fixed=is_fixed)
        noise = judgement.noise
        assert (judgement.verdict, noise.level) == (verdict, level)
        assert noise.p == pytest.approx(splits / 126)
        assert (noise.runs, noise.deterministic_a, noise.deterministic_b) == (5, False, True)


@pytest.mark.parametrize(("seed", "runs", "sequential"), [(8, 5, "undecided"), (14, 10, "within-noise")])
def test_a_hint_of_drift_bars_the_claim_of_noise_while_there_may_be_more_runs(
    seed: int, runs: int, sequential: str
) -> None:
    measured = run_distances(cloud(seed, runs), runs_a=runs)
    first, only = (judge(measured, (False, False), fixed=is_fixed) for is_fixed in (False, True))
    assert first.noise.p is not None
    assert 0.1 < first.noise.p < 0.3
    assert (first.verdict, only.verdict) == (sequential, "within-noise")
    start = "the test hints at drift" if runs == 5 else "the sides are about as close as the runs of one side are"
    assert first.noise.sentence.startswith(start)


@pytest.mark.parametrize(("within_a", "within_b"), [(1.0, 2.0), (2.0, 1.0)])
def test_distances_are_reported_in_units_of_their_mean(within_a: float, within_b: float) -> None:
    """The mean of all 100 pairs is (20 * 1 + 20 * 2 + 50 * 3) / 100."""
    matrix = across(equally(5, within_a), equally(5, within_b), 3.0)
    noise = judge(run_distances(matrix), (False, False), fixed=False).noise
    assert (noise.distance_across, noise.upper_within) == pytest.approx((3 / 2.1, 2 / 2.1))
    assert noise.ratio == pytest.approx(3 / 1.5)


@pytest.mark.parametrize(("runs_a", "runs_b"), [(4, 4), (4, 6), (6, 4), (1, 9)])
def test_the_side_of_fewer_runs_determines_whether_they_are_too_few(runs_a: int, runs_b: int) -> None:
    matrix = across(equally(runs_a), equally(runs_b), 9.0)
    judgement = judge(run_distances(matrix, runs_a=runs_a), (False, False), fixed=False)
    fewer, noise = min(runs_a, runs_b), judgement.noise
    assert (judgement.verdict, noise.runs, noise.p) == ("undecided", fewer, None)
    assert noise.sentence.endswith(f"{fewer} runs a side are too few to tell noise from drift")


def test_the_distance_of_several_columns_is_the_mean_of_each_in_its_own_unit() -> None:
    """The means of the two are 12/9 and 6/9; a constant column and evidence that is only tested have no part in it."""
    constant = Evidence("constant", np.zeros((3, 3)))
    columns = [Evidence("x", gaps([0, 1, 3])), Evidence("y", 1_000 * equally(3)), constant]
    tested = Evidence("tested", gaps([0, 50, 0]), test_only=True)
    assert RunDistances((*columns, tested), 1, 2).mean == pytest.approx(
        np.asarray([[0, 1.125, 1.875], [1.125, 0, 1.5], [1.875, 1.5, 0]])
    )
    assert (RunDistances((constant, tested), 1, 2).mean == np.zeros((3, 3))).all()


@pytest.mark.parametrize(
    ("matrix", "verdict", "start"),
    [
        (gaps([0, 1, 2, 3, 4, 0.5, 1.5, 2.5, 3.5, 900]), "undecided", "B's runs scatter far more than A's: some"),
        (gaps([0.5, 1.5, 2.5, 3.5, 900, 0, 1, 2, 3, 4]), "undecided", "A's runs scatter far more than B's: some"),
        (across(equally(5, 1.5), equally(5, 0), 1), "drift", "A's runs scatter while B's do not"),
        (across(equally(5, 0.3), equally(5, 1.5), 1), "drift", "B's runs scatter 5.0 times as far as A's"),
        (across(equally(5), equally(5), 1.5), "drift", "the sides differ by more than the runs of one side do"),
        (gaps([0, 1, 2, 3, 9, 1, 4, 6, 7, 8]), "undecided", "the test shows neither drift nor that the sides are"),
    ],
)
def test_the_sentence_states_what_was_measured(matrix: Floats, verdict: str, start: str) -> None:
    judgement = judge(run_distances(matrix), (False, False), fixed=False)
    noise = judgement.noise
    assert judgement.verdict == verdict
    assert noise.sentence.startswith(start), noise.sentence
    bound = f": the sides are up to {noise.ratio_upper:.1f} times as far apart as the runs of one side"
    assert noise.sentence.endswith(bound) == start.startswith("the test shows neither")


def test_drift_of_single_rows_is_reported_as_such() -> None:
    """Of 3,000 rows one moved, which the distance between runs does not show."""
    values = np.random.default_rng(5).normal(size=(20, 3_000))
    values[10:, 7] += 30.0
    measured = RunDistances((Evidence("v", equally(20), row_values=values),), 10, 10)
    judgement = judge(measured, (False, False), fixed=False)
    assert judgement.verdict == "drift"
    assert judgement.noise.sentence.startswith(
        "single rows of the two sides are farther apart than the runs of one side"
    )


GROUPS = [0, 0, 1, 1, 0, 1, 1, 1, 0, 0]  # of each run, A's first


@pytest.mark.parametrize(
    ("groups", "description"),
    [
        (GROUPS, "A (1, 2, 5), B (4, 5) and A (3, 4), B (1, 2, 3)"),
        ([1 - group for group in GROUPS], "A (1, 2, 5), B (4, 5) and A (3, 4), B (1, 2, 3)"),
        ([0, 0, 1, 1, 1, 1, 1, 1, 1, 1], "A (1, 2) and A (3, 4, 5), B (1, 2, 3, 4, 5)"),
        ([0, 0, 0, 0, 0, 0, 0, 0, 1, 1], "A (1, 2, 3, 4, 5), B (1, 2, 3) and B (4, 5)"),
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 1], ""),  # a single run that is off is not a group
        ([1, 0, 0, 0, 0, 0, 0, 0, 0, 0], ""),
        ([0, 0, 0, 0, 0, 1, 1, 1, 1, 1], ""),  # the groups are the sides
        ([1, 1, 1, 1, 1, 0, 0, 0, 0, 0], ""),
    ],
)
def test_two_groups_have_at_least_two_runs_each_that_stay_together(groups: list[int], description: str) -> None:
    group = np.asarray(groups)
    matrix = np.where(np.equal.outer(group, group), equally(10), 3.0)
    assert two_groups(matrix, 5) == description
    i, j = np.flatnonzero(group)[-1], np.flatnonzero(group == 0)[-1]
    nearer = matrix.copy()
    nearer[i, j] = nearer[j, i] = 2.9  # two runs, less than three times as far apart
    assert two_groups(nearer, 5) == ""
    assert two_groups(matrix[1:, 1:], 4) == ""  # with nine runs, no groups are reported


def test_the_number_of_runs_needed_next_for_a_recorded_table_and_for_two_sides(tmp_path: Path) -> None:
    runs = [run_of(tmp_path, pa.table({"v": [float(n)]})) for n in range(10)]
    constant, table = runs[:1] * 10, runs[9:]
    undecided = PredictionsArea("unknown", "undecided")
    for b, needed in (
        (constant[:1], 2),
        (constant[:2], 3),
        (constant[:3], 5),
        (runs[:1], 2),
        (runs[:2], 5),
        (runs[:5], 10),
        (runs, None),
    ):
        assert next_repeat(table, b, undecided, Settings(), recorded=True) == needed
    assert next_repeat(runs[:5], constant, undecided, Settings()) == 10  # the side of fewer runs counts
    assert next_repeat(constant, runs[:5], undecided, Settings()) == 10
    assert next_repeat(constant[:2], runs[:2], undecided, Settings()) == 5
    assert next_repeat(runs[:2], constant[:2], undecided, Settings()) == 5
    sides = [], constant, runs[:1], runs[:2]
    assert [wrote_same_bytes(side) for side in sides] == [True, True, True, False]
    assert [is_deterministic(side) for side in sides] == [False, True, False, False]


def recorded(*columns: tuple[float, Floats]) -> list[Floats]:
    """By column, the distances of a recorded table that is so far from each of the runs, with the runs' own ones."""
    return [across(np.zeros((1, 1)), own, far) for far, own in columns]


def one_off(distance: float, rest: float = 0.0) -> Floats:
    """Five runs. The last is the farthest: so far from the others, which are `rest` from each other."""
    return across(equally(4, rest), np.zeros((1, 1)), distance)


@pytest.mark.parametrize(
    ("columns", "verdict"),
    [
        ([(2.0, one_off(2.0))], "within-noise"),  # as far as the farthest run, and no farther
        ([(2.1, one_off(2.0))], "undecided"),
        ([(9.0, one_off(3.0, 2.5))], "undecided"),  # three times as far, and no farther
        ([(9.1, one_off(3.0, 2.5))], "drift"),
        ([(1.4, one_off(1.0)), (0.1, one_off(1.0))], "within-noise"),  # one column is farther, though not on average
        ([(1.6, one_off(1.0)), (0.1, one_off(1.0))], "undecided"),
        ([(5.5, one_off(1.0)), (0.1, one_off(1.0))], "undecided"),  # with two columns, six times as far is drift
        ([(6.5, one_off(1.0)), (0.1, one_off(1.0))], "drift"),
        ([(6.5, one_off(1.0)), (0.1, one_off(1.0)), (0.1, one_off(1.0)), (0.1, one_off(1.0))], "undecided"),
        ([(9.5, one_off(1.0)), (0.1, one_off(1.0)), (0.1, one_off(1.0)), (0.1, one_off(1.0))], "drift"),
        ([(1.0, equally(5))], "undecided"),  # as far as any two runs are: ids
        ([(9.0, equally(5))], "drift"),
        ([(0.0, np.zeros((5, 5)))], "undecided"),
    ],
)
def test_a_recorded_table_is_judged_by_the_run_that_is_farthest(
    columns: list[tuple[float, Floats]], verdict: str
) -> None:
    judgement = judge_recorded(run_distances(*recorded(*columns), runs_a=1), deterministic=False)
    noise = judgement.noise
    assert judgement.verdict == verdict, noise.sentence
    assert (noise.runs, noise.deterministic_a, noise.deterministic_b) == (5, None, False)


def test_a_recorded_table_is_reported_with_its_distance_and_that_of_the_farthest_run() -> None:
    """The means over all 36 pairs are (2 * 5 * 3 + 2 * 4) / 36 and (2 * 5 * 1 + 2 * 4 * 2) / 36."""
    matrices = recorded((3.0, one_off(1.0)), (1.0, one_off(2.0)))
    noise = judge_recorded(run_distances(*matrices, runs_a=1), deterministic=True).noise
    first, second = 36 / 38, 36 / 26
    assert noise.distance_across == pytest.approx((3 * first + 1 * second) / 2)
    assert noise.upper_within == pytest.approx((1 * first + 2 * second) / 2)
    assert (noise.runs, noise.deterministic_b) == (5, True)
    four_runs = run_distances(*(np.delete(np.delete(matrix, 1, 0), 1, 1) for matrix in matrices), runs_a=1)
    few = judge_recorded(four_runs, deterministic=True)
    assert (few.verdict, "4 runs are too few" in few.noise.sentence) == ("undecided", True)


@pytest.mark.parametrize("view", ["by_rank", "by_word"])
def test_a_recorded_table_has_to_be_near_in_every_view(view: str) -> None:
    (near,), (far,) = recorded((0.5, one_off(1.0))), recorded((4.0, one_off(1.0)))
    for matrix, verdict in ((near, "within-noise"), (far, "drift")):
        fields: dict[str, Any] = {view: matrix}
        judgement = judge_recorded(RunDistances((Evidence("v", near, **fields),), 1, 5), deterministic=False)
        assert judgement.verdict == verdict
        assert judgement.noise.distance_across == pytest.approx(0.5 * 36 / 13)  # by value: the mean is (5 + 8) / 36
    tested = Evidence("v", far, test_only=True)
    judgement = judge_recorded(RunDistances((Evidence("v", near), tested), 1, 5), deterministic=False)
    assert judgement.verdict == "within-noise"


OVER = {"c0": True, "c1": True, "c2": False}


def column_verdicts(measured: RunDistances, verdict: Verdict) -> dict[str, Verdict]:
    """The verdicts of the columns where the whole has this verdict and rests on the column that its test rests on."""
    whole = replace(judge(measured, (False, False), fixed=False), verdict=verdict)
    return judge_columns(measured, whole, (False, False), fixed=False, recorded=False)


def test_of_several_columns_those_that_show_drift_by_themselves_are_drift() -> None:
    moved, noisy = cloud(1, 5, 3.0), cloud(2, 5)
    both = run_distances(moved, noisy, moved, over_tolerance=OVER)
    assert column_verdicts(both, "drift") == {"c0": "drift", "c1": "within-noise"}
    assert column_verdicts(both, "undecided") == {"c0": "undecided", "c1": "undecided"}
    alone = run_distances(moved, noisy, over_tolerance={"c1": True})  # drift was found in what is over its tolerance
    assert column_verdicts(alone, "drift") == {"c1": "drift"}


def test_where_no_column_shows_drift_by_itself_the_one_that_shows_it_most_is_drift() -> None:
    same, hint = gaps([*range(5)] * 2), gaps([*ZEROS, *ONES])
    for columns, most in (((same, hint), "c1"), ((hint, same), "c0")):
        verdicts = column_verdicts(run_distances(*columns, over_tolerance=OVER), "drift")
        assert [name for name, verdict in verdicts.items() if verdict == "drift"] == [most]
    within = run_distances(same, same, hint, over_tolerance=OVER)  # c2, which shows it most, is within its tolerance
    assert column_verdicts(within, "drift")["c0"] == "drift"


def test_the_columns_of_a_recorded_table_are_judged_as_the_table_is() -> None:
    """Permuted, one table against five runs is drift in no column: p is 1/6 at the least."""
    far, near = recorded((9.0, one_off(1.0)), (0.5, one_off(1.0)))
    measured = run_distances(far, near, runs_a=1, over_tolerance=OVER)
    whole = judge_recorded(measured, deterministic=False)
    assert whole.verdict == "drift"
    verdicts = judge_columns(measured, whole, (False, False), fixed=False, recorded=True)
    assert verdicts == {"c0": "drift", "c1": "within-noise"}


def test_drift_that_no_column_shows_alone_is_reported_for_the_column_that_it_rests_on() -> None:
    drift = Judgement("drift", Noise(10), "y")
    generator = np.random.default_rng(1)
    measured = of_columns({name: generator.normal(size=20) for name in "xyz"}, 10)
    verdicts = judge_columns(measured, drift, (False, False), fixed=False, recorded=False)
    assert [name for name, verdict in verdicts.items() if verdict == "drift"] == ["y"]


def test_drift_of_a_recorded_table_rests_on_its_farthest_column() -> None:
    spread = [0.0, 1.0, 2.0, 3.0, 4.0]
    measured = of_columns({"near": [2.0, *spread], "far": [90.0, *spread], "same": [4.0, *spread]}, 1)
    whole = judge_recorded(measured, deterministic=False)
    assert (whole.verdict, whole.column) == ("drift", "far")
    verdicts = judge_columns(measured, whole, (True, False), fixed=False, recorded=True)
    assert verdicts == {"near": "within-noise", "far": "drift", "same": "within-noise"}


def test_an_undecided_verdict_has_the_remedy_that_fits() -> None:
    few = of_columns({"x": [0.0, 1.0, 0.5, 1.5]}, 2)
    assert judge(few, (False, False), fixed=True).remedy == "run again with --repeat 10"
    ids = RunDistances((Evidence("id", 1.0 - np.eye(10), column="id"),), 5, 5)
    assert judge(ids, (False, False), fixed=False).remedy.startswith(
        "leave out columns that are different in every run"
    )
    shifted = of_columns({"x": [0.0, 1.0, 2.0, 3.0, 4.0, 1.5, 2.5, 3.5, 4.5, 5.5]}, 5)
    assert judge(shifted, (False, False), fixed=False).remedy.startswith("run again with --repeat 20")


def test_rows_are_not_reported_for_columns_in_which_every_row_would_be() -> None:
    measured = run_distances(equally(10), gaps([*range(10)]), exceeding={"c0": RowSet(3), "c1": RowSet(3)})
    assert [*measured.rows_exceeding_noise()] == ["c1"]
    assert [part.column for part in measured.for_columns({"c1"}).evidence] == ["c1"]


@pytest.mark.parametrize(
    ("arrow", "kind", "measures"),
    [
        (pa.float32(), "value", NumberNoise),
        (pa.int64(), "value", NumberNoise),
        (pa.int64(), "label", ExactNoise),
        (pa.bool_(), "value", ExactNoise),
        (pa.list_(pa.float64()), "embedding", ListNoise),
        (pa.list_(pa.string()), "ranking", ExactNoise),
        (pa.string(), "text", TextNoise),
        (pa.large_string(), "label", TextNoise),
        (pa.string(), "json", DocumentNoise),
        (pa.list_(pa.string()), "json", ExactNoise),
    ],
)
def test_a_column_is_measured_by_its_type_and_kind(arrow: pa.DataType, kind: str, measures: type) -> None:
    files = RunFiles((0, 1), (2, 3))
    assert type(RunColumn("v", kind).measurement(arrow, files, RowSelection(10, 4, 1))) is measures
