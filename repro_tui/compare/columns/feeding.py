"""Hands the rows of both sides to the columns under comparison: all that may have moved, and nothing that need not."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.compare.columns.cells import ColumnComparison, Whole
from repro_tui.compare.columns.differences import Differences
from repro_tui.compare.columns.exact import ExactColumn
from repro_tui.compare.columns.moved import moved
from repro_tui.compare.columns.numbers import NumberColumn
from repro_tui.compare.columns.vectors import VectorColumns
from repro_tui.compare.rows.alignment import Alignment
from repro_tui.compare.rows.moved_in_order import can_be_left_out, first_rows, moved_in_order, null_counts
from repro_tui.compare.rows.pairs import RowPairs
from repro_tui.support.cancel import CancelToken

THREADS = 2
SHARES = 4  # of the memory, of which one holds what is read, and others what is handed over


@dataclass(slots=True)
class ColumnBatch:
    """Columns that are read together: alone, and as vectors of several; `size` is what they take in memory."""

    alone: list[ColumnComparison] = field(default_factory=list)
    vectors: list[VectorColumns] = field(default_factory=list)
    size: int = 0

    @property
    def columns(self) -> list[ColumnComparison]:
        """All of its columns, those of vectors too."""
        return [*self.alone, *(member for vector in self.vectors for member in vector.members)]

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [one.of.name for one in self.columns]

    def join(self, other: ColumnBatch) -> None:
        """Takes another's columns as well."""
        self.alone += other.alone
        self.vectors += other.vectors
        self.size += other.size

    def take(self, pair: RowPairs, differences: Differences) -> None:
        """One batch: of each column only the rows whose bits moved are looked at by the rule."""
        for vector in self.vectors:
            vector.feed(pair, differences)
        for one in self.alone:
            name = one.of.name
            rows = moved(pair.a[name], pair.b[name])
            one.still(len(pair) - len(rows))
            if len(rows):
                part = pair.only(pa.array(rows), name)
                differences.take(name, part, one.take(part))


def feed(whole: ColumnBatch, alignment: Alignment, differences: Differences, cancel: CancelToken) -> None:
    """Feeds all columns. Where no row has to be looked for, the database leaves out those that did not move."""
    streamed, parts = _apart(whole, alignment) if alignment.ordered else (whole, [])
    if streamed.names:
        for pair in alignment.pairs(streamed.names, cancel.check):
            cancel.check()
            for one in streamed.columns:
                one.whole(pair)
            streamed.take(pair, differences)
    names = [part.names for part in parts]
    a, b, database = alignment.a, alignment.b, alignment.database
    for number, pair in moved_in_order(a, b, names, alignment.key, database, cancel.check, THREADS):
        cancel.check()
        parts[number].take(pair, differences)
    for part in parts:
        _rest(part, alignment)


def _apart(whole: ColumnBatch, alignment: Alignment) -> tuple[ColumnBatch, list[ColumnBatch]]:
    """What has to be read whole, and parts of which the database can leave rows out: of about one size, and as many as
    it takes for those that are read at once to fit into its memory."""
    sizes, room = _sizes(alignment), alignment.database.room // (SHARES * THREADS)
    streamed, fitting = ColumnBatch(), []
    units = [ColumnBatch([one]) for one in whole.alone] + [ColumnBatch([], [vector]) for vector in whole.vectors]
    for unit in units:
        unit.size = sum(sizes[name] for name in unit.names)
        able = all(can_be_left_out(*one.of.types) and one.of.kind != "ranking" for one in unit.columns)
        if able and unit.size <= room:
            fitting.append(unit)
        else:
            streamed.join(unit)
    parts = [ColumnBatch() for _ in range(max(THREADS, math.ceil(sum(unit.size for unit in fitting) / room)))]
    for unit in sorted(fitting, key=lambda unit: -unit.size):
        min(parts, key=lambda part: part.size).join(unit)
    return streamed, [part for part in parts if part.names]


def _sizes(alignment: Alignment) -> Counter[str]:
    """The bytes of each column that are held at once: those of the largest group of rows, in both files."""
    found: Counter[str] = Counter()
    for path in (alignment.a, alignment.b):
        largest: Counter[str] = Counter()
        metadata = pq.read_metadata(path)
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            for column in map(group.column, range(metadata.num_columns)):
                largest[column.path_in_schema] = max(largest[column.path_in_schema], column.total_uncompressed_size)
        found += largest
    return found


def _rest(part: ColumnBatch, alignment: Alignment) -> None:
    """Tells every column of the rows that were not handed over."""
    a, b, rows = alignment.a, alignment.b, alignment.rows.matched
    nulls_a, nulls_b = (null_counts(path, part.names) for path in (a, b))
    for one in part.columns:
        name = one.of.name
        assert isinstance(one, NumberColumn | ExactColumn)
        one.rest(Whole(rows, nulls_a[name], nulls_b[name], partial(_first, a, b, name)))
    for vector in part.vectors:
        vector.rest(rows)


def _first(a: Path, b: Path, name: str) -> tuple[pa.Array, pa.Array]:
    return first_rows(a, name), first_rows(b, name)
