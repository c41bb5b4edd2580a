"""Columns that the runs have in other types are brought to one that loses nothing, before anything is compared.

A library's next release stores moments in another unit, a format without types makes text of a column for one odd
cell: that is told, and is no reason not to compare the values. Files that need no change stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from repro_tui.formats.columns import decimal_text
from repro_tui.formats.tables_text import NOT_TEXT, TEXT, keeps
from repro_tui.model.predictions import VERDICTS, Column, Verdict
from repro_tui.model.run import Run
from repro_tui.support.hashes import digest_file
from repro_tui.support.text import show

UNITS = ("s", "ms", "us", "ns")  # the finest that is needed is found by trying
WIDEST_128 = 38  # digits of a decimal
MOST_ODD = 0.5  # of a column's cells, up to which it is one of numbers with odd cells among them
# What may stand for an odd cell among numbers: none of them is within a tolerance of a number, or of each other.
STANDS = (float("nan"), float("inf"), float("-inf"))
NUMBER = re.compile(
    r"-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?([iI]nf(inity)?|INF)|[nN]a[nN]|NAN"
)
FEW_ODD = 0.1  # the same where every run has some
FIRST = 1_000  # cells by which a column of text is taken for one of numbers
MOST_TEXTS = 10_000  # that are told apart
MOST_WHOLE = 1 << 62
EXACT = 1 << 53  # whole numbers beyond it are not all floats
EXAMPLES = 3
UNTYPED = frozenset({"CSV", "JSON Lines"})


@dataclass(frozen=True, slots=True)
class Unified:
    """The runs with columns of one type. `types` are A's and B's own of those that were brought together, `notes` what
    there is to say of them."""

    a: list[Run]
    b: list[Run]
    types: dict[str, tuple[str, str]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    rounded: frozenset[str] = frozenset()

    def tell(self, column: Column) -> Column:
        """A column's result with its own types: values in another type are equal, and not identical."""
        if column.name not in self.types:
            return column
        a, b = self.types[column.name]
        told = "" if a == b else f"the types differ: {a} in A, {b} in B"
        notes = filter(None, (told, self.notes.get(column.name, ""), column.note))
        least: Verdict = "equal-to-rounding" if column.name in self.rounded else "equal"
        verdict = max(column.verdict, least, key=VERDICTS.index)
        return replace(column, type_a=a, type_b=b, verdict=verdict, note="; ".join(notes))


def unify(a: Sequence[Run], b: Sequence[Run], key: Sequence[str], folder: Path) -> Unified:
    """All runs with the columns' common types; what has to be rewritten goes to the folder."""
    runs = {run.output_sha256: run for run in reversed([*a, *b])}
    schemas = {digest: pq.read_schema(run.predictions) for digest, run in runs.items()}
    targets: dict[str, _Target] = {}
    for name in schemas[a[0].output_sha256].names:
        kinds = {digest: schema.field(name).type for digest, schema in schemas.items() if name in schema.names}
        if len(kinds) < len(runs):
            continue
        target = _apart(name, schemas, runs)
        if target is None and (len(set(kinds.values())) > 1 or _may_be_numbers(name, runs)):
            target = _target(name, kinds, runs, name in key)
        if target is not None:
            targets[name] = target
    if not targets:
        return Unified(list(a), list(b))
    folder.mkdir(parents=True, exist_ok=True)
    made = {
        digest: _rewritten(run, schemas[digest], targets, folder / f"{place}.parquet")
        for place, (digest, run) in enumerate(runs.items())
    }
    sides = [[replace(made[run.output_sha256], number=run.number) for run in side] for side in (a, b)]
    firsts = [schemas[side[0].output_sha256] for side in (a, b)]
    told = {show(name, 200): tuple(_told(schema.field(name)) for schema in firsts) for name in targets}
    notes = {show(name, 200): target.note for name, target in targets.items() if target.note}
    rounded = frozenset(show(name, 200) for name, target in targets.items() if target.rounded)
    return Unified(sides[0], sides[1], told, notes, rounded)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class _Target:
    """The type of all runs' columns. Of text among numbers `odd` are the texts that are none, and what stands for each
    (None: nothing); where it is text, every value is written as one program writes it."""

    kind: pa.DataType
    odd: dict[str, float | None] = field(default_factory=dict)
    note: str = ""
    rounded: bool = False  # decimals have more digits than the floats that they are compared with
    apart: bool = False  # what was no text is marked, so that no text is taken for it


