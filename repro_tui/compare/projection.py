"""How far a third table lies on the way from A's predictions to B's: the measure of a hybrid.

The idea: every output column is a vector over the rows, a in A, b in B and s in the third table. Its score is the
scalar projection of s - a onto b - a, <s - a, b - a> / |b - a|²: 0.0 where the table is like A, 1.0 where it is like B.
Labels and texts are compared one-hot: a row that moved counts 1 where s is like B, 0 where it is like A, and one half
otherwise.

Invariants: the score has no unit, since each column is divided by its own length, and the score of a table is the mean
over the columns that moved. A and B themselves score 0 and 1 in any order of rows. A score alone does not mean that a
table *is* A or B, as it may lie off the way: `is_a`, `is_b`, `from_a` and `from_b` show that.

Cost: one join of three tables by key (or by row number) in DuckDB, with about seven aggregates a column. A and B are
opened once for all third tables.

Example, one column and two rows: a = (0, 0), b = (2, 0), s = (0.5, 1). The length is |b - a|² = 4, along is
<s - a, b - a> = 1, so the score is 0.25; missing is |s - b|² = 1.5² + 1² = 3.25.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.compare.columns.tolerance import Rule
from repro_tui.compare.rows.database import Database, quoted, table
from repro_tui.model.errors import Inconclusive
from repro_tui.support.cache import remove_tree
from repro_tui.support.text import plural

FIELDS = 7


@dataclass(frozen=True, slots=True)
class ProjectedColumn:
    """One output column to measure, and the rule by which two of its values are the same; `exact`: only if equal."""

    name: str
    rule: Rule
    exact: bool


@dataclass(frozen=True, slots=True)
class ColumnProjection:
    """One column of the third table s.

    `along` is <s - a, b - a>, `length` is |b - a|² and `missing` is |s - b|², all in the column's unit squared (of
    labels: rows). The others are counts of rows: `moved`, in which A and B differ by more than the rule allows; `off_a`
    and `off_b`, in which s differs from A, from B; `as_b`, which moved and in which s does not differ from B.
    """

    along: float
    length: float
    missing: float
    moved: int
    off_a: int
    off_b: int
    as_b: int


@dataclass(frozen=True, slots=True)
class Projection:
    """A third table between A and B, column by column."""

    rows: int
    columns: dict[str, ColumnProjection]

    @property
    def score(self) -> float:
        """The mean over the columns that moved from A to B."""
        scores = [column.along / column.length for column in self._moved]
        return sum(scores) / len(scores) if scores else 0.0

    @property
    def from_b(self) -> float:
        """How far it is from B, in units of the distance from A to B: the largest over the columns that moved."""
        return max((math.sqrt(c.missing / c.length) for c in self._moved), default=0.0)

    @property
    def from_a(self) -> float:
        """How far it is from A, in the same unit: |s - a|² is `missing` + 2 `along` - `length` (the law of cosines)."""
        squares = (max(0.0, c.missing + 2 * c.along - c.length) / c.length for c in self._moved)
        return max(map(math.sqrt, squares), default=0.0)

    @property
    def _moved(self) -> list[ColumnProjection]:
        return [column for column in self.columns.values() if column.moved and column.length]

    @property
    def is_a(self) -> bool:
        """Whether every row is like A's, by the rule of each column."""
        return not any(column.off_a for column in self.columns.values())

    @property
    def is_b(self) -> bool:
        """Whether every row is like B's, by the rule of each column."""
        return not any(column.off_b for column in self.columns.values())

    @property
    def rows_as_b(self) -> float:
        """The share of the moved rows (of all columns together) that are like B's."""
        moved = sum(column.moved for column in self.columns.values())
        return sum(column.as_b for column in self.columns.values()) / moved if moved else 0.0


class Projector:
    """Measures tables against A and B, which are opened once.

    `key` are the columns that match rows (none: by row number), `memory` is the limit in bytes; what does not fit goes
    to the folder `scratch`. `close`, or the garbage collector, closes the database and removes that folder.
    """

    def __init__(
        self, a: Path, b: Path, key: Sequence[str], columns: Sequence[ProjectedColumn], scratch: Path, memory: int
    ) -> None:
        self.a, self.key, self.columns = a, tuple(key), tuple(columns)
        stack = ExitStack()
        stack.callback(remove_tree, scratch)
        database = stack.enter_context(closing(Database(scratch, memory)))
        self._connection = stack.enter_context(database.pair(a, b))
        self._fields = [text for column in self.columns for text in _fields(column, a)]
        self.close = weakref.finalize(self, stack.close)

    def project(self, third: Path) -> Projection:
        """Measures a table (a Parquet file). Raises Inconclusive where it lacks rows or columns of A and B."""
        _check(self.a, third, self.key, self.columns)
        try:
            self._connection.execute(f"CREATE OR REPLACE TEMP VIEW s AS SELECT *, file_row_number FROM {table(third)}")  # noqa: S608
            sums = self._connection.execute(_statement(self._fields, self.key)).fetchone()
        except duckdb.Error as error:
            raise Inconclusive(f"the outputs of a hybrid cannot be measured: {str(error).splitlines()[0]}") from error
        assert sums is not None
        rows = int(sums[0])
        if rows != pq.read_metadata(self.a).num_rows:
            raise Inconclusive("its outputs do not have the same rows as those of A and B")
        groups = [sums[start : start + FIELDS] for start in range(1, len(sums), FIELDS)]
        return Projection(
            rows, {c.name: _column(group[:3], group[3:]) for c, group in zip(self.columns, groups, strict=True)}
        )


def _column(distances: Sequence[float | None], counts: Sequence[int]) -> ColumnProjection:
    along, length, missing = (float(value or 0) for value in distances)
    return ColumnProjection(along, length, missing, *(int(value) for value in counts))


