"""Converts columns that runs store in different types to a common type that loses nothing, before they are compared.

The next release of a library may store timestamps in another unit, and in a format without types one odd cell turns a
column of numbers into text. The report notes the types, but the values can still be compared. For each column whose
type is not the same in all runs, the first of these that holds every value of every run is the target:

- whole numbers and decimals: a decimal of enough digits, or text if the database has none that is wide enough;
- decimals and floats: float64, each decimal becoming the nearest float;
- timestamps and dates: a timestamp, in the coarsest unit that loses nothing; likewise durations and times of day;
- a column that is empty in some runs: the type of the others.

Whole numbers and floats are not converted: they are compared as they are. In CSV and JSON Lines, a column may hold
mostly numbers with a few odd cells. Each different text among them is then replaced by a value that is equal to no
number, and within no tolerance of one: NaN, infinity or minus infinity, as long as no number of the column has that
value, or null among whole numbers. If these do not suffice, the whole column is compared as text, with numbers written
in one way.

Example: a CSV with the cells 0.5, "n/a", 1.5 in A and 0.5, 2.0, 1.5 in B becomes 0.5, NaN, 1.5 and 0.5, 2.0, 1.5: one
cell differs. Files that need no change are used as they are; the others are rewritten, at the cost of reading them
twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from repro_tui.compare.rows.arrays import Floats, is_exact_type, is_number_type
from repro_tui.formats.columns import decimal_text
from repro_tui.formats.tables_text import NOT_TEXT, TEXT, keeps
from repro_tui.model.predictions import VERDICTS, Column, Verdict
from repro_tui.model.run import Run
from repro_tui.support.hashes import digest_file
from repro_tui.support.text import quote, show

UNITS = ("s", "ms", "us", "ns")  # tried in this order, until nothing is lost
WIDEST_128 = 38  # digits of a decimal128
MOST_ODD = 0.5  # the share of odd cells up to which a column counts as one of numbers
# What may replace an odd cell among numbers: none is within any tolerance of a number, or of each other.
PLACEHOLDERS = (float("nan"), float("inf"), float("-inf"))
NUMBER = re.compile(
    r"-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?([iI]nf(inity)?|INF)|[nN]a[nN]|NAN"
)
FEW_ODD = 0.1  # the same where the column is text in every run
FIRST = 1_000  # cells that decide whether a column of text is checked for numbers
MOST_TEXTS = 10_000  # different odd cells that are counted separately
MOST_WHOLE = 1 << 62
EXACT = 1 << 53  # larger whole numbers are not all representable as floats
EXAMPLES = 3
UNTYPED = frozenset({"CSV", "JSON Lines"})


@dataclass(frozen=True, slots=True)
class Unified:
    """The runs of both sides, with the same type for each column.

    Of the columns that were converted, by their names in the report, `types` holds the original types in A and B,
    `notes` what the report says of them, and `rounded` those whose decimals have more digits than the floats that they
    are compared with.
    """

    a: list[Run]
    b: list[Run]
    types: dict[str, tuple[str, str]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    rounded: frozenset[str] = frozenset()

    def with_original_types(self, column: Column) -> Column:
        """A column's result with its original types: values of different types are equal at best, not identical."""
        if column.name not in self.types:
            return column
        a, b = self.types[column.name]
        differ = "" if a == b else f"the types differ: {a} in A, {b} in B"
        notes = filter(None, (differ, self.notes.get(column.name, ""), column.note))
        least: Verdict = "equal-to-rounding" if column.name in self.rounded else "equal"
        verdict = max(column.verdict, least, key=VERDICTS.index)
        return replace(column, type_a=a, type_b=b, verdict=verdict, note="; ".join(notes))


