"""Reads a table in any known format, recognised by its content, and writes it as Parquet. Runs in a child process.

No information is lost by guessing: "NA" and 007 stay text, an identifier keeps all of its digits, floats are read
exactly, and a row of the wrong width is an error with its line. Columns become bool, int64, uint64, float64, text, or
the type that the file itself declares; nested values become JSON text, lists of numbers stay lists, and bytes become
0x and hexadecimal digits.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from repro_tui.formats.columns import (
    BYTES,
    DECIMALS,
    DOCUMENTS,
    NUMBER,
    WIDEST_128,
    TableError,
    TableSizeError,
    check_names,
    decimal_text,
    extension_parameters,
    is_wide,
    plain_type,
)
from repro_tui.formats.tables_text import Table
from repro_tui.support.regular import open_regular
from repro_tui.support.sizes import size_text

ROWS_PER_GROUP = 131_072
MOST_CELLS = 4_000_000_000
MOST_BYTES = 32 << 30
NUMBERS_AT_ONCE = 1 << 23  # numbers of an array per batch, so that its rows may have any size


def normalise(raw: Path, out: Path, columns: Sequence[str] = (), notes: list[str] | None = None) -> tuple[int, str]:
    """Writes the table in `raw` to `out` as Parquet; returns its number of rows and its format.

    `columns` are the names of the columns of a CSV without a header line; what was decided about its header is added to
    `notes`. Raises TableError.
    """
    form, read = recognise(raw, columns, [] if notes is None else notes)
    try:
        return _written(read, raw, out), form
    except pa.ArrowInvalid as error:
        raise TableError(f"this is not valid {form}: {error}") from error
    except (MemoryError, pa.ArrowMemoryError) as error:
        raise TableSizeError("reading the table takes more memory than its reader is allowed") from error
    except ArithmeticError as error:  # a moment or a duration that Python cannot hold
        raise TableError(f"this {form} has a value that is out of range: {error}") from error
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise TableError("the table could not be written: No space left on device") from error
        raise TableError(f"this {form} cannot be read: {error}") from error


def _written(read: Callable[[Path], tuple[pa.Schema, Iterator[pa.RecordBatch]]], raw: Path, out: Path) -> int:
    from repro_tui.formats.tables_csv import OtherTypes

    schema, batches = read(raw)
    narrow = None
    if any(is_wide(field.type) for field in schema):
        narrow = _narrowed(schema, batches)
        schema, batches = read(raw)
    try:
        return _write(schema, batches, out, narrow)
    except OtherTypes as retyped:
        return _write(*retyped.again(), out)


def recognise(
    raw: Path, columns: Sequence[str] = (), notes: list[str] | None = None
) -> tuple[str, Callable[[Path], tuple[pa.Schema, Iterator[pa.RecordBatch]]]]:
    """The format of a file by its first bytes, and its reader; for `columns` and `notes` see `normalise`.

    Raises TableError if it is empty or a JSON array.
    """
    from repro_tui.formats.tables_csv import read_csv
    from repro_tui.formats.tables_json import read_json_lines

    with open_regular(raw) as stream:
        head = stream.read(4096)
    if not head:
        raise TableError("the file is empty")
    for magic, form, reader in (
        (b"PAR1", "Parquet", _parquet),
        (b"ARROW1", "Arrow", _arrow_file),
        (b"\x93NUMPY", ".npy", _npy),
    ):
        if head.startswith(magic):
            return form, partial(_by_library, form, reader)
    if head.startswith(b"\xff\xff\xff\xff"):
        return "Arrow", partial(_by_library, "Arrow", _arrow_stream)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] == b"{":
        return "JSON Lines", read_json_lines
    if _is_array(text):
        raise TableError("the file is one JSON array: write JSON Lines, one object per line")
    return "CSV", lambda path: read_csv(path, columns, notes)


def _by_library(form: str, read: Callable[[Path], Table], raw: Path) -> Table:
    """Reads a binary format, for whose hostile bytes its library raises anything at all, as a TableError."""
    with _library_errors(form):
        schema, batches = read(raw)

    def guarded() -> Iterator[pa.RecordBatch]:
        while True:
            with _library_errors(form):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    return schema, guarded()


@contextmanager
def _library_errors(form: str) -> Iterator[None]:
    try:
        yield
    except (TableError, OSError, MemoryError, pa.ArrowException):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise TableError(f"this is not valid {form}: {type(error).__name__}: {reason}") from error


def _is_array(text: bytes) -> bool:
    """Whether a text begins like a JSON array of objects or lists, rather than like a CSV header."""
    return text[:1] == b"[" and text[1:].lstrip()[:1] in (b"{", b"[")


def _narrowed(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> dict[str, pa.DataType]:
    """The narrower types of wide decimal columns whose values fit in 38 digits; the other wide columns become text."""
    wide = {
        f.name: pa.decimal128(WIDEST_128, f.type.scale)
        for f in schema
        if is_wide(f.type) and 0 <= f.type.scale <= WIDEST_128
    }
    for batch in batches if wide else ():
        for name, kind in list(wide.items()):
            try:
                batch.column(name).cast(kind)
            except pa.ArrowInvalid:
                del wide[name]
    return wide


def _write(
    schema: pa.Schema,
    batches: Iterator[pa.RecordBatch],
    out: Path,
    narrow: dict[str, pa.DataType] | None = None,
) -> int:
    check_names(schema.names)
    target = pa.schema(
        [
            pa.field(field.name, (narrow or {}).get(field.name, plain_type(field.type)), metadata=_held_metadata(field))
            for field in schema
        ]
    )
    rows = size = 0
    # For numbers, a dictionary costs more time than it saves space.
    texts = [field.name for field in target if pa.types.is_string(field.type)]
    ranged = [field.name for field in target if not pa.types.is_string(field.type)]
    with pq.ParquetWriter(out, target, compression="lz4", use_dictionary=texts, write_statistics=ranged) as writer:
        for batch in batches:
            batch.validate(full=True)  # finds offsets out of range, and text that is not UTF-8
            columns = [_plain(column, field.type) for column, field in zip(batch.columns, target, strict=True)]
            table = pa.Table.from_arrays(columns, schema=target)
            rows, size = rows + table.num_rows, size + table.nbytes
            if rows * max(1, len(target)) > MOST_CELLS or size > MOST_BYTES:
                raise TableSizeError(f"the table has more than {MOST_CELLS:,} cells or {size_text(MOST_BYTES)}")
            writer.write_table(table, row_group_size=ROWS_PER_GROUP)
    return rows


def _held_metadata(field: pa.Field) -> dict[bytes, bytes] | None:
    """The metadata of a column that becomes text: whether its values were documents, bytes or decimals."""
    kind = field.type
    while isinstance(kind, pa.BaseExtensionType) or pa.types.is_dictionary(kind):
        if getattr(kind, "extension_name", "") == "arrow.json":
            return DOCUMENTS
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind.storage_type
    if pa.types.is_decimal(kind) and pa.types.is_string(plain_type(kind)):
        return DECIMALS
    if pa.types.is_nested(kind) and pa.types.is_string(plain_type(field.type)):
        return DOCUMENTS
    return BYTES if _is_binary(kind) else DOCUMENTS if field.metadata == DOCUMENTS else None


def _plain(column: pa.Array, target: pa.DataType) -> pa.Array:
    if isinstance(column, pa.FixedShapeTensorArray):
        column = _nested(column)
    elif isinstance(column, pa.ExtensionArray):
        parameters = extension_parameters(column.type)
        column = column.storage
        if parameters:  # such as the frequency of a period, without which its values have no meaning
            return pa.array([None if v is None else f"{v} {parameters}" for v in column.to_pylist()], pa.string())
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if column.type == target:
        return column
    if pa.types.is_nested(column.type) and not pa.types.is_list(target):
        return pa.array([_json(value, column.type) for value in column.to_pylist()], pa.string())
    if pa.types.is_decimal(column.type) and pa.types.is_string(target):
        return pa.array(map(decimal_text, column.to_pylist()), pa.string())
    if _is_binary(column.type):
        return pa.array([None if value is None else _hexadecimal(value) for value in column.to_pylist()], pa.string())
    return pc.cast(column, target)


def _nested(column: pa.FixedShapeTensorArray) -> pa.Array:
    """Tensors as nested lists."""
    if column.null_count:
        return pa.array(
            [
                None if tensor is None else np.reshape(tensor, column.type.shape).tolist()
                for tensor in column.storage.to_pylist()
            ],
            plain_type(column.type),
        )
    lists = column.storage.flatten()
    for size in reversed(column.type.shape):
        offsets = np.arange(0, len(lists) + 1, size, dtype=np.int32)
        lists = pa.ListArray.from_arrays(pa.array(offsets), lists)
    return lists


def _is_binary(kind: pa.DataType) -> bool:
    binary = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary)
    return any(check(kind) for check in binary)


def _hexadecimal(value: bytes) -> str:
    return f"0x{value.hex()}"


def _json(value: object, kind: pa.DataType) -> str | None:
    import json

    return (
        None if value is None else json.dumps(_document(value, kind), sort_keys=True, ensure_ascii=False, default=str)
    )


def _document(value: object, kind: pa.DataType) -> object:
    """A nested value as a JSON value: a map becomes an object, a number of any type a number."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if value is None:
        return None
    if isinstance(value, dict):
        return {part.name: _document(value[part.name], part.type) for part in kind}
    if isinstance(value, list) and pa.types.is_map(kind):
        pairs = [(_key_text(key), _document(item, kind.item_type)) for key, item in value]
        table = dict(pairs)
        return table if len(table) == len(pairs) else [list(pair) for pair in pairs]
    if isinstance(value, list):
        return [_document(item, kind.value_type) for item in value]
    return _plain_value(value)


