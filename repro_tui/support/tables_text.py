"""The text formats of tables: strict CSV and JSON Lines, read twice: once for the types, once for the values."""

from __future__ import annotations

import codecs
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

from repro_tui.support.documents import no_duplicates
from repro_tui.support.tables import TableError, check_names

BLOCK = 8 << 20
WINDOW = 1 << 17  # bytes that are looked at together: what is worked out of them stays in the processor's cache
LINES = 20_000
LONGEST_LINE = 64 << 20
NOT_TEXT = " (not text)"  # behind a value that is none, in a column that had to become text
Read = tuple[pa.Schema, Iterator[pa.RecordBatch]]
_NOT_FINITE = r"^[+-]?([nN]a[nN]|nan|NAN|inf|Inf|INF|[iI]nfinity)$"
_ZERO = r"^[+-]?[0.]+([eE][+-]?[0-9]+)?$"  # as it is written: what is nearer to 0 than a float can be is none
_FLOAT = r"^[+-]?(((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?|[nN]a[nN]|nan|NAN|inf|Inf|INF|[iI]nfinity)$"
# Whole numbers of more than 15 digits would lose some as float64, however they are written: a column with one that does
# is text, not float.
_LONG = r"^[+-]?[0-9]{16,}(\.0*)?([eE][+-]?[0-9]+)?$"


def _among(text: str) -> Any:
    """Of each byte whether it is one of these."""
    import numpy as np

    return np.isin(np.arange(256), list(text.encode()))


_BOOLEANS = ({"true", "false"}, {"True", "False"}, {"TRUE", "FALSE"})


_DIGIT, _NUMERIC = (_among(text) for text in ("0123456789xX", "0123456789.+-infINFatyATY"))
SURE_DIGITS = 15  # that a float always keeps
TINY = re.compile(rb"[eE]-[3-9][0-9][0-9]")  # what may be nearer to 0 than a float can be
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
    plain = _check_bytes(raw)
    try:
        reader = _Csv(raw, _header(raw))
    except UnicodeDecodeError:
        _check_text(raw)
        raise
    kinds = [_Kind() for _ in reader.names]
    for batch in itertools.islice(reader.batches(ahead=False), 1):
        list(map(_Kind.see, kinds, batch.columns))
    types = [kind.type() for kind in kinds]
    return reader.schema(types), (_plain if plain else _typed)(reader, kinds, types)


def _plain(reader: _Csv, kinds: list[_Kind], types: list[pa.DataType]) -> Iterator[pa.RecordBatch]:
    """Numbers as Arrow reads them: where none is written in a way that would lose something, which `_check_bytes` and
    the numbers themselves tell."""
    read = [kind if _is_number(kind) else pa.string() for kind in types]
    try:
        for batch in reader.batches(read):
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
    if _is_number(wanted) or (kind.filled and not kind.words):
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


def _check_bytes(raw: Path) -> bool:
    """No NUL, and every quote closed: told with the line. Returns whether every number is written as we would."""
    import numpy as np

    position, quotes, last, plain, before = 0, 0, 0, True, b"\n\n"
    with raw.open("rb") as stream:
        while chunk := stream.read(WINDOW):
            if b"\0" in chunk:
                raise TableError(f"line {_line(raw, position + chunk.index(0))} holds a NUL byte")
            if count := int(np.count_nonzero(np.frombuffer(chunk, dtype=np.uint8) == ord('"'))):
                quotes, last = quotes + count, position + chunk.rindex(b'"')
            if plain:
                before += chunk
                plain = not _has_odd_numbers(before)
                before = before[-4:]
            position += len(chunk)
    if quotes % 2:
        raise TableError(f"a quote is never closed: the last one is on line {_line(raw, last)}")
    return plain and not _has_odd_numbers(before + b"\n\n")


