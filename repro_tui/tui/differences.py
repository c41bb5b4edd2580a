"""The differing cells of an audit: filtered by text or by an expression, sorted by any column, counted for charts."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from repro_tui.support.text import shorten_middle, show
from repro_tui.tui.lazy_table import LazyTable, quoted, sql_path, sql_text
from repro_tui.tui.widgets.safe import ABSENT, changed_segments, marked, shortened, text_of

FIELDS = (
    "key",
    "column",
    "change",
    "a",
    "b",
    "delta",
    "rel",
    "flip",
    "verdict",
    "noise",
    "row_a",
    "row_b",
    "input_row",
)
WORST = "worst first"
SORTS = {
    WORST: ("flip", "delta"),
    "row": ("row_a", "row_b", '"column"'),
    "column": ('"column"', "delta"),
    "A": ("a_number", "a"),
    "B": ("b_number", "b"),
    "|Δ|": ("delta",),
    "rel": ("rel",),
    "flip": ("flip", "delta"),
}
FALLING = (WORST, "|Δ|", "rel", "flip")
EXPRESSION = re.compile(r"[<>=]|\b(like|ilike|in|is|between|not|flip)\b", re.IGNORECASE)
BARE_COLUMN = re.compile(r"(?<![\"'\w.])column(?![\"'\w])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cell:
    """One differing cell; `key` is JSON text, the rows are 0-based, `noise` is "within" or "beyond", or None."""

    key: str
    column: str
    change: str
    a: str | None
    b: str | None
    abs_delta: float | None
    rel_delta: float | None
    flip: bool
    verdict: str
    noise: str | None
    row_a: int | None
    row_b: int | None
    input_row: int | None


@dataclass(frozen=True, slots=True)
class Points:
    """Pairs of numbers counted into a raster: (x, y, cells, flips); both axes go from `low` to `high`."""

    low: float
    high: float
    dots: tuple[tuple[int, int, int, int], ...]


class DifferingCells:
    """The differing cells of one audit (of one column alone: `only`), with the inputs of their rows where known."""

    def __init__(
        self, path: Path, inputs: Path | None = None, key: Sequence[str] = (), only: str | None = None
    ) -> None:
        there = inputs is not None and inputs.exists()
        cells = sql_path(path)
        marks = "" if self._has_noise(path) else ", NULL AS noise"
        wanted = f'WHERE "column" = {sql_text(only)}' if only is not None else ""
        source = (
            f"SELECT file_row_number AS n, * EXCLUDE (file_row_number) RENAME (abs_delta AS delta, rel_delta AS rel)"  # noqa: S608
            f"{marks} FROM read_parquet({cells}, file_row_number = true) {wanted}"
        )
        self.table = LazyTable([path, *([inputs] if inputs is not None and there else [])], source, FIELDS)
        self._inputs = inputs if there else None
        self.input_columns = self._known_inputs()
        self._key = [name for name in key if name in self.input_columns] if key else []
        if key and len(self._key) < len(key):
            self.input_columns = []

    @staticmethod
    def _has_noise(path: Path) -> bool:
        """An audit of an earlier version has not told rows within their own noise from others."""
        import pyarrow.parquet as pq

        return "noise" in pq.read_schema(path).names

    def _known_inputs(self) -> list[str]:
        if self._inputs is None:
            return []
        found = self.table.ask(f"DESCRIBE SELECT * FROM read_parquet({sql_path(self._inputs)})")  # noqa: S608
        return [row[0] for row in found]

    def select(self, wanted: str = "", sort: str = WORST, rising: bool = False, only_different: bool = True) -> int:
        """Chooses and orders the cells, and returns how many there are.

        `wanted` is any part of key, column or value; or, where it looks like one, an SQL condition over the columns
        of differences.parquet (`delta` and `rel` for short) and of the inputs. Raises NotAnExpression.
        """
        conditions, values, source = ["true"], [], ""
        if only_different:
            conditions.append("verdict = 'different'")
        if EXPRESSION.search(wanted) and not wanted.startswith("'"):
            condition = BARE_COLUMN.sub(quoted("column"), wanted)
            conditions.append(f"({condition})")
            source = self._with_inputs(wanted)
        elif wanted:
            conditions.append(
                "contains(lower(key || ' ' || \"column\" || ' ' || coalesce(a, '') || ' ' || coalesce(b, '')), ?)"
            )
            values.append(wanted.removeprefix("'").lower())
        direction = "ASC" if rising else "DESC"
        order = ", ".join(f"{name} {direction} NULLS LAST" for name in SORTS[sort])
        return self.table.choose(" AND ".join(conditions), values, f"{order}, row_a, row_b", source)

    def _with_inputs(self, wanted: str) -> str:
        """The cells beside the inputs of their rows, where the condition speaks of one."""
        words = wanted.lower()
        numbered = "file_row_number" in map(str.lower, self.input_columns)  # which the database could not add
        if self._inputs is None or numbered or not any(name.lower() in words for name in self.input_columns):
            return ""
        inputs = f"read_parquet({sql_path(self._inputs)}, file_row_number = true)"
        clash = {"n", "a_number", "b_number", "file_row_number", *FIELDS}
        named = [quoted(name) for name in self.input_columns if name.lower() not in clash]
        columns = ", ".join(["file_row_number AS place", *named])
        if self._key:
            key = f"json_array({', '.join(quoted(name) for name in self._key)})"
            inputs, on = f"(SELECT {key} AS own_key, {columns} FROM {inputs})", "json(cells.key) = own_key"  # noqa: S608
        else:
            inputs, on = f"(SELECT {columns} FROM {inputs})", "cells.input_row = place"  # noqa: S608
        return f"SELECT * FROM ({self.table.source}) AS cells LEFT JOIN {inputs} ON {on}"  # noqa: S608

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, row: int) -> Cell:
        return Cell(*self.table[row])

    def of_row(self, cell: Cell) -> list[Cell]:
        """Every differing cell of the row that this cell stands in."""
        names = ", ".join(quoted(name) for name in FIELDS)
        query = f"SELECT {names} FROM {{source}} WHERE row_a IS NOT DISTINCT FROM ? AND row_b IS NOT DISTINCT FROM ?"  # noqa: S608
        return [Cell(*values) for values in self.table.ask(query, [cell.row_a, cell.row_b])]

    def histogram(self, column: str, parts: int = 4, field: str = "delta") -> list[tuple[int, int]]:
        """How many cells of a column lie in each bin of log10|Δ|, `parts` bins a decade: (bin, cells)."""
        query = (
            f"SELECT CAST(floor(log10({field}) * {parts}) AS INTEGER) AS bin, count(*) FROM {{source}} "  # noqa: S608
            f"WHERE \"column\" = ? AND {field} > 0 AND {field} < 'inf'::DOUBLE GROUP BY bin ORDER BY bin"
        )
        return [(int(at), int(cells)) for at, cells in self.table.ask(query, [column])]

    def points(self, column: str, width: int, height: int) -> Points | None:
        """A column's cells counted into `width` x `height` dots, A to the right and B upwards; None: no numbers."""
        finite = "\"column\" = ? AND abs(a_number) < 'inf'::DOUBLE AND abs(b_number) < 'inf'::DOUBLE"
        query = (
            f"SELECT min(least(a_number, b_number)), max(greatest(a_number, b_number)) FROM {{source}} WHERE {finite}"  # noqa: S608
        )
        low, high = self.table.ask(query, [column])[0]
        if low is None:
            return None
        span = (high - low) or 1.0
        query = (
            "SELECT CAST(floor((a_number - ?) / ? * ?) AS INTEGER) AS x, "  # noqa: S608
            "CAST(floor((b_number - ?) / ? * ?) AS INTEGER) AS y, count(*), count_if(flip) FROM {source} "
            f"WHERE {finite} GROUP BY x, y"
        )
        values = [low, span, width - 1e-9, low, span, height - 1e-9, column]
        return Points(low, high, tuple(self.table.ask(query, values)))

    def close(self) -> None:
        """Closes the database."""
        self.table.close()


