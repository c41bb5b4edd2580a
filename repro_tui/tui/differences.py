"""The differing cells as rows: filtered and sorted by DuckDB, read a page at a time, a million as fast as ten."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from repro_tui.support.text import shorten_middle, show
from repro_tui.tui.widgets.safe import ABSENT

if TYPE_CHECKING:
    import duckdb

PAGE = 200
MOST_PAGES = 50
FIELDS = 'key, "column", change, a, b, abs_delta, rel_delta, flip, verdict, row_a, row_b, input_row'
ORDERS = {
    "worst first": "flip DESC, abs_delta DESC NULLS LAST, row_a, row_b",
    "by row": 'row_a, row_b, "column"',
    "by column": '"column", abs_delta DESC NULLS LAST, row_a',
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One differing cell; `key` is JSON text, the rows are 0-based."""

    key: str
    column: str
    change: str
    a: str | None
    b: str | None
    abs_delta: float | None
    rel_delta: float | None
    flip: bool
    verdict: str
    row_a: int | None
    row_b: int | None
    input_row: int | None


class Differences:
    """The cells of one audit under a filter and an order."""

    def __init__(self, path: Path) -> None:
        import duckdb

        self._path, self._lock = str(path), threading.Lock()
        self._connection: duckdb.DuckDBPyConnection = duckdb.connect()
        self._pages: dict[int, list[Cell]] = {}
        self.count = 0

    def select(self, wanted: str = "", order: str = "worst first", only_different: bool = True) -> int:
        """Chooses and orders the cells; returns how many there are. `wanted` is any part of key, column or value."""
        conditions, values = ["true"], []
        if only_different:
            conditions.append("verdict = 'different'")
        if wanted:
            conditions.append(
                "(contains(lower(key || ' ' || \"column\" || ' ' || coalesce(a, '') || ' ' || coalesce(b, '')), ?))"
            )
            values.append(wanted.lower())
        query = f"CREATE OR REPLACE TEMP TABLE chosen AS SELECT {FIELDS} FROM read_parquet(?) WHERE {' AND '.join(conditions)} ORDER BY {ORDERS[order]}"  # noqa: S608, E501
        with self._lock:
            self._connection.execute(query, [self._path, *values])
            self.count = int(self._connection.execute("SELECT count(*) FROM chosen").fetchall()[0][0])
            self._pages.clear()
        return self.count

    def __getitem__(self, row: int) -> Cell:
        page = row // PAGE
        with self._lock:
            if page not in self._pages:
                if len(self._pages) > MOST_PAGES:
                    self._pages.pop(next(iter(self._pages)))
                start = page * PAGE
                query = "SELECT * FROM chosen WHERE rowid >= ? AND rowid < ? ORDER BY rowid"
                rows = self._connection.execute(query, [start, start + PAGE]).fetchall()
                self._pages[page] = [Cell(*values) for values in rows]
            return self._pages[page][row - page * PAGE]

    def of_row(self, cell: Cell) -> list[Cell]:
        """Every differing cell of the row that this cell stands in."""
        query = (
            f"SELECT {FIELDS} FROM read_parquet(?) WHERE row_a IS NOT DISTINCT FROM ? AND row_b IS NOT DISTINCT FROM ?"  # noqa: S608
        )
        with self._lock:
            rows = self._connection.execute(query, [self._path, cell.row_a, cell.row_b]).fetchall()
        return [Cell(*values) for values in rows]

    def close(self) -> None:
        """Closes the database."""
        self._connection.close()


class CellRows:
    """Differing cells as rows of the grid."""

    def __init__(self, differences: Differences) -> None:
        self.differences = differences

    def __len__(self) -> int:
        return self.differences.count

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Glyph, key, column, A, B, delta, relative delta."""
        cell = self.differences[row]
        glyph = "≠" if cell.verdict == "different" else "~"
        a, b = (ABSENT if value is None else show(value, 200) for value in (cell.a, cell.b))
        return (
            Text(glyph, style="red" if cell.verdict == "different" else "yellow"),
            Text(shorten_middle(key_words(cell.key), max(5, widths[1]))),
            Text(show(cell.column, 80), style="bold" if cell.flip else ""),
            Text(shorten_middle(a, max(5, widths[3]))),
            Text(shorten_middle(b, max(5, widths[4]))),
            Text("" if cell.abs_delta is None else f"{cell.abs_delta:.3g}"),
            Text("flip" if cell.flip else "" if cell.rel_delta is None else f"{cell.rel_delta:.1%}"),
        )


def key_words(key: str) -> str:
    """A key, which is a JSON array, as a person reads it."""
    import json

    try:
        values: Any = json.loads(key)
    except ValueError:
        return show(key, 200)
    return show(", ".join(str(value) for value in values) if isinstance(values, list) else values, 200)
