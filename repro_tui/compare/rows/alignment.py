"""Pairs the rows of two prediction tables, by key or by position, before any value is compared.

Pairing never guesses. Without a key, rows are paired by position, which needs the same number of rows on both sides.
With a key, every row of A must have exactly one row of B with the same key, and the other way round; rows with a null
or a repeated key, or without a partner, are counted, and the whole is then not comparable, although the rows that do
have one partner are compared all the same.

There are two ways to pair by key:

1. If both files hold the same keys in the same order, which is the common case, the files are read side by side.
   Finding out costs one pass over the key columns, which stops at the first batch that differs.
2. Otherwise the database joins them, and partners are counted on the way.

Repeated keys are searched by the 64-bit hashes of the keys, where these fit into memory: rows whose hash is unique have
a unique key, so that only the others (nearly always none) are grouped by their true keys. Sorting the hashes costs n
log n, and 8 bytes for each row.

Example: A has the keys 1, 2, 2, 3 and B the keys 1, 2, 4. A has 2 rows with the repeated key 2; of the others 1 is
paired, 3 is only in A, and 4 only in B. The row of B with the key 2 cannot be paired either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.compare.rows.arrays import Hashes
from repro_tui.compare.rows.database import Database, quoted
from repro_tui.compare.rows.moved_in_order import null_counts
from repro_tui.compare.rows.pairs import BATCH, JoinedRows, Prefetch, RowPairs, batches, in_order
from repro_tui.model.predictions import Rows
from repro_tui.support.text import plural, show

REPEATED = "repeated"  # the table of keys that identify more than one row of a side
EXAMPLES = 3
DO_REPEATED = "have the predict step write each row once, or record a validation.key that is unique for every row"
DO_NULL = "have the predict step write the key of every row"
DO_MISSING = "have the predict step write one row for every input row"
DO_NO_ROWS = "check why the predict step writes no rows"
DO_KEY = "record validation.key, the columns that identify a row"
DO_OTHER_KEY = "record another validation.key: text, whole numbers or dates that identify a row"
DO_WRITE = "have the predict step write the key next to each prediction, or record another validation.key"
DO_TYPE = "write the key with the same type on both sides: 7 and 007 are two keys"
HASH_BYTES = 16  # per row, while keys are checked for duplicates


@dataclass(slots=True)
class Alignment:
    """How the rows of two tables are paired.

    `rows` counts them, `nulls` are the rows of each side in which a part of the key is null, and `ordered` says that
    the n-th row of A belongs to the n-th row of B. `problem` says why the tables cannot be compared ("" where they
    can), and `do` what to do about it.

    Where the tables are joined (not `ordered`), the counts and the problem are known once `pairs` has been read to the
    end.
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
        """Whether there are pairs whose values can be compared, even where the whole is not comparable."""
        return bool(self.rows.matched) if self.ordered else not self.problem

    def pairs(self, columns: Sequence[str], check: Callable[[], None]) -> Iterator[RowPairs]:
        """The matched rows with these columns, batch by batch; in no particular order where they are joined.

        `check` is called while the database is busy, and may raise to end the wait.
        """
        if self.ordered:
            yield from in_order(self.a, self.b, columns, self.key)
            return
        with self.database.pair(self.a, self.b) as connection:
            keys = _PairedKeys(connection, self.key, self.database.memory)
            duplicates = keys.duplicates((self.rows.a, self.rows.b))
            joined = JoinedRows(connection, self.a, self.b, self.key, REPEATED if any(duplicates) else "")
            yield from joined.pairs(columns, check)
            self._conclude(joined, duplicates, keys)

    def _conclude(self, joined: JoinedRows, duplicates: tuple[int, int], keys: _PairedKeys) -> None:
        self.rows = replace(
            self.rows,
            matched=joined.matched,
            only_a=joined.only_a,
            only_b=joined.only_b,
            duplicate_a=duplicates[0],
            duplicate_b=duplicates[1],
        )
        examples = [show(", ".join(map(str, row)), 80) for side in joined.unpaired for row in sorted(side)[:EXAMPLES]]
        examples += keys.examples() if any(duplicates) else []
        self.problem, self.do = _key_problem(self.rows, self.nulls, examples)


