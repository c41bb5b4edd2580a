"""How far a third table lies on the way from A's predictions to B's: what a hybrid is measured by.

For every output column the score is <s - a, b - a> / |b - a|^2 over the rows, with labels and texts one-hot: 0.0 where
it is as A, 1.0 where it is as B. The unit of the columns plays no part, since every column has a score of its own.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.compare.columns.tolerance import Rule
from repro_tui.compare.rows.database import Database, quoted, table
from repro_tui.model.errors import Inconclusive
from repro_tui.support.cache import remove_tree

FIELDS = 7


@dataclass(frozen=True, slots=True)
class ProjectedColumn:
    """One output column to be measured, with the rule that says when two of its values are the same."""

    name: str
    rule: Rule
    exact: bool


@dataclass(frozen=True, slots=True)
class ColumnProjection:
    """One column: `along` / `length` is its score, `missing` |s - b|^2 in the unit of `length`; `moved` the rows in
    which A and B differ by more than the rule allows, `off_a` and `off_b` those in which the third table does from A,
    from B; `as_b` those that moved and in which it does not differ from B."""

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
        """How far it is from B, in units of the whole way: the largest over the columns that moved."""
        return max((math.sqrt(c.missing / c.length) for c in self._moved), default=0.0)

    @property
    def from_a(self) -> float:
        """How far it is from A, in the same unit."""
        ways = (c.missing + 2 * c.along - c.length for c in self._moved)
        lengths = (c.length for c in self._moved)
        return max((math.sqrt(max(0.0, way) / length) for way, length in zip(ways, lengths, strict=True)), default=0.0)

    @property
    def _moved(self) -> list[ColumnProjection]:
        return [column for column in self.columns.values() if column.moved and column.length]

    @property
    def is_a(self) -> bool:
        """Whether every row is A's, by the rule of its column."""
        return not any(column.off_a for column in self.columns.values())

    @property
    def is_b(self) -> bool:
        """Whether every row is B's, by the rule of its column."""
        return not any(column.off_b for column in self.columns.values())

    @property
    def rows_as_b(self) -> float:
        """The share of the moved rows (of all columns) that are as in B."""
        moved = sum(column.moved for column in self.columns.values())
        return sum(column.as_b for column in self.columns.values()) / moved if moved else 0.0


