"""What an output column is: declared by the record, or inferred from its name and values on both sides."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from repro_tui.compare.columns.json_paths import is_number, leaves_of, loads, path_words
from repro_tui.compare.columns.nested import counts, leaves, single
from repro_tui.compare.rows.database import Database, quoted, table
from repro_tui.model.record import ColumnRule, Kind

WORD_OF_PROBABILITY = "(?:p|prob|probs|proba|probability|probabilities|confidence|likelihood)"
_PROBABILITY = re.compile(rf"(?i)(^|[_.\s]){WORD_OF_PROBABILITY}($|[_.\s\d])")
_RANKING = re.compile(r"(?i)(^|[_.\s])(rank(s|ing|ings|ed)?|top_?[kn\d]*|recommend(ed|ation|ations)?)($|[_.\s\d])")
_LABEL = re.compile(r"(?i)(label|class|decision|pred(iction|icted)?$|category|outcome|flag)")
MOST_LABELS = 100
SAMPLE = 20_000  # rows of each of three row groups
LISTS = 500  # rows of each of three row groups, where a column holds lists
SAMPLE_BYTES = 32 << 20
PARSED = 200
LONG_TEXT = 40
SUM = 1e-3  # how far the sum of a vector of probabilities may be from one


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of A's and B's values of one column together.

    `low` and `high` are those of the finite values, `distinct` (of one side) and `length` (of text, the mean) those of
    a sample of the first, a middle and the last rows a side. Of lists, `whole` says that all of their numbers are
    whole, and `sums` that each is one of fractions whose sum is one. `typical` is the median of the sizes of a side's
    numbers that are not zero, the smaller one (0.0: there is none): which side is called A makes no difference. Of
    text, `document` says that each is a JSON table or list ("table", "list", or "" for neither), and `sizes` is what
    `typical` is of each path of these.
    """

    low: float | None = None
    high: float | None = None
    distinct: int = 0
    length: float = 0.0
    whole: bool = False
    sums: bool = False
    document: str = ""
    typical: float = 0.0
    sizes: Mapping[str, float] = field(default_factory=dict)


def profile(a: Path, b: Path, columns: Sequence[str]) -> dict[str, Profile]:
    """The profile of every column: ranges from the files' own statistics, the rest from a sample of their rows."""
    if not columns:
        return {}
    sides = [_ColumnsSide(path, columns) for path in dict.fromkeys((a, b))]
    return {name: _joined([side.column(name) for side in sides]) for name in columns}


def _joined(sides: list[Profile]) -> Profile:
    a, b = sides[0], sides[-1]
    lows, highs = [v for v in (a.low, b.low) if v is not None], [v for v in (a.high, b.high) if v is not None]
    document = a.document if a.document == b.document else "table" if a.document and b.document else ""
    return Profile(
        min(lows, default=None),
        max(highs, default=None),
        max(a.distinct, b.distinct),
        (a.length + b.length) / 2,
        a.whole and b.whole,
        a.sums and b.sums,
        document,
        _smaller(a.typical, b.typical),
        {path: _smaller(a.sizes.get(path, 0.0), b.sizes.get(path, 0.0)) for path in {**a.sizes, **b.sizes}},
    )


def _smaller(a: float, b: float) -> float:
    """The smaller of two sizes; 0.0 is none."""
    return min(filter(None, (a, b)), default=0.0)


