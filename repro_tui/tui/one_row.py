"""One row of the predictions: what was asked, and what both sides answered, read from the audit's folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro_tui.model.finding import Finding, Severity
from repro_tui.tui.differences import Cell, key_words, relative
from repro_tui.tui.lazy_table import quoted

BATCH = 4096  # rows that are decoded at a time


@dataclass(frozen=True, slots=True)
class Answer:
    """One output column of a row: both values as text (None: absent), and the differing cell where there is one."""

    column: str
    a: Any
    b: Any
    cell: Cell | None = None


def answers(a: Path | None, b: Path | None, cells: Sequence[Cell]) -> list[Answer]:
    """Every output column of the row that these cells stand in: those that differ first, then those that do not."""
    found = [Answer(cell.column, cell.a, cell.b, cell) for cell in cells]
    differing = {cell.column for cell in cells}
    values_a = row_at(a, cells[0].row_a) if cells else {}
    values_b = row_at(b, cells[0].row_b) if cells else {}
    same = [name for name in dict.fromkeys((*values_a, *values_b)) if name not in differing]
    return found + [Answer(name, values_a.get(name), values_b.get(name)) for name in same]


def row_at(path: Path | None, row: int | None) -> dict[str, Any]:
    """The row of a Parquet file with this number (0-based), of which only its own group of rows is read; {}: none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path is None or row is None or not path.exists():
        return {}
    try:
        with pq.ParquetFile(path) as file:
            for group in range(file.metadata.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                if row < rows:
                    return _within(file.iter_batches(BATCH, row_groups=[group]), row)
                row -= rows
    except (OSError, pa.ArrowException):
        return {}
    return {}


def _within(batches: Iterator[Any], row: int) -> dict[str, Any]:
    for batch in batches:
        if row < batch.num_rows:
            return dict(batch.slice(row, 1).to_pylist()[0])
        row -= batch.num_rows
    return {}


def input_row(path: Path, cell: Cell, key: tuple[str, ...]) -> list[tuple[str, Any]]:
    """The validation inputs of a row, found by its key, or by its position where rows go by position."""
    if not path.exists():
        return []
    if not key:
        return list(row_at(path, cell.input_row).items())
    known = {row[0] for row in _rows("SELECT name FROM parquet_schema(?)", [str(path)])[1]}
    if not set(key) <= known:
        return []
    where = " AND ".join(f"CAST({quoted(name)} AS VARCHAR) = ?" for name in key)
    values = [str(value) for value in json.loads(cell.key)]
    return _first(f"SELECT * FROM read_parquet(?) WHERE {where} LIMIT 1", [str(path), *values])  # noqa: S608


def _first(query: str, values: list[Any]) -> list[tuple[str, Any]]:
    names, rows = _rows(query, values)
    return list(zip(names, rows[0], strict=True)) if rows else []


def _rows(query: str, values: list[Any]) -> tuple[list[str], list[tuple[Any, ...]]]:
    import duckdb

    with duckdb.connect() as connection:
        found = connection.execute(query, values)
        return [item[0] for item in found.description or []], found.fetchall()


def answer_finding(cell: Cell, answer: Answer) -> Finding:
    """One output of the row in which the cell stands, as the screen of two values takes it."""
    if answer.cell is not None:
        return cell_finding(answer.cell)
    return Finding((key_words(cell.key), answer.column), "same", answer.a, answer.b)


def cell_finding(cell: Cell) -> Finding:
    """A differing cell, as the screen of two values takes it."""
    moved = "" if cell.abs_delta is None else f", |Δ| {cell.abs_delta:.4g} {relative(cell.rel_delta)}".rstrip()
    noise = f", {cell.noise} its own noise" if cell.noise else ""
    note = cell.verdict + moved + (", a decision flips" if cell.flip else "") + noise
    severity: Severity = "important" if cell.verdict == "different" else "notice"
    return Finding((key_words(cell.key), cell.column), "changed", cell.a, cell.b, severity, note)
