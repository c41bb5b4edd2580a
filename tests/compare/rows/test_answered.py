"""Input rows that are not answered exactly once are reported, in any order and type of the keys."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from repro_tui.compare.rows.answered import unanswered
from repro_tui.compare.rows.database import Database
from repro_tui.compare.rows.pairs import BATCH
from repro_tui.model.request import MEMORY_LIMIT

IDS = [f"r{number}" for number in range(40)]


def checked(folder: Path, inputs: Sequence[Any], output: Sequence[Any], key: Sequence[str] = ("id",)) -> str:
    for name, ids in (("inputs", inputs), ("output", output)):
        table = ids if isinstance(ids, pa.Table) else pa.table({"id": pa.array(ids)})
        pq.write_table(table, folder / f"{name}.parquet")
    return unanswered(folder / "inputs.parquet", folder / "output.parquet", key, Database(folder / "db", MEMORY_LIMIT))


@pytest.mark.parametrize(
    "output",
    [IDS, IDS[::-1], [*IDS[20:], *IDS[:20]]],
    ids=["in order", "backwards", "in another order"],
)
def test_an_output_that_answers_all_rows_has_no_problem(tmp_path: Path, output: list[str]) -> None:
    assert checked(tmp_path, IDS, output) == ""


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        (IDS[:30], "10 input rows are without an answer (such as 'r30', 'r31', 'r32')"),
        (IDS[:-1], "1 input row is without an answer (such as 'r39')"),
        (IDS[1:], "1 input row is without an answer (such as 'r0')"),
        ([*IDS, "more"], "1 output row has a key that is in no input row (such as 'more')"),
        ([*IDS[:-1], "r0"], "1 input row is without an answer (such as 'r39'); 1 input row is answered more than once"),
        ([*IDS, "r0"], "1 input row is answered more than once (such as 'r0')"),
        ([*IDS, "x", "x", "y"], "3 output rows have a key that is in no input row (such as 'x', 'y')"),
        ([*IDS, *"wxyz"], "4 output rows have a key that is in no input row (such as 'w', 'x', 'y')"),
        ([*IDS, "r1", "r1", "r2"], "2 input rows are answered more than once (such as 'r1', 'r2')"),
        ([f"{row} " for row in IDS], "the keys differ only in leading or trailing spaces"),
        ([*IDS[:-1], " r39"], "(such as 'r39'): the keys differ only in leading or trailing spaces"),
        (["r0"] * 40, "all output rows have the same key"),
        ([*IDS[:-1], None], "1 input row is without an answer (such as 'r39')"),
    ],
)
def test_rows_that_are_not_answered_once_are_reported(tmp_path: Path, output: list[Any], problem: str) -> None:
    message = checked(tmp_path, IDS, output)
    assert problem in message
    for hint in ("spaces", "the same key"):
        assert (hint in message) == (hint in problem)


def test_an_input_row_that_occurs_twice_is_answered_twice(tmp_path: Path) -> None:
    inputs = ["r0", "r1", "r1"]
    assert checked(tmp_path, inputs, ["r1", "r0", "r1"]) == ""
    assert (
        checked(tmp_path, inputs, ["r1", "r1", "r0", "r1"]) == "1 input row is answered more than once (such as 'r1')"
    )


@pytest.mark.parametrize("kind", [pa.string(), pa.int64()])
def test_an_output_in_the_order_of_its_inputs_is_not_joined(tmp_path: Path, kind: pa.DataType) -> None:
    numbers = pa.array([3, 1, 2])
    assert checked(tmp_path, numbers.cast(pa.string()), numbers.cast(kind)) == ""
    assert not (tmp_path / "db").exists()
    assert checked(tmp_path, numbers.cast(pa.string()), numbers.take(pa.array([1, 2, 0])).cast(kind)) == ""
    assert (tmp_path / "db").exists()


@pytest.mark.parametrize("missing", [0, BATCH - 1, BATCH, BATCH + 4])
def test_rows_of_large_tables_are_not_lost_between_batches(tmp_path: Path, missing: int) -> None:
    ids = list(range(BATCH + 5))
    assert checked(tmp_path, ids, ids) == ""
    assert "5 input rows are without an answer" in checked(tmp_path, ids, ids[:BATCH])  # which ends where a batch does
    few = ids[:missing] + ids[missing + 1 :]
    assert f"1 input row is without an answer (such as '{missing}')" in checked(tmp_path, ids, few)


def test_keys_of_two_types_are_compared_as_the_output_has_them(tmp_path: Path) -> None:
    texts, numbers = ["7", "007", "12"], [7, 8, 12]
    assert checked(tmp_path, ["7", "8", "12"], numbers) == ""
    assert checked(tmp_path, ["007", "08", "12"], numbers) == ""
    assert checked(tmp_path, texts, numbers) != ""
    assert checked(tmp_path, numbers, ["7", "8", "12"]) == ""


def test_all_parts_of_a_key_count(tmp_path: Path) -> None:
    inputs = pa.table({"id": [1, 1, 2], "day": ["a", "b", "a"]})
    assert checked(tmp_path, inputs, inputs, ("id", "day")) == ""
    changed = pa.table({"id": [1, 1, 2], "day": ["a", "b", "b"]})
    assert checked(tmp_path, inputs, changed, ("id", "day")) != ""
    assert checked(tmp_path, inputs, changed, ("day", "id")) == (
        "1 output row has a key that is in no input row (such as 'b', '2'); "
        "1 input row is without an answer (such as 'a', '2')"
    )


def test_inputs_without_the_key_are_not_checked(tmp_path: Path) -> None:
    inputs = pa.table({"id": [1, 2]})
    assert checked(tmp_path, inputs, pa.table({"id": [3, 4], "day": ["a", "b"]}), ("id", "day")) == ""
    assert checked(tmp_path, inputs, pa.table({"id": [3, 4]}), ()) == ""
    lists, floats, numbers = (pa.table({"id": ids}) for ids in ([[1]], [2.5], [3]))
    for left, right in itertools.product(
        (lists, floats), (lists, floats, numbers)
    ):  # do not identify rows: reported elsewhere
        assert checked(tmp_path, left, right) == checked(tmp_path, right, left) == ""
