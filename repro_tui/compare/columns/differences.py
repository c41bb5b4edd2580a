"""Writes every differing cell to differences.parquet, where a user can look each up, and keeps the worst rows."""

from __future__ import annotations

import heapq
import json
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from repro_tui.compare.columns.cells import Cells
from repro_tui.compare.rows.arrays import Floats, Mask
from repro_tui.compare.rows.pairs import RowPairs
from repro_tui.model.predictions import WorstRow
from repro_tui.support.text import show

MOST_CELLS = 50_000_000  # further ones are counted, and not kept
WORST = 50  # rows that are kept as the worst
ROWS_PER_GROUP = 131_072
LONGEST_VALUE = 4096  # characters; longer values are cut
SCHEMA = pa.schema(
    [
        ("row_a", pa.int64()),
        ("row_b", pa.int64()),
        ("input_row", pa.int64()),
        ("key", pa.string()),
        ("column", pa.string()),
        ("change", pa.string()),
        ("a", pa.string()),
        ("b", pa.string()),
        ("a_number", pa.float64()),
        ("b_number", pa.float64()),
        ("abs_delta", pa.float64()),
        ("rel_delta", pa.float64()),
        ("flip", pa.bool_()),
        ("verdict", pa.string()),
        ("noise", pa.string()),
    ]
)
REPEATED = ["column", "change", "verdict", "noise"]


def writer(path: Path) -> pq.ParquetWriter:
    """A writer for a file of differing cells. To save time, only columns whose values repeat are dictionary-encoded."""
    return pq.ParquetWriter(path, SCHEMA, compression="zstd", compression_level=1, use_dictionary=REPEATED)


class Differences:
    """Writes the differing cells batch by batch, and keeps the worst.

    `key` names the columns of the key (() where rows are paired by position), and `names` is the order of the columns,
    which decides between cells that moved equally far. `count` is the number of cells written and `left_out` the number
    of those beyond the limit. Call `close` at the end, whatever happened.
    """

    def __init__(self, path: Path, key: tuple[str, ...], names: Sequence[str] = ()) -> None:
        self._writer = writer(path)
        self._key = key
        self._positions = {name: position for position, name in enumerate(names)}
        self._worst: list[tuple[tuple[float, int, int], WorstRow]] = []
        self.count = 0
        self.left_out = 0
        self._waiting: list[pa.Table] = []
        self._pool = ThreadPoolExecutor(1)
        self._written: Future[None] | None = None

    def add_cells(self, name: str, pair: RowPairs, cells: Cells) -> None:
        """Writes the cells of one batch of the column `name` that are not equal."""
        rows = np.flatnonzero(~cells.equal)
        room = MOST_CELLS - self.count
        if len(rows) > room:
            self.left_out += len(rows) - room
            rows = rows[:room]
        if not len(rows):
            return
        indices = pa.array(rows)
        row_a, key_texts = pair.row_a.take(indices), pair.key_texts(indices)
        a, b = (exact_texts(side[name].take(indices)) for side in (pair.a, pair.b))
        size = np.abs(cells.delta[rows])
        scale = cells.scale[rows]
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.where(scale > 0, size / scale, np.nan)
        table = {
            "row_a": row_a,
            "row_b": pair.row_b.take(indices),
            "input_row": pa.nulls(len(rows), pa.int64()) if self._key else row_a,
            "key": key_texts,
            "column": pa.repeat(pa.scalar(name), len(rows)),
            "change": _changes(a, b),
            "a": a,
            "b": b,
            "a_number": _nullable(cells.a_number[rows]),
            "b_number": _nullable(cells.b_number[rows]),
            "abs_delta": _nullable(size),
            "rel_delta": _nullable(relative),
            "flip": cells.flip[rows],
            "verdict": np.where(cells.within[rows] & ~cells.flip[rows], "within-tolerance", "different"),
            "noise": pa.nulls(len(rows), pa.string()),  # filled in once all runs have been compared: see noise/own.py
        }
        self._write(pa.table(table, schema=SCHEMA))
        shown = {"row_a": row_a, "key": key_texts, "a": a, "b": b}
        self._keep_worst(name, shown, size, relative, flip=cells.flip[rows], within=cells.within[rows])
        self.count += len(rows)

    def _write(self, table: pa.Table) -> None:
        """Collects small tables: a row group for each would cost more than its rows."""
        self._waiting.append(table)
        if sum(map(len, self._waiting)) >= ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        """Writes in a separate thread, while the next cells are compared."""
        self._wait()
        if self._waiting:
            self._written = self._pool.submit(self._writer.write_table, pa.concat_tables(self._waiting))
            self._waiting = []

    def _wait(self) -> None:
        if self._written is not None:
            self._written.result()

    def _keep_worst(
        self, name: str, cells: dict[str, pa.Array], size: Floats, relative: Floats, *, flip: Mask, within: Mask
    ) -> None:
        """Keeps the worst cells: flips first, then by the distance relative to their size, then in A's order.

        `cells` holds the columns row_a, key, a and b of the file; `size` is |delta| and `relative` that over
        max(|a|, |b|), NaN for none.
        """
        weight = np.where(np.isfinite(size), size / (1.0 + size), 1.0) + np.where(np.isnan(relative), 0, relative)
        weight = weight + 10.0 * flip + 1.0 * ~within
        row_numbers = np.asarray(cells["row_a"].to_numpy())
        least = self._worst[0][0][0] if len(self._worst) == WORST else -np.inf
        candidates = np.flatnonzero(weight >= least)
        for index in candidates[np.lexsort((row_numbers[candidates], -weight[candidates]))[:WORST]].tolist():
            rank = float(weight[index]), -int(row_numbers[index]), -self._positions.get(name, 0)
            if len(self._worst) == WORST and rank <= self._worst[0][0]:
                break
            a, b = (cells[side][index].as_py() for side in ("a", "b"))
            row = WorstRow(
                key=self._named(cells["key"][index].as_py()),
                column=name,
                a=None if a is None else show(a, 200),
                b=None if b is None else show(b, 200),
                abs_delta=_finite(size[index]),
                rel_delta=_finite(relative[index]),
                flip=bool(flip[index]),
            )
            push = heapq.heappush if len(self._worst) < WORST else heapq.heappushpop
            push(self._worst, (rank, row))

    def _named(self, key: str) -> dict[str, object]:
        return dict(zip(self._key or ("row",), json.loads(key), strict=True))

    def worst(self) -> tuple[WorstRow, ...]:
        """The rows that moved most, the worst first."""
        return tuple(row for _, row in sorted(self._worst, key=lambda entry: entry[0], reverse=True))

    def close(self) -> None:
        """Writes what is left, and closes the file."""
        with self._pool:
            self._flush()
            self._wait()
        self._writer.close()


