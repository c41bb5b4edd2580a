"""What kind of output a column is: declared by the record, or inferred from its name and its values on both sides.

Before rows are compared, `profile` takes ranges from the statistics of the Parquet files, and everything else
(different values, length of text, JSON, sums of lists, the typical size of numbers) from a sample: the first 20,000
rows of the first, a middle and the last row group of each side, fewer where rows hold lists. `kind_of` then decides, by
type first:

    lists      probability if each list holds fractions that sum to one, ranking if named so and whole, else embedding
    floats     probability if within 0 to 1 (unless only 0 and 1 occur), else value
    integers   label if only 0 and 1 occur, or few values and named like a label, else value
    text       ranking or json if all of it is JSON, text if long and of many values, else label

Both sides count, so that the kind does not depend on which side is called A. Only ranges over the whole file can rule a
kind out with certainty; a sample can miss an exception, in which case the record can declare the kind.

`Profile.typical`, the median size of the numbers, scales default tolerances. If more than half of the numbers are one
and the same value, such as a -1e9 that stands for "masked", that value is ignored. Example: of 11 times -1e9 and 9
times 0.5 the median size is 1e9, a value that most are, so that the typical size is 0.5.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from repro_tui.compare.columns.json_paths import is_number, leaves_of, loads, path_words
from repro_tui.compare.columns.nested import counts, leaves, single
from repro_tui.compare.rows.arrays import Floats, is_number_type
from repro_tui.compare.rows.database import Database, quoted, table
from repro_tui.compare.rows.pairs import rows_within, sampled_groups
from repro_tui.model.record import ColumnRule, Kind

WORD_OF_PROBABILITY = "(?:p|prob|probs|proba|probability|probabilities|confidence|likelihood)"
_PROBABILITY = re.compile(rf"(?i)(^|[_.\s]){WORD_OF_PROBABILITY}($|[_.\s\d])")
_RANKING = re.compile(r"(?i)(^|[_.\s])(rank(s|ing|ings|ed)?|top_?[kn\d]*|recommend(ed|ation|ations)?)($|[_.\s\d])")
_LABEL = re.compile(r"(?i)(label|class|decision|pred(iction|icted)?$|category|outcome|flag)")
MOST_LABELS = 100
# What a value is inferred from that may be a label under a name that does not say so. pandas stores ids as floats where
# one is missing.
WHOLE, WHOLE_FLOATS = "whole numbers", "whole numbers, stored as floats"
SAMPLE = 20_000  # rows of each of three row groups
LISTS = 500  # rows of each of three row groups, where a column holds lists
SAMPLE_BYTES = 32 << 20
PARSED = 200  # documents of a sample that are parsed
LONG_TEXT = 40  # characters
SUM = 1e-3  # how far the sum of a vector of probabilities may be from one


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of the values of one column, of A and B together, before rows are compared.

    `low` and `high` are the smallest and largest finite values (None: none). The rest comes from a sample: `distinct`
    is the number of different values (of the side that has more), `length` the mean length of text in characters, and
    `typical` the median size of the numbers that are not zero (0.0: there are none; of two sides the smaller, so that
    it does not matter which is called A). `whole` says that all numbers of the sample are whole; of lists, `sums` says
    that each list holds fractions that sum to one. Of text, `document` says that every value is JSON ("list": of items
    that may be a ranking; "table": anything else; "": not JSON), and `sizes` gives the typical size of the numbers at
    each path.
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
    """The profile of each of these columns, which both files have."""
    if not columns:
        return {}
    sides = [_ColumnsSide(path, columns) for path in dict.fromkeys((a, b))]
    return {name: _joined([side.profile(name) for side in sides]) for name in columns}


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
    """The smaller of two sizes, where 0.0 means that there is none."""
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
        """How many rows with lists are sampled from a row group: fewer where they are long."""
        return max(1, min(LISTS, rows_within(self.metadata, SAMPLE_BYTES)))

    def _sample(self, file: pq.ParquetFile, columns: list[str], rows: int) -> pa.Table | None:
        """The first rows of the first, a middle and the last row group; of lists, only these rows are decoded."""
        numbers = sampled_groups(self.metadata) if columns else []
        if rows == SAMPLE:
            groups = [file.read_row_group(number, columns=columns).slice(0, rows) for number in numbers]
        else:
            batches = (file.iter_batches(rows, row_groups=[number], columns=columns) for number in numbers)
            groups = [pa.Table.from_batches([batch]) for each in batches if (batch := next(each, None))]
        return pa.concat_tables(groups) if groups else None

    def profile(self, name: str) -> Profile:
        if self.lists is not None and name in self.lists.column_names:
            return _list_profile(pa.concat_arrays(self.lists.column(name).chunks))
        if self.sample is None or name not in self.sample.column_names:
            return Profile()
        values = self.sample.column(name)
        kind = values.type
        if is_number_type(kind):
            numbers = np.asarray(single(values).drop_null().to_numpy(), dtype=np.float64)
            low, high = self._range(name, values)
            return Profile(low, high, _distinct(values), whole=_are_whole(numbers), typical=_typical(numbers))
        if pa.types.is_string(kind):
            length = float(pc.mean(pc.utf8_length(values)).as_py() or 0.0)
            document = _document(values)
            sizes = _sizes(values) if document else {}
            return Profile(None, None, _distinct(values), length, document=document, sizes=sizes)
        return Profile()

    def _range(self, name: str, values: pa.ChunkedArray) -> tuple[float | None, float | None]:
        """The smallest and the largest finite value; of the sample, if a row group has no statistics."""
        position = self.metadata.schema.names.index(name)
        chunks = [self.metadata.row_group(number).column(position) for number in range(self.metadata.num_row_groups)]
        statistics = [chunk.statistics for chunk in chunks]
        if all(
            summary is not None and (summary.has_min_max or summary.null_count == chunk.num_values)
            for summary, chunk in zip(statistics, chunks, strict=True)
        ):
            ends = [_end(end) for summary in statistics if summary.has_min_max for end in (summary.min, summary.max)]
        else:
            ends = [float(end) for end in pc.min_max(single(values)).as_py().values() if end is not None]
        finite = [end for end in ends if math.isfinite(end)]
        return (min(finite), max(finite)) if finite else (None, None)


def _end(value: float | bytes) -> float:
    """One end of a column's range; Parquet's statistics hold a float16 as its two bytes."""
    return float(np.frombuffer(value, "<f2")[0]) if isinstance(value, bytes) else float(value)


def _list_profile(array: pa.Array) -> Profile:
    """The profile of a column of lists, from a sample of its rows."""
    numbers = np.asarray(leaves(array).drop_null().to_numpy(zero_copy_only=False), dtype=np.float64)
    if not len(numbers):
        return Profile()
    finite = numbers[np.isfinite(numbers)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (None, None)
    return Profile(
        low, high, whole=_are_whole(numbers), sums=_lists_sum_to_one(array, numbers), typical=_typical(finite)
    )


def _are_whole(numbers: Floats) -> bool:
    finite = numbers[np.isfinite(numbers)]
    return bool(len(finite) and (finite == np.floor(finite)).all())


def _typical(numbers: Floats) -> float:
    """The median size of the finite numbers that are not zero; 0.0 if there are none.

    A value that more than half of them have, while others occur, stands for something such as "masked", and is left
    out.
    """
    sizes = np.abs(numbers[np.isfinite(numbers) & (numbers != 0)])
    if not len(sizes):
        return 0.0
    middle = _median(sizes)
    others = sizes[sizes != middle]
    return _median(others) if len(others) and 2 * len(others) < len(sizes) else middle


def _median(sizes: Floats) -> float:
    """As NumPy's median, except that the sum of the two middle values may not overflow."""
    return 2 * float(np.median(sizes / 2)) if float(sizes.max()) > sys.float_info.max / 4 else float(np.median(sizes))


