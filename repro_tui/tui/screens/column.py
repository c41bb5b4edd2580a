"""One output column: the rule it was judged by, its measures, its histogram and its flips."""

from __future__ import annotations

from dataclasses import asdict

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from repro_tui.model.predictions import Column
from repro_tui.tui.actions import AUDIT, GLOBAL
from repro_tui.tui.screens.base import AuditScreen
from repro_tui.tui.screens.predictions import measures
from repro_tui.tui.store import Store
from repro_tui.tui.widgets.bars import KeyBar, TitleBar


class ColumnScreen(AuditScreen):
    """A column of the predictions."""

    title_text = "Predictions"

    def __init__(self, store: Store, column: Column) -> None:
        super().__init__(store)
        self.column = column

    def compose(self) -> ComposeResult:
        """All of it, scrolling."""
        yield TitleBar(markup=False)
        with VerticalScroll():
            yield Static(measures(self.column), markup=False)
        yield KeyBar(AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """The text scrolls by the keys."""
        super().on_mount()
        self.query_one(VerticalScroll).focus()

    def selected(self) -> object:
        """The column, as plain values."""
        return asdict(self.column)
