"""Reads a table in any known format, recognised by content, and writes it as Parquet. Runs in a child process.

Nothing is guessed away: "NA" stays text, 007 stays text, an identifier keeps all of its digits, floats are read
exactly, and a row of the wrong width is an error with its line. Columns become bool, int64, uint64, float64, text,
or what the file itself declares; nested values become JSON text, lists of numbers stay lists.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROWS_PER_GROUP = 131_072
MOST_CELLS = 4_000_000_000
MOST_BYTES = 32 << 30
NUMBERS_AT_ONCE = 1 << 23  # of an array, so that its rows may be of any size


class TableError(Exception):
    """The file is not a table that can be read; the message says where and why."""


def normalise(raw: Path, out: Path) -> tuple[int, str]:
    """Writes the table in `raw` to `out` as Parquet; returns its rows and format. Raises TableError."""
    form, read = recognise(raw)
    try:
        return _written(read, raw, out), form
    except pa.ArrowInvalid as error:
        raise TableError(f"this is not valid {form}: {error}") from error
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise TableError("the table was not kept: No space left on device") from error
        raise TableError(f"this {form} cannot be read: {error}") from error


def _written(read: Callable[[Path], tuple[pa.Schema, Iterator[pa.RecordBatch]]], raw: Path, out: Path) -> int:
    from repro_tui.support.tables_text import OtherTypes

    try:
        return _write(*read(raw), out)
    except OtherTypes as found:
        return _write(*found.again(), out)


def recognise(raw: Path) -> tuple[str, Callable[[Path], tuple[pa.Schema, Iterator[pa.RecordBatch]]]]:
    """The format of a file by its first bytes, and its reader."""
    from repro_tui.support import tables_text

    with raw.open("rb") as stream:
        head = stream.read(4096)
    if not head:
        raise TableError("the file is empty")
    for magic, form, reader in (
        (b"PAR1", "Parquet", _parquet),
        (b"ARROW1", "Arrow", _arrow_file),
        (b"\x93NUMPY", ".npy", _npy),
    ):
        if head.startswith(magic):
            return form, reader
    if head.startswith(b"\xff\xff\xff\xff"):
        return "Arrow", _arrow_stream
    if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{":
        return "JSON Lines", tables_text.json_lines
    return "CSV", tables_text.csv


def _write(schema: pa.Schema, batches: Iterator[pa.RecordBatch], out: Path) -> int:
    check_names(schema.names)
    target = pa.schema([pa.field(field.name, plain_type(field.type)) for field in schema])
    rows = size = 0
    # Of numbers a dictionary costs more time than it saves space.
    texts = [field.name for field in target if pa.types.is_string(field.type)]
    with pq.ParquetWriter(out, target, compression="zstd", compression_level=1, use_dictionary=texts) as writer:
        for batch in batches:
            batch.validate(full=True)  # offsets that point elsewhere, text that is not UTF-8
            columns = [_plain(column, field.type) for column, field in zip(batch.columns, target, strict=True)]
            table = pa.Table.from_arrays(columns, schema=target)
            rows, size = rows + table.num_rows, size + table.nbytes
            if rows * max(1, len(target)) > MOST_CELLS or size > MOST_BYTES:
                raise TableError(f"the table has more than {MOST_CELLS:,} cells or {MOST_BYTES >> 30} GiB")
            writer.write_table(table, row_group_size=ROWS_PER_GROUP)
    return rows


def check_names(names: list[str]) -> None:
    """Raises TableError where a column has no name, or two have the same."""
    if not names:
        raise TableError("the table has no columns")
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        if not name.strip():
            raise TableError(f"column {number} has no name")
        if name in seen:
            raise TableError(f"two columns are named {name!r}")
        seen.add(name)


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type that a column of this type is written as."""
    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return plain_type(kind.value_type)
    if is_number_list(kind):
        return pa.list_(plain_type(kind.value_type))
    keeps = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_date, pa.types.is_timestamp)
    return kind if any(keep(kind) for keep in keeps) else pa.string()


def is_number_list(kind: pa.DataType) -> bool:
    """Whether a column holds lists of numbers, or such lists within lists to any depth."""
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(is_list(kind) for is_list in lists):
        return False
    inner = kind.value_type
    return bool(pa.types.is_floating(inner) or pa.types.is_integer(inner) or is_number_list(inner))


def _plain(column: pa.Array, target: pa.DataType) -> pa.Array:
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if column.type == target:
        return column
    if pa.types.is_nested(column.type) and not pa.types.is_list(target):
        return pa.array([None if value is None else _json(value) for value in column.to_pylist()], pa.string())
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return pa.array([None if value is None else value.hex() for value in column.to_pylist()], pa.string())
    return pc.cast(column, target)


def _json(value: Any) -> str:
    import json

    return json.dumps(value, sort_keys=True, default=str)


def _parquet(raw: Path) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    file = pq.ParquetFile(raw)
    metadata = file.metadata
    if metadata.num_rows * max(1, metadata.num_columns) > MOST_CELLS:
        raise TableError(f"the table claims {metadata.num_rows:,} rows of {metadata.num_columns} columns")
    return file.schema_arrow, file.iter_batches(batch_size=65_536)


def _arrow_file(raw: Path) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    reader = pa.ipc.open_file(pa.memory_map(str(raw)))
    return reader.schema, (reader.get_batch(number) for number in range(reader.num_record_batches))


def _arrow_stream(raw: Path) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    reader = pa.ipc.open_stream(pa.memory_map(str(raw)))
    return reader.schema, iter(reader)


def _npy(raw: Path) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    import numpy as np

    try:
        array = np.load(raw, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise TableError(f"this .npy cannot be read: {error}") from error
    if array.ndim == 0:
        raise TableError("this .npy holds one value and no rows")
    if array.size > MOST_CELLS:
        raise TableError(f"the array has {array.size:,} cells")
    fields = array.dtype.names or ("value",)
    columns = {name: array[name] if array.dtype.names else array for name in fields}
    if any(column.dtype.kind == "c" for column in columns.values()):
        columns = {f"{name}.{part}": getattr(c, part) for name, c in columns.items() for part in ("real", "imag")}
    sample = {name: _rows(column[:1]) for name, column in columns.items()}
    schema = pa.schema([(name, values.type) for name, values in sample.items()])

    widest = max(int(np.prod(column.shape[1:])) for column in columns.values())
    step = max(1, min(65_536, NUMBERS_AT_ONCE // max(1, widest)))

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, array.shape[0], step):
            parts = [_rows(column[start : start + step]) for column in columns.values()]
            yield pa.RecordBatch.from_arrays(parts, schema=schema)

    return schema, batches()


def _rows(values: Any) -> pa.Array:
    """One row for each entry of the first axis; further axes become lists within lists, so that the shape is kept."""
    import numpy as np

    values = np.ascontiguousarray(values)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype.kind not in "biufUMm":
        raise TableError(f"an array of {values.dtype} is not a table")
    found = pa.array(values.ravel())
    for axis in range(values.ndim - 1, 0, -1):
        lists = int(np.prod(values.shape[:axis]))
        offsets = np.arange(lists + 1, dtype=np.int32) * np.int32(values.shape[axis])
        found = pa.ListArray.from_arrays(pa.array(offsets), found)
    return found