def _apart(name: str, schemas: dict[str, pa.Schema], runs: dict[str, Run]) -> _Target | None:
    """Where runs hold documents or bytes in a column, and others the text that would stand for them: `{"a": 1}` is not
    `"{\"a\": 1}"`. In CSV all is text, and may stand for any of them."""
    fields = {digest: schema.field(name) for digest, schema in schemas.items()}
    typed = {digest: one for digest, one in fields.items() if runs[digest].output_format not in ("CSV", ".npy")}
    if len(set(map(_told, typed.values()))) < 2 or not all(_is_text(one.type) for one in fields.values()):
        return None
    held = {_told(one) for digest, one in typed.items() if not _is_empty(Path(runs[digest].predictions), name)}
    if len(held) < 2:
        return None
    return _Target(pa.string(), note=f"{' and '.join(sorted(held))} are never the same", apart=True)


def _told(one: pa.Field) -> str:
    """What a column holds, as its type is told: what stands as text may have been something else."""
    return (one.metadata or {}).get(b"holds", b"").decode() or str(one.type)


def _may_be_numbers(name: str, runs: dict[str, Run]) -> bool:
    """Whether a column of text, in formats without types, has mostly numbers among its first cells."""
    if len(runs) < 2 or any(run.output_format not in UNTYPED for run in runs.values()):
        return False
    first = next(_groups(Path(next(iter(runs.values())).predictions), name), None)
    if first is None or not _is_text(first.type):
        return False
    seen = _Seen()
    for form in {run.output_format for run in runs.values()}:
        seen.take(first.slice(0, FIRST), form)
    return 0 < len(seen.odd) <= len(STANDS) and sum(seen.odd.values()) <= FEW_ODD * (seen.rows - seen.nulls)


def _target(name: str, kinds: dict[str, pa.DataType], runs: dict[str, Run], names_rows: bool) -> _Target | None:
    filled = [kind for digest, kind in kinds.items() if not _is_empty(Path(runs[digest].predictions), name)]
    of_text = all(map(_is_text, filled)) and len(set(kinds.values())) == 1
    for candidate in _candidates(list(kinds.values()), filled) if not of_text else ():
        if all(_fits(Path(run.predictions), name, candidate) for run in runs.values()):
            return _Target(candidate, rounded=pa.types.is_floating(candidate) and _loses(name, runs))
    untyped = all(run.output_format in UNTYPED for run in runs.values()) and any(map(_is_text, filled))
    if untyped and not names_rows and all(_is_text(kind) or _is_number(kind) or _is_boolean(kind) for kind in filled):
        found = _with_odd_cells(name, filled, runs)
        return None if of_text and _is_text(found.kind) else found
    return None


def _loses(name: str, runs: dict[str, Run]) -> bool:
    """Whether a decimal has digits that no float keeps."""
    return any(
        value is not None and Decimal(repr(float(value))) != value
        for run in runs.values()
        for values in _groups(Path(run.predictions), name)
        if pa.types.is_decimal(values.type)
        for value in pc.unique(values).to_pylist()
    )


def _is_empty(path: Path, name: str) -> bool:
    """Whether a column has no value: it is of any type then."""
    return all(values.null_count == len(values) for values in _groups(path, name))


