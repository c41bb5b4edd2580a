"""Pairs the rows of two prediction tables, by key or by position, before any value is looked at."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.model.predictions import Rows
from repro_tui.support.text import show

BATCH = 131_072
MEMORY = "2GiB"


@dataclass(frozen=True, slots=True)
class Pair:
    """A batch of matched rows: 0-based row numbers in A and B, the keys' columns, and both sides' value columns."""

    row_a: pa.Array
    row_b: pa.Array
    keys: dict[str, pa.Array]
    a: dict[str, pa.Array]
    b: dict[str, pa.Array]

    def key_texts(self, rows: Any) -> list[str]:
        """The key (or the position) of some rows of this batch, as JSON."""
        if not self.keys:
            return [json.dumps([value]) for value in self.row_a.take(rows).to_pylist()]
        columns = [column.take(rows).to_pylist() for column in self.keys.values()]
        return [json.dumps(list(values), default=str) for values in zip(*columns, strict=True)]


@dataclass(frozen=True, slots=True)
class Alignment:
    """How the rows of two tables belong together. `problem` says why they cannot be compared ("" where they can)."""

    a: Path
    b: Path
    key: tuple[str, ...]
    rows: Rows
    problem: str = ""
    do: str = ""
    examples: tuple[str, ...] = ()

    def pairs(self, columns: Sequence[str], scratch: Path) -> Iterator[Pair]:
        """The matched rows with these columns, batch by batch, in no fixed order where there is a key."""
        return self._joined(columns, scratch) if self.key else self._in_order(columns)

    def _in_order(self, columns: Sequence[str]) -> Iterator[Pair]:
        start = 0
        for one, other in zip(_batches(self.a, columns), _batches(self.b, columns), strict=True):
            rows = pa.array(range(start, start + one.num_rows), pa.int64())
            start += one.num_rows
            yield Pair(rows, rows, {}, _columns(one), _columns(other))

    def _joined(self, columns: Sequence[str], scratch: Path) -> Iterator[Pair]:
        keys = ", ".join(f"a.{quoted(name)} AS k{n}" for n, name in enumerate(self.key))
        values = "".join(f", a.{quoted(c)} AS a{n}, b.{quoted(c)} AS b{n}" for n, c in enumerate(columns))
        select = f"SELECT a.file_row_number, b.file_row_number, {keys}{values} FROM {_join('JOIN', self.key)}"  # noqa: S608
        types = [pq.read_schema(path) for path in (self.a, self.b)]
        with database(scratch, self.a, self.b) as connection:
            for batch in connection.sql(select).to_arrow_reader(BATCH):
                cells = batch.columns
                width = 2 + len(self.key)
                sides = [
                    {c: cells[width + 2 * n + side].cast(types[side].field(c).type) for n, c in enumerate(columns)}
                    for side in (0, 1)
                ]
                yield Pair(cells[0], cells[1], dict(zip(self.key, cells[2:width], strict=True)), sides[0], sides[1])


def align(a: Path, b: Path, key: tuple[str, ...], scratch: Path) -> Alignment:
    """Checks counts, keys and duplicates of two tables, and says how their rows belong together."""
    counts = [pq.read_metadata(path).num_rows for path in (a, b)]
    if key:
        return _by_key(a, b, key, scratch, counts)
    rows = Rows(counts[0], counts[1], min(counts))
    if 0 in counts:
        return _empty(a, b, key, counts)
    if counts[0] != counts[1]:
        words = f"A has {counts[0]:,} rows and B {counts[1]:,}: by position it is not known which belong together"
        return Alignment(a, b, key, rows, words, "record validation.key, the columns that name a row")
    return Alignment(a, b, key, rows)


def _empty(a: Path, b: Path, key: tuple[str, ...], counts: list[int]) -> Alignment:
    side = "both sides have" if counts == [0, 0] else "A has" if counts[0] == 0 else "B has"
    return Alignment(a, b, key, Rows(*counts), f"{side} no rows", "see why the predict step writes none")


def _by_key(a: Path, b: Path, key: tuple[str, ...], scratch: Path, counts: list[int]) -> Alignment:
    problem = _unusable(a, b, key)
    if problem:
        return Alignment(a, b, key, Rows(*counts), problem, "record validation.key, the columns that name a row")
    if 0 in counts:
        return _empty(a, b, key, counts)
    with database(scratch, a, b) as connection:
        rows, nulls = _count(connection, key, counts)
        examples = tuple(_examples(connection, key, rows))
    words = _key_problem(rows, nulls, examples)
    do = "see why the predict step leaves rows out or writes them twice" if words else ""
    return Alignment(a, b, key, rows, words, do, examples)


def _unusable(a: Path, b: Path, key: tuple[str, ...]) -> str:
    schemas = [pq.read_schema(path) for path in (a, b)]
    for name in key:
        for side, schema in zip("AB", schemas, strict=True):
            if name not in schema.names:
                return f"the key column {show(name, 80)} is not in the output of {side}, which has {_names(schema)}"
            if pa.types.is_floating(schema.field(name).type):
                return f"the key column {show(name, 80)} of {side} holds floats, which do not name rows safely"
        one, other = (schema.field(name).type for schema in schemas)
        if one != other and not (pa.types.is_integer(one) and pa.types.is_integer(other)):
            return f"the key column {show(name, 80)} is {one} in A and {other} in B"
    return ""


def _names(schema: pa.Schema) -> str:
    return show(", ".join(schema.names), 300)


def _key_problem(rows: Rows, nulls: tuple[int, int], examples: tuple[str, ...]) -> str:
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


def _count(
    connection: duckdb.DuckDBPyConnection, key: tuple[str, ...], counts: list[int]
) -> tuple[Rows, tuple[int, int]]:
    keys = ", ".join(quoted(name) for name in key)
    filled = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in key)
    sides = []
    for table in "ab":
        query = f"SELECT count(*), coalesce(sum(n), 0), coalesce(sum(n) FILTER (n > 1), 0) FROM (SELECT count(*) AS n FROM {table} WHERE {filled} GROUP BY {keys})"  # noqa: S608, E501
        sides.append([int(value) for value in connection.execute(query).fetchall()[0]])
    on = " AND ".join(f"a.{quoted(name)} = b.{quoted(name)}" for name in key)
    pair = [f"(SELECT DISTINCT {keys} FROM {table})" for table in "ab"]  # noqa: S608
    query = f"SELECT count(*) FROM {pair[0]} a JOIN {pair[1]} b ON {on}"  # noqa: S608
    both = int(connection.execute(query).fetchall()[0][0])
    rows = Rows(counts[0], counts[1], both, sides[0][0] - both, sides[1][0] - both, sides[0][2], sides[1][2])
    return rows, (counts[0] - sides[0][1], counts[1] - sides[1][1])


def _examples(connection: duckdb.DuckDBPyConnection, key: tuple[str, ...], rows: Rows) -> Iterator[str]:
    keys = ", ".join(quoted(name) for name in key)
    for one, other, alone in (("a", "b", rows.only_a), ("b", "a", rows.only_b)):
        if alone:
            query = f"SELECT {keys} FROM {one} EXCEPT SELECT {keys} FROM {other} ORDER BY ALL LIMIT 3"  # noqa: S608
            yield from (show(", ".join(map(str, row)), 80) for row in connection.execute(query).fetchall())
    for table, duplicates in (("a", rows.duplicate_a), ("b", rows.duplicate_b)):
        if duplicates:
            query = f"SELECT {keys} FROM {table} GROUP BY {keys} HAVING count(*) > 1 ORDER BY ALL LIMIT 3"  # noqa: S608
            yield from (show(", ".join(map(str, row)), 80) for row in connection.execute(query).fetchall())


@contextmanager
def database(scratch: Path, a: Path, b: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with the tables `a` and `b`; what does not fit in memory goes to `scratch`."""
    scratch.mkdir(parents=True, exist_ok=True)
    settings: dict[str, Any] = {
        "memory_limit": MEMORY,
        "temp_directory": str(scratch),
        "preserve_insertion_order": False,
    }
    with duckdb.connect(config=settings) as connection:
        for name, path in (("a", a), ("b", b)):
            file = str(path).replace("'", "''")
            source = f"read_parquet('{file}', file_row_number = true)"
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {source}")  # noqa: S608
        yield connection


