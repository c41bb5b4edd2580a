"""The text formats of tables: strict CSV and JSON Lines, read twice: once for the types, once for the values."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from repro_tui.formats.columns import DOCUMENTS, NUMBER, TableError, check_names
from repro_tui.formats.csv_bytes import BLOCK, check_bytes, check_text
from repro_tui.formats.documents import no_duplicates

LINES = 20_000
LONGEST_LINE = 64 << 20
_SCALARS = frozenset({"str", "bool", "int", "big", "float"})
NOT_TEXT = " (not text)"  # behind a value that is none, in a column that had to become text
TEXT = " (text)"  # behind a text that ends as if it were one
_MARKED = re.compile(r" \(not text\)( \(text\))*\Z")
Read = tuple[pa.Schema, Iterator[pa.RecordBatch]]
_NOT_FINITE = r"^[+-]?([nN]a[nN]|nan|NAN|inf|Inf|INF|[iI]nfinity)$"
_ZERO = r"^[+-]?[0.]+([eE][+-]?[0-9]+)?$"  # as it is written: what is nearer to 0 than a float can be is none
_FLOAT = r"^[+-]?(((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?|[nN]a[nN]|nan|NAN|inf|Inf|INF|[iI]nfinity)$"
# Whole numbers of more than 15 digits would lose some as float64, however they are written: a column with one that does
# is text, not float.
_LONG = r"^[+-]?[0-9]{16,}(\.0*)?([eE][+-]?[0-9]+)?$"
_BOOLEANS = (("true", "false"), ("True", "False"), ("TRUE", "FALSE"))
SURE_DIGITS = 15  # that a float always keeps
LONG = 1e15  # a float as large may be a whole number of more digits than a float keeps


class OtherTypes(Exception):
    """The first rows were of other types than those that follow; `again` reads the table once more, all rows first."""

    def __init__(self, again: Callable[[], Read]) -> None:
        super().__init__()
        self.again = again


def csv(raw: Path) -> Read:
    """A CSV file with a header line: UTF-8, commas, RFC 4180 quotes.

    Types are guessed by the first rows. The batches raise OtherTypes where they are not those of all rows.
    """
    plain = check_bytes(raw)
    try:
        reader = _Csv(raw, _header(raw))
    except UnicodeDecodeError:
        check_text(raw)
        raise
    kinds = [_Kind() for _ in reader.names]
    for batch in itertools.islice(reader.batches(ahead=False), 1):
        list(map(_Kind.see, kinds, batch.columns))
    types = [kind.type() for kind in kinds]
    return reader.schema(types), (_plain if plain else _typed)(reader, kinds, types)


def _plain(reader: _Csv, kinds: list[_Kind], types: list[pa.DataType]) -> Iterator[pa.RecordBatch]:
    """Numbers as Arrow reads them: where none is written in a way that would lose something, which `check_bytes` and
    the numbers themselves tell."""
    spellings = {kind.spelling() for kind, typed in zip(kinds, types, strict=True) if pa.types.is_boolean(typed)}
    words = spellings.pop() if len(spellings) == 1 else None  # the reader has one spelling for all columns
    read = [kind if _is_number(kind) or (words and pa.types.is_boolean(kind)) else pa.string() for kind in types]
    try:
        for batch in reader.batches(read, words):
            columns = [_sure(*one) for one in zip(kinds, batch.columns, types, strict=True)]
            if any(column is None for column in columns):
                raise OtherTypes(lambda: _whole(reader))
            yield pa.RecordBatch.from_arrays(columns, schema=reader.schema(types))
    except pa.ArrowInvalid as error:
        raise OtherTypes(lambda: _whole(reader)) from error


def _sure(kind: _Kind, column: pa.Array, wanted: pa.DataType) -> pa.Array | None:
    """The column in its type, None where it may be of another: an empty one that is filled, other words than true and
    false, floats that could be whole numbers of more digits than a float has, or are none."""
    if pa.types.is_floating(wanted):
        sizes = pc.abs(column)
        return column if pc.all(pc.less(pc.fill_null(sizes, 0.0), LONG)).as_py() else None
    if column.type == wanted and not (pa.types.is_string(wanted) and (kind.words or not kind.filled)):
        return column
    kind.see(pc.fill_null(column, ""))
    return _cast(column, wanted) if kind.type() == wanted else None


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _whole(reader: _Csv) -> Read:
    """The same with types by all rows, which takes twice as long."""
    kinds = [_Kind() for _ in reader.names]
    with ThreadPoolExecutor() as pool:
        for batch in reader.batches():
            list(pool.map(_Kind.see, kinds, batch.columns))
    types = [kind.type() for kind in kinds]
    return reader.schema(types), _typed(reader, kinds, types)


def _typed(reader: _Csv, kinds: list[_Kind], types: list[pa.DataType]) -> Iterator[pa.RecordBatch]:
    schema = reader.schema(types)

    def cells(kind: _Kind, column: pa.Array, wanted: pa.DataType) -> pa.Array | None:
        numbers = kind.see(column)
        if kind.type() != wanted:
            return None
        return numbers if numbers is not None and numbers.type == wanted else _cast(column, wanted)

    with ThreadPoolExecutor() as pool:
        for batch in reader.batches():
            columns = list(pool.map(cells, kinds, batch.columns, types))
            if any(column is None for column in columns):
                raise OtherTypes(lambda: _whole(reader))
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _header(raw: Path) -> list[str]:
    import csv as standard

    with raw.open(encoding="utf-8-sig", newline="") as stream:
        try:
            names = next(standard.reader(stream, strict=True), [])
        except standard.Error as error:
            raise TableError(f"line 1: {error}") from error
    check_names(names)
    return names


class _Csv:
    """The rows of one CSV file as text, batch by batch, each checked for its width."""

    def __init__(self, raw: Path, names: list[str]) -> None:
        self.raw, self.names = raw, names

    def schema(self, types: list[pa.DataType]) -> pa.Schema:
        return pa.schema(list(zip(self.names, types, strict=True)))

    def batches(
        self, types: list[pa.DataType] | None = None, words: tuple[str, str] | None = None, *, ahead: bool = True
    ) -> Iterator[pa.RecordBatch]:
        """The rows as text, or in these types, where an empty cell is null, and `words` are true and false; read
        `ahead` of who takes them, or not."""
        wrong: list[pacsv.InvalidRow] = []

        def refuse(row: pacsv.InvalidRow) -> str:
            wrong.append(row)
            return "error"

        read = pacsv.ReadOptions(
            column_names=self.names, skip_rows=self._header_lines(), block_size=BLOCK, use_threads=ahead
        )
        parse = pacsv.ParseOptions(
            newlines_in_values=True, ignore_empty_lines=len(self.names) > 1, invalid_row_handler=refuse
        )
        convert = pacsv.ConvertOptions(
            column_types=dict(zip(self.names, types or [pa.string()] * len(self.names), strict=True)),
            strings_can_be_null=types is not None,
            null_values=[""],
            true_values=words[:1] if words else None,
            false_values=words[1:] if words else None,
        )
        try:
            with pacsv.open_csv(self.raw, read, parse, convert) as reader:
                yield from reader
        except pa.ArrowInvalid as error:
            if "Empty CSV file" in str(error) or "Could not skip" in str(error):
                return
            if wrong:
                raise TableError(self._ragged(wrong[0])) from error
            check_text(self.raw)
            raise

    def _header_lines(self) -> int:
        import csv as standard

        with self.raw.open(encoding="utf-8-sig", newline="") as stream:
            reader = standard.reader(stream)
            next(reader)
            return reader.line_num

    def _ragged(self, row: pacsv.InvalidRow) -> str:
        """The line of the first row of another width, found by the standard reader."""
        import csv as standard

        before = standard.field_size_limit(LONGEST_LINE)  # it holds for the whole process
        try:
            with self.raw.open(encoding="utf-8-sig", newline="") as stream:
                reader = standard.reader(stream)
                for fields in reader:
                    if fields and len(fields) != len(self.names):
                        return f"line {reader.line_num} has {len(fields)} fields, and the header has {len(self.names)}"
        finally:
            standard.field_size_limit(before)
        return f"a row has {row.actual_columns} fields, and the header has {row.expected_columns}"


class _Kind:
    """What one column could still be, over all of its values."""

    def __init__(self) -> None:
        self.integer, self.float, self.long, self.filled = True, True, False, False
        self.words: set[str] | None = set()
        self.low = self.high = 0

    def see(self, column: pa.Array) -> pa.Array | None:
        """Takes some rows; returns them as numbers where all of them are."""
        empty = pc.equal(pc.binary_length(column), 0)
        values = column.filter(pc.invert(empty)) if pc.any(empty).as_py() else column
        if not len(values):
            return None
        self.filled = True
        numbers = None
        # Of a few first: a cast of many that fails takes as long as the whole column.
        for part in (values.slice(0, 8), values) if self.integer else ():
            numbers = self._integers(part) if self.integer else None
            self.integer = numbers is not None
        for part in (values.slice(0, 8), values) if self.float and not self.integer else ():
            numbers = _floats(part) if self.float else None
            self.float = numbers is not None
        if self.float:
            self.long = self.long or _is_long(values, numbers)
        self._see_words(values)
        return numbers if len(values) == len(column) else None

    def _see_words(self, values: pa.Array) -> None:
        if self.words is None:
            return
        self.words |= set(pc.unique(values.slice(0, 8)).to_pylist())
        if self.spelling():
            self.words |= set(pc.unique(values).to_pylist()[:3])
        if not self.spelling():
            self.words = None

    def spelling(self) -> tuple[str, str] | None:
        """How true and false are written, where there is nothing else."""
        return next((pair for pair in _BOOLEANS if self.words is not None and self.words <= set(pair)), None)

    def _integers(self, values: pa.Array) -> pa.Array | None:
        """Whole numbers that are written as we would: neither 007 nor -0 nor +1 nor 0x1F."""
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
        if not self.filled:
            return pa.string()
        if self.words:
            return pa.bool_()
        if self.integer:
            return pa.uint64() if self.high >= 1 << 63 else pa.int64()
        return pa.float64() if self.float and not self.long else pa.string()


def _is_long(values: pa.Array, numbers: pa.Array) -> bool:
    """Whether one of these would lose a digit as a float."""
    sizes = pc.abs(numbers.cast(pa.float64(), safe=False))
    large = values.filter(pc.and_(pc.greater_equal(sizes, LONG), pc.is_finite(sizes)))
    return bool(len(large)) and any(re.match(_LONG, text) and not keeps(text) for text in large.to_pylist())


def keeps(text: str) -> bool:
    """Whether a float is the number that is written, as far as it is written; NaN and infinities are what they say."""
    found = float(text)
    if not math.isfinite(found):
        return not any(letter in "0123456789" for letter in text)
    digits = text.lower().partition("e")[0].lstrip("+-0.").replace(".", "").rstrip("0")
    if len(digits) <= SURE_DIGITS:
        return found != 0 or not digits
    return Decimal(text) == Decimal(found) or Decimal(text) == Decimal(repr(found))


def _floats(values: pa.Array) -> pa.Array | None:
    """Cells as floats; None where one is none, or is beyond what a float can be.

    What Arrow reads and we do not (007, nan(1)) is looked for only where there may be such a cell.
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
    column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    if pa.types.is_boolean(kind):
        return pc.equal(pc.utf8_lower(column), "true")
    if pa.types.is_floating(kind) and pc.any(pc.starts_with(column, "+")).as_py():
        column = pc.replace_substring_regex(column, r"^\+", "")
    return column if pa.types.is_string(kind) else pc.cast(column, kind)


