"""One row of the predictions: what was asked beside what both sides answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.widgets import Static

from repro_tui.model.run import Run
from repro_tui.support.text import show
from repro_tui.tui.actions import AUDIT, GLOBAL, GRID, some
from repro_tui.tui.dialogs import MessageDialog
from repro_tui.tui.differences import Cell, glyph, key_words, relative, value_pair
from repro_tui.tui.navigation import OpenFinding
from repro_tui.tui.one_row import Answer, answer_finding, answers, input_row
from repro_tui.tui.run_ranges import Range, Ranges, apart, ranges
from repro_tui.tui.screens.base import AuditScreen
from repro_tui.tui.screens.values import Pairs, told_in_full
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.safe import ABSENT, joined, lines, safe, text_of
from repro_tui.tui.workers import hand_over

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


@dataclass(frozen=True, slots=True)
class RangeLine:
    """The range of one output over the runs of each side, which stands below its answer."""

    column: str
    a: Range | None
    b: Range | None


class AnswerRows:
    """The output columns of a row, and below each that varies from run to run its ranges."""

    def __init__(self, found: Sequence[Answer], ranges: Ranges) -> None:
        self.lines: list[Answer | RangeLine] = []
        for answer in found:
            self.lines.append(answer)
            varying = ranges.of(answer.column)
            if varying:
                self.lines.append(RangeLine(answer.column, *varying))

    def __len__(self) -> int:
        return len(self.lines)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Glyph, column, A, B, delta, relative delta."""
        line = self.lines[row]
        return _range(line, widths) if isinstance(line, RangeLine) else _answer(line, widths)


def _answer(answer: Answer, widths: Sequence[int]) -> Sequence[Text]:
    cell = answer.cell
    texts = [None if value is None else show(value, 400) for value in (answer.a, answer.b)]
    a, b = value_pair(texts[0], texts[1], widths[2], widths[3])
    name = Text(show(answer.column, 80), style="loud" if cell else "quiet")
    if cell is None:
        return (Text("="), name, Text(a.plain), Text(b.plain), Text(""), Text(""), Text(""))
    moved = "" if cell.abs_delta is None else f"{cell.abs_delta:.3g}"
    flip = Text("flip" if cell.flip else "", style="bad")
    return (glyph(cell), name, a, b, Text(moved), Text(relative(cell.rel_delta)), flip)


def _range(line: RangeLine, widths: Sequence[int]) -> Sequence[Text]:
    told = [
        text_of(found.words(width) if found else ABSENT, width, "quiet")
        for found, width in ((line.a, widths[2]), (line.b, widths[3]))
    ]
    span = any(found is not None and found.span for found in (line.a, line.b))
    meeting = Text(apart(line.a, line.b), style="quiet")
    return (Text(""), Text("  range" if span else "  values", style="quiet"), *told, meeting, Text(""), Text(""))


class RowScreen(AuditScreen):
    """A row, with its inputs."""

    CSS_PATH = "row.tcss"
    title_text = "Row"

    def __init__(self, store: AuditStore, cell: Cell, cells: Sequence[Cell]) -> None:
        super().__init__(store)
        self.cell, self.found = cell, cells
        self.answers: Sequence[Answer] = ()

    def compose(self) -> ComposeResult:
        """The question beside the answers; in a narrow terminal below them."""
        yield TitleBar()
        yield Static(self._head(), id="head", markup=False)
        with Container(id="panes"):
            yield Grid(COLUMNS, id="answers", empty="")
            yield Grid(INPUT_COLUMNS, id="question", empty="")
        yield KeyBar(some(GRID, "open"), AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """Fills both tables."""
        super().on_mount()
        self.query_one("#answers").focus()
        self._read()

    @work(thread=True)
    def _read(self) -> None:
        """Both answers and the question, then every other run: files may be large, and keys go on working."""
        area, report = self.store.predictions(), self.store.report
        folder, key = self.store.folder.path, area.key if area else ()
        runs = (report.sides.a.runs, report.sides.b.runs) if report else ((), ())
        a, b = (_compared(folder, side) for side in runs)
        self.answers = answers(a, b, self.found)
        asked = input_row(folder / "inputs.parquet", self.cell, key)
        hand_over(self._show, asked)
        labels = frozenset(column.name for column in area.columns if column.kind == "label") if area else frozenset()
        found = ranges(folder, runs, (self.cell.row_a, self.cell.row_b), key, labels)
        hand_over(self._show_ranges, found)

    def _show(self, asked: Sequence[tuple[str, Any]]) -> None:
        if self.is_mounted:
            question = self.query_one("#question", Grid)
            question.empty = "the inputs of this row are not known"
            question.show_rows(Pairs(asked))
            self._show_ranges(Ranges())

    def _show_ranges(self, found: Ranges) -> None:
        if self.is_mounted:
            self.query_one("#head", Static).update(self._head(found))
            self.query_one("#answers", Grid).show_rows(AnswerRows(self.answers, found), keep=True)

    def _head(self, found: Ranges | None = None) -> Content:
        name = safe(f"row {key_words(self.cell.key)}", "bold")
        if found is None:
            return name
        told = [joined([name, safe(found.sentence(), "dim")], "   ")] if found.sentence() else [name]
        return lines([*told, *([safe("; ".join(found.problems), "$text-warning")] if found.problems else [])])

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """An output opens as two values side by side, its ranges run by run, an input in full."""
        source = event.grid.source
        if isinstance(source, Pairs):
            self.app.push_screen(told_in_full(*source.pairs[event.row]))
        elif isinstance(source, AnswerRows):
            line = source.lines[event.row]
            if isinstance(line, RangeLine):
                self.app.push_screen(MessageDialog("Every run", [f"{line.column}:", *_run_by_run(line)]))
            else:
                self.post_message(OpenFinding("predictions", answer_finding(self.cell, line)))

    def selected(self) -> object:
        """The differing cells, as plain values."""
        from dataclasses import asdict

        return [asdict(cell) for cell in self.found]

    def texts(self) -> dict[str, str]:
        """The same as JSON."""
        from repro_tui.tui.editor import as_json

        return {"row.json": as_json(self.selected())}


def _compared(folder: Path, runs: Sequence[Run]) -> Path | None:
    """The predictions that were compared: those of the side's first run."""
    run = next((run for run in runs if run.predictions), None)
    return folder / run.predictions if run else None


def _run_by_run(line: RangeLine) -> list[str]:
    """Every run's value."""
    sides = (("A", line.a), ("B", line.b))
    return [f"{side}, run {number}: {show(value, 2000)}" for side, one in sides if one for number, value in one.values]
