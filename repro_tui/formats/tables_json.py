"""JSON Lines: one JSON object per line, read twice, once for the types and once for the values.

A column's type is the one that holds all of its values exactly: bool, int64, float64, lists of numbers, or else text.
Text columns keep apart what JSON keeps apart: objects and lists become JSON text and the field is marked as documents;
if text is mixed with other values, those get the suffix " (not text)", so that 1 and "1" differ.

Example: the lines `{"x": 1}` and `{"x": 2.5}` give a float64 column; `{"x": 1}` and `{"x": "1"}` give the texts
"1 (not text)" and "1".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from repro_tui.formats.columns import DOCUMENTS, NUMBER, TableError, check_names
from repro_tui.formats.documents import DEEPEST, check_depth, no_duplicates
from repro_tui.formats.tables_text import NOT_TEXT, TEXT, Table, is_beyond
from repro_tui.support.regular import open_regular

LINES = 20_000
LONGEST_LINE = 64 << 20
_SCALARS = frozenset({"str", "bool", "int", "big", "float"})
_MARKED = re.compile(r" \(not text\)( \(text\))*\Z")


def read_json_lines(raw: Path) -> Table:
    """Reads JSON Lines. Columns are in the order of their first appearance; an absent key is null.

    Raises TableError, with the line, where a line is not one JSON object.
    """
    kinds: dict[str, set[str]] = {}
    for rows in _chunks(raw):
        for row in rows:
            for name, value in row.items():
                kinds.setdefault(name, set()).add(_kind(value))
        check_names(list(kinds))
    schema = pa.schema([_field(name, seen - {"null"}) for name, seen in kinds.items()])
    mixed = {name for name, seen in kinds.items() if not _is_one_kind(seen - {"null"})}

    def batches() -> Iterator[pa.RecordBatch]:
        for rows in _chunks(raw):
            columns = [
                pa.array([_as(row.get(f.name), f.type, f.name in mixed) for row in rows], f.type) for f in schema
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return schema, batches()


def _chunks(raw: Path) -> Iterator[list[dict[str, object]]]:
    rows: list[dict[str, object]] = []
    with open_regular(raw) as stream:
        for number, line in enumerate(iter(lambda: stream.readline(LONGEST_LINE), b""), 1):
            if line.strip():
                rows.append(_parse(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line, number))
            if len(rows) == LINES:
                yield rows
                rows = []
    if rows:
        yield rows


def _parse(line: bytes, number: int) -> dict[str, object]:
    try:
        row = json.loads(line.decode("utf-8"), object_pairs_hook=no_duplicates, parse_float=_exact_float)
    except RecursionError as error:
        raise TableError(f"line {number} is nested deeper than {DEEPEST}") from error
    except ValueError as error:
        why = str(error)[:200] or type(error).__name__
        hint = " is not one complete JSON object" if isinstance(error, json.JSONDecodeError) else ""
        raise TableError(f"line {number}{hint}: {why}") from error
    if not isinstance(row, dict):
        raise TableError(f"line {number} is not a JSON object")
    if line.count(b"[") + line.count(b"{") > DEEPEST:
        try:
            check_depth(row)
        except ValueError as error:
            raise TableError(f"line {number} {error}") from error
    return row


class _OutOfRange(str):
    """The text of a number that exceeds the range of floats, marked as such: in a document it becomes text."""

    __slots__ = ()


def _exact_float(text: str) -> float | _OutOfRange:
    """Parses a number with a fraction or an exponent."""
    return _OutOfRange(text + NUMBER) if is_beyond(text) else float(text)


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -(1 << 63) <= value < 1 << 63 else "big"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "big" if isinstance(value, _OutOfRange) else "str"
    return _list_kind(value) if isinstance(value, list) else "nested"


def _list_kind(values: list[object]) -> str:
    """`list int`, `list list float`, … for numbers at one depth; `empty` for a list that fits any of these."""
    filled = [value for value in values if value is not None]
    if not filled:
        return "empty"
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in filled):
        kinds = {_kind(value) for value in filled}
        return "nested" if "big" in kinds else "list float" if "float" in kinds else "list int"
    lists = [value for value in filled if isinstance(value, list)]
    if len(lists) < len(filled):
        return "nested"
    inner = _one_list_kind({_list_kind(value) for value in lists})
    return f"list {inner}" if inner else "nested"


def _one_list_kind(kinds: set[str]) -> str:
    """The common kind of lists of these kinds; "" if they have several depths, or are not lists of numbers."""
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
    if list_kind := _one_list_kind(kinds):
        kind = single[list_kind.split()[-1]]
        for _ in range(list_kind.count("list")):
            kind = pa.list_(kind)
        return kind
    return pa.float64() if kinds == {"int", "float"} else pa.string()


def _is_one_kind(kinds: set[str]) -> bool:
    """Whether a column has only text, or only documents: then no value can be mistaken for another."""
    return kinds <= {"str"} or not kinds & _SCALARS


def _as(value: object, kind: pa.DataType, mixed: bool = False) -> object:
    """A value in the column's type. If text is mixed with other values, markers keep `1` and `"1"` apart.

    Raises TableError for a whole number that a column of floats cannot hold.
    """
    if value is None:
        return None
    if pa.types.is_string(kind):
        if isinstance(value, _OutOfRange):
            return value.removesuffix(NUMBER) + NOT_TEXT
        if isinstance(value, str):
            return value + TEXT if _MARKED.search(value) else value
        return json.dumps(value, sort_keys=True, ensure_ascii=False) + (NOT_TEXT if mixed else "")
    if isinstance(value, list):
        return [_as(item, kind.value_type) for item in value]
    if isinstance(value, int) and pa.types.is_floating(kind):
        number = float(value)
        if int(number) != value:
            raise TableError(f"the number {value} loses digits in a column of floats: write it as text")
        return number
    return value