def unify(a: Sequence[Run], b: Sequence[Run], key: Sequence[str], folder: Path) -> Unified:
    """All runs with the same types of columns; files that have to be converted are written to `folder`.

    `key` names the columns of the key, in which no value may be replaced. Only columns that all runs have are
    converted.
    """
    runs = {run.output_sha256: run for run in reversed([*a, *b])}
    schemas = {digest: pq.read_schema(run.predictions) for digest, run in runs.items()}
    targets: dict[str, _Target] = {}
    for name in schemas[a[0].output_sha256].names:
        kinds = {digest: schema.field(name).type for digest, schema in schemas.items() if name in schema.names}
        if len(kinds) < len(runs):
            continue
        target = _incomparable(name, schemas, runs)
        if target is None and (len(set(kinds.values())) > 1 or _may_be_numbers(name, runs)):
            target = _target(name, kinds, runs, name in key)
        if target is not None:
            targets[name] = target
    if not targets:
        return Unified(list(a), list(b))
    folder.mkdir(parents=True, exist_ok=True)
    converted = {
        digest: _rewritten(run, schemas[digest], targets, folder / f"{number}.parquet")
        for number, (digest, run) in enumerate(runs.items())
    }
    side_a, side_b = ([replace(converted[run.output_sha256], number=run.number) for run in side] for side in (a, b))
    first_a, first_b = schemas[a[0].output_sha256], schemas[b[0].output_sha256]
    types = {show(name, 200): (_content(first_a.field(name)), _content(first_b.field(name))) for name in targets}
    notes = {show(name, 200): target.note for name, target in targets.items() if target.note}
    rounded = frozenset(show(name, 200) for name, target in targets.items() if target.rounded)
    return Unified(side_a, side_b, types, notes, rounded)


@dataclass(frozen=True, slots=True)
class _Target:
    """The common type of a column in all runs.

    `odd` maps texts among numbers to the values that replace them (None: null). If the target is text and there is a
    `note`, numbers are written in one way.
    """

    kind: pa.DataType
    odd: dict[str, float | None] = field(default_factory=dict)
    note: str = ""
    rounded: bool = False  # decimals have more digits than the floats that they are compared with
    marked: bool = False  # values that were not text are marked, so that no text equals them


def _incomparable(name: str, schemas: dict[str, pa.Schema], runs: dict[str, Run]) -> _Target | None:
    """The target of a column that is text everywhere, but stands for documents or bytes in some runs only.

    The document `{"a": 1}` is not the text `"{\"a\": 1}"`. None where this is not the case; in CSV everything is text,
    and may stand for either.
    """
    fields = {digest: schema.field(name) for digest, schema in schemas.items()}
    typed = {digest: column for digest, column in fields.items() if runs[digest].output_format not in ("CSV", ".npy")}
    if len(set(map(_content, typed.values()))) < 2 or not all(_is_text(column.type) for column in fields.values()):
        return None
    contents = {
        _content(column) for digest, column in typed.items() if not _is_empty(Path(runs[digest].predictions), name)
    }
    if len(contents) < 2:
        return None
    return _Target(pa.string(), note=f"{' and '.join(sorted(contents))} never compare as equal", marked=True)


def _content(column: pa.Field) -> str:
    """What a column holds, as the report names it: its type, or what was stored as text."""
    return (column.metadata or {}).get(b"holds", b"").decode() or str(column.type)


def _may_be_numbers(name: str, runs: dict[str, Run]) -> bool:
    """Whether the first cells of a column of text, in formats without types, are mostly numbers."""
    if len(runs) < 2 or any(run.output_format not in UNTYPED for run in runs.values()):
        return False
    first = next(_groups(Path(next(iter(runs.values())).predictions), name), None)
    if first is None or not _is_text(first.type):
        return False
    content = _CellContent()
    for output_format in {run.output_format for run in runs.values()}:
        content.add_cells(first.slice(0, FIRST), output_format)
    odd = sum(content.odd.values())
    return 0 < len(content.odd) <= len(PLACEHOLDERS) and odd <= FEW_ODD * (content.rows - content.nulls)


def _target(name: str, kinds: dict[str, pa.DataType], runs: dict[str, Run], in_key: bool) -> _Target | None:
    """The target of a column; None where its values are compared as they are, or cannot be compared."""
    filled = [kind for digest, kind in kinds.items() if not _is_empty(Path(runs[digest].predictions), name)]
    all_text = all(map(_is_text, filled)) and len(set(kinds.values())) == 1
    for candidate in _candidates(list(kinds.values()), filled) if not all_text else ():
        if all(_fits(Path(run.predictions), name, candidate) for run in runs.values()):
            return _Target(candidate, rounded=pa.types.is_floating(candidate) and _loses(name, runs))
    untyped = all(run.output_format in UNTYPED for run in runs.values()) and any(map(_is_text, filled))
    if untyped and not in_key and all(_is_text(k) or is_number_type(k) or pa.types.is_boolean(k) for k in filled):
        target = _with_odd_cells(name, filled, runs)
        return None if all_text and _is_text(target.kind) else target
    return None


def _loses(name: str, runs: dict[str, Run]) -> bool:
    """Whether a decimal has more digits than the nearest float keeps."""
    return any(
        value is not None and Decimal(repr(float(value))) != value
        for run in runs.values()
        for values in _groups(Path(run.predictions), name)
        if pa.types.is_decimal(values.type)
        for value in pc.unique(values).to_pylist()
    )


