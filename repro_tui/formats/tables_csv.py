"""Strict CSV: typed by the content of each column, without losing how a value was written.

Idea: the types are guessed from the first block of rows, and the table is written with these types in one pass. If a
later row does not fit, the pass is abandoned (`OtherTypes`) and the table is read again, typed by all of its rows. So
most files are read once, and none gets a type that depends on where its odd rows are.

A column becomes a number only if every cell is written as we would write it: 007, +1 and -0 keep the column text, and
so does a whole number with more digits than a float can hold, next to fractions. `csv_bytes` finds out first whether
such cells can exist at all. If not, Arrow parses the cells as numbers, which is several times faster; otherwise they
are read as text and converted here.

Example: a column 1, 2, 3.5 becomes float64; 1, 2, 007 becomes text; true, false becomes bool; an empty column is text.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from repro_tui.formats.columns import TableError
from repro_tui.formats.csv_bytes import BLOCK, check_bytes, check_text
from repro_tui.formats.csv_header import DROPPED, KEPT, UNNAMED, Header, other_header, read_header
from repro_tui.formats.tables_text import Table, keeps
from repro_tui.support.regular import open_text

LONGEST_LINE = 64 << 20
Spelling = tuple[str, str]  # of true and false
_NOT_FINITE = r"^[+-]?([nN]a[nN]|nan|NAN|inf|Inf|INF|[iI]nfinity)$"
_ZERO = r"^[+-]?[0.]+([eE][+-]?[0-9]+)?$"  # a written zero; a number that a float would round to 0 does not match
_FLOAT = r"^[+-]?(((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?|[nN]a[nN]|nan|NAN|inf|Inf|INF|[iI]nfinity)$"
# Whole numbers of more than 15 digits would lose some as float64, however they are written: a column with one that does
# is text, not float.
_LONG = r"^[+-]?[0-9]{16,}(\.0*)?([eE][+-]?[0-9]+)?$"
_BOOLEANS = (("true", "false"), ("True", "False"), ("TRUE", "FALSE"))
LONG = 1e15  # from here on, a float may be a whole number of more digits than a float keeps
FEW = 8  # cells that are tried first: a failing cast of a whole column takes as long as a successful one


class OtherTypes(Exception):
    """Later rows have other types than the first rows; `again` reads the table once more, typed by all rows."""

    def __init__(self, again: Callable[[], Table]) -> None:
        super().__init__()
        self.again = again


def read_csv(raw: Path, columns: Sequence[str] = (), notes: list[str] | None = None) -> Table:
    """Reads a CSV file: UTF-8, commas, RFC 4180 quotes, with a header line unless `columns` names the columns.

    The schema is guessed from the first rows. Iterating over the batches raises OtherTypes if it does not fit all rows.
    Raises TableError, with the line, if the file is not such a CSV. `notes` gets what was decided about the header.
    """
    is_canonical = check_bytes(raw)
    try:
        reader = _opened(raw, read_header(raw, columns), [] if notes is None else notes)
    except UnicodeDecodeError:
        check_text(raw)
        raise
    kinds = [_ColumnKind() for _ in reader.names]
    for batch in itertools.islice(reader.batches(ahead=False), 1):
        list(map(_ColumnKind.see, kinds, batch.columns))
    types = [kind.type() for kind in kinds]
    parsed = _parsed_by_arrow(reader, kinds, types) if is_canonical else _parsed_from_text(reader, kinds, types)
    return reader.schema(types), _batches(reader, types, parsed)


def _read_by_all_rows(reader: _CsvReader) -> Table:
    """Reads the table with types by all rows, which takes twice as long."""
    kinds = [_ColumnKind() for _ in reader.names]
    with ThreadPoolExecutor() as pool:
        for batch in reader.batches():
            list(pool.map(_ColumnKind.see, kinds, batch.columns))
    types = [kind.type() for kind in kinds]
    return reader.schema(types), _batches(reader, types, _parsed_from_text(reader, kinds, types))


def _batches(
    reader: _CsvReader, types: list[pa.DataType], batches: Iterator[list[pa.Array | None]]
) -> Iterator[pa.RecordBatch]:
    """The batches with these types. Raises OtherTypes at the first column that does not fit its type (None)."""
    schema = reader.schema(types)
    for columns in batches:
        if any(column is None for column in columns):
            raise OtherTypes(lambda: _read_by_all_rows(reader))
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _parsed_by_arrow(
    reader: _CsvReader, kinds: list[_ColumnKind], types: list[pa.DataType]
) -> Iterator[list[pa.Array | None]]:
    """The columns of each batch, with numbers parsed by Arrow; None for a column that does not fit its type.

    Only for files without odd spellings of numbers (`check_bytes`): Arrow would read 007 as 7.
    """
    spellings = {kind.spelling() for kind, typed in zip(kinds, types, strict=True) if pa.types.is_boolean(typed)}
    spelling = spellings.pop() if len(spellings) == 1 else None  # the reader has one spelling for all columns
    parsed = [kind if _is_number(kind) or (spelling and pa.types.is_boolean(kind)) else pa.string() for kind in types]
    try:
        for batch in reader.batches(parsed, spelling):
            yield list(map(_checked, kinds, batch.columns, types))
    except pa.ArrowInvalid:  # a cell is not a number
        yield [None]


def _parsed_from_text(
    reader: _CsvReader, kinds: list[_ColumnKind], types: list[pa.DataType]
) -> Iterator[list[pa.Array | None]]:
    """The columns of each batch, read as text and then converted; None for a column that does not fit its type."""
    with ThreadPoolExecutor() as pool:
        for batch in reader.batches():
            yield list(pool.map(_converted, kinds, batch.columns, types))


def _checked(kind: _ColumnKind, column: pa.Array, expected: pa.DataType) -> pa.Array | None:
    """The column in its expected type; None if it may have another one.

    That is so for a text column that was empty or boolean before, and for floats that are not finite or may be whole
    numbers of more digits than a float has.
    """
    if pa.types.is_floating(expected):
        sizes = pc.abs(column)
        return column if pc.all(pc.less(pc.fill_null(sizes, 0.0), LONG)).as_py() else None
    if column.type == expected and not (pa.types.is_string(expected) and (kind.booleans or not kind.filled)):
        return column
    kind.see(pc.fill_null(column, ""))
    return _cast(column, expected) if kind.type() == expected else None


def _converted(kind: _ColumnKind, column: pa.Array, expected: pa.DataType) -> pa.Array | None:
    """A column of text in its expected type; None if its cells do not fit that."""
    numbers = kind.see(column)
    if kind.type() != expected:
        return None
    return numbers if numbers is not None and numbers.type == expected else _cast(column, expected)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _opened(raw: Path, header: Header, notes: list[str]) -> _CsvReader:
    """The reader of a file with this header. An index column without a name is dropped where it counts the rows."""
    reader = _CsvReader(raw, header)
    if header.without_line:
        _refuse_header(reader)
    elif header.has_index:
        counts = all(cell == str(number) for number, cell in enumerate(_first_cells(reader)))
        reader.names = list(header.names[1:]) if counts else reader.names
        notes.append(DROPPED if counts else KEPT)
    notes += [UNNAMED] if header.without_line else []
    return reader


def _first_cells(reader: _CsvReader) -> Iterator[str]:
    """The cells of the first column as text."""
    only = _CsvReader(reader.raw, reader.header, reader.names[:1])
    for batch in only.batches(ahead=False):
        yield from batch.column(0).to_pylist()


def _refuse_header(reader: _CsvReader) -> None:
    """Raises TableError if the first line is a header after all, with other names than the recorded ones.

    It is one if none of its cells is a number, and below it there is a column of numbers.
    """
    batch = next(reader.batches(ahead=False), None)
    if batch is None or len(batch) < 2:
        return
    first, rest = batch.slice(0, 1), batch.slice(1)
    filled = [column for column in rest.columns if pc.all(pc.greater(pc.binary_length(column), 0)).as_py()]
    below = [_floats(column) is not None for column in filled]
    if any(below) and all(_floats(column) is None for column in first.columns):
        raise other_header((column[0].as_py() for column in first.columns), reader.names)


class _CsvReader:
    """Reads the rows of one CSV file batch by batch, and checks the width of each row. `names`: the columns to read."""

    def __init__(self, raw: Path, header: Header, names: Sequence[str] | None = None) -> None:
        self.raw, self.header = raw, header
        self.names = list(header.names if names is None else names)

    def schema(self, types: list[pa.DataType]) -> pa.Schema:
        return pa.schema(list(zip(self.names, types, strict=True)))

    def batches(
        self, types: list[pa.DataType] | None = None, spelling: Spelling | None = None, *, ahead: bool = True
    ) -> Iterator[pa.RecordBatch]:
        """The rows as text, or in these types, with empty cells as null and the `spelling` of true and false.

        `ahead`: blocks are read in other threads before they are needed. Raises TableError for a row of another width.
        """
        invalid: list[pacsv.InvalidRow] = []

        def refuse(row: pacsv.InvalidRow) -> str:
            invalid.append(row)
            return "error"

        read = pacsv.ReadOptions(
            column_names=self.header.names, skip_rows=self.header.lines, block_size=BLOCK, use_threads=ahead
        )
        parse = pacsv.ParseOptions(
            newlines_in_values=True, ignore_empty_lines=len(self.header.names) > 1, invalid_row_handler=refuse
        )
        convert = pacsv.ConvertOptions(
            include_columns=self.names,
            column_types=dict(zip(self.names, types or [pa.string()] * len(self.names), strict=True)),
            strings_can_be_null=types is not None,
            null_values=[""],
            true_values=spelling[:1] if spelling else None,
            false_values=spelling[1:] if spelling else None,
        )
        try:
            with pacsv.open_csv(self.raw, read, parse, convert) as reader:
                yield from reader
        except pa.ArrowInvalid as error:
            if "Empty CSV file" in str(error) or "Could not skip" in str(error):
                return
            if invalid:
                raise TableError(self._width_message(invalid[0])) from error
            check_text(self.raw)
            raise

    def _width_message(self, row: pacsv.InvalidRow) -> str:
        """The message for the first row of another width, with its line, which Python's own reader finds."""
        width = len(self.header.names)
        named = "predict.columns names" if self.header.without_line else "the header has"
        before = csv.field_size_limit(LONGEST_LINE)  # it applies to the whole process
        try:
            with open_text(self.raw, "utf-8-sig") as stream:
                reader = csv.reader(stream)
                for fields in reader:
                    if fields and len(fields) != width:
                        return f"line {reader.line_num} has {len(fields)} fields, but {named} {width}"
        finally:
            csv.field_size_limit(before)
        return f"a row has {row.actual_columns} fields, but {named} {row.expected_columns}"


