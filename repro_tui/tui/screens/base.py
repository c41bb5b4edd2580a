"""What all screens of an audit share: the title, the keys, going up, and being told of news."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.screen import Screen
from textual.widgets import Input

from repro_tui.tui.actions import AUDIT, GLOBAL, bindings
from repro_tui.tui.store import Store
from repro_tui.tui.widgets.bars import TitleBar
from repro_tui.tui.widgets.grid import Grid

if TYPE_CHECKING:
    from repro_tui.tui.app import Auditor

NARROW, WIDE = 110, 160


class AuditScreen(Screen[None]):
    """A screen of one audit."""

    BINDINGS = bindings(GLOBAL, AUDIT)
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (NARROW, "-normal"), (WIDE, "-wide")]
    AUTO_FOCUS = ""
    title_text = ""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store

    @property
    def auditor(self) -> Auditor:
        """The application."""
        return self.app  # type: ignore[return-value]

    def on_mount(self) -> None:
        """Shows what is known already."""
        self._tell_title()
        self.changed()

    def _tell_title(self) -> None:
        a, b = self.store.names()
        self.query_one(TitleBar).tell(self.title_text, a, b)

    def changed(self) -> None:
        """The store has news: each screen shows what it is about."""

    def selected(self) -> Any:
        """What is under the cursor, as plain values, for copying."""
        return None

    def action_up(self) -> None:
        """Clears a filter that is there, else goes up."""
        box = self.query("Input#filter").first(Input) if self.query("Input#filter") else None
        if box is not None and (box.value or box.has_focus):
            box.value = ""
            box.display = False
            self.focus_grid()
            return
        self.auditor.go_up()

    def focus_grid(self) -> None:
        """Puts the keys back on the table."""
        if self.query(Grid):
            self.query(Grid).first().focus()