def _is_empty(path: Path, name: str) -> bool:
    """Whether a column has only nulls, and therefore fits any type."""
    return all(values.null_count == len(values) for values in _groups(path, name))


def _candidates(kinds: list[pa.DataType], filled: list[pa.DataType]) -> Iterator[pa.DataType]:
    """The types that may hold the values of all these types, the narrowest first.

    None for whole numbers and floats, which are compared as they are.
    """
    different = set(filled)
    if len(different) <= 1:
        yield filled[0] if filled else kinds[0]
    elif all(map(is_exact_type, different)) and any(map(pa.types.is_decimal, different)):
        yield from _decimals(different)
    elif all(map(is_number_type, different)) and any(map(pa.types.is_decimal, different)):
        yield pa.float64()
    elif all(pa.types.is_timestamp(kind) or pa.types.is_date(kind) for kind in different):
        yield from _timestamps(different)
    elif all(map(pa.types.is_duration, different)):
        yield from (pa.duration(unit) for unit in UNITS)
    elif all(map(pa.types.is_time, different)):
        yield from (pa.time64("us"), pa.time64("ns"))


def _decimals(kinds: set[pa.DataType]) -> Iterator[pa.DataType]:
    scale = max(kind.scale if pa.types.is_decimal(kind) else 0 for kind in kinds)
    whole = max(kind.precision - kind.scale if pa.types.is_decimal(kind) else 20 for kind in kinds)
    if scale <= WIDEST_128:
        yield pa.decimal128(min(WIDEST_128, whole + scale), scale)
    yield pa.string()  # the database has no wider decimals, so these are compared as text, digit by digit


def _timestamps(kinds: set[pa.DataType]) -> Iterator[pa.DataType]:
    """Instants where all have a time zone; local times where none has one, a date being its midnight."""
    zoned = {getattr(kind, "tz", None) is not None for kind in kinds}
    if len(zoned) == 1:
        yield from (pa.timestamp(unit, "UTC" if zoned == {True} else None) for unit in UNITS)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind))


