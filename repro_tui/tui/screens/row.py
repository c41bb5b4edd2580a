"""One row of the predictions: what was asked beside what both sides answered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container
from textual.widgets import Static

from repro_tui.model.finding import Finding
from repro_tui.model.report import SideReport
from repro_tui.support.text import show
from repro_tui.tui.actions import AUDIT, GLOBAL, GRID, some
from repro_tui.tui.differences import Cell, glyph, key_words, relative, value_pair
from repro_tui.tui.one_row import Answer, answers, input_row
from repro_tui.tui.screens.base import AuditScreen
from repro_tui.tui.screens.values import Pairs, told_in_full
from repro_tui.tui.store import Store
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.safe import safe

COLUMNS = [
    ColumnSpec("", 1),
    ColumnSpec("output", 10, 1),
    ColumnSpec("A", 14, 3, side="a"),
    ColumnSpec("B", 14, 3, side="b"),
    ColumnSpec("|Δ|", 9, 0, True),
    ColumnSpec("rel", 8, 0, True),
    ColumnSpec("", 4),
]
INPUT_COLUMNS = [ColumnSpec("input", 12, 1), ColumnSpec("value", 14, 2)]


class AnswerRows:
    """The output columns of a row."""

    def __init__(self, found: Sequence[Answer]) -> None:
        self.found = found

    def __len__(self) -> int:
        return len(self.found)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Glyph, column, A, B, delta, relative delta."""
        answer = self.found[row]
        cell = answer.cell
        texts = [None if value is None else show(value, 400) for value in (answer.a, answer.b)]
        a, b = value_pair(texts[0], texts[1], widths[2], widths[3])
        name = Text(show(answer.column, 80), style="loud" if cell else "quiet")
        if cell is None:
            return (Text("="), name, Text(a.plain), Text(b.plain), Text(""), Text(""), Text(""))
        moved = "" if cell.abs_delta is None else f"{cell.abs_delta:.3g}"
        flip = Text("flip" if cell.flip else "", style="bad")
        return (glyph(cell), name, a, b, Text(moved), Text(relative(cell.rel_delta)), flip)


class RowScreen(AuditScreen):
    """A row, with its inputs."""

    CSS_PATH = "row.tcss"
    title_text = "Row"

    def __init__(self, store: Store, cell: Cell, cells: Sequence[Cell]) -> None:
        super().__init__(store)
        self.cell, self.found = cell, cells

    def compose(self) -> ComposeResult:
        """The question beside the answers; in a narrow terminal below them."""
        yield TitleBar()
        yield Static(safe(f"row {key_words(self.cell.key)}", "bold"), id="head", markup=False)
        with Container(id="panes"):
            yield Grid(COLUMNS, id="answers")
            yield Grid(INPUT_COLUMNS, id="question", empty="the inputs of this row are not known")
        yield KeyBar(some(GRID, "open"), AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """Fills both tables."""
        super().on_mount()
        area, report = self.store.predictions(), self.store.report
        sides = (report.sides.a, report.sides.b) if report else (None, None)
        a, b = (self._predictions(side) for side in sides)
        self.query_one("#answers", Grid).show_rows(AnswerRows(answers(a, b, self.found)))
        path = self.store.folder.path / "inputs.parquet"
        self.query_one("#question", Grid).show_rows(Pairs(input_row(path, self.cell, area.key if area else ())))
        self.query_one("#answers").focus()

    def _predictions(self, side: SideReport | None) -> Path | None:
        """The predictions that were compared: those of the side's first run."""
        run = next((run for run in side.runs if run.predictions), None) if side else None
        return self.store.folder.path / run.predictions if run else None

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """An output opens as two values side by side, an input in full."""
        source = event.grid.source
        if isinstance(source, AnswerRows):
            self.auditor.push_finding("predictions", _finding(self.cell, source.found[event.row]))
        elif isinstance(source, Pairs):
            self.app.push_screen(told_in_full(*source.pairs[event.row]))

    def selected(self) -> object:
        """The differing cells, as plain values."""
        from dataclasses import asdict

        return [asdict(cell) for cell in self.found]

    def texts(self) -> dict[str, str]:
        """The same as JSON."""
        from repro_tui.tui.editor import as_json

        return {"row.json": as_json(self.selected())}


def _finding(cell: Cell, answer: Answer) -> Finding:
    """One output of a row, as the screen of two values takes it."""
    path = (key_words(cell.key), answer.column)
    found = answer.cell
    if found is None:
        return Finding(path, "same", answer.a, answer.b)
    moved = "" if found.abs_delta is None else f", |Δ| {found.abs_delta:.4g} {relative(found.rel_delta)}".rstrip()
    noise = f", {found.noise} its own noise" if found.noise else ""
    note = found.verdict + moved + (", a decision flips" if found.flip else "") + noise
    return Finding(path, "changed", found.a, found.b, "important" if found.verdict == "different" else "notice", note)
