"""All runs of both sides side by side, row by row: streamed in one order, a batch at a time, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.compare.rows.database import OVERHEAD, Database, identifier, literal, quoted
from repro_tui.compare.rows.pairs import BATCH, batches
from repro_tui.model.errors import Inconclusive

LEAST_BATCH = 1024  # rows; a multiple of 8
BUFFER = 1 << 18
COPIES = 6  # what a value takes while it is compared, in copies of itself
ROW = ""  # which no column of a table is named


@dataclass(frozen=True)
class Together:
    """The same rows of every file: their numbers in the first one (0-based), and each column as one array a file."""

    rows: np.ndarray[tuple[int], np.dtype[np.int64]]
    columns: dict[str, list[pa.Array]]


class OtherOrderError(Exception):
    """The keys of two files do not stand in one order."""


@dataclass(frozen=True, slots=True)
class AllRuns:
    """The files of all runs, each content once."""

    files: tuple[Path, ...]
    key: tuple[str, ...]
    columns: tuple[str, ...]
    database: Database

    def count(self) -> int:
        """The rows that all have. Raises Inconclusive where they do not have the same number."""
        counts = {pq.read_metadata(path).num_rows for path in self.files}
        if len(counts) > 1:
            raise other_rows()
        return int(counts.pop())

    def schema(self) -> pa.Schema:
        """The first file's columns. Raises Inconclusive where another file lacks one that is wanted."""
        schemas = [pq.read_schema(path) for path in self.files]
        if not all({*self.key, *self.columns} <= set(schema.names) for schema in schemas):
            raise Inconclusive(
                "the runs of one deployment do not write the same columns", "see what the columns hang on"
            )
        return schemas[0]

    def as_written(self) -> Iterator[Together]:
        """The files in their own order. Raises OtherOrderError where the keys of one stand in another."""
        start = 0
        names = [*self.key, *self.columns]
        for parts in self._stream(self.files, names, names):
            if any(not part.column(name).equals(parts[0].column(name)) for part in parts[1:] for name in self.key):
                raise OtherOrderError
            rows = np.arange(start, start + parts[0].num_rows, dtype=np.int64)
            start += parts[0].num_rows
            yield self._together(rows, parts)

    def by_key(self) -> Iterator[Together]:
        """The files sorted by key, on disk. Raises Inconclusive where they have not the same keys."""
        files = [
            self._sorted(path, self.database.scratch / f"by-key-{number}.parquet")
            for number, path in enumerate(self.files)
        ]
        names = [*self.key, *self.columns]
        for parts in self._stream(files, [*map(identifier, names), "row"], [*names, ROW]):
            if any(not part.column(name).equals(parts[0].column(name)) for part in parts[1:] for name in self.key):
                raise other_rows()
            yield self._together(parts[0].column(ROW).to_numpy(), parts)

    def _together(self, rows: np.ndarray[tuple[int], np.dtype[np.int64]], parts: list[pa.RecordBatch]) -> Together:
        return Together(rows, {name: [part.column(name) for part in parts] for name in self.columns})

    def _stream(self, files: Sequence[Path], stored: list[str], names: list[str]) -> Iterator[list[pa.RecordBatch]]:
        """Batches of each file, whose columns stand under their `stored` names."""
        size = self._batch()
        readers = [batches(path, stored, size, BUFFER) for path in files]
        with ThreadPoolExecutor(2) as pool:
            while all(parts := list(pool.map(lambda reader: next(reader, None), readers))):
                yield [part.select(stored).rename_columns(names) for part in parts if part is not None]

    def _batch(self) -> int:
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
    """What a row of a file takes in memory, about; a text that stands often is stored once and held every time."""
    told = pq.read_metadata(path)
    stored = sum(told.row_group(number).total_byte_size for number in range(told.num_row_groups))
    return int(stored // max(1, told.num_rows) + 16 * told.num_columns)


def other_rows() -> Inconclusive:
    """The runs of one deployment do not write the same rows."""
    return Inconclusive(
        "the runs of one deployment do not write the same rows", "see why the predict step leaves rows out at times"
    )
