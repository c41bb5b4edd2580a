"""The text formats of tables: strict CSV and JSON Lines, read twice: once for the types, once for the values."""

from __future__ import annotations

import codecs
import itertools
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from repro_tui.support.tables import TableError, check_names

BLOCK = 8 << 20
LINES = 20_000
LONGEST_LINE = 64 << 20
Read = tuple[pa.Schema, Iterator[pa.RecordBatch]]
_FLOAT = r"^[+-]?(((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?|[nN]a[nN]|nan|NAN|inf|Inf|INF|[iI]nfinity)$"
# Whole numbers of more than 15 digits would lose some as float64: a column with one is text, not float.
_LONG = r"^[+-]?[0-9]{16,}$"
_BOOLEANS = ({"true", "false"}, {"True", "False"}, {"TRUE", "FALSE"})


class OtherTypes(Exception):
    """The first rows were of other types than those that follow; `again` reads the table once more, all rows first."""

    def __init__(self, again: Callable[[], Read]) -> None:
        super().__init__()
        self.again = again


def csv(raw: Path) -> Read:
    """A CSV file with a header line: UTF-8, commas, RFC 4180 quotes.

    Types are guessed by the first rows. The batches raise OtherTypes where they are not those of all rows.
    """
    _check_bytes(raw)
    reader = _Csv(raw, _header(raw))
    kinds = [_Kind() for _ in reader.names]
    for batch in itertools.islice(reader.batches(), 1):
        list(map(_Kind.see, kinds, batch.columns))
    types = [kind.type() for kind in kinds]
    return reader.schema(types), _typed(reader, kinds, types)


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
        kind.see(column)
        return _cast(column, wanted) if kind.type() == wanted else None

    with ThreadPoolExecutor() as pool:
        for batch in reader.batches():
            columns = list(pool.map(cells, kinds, batch.columns, types))
            if any(column is None for column in columns):
                raise OtherTypes(lambda: _whole(reader))
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _check_bytes(raw: Path) -> None:
    """UTF-8 without NUL, and every quote closed: told with the line."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    position, quotes, last = 0, 0, 0
    with raw.open("rb") as stream:
        while chunk := stream.read(BLOCK):
            if b"\0" in chunk:
                raise TableError(f"line {_line(raw, position + chunk.index(0))} holds a NUL byte")
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                raise TableError(f"byte {position + error.start:,} is not UTF-8") from error
            if b'"' in chunk:
                quotes, last = quotes + chunk.count(b'"'), position + chunk.rindex(b'"')
            position += len(chunk)
    if decoder.getstate()[0]:
        raise TableError(f"byte {position:,}: the file ends within a character of UTF-8")
    if quotes % 2:
        raise TableError(f"a quote is never closed: the last one is on line {_line(raw, last)}")


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

    def batches(self) -> Iterator[pa.RecordBatch]:
        wrong: list[pacsv.InvalidRow] = []

        def refuse(row: pacsv.InvalidRow) -> str:
            wrong.append(row)
            return "error"

        read = pacsv.ReadOptions(
            column_names=self.names, skip_rows=self._header_lines(), block_size=BLOCK, use_threads=True
        )
        parse = pacsv.ParseOptions(
            newlines_in_values=True, ignore_empty_lines=len(self.names) > 1, invalid_row_handler=refuse
        )
        convert = pacsv.ConvertOptions(column_types=dict.fromkeys(self.names, pa.string()), strings_can_be_null=False)
        try:
            with pacsv.open_csv(self.raw, read, parse, convert) as reader:
                yield from reader
        except pa.ArrowInvalid as error:
            if "Empty CSV file" in str(error) or "Could not skip" in str(error):
                return
            if wrong:
                raise TableError(self._ragged(wrong[0])) from error
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

    def see(self, column: pa.Array) -> None:
        values = column.filter(pc.not_equal(column, ""))
        if not len(values):
            return
        self.filled = True
        # Of a few first: a cast of many that fails takes as long as the whole column.
        self.integer = self.integer and all(map(self._are_integers, (values.slice(0, 8), values)))
        if self.float and not self.integer:
            self.float = _all(values, _FLOAT)
        if self.float:
            whole = values.filter(pc.invert(pc.match_substring(values, ".")))
            self.long = self.long or bool(pc.any(pc.match_substring_regex(whole, _LONG)).as_py())
        self._see_words(values)

    def _see_words(self, values: pa.Array) -> None:
        if self.words is None:
            return
        self.words |= set(pc.unique(values.slice(0, 8)).to_pylist())
        if any(self.words <= pair for pair in _BOOLEANS):
            self.words |= set(pc.unique(values).to_pylist()[:3])
        if not any(self.words <= pair for pair in _BOOLEANS):
            self.words = None

    def _are_integers(self, values: pa.Array) -> bool:
        """Whole numbers that are written as we would: neither 007 nor -0 nor +1."""
        for kind in (pa.int64(), pa.uint64()):
            try:
                numbers = pc.cast(values, kind)
            except pa.ArrowInvalid:
                continue
            limits = pc.min_max(numbers)
            self.low, self.high = min(self.low, limits["min"].as_py()), max(self.high, limits["max"].as_py())
            fits = self.high < 1 << 63 or self.low >= 0
            return bool(fits and pc.all(pc.equal(pc.cast(numbers, pa.string()), values)).as_py())
        return False

    def type(self) -> pa.DataType:
        if not self.filled:
            return pa.string()
        if self.words:
            return pa.bool_()
        if self.integer:
            return pa.uint64() if self.high >= 1 << 63 else pa.int64()
        return pa.float64() if self.float and not self.long else pa.string()


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

    def batches() -> Iterator[pa.RecordBatch]:
        for rows in _chunks(raw):
            columns = [pa.array([_as(row.get(f.name), f.type) for row in rows], f.type) for f in schema]
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
        row = json.loads(line.decode("utf-8"), object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise TableError(f"line {number}: {str(error)[:200] or type(error).__name__}") from error
    if not isinstance(row, dict):
        raise TableError(f"line {number} is not an object")
    return row


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(n for n in names if names.count(n) > 1)!r} stands twice")
    return found


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


def _as(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_string(kind):
        return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    if pa.types.is_list(kind):
        return [_as(item, kind.value_type) for item in value]
    if pa.types.is_floating(kind):
        if isinstance(value, int) and int(float(value)) != value:
            raise TableError(f"the number {value} loses digits among floats: write it as text")
        return float(value)
    return value
