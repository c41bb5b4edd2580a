"""Noise or drift: known answers of the permutation test, and how often it is wrong on simulated deployments."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from repro_tui.compare.columns.statistics import interval, kolmogorov_smirnov, wasserstein
from repro_tui.compare.noise.exchange import Evidence
from repro_tui.compare.noise.verdict import (
    Judgement,
    RunDistances,
    judge,
    judge_columns,
    judge_recorded,
    next_repeat,
)
from repro_tui.model.predictions import Noise, PredictionsArea
from repro_tui.model.request import Settings
from repro_tui.report.summary import own_noise
from tests.compare.test_predictions import compare_in, run_of


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
    assert "in v any two runs differ equally" in area.what


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
    assert "runs fall into two groups: A's 1, 4, B's 2, 3 | A's 2, 3, 5, B's 1, 4, 5" in area.noise.sentence


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


def of_columns(values: dict[str, Any], runs_a: int) -> RunDistances:
    """Runs that are one number each in every column, A's first."""
    parts = [Evidence(name, abs(np.subtract.outer(runs, runs)), column=name) for name, runs in values.items()]
    runs_b = len(next(iter(values.values()))) - runs_a
    return RunDistances(tuple(parts), runs_a, runs_b, over_tolerance=dict.fromkeys(values, True))


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
