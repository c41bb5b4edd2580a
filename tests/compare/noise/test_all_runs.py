"""Predictions are called the same only if all runs, and all input rows, are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import repro_tui
from repro_tui.model.predictions import SAME_VERDICTS
from tests.compare.test_predictions import compare_in
from tests.conftest import EXAMPLES

IDS = ["r1", "r2", "r3"]


def table(values: list[Any], ids: list[Any] | None = None) -> pa.Table:
    return pa.table({"id": IDS[: len(values)] if ids is None else ids, "v": values})


SAME, OFF = table([1.0, 2.0, 3.0]), table([100.0, 2.0, 3.0])


@pytest.mark.parametrize("runs", [2, 3, 5, 10])
@pytest.mark.parametrize("side", ["a", "b"])
def test_one_run_that_is_off_is_never_the_same(tmp_path: Path, runs: int, side: str) -> None:
    for number in range(runs):
        odd = [SAME] * runs
        odd[number] = OFF
        a, b = ([SAME] * runs, odd) if side == "b" else (odd, [SAME] * runs)
        area = compare_in(tmp_path)(a, b, key=("id",))
        assert area.verdict == "undecided", (number, area.noise)
        assert area.differences == 1


def test_nine_of_ten_runs_that_are_off_are_drift(tmp_path: Path) -> None:
    area = compare_in(tmp_path)([SAME] * 10, [SAME] + [OFF] * 9, key=("id",))
    assert area.verdict == "drift"
    assert "run" in area.compared


def test_a_run_that_loses_a_row_is_reported(tmp_path: Path) -> None:
    short = table([1.0, 2.0])
    area = compare_in(tmp_path)([SAME] * 5, [SAME, SAME, short, SAME, SAME], key=("id",))
    assert (area.verdict, area.status) == ("not-comparable", "unknown")
    assert "wrote 2 rows" in area.what


def test_a_run_with_other_rows_is_reported(tmp_path: Path) -> None:
    other_keys = table([1.0, 2.0, 3.0], ["r1", "r2", "r4"])
    area = compare_in(tmp_path)([SAME] * 2, [SAME, other_keys], key=("id",))
    assert area.verdict == "not-comparable"
    assert "r4" in area.what


def test_two_modes_at_even_odds_are_no_drift_with_two_runs_a_side(tmp_path: Path) -> None:
    area = compare_in(tmp_path)([SAME] * 2, [OFF] * 2, key=("id",))
    assert (area.verdict, area.do) == ("undecided", "run again with --repeat 3")
    assert compare_in(tmp_path)([SAME] * 3, [OFF] * 3, key=("id",)).verdict == "drift"


def test_with_one_run_a_side_noise_is_not_known(tmp_path: Path) -> None:
    area = compare_in(tmp_path)([SAME], [OFF], key=("id",))
    assert (area.verdict, area.do) == ("undecided", "run again with --repeat 3")
    assert "change from run to run is not known" in area.what
    assert area.columns[0].different == 1


VALUES = st.sampled_from([1.0, 1.0 + 1e-16, 1.0 + 5e-8, 1.5])
RUNS = st.lists(st.lists(VALUES, min_size=3, max_size=3), min_size=2, max_size=3)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(a=RUNS, b=RUNS)
def test_same_implies_that_every_two_runs_are_the_same(tmp_path: Path, a: Any, b: Any) -> None:
    """`within-tolerance` is a claim about A's first run: two other runs may be twice as far apart."""
    size = min(len(a), len(b))
    runs = [[table(values) for values in side[:size]] for side in (a, b)]
    verdict = compare_in(tmp_path)(*runs, key=("id",)).verdict
    alone = [compare_in(tmp_path)(runs[0][0], run, key=("id",)).verdict for side in runs for run in side]
    if verdict in SAME_VERDICTS:
        assert set(alone) <= SAME_VERDICTS
    if "drift" in alone:
        assert verdict not in SAME_VERDICTS


ODD_KEYS = {
    "every row has the key of one": (["r1", "r1", "r1"], "all output rows have the same key"),
    "keys that no input has": (["x1", "x2", "x3"], "3 output rows have a key that is in no input row (such as 'x1'"),
    "a blank at the end": (
        ["r1 ", "r2", "r3"],
        "'r1 '); 1 input row is without an answer (such as 'r1'): the keys differ only in leading or trailing spaces",
    ),
    "one twice": (["r1", "r2", "r2"], "1 input row is answered more than once (such as 'r2')"),
}


@pytest.mark.parametrize("mistake", ODD_KEYS)
@pytest.mark.parametrize("side", ["a", "b", "both"])
def test_every_input_row_has_to_be_answered_once(tmp_path: Path, mistake: str, side: str) -> None:
    keys, message = ODD_KEYS[mistake]
    pq.write_table(pa.table({"id": IDS, "x": [0.0, 1.0, 2.0]}), tmp_path / "inputs.parquet")
    odd = table([1.0, 2.0, 3.0], keys)
    a, b = (odd if side in (letter, "both") else SAME for letter in "ab")
    area = compare_in(tmp_path)(a, b, key=("id",))
    assert area.verdict == "not-comparable"
    assert message in area.what, area.what


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
@pytest.mark.parametrize("kind", [pa.int64(), pa.string(), pa.int32()])
def test_answers_in_another_order_and_type_are_answers(tmp_path: Path, order: list[int], kind: Any) -> None:
    pq.write_table(pa.table({"id": pa.array([7, 8, 9], pa.int64())}), tmp_path / "inputs.parquet")
    ids = pa.array([7, 8, 9]).cast(kind).take(pa.array(order))
    answers = table([1.0, 2.0, 3.0], ids)
    assert compare_in(tmp_path)(answers, answers, key=("id",)).verdict == "identical"


def test_runs_are_compared_from_python_by_the_same_rule(tmp_path: Path) -> None:
    same, off = SAME.to_pandas(), OFF.to_pandas()
    assert repro_tui.compare([same] * 3, [off] * 3, key="id").verdict == "drift"
    assert repro_tui.compare([same] * 2, [same, off], key="id").verdict == "undecided"
    assert repro_tui.compare([same] * 2, [same] * 2, key="id").verdict == "identical"
    assert repro_tui.compare(same, off, key="id").verdict == "drift"
