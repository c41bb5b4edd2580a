"""Each comparison has one database, opened on first use, whose connections are independent of each other."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from repro_tui.compare.predictions import compare_predictions
from repro_tui.compare.rows.database import Database
from repro_tui.model.record import Validation
from repro_tui.model.request import Settings
from repro_tui.model.run import Run
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every database that is opened."""
    connections: list[Any] = []
    connect = duckdb.connect

    def remembering(*arguments: Any, **options: Any) -> Any:
        connections.append(connect(*arguments, **options))
        return connections[-1]

    monkeypatch.setattr(duckdb, "connect", remembering)
    return connections


def written(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("duplicates", [0, 2])
def test_a_comparison_opens_one_database_and_closes_it(tmp_path: Path, opened: list[Any], duplicates: int) -> None:
    """Rows in another order, with a truth and noise, or with repeated keys: each of these needs the database."""
    rng, rows = np.random.default_rng(3), 300
    written(tmp_path / "inputs.parquet", id=np.arange(rows), truth=rng.integers(0, 2, rows))
    sides: list[list[Run]] = [[], []]
    for number in range(10):
        ids = rng.permutation(rows)
        if duplicates and number == 1:
            ids[:duplicates] = 0
        x = rng.normal(size=rows) + 5 * (number % 2)
        path = written(tmp_path / f"{number}.parquet", id=ids, x=x, label=rng.integers(0, 2, rows))
        sides[number % 2].append(Run(number, "succeeded", 1.0, 0, str(path), str(number)))
    context = Context(cache=Cache(tmp_path / "cache"))
    validation = Validation(key=("id",), truth="truth")
    area = compare_predictions(sides[0], sides[1], validation, Settings(), tmp_path, context)
    assert area.verdict == ("not-comparable" if duplicates else "drift")
    assert area.rows.duplicate_b >= duplicates
    measures = {name for column in area.columns for name in column.measures}
    assert ("mcnemar_p" in measures, area.noise.runs, area.noise.p is None) == (not duplicates, 5, bool(duplicates))
    assert len(opened) == 1
    with pytest.raises(duckdb.Error, match=r"(?i)closed"):
        opened[0].execute("SELECT 1")
    assert list((tmp_path / "cache" / "temporary").iterdir()) == []


def test_a_comparison_without_queries_opens_no_database(tmp_path: Path, opened: list[Any]) -> None:
    sides = [written(tmp_path / f"{side}.parquet", e=[[1.0, 2.0]] * 3) for side in "ab"]
    a, b = ([Run(n, "succeeded", 1.0, 0, str(side), str(side)) for n in (1, 2)] for side in sides)
    context = Context(cache=Cache(tmp_path / "cache"))
    assert compare_predictions(a, b, Validation(), Settings(), tmp_path, context).verdict == "identical"
    assert opened == []


def test_pairs_that_are_read_at_once_are_not_mixed_up(tmp_path: Path) -> None:
    paths = [written(tmp_path / f"{name}.parquet", x=[value]) for value, name in enumerate("pqr")]
    with closing(Database(tmp_path / "scratch", 1 << 30)) as database:
        with database.pair(paths[0], paths[1]) as outer:
            outer.execute("CREATE TEMP TABLE twice AS SELECT 1 AS n")
            outer.register("hashes", pa.table({"h": [1]}))
            reading = outer.sql('SELECT a."=x" AS a, b."=x" AS b FROM a, b').to_arrow_reader()
            with database.pair(paths[2], paths[2]) as inner:
                assert inner.execute('SELECT a."=x", b."=x" FROM a, b').fetchall() == [(2, 2)]
                inner.execute("CREATE TEMP TABLE twice AS SELECT 2 AS n")
                with pytest.raises(duckdb.CatalogException, match="does not exist"):
                    inner.execute("SELECT * FROM hashes")
            assert reading.read_all().to_pylist() == [{"a": 0, "b": 1}]
            assert outer.execute("SELECT n FROM twice").fetchall() == [(1,)]
        with database.connection() as later, pytest.raises(duckdb.CatalogException):
            later.execute("SELECT * FROM twice")


def test_a_database_has_the_limit_of_memory_and_draws_no_progress_bar(tmp_path: Path) -> None:
    with closing(Database(tmp_path / "scratch", 1 << 30)) as database, database.connection() as connection:
        asked = ("enable_progress_bar", "preserve_insertion_order", "temp_directory", "memory_limit")
        settings = [connection.execute(f"SELECT current_setting('{name}')").fetchall()[0][0] for name in asked]
    assert settings == [False, False, str(tmp_path / "scratch"), "576.0 MiB"]
