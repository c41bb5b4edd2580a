"""The predictions: columns with their verdicts, how far they moved, and every differing cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.text import Text
from textual import events, work
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from repro_tui.model.predictions import SAME_VERDICTS, Column, PredictionsArea
from repro_tui.support.text import show
from repro_tui.tui.actions import AUDIT, GLOBAL, LIST, Action, bindings
from repro_tui.tui.differences import ORDERS, Cell, CellRows, Differences
from repro_tui.tui.screens.base import NARROW, AuditScreen
from repro_tui.tui.store import Store
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import ColumnSpec, Grid
from repro_tui.tui.widgets.safe import joined, lines, safe

KEYS: tuple[Action, ...] = (
    *(
        action
        for action in LIST
        if action.name in ("filter", "only_differences", "next_difference", "previous_difference")
    ),
    Action("o", "order", "Sort the differing cells another way", "predictions", "o sort"),
)
WIDE_COLUMNS = [
    ColumnSpec("", 1),
    ColumnSpec("column", 14, 2),
    ColumnSpec("kind", 11),
    ColumnSpec("verdict", 17),
    ColumnSpec("equal", 9, 0, True),
    ColumnSpec("within", 9, 0, True),
    ColumnSpec("different", 9, 0, True),
    ColumnSpec("max |Δ|", 9, 0, True),
    ColumnSpec("flips", 7, 0, True),
]
CELL_COLUMNS = [
    ColumnSpec("", 1),
    ColumnSpec("row", 10, 2),
    ColumnSpec("column", 10, 1),
    ColumnSpec("A", 12, 2),
    ColumnSpec("B", 12, 2),
    ColumnSpec("|Δ|", 9, 0, True),
    ColumnSpec("rel", 7, 0, True),
]
BAR = 30
LEFT_OUT_WHEN_NARROW = ("kind", "within")
ROOM_FOR_ALL = 100


class ColumnRows:
    """Output columns as rows."""

    def __init__(self, area: PredictionsArea, shown: Sequence[ColumnSpec]) -> None:
        self.columns, self.shown = area.columns, [spec.title for spec in shown]

    def __len__(self) -> int:
        return len(self.columns)

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """One column's verdict and counts."""
        c = self.columns[row]
        style = "green" if c.verdict in SAME_VERDICTS else "bold red" if c.verdict == "drift" else "yellow"
        glyph = "=" if c.verdict in SAME_VERDICTS else "≠" if c.verdict == "drift" else "?"
        numbers = (f"{c.equal:,}", f"{c.within_tolerance:,}", f"{c.different:,}")
        cells = (
            Text(glyph, style=style),
            Text(show(c.name, 80)),
            Text(c.kind),
            Text(c.verdict, style=style),
            *(Text(number) for number in numbers),
            Text("" if c.max_abs is None else f"{c.max_abs:.3g}"),
            Text("" if c.flips is None else f"{c.flips:,}"),
        )
        return [cell for cell, spec in zip(cells, WIDE_COLUMNS, strict=True) if spec.title in self.shown]


