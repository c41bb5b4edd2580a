"""How a row varies over the runs of a side: found by its key or its number, in files of which some may be missing."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from repro_tui.audit.folder import AuditFolder
from repro_tui.model.run import Run
from repro_tui.tui.app import Auditor
from repro_tui.tui.one_row import row_at, row_of
from repro_tui.tui.run_ranges import Range, Ranges, apart, ranges
from tests.tui.driving import press, written
from tests.tui.folders import noisy

LABELS = frozenset({"label"})


def runs(folder: Path, side: str, tables: Sequence[dict[str, Any]]) -> list[Run]:
    """Runs that wrote these tables."""
    (folder / side).mkdir(exist_ok=True)
    written_runs = []
    for number, table in enumerate(tables, 1):
        path = f"{side}/run-{number}.parquet"
        pq.write_table(pa.table(table), folder / path, row_group_size=2)
        written_runs.append(Run(number, "succeeded", 0.1, predictions=path))
    return written_runs


def texts(row_ranges: Ranges, column: str, width: int = 40) -> tuple[str, ...]:
    return tuple(side[column].text(width) for side in (row_ranges.a, row_ranges.b))


def test_a_row_is_found_by_its_key_wherever_it_stands(tmp_path: Path) -> None:
    a = [{"id": [1, 2, 3], "score": [0.1, 0.2, 0.3]}, {"id": [3, 1, 2], "score": [0.31, 0.11, 0.25]}]
    b = [{"id": [2, 1, 3], "score": [0.5, 0.1, 0.3]}, {"id": [2, 1, 3], "score": [0.75, 0.1, 0.3]}]
    row = ranges(tmp_path, (runs(tmp_path, "a", a), runs(tmp_path, "b", b)), (1, 0), ("id",), LABELS)
    assert texts(row, "score") == ("0.2 .. 0.25", "0.5 .. 0.75")
    assert row.sentence() == "ranges over all runs (2 of A, 2 of B)"
    assert apart(row.a["score"], row.b["score"]) == "apart"
    assert "id" not in row.a


def test_a_key_may_be_of_any_type_and_of_several_columns(tmp_path: Path) -> None:
    day = np.array(["2026-01-05", "2026-01-06"], "datetime64[us]")
    table = {"day": day, "new": [True, False], "score": [1.0, 2.0]}
    turned = {"day": day[::-1], "new": [False, True], "score": [2.5, 1.5]}
    both = runs(tmp_path, "a", [table, turned]), runs(tmp_path, "b", [table, turned])
    row = ranges(tmp_path, both, (1, 1), ("day", "new"), LABELS)
    assert texts(row, "score") == ("2 .. 2.5", "2 .. 2.5")


def test_without_a_key_it_has_the_same_number_in_every_run(tmp_path: Path) -> None:
    tables = [{"score": [0.0, float(number), 9.0]} for number in range(3)]
    row = ranges(tmp_path, (runs(tmp_path, "a", tables), runs(tmp_path, "b", tables[:1])), (1, 1), (), LABELS)
    assert row.a["score"].text(40) == "0 .. 2"
    assert row.b == {}
    assert row.sentence() == "ranges over all runs (3 of A)"


def test_a_run_that_is_missing_or_lacks_the_row_is_named(tmp_path: Path) -> None:
    tables = [{"id": [1, 2], "score": [1.0, 2.0]}] * 2 + [{"id": [1, 3], "score": [1.0, 3.0]}]
    both = runs(tmp_path, "a", tables), runs(tmp_path, "b", tables[:2])
    (tmp_path / "b" / "run-1.parquet").unlink()
    (tmp_path / "b" / "run-2.parquet").write_text("no table")
    row = ranges(tmp_path, both, (1, 1), ("id",), LABELS)
    assert row.runs == (2, 0)
    assert row.problems == (
        "this row is not in run 3 of A",
        "not in this folder: run 1 of B",
        "this row is not in run 2 of B",
    )
    (tmp_path / "a" / "run-1.parquet").unlink()
    assert (
        "the runs that were compared are not in this folder"
        in ranges(tmp_path, both, (1, 1), ("id",), LABELS).problems[0]
    )


def test_one_run_a_side_has_no_range(tmp_path: Path) -> None:
    single = runs(tmp_path, "a", [{"score": [1.0]}])
    assert ranges(tmp_path, (single, single), (0, 0), (), LABELS) == Ranges()


@pytest.mark.parametrize(
    ("values", "label", "width", "text"),
    [
        ((1.0, 1.0), False, 40, "same in 2 runs"),
        ((0.123456789, 0.123456788), False, 40, "0.123456788 .. 0.123456789"),
        ((2**53, 2**53 + 1), False, 40, "9007199254740992 .. 9007199254740993"),
        ((1.0, float("nan"), None, 2.0), False, 40, "1 .. 2, nan ×1, — ×1"),
        ((1, 0, 1), True, 40, "1 ×2, 0 ×1"),
        (("yes", "no", "yes"), False, 40, "yes ×2, no ×1"),
        (("a long text", "another", "a long text"), False, 16, "2 values: ×2 ×1"),
        (([1.0, 2.0], [1.0, 2.5]), False, 10, "differs in all 2"),
        ((float("nan"), float("nan")), False, 40, "same in 2 runs"),
    ],
)
def test_a_range_as_text(values: tuple[Any, ...], label: bool, width: int, text: str) -> None:
    assert Range(tuple(enumerate(values, 1)), label).text(width) == text


def test_ranges_that_touch_overlap() -> None:
    def over(*values: Any) -> Range:
        return Range(tuple(enumerate(values, 1)))

    assert apart(over(1, 2), over(2, 3)) == "overlap"
    assert apart(over(1, 2), over(2.1, 3)) == "apart"
    assert apart(over("x", "y"), over("y", "z")) == "overlap"
    assert apart(over("x", "y"), over("z", "z")) == "apart"
    assert apart(over(1, 2), None) == ""


@pytest.mark.parametrize("row", [0, 1, 2, 4, 5])
def test_a_row_of_a_file_in_many_groups(row: int, tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": range(5)}), tmp_path / "t.parquet", row_group_size=2)
    assert row_at(tmp_path / "t.parquet", row) == ({"n": row} if row < 5 else {})


async def test_the_row_shows_its_ranges_and_every_run(tmp_path: Path) -> None:
    """In a folder that was copied elsewhere; a run's file that was not copied is named."""
    noisy(tmp_path / "made")
    shutil.move(tmp_path / "made", tmp_path / "copied")
    (tmp_path / "copied" / "b" / "run-3.parquet").unlink()
    app = Auditor(AuditFolder(tmp_path / "copied"))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "5", "tab", "enter")
        seen = written(app)
        assert "ranges over all runs (5 of A, 4 of B)" in seen
        assert "not in this folder: run 3 of B" in seen
        assert "5e-05 .. 6.2e-05" in seen
        assert "5.7e-05 .. 6.1e-05" in seen
        assert seen.index("2 values: ×4 ×1") > seen.index("decision")
        await press(pilot, "down", "enter")
        seen = written(app)
        assert "A, run 5: 6.2e-05" in seen
        assert "B, run 3" not in seen
        assert "B, run 4: 6e-05" in seen


def test_a_row_is_found_by_columns_of_any_name(tmp_path: Path) -> None:
    names = ["x", "X", "file_row_number", 'a"b']
    table = pa.table({name: [index * 10 + row for row in range(3)] for index, name in enumerate(names)})
    pq.write_table(table, tmp_path / "t.parquet")
    row = {name: index * 10 + 1 for index, name in enumerate(names)}
    for name, value in row.items():
        assert row_of(tmp_path / "t.parquet", {name: value}) == row
        assert row_of(tmp_path / "t.parquet", {name: str(value)}, as_text=True) == row
    assert row_of(tmp_path / "t.parquet", {"y": 1}) == row_of(tmp_path / "t.parquet", {"x": 77}) == {}