# -- JSON Lines ---------------------------------------------------------------------------------------------------


def json_lines(raw: Path) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """One JSON object a line. Columns in the order of their first appearance; an absent key is null."""
    kinds: dict[str, set[str]] = {}
    for rows in _chunks(raw):
        for row in rows:
            for name, value in row.items():
                kinds.setdefault(name, set()).add(_kind(value))
    schema = pa.schema([_field(name, found - {"null"}) for name, found in kinds.items()])
    mixed = {name for name, found in kinds.items() if not _are_of_one_kind(found - {"null"})}

    def batches() -> Iterator[pa.RecordBatch]:
        for rows in _chunks(raw):
            columns = [
                pa.array([_as(row.get(f.name), f.type, f.name in mixed) for row in rows], f.type) for f in schema
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return schema, batches()


def _chunks(raw: Path) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    with raw.open("rb") as stream:
        for number, line in enumerate(iter(lambda: stream.readline(LONGEST_LINE), b""), 1):
            if line.strip():
                rows.append(_parse(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line, number))
            if len(rows) == LINES:
                yield rows
                rows = []
    if rows:
        yield rows


def _parse(line: bytes, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8"), object_pairs_hook=no_duplicates, parse_float=_exact_float)
    except (ValueError, RecursionError) as error:
        why = str(error)[:200] or type(error).__name__
        broken = " is not one whole JSON object, as each line of JSON Lines is"
        odd = broken if isinstance(error, json.JSONDecodeError) else ""
        raise TableError(f"line {number}{odd}: {why}") from error
    if not isinstance(row, dict):
        raise TableError(f"line {number} is not an object")
    return row


class _Beyond(str):
    """A number that is beyond what a float can be, as it is written and marked: in a document it is among texts."""

    __slots__ = ()


def _exact_float(text: str) -> float | _Beyond:
    """A number with a fraction or an exponent."""
    return _Beyond(text + NUMBER) if is_beyond(text) else float(text)


def is_beyond(text: str) -> bool:
    """Whether a number is larger than a float can be, or nearer to 0."""
    found = float(text)
    return math.isinf(found) or (found == 0 and not keeps(text))


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -(1 << 63) <= value < 1 << 63 else "big"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "big" if isinstance(value, _Beyond) else "str"
    return _list_kind(value) if isinstance(value, list) else "nested"


def _list_kind(values: list[Any]) -> str:
    """list int, list list float, … for numbers at one depth; lists that are empty could be of any."""
    filled = [value for value in values if value is not None]
    if not filled:
        return "empty"
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in filled):
        kinds = {_kind(value) for value in filled}
        return "nested" if "big" in kinds else "list float" if "float" in kinds else "list int"
    if not all(isinstance(value, list) for value in filled):
        return "nested"
    inner = _one_list_kind({_list_kind(value) for value in filled})
    return f"list {inner}" if inner else "nested"


def _one_list_kind(kinds: set[str]) -> str:
    """What lists of these kinds are together; "" where they are of several depths, or of no numbers."""
    lists = kinds - {"empty"}
    if not all(kind.startswith("list") for kind in lists) or len({kind.count("list") for kind in lists}) != 1:
        return ""
    return max(lists, key=lambda kind: kind.endswith("float"))


def _field(name: str, kinds: set[str]) -> pa.Field:
    kind = _json_type(kinds)
    documents = pa.types.is_string(kind) and kinds and not kinds & _SCALARS
    return pa.field(name, kind, metadata=DOCUMENTS if documents else None)


def _json_type(kinds: set[str]) -> pa.DataType:
    single = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}
    if len(kinds) == 1 and kinds <= set(single):
        return single[kinds.pop()]
    if found := _one_list_kind(kinds):
        kind = single[found.split()[-1]]
        for _ in range(found.count("list")):
            kind = pa.list_(kind)
        return kind
    return pa.float64() if kinds == {"int", "float"} else pa.string()


def _are_of_one_kind(kinds: set[str]) -> bool:
    """Whether a column of text is of text alone, or of documents alone: then no value can be taken for another."""
    return kinds <= {"str"} or not kinds & _SCALARS


def _as(value: Any, kind: pa.DataType, mixed: bool = False) -> Any:
    """A value in the column's type. Where text stands beside other values, `1` and `"1"` are told apart."""
    if value is None:
        return None
    if pa.types.is_string(kind):
        if isinstance(value, _Beyond):
            return value.removesuffix(NUMBER) + NOT_TEXT
        if isinstance(value, str):
            return value + TEXT if _MARKED.search(value) else value
        return json.dumps(value, sort_keys=True, ensure_ascii=False) + (NOT_TEXT if mixed else "")
    if pa.types.is_list(kind):
        return [_as(item, kind.value_type) for item in value]
    if pa.types.is_floating(kind):
        if isinstance(value, int) and int(float(value)) != value:
            raise TableError(f"the number {value} loses digits among floats: write it as text")
        return float(value)
    return value
