"""The database leaves out exactly the rows that the comparison in Python finds unmoved, with the same results."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repro_tui.compare.columns import feeding
from repro_tui.compare.columns.moved import moved
from repro_tui.compare.predictions import compare_predictions
from repro_tui.compare.rows.alignment import align
from repro_tui.compare.rows.database import Database
from repro_tui.compare.rows.moved_in_order import can_be_left_out, moved_in_order
from repro_tui.model.errors import Cancelled
from repro_tui.model.predictions import PredictionsArea
from repro_tui.model.record import Validation
from repro_tui.model.request import Settings
from repro_tui.model.run import Run
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
from tests.conftest import EXAMPLES

SEARCHED = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAN, INF = float("nan"), float("inf")
VALUES: dict[pa.DataType, list[Any]] = {
    pa.float64(): [0.0, -0.0, NAN, INF, -INF, 0.5, 0.5 + 2e-16, 1e-320, None],
    pa.float32(): [0.0, -0.0, NAN, INF, 0.25, None],
    pa.int64(): [0, 2**53, 2**53 + 1, -(2**63), 2**63 - 1, None],
    pa.uint64(): [0, 2**64 - 1, None],
    pa.int8(): [-128, 127, None],
    pa.bool_(): [True, False, None],
    pa.string(): ["", "a", "A", "ä", "a\u0308", "a\x00b", "NA", None],
    pa.date32(): [date(1970, 1, 1), date(9999, 12, 31), None],
}
LEFT = [pa.float16(), pa.list_(pa.float64()), pa.timestamp("ns"), pa.timestamp("s", "UTC"), pa.decimal128(9, 2)]


def written(path: Path, columns: dict[str, pa.Array], rows_per_group: int = 3) -> Path:
    pq.write_table(pa.table(columns), path, row_group_size=rows_per_group)
    return path


def test_types_that_the_database_compares_differently_are_not_left_to_it() -> None:
    assert all(can_be_left_out(kind, kind) for kind in VALUES)
    assert not any(can_be_left_out(kind, kind) for kind in LEFT)
    assert not can_be_left_out(pa.int32(), pa.int64())


@pytest.mark.parametrize("kind", VALUES, ids=str)
def test_the_rows_that_moved_are_those_whose_bits_differ(tmp_path: Path, kind: pa.DataType) -> None:
    combinations = [(a, b) for a in VALUES[kind] for b in VALUES[kind]]
    a, b = (pa.array([pair[side] for pair in combinations], kind) for side in (0, 1))
    paths = [written(tmp_path / f"{name}.parquet", {"a.b \"c'": side}) for name, side in (("a", a), ("b", b))]
    with closing(Database(tmp_path, 1 << 30)) as database:
        batches = list(moved_in_order(*paths, [["a.b \"c'"]], [], database, lambda: None))
    rows = [row for _, pair in batches for row in pair.row_a.to_pylist()]
    kept = [
        (x, y) for _, pair in batches for x, y in zip(*(side["a.b \"c'"] for side in (pair.a, pair.b)), strict=True)
    ]
    expected = [row for row in moved(a, b) if not all(value != value for value in combinations[row])]  # two NaN
    assert rows == expected
    assert [str(pair) for pair in kept] == [str((a[row], b[row])) for row in expected]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_both_ways_give_the_same_results(tmp_path: Path, data: Any) -> None:
    rows = data.draw(st.integers(1, 12))
    sides = []
    for name in ("a", "b"):
        drawn = {
            str(kind): pa.array(data.draw(st.lists(st.sampled_from(values), min_size=rows, max_size=rows)), kind)
            for kind, values in VALUES.items()
        }
        sides.append(written(tmp_path / f"{name}.parquet", {"id": pa.array(np.arange(rows)[::-1]), **drawn}))
    for key in ((), ("id",)):
        assert compared(tmp_path, sides, key) == compared(tmp_path, sides, key, streamed=True)


def test_a_table_of_many_groups_is_read_in_one_order(tmp_path: Path) -> None:
    rows, rng = 400_000, np.random.default_rng(3)
    values, names = rng.normal(size=rows), rng.integers(0, 9, rows).astype(str)
    planted = np.sort(rng.choice(rows, 150_000, replace=False))
    moved_values, moved_names = values.copy(), names.copy()
    moved_values[planted] += 1.0
    moved_names[planted[:7]] = "other"
    a = written(tmp_path / "a.parquet", {"x": pa.array(values), "name": pa.array(names)}, 70_000)
    b = written(tmp_path / "b.parquet", {"x": pa.array(moved_values), "name": pa.array(moved_names)}, 33_333)
    area = compared(tmp_path, [a, b], ())
    assert [(c["name"], c["different"], c["equal"]) for c in area["columns"]] == [
        ("x", len(planted), rows - len(planted)),
        ("name", 7, rows - 7),
    ]
    cells = pq.read_table(tmp_path / "differences.parquet", columns=["row_a", "row_b", "column"]).to_pandas()
    assert sorted(cells[cells["column"] == "x"]["row_a"]) == planted.tolist()
    assert (cells["row_a"] == cells["row_b"]).all()


def test_a_wide_table_is_read_in_parts_that_fit_into_the_memory(tmp_path: Path) -> None:
    """In a single part it runs out of memory: the database holds a whole row group of every column at once."""
    rng, rows = np.random.default_rng(6), 20_000
    columns = {f"c{number}": pa.array(rng.normal(size=rows)) for number in range(400)}
    columns["text"] = pa.array(["x" * 5_000 + str(number) for number in range(rows)])
    a = written(tmp_path / "a.parquet", columns, rows)
    b = written(tmp_path / "b.parquet", columns | {"c7": pa.array(np.asarray(columns["c7"]) + 1)}, rows)
    area = compared(tmp_path, [a, b], (), memory_limit=64 << 20)
    assert {c["name"]: c["different"] for c in area["columns"] if c["verdict"] != "identical"} == {"c7": rows}


@pytest.mark.parametrize("key", [(), ("id",)])
def test_a_comparison_that_is_cancelled_ends_at_once(tmp_path: Path, key: tuple[str, ...]) -> None:
    """Even while the database is busy: nothing moved, so that it returns nothing until the end."""
    rows, rng = 3_000_000, np.random.default_rng(5)
    table = {"id": pa.array(np.arange(rows)), "x": pa.array(rng.normal(size=rows))}
    a = written(tmp_path / "a.parquet", table, rows)
    b = written(tmp_path / "b.parquet", {name: values[::-1] if key else values for name, values in table.items()}, rows)
    checks: list[float] = []

    def check() -> None:
        checks.append(0.0)
        if len(checks) > 1:
            raise Cancelled(2)

    with closing(Database(tmp_path, 1 << 30)) as database:
        alignment = align(a, b, key, database)
        assert alignment.ordered == (not key)
        in_order = moved_in_order(a, b, [["x"], ["id"]], [], database, check)
        rows_of: Iterator[Any] = alignment.pairs(["x"], check) if key else in_order
        with pytest.raises(Cancelled):
            list(rows_of)
    assert len(checks) == 2
    assert [thread for thread in threading.enumerate() if "ThreadPoolExecutor" in thread.name] == []


def compared(
    folder: Path, sides: list[Path], key: tuple[str, ...], *, streamed: bool = False, **options: Any
) -> dict[str, Any]:
    """The whole area as plain values, NaN as text."""
    runs = [[Run(n, "succeeded", 1.0, 0, str(path), str(path)) for n in (1, 2)] for path in sides]
    context = Context(cache=Cache(folder / "cache"))
    with pytest.MonkeyPatch.context() as patched:
        if streamed:
            patched.setattr(feeding, "can_be_left_out", lambda a, b: False)
        area: PredictionsArea = compare_predictions(
            runs[0], runs[1], Validation(key=key), Settings(**options), folder, context
        )
    return {name: _plain(value) for name, value in asdict(area).items() if name != "worst"}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return f"{value:.9g}" if isinstance(value, float) else value
