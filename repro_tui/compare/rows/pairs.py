"""Streams of matched rows: in the order of the files where both have the same, and otherwise by a join in the database.

Memory is bounded: batches have at most 131,072 rows, and fewer where rows are large, and the join spills to disk.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from repro_tui.compare.rows.arrays import Hashes
from repro_tui.compare.rows.database import quoted
from repro_tui.compare.rows.sample import hashes_of_numbers, hashes_of_texts

T = TypeVar("T")
BATCH = 131_072  # rows
SAMPLE = 100_000  # rows of A, from its beginning
BATCH_BYTES = 256 << 20  # of one side: large rows, such as tensors, come in smaller batches
MOST_UNPAIRED = 1_000  # rows without a partner whose keys are kept for examples
PATIENCE_S = 0.2  # between two checks for cancellation
_ESCAPED = r'["\\\x00-\x1f\x7f]|[^\x00-\x7f]'


@dataclass(frozen=True)
class RowPairs:
    """A batch of matched rows: their 0-based row numbers in A and B, the key columns, and both sides' value columns."""

    row_a: pa.Array
    row_b: pa.Array
    keys: dict[str, pa.Array]
    a: dict[str, pa.Array]
    b: dict[str, pa.Array]

    def __len__(self) -> int:
        return len(self.row_a)

    @cached_property
    def first(self) -> pa.Array:
        """The indices in this batch of A's first 100,000 rows: the same sample, whatever the order of the join."""
        return pa.array(np.flatnonzero(self.row_a.to_numpy() < SAMPLE))

    @cached_property
    def hashes(self) -> Hashes:
        """A number for every row that depends on its key only (without a key, on its position), to draw samples by."""
        keys = list(self.keys.values()) or [self.row_a]
        if len(keys) == 1 and pa.types.is_integer(keys[0].type):
            return hashes_of_numbers(keys[0].to_numpy())
        return hashes_of_texts(self.key_texts(pa.array(np.arange(len(self)))))

    def only(self, rows: pa.Array, *names: str) -> RowPairs:
        """Some rows of this batch, by their indices in it, with these value columns."""
        if len(rows) == len(self):
            return self
        keys = {key: values.take(rows) for key, values in self.keys.items()}
        a, b = ({name: side[name].take(rows) for name in names} for side in (self.a, self.b))
        return RowPairs(self.row_a.take(rows), self.row_b.take(rows), keys, a, b)

    def key_texts(self, rows: pa.Array) -> pa.Array:
        """The keys (or the positions) of some rows of this batch, each as a JSON list."""
        parts = [_json(column.take(rows)) for column in self.keys.values()] or [_json(self.row_a.take(rows))]
        inner = pc.binary_join_element_wise(*parts, ", ") if len(parts) > 1 else parts[0]
        return pc.binary_join_element_wise("[", inner, "]", "")


def _json(values: pa.Array) -> pa.Array:
    """Each value as JSON, with a fast path where nothing needs to be escaped."""
    if pa.types.is_integer(values.type):
        return pc.cast(values, pa.string())
    if pa.types.is_string(values.type) and not pc.any(pc.match_substring_regex(values, _ESCAPED)).as_py():
        return pc.binary_join_element_wise('"', values, '"', "")
    return pa.array([json.dumps(value, default=str) for value in values.to_pylist()], pa.string())


# -- in the order of the files ------------------------------------------------------------------------------------


def in_order(a: Path, b: Path, columns: Sequence[str], key: Sequence[str]) -> Iterator[RowPairs]:
    """The n-th row of A with the n-th row of B; both files are read ahead, each in a thread."""
    start = 0
    size = rows_at_once(a, b)
    sides = Prefetch(batches(a, [*key, *columns], size)), Prefetch(batches(b, columns, size))
    for batch_a, batch_b in zip(*sides, strict=True):
        rows = pa.array(np.arange(start, start + batch_a.num_rows, dtype=np.int64))
        start += batch_a.num_rows
        cells = _columns(batch_a)
        yield RowPairs(rows, rows, {name: cells[name] for name in key}, cells, _columns(batch_b))


def rows_at_once(*paths: Path) -> int:
    """How many rows of these files a batch has: `BATCH`, or fewer where rows are large."""
    return max(1, min(BATCH, *(rows_within(pq.read_metadata(path), BATCH_BYTES) for path in paths)))


