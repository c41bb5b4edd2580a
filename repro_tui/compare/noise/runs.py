"""All runs of both sides side by side, row by row: streamed in one order, a batch at a time, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.compare.noise.arrays import Integers
from repro_tui.compare.rows.database import OVERHEAD, Database, identifier, literal, quoted
from repro_tui.compare.rows.pairs import BATCH, batches
from repro_tui.model.errors import Inconclusive

LEAST_BATCH = 1024  # rows; a multiple of 8
BUFFER = 1 << 18
COPIES = 6  # what a value takes while it is compared, in copies of itself
ROW = ""  # no column of a table has this name


@dataclass(frozen=True)
class RunBatch:
    """The same rows of every file: their numbers in the first file (0-based), and each column as one array per file."""

    rows: Integers
    columns: dict[str, list[pa.Array]]


class RowOrderError(Exception):
    """The keys of two files are not in the same order."""


@dataclass(frozen=True, slots=True)
class AllRuns:
    """The files of all runs, each content once; `columns` are those that are read in addition to the key."""

    files: tuple[Path, ...]
    key: tuple[str, ...]
    columns: tuple[str, ...]
    database: Database

    def row_count(self) -> int:
        """The number of rows of every file. Raises Inconclusive where the files do not have the same number."""
        counts = sorted({pq.read_metadata(path).num_rows for path in self.files})
        if len(counts) > 1:
            raise Inconclusive(
                f"the runs of one deployment write between {counts[0]:,} and {counts[-1]:,} rows",
                "find out why the predict step sometimes omits rows",
            )
        return int(counts[0])

    def schema(self) -> pa.Schema:
        """The columns of the first file. Raises Inconclusive where another file lacks one that is needed."""
        schemas = [pq.read_schema(path) for path in self.files]
        needed = {*self.key, *self.columns}
        absent = sorted({name for schema in schemas for name in needed - set(schema.names)})
        if absent:
            raise Inconclusive(
                f"some runs do not write the column {absent[0]}",
                "make the predict step write the same columns every time",
            )
        return schemas[0]

    def in_file_order(self) -> Iterator[RunBatch]:
        """The rows in the order of the files. Raises RowOrderError where the keys of a file are in another order."""
        start = 0
        names = [*self.key, *self.columns]
        for parts in self._stream(self.files, names, names):
            if not self._same_keys(parts):
                raise RowOrderError
            rows = np.arange(start, start + parts[0].num_rows, dtype=np.int64)
            start += parts[0].num_rows
            yield self._batch(rows, parts)

    def in_key_order(self) -> Iterator[RunBatch]:
        """The rows sorted by key, on disk. Raises Inconclusive where the files do not have the same keys."""
        files = [
            self._sorted(path, self.database.scratch / f"by-key-{number}.parquet")
            for number, path in enumerate(self.files)
        ]
        names = [*self.key, *self.columns]
        for parts in self._stream(files, [*map(identifier, names), "row"], [*names, ROW]):
            if not self._same_keys(parts):
                raise Inconclusive(
                    "the runs of one deployment do not write the same keys",
                    "make the predict step write the key of each input row unchanged, in every run",
                )
            yield self._batch(parts[0].column(ROW).to_numpy(), parts)

    def _same_keys(self, parts: list[pa.RecordBatch]) -> bool:
        return all(part.column(name).equals(parts[0].column(name)) for part in parts[1:] for name in self.key)

    def _batch(self, rows: Integers, parts: list[pa.RecordBatch]) -> RunBatch:
        return RunBatch(rows, {name: [part.column(name) for part in parts] for name in self.columns})

    def _stream(self, files: Sequence[Path], stored: list[str], names: list[str]) -> Iterator[list[pa.RecordBatch]]:
        """Batches of each file, of columns that are stored under the names `stored`."""
        size = self._batch_rows()
        readers = [batches(path, stored, size, BUFFER) for path in files]
        with ThreadPoolExecutor(2) as pool:
            while all(parts := list(pool.map(lambda reader: next(reader, None), readers))):
                yield [part.select(stored).rename_columns(names) for part in parts if part is not None]

    def _batch_rows(self) -> int:
        """How many rows of all files can be held at a time."""
        room = max(64 << 20, (self.database.memory - OVERHEAD) // 2)
        rows = room // (COPIES * sum(_row_bytes(path) for path in self.files))
        return max(LEAST_BATCH, min(BATCH, rows // 8 * 8))

    def _sorted(self, path: Path, target: Path) -> Path:
        names = ", ".join(quoted(name) for name in (*self.key, *self.columns))
        order = ", ".join(quoted(name) for name in self.key)
        query = f"SELECT {names}, file_row_number AS row FROM a ORDER BY {order}"  # noqa: S608
        with self.database.pair(path, path) as connection:
            connection.execute(f"COPY ({query}) TO {literal(str(target))} (FORMAT parquet, ROW_GROUP_SIZE {BATCH})")
        return target


def _row_bytes(path: Path) -> int:
    """Roughly what a row of a file takes in memory; a repeated text is stored once, but held every time."""
    metadata = pq.read_metadata(path)
    stored = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    return int(stored // max(1, metadata.num_rows) + 16 * metadata.num_columns)
