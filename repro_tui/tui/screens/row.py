"""The screen of one row of the predictions: the outputs of both sides, and the inputs of the row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.widgets import Static

from repro_tui.model.run import Run
from repro_tui.report.words import ABSENT
from repro_tui.support.text import show
from repro_tui.tui.actions import AUDIT, GLOBAL, GRID, some
from repro_tui.tui.dialogs import MessageDialog
from repro_tui.tui.differences import Cell, glyph, key_text, relative, value_pair
from repro_tui.tui.names import ShortNames
from repro_tui.tui.navigation import OpenFinding
from repro_tui.tui.one_row import Answer, answer_finding, answers, input_row
from repro_tui.tui.run_ranges import Range, Ranges, apart, ranges
from repro_tui.tui.screens.base import AuditScreen
from repro_tui.tui.screens.values import Pairs, value_dialog
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.safe import joined, lines, safe, text_of
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
READING = "reading …"
INPUT_COLUMNS = [ColumnSpec("input", 12, 1), ColumnSpec("value", 14, 2)]


@dataclass(frozen=True, slots=True)
class RangeLine:
    """The ranges of one output over the runs of A and of B; shown below the output."""

    column: str
    a: Range | None
    b: Range | None


class AnswerRows:
    """The output columns of a row, each followed by its ranges if it varies from run to run."""

    def __init__(self, outputs: Sequence[Answer], ranges: Ranges) -> None:
        self.lines: list[Answer | RangeLine] = []
        self.names = ShortNames([answer.column for answer in outputs])
        for answer in outputs:
            self.lines.append(answer)
            varying = ranges.varying(answer.column)
            if varying:
                self.lines.append(RangeLine(answer.column, *varying))

    def __len__(self) -> int:
        return len(self.lines)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Glyph, column, A, B, delta, relative delta."""
        line = self.lines[row]
        if isinstance(line, RangeLine):
            return _range(line, widths)
        return _answer(line, self.names(line.column, widths[1]), widths)


def _answer(answer: Answer, short: str, widths: Sequence[int]) -> Sequence[Text]:
    cell = answer.cell
    texts = [None if value is None else show(value, 400) for value in (answer.a, answer.b)]
    a, b = value_pair(texts[0], texts[1], widths[2], widths[3])
    name = Text(short, style="loud" if cell else "quiet")
    if cell is None:
        return (Text("="), name, Text(a.plain), Text(b.plain), Text(""), Text(""), Text(""))
    moved = "" if cell.abs_delta is None else f"{cell.abs_delta:.3g}"
    flip = Text("flip" if cell.flip else "", style="bad")
    return (glyph(cell), name, a, b, Text(moved), Text(relative(cell.rel_delta)), flip)


def _range(line: RangeLine, widths: Sequence[int]) -> Sequence[Text]:
    sides = [
        text_of(values.text(width) if values else ABSENT, width, "quiet")
        for values, width in ((line.a, widths[2]), (line.b, widths[3]))
    ]
    has_span = any(values is not None and values.span for values in (line.a, line.b))
    relation = Text(apart(line.a, line.b), style="quiet")
    return (Text(""), Text("  range" if has_span else "  values", style="quiet"), *sides, relation, Text(""), Text(""))


class RowScreen(AuditScreen):
    """One row: its outputs, their ranges over the runs, and its inputs; `cells` are its differing cells."""

    CSS_PATH = "row.tcss"
    title_text = "Row"

    def __init__(self, store: AuditStore, cell: Cell, cells: Sequence[Cell]) -> None:
        super().__init__(store)
        self.cell, self.cells = cell, cells
        self.answers: Sequence[Answer] = ()

    def compose(self) -> ComposeResult:
        """The outputs, and the inputs beside them, or in a narrow terminal below them."""
        yield TitleBar()
        yield Static(self._head(), id="head", markup=False)
        with Container(id="panes"):
            yield Grid(COLUMNS, id="answers", empty=READING, classes="pane")
            yield Grid(INPUT_COLUMNS, id="inputs", empty=READING, classes="pane")
        yield KeyBar(some(GRID, "open"), AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """Focuses the outputs, and reads the row."""
        super().on_mount()
        self.query_one("#answers").border_title = "outputs"
        self.query_one("#inputs").border_title = "inputs"
        self.query_one("#answers").focus()
        self._read()

    @work(thread=True)
    def _read(self) -> None:
        """Reads the outputs and the inputs, then the other runs, in a thread: the files may be large."""
        area, report = self.store.predictions(), self.store.report
        folder, key = self.store.folder.path, area.key if area else ()
        runs = (report.sides.a.runs, report.sides.b.runs) if report else ((), ())
        a, b = (_compared(folder, side) for side in runs)
        self.answers = answers(a, b, self.cells)
        inputs = input_row(folder / "inputs.parquet", self.cell, key)
        hand_over(self._show, inputs)
        labels = frozenset(column.name for column in area.columns if column.kind == "label") if area else frozenset()
        row_ranges = ranges(folder, runs, (self.cell.row_a, self.cell.row_b), key, labels)
        hand_over(self._show_ranges, row_ranges)

    def _show(self, inputs: Sequence[tuple[str, object]]) -> None:
        if self.is_mounted:
            grid = self.query_one("#inputs", Grid)
            grid.empty = "the inputs of this row are not known"
            grid.show_rows(Pairs(inputs))
            self._show_ranges(Ranges())

    def _show_ranges(self, row_ranges: Ranges) -> None:
        if self.is_mounted:
            self.query_one("#head", Static).update(self._head(row_ranges))
            self.query_one("#answers", Grid).empty = "the outputs of this row are not in this folder"
            self.query_one("#answers", Grid).show_rows(AnswerRows(self.answers, row_ranges), keep=True)

    def _head(self, row_ranges: Ranges | None = None) -> Content:
        name = safe(f"row {key_text(self.cell.key)}", "bold")
        if row_ranges is None:
            return name
        sentence, problems = row_ranges.sentence(), "; ".join(row_ranges.problems)
        first = joined([name, safe(sentence, "dim")], "   ") if sentence else name
        return lines([first, safe(problems, "$text-warning")]) if problems else first

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Opens an output as two values side by side, a range run by run, and an input in full."""
        source = event.grid.source
        if isinstance(source, Pairs):
            self.app.push_screen(value_dialog(*source.pairs[event.row]))
        elif isinstance(source, AnswerRows):
            line = source.lines[event.row]
            if isinstance(line, RangeLine):
                self.app.push_screen(MessageDialog("All runs", [f"{line.column}:", *_run_by_run(line)]))
            else:
                self.post_message(OpenFinding("predictions", answer_finding(self.cell, line)))

    def selected(self) -> object:
        """The differing cells, as plain values."""
        from dataclasses import asdict

        return [asdict(cell) for cell in self.cells]

    def texts(self) -> dict[str, str]:
        """The differing cells as JSON."""
        from repro_tui.tui.editor import as_json

        return {"row.json": as_json(self.selected())}


def _compared(folder: Path, runs: Sequence[Run]) -> Path | None:
    """The predictions of the run that was compared, which is the side's first one; None if there is none."""
    run = next((run for run in runs if run.predictions), None)
    return folder / run.predictions if run else None


def _run_by_run(line: RangeLine) -> list[str]:
    """The value of every run, one line each."""
    sides = (("A", line.a), ("B", line.b))
    return [
        f"{side}, run {number}: {show(value, 2000)}"
        for side, values in sides
        if values
        for number, value in values.values
    ]
