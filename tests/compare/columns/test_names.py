"""Columns of any name are kept apart: names that differ in case only, and names that the database reserves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import repro_tui
from repro_tui.compare.rows.database import identifier
from repro_tui.compare.slices.inputs import slices_of
from repro_tui.model.predictions import Column
from repro_tui.support.cache import Cache
from repro_tui.support.context import Context
from tests.compare.test_predictions import Compare, compare

__all__ = ["compare"]

NAMES = [
    ("X", "x"),
    ("x", "X"),
    ("Ä", "ä"),
    ("file_row_number", "row_a"),
    ("rowid", "moved"),
    ("=x", "x"),
    ("^58;", "X"),
    ("a0", "b0"),
    ('a"b', "a'b"),
    ("v", "__truth"),
    ("repro row", "n"),
]
every_pair = pytest.mark.parametrize(("constant", "changed"), NAMES, ids=lambda name: name)


def test_different_names_have_different_identifiers() -> None:
    names = [name for pair in NAMES for name in pair]
    assert len({identifier(name).lower() for name in names}) == len(set(names))


def tables(constant: str, changed: str, key: str = "id") -> tuple[pa.Table, pa.Table]:
    rows = 30
    a = {key: np.arange(rows), constant: np.linspace(-9, 9, rows), changed: np.linspace(-5, 5, rows)}
    b = a | {changed: np.where(np.arange(rows) == 4, 77.0, a[changed])}
    return pa.table(a), pa.table(b)


def by_name(columns: tuple[Column, ...]) -> dict[str, tuple[str, int]]:
    return {column.name: (column.verdict, column.different) for column in columns}


@every_pair
def test_outputs_in_any_order(compare: Compare, constant: str, changed: str) -> None:
    a, b = tables(constant, changed)
    shuffled = b.take(pa.array(np.random.default_rng(1).permutation(len(b))))
    for key, table in (((), b), (("id",), b), (("id",), shuffled)):
        area = compare(a, table, key=key)
        assert by_name(area.columns)[constant] == ("identical", 0)
        assert by_name(area.columns)[changed] == ("drift", 1)


@every_pair
def test_a_key_of_any_name(compare: Compare, constant: str, changed: str) -> None:
    a, b = tables("value", changed, constant)
    area = compare(a, b.take(pa.array(np.arange(len(b))[::-1])), key=(constant,))
    assert by_name(area.columns) == {"value": ("identical", 0), changed: ("drift", 1)}


@every_pair
def test_noisy_runs_in_any_order(compare: Compare, constant: str, changed: str) -> None:
    a, b = tables(constant, changed)
    rng = np.random.default_rng(2)

    def runs(table: pa.Table) -> list[pa.Table]:
        position = table.schema.get_field_index(changed)
        values = table[changed].to_numpy()
        noise = (rng.normal(size=len(table)) for _ in range(5))
        noisy = [table.set_column(position, changed, pa.array(values + error)) for error in noise]
        return [run.take(pa.array(rng.permutation(len(run)))) for run in noisy]

    columns = {column.name: column for column in compare(runs(a), runs(b), key=("id",), repeat=5).columns}
    assert columns[constant].verdict == "identical"
    assert columns[changed].verdict in ("drift", "within-noise")
    assert columns[changed].beyond_noise == 1


@every_pair
def test_columns_next_to_a_truth(tmp_path: Path, constant: str, changed: str) -> None:
    labels = {
        "id": [1, 2, 3, 4],
        constant: ["p", "q", "p", "q"],
        changed: ["p", "q", "p", "q"],
        "t": ["p", "q", "p", "q"],
    }
    a, b = pa.table(labels), pa.table(labels | {changed: ["q", "q", "p", "q"]})
    for table, name in ((a, "a"), (b, "b")):
        pq.write_table(table, tmp_path / f"{name}.parquet")
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    comparison = repro_tui.compare(*paths, key=["id"], truth="t", folder=tmp_path / "f")
    measured = {column.name: column.measures for column in comparison.predictions.columns}
    assert (measured[changed]["accuracy_a"], measured[changed]["accuracy_b"]) == (1.0, 0.75)


@every_pair
def test_inputs_in_which_slices_are_found(tmp_path: Path, constant: str, changed: str) -> None:
    rng, rows = np.random.default_rng(4), 2000
    inputs: dict[str, Any] = {"id": np.arange(rows), constant: rng.normal(size=rows), changed: rng.integers(0, 4, rows)}
    a = {"id": np.arange(rows), "label": np.full(rows, "p")}
    b = a | {"label": np.where((inputs[changed] == 2) & (rng.random(rows) < 0.7), "q", "p")}
    for name, table in (("inputs", inputs), ("a", a), ("b", b)):
        pq.write_table(pa.table(table), tmp_path / f"{name}.parquet")
    area = repro_tui.compare(tmp_path / "a.parquet", tmp_path / "b.parquet", key=["id"], folder=tmp_path).predictions
    slices = slices_of(area, tmp_path, tmp_path / "a.parquet", Context(cache=Cache(tmp_path / "cache")))
    assert slices
    assert all(changed in part.name for part in slices)
    assert f"{changed} = 2" in slices[0].name