class Projector:
    """Measures tables against A and B, which are opened once; what does not fit into memory goes to a scratch folder.

    It is closed, and its scratch folder removed, when nobody holds it any more.
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
        """Measures a table. Raises Inconclusive where its rows or columns are not those of A and B."""
        _check(self.a, third, self.key, self.columns)
        try:
            self._connection.execute(f"CREATE OR REPLACE TEMP VIEW s AS SELECT *, file_row_number FROM {table(third)}")  # noqa: S608
            found = self._connection.execute(_statement(self._fields, self.key)).fetchone()
        except duckdb.Error as error:
            raise Inconclusive(f"a hybrid's outputs cannot be measured: {str(error).splitlines()[0]}") from error
        assert found is not None
        rows = int(found[0])
        if rows != pq.read_metadata(self.a).num_rows:
            raise Inconclusive("its outputs have other rows than those of A and B")
        groups = [found[at : at + FIELDS] for at in range(1, len(found), FIELDS)]
        return Projection(rows, {c.name: _column(group) for c, group in zip(self.columns, groups, strict=True)})


def _column(group: Sequence[Any]) -> ColumnProjection:
    along, length, missing = (float(value or 0) for value in group[:3])
    return ColumnProjection(along, length, missing, *(int(value) for value in group[3:]))


def _check(a: Path, third: Path, key: Sequence[str], columns: Sequence[ProjectedColumn]) -> None:
    schema, rows = pq.read_schema(third), pq.read_metadata(third).num_rows
    missing = [name for name in (*key, *(c.name for c in columns)) if name not in schema.names]
    if missing:
        raise Inconclusive(f"its outputs have no column {missing[0]}")
    of_a = pq.read_metadata(a).num_rows
    if rows != of_a:
        raise Inconclusive(f"its outputs have {rows:,} rows, and those of A {of_a:,}")


def _statement(fields: Sequence[str], key: Sequence[str]) -> str:
    names = [quoted(name) for name in key] or ["file_row_number"]

    def on(side: str) -> str:
        return " AND ".join(f"a.{name} IS NOT DISTINCT FROM {side}.{name}" for name in names)

    return f"SELECT count(*), {', '.join(fields)} FROM a JOIN b ON {on('b')} JOIN s ON {on('s')}"  # noqa: S608


def _fields(column: ProjectedColumn, a: Path) -> tuple[str, ...]:
    """Along, length, missing, and the four counts, in SQL."""
    kind = pq.read_schema(a).field(column.name).type
    one, two, third = (f"{side}.{quoted(column.name)}" for side in ("a", "b", "s"))
    if pa.types.is_list(kind) and _is_number(kind.value_type):
        sums, off = _of_lists(one, two, third, column.rule)
    elif column.exact or not _is_number(kind):
        sums, off = _of_labels(one, two, third)
    else:
        sums, off = _of_numbers(one, two, third, column.rule)
    counts = (f"count(*) FILTER ({off(x, y)})" for x, y in ((one, two), (third, one), (third, two)))
    as_b = f"count(*) FILTER (({off(one, two)}) AND NOT coalesce({off(third, two)}, false))"
    return (*sums, *counts, as_b)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _of_labels(one: str, two: str, third: str) -> tuple[tuple[str, ...], Any]:
    """One-hot: a row that moved counts 1 where it is as in B, 0 where it is as in A, and one half elsewhere."""
    moved = f"{one} IS DISTINCT FROM {two}"
    where = (
        f"CASE WHEN {third} IS NOT DISTINCT FROM {two} THEN 1 WHEN {third} IS NOT DISTINCT FROM {one} THEN 0 ELSE 0.5"
    )
    along = f"sum({where} END) FILTER ({moved})"
    sums = (along, f"count(*) FILTER ({moved})", f"count(*) FILTER ({third} IS DISTINCT FROM {two})")
    return sums, lambda x, y: f"{x} IS DISTINCT FROM {y}"


def _of_numbers(one: str, two: str, third: str, rule: Rule) -> tuple[tuple[str, ...], Any]:
    """Rows in which one of the three is null or not finite have no length; the counts tell of them."""
    finite = " AND ".join(f"coalesce(isfinite({x}::DOUBLE), false)" for x in (one, two, third))

    def total(x: str, y: str, origin: str) -> str:
        inner = f"({x}::DOUBLE - {origin}::DOUBLE) * ({y}::DOUBLE - {origin}::DOUBLE)"
        return f"sum({inner}) FILTER ({finite})"

    sums = (total(third, two, one), total(two, two, one), total(third, third, two))
    return sums, lambda x, y: _over(x, y, rule)


def _over(x: str, y: str, rule: Rule) -> str:
    """Whether two numbers differ by more than the rule allows; nulls, NaN and infinities are equal to themselves."""
    if rule.atol == 0 and rule.rtol == 0:
        return f"{x} IS DISTINCT FROM {y}"
    bound = f"{rule.atol!r} + {rule.rtol!r} * greatest(abs({x}::DOUBLE), abs({y}::DOUBLE))"
    far = f"NOT coalesce(abs({x}::DOUBLE - {y}::DOUBLE) <= {bound}, false) OR isinf({x}::DOUBLE) OR isinf({y}::DOUBLE)"
    return f"{x} IS DISTINCT FROM {y} AND ({far})"


def _of_lists(one: str, two: str, third: str, rule: Rule) -> tuple[tuple[str, ...], Any]:
    same_length = f"len({one}) = len({two}) AND len({one}) = len({third})"

    def total(x: str, y: str, origin: str) -> str:
        inner = f"({x}[i]::DOUBLE - {origin}[i]::DOUBLE) * ({y}[i]::DOUBLE - {origin}[i]::DOUBLE)"
        return f"sum(list_sum(list_transform(range(1, len({one}) + 1), lambda i: {inner}))) FILTER ({same_length})"

    def off(x: str, y: str) -> str:
        over = _over(f"{x}[i]", f"{y}[i]", rule)
        some = f"list_bool_or(list_transform(range(1, len({x}) + 1), lambda i: {over}))"
        return f"({x} IS NULL) <> ({y} IS NULL) OR len({x}) <> len({y}) OR coalesce({some}, false)"

    return (total(third, two, one), total(two, two, one), total(third, third, two)), off
