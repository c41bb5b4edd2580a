"""The screen of one output column: the rule it was judged by, its measures, and all of its charts."""

from __future__ import annotations

from dataclasses import asdict

from textual.app import ComposeResult
from textual.containers import Horizontal

from repro_tui.model.predictions import Column, PredictionsArea
from repro_tui.tui.actions import AUDIT, GLOBAL, some
from repro_tui.tui.differences import DifferingCells
from repro_tui.tui.screens.base import AuditScreen, ReadingPane
from repro_tui.tui.screens.charts import Charts, Measures
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.bars import KeyBar, TitleBar


class ColumnScreen(AuditScreen):
    """A column of the predictions."""

    CSS_PATH = "column.tcss"
    title_text = "Predictions"

    def __init__(
        self, store: AuditStore, area: PredictionsArea, column: Column, differences: DifferingCells | None
    ) -> None:
        super().__init__(store)
        self.area, self.column, self.differences = area, column, differences

    def compose(self) -> ComposeResult:
        """Measures and charts, which scroll separately."""
        yield TitleBar()
        with Horizontal(id="panes"):
            with ReadingPane(id="words", classes="pane"):
                yield Measures(self.column)
            yield Charts(id="charts", all_kinds=True, classes="pane")
        yield KeyBar(some(GLOBAL, "app.focus_next"), AUDIT, tuple(a for a in GLOBAL if a.name != "app.focus_next"))

    def on_mount(self) -> None:
        """Draws the charts, and focuses them."""
        super().on_mount()
        charts = self.query_one(Charts)
        self.query_one("#words").border_title, charts.border_title = "measures", "charts"
        charts.show_column(self.area, self.column, self.differences)
        charts.focus()

    def selected(self) -> object:
        """The column, as plain values."""
        return asdict(self.column)

    def texts(self) -> dict[str, str]:
        """The column as JSON."""
        from repro_tui.tui.editor import as_json

        return {"column.json": as_json(self.selected())}