def _candidates(kinds: list[pa.DataType], filled: list[pa.DataType]) -> Iterator[pa.DataType]:
    """Types that may hold the values of all of these, the narrowest first. Whole numbers and floats are compared as
    they are."""
    every = set(filled)
    if len(every) <= 1:
        yield filled[0] if filled else kinds[0]
    elif all(map(_is_exact, every)) and any(map(pa.types.is_decimal, every)):
        yield from _decimals(every)
    elif all(map(_is_number, every)) and any(map(pa.types.is_decimal, every)):
        yield pa.float64()
    elif all(pa.types.is_timestamp(kind) or pa.types.is_date(kind) for kind in every):
        yield from _moments(every)
    elif all(map(pa.types.is_duration, every)):
        yield from (pa.duration(unit) for unit in UNITS)
    elif all(map(pa.types.is_time, every)):
        yield from (pa.time64("us"), pa.time64("ns"))


def _is_exact(kind: pa.DataType) -> bool:
    return bool(pa.types.is_decimal(kind) or pa.types.is_integer(kind))


def _is_number(kind: pa.DataType) -> bool:
    return _is_exact(kind) or bool(pa.types.is_floating(kind))


def _decimals(kinds: set[pa.DataType]) -> Iterator[pa.DataType]:
    scale = max(kind.scale if pa.types.is_decimal(kind) else 0 for kind in kinds)
    whole = max(kind.precision - kind.scale if pa.types.is_decimal(kind) else 20 for kind in kinds)
    if scale <= WIDEST_128:
        yield pa.decimal128(min(WIDEST_128, whole + scale), scale)
    yield pa.string()  # the database has no decimals of more digits: exactly as they are written


def _moments(kinds: set[pa.DataType]) -> Iterator[pa.DataType]:
    """Instants where all have a zone; where none has one, what a clock on the wall says, and a day is its midnight."""
    zoned = {getattr(kind, "tz", None) is not None for kind in kinds}
    if len(zoned) == 1:
        yield from (pa.timestamp(unit, "UTC" if zoned == {True} else None) for unit in UNITS)


def _is_boolean(kind: pa.DataType) -> bool:
    return bool(pa.types.is_boolean(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind))


