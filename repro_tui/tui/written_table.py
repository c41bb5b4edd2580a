"""Writes a table that a screen shows to a CSV or Parquet file: streamed, and all of it or nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from repro_tui.tui.editor import as_json

if TYPE_CHECKING:
    from pyarrow import Array, RecordBatch, Schema
    from pyarrow.csv import CSVWriter
    from pyarrow.parquet import ParquetWriter


# Spreadsheets drop blanks, line ends and invisible characters before the text of a cell: the first visible one decides.
# Those of full width begin a formula too.
_FORMULA = r"^([\s\p{Z}\p{C}]*[=+\-@\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]|[\t\r])"
_NUMBER = r"^\s*[+-]?(\d+\.?\d*([eE][+-]?\d+)?|inf|nan)\s*$"


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
    """A batch without formulas in text or names, whose nested and binary values are JSON; numbers stay numbers."""
    import pyarrow as pa

    columns = [_harmless_column(column) for column in batch.columns]
    names = _without_formulas(pa.array(batch.schema.names, pa.string())).to_pylist()
    return pa.RecordBatch.from_arrays(columns, names=names)


def _harmless_column(column: Array) -> Array:
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    binary = (
        types.is_binary(column.type) or types.is_large_binary(column.type) or types.is_fixed_size_binary(column.type)
    )
    if types.is_nested(column.type) or binary:
        column = pa.array([None if value is None else as_json(value) for value in column.to_pylist()], pa.string())
    text = types.is_string(column.type) or types.is_large_string(column.type)
    return _without_formulas(column) if text else column


def _without_formulas(column: Array) -> Array:
    """Texts in which an apostrophe stands before what a spreadsheet would read as a formula."""
    import pyarrow.compute as pc

    number = pc.match_substring_regex(column, _NUMBER)
    formula = pc.and_(pc.match_substring_regex(column, _FORMULA), pc.invert(number))
    return pc.if_else(pc.fill_null(formula, False), pc.binary_join_element_wise("'", column, ""), column)