def _join(kind: str, key: tuple[str, ...]) -> str:
    """Only rows whose key stands once on each side are paired."""
    on = " AND ".join(f"a.{quoted(name)} = b.{quoted(name)}" for name in key)
    return f"{_unique('a', key)} a {kind} {_unique('b', key)} b ON {on}"


def _unique(table: str, key: tuple[str, ...]) -> str:
    keys = ", ".join(quoted(name) for name in key)
    twice = f"SELECT {keys} FROM {table} GROUP BY {keys} HAVING count(*) > 1"  # noqa: S608
    return f"(SELECT * FROM {table} ANTI JOIN ({twice}) twice USING ({keys}))"  # noqa: S608


def quoted(name: str) -> str:
    """A column's name as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'


def _batches(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Batches of exactly BATCH rows, whatever the file's own groups are."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=BATCH, columns=list(columns)):
            while batch.num_rows:
                part = batch.slice(0, BATCH - count)
                waiting.append(part)
                count += part.num_rows
                batch = batch.slice(part.num_rows)
                if count == BATCH:
                    yield pa.Table.from_batches(waiting).combine_chunks().to_batches()[0]
                    waiting, count = [], 0
    if count:
        yield pa.Table.from_batches(waiting).combine_chunks().to_batches()[0]


def _columns(batch: pa.RecordBatch) -> dict[str, pa.Array]:
    return dict(zip(batch.schema.names, batch.columns, strict=True))
