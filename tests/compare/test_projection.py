"""How far a table lies on the way from A to B: numbers, labels, lists, infinities and NaN, in any order of rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from repro_tui.compare.columns.tolerance import Rule
from repro_tui.compare.projection import ProjectedColumn, Projection, Projector
from repro_tui.model.errors import Inconclusive

RULE = Rule(1e-7, 1e-7, 0.0, 4, "")


def write(path: Path, values: Any, ids: Any = None, name: str = "x") -> Path:
    rows = len(values)
    pq.write_table(pa.table({"id": pa.array(range(rows) if ids is None else ids), name: values}), path)
    return path


def measured(tmp_path: Path, a: Any, b: Any, third: Any, *, exact: bool = False, ids: Any = None) -> Projection:
    files = [
        write(tmp_path / "a.parquet", a),
        write(tmp_path / "b.parquet", b),
        write(tmp_path / "s.parquet", third, ids),
    ]
    columns = [ProjectedColumn("x", RULE, exact)]
    return Projector(files[0], files[1], ("id",), columns, tmp_path / "scratch", 1 << 30).project(files[2])


def test_numbers_are_projected_onto_the_way(tmp_path: Path) -> None:
    a = np.arange(100, dtype=float)
    projection = measured(tmp_path, a, a + 2.0, a + 0.5)
    assert (projection.score, projection.from_a, projection.from_b) == pytest.approx((0.25, 0.25, 0.75))
    assert (projection.is_a, projection.is_b, projection.rows_as_b) == (False, False, 0.0)


def test_what_lies_beside_the_way_is_neither_end(tmp_path: Path) -> None:
    a = np.zeros(100)
    b, aside = np.where(np.arange(100) < 50, 1.0, 0.0), np.where(np.arange(100) < 50, 0.0, 1.0)
    projection = measured(tmp_path, a, b, aside)
    assert (projection.score, projection.from_a) == pytest.approx((0.0, 1.0))
    assert not projection.is_a


def test_labels_count_rows_and_a_third_label_is_halfway(tmp_path: Path) -> None:
    projection = measured(tmp_path, ["n"] * 4, ["y", "y", "y", "n"], ["y", "n", "?", "n"], exact=True)
    assert projection.score == pytest.approx(1.5 / 3)
    column = projection.columns["x"]
    assert (column.moved, column.off_a, column.off_b) == (3, 2, 2)


def test_rows_as_b_are_counted_among_those_that_moved(tmp_path: Path) -> None:
    """One row moves all of 100, three only half of 1, and one moves that should not."""
    a, b = np.zeros(6), np.array([100.0, 1.0, 1.0, 1.0, 0.0, 0.0])
    projection = measured(tmp_path, a, b, np.array([100.0, 0.5, 0.5, 0.5, 0.0, 7.0]))
    assert projection.score == pytest.approx(1, abs=1e-3)
    assert projection.rows_as_b == 0.25


def test_rows_as_b_of_nulls_and_lists(tmp_path: Path) -> None:
    nulls = measured(tmp_path, [1.0, None, 2.0], [None, 1.0, 2.0], [None, None, 2.0])
    assert nulls.rows_as_b == 0.5
    lists = [pa.array(rows) for rows in ([[0.0], [0.0]], [[1.0], [1.0, 2.0]], [[1.0], [0.0]])]
    assert measured(tmp_path, *lists).rows_as_b == 0.5


def test_the_ends_are_themselves_in_any_order_of_rows(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    a, b, order = chance.normal(size=500), chance.normal(size=500), chance.permutation(500)
    assert measured(tmp_path, a, b, a[order], ids=order).is_a
    projection = measured(tmp_path, a, b, b[order], ids=order)
    assert (projection.is_b, projection.score, projection.rows_as_b) == (True, pytest.approx(1), 1.0)


def test_vectors_are_projected_element_by_element(tmp_path: Path) -> None:
    a = pa.array([[0.0, 0.0], [1.0, 1.0]])
    projection = measured(tmp_path, a, pa.array([[2.0, 0.0], [1.0, 3.0]]), pa.array([[1.0, 0.0], [1.0, 2.0]]))
    assert projection.score == pytest.approx(0.5)


def test_nan_and_infinity_are_equal_to_themselves_and_to_nothing_else(tmp_path: Path) -> None:
    nan, inf = float("nan"), float("inf")
    a, b = [nan, inf, -inf, 0.0, 1.0], [nan, inf, -inf, 0.0, 2.0]
    assert measured(tmp_path, a, b, a).is_a
    column = measured(tmp_path, a, b, [inf, nan, inf, 0.0, 2.0]).columns["x"]
    assert (column.moved, column.off_b) == (1, 3)


def test_neighbouring_integers_that_doubles_cannot_tell_apart_differ(tmp_path: Path) -> None:
    whole = Rule(0.0, 0.0, 0.0, 4, "")
    files = [write(tmp_path / f"{n}.parquet", pa.array([2**53 + n])) for n in (0, 1)]
    projection = Projector(
        files[0], files[1], ("id",), [ProjectedColumn("x", whole, exact=False)], tmp_path / "s", 1 << 30
    ).project(files[0])
    assert (projection.columns["x"].moved, projection.is_a, projection.is_b) == (1, True, False)


def test_other_rows_and_other_columns_cannot_be_measured(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.parquet", [1.0, 2.0]), write(tmp_path / "b.parquet", [2.0, 3.0])
    projector = Projector(a, b, ("id",), [ProjectedColumn("x", RULE, exact=False)], tmp_path / "s", 1 << 30)
    for path, message in (
        (write(tmp_path / "1.parquet", [1.0]), "have 1 row, and those of A 2"),
        (write(tmp_path / "2.parquet", [1.0, 2.0], ids=[7, 8]), "do not have the same rows"),
        (write(tmp_path / "3.parquet", [1.0, 2.0], name="y"), "no column x"),
    ):
        with pytest.raises(Inconclusive, match=message):
            projector.project(path)