def _check(a: Path, third: Path, key: Sequence[str], columns: Sequence[ProjectedColumn]) -> None:
    schema, rows = pq.read_schema(third), pq.read_metadata(third).num_rows
    missing = [name for name in (*key, *(c.name for c in columns)) if name not in schema.names]
    if missing:
        raise Inconclusive(f"its outputs have no column {missing[0]}")
    rows_a = pq.read_metadata(a).num_rows
    if rows != rows_a:
        raise Inconclusive(f"its outputs have {plural(rows, 'row')}, and those of A {rows_a:,}")


def _statement(fields: Sequence[str], key: Sequence[str]) -> str:
    names = [quoted(name) for name in key] or ["file_row_number"]

    def condition(side: str) -> str:
        return " AND ".join(f"a.{name} IS NOT DISTINCT FROM {side}.{name}" for name in names)

    return f"SELECT count(*), {', '.join(fields)} FROM a JOIN b ON {condition('b')} JOIN s ON {condition('s')}"  # noqa: S608


def _fields(column: ProjectedColumn, a: Path) -> tuple[str, ...]:
    """Along, length, missing, and the four counts, as SQL."""
    data_type = pq.read_schema(a).field(column.name).type
    values = ColumnSql(*(f"{side}.{quoted(column.name)}" for side in ("a", "b", "s")))
    if pa.types.is_list(data_type) and _is_number(data_type.value_type):
        sums, differs = _of_lists(values, column.rule)
    elif column.exact or not _is_number(data_type):
        sums, differs = _of_labels(values)
    else:
        sums, differs = _of_numbers(values, column.rule)
    pairs = ((values.a, values.b), (values.s, values.a), (values.s, values.b))
    counts = (f"count(*) FILTER ({differs(x, y)})" for x, y in pairs)
    moved, off_b = differs(values.a, values.b), differs(values.s, values.b)
    as_b = f"count(*) FILTER (({moved}) AND NOT coalesce({off_b}, false))"
    return (*sums, *counts, as_b)


class ColumnSql(NamedTuple):
    """One column of the three tables, in SQL."""

    a: str
    b: str
    s: str


Differs = Callable[[str, str], str]  # the SQL condition that two values differ by more than the rule allows


def _is_number(data_type: pa.DataType) -> bool:
    return bool(pa.types.is_integer(data_type) or pa.types.is_floating(data_type) or pa.types.is_decimal(data_type))


def _of_labels(values: ColumnSql) -> tuple[tuple[str, ...], Differs]:
    """One-hot: a row that moved counts 1 where it is as in B, 0 where it is as in A, and one half elsewhere."""
    a, b, s = values
    moved = f"{a} IS DISTINCT FROM {b}"
    share = f"CASE WHEN {s} IS NOT DISTINCT FROM {b} THEN 1 WHEN {s} IS NOT DISTINCT FROM {a} THEN 0 ELSE 0.5"
    along = f"sum({share} END) FILTER ({moved})"
    sums = (along, f"count(*) FILTER ({moved})", f"count(*) FILTER ({s} IS DISTINCT FROM {b})")
    return sums, lambda x, y: f"{x} IS DISTINCT FROM {y}"


def _of_numbers(values: ColumnSql, rule: Rule) -> tuple[tuple[str, ...], Differs]:
    """Rows in which one of the three is null or not finite are left out of the sums, but are counted."""
    a, b, s = values
    finite = " AND ".join(f"coalesce(isfinite({x}::DOUBLE), false)" for x in values)

    def total(x: str, y: str, origin: str) -> str:
        inner = f"({x}::DOUBLE - {origin}::DOUBLE) * ({y}::DOUBLE - {origin}::DOUBLE)"
        return f"sum({inner}) FILTER ({finite})"

    return (total(s, b, a), total(b, b, a), total(s, s, b)), lambda x, y: _over(x, y, rule)


def _over(x: str, y: str, rule: Rule) -> str:
    """Whether two numbers differ by more than the rule allows; nulls, NaN and infinities are equal to themselves."""
    if rule.atol == 0 and rule.rtol == 0:
        return f"{x} IS DISTINCT FROM {y}"
    bound = f"{rule.atol!r} + {rule.rtol!r} * greatest(abs({x}::DOUBLE), abs({y}::DOUBLE))"
    far = f"NOT coalesce(abs({x}::DOUBLE - {y}::DOUBLE) <= {bound}, false) OR isinf({x}::DOUBLE) OR isinf({y}::DOUBLE)"
    return f"{x} IS DISTINCT FROM {y} AND ({far})"


def _of_lists(values: ColumnSql, rule: Rule) -> tuple[tuple[str, ...], Differs]:
    """Element by element; rows whose lists have different lengths are left out of the sums, but are counted."""
    a, b, s = values
    same_length = f"len({a}) = len({b}) AND len({a}) = len({s})"

    def total(x: str, y: str, origin: str) -> str:
        inner = f"({x}[i]::DOUBLE - {origin}[i]::DOUBLE) * ({y}[i]::DOUBLE - {origin}[i]::DOUBLE)"
        return f"sum(list_sum(list_transform(range(1, len({a}) + 1), lambda i: {inner}))) FILTER ({same_length})"

    def differs(x: str, y: str) -> str:
        over = _over(f"{x}[i]", f"{y}[i]", rule)
        some = f"list_bool_or(list_transform(range(1, len({x}) + 1), lambda i: {over}))"
        return f"({x} IS NULL) <> ({y} IS NULL) OR len({x}) <> len({y}) OR coalesce({some}, false)"

    return (total(s, b, a), total(b, b, a), total(s, s, b)), differs
