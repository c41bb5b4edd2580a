"""Pairs the rows of two prediction tables, by key or by position, before any value is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.compare.rows.database import Database, quoted
from repro_tui.compare.rows.moved_in_order import null_counts
from repro_tui.compare.rows.pairs import BATCH, Ahead, Joined, RowPairs, batches, in_order
from repro_tui.model.predictions import Rows
from repro_tui.support.text import show

TWICE = "twice"
EXAMPLES = 3
DO = "see why the predict step leaves rows out or writes them twice"
DO_KEY = "record validation.key, the columns that name a row"
DO_WRITE = "have the predict step write the key beside each answer, or record another validation.key"
DO_TYPE = "write the key in one way on both sides: 7 and 007 are two keys"
HASH_BYTES = 16  # of one row's key, while the keys are looked through for duplicates


@dataclass(slots=True)
class Alignment:
    """How the rows of two tables belong together. `problem` says why they cannot be compared ("" where they can).

    Where the tables are joined, how many rows have a partner is known once `pairs` has been read to its end.
    """

    a: Path
    b: Path
    key: tuple[str, ...]
    rows: Rows
    database: Database
    problem: str = ""
    do: str = ""
    ordered: bool = True
    nulls: tuple[int, int] = (0, 0)

    @property
    def comparable(self) -> bool:
        """Whether there are pairs whose values can be looked at, even where the whole cannot be compared."""
        return bool(self.rows.matched) if self.ordered else not self.problem

    def pairs(self, columns: Sequence[str], check: Callable[[], None]) -> Iterator[RowPairs]:
        """The matched rows with these columns, batch by batch; in no fixed order where they are joined.

        `check` is called while the database is waited for.
        """
        if self.ordered:
            yield from in_order(self.a, self.b, columns, self.key)
            return
        with self.database.pair(self.a, self.b) as connection:
            keys = _PairedKeys(connection, self.key, self.database.memory)
            duplicates = keys.duplicates((self.rows.a, self.rows.b))
            joined = Joined(connection, self.a, self.b, self.key, TWICE if any(duplicates) else "")
            yield from joined.pairs(columns, check)
            self._conclude(joined, duplicates, keys)

    def _conclude(self, joined: Joined, duplicates: tuple[int, int], keys: _PairedKeys) -> None:
        alone = (joined.only_a, joined.only_b)
        self.rows = replace(
            self.rows,
            matched=joined.matched,
            only_a=alone[0],
            only_b=alone[1],
            duplicate_a=duplicates[0],
            duplicate_b=duplicates[1],
        )
        examples = [show(", ".join(map(str, row)), 80) for side in joined.alone for row in sorted(side)[:EXAMPLES]]
        examples += keys.examples() if any(duplicates) else []
        self.problem = _key_problem(self.rows, self.nulls, examples)
        self.do = DO if self.problem else ""


def align(a: Path, b: Path, key: tuple[str, ...], database: Database) -> Alignment:
    """Checks counts, keys and duplicates of two tables, and says how their rows belong together."""
    counts = [pq.read_metadata(path).num_rows for path in (a, b)]
    rows = Rows(counts[0], counts[1], min(counts))
    found = Alignment(a, b, key, rows, database)
    problem = _unusable(a, b, key) if key else None
    if problem:
        what, do = problem
        return replace(found, rows=Rows(*counts), problem=what, do=do)
    if 0 in counts:
        side = "both sides have" if counts == [0, 0] else "A has" if counts[0] == 0 else "B has"
        return replace(found, rows=Rows(*counts), problem=f"{side} no rows", do="see why the predict step writes none")
    return _by_key(found) if key else _by_position(found)


def _by_position(found: Alignment) -> Alignment:
    rows = found.rows
    if rows.a == rows.b:
        return found
    words = f"A has {rows.a:,} rows and B {rows.b:,}: by position it is not known which belong together"
    return replace(found, rows=replace(rows, matched=0), problem=words, do=DO_KEY)


def _by_key(found: Alignment) -> Alignment:
    """By key: rows whose keys stand in one order on both sides need no join."""
    nulls = (_nulls(found.a, found.key), _nulls(found.b, found.key))
    found = replace(found, nulls=nulls)
    joined = replace(found, rows=replace(found.rows, matched=0), ordered=False)
    if any(nulls) or found.rows.a != found.rows.b or not _same_keys(found.a, found.b, found.key):
        return joined
    with found.database.pair(found.a, found.b) as connection:
        duplicates = _PairedKeys(connection, found.key, found.database.memory).duplicates((found.rows.a, 0))
    return joined if any(duplicates) else found


def _nulls(path: Path, key: tuple[str, ...]) -> int:
    """Rows in which a part of the key is null."""
    if not any(null_counts(path, key).values()):
        return 0
    table = pq.read_table(path, columns=list(key))
    filled = [np.asarray(table.column(name).is_valid()) for name in key]
    return int(table.num_rows - np.count_nonzero(np.logical_and.reduce(filled)))


def _same_keys(a: Path, b: Path, key: tuple[str, ...]) -> bool:
    """Whether the keys stand in one order on both sides; the first batch that differs ends the look."""
    for one, other in zip(Ahead(batches(a, key)), Ahead(batches(b, key)), strict=True):
        if not all(_equal(x, y) for x, y in zip(one.columns, other.columns, strict=True)):
            return False
    return True


def _equal(a: pa.Array, b: pa.Array) -> bool:
    return bool(a.equals(b) if a.type == b.type else a.to_pylist() == b.to_pylist())


def _unusable(a: Path, b: Path, key: tuple[str, ...]) -> tuple[str, str] | None:
    """Why the key names no rows, and what to do; None where it may."""
    schemas = [pq.read_schema(path) for path in (a, b)]
    for name in key:
        for side, schema in zip("AB", schemas, strict=True):
            if name not in schema.names:
                what = f"the key column {show(name, 80)} is not in the output of {side}, which has {_names(schema)}"
                return what, DO_WRITE
            if pa.types.is_floating(schema.field(name).type):
                return f"the key column {show(name, 80)} of {side} holds floats, which do not name rows safely", DO_KEY
            if pa.types.is_list(schema.field(name).type):
                return f"the key column {show(name, 80)} of {side} holds lists, which do not name rows", DO_KEY
        one, other = (schema.field(name).type for schema in schemas)
        if one != other and not (pa.types.is_integer(one) and pa.types.is_integer(other)):
            return f"the key column {show(name, 80)} is {one} in A and {other} in B", DO_TYPE
    return None


def _names(schema: pa.Schema) -> str:
    return show(", ".join(schema.names), 300)


def _key_problem(rows: Rows, nulls: tuple[int, int], examples: Sequence[str]) -> str:
    found = []
    for side, duplicates, empty, alone in (
        ("A", rows.duplicate_a, nulls[0], rows.only_a),
        ("B", rows.duplicate_b, nulls[1], rows.only_b),
    ):
        if duplicates:
            found.append(f"{side} has {duplicates:,} rows whose key stands more than once")
        if empty:
            found.append(f"{side} has {empty:,} rows without a key")
        if alone:
            found.append(f"{alone:,} rows are only in {side}")
    return "; ".join(found) + (f" (such as {', '.join(examples)})" if found and examples else "")


Hashes = np.ndarray[Any, np.dtype[np.uint64]]


class _PairedKeys:
    """The keys of both tables of a database, looked through for what does not name a row."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, key: tuple[str, ...], memory: int) -> None:
        self._connection, self._memory = connection, memory
        self._names = ", ".join(quoted(name) for name in key)
        self._filled = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in key)

    def duplicates(self, rows: tuple[int, int]) -> tuple[int, int]:
        """How many rows of each side have a key that stands there more than once; the keys go to a table."""
        with ThreadPoolExecutor() as pool:  # one side is sorted while the other is read
            hashes = [
                pool.submit(_repeated, self._hashes(table, count)) if count and self._fits(count) else None
                for table, count in zip("ab", rows, strict=True)
            ]
            found = [
                self._twice(table, repeated.result() if repeated else None) if count else 0
                for table, count, repeated in zip("ab", rows, hashes, strict=True)
            ]
        tables = [f"twice_{table}" for table, count in zip("ab", found, strict=True) if count]
        if tables:
            every = " UNION ".join(f"SELECT {self._names} FROM {table}" for table in tables)  # noqa: S608
            self._connection.execute(f"CREATE TEMP TABLE {TWICE} AS {every}")
        return found[0], found[1]

    def _fits(self, rows: int) -> bool:
        return rows * HASH_BYTES < self._memory // 4

    def _twice(self, table: str, hashes: Hashes | None) -> int:
        """The rows of one side; `hashes` that stand once cannot belong to a key that stands twice (None: not known)."""
        where = self._filled
        if hashes is not None:
            if not len(hashes):
                return 0
            self._connection.register(f"hashes_{table}", pa.table({"h": hashes}))
            where += f" AND hash({self._names}) IN (SELECT h FROM hashes_{table})"  # noqa: S608
        select = f"SELECT {self._names}, count(*) AS n FROM {table} WHERE {where} GROUP BY ALL HAVING count(*) > 1"  # noqa: S608
        self._connection.execute(f"CREATE TEMP TABLE twice_{table} AS {select}")
        return int(self._one(f"SELECT coalesce(sum(n), 0) FROM twice_{table}"))  # noqa: S608

    def _hashes(self, table: str, rows: int) -> Hashes:
        query = f"SELECT hash({self._names}) AS h FROM {table} WHERE {self._filled}"  # noqa: S608
        found, filled = np.empty(rows, dtype=np.uint64), 0
        for batch in self._connection.sql(query).to_arrow_reader(BATCH):
            found[filled : filled + batch.num_rows] = batch.column(0).to_numpy()
            filled += batch.num_rows
        return found[:filled]

    def examples(self) -> list[str]:
        """A few keys that stand more than once."""
        query = f"SELECT {self._names} FROM {TWICE} ORDER BY ALL LIMIT {EXAMPLES}"  # noqa: S608
        return [show(", ".join(map(str, row)), 80) for row in self._connection.execute(query).fetchall()]

    def _one(self, query: str) -> Any:
        return self._connection.execute(query).fetchall()[0][0]


def _repeated(hashes: Hashes) -> Hashes:
    """Those that stand more than once."""
    hashes.sort()
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