class _ColumnKind:
    """The types that one column can still have, narrowed by every cell that is seen.

    `booleans` are the spellings of true and false that were seen; None: other text was.
    """

    def __init__(self) -> None:
        self.integer, self.float, self.long, self.filled = True, True, False, False
        self.booleans: set[str] | None = set()
        self.low = self.high = 0

    def see(self, column: pa.Array) -> pa.Array | None:
        """Narrows the types by some cells; returns the cells as numbers if all of them are."""
        empty = pc.equal(pc.binary_length(column), 0)
        values = column.filter(pc.invert(empty)) if pc.any(empty).as_py() else column
        if not len(values):
            return None
        self.filled = True
        numbers = None
        # A few first: a cast of all that fails takes as long as one that succeeds.
        for part in (values.slice(0, FEW), values) if self.integer else ():
            numbers = self._integers(part) if self.integer else None
            self.integer = numbers is not None
        for part in (values.slice(0, FEW), values) if self.float and not self.integer else ():
            numbers = _floats(part) if self.float else None
            self.float = numbers is not None
        if self.float:
            self.long = self.long or _is_long(values, numbers)
        self._see_booleans(values)
        return numbers if len(values) == len(column) else None

    def _see_booleans(self, values: pa.Array) -> None:
        if self.booleans is None:
            return
        self.booleans |= set(pc.unique(values.slice(0, FEW)).to_pylist())
        if self.spelling():
            self.booleans |= set(pc.unique(values).to_pylist()[:3])
        if not self.spelling():
            self.booleans = None

    def spelling(self) -> Spelling | None:
        """How true and false are written, if the column has no other text."""
        return next((pair for pair in _BOOLEANS if self.booleans is not None and self.booleans <= set(pair)), None)

    def _integers(self, values: pa.Array) -> pa.Array | None:
        """The cells as whole numbers; None if one is not written canonically, such as 007, -0, +1 or 0x1F."""
        if any(pc.any(pc.starts_with(values, odd)).as_py() for odd in ("-0", "+")):
            return None
        if pc.any(pc.and_not(pc.starts_with(values, "0"), pc.equal(values, "0"))).as_py():
            return None
        for kind in (pa.int64(), pa.uint64()):
            try:
                numbers = pc.cast(values, kind)
            except pa.ArrowInvalid:
                continue
            limits = pc.min_max(numbers)
            self.low, self.high = min(self.low, limits["min"].as_py()), max(self.high, limits["max"].as_py())
            return numbers if self.high < 1 << 63 or self.low >= 0 else None
        return None

    def type(self) -> pa.DataType:
        """The type of the column, after the cells that were seen."""
        if not self.filled:
            return pa.string()
        if self.booleans:
            return pa.bool_()
        if self.integer:
            return pa.uint64() if self.high >= 1 << 63 else pa.int64()
        return pa.float64() if self.float and not self.long else pa.string()


