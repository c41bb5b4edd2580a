"""One row of the predictions: what was asked, and what both sides answered where they differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from repro_tui.support.text import shorten_middle, show
from repro_tui.tui.actions import AUDIT, GLOBAL
from repro_tui.tui.differences import Cell, key_words
from repro_tui.tui.screens.base import AuditScreen
from repro_tui.tui.store import Store
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.safe import ABSENT, changed_segments, safe

COLUMNS = [
    ColumnSpec("", 1),
    ColumnSpec("column", 14, 1),
    ColumnSpec("A", 16, 3),
    ColumnSpec("B", 16, 3),
    ColumnSpec("|Δ|", 9, 0, True),
]
INPUT_COLUMNS = [ColumnSpec("input", 14, 1), ColumnSpec("value", 20, 4)]


class RowCells:
    """The differing cells of a row."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.found = cells

    def __len__(self) -> int:
        return len(self.found)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Glyph, column, A, B, delta."""
        cell = self.found[row]
        a, b = (ABSENT if value is None else show(value, 400) for value in (cell.a, cell.b))
        one, other = changed_segments(shorten_middle(a, max(5, widths[2])), shorten_middle(b, max(5, widths[3])))
        delta = (
            "flip"
            if cell.flip and cell.abs_delta is None
            else ""
            if cell.abs_delta is None
            else f"{cell.abs_delta:.3g}"
        )
        return (
            Text("≠", style="red"),
            Text(show(cell.column, 80)),
            _text(one, "red"),
            _text(other, "green"),
            Text(delta),
        )


def _text(segments: list[tuple[str, bool]], style: str) -> Text:
    found = Text()
    for text, changed in segments:
        found.append(text, style if changed else "")
    return found


class Pairs:
    """Names and values as rows."""

    def __init__(self, pairs: Sequence[tuple[str, Any]]) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Name and value."""
        name, value = self.pairs[row]
        return (Text(show(name, 80)), Text(shorten_middle(show(value, 400), max(5, widths[1]))))


class RowScreen(AuditScreen):
    """A row, with its inputs."""

    CSS_PATH = "row.tcss"
    title_text = "Row"

    def __init__(self, store: Store, cell: Cell, cells: Sequence[Cell]) -> None:
        super().__init__(store)
        self.cell, self.found = cell, cells

    def compose(self) -> ComposeResult:
        """The answers above, the question below."""
        yield TitleBar(markup=False)
        yield Static(safe(f"row {key_words(self.cell.key)}", "bold"), id="head", markup=False)
        yield Grid(COLUMNS, id="answers")
        yield Grid(INPUT_COLUMNS, id="question", empty="the inputs of this row are not known")
        yield KeyBar(AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """Fills both tables."""
        super().on_mount()
        self.query_one("#answers", Grid).show_rows(RowCells(self.found))
        area = self.store.predictions()
        path = self.store.folder.path / "inputs.parquet"
        self.query_one("#question", Grid).show_rows(Pairs(input_row(path, self.cell, area.key if area else ())))
        self.query_one("#answers").focus()

    def selected(self) -> object:
        """The differing cells, as plain values."""
        from dataclasses import asdict

        return [asdict(cell) for cell in self.found]


def input_row(path: Path, cell: Cell, key: tuple[str, ...]) -> list[tuple[str, Any]]:
    """The validation inputs of a row, found by its key, or by its position where rows go by position."""
    if not path.exists():
        return []
    import duckdb

    with duckdb.connect() as connection:
        if key:
            known = {row[0] for row in connection.execute("SELECT name FROM parquet_schema(?)", [str(path)]).fetchall()}
            if not set(key) <= known:
                return []
            where = " AND ".join('CAST("' + name.replace('"', '""') + '" AS VARCHAR) = ?' for name in key)
            values = [str(value) for value in json.loads(cell.key)]
            query = f"SELECT * FROM read_parquet(?) WHERE {where} LIMIT 1"  # noqa: S608
        elif cell.input_row is not None:
            values, where = [str(cell.input_row)], "WHERE file_row_number = CAST(? AS BIGINT)"
            query = f"SELECT * EXCLUDE (file_row_number) FROM read_parquet(?, file_row_number = true) {where}"  # noqa: S608
        else:
            return []
        found = connection.execute(query, [str(path), *values])
        columns = [item[0] for item in found.description or []]
        rows = found.fetchall()
    return list(zip(columns, rows[0], strict=True)) if rows else []
