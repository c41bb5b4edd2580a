"""The differing cells of an audit: filtered by text or by an expression, sorted by any column, counted for charts.

The cells are rows of differences.parquet. DuckDB filters, sorts and counts them where they are, so that a million cells
open as fast as ten (`LazyTable`). A filter is plain text (any part of the key, the column or a value) or, where it
looks like one, an SQL condition over the cells' columns and the validation inputs of their rows: `delta > 0.01 and
flip`, `region = 'N'`. The inputs are joined by the key where the audit has one, else by the row's number, and only if
the condition names one of their columns. The condition is the user's own SQL; the database can read these two files
and nothing else on the machine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from repro_tui.report.words import ABSENT
from repro_tui.support.text import brief_part, shorten_middle, show
from repro_tui.tui.lazy_table import LazyTable, quoted, sql_path, sql_text
from repro_tui.tui.names import ShortNames
from repro_tui.tui.widgets.safe import marked_pair

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
DESCENDING = (WORST, "|Δ|", "rel", "flip")
EXPRESSION = re.compile(r"[<>=]|\b(like|ilike|in|is|between|not|flip)\b", re.IGNORECASE)
BARE_COLUMN = re.compile(r"(?<![\"'\w.])column(?![\"'\w])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cell:
    """One differing cell: `key` is a JSON list, rows count from 0, `noise` is "within", "beyond" or None (unknown)."""

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
    """Pairs of numbers counted into a raster of dots (x, y, cells, flips); both axes go from `low` to `high`."""

    low: float
    high: float
    dots: tuple[tuple[int, int, int, int], ...]


class DifferingCells:
    """The differing cells of an audit, as a sequence of `Cell` under a filter and an order.

    `path` is the Parquet file of the cells, `inputs` that of the validation inputs, `key` the columns that rows are
    matched by (none: by position), and `only` the one output column to show.
    """

    def __init__(
        self, path: Path, inputs: Path | None = None, key: Sequence[str] = (), only: str | None = None
    ) -> None:
        inputs = inputs if inputs is not None and inputs.exists() else None
        self.table = LazyTable([path, *([inputs] if inputs else [])], "", FIELDS)
        noise = "" if "noise" in self.table.columns_of(path) else ", NULL AS noise"  # earlier versions did not write it
        where = f'WHERE "column" = {sql_text(only)}' if only is not None else ""
        self.table.source = (
            f"SELECT file_row_number AS n, * EXCLUDE (file_row_number) RENAME (abs_delta AS delta, rel_delta AS rel)"  # noqa: S608
            f"{noise} FROM read_parquet({sql_path(path)}, file_row_number = true) {where}"
        )
        self._inputs = inputs
        self.input_columns = self.table.columns_of(inputs) if inputs is not None else []
        self._key = [name for name in key if name in self.input_columns] if key else []
        if key and len(self._key) < len(key):
            self.input_columns = []

    def select(
        self,
        text: str = "",
        sort: str = WORST,
        rising: bool = False,
        only_different: bool = True,
        without: Sequence[str] = (),
    ) -> int:
        """Filters and orders the cells, and returns their number.

        `text` is any part of a key, column or value; or, where it looks like one, an SQL condition over the columns of
        differences.parquet (with `delta` and `rel` for short) and of the inputs. A leading apostrophe makes it text.
        `sort` is a name in SORTS; `only_different` leaves out cells within their tolerance, and `without` the cells of
        these output columns. Raises NotAnExpression.
        """
        conditions, values, source = ["true"], list(without), ""
        if without:
            marks = ", ".join("?" * len(without))
            conditions.append(f'("column" IS NULL OR "column" NOT IN ({marks}))')
        if only_different:
            conditions.append("verdict = 'different'")
        if EXPRESSION.search(text) and not text.startswith("'"):
            condition = BARE_COLUMN.sub(quoted("column"), text)
            conditions.append(f"({condition})")
            source = self._with_inputs(text)
        elif text:
            conditions.append(
                "contains(lower(key || ' ' || \"column\" || ' ' || coalesce(a, '') || ' ' || coalesce(b, '')), ?)"
            )
            values.append(text.removeprefix("'").lower())
        direction = "ASC" if rising else "DESC"
        order = ", ".join(f"{name} {direction} NULLS LAST" for name in SORTS[sort])
        names = [*FIELDS, *self.input_columns]
        return self.table.select(" AND ".join(conditions), values, f"{order}, row_a, row_b", source, names)

    def _with_inputs(self, condition: str) -> str:
        """The cells joined with the inputs of their rows, as SQL; "" where the condition names no input column."""
        lowered = condition.lower()
        numbered = "file_row_number" in map(str.lower, self.input_columns)  # the database could not add its own
        if self._inputs is None or numbered or not any(name.lower() in lowered for name in self.input_columns):
            return ""
        inputs = f"read_parquet({sql_path(self._inputs)}, file_row_number = true)"
        clash = {"n", "a_number", "b_number", "file_row_number", "own_key", "input_position", *FIELDS}
        named = [quoted(name) for name in self.input_columns if name.lower() not in clash]
        columns = ", ".join(["file_row_number AS input_position", *named])
        if self._key:
            key = f"json_array({', '.join(quoted(name) for name in self._key)})"
            inputs, on = f"(SELECT {key} AS own_key, {columns} FROM {inputs})", "json(cells.key) = own_key"  # noqa: S608
        else:
            inputs, on = f"(SELECT {columns} FROM {inputs})", "cells.input_row = input_position"  # noqa: S608
        return f"SELECT * FROM ({self.table.source}) AS cells LEFT JOIN {inputs} ON {on}"  # noqa: S608

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, row: int) -> Cell:
        return Cell(*self.table[row])

    def of_row(self, cell: Cell) -> list[Cell]:
        """Every differing cell of this cell's row."""
        names = ", ".join(quoted(name) for name in FIELDS)
        query = f"SELECT {names} FROM {{source}} WHERE row_a IS NOT DISTINCT FROM ? AND row_b IS NOT DISTINCT FROM ?"  # noqa: S608
        return [Cell(*values) for values in self.table.query(query, [cell.row_a, cell.row_b])]

    def histogram(self, column: str, parts: int = 4, field: str = "delta") -> list[tuple[int, int]]:
        """The cells of a column in each bin of log10|Δ|, as (bin, cells), with `parts` bins per decade."""
        query = (
            f"SELECT CAST(floor(log10({field}) * {parts}) AS INTEGER) AS bin, count(*) FROM {{source}} "  # noqa: S608
            f"WHERE \"column\" = ? AND {field} > 0 AND {field} < 'inf'::DOUBLE GROUP BY bin ORDER BY bin"
        )
        return [(int(number), int(cells)) for number, cells in self.table.query(query, [column])]

    def points(self, column: str, width: int, height: int) -> Points | None:
        """A column's cells counted into `width` x `height` dots, A to the right, B upwards; None without numbers."""
        finite = "\"column\" = ? AND abs(a_number) < 'inf'::DOUBLE AND abs(b_number) < 'inf'::DOUBLE"
        query = (
            f"SELECT min(least(a_number, b_number)), max(greatest(a_number, b_number)) FROM {{source}} WHERE {finite}"  # noqa: S608
        )
        low, high = self.table.query(query, [column])[0]
        if low is None:
            return None
        span = (high - low) or 1.0
        query = (
            "SELECT CAST(floor((a_number - ?) / ? * ?) AS INTEGER) AS x, "  # noqa: S608
            "CAST(floor((b_number - ?) / ? * ?) AS INTEGER) AS y, count(*), count_if(flip) FROM {source} "
            f"WHERE {finite} GROUP BY x, y"
        )
        values = [low, span, width - 1e-9, low, span, height - 1e-9, column]
        return Points(low, high, tuple(self.table.query(query, values)))

    def close(self) -> None:
        """Closes the database."""
        self.table.close()