def _fits(path: Path, name: str, target: pa.DataType) -> bool:
    """Whether every value of a column is one of that type, with nothing lost."""
    try:
        for values in _groups(path, name):
            _cast(values, target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True


def _groups(path: Path, name: str) -> Iterator[pa.ChunkedArray]:
    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            yield file.read_row_group(number, columns=[name]).column(name)  # "p" brings "p.cat" along


def _cast(values: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray:
    if values.type == target:
        return values
    if values.null_count == len(values):
        return pa.chunked_array([pa.nulls(len(values), target)], target)
    if pa.types.is_string(target) and _is_exact(values.type):
        return pa.chunked_array([pa.array(map(decimal_text, values.to_pylist()), target)])
    lossy = pa.types.is_decimal(values.type) and pa.types.is_floating(target)  # the nearest float stands for it
    return values.cast(target, safe=not lossy)


# -- text among numbers ---------------------------------------------------------------------------------------------


def _with_odd_cells(name: str, filled: list[pa.DataType], runs: dict[str, Run]) -> _Target:
    """Numbers in formats without types, of which some cells are no numbers: these differ from every number, and the
    rest is compared as numbers. Where there is nothing to stand for so many texts, all is compared as text, exactly.
    """
    seen = _Seen()
    for run in runs.values():
        for values in _groups(Path(run.predictions), name):
            seen.take(values, run.output_format)
    some = ", ".join(show(repr(text.removesuffix(NOT_TEXT)), 60) for text in list(seen.odd)[:EXAMPLES])
    count = sum(seen.odd.values())
    told = f"{count:,} of its values are not numbers" if count != 1 else "1 of its values is not a number"
    note = f"{told} ({some})"
    if not any(map(_is_boolean, filled)) and count <= MOST_ODD * seen.rows:
        if seen.whole and not seen.nulls and len(seen.odd) == 1:
            return _Target(pa.int64(), dict.fromkeys(seen.odd), note)
        if not seen.whole and seen.exact and len(seen.odd) <= len(seen.free):
            return _Target(pa.float64(), dict(zip(seen.odd, seen.free, strict=False)), note)
    return _Target(pa.string(), {}, f"{note}: the whole column is compared as text, exactly")


class _Seen:
    """What a column of text and numbers holds over all runs: how many rows and nulls, the texts that are no numbers,
    whether all numbers are whole, or exact as floats, and which of what could stand for a text is no number of it."""

    def __init__(self) -> None:
        self.rows = self.nulls = 0
        self.whole = self.exact = True
        self.odd: dict[str, int] = {}
        self.free = list(STANDS)

    def take(self, values: pa.ChunkedArray, form: str) -> None:
        """Takes one group of rows."""
        self.rows, self.nulls = self.rows + len(values), self.nulls + values.null_count
        numbers = []
        for value in values.drop_null().to_pylist():
            number = _number(value, form) if isinstance(value, str) else value
            if number is None:
                if value in self.odd or len(self.odd) < MOST_TEXTS:
                    self.odd[value] = self.odd.get(value, 0) + 1
            else:
                numbers.append(number)
        self.whole = self.whole and all(isinstance(number, int) for number in numbers)
        self.exact = self.exact and all(isinstance(number, float) or abs(number) <= EXACT for number in numbers)
        found = np.array([float(number) for number in numbers])
        self.free = [one for one in self.free if not _holds(found, one)]


def _holds(numbers: np.ndarray, value: float) -> bool:
    return bool(np.isnan(numbers).any() if np.isnan(value) else (numbers == value).any())


def _number(text: str, form: str) -> float | int | None:
    """The number that a cell stands for, as it would be read in a column of numbers: 007 is none. In JSON Lines text is
    text, though it may look like a number."""
    if form == "JSON Lines":
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


def _rewritten(run: Run, schema: pa.Schema, targets: dict[str, _Target], target: Path) -> Run:
    """The run with its columns in these types; the very run where they are already."""
    kinds = {name: one.kind for name, one in targets.items()}
    wanted = pa.schema([field.with_type(kinds.get(field.name, field.type)) for field in schema])
    if wanted.types == schema.types and not any(target.apart for target in targets.values()):
        return run
    with pq.ParquetFile(run.predictions) as file, pq.ParquetWriter(target, wanted) as writer:
        for number in range(file.num_row_groups):
            group = file.read_row_group(number)
            columns = [
                _as(group.column(field.name), field, targets.get(field.name), run.output_format) for field in wanted
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=wanted))
    return replace(run, predictions=str(target), output_sha256=digest_file(target).sha256)


def _as(values: pa.ChunkedArray, wanted: pa.Field, target: _Target | None, form: str) -> pa.ChunkedArray:
    kind = wanted.type
    if target is not None and target.apart:
        mark = TEXT if _told(wanted) == str(wanted.type) else NOT_TEXT
        marked = [None if cell is None else cell + mark for cell in values.to_pylist()]
        return pa.chunked_array([pa.array(marked, kind)])
    if values.type == kind or target is None:
        return values
    if _is_text(kind) and target.note:
        return pa.chunked_array([pa.array([_written(value, form) for value in values.to_pylist()], kind)])
    if not _is_text(values.type):
        return _cast(values, kind) if not target.note else values.cast(kind, safe=False)
    cells = [
        None if text is None else target.odd[text] if text in target.odd else _number(text, form)
        for text in values.to_pylist()
    ]
    return pa.chunked_array([pa.array(cells, kind)])


def _written(value: Any, form: str) -> str | None:
    """A cell of a column that is compared as text: a number in one way, whichever way it was written."""
    if value is None:
        return None
    if isinstance(value, bool):
        word = str(value).lower()
        return word + NOT_TEXT if form == "JSON Lines" else word
    number = _number(value, form) if isinstance(value, str) else value
    if number is None:
        return str(value)
    text = repr(number) if isinstance(number, float) and not float(number).is_integer() else str(int(number))
    return text + NOT_TEXT if form == "JSON Lines" else text