class _ColumnsSide:
    """One file: its statistics, and a sample of its rows."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        with pq.ParquetFile(path) as file:
            self.metadata = file.metadata
            schema = file.schema_arrow
            lists = {name for name in columns if pa.types.is_list(schema.field(name).type)}
            self.sample = self._sample(file, [name for name in columns if name not in lists], SAMPLE)
            self.lists = self._sample(file, [name for name in columns if name in lists], self._rows())

    def _rows(self) -> int:
        """How many rows with lists are taken of a row group: few where they are long."""
        size = sum(self.metadata.row_group(n).total_byte_size for n in range(self.metadata.num_row_groups))
        return int(max(1, min(LISTS, SAMPLE_BYTES * self.metadata.num_rows // max(1, size))))

    def _sample(self, file: pq.ParquetFile, columns: list[str], rows: int) -> pa.Table | None:
        """Of the first, a middle and the last row group; of lists no more than what is wanted is decoded."""
        last = max(0, self.metadata.num_row_groups - 1)
        numbers = sorted({0, last // 2, last}) if self.metadata.num_rows and columns else []
        if rows == SAMPLE:
            groups = [file.read_row_group(number, columns=columns).slice(0, rows) for number in numbers]
        else:
            batches = (file.iter_batches(rows, row_groups=[number], columns=columns) for number in numbers)
            groups = [pa.Table.from_batches([batch]) for each in batches if (batch := next(each, None))]
        return pa.concat_tables(groups) if groups else None

    def column(self, name: str) -> Profile:
        if self.lists is not None and name in self.lists.column_names:
            return _of_lists(pa.concat_arrays(self.lists.column(name).chunks))
        if self.sample is None or name not in self.sample.column_names:
            return Profile()
        values = self.sample.column(name)
        kind = values.type
        if _is_number(kind):
            numbers = np.asarray(single(values).drop_null().to_numpy(), dtype=np.float64)
            return Profile(*self._range(name, values), _distinct(values), typical=_typical(numbers))
        if pa.types.is_string(kind):
            length = float(pc.mean(pc.utf8_length(values)).as_py() or 0.0)
            document = _document(values)
            sizes = _sizes(values) if document else {}
            return Profile(None, None, _distinct(values), length, document=document, sizes=sizes)
        return Profile()

    def _range(self, name: str, values: pa.ChunkedArray) -> tuple[float | None, float | None]:
        """The lowest and the highest finite value; of the sample where a group has no statistics."""
        place = self.metadata.schema.names.index(name)
        groups = [self.metadata.row_group(number).column(place) for number in range(self.metadata.num_row_groups)]
        found = [group.statistics for group in groups]
        if all(
            one is not None and (one.has_min_max or one.null_count == group.num_values)
            for one, group in zip(found, groups, strict=True)
        ):
            ends = [_end(value) for one in found if one.has_min_max for value in (one.min, one.max)]
        else:
            ends = [float(value) for value in pc.min_max(single(values)).as_py().values() if value is not None]
        finite = [value for value in ends if math.isfinite(value)]
        return (min(finite), max(finite)) if finite else (None, None)


def _end(value: Any) -> float:
    """One end of a column's range; of float16 its two bytes are all that there is."""
    return float(np.frombuffer(value, "<f2")[0]) if isinstance(value, bytes) else float(value)


