"""Which rows of two tables are paired, and which problems of their keys are reported: known answers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from repro_tui.compare.rows.alignment import (
    DO_KEY,
    DO_MISSING,
    DO_NO_ROWS,
    DO_NULL,
    DO_OTHER_KEY,
    DO_REPEATED,
    DO_TYPE,
    DO_WRITE,
    Alignment,
    align,
)
from repro_tui.compare.rows.database import Database
from repro_tui.model.predictions import Rows

ROOMY, NARROW = 1 << 30, 64  # bytes: the hashes of the keys do not fit into NARROW, so the database groups all keys


def aligned(
    folder: Path, a: Any, b: Any, key: Sequence[str] = ("id",), memory: int = ROOMY
) -> tuple[Alignment, list[tuple[int, int]]]:
    """The alignment of two tables, read to its end, and the pairs of their row numbers."""
    paths = []
    for name, side in (("a", a), ("b", b)):
        paths.append(folder / f"{name}.parquet")
        pq.write_table(side if isinstance(side, pa.Table) else pa.table({"id": pa.array(side)}), paths[-1])
    with closing(Database(folder / "database", memory)) as database:
        alignment = align(paths[0], paths[1], tuple(key), database)
        batches = list(alignment.pairs((), lambda: None)) if alignment.comparable else []
    return alignment, sorted(
        (row_a, row_b)
        for batch in batches
        for row_a, row_b in zip(batch.row_a.tolist(), batch.row_b.tolist(), strict=True)
    )


@pytest.mark.parametrize("memory", [ROOMY, NARROW])
@pytest.mark.parametrize(
    ("a", "b", "pairs", "rows", "problem", "remedy"),
    [
        ([7, 8, 9], [7, 8, 9], [(0, 0), (1, 1), (2, 2)], Rows(3, 3, 3), "", ""),
        ([7, 8, 9], [9, 7, 8], [(0, 1), (1, 2), (2, 0)], Rows(3, 3, 3), "", ""),
        ([7, 8], [9, 7, 8], [(0, 1), (1, 2)], Rows(2, 3, 2, only_b=1), "1 row is only in B (such as 9)", DO_MISSING),
        (
            [5, 4, 3, 2, 1],
            [1, 9],
            [(4, 0)],
            Rows(5, 2, 1, only_a=4, only_b=1),
            "4 rows are only in A; 1 row is only in B (such as 2, 3, 4, 9)",
            DO_MISSING,
        ),
        (
            [7, 7, 8],
            [7, 7, 8],
            [(2, 2)],
            Rows(3, 3, 1, duplicate_a=2, duplicate_b=2),
            "A has 2 rows whose key occurs more than once; B has 2 rows whose key occurs more than once (such as 7)",
            DO_REPEATED,
        ),
        (
            [5, 6, 7, 8],
            [8, 8, 8, 7],
            [(2, 3)],
            Rows(4, 4, 1, only_a=2, duplicate_b=3),
            "2 rows are only in A; B has 3 rows whose key occurs more than once (such as 5, 6, 8)",
            f"{DO_MISSING}; {DO_REPEATED}",
        ),
        (
            [7, None, 9],
            [7, 8, None],
            [(0, 0)],
            Rows(3, 3, 1, only_a=1, only_b=1),
            "A has 1 row without a key; 1 row is only in A; B has 1 row without a key; 1 row is only in B "
            "(such as 9, 8)",
            f"{DO_NULL}; {DO_MISSING}",
        ),
        (
            [None, None, 9],
            [9, 8, 8],
            [(2, 0)],
            Rows(3, 3, 1, duplicate_b=2),
            "A has 2 rows without a key; B has 2 rows whose key occurs more than once (such as 8)",
            f"{DO_NULL}; {DO_REPEATED}",
        ),
    ],
)
def test_rows_are_paired_by_their_key(
    tmp_path: Path,
    a: list[int | None],
    b: list[int | None],
    pairs: list[tuple[int, int]],
    rows: Rows,
    problem: str,
    remedy: str,
    memory: int,
) -> None:
    alignment, paired_rows = aligned(tmp_path, a, b, memory=memory)
    assert (paired_rows, alignment.rows) == (pairs, rows)
    assert (alignment.problem, alignment.do) == (problem, remedy)
    assert alignment.ordered == (a == b and not problem)  # the same order on both sides needs no join
    assert alignment.comparable == (not problem)


def test_a_key_of_two_columns_needs_both_of_them(tmp_path: Path) -> None:
    a = pa.table({"id": [1, 1, 2, None, 3, None], "day": ["x", "y", "x", "x", None, None]})
    b = pa.table({"id": [2, 1, 1], "day": ["x", "x", "y"]})
    alignment, pairs = aligned(tmp_path, a, b, ("id", "day"))
    assert pairs == [(0, 1), (1, 2), (2, 0)]
    assert alignment.nulls == (3, 0)
    assert (alignment.problem, alignment.do) == ("A has 3 rows without a key", DO_NULL)
    x_y, y_x, x_null = (pa.table({"id": [1, 1], "day": days}) for days in (["x", "y"], ["y", "x"], ["x", None]))
    assert aligned(tmp_path, x_y, y_x, ("id", "day"))[1] == [(0, 1), (1, 0)]  # only the ids are in the same order
    alignment, pairs = aligned(tmp_path, x_null, x_null, ("id", "day"))
    assert (pairs, alignment.nulls) == ([(0, 0)], (1, 1))
    alignment, _ = aligned(tmp_path, a.slice(0, 3), b, ("id",))
    assert alignment.problem.endswith("(such as 1)")
    assert (alignment.rows.duplicate_a, alignment.rows.duplicate_b) == (2, 2)


@pytest.mark.parametrize("key", [(), ("id",)])
@pytest.mark.parametrize(("a", "b", "side"), [([], [], "both sides have"), ([], [7], "A has"), ([7], [], "B has")])
def test_without_rows_nothing_is_compared(
    tmp_path: Path, key: tuple[str, ...], a: list[int], b: list[int], side: str
) -> None:
    table_a, table_b = (pa.table({"id": pa.array(ids, pa.int64())}) for ids in (a, b))
    alignment, pairs = aligned(tmp_path, table_a, table_b, key)
    assert (alignment.problem, alignment.do) == (f"{side} no rows", DO_NO_ROWS)
    assert (alignment.comparable, pairs) == (False, [])
    assert alignment.rows == Rows(len(a), len(b))


def test_rows_are_paired_by_position_where_the_counts_agree(tmp_path: Path) -> None:
    alignment, pairs = aligned(tmp_path, [7, 8], [8, 7], ())
    assert (pairs, alignment.rows, alignment.problem) == ([(0, 0), (1, 1)], Rows(2, 2, 2), "")
    alignment, pairs = aligned(tmp_path, [7, 8], [7], ())
    assert (pairs, alignment.rows, alignment.do) == ([], Rows(2, 1), DO_KEY)
    assert alignment.problem == "A has 2 rows and B has 1: rows cannot be paired by position"


FLOATS, LISTS = pa.array([1.0, 2.0]), pa.array([[1], [2]])


@pytest.mark.parametrize(
    ("a", "b", "problem", "remedy"),
    [
        (["7", "8"], [7, 8], "is string in A and int64 in B", DO_TYPE),
        ([7, 8], ["7", "8"], "is int64 in A and string in B", DO_TYPE),
        (FLOATS, [1, 2], "of A holds floats, which do not identify rows reliably", DO_OTHER_KEY),
        ([1, 2], FLOATS, "of B holds floats, which do not identify rows reliably", DO_OTHER_KEY),
        (LISTS, LISTS, "of A holds lists, which cannot identify rows", DO_OTHER_KEY),
        ([1, 2], LISTS, "of B holds lists, which cannot identify rows", DO_OTHER_KEY),
        ([1, 2], pa.table({"x": [1], "y": [2]}), "is not in the output of B, which has x, y", DO_WRITE),
        (pa.table({"x": [1], "y": [2]}), [1, 2], "is not in the output of A, which has x, y", DO_WRITE),
    ],
)
def test_a_key_that_cannot_identify_rows_pairs_none(tmp_path: Path, a: Any, b: Any, problem: str, remedy: str) -> None:
    alignment, pairs = aligned(tmp_path, a, b)
    assert alignment.problem == f"the key column id {problem}"
    assert (alignment.do, alignment.rows.matched, pairs) == (remedy, 0, [])


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_integers_of_different_widths_are_equal_keys(tmp_path: Path, order: list[int]) -> None:
    narrow = pa.array([7, 8, 9], pa.int8()).take(pa.array(order))
    alignment, pairs = aligned(tmp_path, pa.array([7, 8, 9], pa.int64()), narrow)
    assert pairs == [(row, order.index(row)) for row in range(3)]
    assert (alignment.problem, alignment.ordered) == ("", order == [0, 1, 2])
