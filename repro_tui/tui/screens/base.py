"""What all screens of an audit share: the title, the keys, going up, panes, and updates when the audit has news."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.containers import VerticalScroll
from textual.css.query import NoMatches
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from repro_tui.tui.actions import AUDIT, GLOBAL, Action, bindings, key_of
from repro_tui.tui.navigation import GoUp, OpenFile
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.grid import Grid
from repro_tui.tui.widgets.pane import Pane
from repro_tui.tui.widgets.safe import notify

if TYPE_CHECKING:
    from repro_tui.tui.written_table import WrittenTable

NARROW, WIDE = 110, 160


class AuditScreen(Screen[None]):
    """A screen of one audit.

    A subclass shows the store's content in `changed`, and says what is under the cursor in `selected` (for copying and
    writing), `texts` (for the editor), `table` (for writing the table) and `artifact` (the file it comes from).
    """

    # A pane that can have the focus has a line above it, with its title; with the focus it is heavy and in colour.
    DEFAULT_CSS = """
    AuditScreen .pane { border-top: solid $surface-lighten-2; border-title-color: $text-muted; }
    AuditScreen .pane:focus, AuditScreen .pane:focus-within {
        border-top: heavy $accent; border-title-color: $accent; border-title-style: bold;
    }
    """
    BINDINGS = bindings(GLOBAL, AUDIT)
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (NARROW, "-normal"), (WIDE, "-wide")]
    AUTO_FOCUS = ""
    title_text = ""
    idle: ClassVar[frozenset[str]] = frozenset()  # the names of actions that do nothing here

    def __init__(self, store: AuditStore) -> None:
        super().__init__()
        self.store = store
        self.zoomed: Widget | None = None

    def on_compose(self) -> None:
        """Sets the class of its width before it has widgets: with the first resize, all of them were styled again."""
        width = self.app.size.width
        self.add_class([name for least, name in self.HORIZONTAL_BREAKPOINTS if least <= width][-1], update=False)

    def on_mount(self) -> None:
        """Shows what is already known."""
        self._show_sides()
        self.changed()

    def on_screen_resume(self) -> None:
        """Shows the sides again: they may have been swapped while another screen was on top."""
        if self.is_mounted:
            self._show_sides()

    def _show_sides(self) -> None:
        names = list(zip("AB", self.store.names(), strict=True))
        swapped = self.store.swapped
        for bar in self.query(TitleBar):
            bar.show_title(self.title_text, names[::-1] if swapped else names, age=self.store.age)
        for grid in self.query(Grid):
            grid.swap(swapped)
        for pane in self.query(Pane):
            pane.swap(swapped)

    def changed(self) -> None:
        """Shows the store's content again: it has changed, or the size of the screen has."""

    def tick(self) -> None:
        """Shows what changes with the time alone: the audit's age. It is called a few times a second."""
        for bar in self.query(TitleBar):
            bar.show_age(self.store.age)

    # -- which keys do something here ---------------------------------------------------------------------------

    def works(self, action: Action) -> bool:
        """Whether an action does something here and now; the key bar has no hint of any other."""
        if action.name == "open":
            return bool(getattr(self.focused, "opens", False))
        if action.name == "app.focus_next":
            return len(self.focus_chain) > 1
        if action.name == "app.share":
            return self.store.report is not None
        return action.name not in self.idle

    def show_hints(self) -> None:
        """Shows which keys do something now: that depends on the focused pane, and on what is under its cursor."""
        for bar in self.query(KeyBar):
            bar.show_hints()

    def on_descendant_focus(self) -> None:
        """Shows what the keys do in this pane."""
        self.show_hints()

    def on_grid_highlighted(self, event: Grid.Highlighted) -> None:
        """Shows what the keys do on this row."""
        self.show_hints()

    # -- what is under the cursor: for copying, writing, the editor ----------------------------------------------

    def selected(self) -> object:
        """What is under the cursor, as plain values; None if there is nothing."""
        return None

    def table(self) -> WrittenTable | None:
        """The table that the screen shows, to be written to a file; None if there is none."""
        return None

    def texts(self) -> dict[str, str] | None:
        """What is under the cursor as files for an editor: their content by name; None if there is nothing."""
        return None

    def artifact(self) -> Path | None:
        """The audit's file that the value under the cursor comes from; None if there is none."""
        return None

    # -- keys ---------------------------------------------------------------------------------------------------

    def action_up(self) -> None:
        """Restores a maximized pane, or clears the filter, or else goes up one screen."""
        box = self.filter_box()
        if self.zoomed is not None:
            self.action_zoom()
        elif box is not None and (box.value or box.has_focus):
            box.value = ""
            box.display = False
            self.focus_grid()
        else:
            self.post_message(GoUp())

    def filter_box(self) -> Input | None:
        """The filter of this screen; None if it has none."""
        try:
            return self.query_one("#filter", Input)
        except NoMatches:
            return None

    def action_filter(self) -> None:
        """Opens the filter."""
        box = self.filter_box()
        if box is not None:
            box.display = True
            box.focus()

    def focus_grid(self) -> None:
        """Focuses the table."""
        if self.query(Grid):
            self.query(Grid).first().focus()

    def action_swap(self) -> None:
        """Shows B left of A, or A left of B again; the letters stay with their sides."""
        self.store.swapped = not self.store.swapped
        self._show_sides()

    def action_stack(self) -> None:
        """Shows A beside B or above it, on a screen that has a difference."""
        opens, stacks = (key_of(name, self.store.keys) for name in ("open", "stack"))
        notify(self, f"{opens} opens a row; there, {stacks} switches between A beside B and A above B.")

    def action_zoom(self) -> None:
        """Maximizes the focused pane, or restores it."""
        if self.zoomed is not None:
            self.minimize()
            self.zoomed = None
        elif self.focused is not None:
            pane = next((w for w in self.focused.ancestors_with_self if isinstance(w, Pane)), self.focused)
            self.zoomed = pane if self.maximize(pane) else None

    def action_export(self) -> None:
        """Writes what the screen shows to a file."""
        from repro_tui.tui.export import ask_and_write, choices

        ask_and_write(self, self.store, choices(self.selected(), self.table(), self.store))

    def action_edit(self) -> None:
        """Opens copies of what is under the cursor in the user's editor."""
        from repro_tui.tui.editor import edit

        texts = self.texts()
        if texts is None:
            notify(self, "There is nothing to edit here.")
        else:
            edit(self.app, texts)

    def action_artifact(self) -> None:
        """Opens the file that the value under the cursor comes from, or the list of files."""
        self.post_message(OpenFile(self.artifact()))


def filter_line(placeholder: str) -> Input:
    """The input that filters a screen's table."""
    return Input(placeholder=placeholder, id="filter", compact=True, select_on_focus=False)


class ReadingPane(VerticalScroll, can_focus=True):
    """A pane of prose that scrolls with the keys."""
