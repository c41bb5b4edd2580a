"""Writes a table that a screen shows to a CSV or Parquet file: streamed, and all of it or nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from repro_tui.tui.editor import as_json

if TYPE_CHECKING:
    from pyarrow import RecordBatch, Schema
    from pyarrow.csv import CSVWriter
    from pyarrow.parquet import ParquetWriter


@dataclass(frozen=True, slots=True)
class WrittenTable:
    """A table to be written: its name, a function that yields its rows as record batches, and the number of rows."""

    name: str
    batches: Callable[[], Iterator[RecordBatch]]
    count: int


def write_parquet(table: WrittenTable, path: Path) -> None:
    """Writes a table as Parquet, with its types. Raises OSError."""
    import pyarrow.parquet as pq

    _write_table(table, path, lambda target, schema: pq.ParquetWriter(target, schema, compression="zstd"), _unchanged)


def write_csv(table: WrittenTable, path: Path) -> None:
    """Writes a table as CSV; text that a spreadsheet would read as a formula gets an apostrophe. Raises OSError."""
    from pyarrow import csv

    _write_table(table, path, csv.CSVWriter, harmless)


def _write_table(
    table: WrittenTable,
    path: Path,
    open_writer: Callable[[str, Schema], CSVWriter | ParquetWriter],
    change: Callable[[RecordBatch], RecordBatch],
) -> None:
    """Streams the batches, each changed by `change`, to a temporary file that replaces `path` when it is complete."""
    batches = table.batches()
    first = next(batches, None)
    if first is None:
        raise OSError("the table has no rows")
    with tempfile.NamedTemporaryFile(dir=path.absolute().parent, prefix=".repro-tui-", delete=False) as stream:
        temporary = Path(stream.name)
    try:
        first = change(first)
        with open_writer(str(temporary), first.schema) as writer:
            writer.write_batch(first)
            for batch in batches:
                writer.write_batch(change(batch))
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _unchanged(batch: RecordBatch) -> RecordBatch:
    return batch


def harmless(batch: RecordBatch) -> RecordBatch:
    """A batch in which no text begins a formula, and nested and binary values are JSON; numbers stay numbers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = []
    for column in batch.columns:
        if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
            column = pa.array([None if value is None else as_json(value) for value in column.to_pylist()], pa.string())
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            number = pc.match_substring_regex(column, r"^[+-]?(\d+\.?\d*([eE][+-]?\d+)?|inf|nan)$")
            formula = pc.and_(pc.match_substring_regex(column, r"^[=+\-@\t\r]"), pc.invert(number))
            column = pc.if_else(pc.fill_null(formula, False), pc.binary_join_element_wise("'", column, ""), column)
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
