"""Which rows exceed their own noise: a bit for every row of a column, and a mark on every differing cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import comb
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.compare.columns.differences import ROWS_PER_GROUP, SCHEMA, writer
from repro_tui.compare.noise.arrays import Integers, Mask

BEYOND, WITHIN = "beyond", "within"  # as the file has them


class RowSet:
    """A set of row numbers, a bit each."""

    def __init__(self, rows: int) -> None:
        self._bits = np.zeros(rows // 8 + 1, dtype=np.uint8)
        self.count = 0

    def add(self, rows: Integers) -> None:
        """Adds rows. None of them may be in the set already."""
        np.bitwise_or.at(self._bits, rows >> 3, (1 << (rows & 7)).astype(np.uint8))
        self.count += len(rows)

    def contains(self, rows: Integers) -> Mask:
        """Which of these rows are in the set."""
        return np.asarray((self._bits[rows >> 3] >> (rows & 7).astype(np.uint8)) & 1, dtype=np.bool_)


def rows_per_false_alarm(runs_a: int, runs_b: int) -> int:
    """One row in so many exceeds its own noise by chance, where both sides are the same deployment.

    Of the ways to deal the runs to the two sides, two keep the ranges of a row apart: 126 rows for 5 runs a side.
    """
    return comb(runs_a + runs_b, runs_a) // 2


def mark_differences(differences: Path, exceeding: Mapping[str, RowSet]) -> None:
    """Rewrites differences.parquet: every cell over its tolerance is marked as within its own noise or beyond it.

    `exceeding` has the rows that exceed their own noise, by column; cells of other columns stay without a mark.
    """
    marked = differences.with_name(f"{differences.name}.marked")
    with writer(marked) as target:
        for table in _marked(differences, exceeding):
            target.write_table(table)
    marked.replace(differences)


def _marked(differences: Path, exceeding: Mapping[str, RowSet]) -> Iterator[pa.Table]:
    with pq.ParquetFile(differences) as file:
        for batch in file.iter_batches(batch_size=ROWS_PER_GROUP):
            table = pa.Table.from_batches([batch])
            yield table.set_column(SCHEMA.get_field_index("noise"), SCHEMA.field("noise"), _marks(table, exceeding))


def _marks(table: pa.Table, exceeding: Mapping[str, RowSet]) -> pa.Array:
    rows = table.column("row_a").to_numpy()
    encoded = table.column("column").combine_chunks().dictionary_encode()
    codes, names = encoded.indices.to_numpy(), encoded.dictionary.to_pylist()
    over = table.column("verdict").to_numpy() == "different"
    marks = np.full(len(table), None, dtype=object)
    for code, name in enumerate(names):
        cells = np.flatnonzero((codes == code) & over)
        if name in exceeding:
            marks[cells] = np.where(exceeding[name].contains(rows[cells]), BEYOND, WITHIN)
    return pa.array(marks, pa.string())