def _lists_sum_to_one(array: pa.Array, numbers: Floats) -> bool:
    """Whether each list holds two or more fractions that sum to one; `numbers` are those of all lists."""
    sizes = counts(array)
    sizes = sizes[sizes > 0]
    if pa.types.is_list(array.type.value_type) or int(sizes.sum()) != len(numbers) or (sizes < 2).any():
        return False
    return adds_up(numbers, np.add.reduceat(numbers, np.cumsum(sizes) - sizes))


def adds_up(numbers: Floats, sums: Floats) -> bool:
    """Whether all numbers are fractions, and all of their sums are one."""
    with np.errstate(invalid="ignore"):
        return bool((numbers >= 0).all() and (numbers <= 1 + SUM).all() and (np.abs(sums - 1) <= SUM).all())


def _document(values: pa.ChunkedArray) -> str:
    """What documents the texts are: "list" if all are JSON lists of texts and whole numbers, "table" for other JSON.

    All of them must begin like JSON, and the first two hundred must parse; "" where they do not.
    """
    values = values.drop_null()
    if not len(values) or not pc.all(pc.match_substring_regex(values, r"^\s*[\[{]")).as_py():
        return ""
    items = True
    for text in values.slice(0, PARSED).to_pylist():
        try:
            document = loads(text)
        except (ValueError, RecursionError):
            return ""
        items = items and isinstance(document, list) and all(type(item) in (str, int) for item in document)
    return "list" if items else "table"