def exact_texts(array: pa.Array) -> pa.Array:
    """Every value as exact text; floats have the fewest digits that read back as the same float."""
    kind = array.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return pc.cast(array, pa.string())
    if pa.types.is_float32(kind) or pa.types.is_float64(kind):
        return _floats(array)
    if pa.types.is_string(kind) and (pc.max(pc.utf8_length(array)).as_py() or 0) <= LONGEST_VALUE:
        return array
    try:
        values = array.to_pylist()
    except (OverflowError, ValueError, KeyError, pa.ArrowException):  # beyond datetime, or a zone that nobody knows
        return _raw_texts(array)
    return pa.array([None if value is None else _exact(value) for value in values], pa.string())


def _raw_texts(array: pa.Array) -> pa.Array:
    """Dates and timestamps as the integers that are stored, with their type."""
    raw = array.view(pa.int32() if array.type.bit_width == 32 else pa.int64())
    return pc.binary_join_element_wise(pc.cast(raw, pa.string()), f"({array.type})", " ")


def _floats(array: pa.Array) -> pa.Array:
    """Floats as text; whole numbers keep a decimal point, so that they are not mistaken for integers."""
    texts = pc.cast(array, pa.string())
    if not pc.any(pc.equal(pc.floor(array), array)).as_py():
        return texts
    whole = pc.match_substring_regex(texts, "^-?[0-9]+$")
    return pc.if_else(whole, pc.binary_join_element_wise(texts, ".0", ""), texts)


def _exact(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = json.dumps(value) if isinstance(value, list) else value if isinstance(value, str) else str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}… ({len(text) - LONGEST_VALUE:,} more)"


def _changes(a: pa.Array, b: pa.Array) -> pa.Array:
    return pc.if_else(pc.is_null(a), "added", pc.if_else(pc.is_null(b), "removed", "changed"))


def _nullable(values: Floats) -> pa.Array:
    return pa.array(values, pa.float64(), mask=np.isnan(values))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