def rows_within(metadata: pq.FileMetaData, size: int) -> int:
    """How many rows of a file, on average, take `size` bytes in memory."""
    total = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    return int(size * metadata.num_rows // max(1, total))


def sampled_groups(metadata: pq.FileMetaData) -> list[int]:
    """The row groups that samples of a file come from: the first, a middle and the last; none for an empty file."""
    last = max(0, metadata.num_row_groups - 1)
    return sorted({0, last // 2, last}) if metadata.num_rows else []


def batches(path: Path, columns: Sequence[str], size: int = BATCH, buffer: int = 0) -> Iterator[pa.RecordBatch]:
    """Batches of exactly `size` rows (the last may be smaller), whatever the file's row groups.

    `buffer` bytes are read at a time; 0 reads whole column chunks.
    """
    waiting: list[pa.RecordBatch] = []
    count = 0
    with pq.ParquetFile(path, buffer_size=buffer, pre_buffer=False) as file:
        for batch in file.iter_batches(batch_size=size, columns=list(columns)):
            while batch.num_rows:
                piece = batch.slice(0, size - count)
                waiting.append(piece)
                count += piece.num_rows
                batch = batch.slice(piece.num_rows)
                if count == size:
                    yield _joined(waiting)
                    waiting, count = [], 0
    if count:
        yield _joined(waiting)


def _joined(pieces: list[pa.RecordBatch]) -> pa.RecordBatch:
    return pieces[0] if len(pieces) == 1 else pa.Table.from_batches(pieces).combine_chunks().to_batches()[0]


class Prefetch(Iterator[T]):
    """Iterates over `items`, computing each in a thread while the one before it is used; the first starts at once.

    `check` is called while waiting for an item, and ends the wait by raising. `stop` is called on `close`, and should
    interrupt the computation of the current item.
    """

    def __init__(
        self,
        items: Iterator[T],
        check: Callable[[], None] = lambda: None,
        stop: Callable[[], None] = lambda: None,
    ) -> None:
        self._items, self._check, self._stop = items, check, stop
        self._end: Any = object()
        self._pool = ThreadPoolExecutor(1)
        self._waiting = self._begin()

    def __next__(self) -> T:
        try:
            item = self._result()
        except BaseException:
            self.close()
            raise
        if item is self._end:
            self._pool.shutdown()
            raise StopIteration
        self._waiting = self._begin()
        return item

    def _begin(self) -> Future[T]:
        return self._pool.submit(lambda: next(self._items, self._end))

    def _result(self) -> T:
        while True:
            self._check()
            if wait([self._waiting], timeout=PATIENCE_S).done:
                return self._waiting.result()

    def close(self) -> None:
        """Interrupts the current item and ends the thread; no further items can be read."""
        self._stop()
        self._pool.shutdown(cancel_futures=True)


def _columns(batch: pa.RecordBatch) -> dict[str, pa.Array]:
    return dict(zip(batch.schema.names, batch.columns, strict=True))


# -- by key -------------------------------------------------------------------------------------------------------


class JoinedRows:
    """The rows of two tables joined by key in one pass; rows without a partner are counted on the way.

    `repeated` names a table of the database with the keys that identify more than one row of a side ("" where there are
    none). Rows with such a key, and rows without a key, are left out. `matched`, `only_a` and `only_b` are complete
    once `pairs` has been read to the end; `unpaired` holds some of the keys of the rows that are only in A and only in
    B.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, a: Path, b: Path, key: Sequence[str], repeated: str
    ) -> None:
        self._connection, self._key, self._repeated = connection, list(key), repeated
        self._schemas = [pq.read_schema(path) for path in (a, b)]
        self._size = rows_at_once(a, b)
        self.matched = self.only_a = self.only_b = 0
        self.unpaired: tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]] = ([], [])

    def pairs(self, columns: Sequence[str], check: Callable[[], None]) -> Iterator[RowPairs]:
        """The matched rows with these columns, in no particular order; `check` is called while waiting."""
        with closing(Prefetch(self._batches(columns), check, self._connection.interrupt)) as batches:
            for batch in batches:
                matched = self._matched(batch)
                if matched.num_rows:
                    yield pair_of(matched, self._key, columns, self._schemas)

    def _batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        yield from self._connection.sql(self._query(columns)).to_arrow_reader(self._size)

    def _query(self, columns: Sequence[str]) -> str:
        keys = "".join(f", coalesce(a.{quoted(name)}, b.{quoted(name)})" for name in self._key)
        on = " AND ".join(f"a.{quoted(name)} = b.{quoted(name)}" for name in self._key)
        both = f"{self._side('a')} a FULL JOIN {self._side('b')} b ON {on}"
        return f"SELECT a.file_row_number, b.file_row_number{keys}{both_sides(columns)} FROM {both}"  # noqa: S608

    def _side(self, table: str) -> str:
        filled = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in self._key)
        keys = ", ".join(quoted(name) for name in self._key)
        without = f" ANTI JOIN {self._repeated} USING ({keys})" if self._repeated else ""
        return f"(SELECT {table}.* FROM {table}{without} WHERE {filled})"  # noqa: S608

    def _matched(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of a batch that have a partner; counts the others."""
        only_a, only_b = batch.column(1).null_count, batch.column(0).null_count
        self.only_a, self.only_b = self.only_a + only_a, self.only_b + only_b
        self.matched += batch.num_rows - only_a - only_b
        if not (only_a or only_b):
            return batch
        for side, partner in ((0, 1), (1, 0)):
            self._remember(side, batch.filter(pc.is_null(batch.column(partner))))
        return batch.filter(pc.and_(pc.is_valid(batch.column(0)), pc.is_valid(batch.column(1))))

    def _remember(self, side: int, unpaired: pa.RecordBatch) -> None:
        """Keeps some keys of the rows without a partner, as examples."""
        room = MOST_UNPAIRED - len(self.unpaired[side])
        columns = [column.to_pylist() for column in unpaired.slice(0, room).columns[2 : 2 + len(self._key)]]
        self.unpaired[side].extend(zip(*columns, strict=True))


def both_sides(columns: Sequence[str]) -> str:
    """Each column of A and of B in SQL, in the order in which `pair_of` expects them after row numbers and keys."""
    return "".join(f", a.{quoted(c)} AS a{n}, b.{quoted(c)} AS b{n}" for n, c in enumerate(columns))


def pair_of(
    batch: pa.RecordBatch, key: Sequence[str], columns: Sequence[str], schemas: Sequence[pa.Schema]
) -> RowPairs:
    """The pairs in a batch from the database, with columns cast to their types in the files (`schemas` of A and B)."""
    cells, width = batch.columns, 2 + len(key)
    sides = [
        {c: _as(cells[width + 2 * n + side], schema.field(c).type) for n, c in enumerate(columns)}
        for side, schema in enumerate(schemas)
    ]
    return RowPairs(cells[0], cells[1], dict(zip(key, cells[2:width], strict=True)), *sides)


def _as(values: pa.Array, kind: pa.DataType) -> pa.Array:
    return values if values.type == kind else values.cast(kind)
