"""Which rows of two tables belong together, and what is said of those that belong to none: known answers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from repro_tui.compare.rows.alignment import DO, DO_KEY, DO_TYPE, DO_WRITE, Alignment, align
from repro_tui.compare.rows.database import Database
from repro_tui.model.predictions import Rows

ROOMY, NARROW = 1 << 30, 64  # bytes: where the keys' hashes have no room, the database looks for duplicates by itself
WHY_ROWS = "see why the predict step writes none"


def aligned(
    folder: Path, a: Any, b: Any, key: Sequence[str] = ("id",), memory: int = ROOMY
) -> tuple[Alignment, list[tuple[int, int]]]:
    """How the rows belong together, and the pairs of their numbers."""
    paths = []
    for name, side in (("a", a), ("b", b)):
        paths.append(folder / f"{name}.parquet")
        pq.write_table(side if isinstance(side, pa.Table) else pa.table({"id": pa.array(side)}), paths[-1])
    with closing(Database(folder / "database", memory)) as database:
        found = align(paths[0], paths[1], tuple(key), database)
        pairs = list(found.pairs((), lambda: None)) if found.comparable else []
    return found, sorted(
        (x, y) for pair in pairs for x, y in zip(pair.row_a.tolist(), pair.row_b.tolist(), strict=True)
    )


@pytest.mark.parametrize("memory", [ROOMY, NARROW])
@pytest.mark.parametrize(
    ("a", "b", "pairs", "rows", "told"),
    [
        ([7, 8, 9], [7, 8, 9], [(0, 0), (1, 1), (2, 2)], Rows(3, 3, 3), ""),
        ([7, 8, 9], [9, 7, 8], [(0, 1), (1, 2), (2, 0)], Rows(3, 3, 3), ""),
        ([7, 8], [9, 7, 8], [(0, 1), (1, 2)], Rows(2, 3, 2, only_b=1), "1 rows are only in B (such as 9)"),
        (
            [5, 4, 3, 2, 1],
            [1, 9],
            [(4, 0)],
            Rows(5, 2, 1, only_a=4, only_b=1),
            "4 rows are only in A; 1 rows are only in B (such as 2, 3, 4, 9)",
        ),
        (
            [7, 7, 8],
            [7, 7, 8],
            [(2, 2)],
            Rows(3, 3, 1, duplicate_a=2, duplicate_b=2),
            "A has 2 rows whose key stands more than once; B has 2 rows whose key stands more than once (such as 7)",
        ),
        (
            [5, 6, 7, 8],
            [8, 8, 8, 7],
            [(2, 3)],
            Rows(4, 4, 1, only_a=2, duplicate_b=3),
            "2 rows are only in A; B has 3 rows whose key stands more than once (such as 5, 6, 8)",
        ),
        (
            [7, None, 9],
            [7, 8, None],
            [(0, 0)],
            Rows(3, 3, 1, only_a=1, only_b=1),
            "A has 1 rows without a key; 1 rows are only in A; B has 1 rows without a key; 1 rows are only in B "
            "(such as 9, 8)",
        ),
        (
            [None, None, 9],
            [9, 8, 8],
            [(2, 0)],
            Rows(3, 3, 1, duplicate_b=2),
            "A has 2 rows without a key; B has 2 rows whose key stands more than once (such as 8)",
        ),
    ],
)
def test_rows_are_paired_by_their_key(
    tmp_path: Path,
    a: list[int | None],
    b: list[int | None],
    pairs: list[tuple[int, int]],
    rows: Rows,
    told: str,
    memory: int,
) -> None:
    found, met = aligned(tmp_path, a, b, memory=memory)
    assert (met, found.rows) == (pairs, rows)
    assert (found.problem, found.do) == (told, DO if told else "")
    assert found.ordered == (a == b and not told)  # one order on both sides needs no join
    assert found.comparable == (not told)


def test_all_parts_of_a_key_name_a_row_and_none_of_them_may_be_missing(tmp_path: Path) -> None:
    a = pa.table({"id": [1, 1, 2, None, 3, None], "day": ["x", "y", "x", "x", None, None]})
    b = pa.table({"id": [2, 1, 1], "day": ["x", "x", "y"]})
    found, pairs = aligned(tmp_path, a, b, ("id", "day"))
    assert pairs == [(0, 1), (1, 2), (2, 0)]
    assert found.nulls == (3, 0)
    assert found.problem == "A has 3 rows without a key"
    of_days = [pa.table({"id": [1, 1], "day": days}) for days in (["x", "y"], ["y", "x"], ["x", None])]
    assert aligned(tmp_path, of_days[0], of_days[1], ("id", "day"))[1] == [(0, 1), (1, 0)]  # ids alone are in one order
    found, pairs = aligned(tmp_path, of_days[2], of_days[2], ("id", "day"))
    assert (pairs, found.nulls) == ([(0, 0)], (1, 1))
    found, _ = aligned(tmp_path, a.slice(0, 3), b, ("id",))
    assert found.problem.endswith("(such as 1)")
    assert (found.rows.duplicate_a, found.rows.duplicate_b) == (2, 2)


@pytest.mark.parametrize("key", [(), ("id",)])
@pytest.mark.parametrize(("a", "b", "side"), [([], [], "both sides have"), ([], [7], "A has"), ([7], [], "B has")])
def test_without_rows_nothing_is_compared(
    tmp_path: Path, key: tuple[str, ...], a: list[int], b: list[int], side: str
) -> None:
    one, other = (pa.table({"id": pa.array(ids, pa.int64())}) for ids in (a, b))
    found, pairs = aligned(tmp_path, one, other, key)
    assert (found.problem, found.do, found.comparable, pairs) == (f"{side} no rows", WHY_ROWS, False, [])
    assert found.rows == Rows(len(a), len(b))


def test_by_position_rows_belong_together_where_there_are_as_many(tmp_path: Path) -> None:
    found, pairs = aligned(tmp_path, [7, 8], [8, 7], ())
    assert (pairs, found.rows, found.problem) == ([(0, 0), (1, 1)], Rows(2, 2, 2), "")
    found, pairs = aligned(tmp_path, [7, 8], [7], ())
    assert (pairs, found.rows, found.do) == ([], Rows(2, 1), DO_KEY)
    assert found.problem == "A has 2 rows and B 1: by position it is not known which belong together"


FLOATS, LISTS = pa.array([1.0, 2.0]), pa.array([[1], [2]])


@pytest.mark.parametrize(
    ("a", "b", "told", "do"),
    [
        (["7", "8"], [7, 8], "the key column id is string in A and int64 in B", DO_TYPE),
        ([7, 8], ["7", "8"], "the key column id is int64 in A and string in B", DO_TYPE),
        (FLOATS, [1, 2], "the key column id of A holds floats", DO_KEY),
        ([1, 2], FLOATS, "the key column id of B holds floats", DO_KEY),
        (LISTS, LISTS, "the key column id of A holds lists", DO_KEY),
        ([1, 2], LISTS, "the key column id of B holds lists", DO_KEY),
        ([1, 2], pa.table({"x": [1], "y": [2]}), "id is not in the output of B, which has x, y", DO_WRITE),
        (pa.table({"x": [1], "y": [2]}), [1, 2], "id is not in the output of A, which has x, y", DO_WRITE),
    ],
)
def test_a_key_that_names_no_row_is_told(tmp_path: Path, a: Any, b: Any, told: str, do: str) -> None:
    found, pairs = aligned(tmp_path, a, b)
    assert told in found.problem
    assert (found.do, found.rows.matched, pairs) == (do, 0, [])


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_whole_numbers_of_two_widths_are_one_key(tmp_path: Path, order: list[int]) -> None:
    narrow = pa.array([7, 8, 9], pa.int8()).take(pa.array(order))
    found, pairs = aligned(tmp_path, pa.array([7, 8, 9], pa.int64()), narrow)
    assert pairs == [(row, order.index(row)) for row in range(3)]
    assert (found.problem, found.ordered) == ("", order == [0, 1, 2])
