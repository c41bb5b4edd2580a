"""One row of the predictions: its inputs, and the outputs of both sides, read from the audit's folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from repro_tui.model.finding import Finding, Severity
from repro_tui.tui.differences import Cell, key_text, relative

if TYPE_CHECKING:
    from pyarrow import RecordBatch

BATCH = 4096  # rows decoded at a time


@dataclass(frozen=True, slots=True)
class Answer:
    """One output column of a row: both values (None: absent), and the differing cell where they differ."""

    column: str
    a: object
    b: object
    cell: Cell | None = None


def answers(a: Path | None, b: Path | None, cells: Sequence[Cell]) -> list[Answer]:
    """Every output column of one row, the differing ones first.

    `a` and `b` are the Parquet files of both sides' predictions (None: there is none), and `cells` all differing cells
    of the row.
    """
    changed = [Answer(cell.column, cell.a, cell.b, cell) for cell in cells]
    differing = {cell.column for cell in cells}
    values_a = row_at(a, cells[0].row_a) if cells else {}
    values_b = row_at(b, cells[0].row_b) if cells else {}
    same = [name for name in dict.fromkeys((*values_a, *values_b)) if name not in differing]
    return changed + [Answer(name, values_a.get(name), values_b.get(name)) for name in same]


def row_at(path: Path | None, row: int | None) -> dict[str, object]:
    """The row with this number (from 0) of a Parquet file, of which only its row group is read; {} if there is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path is None or row is None or not path.exists():
        return {}
    try:
        with pq.ParquetFile(path) as file:
            for group in range(file.metadata.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                if row < rows:
                    return _row_in(file.iter_batches(BATCH, row_groups=[group]), row)
                row -= rows
    except (OSError, pa.ArrowException):
        return {}
    return {}


def _row_in(batches: Iterator[RecordBatch], row: int) -> dict[str, object]:
    for batch in batches:
        if row < batch.num_rows:
            return dict(batch.slice(row, 1).to_pylist()[0])
        row -= batch.num_rows
    return {}


def input_row(path: Path, cell: Cell, key: tuple[str, ...]) -> list[tuple[str, object]]:
    """The validation inputs of a cell's row as (column, value), found by its key, or by its number without a key."""
    if not path.exists():
        return []
    if not key:
        return list(row_at(path, cell.input_row).items())
    try:
        values = dict(zip(key, json.loads(cell.key), strict=True))
    except (ValueError, TypeError, RecursionError):  # no engine wrote it
        return []
    return list(row_of(path, values, as_text=True).items())


def row_of(path: Path, key: Mapping[str, object], *, as_text: bool = False) -> dict[str, object]:
    """The first row of a Parquet file with these values in its key columns; {} if there is none, or no such column.

    `as_text` compares the values as text, as the key of a differing cell has them.
    """
    import duckdb
    import pyarrow as pa

    try:
        return _row_of(path, key, as_text)
    except (OSError, pa.ArrowException, duckdb.Error):
        return {}


def _row_of(path: Path, key: Mapping[str, object], as_text: bool) -> dict[str, object]:
    import duckdb
    import pyarrow.parquet as pq

    from repro_tui.compare.rows.database import quoted, table

    names = pq.read_schema(path).names
    if not set(key) <= set(names):
        return {}
    columns = [f"CAST({quoted(name)} AS VARCHAR)" if as_text else quoted(name) for name in key]
    query = f"SELECT * FROM {table(path)} WHERE {' AND '.join(f'{column} = ?' for column in columns)} LIMIT 1"  # noqa: S608
    with duckdb.connect() as connection:
        row = connection.execute(query, [str(v) if as_text else v for v in key.values()]).fetchone()
    return dict(zip(names, row, strict=True)) if row else {}


def answer_finding(cell: Cell, answer: Answer) -> Finding:
    """One output of a cell's row as a finding, for the screen that shows two values."""
    if answer.cell is not None:
        return cell_finding(answer.cell)
    return Finding((key_text(cell.key), answer.column), "same", answer.a, answer.b)


def cell_finding(cell: Cell) -> Finding:
    """A differing cell as a finding, for the screen that shows two values."""
    moved = "" if cell.abs_delta is None else f", |Δ| {cell.abs_delta:.4g} {relative(cell.rel_delta)}".rstrip()
    noise = f", {cell.noise} its own noise" if cell.noise else ""
    note = cell.verdict + moved + (", a decision flips" if cell.flip else "") + noise
    severity: Severity = "important" if cell.verdict == "different" else "notice"
    return Finding((key_text(cell.key), cell.column), "changed", cell.a, cell.b, severity, note)