def _is_long(values: pa.Array, numbers: pa.Array) -> bool:
    """Whether one of these whole numbers would lose a digit as a float."""
    sizes = pc.abs(numbers.cast(pa.float64(), safe=False))
    large = values.filter(pc.and_(pc.greater_equal(sizes, LONG), pc.is_finite(sizes)))
    return bool(len(large)) and any(re.match(_LONG, text) and not keeps(text) for text in large.to_pylist())


def _floats(values: pa.Array) -> pa.Array | None:
    """The cells as floats; None if one is not a float, or exceeds the range of floats.

    Arrow also reads spellings that we do not accept (007, nan(1)); these are only searched for where they may occur.
    """
    signed = pc.any(pc.starts_with(values, "+")).as_py()
    zeros = [(sign, pc.starts_with(values, f"{sign}0"), pc.starts_with(values, f"{sign}0.")) for sign in ("", "-")]
    odd = any(
        pc.any(pc.and_not(pc.and_not(led, plain), pc.equal(values, f"{sign}0"))).as_py() for sign, led, plain in zeros
    )
    if (signed or odd) and not _all(values, _FLOAT):
        return None
    if signed:
        values = pc.replace_substring_regex(values, r"^\+", "")
    try:
        numbers = pc.cast(values, pa.float64())
    except pa.ArrowInvalid:
        return None
    finite, zero = pc.is_finite(numbers), pc.equal(numbers, 0.0)
    if not pc.all(finite).as_py() and not _all(values.filter(pc.invert(finite)), _NOT_FINITE):
        return None
    return numbers if not pc.any(zero).as_py() or _all(values.filter(zero), _ZERO) else None


def _all(values: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(values, pattern)).as_py())


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """A column of text in another type, with empty cells as null."""
    column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    if pa.types.is_boolean(kind):
        return pc.equal(pc.utf8_lower(column), "true")
    if pa.types.is_floating(kind) and pc.any(pc.starts_with(column, "+")).as_py():
        column = pc.replace_substring_regex(column, r"^\+", "")
    return column if pa.types.is_string(kind) else pc.cast(column, kind)