def _fits(path: Path, name: str, target: pa.DataType) -> bool:
    """Whether every value of a column can be converted to a type without loss."""
    try:
        for values in _groups(path, name):
            _cast(values, target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True


def _groups(path: Path, name: str) -> Iterator[pa.ChunkedArray]:
    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            yield file.read_row_group(number, columns=[name]).column(name)  # asking for "p" also reads "p.cat"


def _cast(values: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray:
    if values.type == target:
        return values
    if values.null_count == len(values):
        return pa.chunked_array([pa.nulls(len(values), target)], target)
    if pa.types.is_string(target) and is_exact_type(values.type):
        return pa.chunked_array([pa.array(map(decimal_text, values.to_pylist()), target)])
    lossy = pa.types.is_decimal(values.type) and pa.types.is_floating(target)  # to the nearest float
    return values.cast(target, safe=not lossy)


# -- text among numbers ---------------------------------------------------------------------------------------------


def _with_odd_cells(name: str, filled: list[pa.DataType], runs: dict[str, Run]) -> _Target:
    """The target of a column of numbers, in formats without types, some of whose cells are not numbers.

    Odd cells differ from every number, and the rest is compared as numbers. If there are not enough placeholders for
    the different odd cells, or if most cells are odd, the column is compared as text.
    """
    content = _CellContent()
    for run in runs.values():
        for values in _groups(Path(run.predictions), name):
            content.add_cells(values, run.output_format)
    examples = ", ".join(quote(text.removesuffix(NOT_TEXT), 60) for text in list(content.odd)[:EXAMPLES])
    count = sum(content.odd.values())
    odd = f"{count:,} of its values are not numbers" if count != 1 else "1 of its values is not a number"
    note = f"{odd} ({examples})"
    if not any(map(pa.types.is_boolean, filled)) and count <= MOST_ODD * content.rows:
        if content.whole and not content.nulls and len(content.odd) == 1:
            return _Target(pa.int64(), dict.fromkeys(content.odd), note)
        if not content.whole and content.exact and len(content.odd) <= len(content.free):
            return _Target(pa.float64(), dict(zip(content.odd, content.free, strict=False)), note)
    return _Target(pa.string(), {}, f"{note}: the whole column is compared as text, without a tolerance")


class _CellContent:
    """What a column of text and numbers holds over all runs.

    `odd` counts the texts that are not numbers. `whole` says that all numbers are whole, `exact` that all are exact as
    floats, and `free` are the placeholders that no number of the column is equal to.
    """

    def __init__(self) -> None:
        self.rows = self.nulls = 0
        self.whole = self.exact = True
        self.odd: dict[str, int] = {}
        self.free = list(PLACEHOLDERS)

    def add_cells(self, values: pa.ChunkedArray, output_format: str) -> None:
        """Adds the cells of one row group of a run whose output had the format `output_format`."""
        self.rows, self.nulls = self.rows + len(values), self.nulls + values.null_count
        numbers: list[float | int] = []
        for value in values.drop_null().to_pylist():
            number = _number(value, output_format) if isinstance(value, str) else value
            if number is None:
                if value in self.odd or len(self.odd) < MOST_TEXTS:
                    self.odd[value] = self.odd.get(value, 0) + 1
            else:
                numbers.append(number)
        self.whole = self.whole and all(isinstance(number, int) for number in numbers)
        self.exact = self.exact and all(isinstance(number, float) or abs(number) <= EXACT for number in numbers)
        floats = np.array([float(number) for number in numbers])
        self.free = [placeholder for placeholder in self.free if not _contains(floats, placeholder)]


def _contains(numbers: Floats, value: float) -> bool:
    return bool(np.isnan(numbers).any() if np.isnan(value) else (numbers == value).any())


def _number(text: str, output_format: str) -> float | int | None:
    """The number that a cell stands for, as it would be read in a column of numbers; None for text, such as 007.

    In JSON Lines, text is text even where it looks like a number; values that were not text carry a mark.
    """
    if output_format == "JSON Lines":
        if not text.endswith(NOT_TEXT):
            return None
        text = text.removesuffix(NOT_TEXT)
    if not NUMBER.fullmatch(text):
        return None
    digits = text.lstrip("-")
    if digits.isdecimal():
        number = int(text) if digits == "0" or digits[0] != "0" else None
        return number if number is None or abs(number) < MOST_WHOLE else None
    return float(text) if keeps(text) else None


# -- files ----------------------------------------------------------------------------------------------------------


def _rewritten(run: Run, schema: pa.Schema, targets: dict[str, _Target], path: Path) -> Run:
    """The run with its columns converted, in a new file at `path`; the run itself where nothing has to be converted."""
    kinds = {name: target.kind for name, target in targets.items()}
    unified = pa.schema([field.with_type(kinds.get(field.name, field.type)) for field in schema])
    if unified.types == schema.types and not any(target.marked for target in targets.values()):
        return run
    with pq.ParquetFile(run.predictions) as file, pq.ParquetWriter(path, unified) as writer:
        for number in range(file.num_row_groups):
            group = file.read_row_group(number)
            columns = [
                _converted(group.column(field.name), field, targets.get(field.name), run.output_format)
                for field in unified
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=unified))
    return replace(run, predictions=str(path), output_sha256=digest_file(path).sha256)


def _converted(
    values: pa.ChunkedArray, column: pa.Field, target: _Target | None, output_format: str
) -> pa.ChunkedArray:
    kind = column.type
    if target is not None and target.marked:
        mark = TEXT if _content(column) == str(kind) else NOT_TEXT
        marked = [None if cell is None else cell + mark for cell in values.to_pylist()]
        return pa.chunked_array([pa.array(marked, kind)])
    if values.type == kind or target is None:
        return values
    if _is_text(kind) and target.note:
        return pa.chunked_array([pa.array([_written(value, output_format) for value in values.to_pylist()], kind)])
    if not _is_text(values.type):
        return _cast(values, kind) if not target.note else values.cast(kind, safe=False)
    cells = [
        None if text is None else target.odd[text] if text in target.odd else _number(text, output_format)
        for text in values.to_pylist()
    ]
    return pa.chunked_array([pa.array(cells, kind)])


def _written(value: object, output_format: str) -> str | None:
    """A cell of a column that is compared as text; numbers are written in one way, however they were written."""
    if value is None:
        return None
    if isinstance(value, bool):
        word = str(value).lower()
        return word + NOT_TEXT if output_format == "JSON Lines" else word
    number = _number(value, output_format) if isinstance(value, str) else value
    if not isinstance(number, int | float):
        return str(value)
    text = repr(number) if isinstance(number, float) and not float(number).is_integer() else str(int(number))
    return text + NOT_TEXT if output_format == "JSON Lines" else text