class PredictionsScreen(AuditScreen):
    """The predictions' area."""

    CSS_PATH = "predictions.tcss"
    BINDINGS = bindings(GLOBAL, AUDIT, KEYS)
    title_text = "Predictions"

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.differences: Differences | None = None
        self.order = next(iter(ORDERS))
        self.only_different = True
        self._shown: PredictionsArea | None = None

    def compose(self) -> ComposeResult:
        """Columns above with their measures, cells below."""
        yield TitleBar(markup=False)
        yield Static("", id="line", markup=False)
        with Horizontal(id="top"):
            yield Grid(WIDE_COLUMNS, id="columns", empty="no columns to compare")
            with VerticalScroll(id="measures", can_focus=False):
                yield Static("", id="column", markup=False)
        yield Input(placeholder="filter: any part of a key, column or value", id="filter", compact=True)
        yield Static("", id="cells-title", markup=False)
        yield Grid(CELL_COLUMNS, id="cells", empty="no differing cells")
        yield KeyBar(KEYS, AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """The cells have the keys, as soon as there are any."""
        self.query_one("#filter").display = False
        super().on_mount()
        self.query_one("#columns").focus()

    def on_unmount(self) -> None:
        """Closes the database of cells."""
        if self.differences:
            self.differences.close()

    def on_resize(self, event: events.Resize) -> None:
        """A narrow terminal leaves the measures to Enter."""
        self.query_one("#measures").display = self.size.width >= NARROW
        self.call_after_refresh(self._fit_columns)

    def _fit_columns(self) -> None:
        """The columns that have room."""
        area, grid = self.store.predictions(), self.query_one("#columns", Grid)
        if area is not None:
            narrow = grid.size.width < ROOM_FOR_ALL
            grid.columns = [c for c in WIDE_COLUMNS if not (narrow and c.title in LEFT_OUT_WHEN_NARROW)]
            grid.show_rows(ColumnRows(area, grid.columns), keep=True)

    def changed(self) -> None:
        """Shows the columns, and opens the cells when the comparison is done."""
        area = self.store.predictions()
        if area is None:
            self.query_one("#line", Static).update(
                safe(
                    "not compared yet: the audit is running"
                    if self.store.running
                    else "the predictions were not compared"
                )
            )
            return
        if area is self._shown:
            return
        self._shown = area
        self.query_one("#line", Static).update(_line(area))
        columns = self.query_one("#columns", Grid)
        columns.styles.height = min(len(area.columns) + 1, 8)
        self.query_one("#top").styles.height = max(
            min(len(area.columns) + 1, 8), 12 if self.size.width >= NARROW and area.columns else 2
        )
        self._fit_columns()
        if self.store.folder.differences.exists():
            self._select("")

    @work(thread=True, exclusive=True, group="cells")
    def _select(self, wanted: str) -> None:
        """Filters and sorts in a thread: a million cells take a moment, and keys go on working."""
        if self.differences is None:
            self.differences = Differences(self.store.folder.differences)
        self.differences.select(wanted, self.order, self.only_different)
        self.app.call_from_thread(self._show_cells)

    def _show_cells(self) -> None:
        if self.differences is None or not self.is_mounted:
            return
        grid = self.query_one("#cells", Grid)
        grid.show_rows(CellRows(self.differences))
        which = "over tolerance" if self.only_different else "not equal"
        title = f"{self.differences.count:,} cells {which}, {self.order}"
        self.query_one("#cells-title", Static).update(Content.styled(title, "dim"))

    # -- what is under the cursor -------------------------------------------------------------------------------

    def column(self) -> Column | None:
        """The column under the cursor."""
        grid = self.query_one("#columns", Grid)
        source = grid.source
        return source.columns[grid.cursor] if isinstance(source, ColumnRows) and len(source) else None

    def cell(self) -> Cell | None:
        """The cell under the cursor."""
        grid = self.query_one("#cells", Grid)
        return self.differences[grid.cursor] if self.differences and grid.count else None

    def selected(self) -> object:
        """The cell or the column that has the keys, as plain values."""
        chosen = self.cell() if self.query_one("#cells").has_focus else self.column()
        return asdict(chosen) if chosen else None

    def on_grid_highlighted(self, event: Grid.Highlighted) -> None:
        """The measures follow the cursor."""
        column = self.column()
        if event.grid.id == "columns" and column is not None:
            self.query_one("#column", Static).update(measures(column))

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """A column opens with its measures, a cell with its whole row."""
        column, cell = self.column(), self.cell()
        if event.grid.id == "columns" and column is not None:
            from repro_tui.tui.screens.column import ColumnScreen

            self.app.push_screen(ColumnScreen(self.store, column))
        elif cell is not None and self.differences is not None:
            from repro_tui.tui.screens.row import RowScreen

            self.app.push_screen(RowScreen(self.store, cell, self.differences.of_row(cell)))

    # -- keys ---------------------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Opens the filter."""
        box = self.query_one("#filter", Input)
        box.display = True
        box.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filters while typing."""
        self._select(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the cells."""
        self.query_one("#cells").focus()

    def focus_grid(self) -> None:
        """Back to the cells."""
        self.query_one("#cells").focus()

    def action_only_differences(self) -> None:
        """Only what is over its tolerance, or all that is not equal."""
        self.only_different = not self.only_different
        self._select(self.query_one("#filter", Input).value)

    def action_order(self) -> None:
        """The next way to sort."""
        names = list(ORDERS)
        self.order = names[(names.index(self.order) + 1) % len(names)]
        self._select(self.query_one("#filter", Input).value)

    def action_next_difference(self) -> None:
        """The next cell."""
        self.query_one("#cells", Grid).action_cursor(1)

    def action_previous_difference(self) -> None:
        """The cell before."""
        self.query_one("#cells", Grid).action_cursor(-1)


def _line(area: PredictionsArea) -> Content:
    rows = area.rows
    told = [f"{area.verdict}", f"{rows.matched:,} rows matched"]
    told += [
        f"{count:,} {what}"
        for count, what in (
            (rows.only_a, "only in A"),
            (rows.only_b, "only in B"),
            (rows.duplicate_a + rows.duplicate_b, "with a key twice"),
        )
        if count
    ]
    told.append(f"by {', '.join(area.key)}" if area.key else "by position")
    if area.noise.sentence:
        told.append(area.noise.sentence)
    head = safe("   ".join(told), "bold", 300)
    return lines([head, safe(area.what, "$text-warning")]) if area.what else head


def measures(column: Column) -> Content:
    """A column's rule, measures, histogram and flips."""
    found: list[Content | str] = [safe(f"{column.name}: {column.verdict}", "bold"), safe(f"rule: {column.rule}")]
    if column.smallest_passing:
        passing = ", ".join(f"{name} {value:.3g}" for name, value in column.smallest_passing.items())
        found.append(safe(f"smallest tolerance that would pass: {passing}"))
    if column.inferred and column.kind:
        found.append(safe(f"kind {column.kind}: inferred", "dim"))
    found += _histogram(column)
    found += [safe(f"{a} → {b}   {rows:,}") for a, b, rows in column.flip_matrix[:8]]
    told = [(name.replace("_", " "), value) for name, value in column.measures.items() if value is not None]
    found += [
        safe(f"{name:<22} {value:.4g}" if isinstance(value, float) else f"{name:<22} {value}") for name, value in told
    ]
    if column.note:
        found.append(safe(column.note, "$text-warning"))
    return lines(found)


def _histogram(column: Column) -> list[Content | str]:
    if not column.histogram:
        return []
    most = max(rows for _, _, rows in column.histogram)
    found: list[Content | str] = [Content.styled("|Δ| by decade", "dim")]
    for low, _, rows in column.histogram:
        bar = "█" * max(1 if rows else 0, round(BAR * rows / most))
        found.append(joined([f"1e{int(low):+03d} ", Content.styled(bar, "$primary"), f" {rows:,}"]))
    return found
