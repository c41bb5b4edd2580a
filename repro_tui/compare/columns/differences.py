"""Every differing cell, kept in differences.parquet so that each can be opened, and the rows that moved most."""

from __future__ import annotations

import heapq
import json
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from repro_tui.compare.columns.cells import Cells
from repro_tui.compare.rows.pairs import RowPairs
from repro_tui.model.predictions import WorstRow
from repro_tui.support.text import show

MOST_CELLS = 50_000_000
WORST = 50
ROWS_PER_GROUP = 131_072
LONGEST_VALUE = 4096
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
    """Writes a file of differing cells. Of values that are all different a dictionary only costs time."""
    return pq.ParquetWriter(path, SCHEMA, compression="zstd", compression_level=1, use_dictionary=REPEATED)


class Differences:
    """Writes the differing cells as they are found; `names` is the order of the columns, for cells that moved alike."""

    def __init__(self, path: Path, key: tuple[str, ...], names: Sequence[str] = ()) -> None:
        self._writer = writer(path)
        self._key = key
        self._places = {name: place for place, name in enumerate(names)}
        self._heap: list[tuple[tuple[float, int, int], WorstRow]] = []
        self.count = 0
        self.left_out = 0
        self._waiting: list[pa.Table] = []
        self._pool = ThreadPoolExecutor(1)
        self._written: Future[None] | None = None

    def take(self, name: str, pair: RowPairs, cells: Cells) -> None:
        """Keeps the cells of one batch of one column that are not equal."""
        rows = np.flatnonzero(~cells.equal)
        room = MOST_CELLS - self.count
        if len(rows) > room:
            self.left_out += len(rows) - room
            rows = rows[:room]
        if not len(rows):
            return
        places = pa.array(rows)
        keys = pair.key_texts(places)
        a, b = (exact_texts(side[name].take(places)) for side in (pair.a, pair.b))
        size = np.abs(cells.delta[rows])
        scale = cells.scale[rows]
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.where(scale > 0, size / scale, np.nan)
        table = {
            "row_a": pair.row_a.take(places),
            "row_b": pair.row_b.take(places),
            "input_row": pa.nulls(len(rows), pa.int64()) if self._key else pair.row_a.take(places),
            "key": keys,
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
            "noise": pa.nulls(len(rows), pa.string()),  # known when all runs have been compared: see own_noise
        }
        self._write(pa.table(table, schema=SCHEMA))
        numbers = np.asarray(table["row_a"].to_numpy())
        self._remember(name, rows, numbers, keys, a, b, size, relative, cells)
        self.count += len(rows)

    def _write(self, table: pa.Table) -> None:
        """Small pieces are written together: a row group each would cost more than its rows."""
        self._waiting.append(table)
        if sum(len(piece) for piece in self._waiting) >= ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        """In a thread of its own, while the next cells are looked at."""
        self._wait()
        if self._waiting:
            self._written = self._pool.submit(self._writer.write_table, pa.concat_tables(self._waiting))
            self._waiting = []

    def _wait(self) -> None:
        if self._written is not None:
            self._written.result()

    def _remember(
        self, name: str, rows: Any, numbers: Any, keys: pa.Array, a: Any, b: Any, size: Any, relative: Any, cells: Cells
    ) -> None:
        """Keeps the worst: flips first, then by the distance in units of the column's own scale, then in A's order."""
        weight = np.where(np.isfinite(size), size / (1.0 + size), 1.0) + np.where(np.isnan(relative), 0, relative)
        weight = weight + 10.0 * cells.flip[rows] + 1.0 * ~cells.within[rows]
        least = self._heap[0][0][0] if len(self._heap) == WORST else -np.inf
        worse = np.flatnonzero(weight >= least)
        for place in worse[np.lexsort((numbers[worse], -weight[worse]))[:WORST]]:
            bad = float(weight[place]), -int(numbers[place]), -self._places.get(name, 0)
            if len(self._heap) == WORST and bad <= self._heap[0][0]:
                break
            one, other = (side[int(place)].as_py() for side in (a, b))
            row = WorstRow(
                key=self._named(keys[int(place)].as_py()),
                column=name,
                a=None if one is None else show(one, 200),
                b=None if other is None else show(other, 200),
                abs_delta=_finite(size[place]),
                rel_delta=_finite(relative[place]),
                flip=bool(cells.flip[rows[place]]),
            )
            push = heapq.heappush if len(self._heap) < WORST else heapq.heappushpop
            push(self._heap, (bad, row))

    def _named(self, key: str) -> dict[str, Any]:
        return dict(zip(self._key or ("row",), json.loads(key), strict=True))

    def worst(self) -> tuple[WorstRow, ...]:
        """The rows that moved most, the worst first."""
        return tuple(row for _, row in sorted(self._heap, key=lambda entry: entry[0], reverse=True))

    def close(self) -> None:
        """Ends the file."""
        with self._pool:
            self._flush()
            self._wait()
        self._writer.close()


def exact_texts(array: pa.Array) -> pa.Array:
    """Every value as the text that says exactly what it is; floats in the fewest digits that read back the same."""
    kind = array.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return pc.cast(array, pa.string())
    if pa.types.is_float32(kind) or pa.types.is_float64(kind):
        return _floats(array)
    if pa.types.is_string(kind) and (pc.max(pc.utf8_length(array)).as_py() or 0) <= LONGEST_VALUE:
        return array
    try:
        values = array.to_pylist()
    except (OverflowError, ValueError, pa.ArrowException):  # a moment that Python has no date for
        return _raw_texts(array)
    return pa.array([None if value is None else _exact(value) for value in values], pa.string())


def _raw_texts(array: pa.Array) -> pa.Array:
    """Moments as the numbers that are stored, with their type."""
    raw = array.view(pa.int32() if array.type.bit_width == 32 else pa.int64())
    return pc.binary_join_element_wise(pc.cast(raw, pa.string()), f"({array.type})", " ")


def _floats(array: pa.Array) -> pa.Array:
    """A whole number keeps a point, so that it is not taken for an integer."""
    texts = pc.cast(array, pa.string())
    if not pc.any(pc.equal(pc.floor(array), array)).as_py():
        return texts
    whole = pc.match_substring_regex(texts, "^-?[0-9]+$")
    return pc.if_else(whole, pc.binary_join_element_wise(texts, ".0", ""), texts)


def _exact(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = json.dumps(value) if isinstance(value, list) else value if isinstance(value, str) else str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}… ({len(text) - LONGEST_VALUE:,} more)"


def _changes(a: pa.Array, b: pa.Array) -> pa.Array:
    return pc.if_else(pc.is_null(a), "added", pc.if_else(pc.is_null(b), "removed", "changed"))


def _nullable(values: Any) -> pa.Array:
    return pa.array(values, pa.float64(), mask=np.isnan(values))


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