class CellRows:
    """Differing cells as rows of a grid; `names` are the output columns, which are shortened as one list."""

    def __init__(self, differences: DifferingCells, names: ShortNames) -> None:
        self.differences, self.names = differences, names

    def __len__(self) -> int:
        return len(self.differences)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Glyph, key, column, A, B, delta, relative delta."""
        cell = self.differences[row]
        a, b = value_pair(cell.a, cell.b, widths[3], widths[4])
        return (
            glyph(cell),
            Text(shorten_middle(key_text(cell.key), max(5, widths[1]))),
            Text(self.names(cell.column, max(5, widths[2]))),
            a,
            b,
            Text("" if cell.abs_delta is None else f"{cell.abs_delta:.3g}"),
            Text(relative(cell.rel_delta)),
            Text("flip" if cell.flip else "", style="bad"),
        )


def glyph(cell: Cell) -> Text:
    """≠ over its tolerance, ≈ over it but within the row's own noise from run to run, ~ within its tolerance."""
    if cell.verdict != "different":
        return Text("~", style="warn")
    return Text("≈", style="warn") if cell.noise == "within" else Text("≠", style="bad")


def value_pair(a: str | None, b: str | None, width_a: int, width_b: int) -> tuple[Text, Text]:
    """Both values of a cell, with what changed marked; None is a value that is absent."""
    text_a, text_b = (ABSENT if value is None else show(value, 400) for value in (a, b))
    return marked_pair(text_a, text_b, width_a, width_b)


def relative(value: float | None) -> str:
    """A relative difference in percent, or from 10 on as a factor; a small one is never shown as 0."""
    if value is None:
        return ""
    return f"{value:.3g}x" if value >= 10 else brief_part(value)


def key_text(key: str) -> str:
    """A key, which is a JSON list, as its values separated by commas."""
    try:
        values: object = json.loads(key)
    except (ValueError, RecursionError):
        return show(key, 200)
    return show(", ".join(str(value) for value in values) if isinstance(values, list) else values, 200)