class CellRows:
    """Differing cells as rows of the grid."""

    def __init__(self, differences: DifferingCells) -> None:
        self.differences = differences

    def __len__(self) -> int:
        return len(self.differences)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Glyph, key, column, A, B, delta, relative delta."""
        cell = self.differences[row]
        a, b = value_pair(cell.a, cell.b, widths[3], widths[4])
        return (
            glyph(cell),
            Text(shorten_middle(key_words(cell.key), max(5, widths[1]))),
            text_of(cell.column, max(5, widths[2])),
            a,
            b,
            Text("" if cell.abs_delta is None else f"{cell.abs_delta:.3g}"),
            Text(relative(cell.rel_delta)),
            Text("flip" if cell.flip else "", style="bad"),
        )


def glyph(cell: Cell) -> Text:
    """Over its tolerance, over it but within what the row does from run to run, or within its tolerance."""
    if cell.verdict != "different":
        return Text("~", style="warn")
    return Text("≈", style="warn") if cell.noise == "within" else Text("≠", style="bad")


def value_pair(a: str | None, b: str | None, width_a: int, width_b: int) -> tuple[Text, Text]:
    """Both values of a cell, with what changed marked."""
    one, other = (ABSENT if value is None else show(value, 400) for value in (a, b))
    one, other = shortened(one, max(5, width_a)), shortened(other, max(5, width_b))
    cut_a, cut_b = changed_segments(one, other)
    return marked(cut_a, "mark-a"), marked(cut_b, "mark-b")


def relative(value: float | None) -> str:
    """A relative difference in percent, as short as it can be."""
    if value is None:
        return ""
    return f"{value:.3g}x" if value >= 10 else "<0.1%" if 0 < value < 0.0005 else f"{value:.1%}"


def key_words(key: str) -> str:
    """A key, which is a JSON array, as a person reads it."""
    try:
        values: Any = json.loads(key)
    except ValueError:
        return show(key, 200)
    return show(", ".join(str(value) for value in values) if isinstance(values, list) else values, 200)