def align(a: Path, b: Path, key: tuple[str, ...], database: Database) -> Alignment:
    """Checks the counts, keys and duplicates of two tables, and decides how their rows are paired.

    `key` names the columns of the key; () pairs rows by position.
    """
    counts = [pq.read_metadata(path).num_rows for path in (a, b)]
    alignment = Alignment(a, b, key, Rows(counts[0], counts[1], min(counts)), database)
    if problem := _unusable(a, b, key):
        return replace(alignment, rows=Rows(*counts), problem=problem[0], do=problem[1])
    if 0 in counts:
        side = "both sides have" if counts == [0, 0] else "A has" if counts[0] == 0 else "B has"
        return replace(alignment, rows=Rows(*counts), problem=f"{side} no rows", do=DO_NO_ROWS)
    return _by_key(alignment) if key else _by_position(alignment)


def _by_position(alignment: Alignment) -> Alignment:
    rows = alignment.rows
    if rows.a == rows.b:
        return alignment
    problem = f"A has {plural(rows.a, 'row')} and B has {rows.b:,}: rows cannot be paired by position"
    return replace(alignment, rows=replace(rows, matched=0), problem=problem, do=DO_KEY)


def _by_key(alignment: Alignment) -> Alignment:
    """Pairs by key; rows whose keys are in the same order on both sides need no join."""
    a, b, key, rows, database = alignment.a, alignment.b, alignment.key, alignment.rows, alignment.database
    nulls = (_nulls(a, key), _nulls(b, key))
    joined = replace(alignment, nulls=nulls, rows=replace(rows, matched=0), ordered=False)
    if any(nulls) or rows.a != rows.b or not _same_keys(a, b, key):
        return joined
    with database.pair(a, b) as connection:
        duplicates = _PairedKeys(connection, key, database.memory).duplicates((rows.a, 0))
    return joined if any(duplicates) else replace(alignment, nulls=nulls)


def _nulls(path: Path, key: tuple[str, ...]) -> int:
    """The number of rows in which a part of the key is null."""
    if not any(null_counts(path, key).values()):
        return 0
    table = pq.read_table(path, columns=list(key))
    filled = [np.asarray(table.column(name).is_valid()) for name in key]
    return int(table.num_rows - np.count_nonzero(np.logical_and.reduce(filled)))


def _same_keys(a: Path, b: Path, key: tuple[str, ...]) -> bool:
    """Whether the keys are in the same order on both sides; stops at the first batch that differs."""
    for batch_a, batch_b in zip(Prefetch(batches(a, key)), Prefetch(batches(b, key)), strict=True):
        if not all(_equal(*columns) for columns in zip(batch_a.columns, batch_b.columns, strict=True)):
            return False
    return True


def _equal(a: pa.Array, b: pa.Array) -> bool:
    return bool(a.equals(b) if a.type == b.type else a.to_pylist() == b.to_pylist())


def _unusable(a: Path, b: Path, key: tuple[str, ...]) -> tuple[str, str] | None:
    """Why the key cannot identify rows, and what to do about it; None where it can."""
    schemas = [pq.read_schema(path) for path in (a, b)]
    for name in key:
        column = f"the key column {show(name, 80)}"
        for side, schema in zip("AB", schemas, strict=True):
            if name not in schema.names:
                columns = show(", ".join(schema.names), 300)
                return f"{column} is not in the output of {side}, which has {columns}", DO_WRITE
            if pa.types.is_floating(schema.field(name).type):
                return f"{column} of {side} holds floats, which do not identify rows reliably", DO_OTHER_KEY
            if pa.types.is_list(schema.field(name).type):
                return f"{column} of {side} holds lists, which cannot identify rows", DO_OTHER_KEY
        type_a, type_b = (schema.field(name).type for schema in schemas)
        if type_a != type_b and not (pa.types.is_integer(type_a) and pa.types.is_integer(type_b)):
            return f"{column} is {type_a} in A and {type_b} in B", DO_TYPE
    return None