def _sizes(values: pa.ChunkedArray) -> dict[str, float]:
    """The typical size of the numbers at each path of the first documents; elements of a list share a path."""
    by_path: dict[str, list[float]] = {}
    for text in values.drop_null().slice(0, PARSED).to_pylist():
        for path, value in (leaves_of(text) or {}).items():
            if is_number(value) and value and 0 < abs(value) < sys.float_info.max:
                by_path.setdefault(path_words(path, places=False), []).append(abs(float(value)))
    return {path: _typical(np.asarray(sizes)) for path, sizes in by_path.items()}


def _distinct(values: pa.ChunkedArray) -> int:
    return int(pc.count_distinct(values).as_py())


@dataclass(frozen=True, slots=True)
class Spread:
    """How many finite values a column has, and their standard deviation (0.0 where it overflows)."""

    finite: int = 0
    sd: float = 0.0


def spread(path: Path, name: str, database: Database) -> Spread:
    """The spread of one column. The database uses Welford's algorithm, which is stable and gives 0 for a constant."""
    value = f"CAST({quoted(name)} AS DOUBLE)"
    finite = f"(SELECT {value} AS v FROM {table(path)} WHERE isfinite({value}))"  # noqa: S608
    with database.connection() as connection:
        try:
            totals = connection.execute(f"SELECT count(*), stddev_pop(v) FROM {finite}").fetchall()[0]  # noqa: S608
        except duckdb.OutOfRangeException:
            return Spread(connection.execute(f"SELECT count(*) FROM {finite}").fetchall()[0][0])  # noqa: S608
    count, deviation = totals
    return Spread(count, deviation if count and math.isfinite(deviation) else 0.0)


def shares(path: Path, name: str, database: Database) -> dict[object, int]:
    """How often each value occurs in a column."""
    query = f"SELECT {quoted(name)}, count(*) FROM {table(path)} GROUP BY ALL"  # noqa: S608
    with database.connection() as connection:
        return dict(connection.execute(query).fetchall())


def kind_of(name: str, kind: pa.DataType, profile: Profile, rule: ColumnRule) -> tuple[Kind, str]:
    """A column's kind, and what it was inferred from ("" where the record declares it).

    `kind` is the column's type, and `rule` what the record declares of it.
    """
    if rule.kind is not None:
        return rule.kind, ""
    if rule.vector is not None:
        return "probability", ""
    if pa.types.is_list(kind):
        return _of_list(name, profile)
    if pa.types.is_floating(kind):
        return _of_float(name, profile)
    if pa.types.is_integer(kind):
        return _of_integer(name, profile)
    if pa.types.is_decimal(kind):
        return "value", "decimal numbers"
    if pa.types.is_string(kind):
        return _of_text(name, profile)
    return ("label", "true or false") if pa.types.is_boolean(kind) else ("value", f"of type {kind}")


def _of_list(name: str, profile: Profile) -> tuple[Kind, str]:
    if profile.sums:
        return "probability", "lists of fractions that sum to one"
    if profile.whole and _RANKING.search(name):
        return "ranking", "lists of whole numbers, and named like a ranking"
    return "embedding", "lists of numbers"


def _of_float(name: str, profile: Profile) -> tuple[Kind, str]:
    inside = profile.low is not None and profile.high is not None and profile.low >= 0 and profile.high <= 1
    whole = profile.distinct <= 2 and profile.low in (0.0, 1.0, None) and profile.high in (0.0, 1.0, None)
    if inside and _PROBABILITY.search(name):
        return "probability", "numbers from 0 to 1, and named like a probability"
    if inside and not whole:
        return "probability", "fractions from 0 to 1"
    return "value", WHOLE_FLOATS if profile.whole else "numbers"


def _of_integer(name: str, profile: Profile) -> tuple[Kind, str]:
    if profile.low in (0, 1) and profile.high in (0, 1):
        return "label", "only 0 and 1"
    few = profile.distinct <= MOST_LABELS and bool(_LABEL.search(name))
    return ("label", "few whole numbers, and named like a label") if few else ("value", WHOLE)


def _of_text(name: str, profile: Profile) -> tuple[Kind, str]:
    if profile.document == "list" and _RANKING.search(name):
        return "ranking", "JSON lists of items, and named like a ranking"
    if profile.document:
        return "json", "JSON documents"
    long = profile.distinct > MOST_LABELS and profile.length > LONG_TEXT
    return ("text", "long text of many values") if long else ("label", "short text, or few values")