def _has_odd_numbers(text: bytes) -> bool:
    """Whether a cell may be a number with a sign or a zero that says nothing (+1, 007, -0, 0x1F), or with blanks
    around it: read as a number, it would lose them. Other text may look like that, too.

    Looks at every byte but the first two and the last two, which are there to see what is beside it.
    """
    import numpy as np

    found = np.frombuffer(text, dtype=np.uint8)
    edge = (found == ord(",")) | (found == ord("\n")) | (found == ord('"')) | (found == ord("\r"))
    inner, begins, ends = found[2:-2], edge[1:-3], edge[3:-1]
    zeros = 2 + np.flatnonzero((inner == ord("0")) & begins)
    negative = 2 + np.flatnonzero((inner == ord("-")) & begins)
    odd = (
        _DIGIT[found[zeros + 1]].any() or ((found[negative + 1] == ord("0")) & (found[negative + 2] != ord("."))).any()
    )
    if odd or bool(((inner == ord("+")) & begins).any()):
        return True
    exponents = np.flatnonzero(((found[:-1] == ord("e")) | (found[:-1] == ord("E"))) & (found[1:] == ord("-")))
    if any(TINY.match(text, int(place)) for place in exponents):
        return True
    blank = (inner == ord(" ")) | (inner == ord("\t"))
    leading, trailing = 2 + np.flatnonzero(blank & begins), 2 + np.flatnonzero(blank & ends)
    return bool(_NUMERIC[found[leading + 1]].any() or _NUMERIC[found[trailing - 1]].any())


def _check_text(raw: Path) -> None:
    """Raises TableError with the first byte that is no UTF-8; what reads the cells only says that there is one."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    position = 0
    with raw.open("rb") as stream:
        while chunk := stream.read(BLOCK):
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                raise TableError(f"byte {position + error.start:,} is not UTF-8") from error
            position += len(chunk)
    if decoder.getstate()[0]:
        raise TableError(f"byte {position:,}: the file ends within a character of UTF-8")


def _line(raw: Path, position: int) -> int:
    """The number of the line in which a byte stands."""
    line = 1
    with raw.open("rb") as stream:
        while position > 0 and (chunk := stream.read(min(BLOCK, position))):
            line, position = line + chunk.count(b"\n"), position - len(chunk)
    return line


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

    def batches(self, types: list[pa.DataType] | None = None, *, ahead: bool = True) -> Iterator[pa.RecordBatch]:
        """The rows as text, or in these types, where an empty cell is null; read `ahead` of who takes them, or not."""
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
        )
        try:
            with pacsv.open_csv(self.raw, read, parse, convert) as reader:
                yield from reader
        except pa.ArrowInvalid as error:
            if "Empty CSV file" in str(error) or "Could not skip" in str(error):
                return
            if wrong:
                raise TableError(self._ragged(wrong[0])) from error
            _check_text(self.raw)
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
        if any(self.words <= pair for pair in _BOOLEANS):
            self.words |= set(pc.unique(values).to_pylist()[:3])
        if not any(self.words <= pair for pair in _BOOLEANS):
            self.words = None

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
    schema = pa.schema([(name, _json_type(found)) for name, found in kinds.items()])
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
        raise TableError(f"line {number}: {str(error)[:200] or type(error).__name__}") from error
    if not isinstance(row, dict):
        raise TableError(f"line {number} is not an object")
    return row


def _exact_float(text: str) -> float | str:
    """A number with a fraction or an exponent; beyond what a float can be, its text."""
    return text if is_beyond(text) else float(text)


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
        return "str"
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


def _json_type(kinds: set[str]) -> pa.DataType:
    kinds = kinds - {"null"}
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
    return kinds <= {"str"} or not kinds & {"str", "bool", "int", "big", "float"}


def _as(value: Any, kind: pa.DataType, mixed: bool = False) -> Any:
    """A value in the column's type. Where text stands beside other values, `1` and `"1"` are told apart."""
    if value is None:
        return None
    if pa.types.is_string(kind):
        if isinstance(value, str):
            return value
        return json.dumps(value, sort_keys=True, ensure_ascii=False) + (NOT_TEXT if mixed else "")
    if pa.types.is_list(kind):
        return [_as(item, kind.value_type) for item in value]
    if pa.types.is_floating(kind):
        if isinstance(value, int) and int(float(value)) != value:
            raise TableError(f"the number {value} loses digits among floats: write it as text")
        return float(value)
    return value