def _key_problem(rows: Rows, nulls: tuple[int, int], examples: Sequence[str]) -> tuple[str, str]:
    """What is wrong with the keys, with examples, and what to do about it; both "" where nothing is wrong."""
    problems: list[str] = []
    remedies: list[str] = []
    for side, duplicates, empty, unpaired in (
        ("A", rows.duplicate_a, nulls[0], rows.only_a),
        ("B", rows.duplicate_b, nulls[1], rows.only_b),
    ):
        if duplicates:
            problems.append(f"{side} has {duplicates:,} rows whose key occurs more than once")
            remedies.append(DO_REPEATED)
        if empty:
            problems.append(f"{side} has {plural(empty, 'row')} without a key")
            remedies.append(DO_NULL)
        if unpaired:
            problems.append(f"{plural(unpaired, 'row')} {'is' if unpaired == 1 else 'are'} only in {side}")
            remedies.append(DO_MISSING)
    named = f" (such as {', '.join(examples)})" if problems and examples else ""
    return "; ".join(problems) + named, "; ".join(dict.fromkeys(remedies))


class _PairedKeys:
    """The keys of the tables `a` and `b` of a database, and which of them identify more than one row."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, key: tuple[str, ...], memory: int) -> None:
        self._connection, self._memory = connection, memory
        self._names = ", ".join(quoted(name) for name in key)
        self._filled = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in key)

    def duplicates(self, rows: tuple[int, int]) -> tuple[int, int]:
        """How many rows of each side have a key that occurs there more than once.

        `rows` are the sizes of both tables; 0 skips a side. The repeated keys are put into the table `REPEATED`.
        """
        with ThreadPoolExecutor() as pool:  # the hashes of one side are sorted while those of the other are read
            hashes = [
                pool.submit(_repeated, self._hashes(table, count)) if count and self._fits(count) else None
                for table, count in zip("ab", rows, strict=True)
            ]
            duplicates = [
                self._count_repeated(table, repeated.result() if repeated else None) if count else 0
                for table, count, repeated in zip("ab", rows, hashes, strict=True)
            ]
        tables = [f"repeated_{table}" for table, count in zip("ab", duplicates, strict=True) if count]
        if tables:
            union = " UNION ".join(f"SELECT {self._names} FROM {table}" for table in tables)  # noqa: S608
            self._connection.execute(f"CREATE TEMP TABLE {REPEATED} AS {union}")
        return duplicates[0], duplicates[1]

    def _fits(self, rows: int) -> bool:
        return rows * HASH_BYTES < self._memory // 4

    def _count_repeated(self, table: str, hashes: Hashes | None) -> int:
        """The rows of one side whose key is repeated.

        `hashes` are those that occur more than once, since only their keys can be repeated; None: they are not known.
        """
        where = self._filled
        if hashes is not None:
            if not len(hashes):
                return 0
            self._connection.register(f"hashes_{table}", pa.table({"h": hashes}))
            where += f" AND hash({self._names}) IN (SELECT h FROM hashes_{table})"  # noqa: S608
        select = f"SELECT {self._names}, count(*) AS n FROM {table} WHERE {where} GROUP BY ALL HAVING count(*) > 1"  # noqa: S608
        self._connection.execute(f"CREATE TEMP TABLE repeated_{table} AS {select}")
        total = self._connection.execute(f"SELECT coalesce(sum(n), 0) FROM repeated_{table}")  # noqa: S608
        return int(total.fetchall()[0][0])

    def _hashes(self, table: str, rows: int) -> Hashes:
        """The hashes of the keys of one side that are not null."""
        query = f"SELECT hash({self._names}) AS h FROM {table} WHERE {self._filled}"  # noqa: S608
        hashes, filled = np.empty(rows, dtype=np.uint64), 0
        for batch in self._connection.sql(query).to_arrow_reader(BATCH):
            hashes[filled : filled + batch.num_rows] = batch.column(0).to_numpy()
            filled += batch.num_rows
        return hashes[:filled]

    def examples(self) -> list[str]:
        """A few of the repeated keys."""
        query = f"SELECT {self._names} FROM {REPEATED} ORDER BY ALL LIMIT {EXAMPLES}"  # noqa: S608
        return [show(", ".join(map(str, row)), 80) for row in self._connection.execute(query).fetchall()]


def _repeated(hashes: Hashes) -> Hashes:
    """The hashes that occur more than once; sorts the array in place."""
    hashes.sort()
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
