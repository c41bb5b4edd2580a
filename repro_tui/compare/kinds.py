"""What an output column is: declared by the record, or inferred from its name and values on both sides."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from repro_tui.compare.database import database, quoted
from repro_tui.model.record import ColumnRule, Kind

_PROBABILITY = re.compile(
    r"(?i)(^|[_.\s])(p|prob|probs|proba|probability|probabilities|confidence|likelihood)($|[_.\s\d])"
)
_LABEL = re.compile(r"(?i)(label|class|decision|pred(iction|icted)?$|category|outcome|flag)")
MOST_LABELS = 100
SAMPLE = 20_000  # rows of each of three row groups
LONG_TEXT = 40


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of A's and B's values of one column together.

    `low` and `high` are those of the finite values, `distinct` (of one side) and `length` (of text, the mean) those of
    a sample of the first, a middle and the last rows a side.
    """

    low: float | None = None
    high: float | None = None
    distinct: int = 0
    length: float = 0.0


def profile(a: Path, b: Path, columns: Sequence[str]) -> dict[str, Profile]:
    """The profile of every column: ranges from the files' own statistics, the rest from a sample of their rows."""
    if not columns:
        return {}
    sides = [_Side(path, columns) for path in (a, b)]
    return {name: _joined(*(side.column(name) for side in sides)) for name in columns}


def _joined(a: Profile, b: Profile) -> Profile:
    lows, highs = [v for v in (a.low, b.low) if v is not None], [v for v in (a.high, b.high) if v is not None]
    return Profile(
        min(lows, default=None), max(highs, default=None), max(a.distinct, b.distinct), (a.length + b.length) / 2
    )


class _Side:
    """One file: its statistics, and a sample of its rows."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        with pq.ParquetFile(path) as file:
            self.metadata = file.metadata
            last = max(0, self.metadata.num_row_groups - 1)
            groups = [
                file.read_row_group(number, columns=list(columns)).slice(0, SAMPLE)
                for number in sorted({0, last // 2, last} if self.metadata.num_rows else ())
            ]
            self.sample = pa.concat_tables(groups) if groups else None

    def column(self, name: str) -> Profile:
        if self.sample is None:
            return Profile()
        values = self.sample.column(name)
        kind = values.type
        if _is_number(kind):
            return Profile(*self._range(name, values), _distinct(values))
        if pa.types.is_string(kind):
            return Profile(None, None, _distinct(values), float(pc.mean(pc.utf8_length(values)).as_py() or 0.0))
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
            ends = [float(value) for one in found if one.has_min_max for value in (one.min, one.max)]
        else:
            ends = [float(value) for value in pc.min_max(values).as_py().values() if value is not None]
        finite = [value for value in ends if math.isfinite(value)]
        return (min(finite), max(finite)) if finite else (None, None)


def _distinct(values: pa.ChunkedArray) -> int:
    return int(pc.count_distinct(values).as_py())


@dataclass(frozen=True, slots=True)
class Spread:
    """Of a column's finite values: root mean square and standard deviation (0.0 where they overflow); and how many
    values are null, NaN or infinite."""

    rms: float = 0.0
    sd: float = 0.0
    not_finite: int = 0


def spread(path: Path, name: str, scratch: Path, memory: int) -> Spread:
    """One column's spread. The sums are of distances from a value in its midst, so that no digits are lost."""
    told = _Side(path, [name]).column(name)
    centre = (told.low or 0.0) / 2 + (told.high or 0.0) / 2
    value = f"(CAST({quoted(name)} AS DOUBLE) - ({centre!r}))"
    sums = f"SELECT count(*), count({value}), sum({value}), sum({value} * {value}) FROM a"  # noqa: S608
    with database(scratch, path, path, memory) as connection:
        try:
            rows, count, first, second = connection.execute(sums).fetchall()[0]
            if second is not None and not math.isfinite(second):
                finite = f"{sums} WHERE isfinite({value})"
                _, count, first, second = connection.execute(finite).fetchall()[0]
        except duckdb.OutOfRangeException:
            return Spread()
    if not count or not math.isfinite(second):
        return Spread(not_finite=rows - count)
    mean = first / count
    variance = max(0.0, second / count - mean * mean)
    return Spread(math.hypot(math.sqrt(variance), mean + centre), math.sqrt(variance), rows - count)


def shares(path: Path, name: str, scratch: Path, memory: int) -> dict[Any, int]:
    """How often each value stands in a column."""
    query = f"SELECT {quoted(name)}, count(*) FROM a GROUP BY ALL"  # noqa: S608
    with database(scratch, path, path, memory) as connection:
        return dict(connection.execute(query).fetchall())


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def kind_of(name: str, kind: pa.DataType, told: Profile, rule: ColumnRule) -> tuple[Kind, bool]:
    """The column's kind, and whether it was inferred."""
    if rule.kind is not None:
        return rule.kind, False
    return _inferred(name, kind, told), True


def _inferred(name: str, kind: pa.DataType, told: Profile) -> Kind:
    if pa.types.is_list(kind):
        return "embedding"
    if pa.types.is_floating(kind):
        inside = told.low is not None and told.high is not None and told.low >= 0 and told.high <= 1
        whole = told.distinct <= 2 and told.low in (0.0, 1.0, None) and told.high in (0.0, 1.0, None)
        return "probability" if inside and (_PROBABILITY.search(name) or not whole) else "value"
    if pa.types.is_integer(kind):
        few = told.distinct <= MOST_LABELS and bool(_LABEL.search(name))
        return "label" if few or (told.low in (0, 1) and told.high in (0, 1)) else "value"
    if pa.types.is_string(kind):
        return "text" if told.distinct > MOST_LABELS and told.length > LONG_TEXT else "label"
    return "label" if pa.types.is_boolean(kind) else "value"
