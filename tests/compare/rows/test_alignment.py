"""What is wrong with keys, with a remedy for each cause."""

from __future__ import annotations

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
    align,
)
from repro_tui.compare.rows.database import Database


def problem(folder: Path, a: Any, b: Any, key: tuple[str, ...] = ("id",)) -> tuple[str, str]:
    paths = [folder / "a.parquet", folder / "b.parquet"]
    for path, ids in zip(paths, (a, b), strict=True):
        pq.write_table(pa.table({"id": ids, "v": pa.nulls(len(ids))}), path)
    with closing(Database(folder / "scratch", 1 << 30)) as database:
        alignment = align(paths[0], paths[1], key, database)
        if not alignment.problem:
            list(alignment.pairs((), lambda: None))
    return alignment.problem, alignment.do


@pytest.mark.parametrize(
    ("a", "b", "reason", "remedy"),
    [
        ([1, 2, 3], [3, 2, 1], "", ""),
        ([1, 2], [2, None], "1 row is only in A; B has 1 row without a key (such as 1)", f"{DO_MISSING}; {DO_NULL}"),
        ([1, 1, 2], [2, 1], "A has 2 rows whose key occurs more than once (such as 1)", DO_REPEATED),
        ([1, 2, 3], [3], "2 rows are only in A (such as 1, 2)", DO_MISSING),
        ([1, 2], [2, 3], "1 row is only in A; 1 row is only in B (such as 1, 3)", DO_MISSING),
        ([1, 2], [], "B has no rows", DO_NO_ROWS),
        ([1.5], [1.5], "the key column id of A holds floats, which do not identify rows reliably", DO_OTHER_KEY),
        ([1], ["1"], "the key column id is int64 in A and string in B", DO_TYPE),
    ],
)
def test_every_problem_of_a_key_has_its_remedy(tmp_path: Path, a: Any, b: Any, reason: str, remedy: str) -> None:
    b_ids = pa.array(b, pa.int64()) if not b else pa.array(b)
    assert problem(tmp_path, pa.array(a), b_ids) == (reason, remedy)


def test_a_key_that_the_output_lacks_must_be_written(tmp_path: Path) -> None:
    reason = "the key column row is not in the output of A, which has id, v"
    assert problem(tmp_path, [1], [1], ("row",)) == (reason, DO_WRITE)


def test_without_a_key_the_counts_must_agree(tmp_path: Path) -> None:
    assert problem(tmp_path, [1], [1, 2], ()) == ("A has 1 row and B has 2: rows cannot be paired by position", DO_KEY)