def _key_text(key: object) -> str:
    plain = _plain_value(key)
    return plain if isinstance(plain, str) else str(plain)


def _plain_value(value: object) -> object:
    if isinstance(value, bytes):
        return f"{_hexadecimal(value)} (bytes)"
    if isinstance(value, Decimal):
        if value == value.to_integral_value():
            return int(value)
        return float(value) if Decimal(repr(float(value))) == value else f"{decimal_text(value)}{NUMBER}"
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat()
    return value.isoformat() if isinstance(value, date | time) else value


def _parquet(raw: Path) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    file = pq.ParquetFile(raw)
    metadata = file.metadata
    if metadata.num_rows * max(1, metadata.num_columns) > MOST_CELLS:
        raise TableSizeError(
            f"the table declares {metadata.num_rows:,} rows of {metadata.num_columns} columns, "
            f"more than {MOST_CELLS:,} cells"
        )
    return file.schema_arrow, file.iter_batches(batch_size=65_536)


def _arrow_file(raw: Path) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    reader = pa.ipc.open_file(pa.memory_map(str(raw)))
    return reader.schema, (reader.get_batch(number) for number in range(reader.num_record_batches))


def _arrow_stream(raw: Path) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    reader = pa.ipc.open_stream(pa.memory_map(str(raw)))
    return reader.schema, iter(reader)


def _npy(raw: Path) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:

    try:
        array = np.load(raw, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise TableError(f"this .npy file cannot be read: {error}") from error
    if array.ndim == 0:
        raise TableError("this .npy file has a single value and no rows")
    if array.size > MOST_CELLS:
        raise TableSizeError(f"the array has {array.size:,} cells, more than {MOST_CELLS:,}")
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


def _rows(values: npt.NDArray[np.generic]) -> pa.Array:
    """One row per entry of the first axis; further axes become nested lists, so that the shape is kept."""

    values = np.ascontiguousarray(values)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype.kind not in "biufUMm":
        raise TableError(f"an array of type {values.dtype} cannot be read as a table")
    array = pa.array(values.ravel())
    for axis in range(values.ndim - 1, 0, -1):
        lists = int(np.prod(values.shape[:axis]))
        offsets = np.arange(lists + 1, dtype=np.int32) * np.int32(values.shape[axis])
        array = pa.ListArray.from_arrays(pa.array(offsets), array)
    return array