def _of_lists(array: pa.Array) -> Profile:
    """What the lists of a sample have in common."""
    numbers = np.asarray(leaves(array).drop_null().to_numpy(zero_copy_only=False), dtype=np.float64)
    if not len(numbers):
        return Profile()
    finite = numbers[np.isfinite(numbers)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (None, None)
    whole = bool((finite == np.floor(finite)).all())
    return Profile(low, high, whole=whole, sums=_sums(array, numbers), typical=_typical(finite))


def _typical(numbers: Any) -> float:
    """The median of the sizes. One value that most are, beside others, stands for something such as "masked", and is no
    size of the others."""
    sizes = np.abs(numbers[np.isfinite(numbers) & (numbers != 0)])
    if not len(sizes):
        return 0.0
    middle = _median(sizes)
    others = sizes[sizes != middle]
    return _median(others) if len(others) and 2 * len(others) < len(sizes) else middle


def _median(sizes: Any) -> float:
    """As numpy's, but for the sum of the two in the middle, which may be more than a float can be."""
    return 2 * float(np.median(sizes / 2)) if float(sizes.max()) > sys.float_info.max / 4 else float(np.median(sizes))


def _sums(array: pa.Array, numbers: Any) -> bool:
    sizes = counts(array)
    sizes = sizes[sizes > 0]
    if pa.types.is_list(array.type.value_type) or int(sizes.sum()) != len(numbers) or (sizes < 2).any():
        return False
    return adds_up(numbers, np.add.reduceat(numbers, np.cumsum(sizes) - sizes))


def adds_up(numbers: Any, sums: Any) -> bool:
    """Whether these are fractions, whose sums are one."""
    with np.errstate(invalid="ignore"):
        return bool((numbers >= 0).all() and (numbers <= 1 + SUM).all() and (np.abs(sums - 1) <= SUM).all())


def _document(values: pa.ChunkedArray) -> str:
    """Whether texts are JSON lists of texts and whole numbers, which may be items of a ranking, or other documents: all
    of them begin as one, and the first two hundred are read."""
    values = values.drop_null()
    if not len(values) or not pc.all(pc.match_substring_regex(values, r"^\s*[\[{]")).as_py():
        return ""
    items = True
    for text in values.slice(0, PARSED).to_pylist():
        try:
            found = loads(text)
        except (ValueError, RecursionError):
            return ""
        items = items and isinstance(found, list) and all(type(one) in (str, int) for one in found)
    return "list" if items else "table"


def _sizes(values: pa.ChunkedArray) -> dict[str, float]:
    """The median size of the numbers at each path of the first documents, without the places in lists."""
    found: dict[str, list[float]] = {}
    for text in values.drop_null().slice(0, PARSED).to_pylist():
        for path, value in (leaves_of(text) or {}).items():
            if is_number(value) and value and 0 < abs(value) < sys.float_info.max:
                found.setdefault(path_words(path, places=False), []).append(abs(float(value)))
    return {path: _typical(np.asarray(sizes)) for path, sizes in found.items()}


def _distinct(values: pa.ChunkedArray) -> int:
    return int(pc.count_distinct(values).as_py())


@dataclass(frozen=True, slots=True)
class Spread:
    """Of a column's finite values: how many there are, and their standard deviation (0.0 where it overflows)."""

    finite: int = 0
    sd: float = 0.0


def spread(path: Path, name: str, database: Database) -> Spread:
    """One column's spread, by Welford's way, which loses no digits and gives 0 for a constant."""
    value = f"CAST({quoted(name)} AS DOUBLE)"
    finite = f"(SELECT {value} AS v FROM {table(path)} WHERE isfinite({value}))"  # noqa: S608
    with database.connection() as connection:
        try:
            found = connection.execute(f"SELECT count(*), stddev_pop(v) FROM {finite}").fetchall()[0]  # noqa: S608
        except duckdb.OutOfRangeException:
            return Spread(connection.execute(f"SELECT count(*) FROM {finite}").fetchall()[0][0])  # noqa: S608
    count, deviation = found
    return Spread(count, deviation if count and math.isfinite(deviation) else 0.0)


def shares(path: Path, name: str, database: Database) -> dict[Any, int]:
    """How often each value stands in a column."""
    query = f"SELECT {quoted(name)}, count(*) FROM {table(path)} GROUP BY ALL"  # noqa: S608
    with database.connection() as connection:
        return dict(connection.execute(query).fetchall())


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def kind_of(name: str, kind: pa.DataType, told: Profile, rule: ColumnRule) -> tuple[Kind, str]:
    """The column's kind, and why it was inferred ("" where it was declared)."""
    if rule.kind is not None:
        return rule.kind, ""
    if rule.vector is not None:
        return "probability", ""
    if pa.types.is_list(kind):
        return _of_list(name, told)
    if pa.types.is_floating(kind):
        return _of_float(name, told)
    if pa.types.is_integer(kind):
        return _of_integer(name, told)
    if pa.types.is_decimal(kind):
        return "value", "decimal numbers"
    if pa.types.is_string(kind):
        return _of_text(name, told)
    return ("label", "true or false") if pa.types.is_boolean(kind) else ("value", f"of type {kind}")


def _of_list(name: str, told: Profile) -> tuple[Kind, str]:
    if told.sums:
        return "probability", "lists of fractions whose sum is one"
    if told.whole and _RANKING.search(name):
        return "ranking", "lists of whole numbers, and named like a ranking"
    return "embedding", "lists of numbers"


def _of_float(name: str, told: Profile) -> tuple[Kind, str]:
    inside = told.low is not None and told.high is not None and told.low >= 0 and told.high <= 1
    whole = told.distinct <= 2 and told.low in (0.0, 1.0, None) and told.high in (0.0, 1.0, None)
    if inside and _PROBABILITY.search(name):
        return "probability", "numbers from 0 to 1, and named like a probability"
    return ("probability", "fractions from 0 to 1") if inside and not whole else ("value", "numbers")


def _of_integer(name: str, told: Profile) -> tuple[Kind, str]:
    if told.low in (0, 1) and told.high in (0, 1):
        return "label", "only 0 and 1"
    few = told.distinct <= MOST_LABELS and bool(_LABEL.search(name))
    return ("label", "few whole numbers, and named like a label") if few else ("value", "whole numbers")


def _of_text(name: str, told: Profile) -> tuple[Kind, str]:
    if told.document == "list" and _RANKING.search(name):
        return "ranking", "JSON lists of items, and named like a ranking"
    if told.document:
        return "json", "JSON documents"
    long = told.distinct > MOST_LABELS and told.length > LONG_TEXT
    return ("text", "long text of many values") if long else ("label", "short text, or few values")
