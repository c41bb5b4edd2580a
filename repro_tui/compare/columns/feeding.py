"""Feeds the matched rows of both sides to the columns under comparison, as few of them as possible.

There are two ways to read a column. If the rows of both files are in one order, and the column's type allows it (see
`can_be_left_out`), DuckDB reads both files side by side and returns only the rows whose bits differ; each column then
accounts for the other rows with `complete`. Everything else is streamed: all rows are read, `moved` picks those whose
bits differ, and the others are only counted. Both ways give the same results.

DuckDB holds whole row groups in memory. The columns that it reads are therefore divided into parts of about equal size,
of which `THREADS` are read at once, and a column (or vector) that does not fit into its share of the memory is streamed
instead. For example, with 2 GiB of room a part may take 2 GiB / (4 shares * 2 threads) = 256 MiB.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.compare.columns.cells import ColumnComparison, ColumnTotals, TalliedColumn
from repro_tui.compare.columns.differences import Differences
from repro_tui.compare.columns.moved import moved
from repro_tui.compare.columns.vectors import VectorColumns
from repro_tui.compare.rows.alignment import Alignment
from repro_tui.compare.rows.moved_in_order import can_be_left_out, first_rows, moved_in_order, null_counts
from repro_tui.compare.rows.pairs import RowPairs
from repro_tui.support.cancel import CancelToken

THREADS = 2  # parts that are read at once
SHARES = 4  # of the memory: one for what is read, the others for what is handed over


@dataclass(slots=True)
class ColumnBatch:
    """Columns that are read together, alone and as vectors of several; `size` is their size in memory, in bytes."""

    alone: list[ColumnComparison] = field(default_factory=list)
    vectors: list[VectorColumns] = field(default_factory=list)
    size: int = 0

    @property
    def columns(self) -> list[ColumnComparison]:
        """All of its columns, including the members of vectors."""
        return [*self.alone, *(member for vector in self.vectors for member in vector.members)]

    @property
    def names(self) -> list[str]:
        """The names of all of its columns."""
        return [column.spec.name for column in self.columns]

    def join(self, batch: ColumnBatch) -> None:
        """Adds the columns of another batch."""
        self.alone += batch.alone
        self.vectors += batch.vectors
        self.size += batch.size

    def compare_batch(self, pair: RowPairs, differences: Differences) -> None:
        """Compares one batch of rows; in each column the rule is applied only to rows whose bits differ."""
        for vector in self.vectors:
            vector.compare_batch(pair, differences)
        for column in self.alone:
            name = column.spec.name
            rows = moved(pair.a[name], pair.b[name])
            column.count_identical(len(pair) - len(rows))
            if len(rows):
                part = pair.only(pa.array(rows), name)
                differences.add_cells(name, part, column.compare_batch(part))


def feed(whole: ColumnBatch, alignment: Alignment, differences: Differences, cancel: CancelToken) -> None:
    """Compares all columns over all matched rows, and writes the cells that differ to `differences`.

    Raises Cancelled where `cancel` is set while rows are read.
    """
    streamed, parts = _divide(whole, alignment) if alignment.ordered else (whole, [])
    if streamed.names:
        for pair in alignment.pairs(streamed.names, cancel.check):
            cancel.check()
            for column in streamed.columns:
                column.observe_batch(pair)
            streamed.compare_batch(pair, differences)
    names = [part.names for part in parts]
    a, b, database = alignment.a, alignment.b, alignment.database
    for number, pair in moved_in_order(a, b, names, alignment.key, database, cancel.check, THREADS):
        cancel.check()
        parts[number].compare_batch(pair, differences)
    for part in parts:
        _complete(part, alignment)


def _divide(whole: ColumnBatch, alignment: Alignment) -> tuple[ColumnBatch, list[ColumnBatch]]:
    """The columns that are streamed, and parts that the database reads: as many as it takes for each to fit."""
    sizes, room = _sizes(alignment), alignment.database.room // (SHARES * THREADS)
    streamed, fitting = ColumnBatch(), []
    units = [ColumnBatch([column]) for column in whole.alone] + [ColumnBatch([], [vector]) for vector in whole.vectors]
    for unit in units:
        unit.size = sum(sizes[name] for name in unit.names)
        specs = [column.spec for column in unit.columns]
        if unit.size <= room and all(can_be_left_out(*spec.types) and spec.kind != "ranking" for spec in specs):
            fitting.append(unit)
        else:
            streamed.join(unit)
    parts = [ColumnBatch() for _ in range(max(THREADS, math.ceil(sum(unit.size for unit in fitting) / room)))]
    for unit in sorted(fitting, key=lambda unit: -unit.size):
        min(parts, key=lambda part: part.size).join(unit)
    return streamed, [part for part in parts if part.names]


def _sizes(alignment: Alignment) -> Counter[str]:
    """The bytes of each column that are held at once: those of its largest row group, summed over both files."""
    sizes: Counter[str] = Counter()
    for path in (alignment.a, alignment.b):
        largest: Counter[str] = Counter()
        metadata = pq.read_metadata(path)
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            for column in map(group.column, range(metadata.num_columns)):
                largest[column.path_in_schema] = max(largest[column.path_in_schema], column.total_uncompressed_size)
        sizes += largest
    return sizes


def _complete(part: ColumnBatch, alignment: Alignment) -> None:
    """Accounts for the rows that the database left out."""
    a, b, rows = alignment.a, alignment.b, alignment.rows.matched
    nulls_a, nulls_b = (null_counts(path, part.names) for path in (a, b))
    for column in part.columns:
        name = column.spec.name
        assert isinstance(column, TalliedColumn)
        column.complete(ColumnTotals(rows, nulls_a[name], nulls_b[name], partial(_first, a, b, name)))
    for vector in part.vectors:
        vector.complete(rows)


def _first(a: Path, b: Path, name: str) -> tuple[pa.Array, pa.Array]:
    return first_rows(a, name), first_rows(b, name)
