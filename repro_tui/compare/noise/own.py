"""Which rows moved beyond their own noise: a bit for every row of a column, and a mark beside every differing cell."""

from __future__ import annotations

from collections.abc import Iterator
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from repro_tui.compare.columns.differences import ROWS_PER_GROUP, SCHEMA, writer

Rows = np.ndarray[Any, np.dtype[np.int64]]
BEYOND, WITHIN = "beyond", "within"


class Bits:
    """A set of row numbers, a bit each."""

    def __init__(self, rows: int) -> None:
        self._bits = np.zeros(rows // 8 + 1, dtype=np.uint8)
        self.count = 0

    def add(self, rows: Rows) -> None:
        """Adds rows, none of which is in it yet."""
        np.bitwise_or.at(self._bits, rows >> 3, (1 << (rows & 7)).astype(np.uint8))
        self.count += len(rows)

    def has(self, rows: Rows) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which of these rows are in it."""
        return np.asarray((self._bits[rows >> 3] >> (rows & 7).astype(np.uint8)) & 1, dtype=np.bool_)


def by_chance(runs_a: int, runs_b: int) -> int:
    """In how many rows of one and the same deployment the ranges of both sides keep apart once, by chance."""
    return comb(runs_a + runs_b, runs_a) // 2


def mark(differences: Path, beyond: dict[str, Bits]) -> None:
    """Writes beside every cell over its tolerance whether it moved within its own noise or beyond it."""
    marked = differences.with_name(f"{differences.name}.marked")
    with writer(marked) as target:
        for table in _marked(differences, beyond):
            target.write_table(table)
    marked.replace(differences)


def _marked(differences: Path, beyond: dict[str, Bits]) -> Iterator[pa.Table]:
    with pq.ParquetFile(differences) as file:
        for batch in file.iter_batches(batch_size=ROWS_PER_GROUP):
            table = pa.Table.from_batches([batch])
            yield table.set_column(SCHEMA.get_field_index("noise"), SCHEMA.field("noise"), _marks(table, beyond))


def _marks(table: pa.Table, beyond: dict[str, Bits]) -> pa.Array:
    rows = table.column("row_a").to_numpy()
    encoded = table.column("column").combine_chunks().dictionary_encode()
    codes, names = encoded.indices.to_numpy(), encoded.dictionary.to_pylist()
    over = table.column("verdict").to_numpy() == "different"
    found = np.full(len(table), None, dtype=object)
    for code, name in enumerate(names):
        here = np.flatnonzero((codes == code) & over)
        if name in beyond:
            found[here] = np.where(beyond[name].has(rows[here]), BEYOND, WITHIN)
    return pa.array(found, pa.string())
