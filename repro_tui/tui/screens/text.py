"""The screen of a text of the audit, full size: searched, filtered, followed, wrapped; a file, or the log of a step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from textual import work
from textual.app import ComposeResult
from textual.widgets import Input, Static

from repro_tui.support.sizes import size_text
from repro_tui.support.text import plural
from repro_tui.tui.actions import AUDIT, GLOBAL, LOG, Action, bindings, key_of
from repro_tui.tui.editor import text_of_file
from repro_tui.tui.screens.base import AuditScreen, filter_line
from repro_tui.tui.store import AuditStore
from repro_tui.tui.text_lines import AT_ONCE, FileBytes, TextBytes, TextLines
from repro_tui.tui.widgets.bars import KeyBar, TitleBar
from repro_tui.tui.widgets.log_pane import LogPane
from repro_tui.tui.widgets.safe import notify, safe
from repro_tui.tui.workers import hand_over, superseded

if TYPE_CHECKING:
    from repro_tui.tui.text_lines import Offsets

NO_HITS: Offsets = np.zeros(0, np.int64)
SEARCH, ONLY = "search: text, ignoring case", "only lines that contain this"


class TextScreen(AuditScreen):
    """The lines of a file; while the audit is running, it may follow the end of a growing one."""

    CSS_PATH = "text.tcss"
    BINDINGS = bindings(GLOBAL, AUDIT, LOG)
    title_text = "Text"
    hints: tuple[Action, ...] = LOG

    def __init__(self, store: AuditStore, path: Path | None = None) -> None:
        super().__init__(store)
        self.path = path
        self.lines: TextLines | None = None
        self.only = ""  # the filter's text
        self.hits: Offsets | None = NO_HITS  # None: they are being looked for
        self.hit = -1
        self.reading = False
        self._asks_only = False  # whether the line at the top asks for the filter, and not for the search
        self._searched_to = 0

    def compose(self) -> ComposeResult:
        """The text's name and its state, and its lines."""
        yield TitleBar()
        yield Static("", id="head", markup=False)
        yield filter_line(SEARCH)
        yield LogPane(id="lines")
        yield KeyBar(self.hints, AUDIT, GLOBAL)

    def on_mount(self) -> None:
        """Focuses the lines."""
        self.query_one("#filter").display = False
        self.pane.focus()
        super().on_mount()

    @property
    def pane(self) -> LogPane:
        """The pane of the lines."""
        return self.query_one("#lines", LogPane)

    def source(self) -> TextBytes | None:
        """Where the text comes from; None while there is none."""
        try:
            return FileBytes(self.path) if self.path is not None else None
        except OSError:
            return None

    def text_name(self) -> str:
        """What the text is called."""
        return str(self.path.relative_to(self.store.folder.path)) if self.path is not None else ""

    def start(self) -> tuple[int | None, bool]:
        """The line that is in view at first, and whether the end is followed."""
        return None, False

    # -- reading ------------------------------------------------------------------------------------------------

    def changed(self) -> None:
        """Reads what was added; a long text is read by a thread of its own."""
        if self.reading:
            return
        if self.lines is None:
            source = self.source()
            self.lines = TextLines(source, self.only) if source is not None else None
            if self.lines is None:
                self._show_head()
                return
            self._read_first(self.lines)
        elif self.lines.waiting > AT_ONCE:
            self._read_aside(self.lines, self._grown)
        elif self.lines.grow():
            self._grown()

    def tick(self) -> None:
        """Reads what was added to a text that grows without news in the journal."""
        super().tick()
        if self.store.running:
            self.changed()

    def _read_first(self, lines: TextLines) -> None:
        if lines.waiting > AT_ONCE:
            self._read_aside(lines, lambda: self._open(lines))
        else:
            lines.grow()
            self._open(lines)

    def _read_aside(self, lines: TextLines, then: Callable[[], None]) -> None:
        self.reading = True
        self._show_head()
        self._read_long(lines, then)

    @work(thread=True, exclusive=True, group="lines")
    def _read_long(self, lines: TextLines, then: Callable[[], None]) -> None:
        lines.grow()
        hand_over(self._read, then)

    def _read(self, then: Callable[[], None]) -> None:
        self.reading = False
        then()

    def _open(self, lines: TextLines) -> None:
        at, follow = self.start()
        self.pane.show_text(lines, at=at, follow=follow)
        self._show_head()
        if self.pane.search:
            self._search(self.pane.search)

    def _grown(self) -> None:
        self.pane.changed()
        if self.pane.search and self.lines is not None and self.lines.shown_bytes != self._searched_to:
            self._search(self.pane.search, keep=True)
        self._show_head()

    def on_log_pane_scrolled(self, event: LogPane.Scrolled) -> None:
        """Shows which lines are in view."""
        self._show_head()

    def _show_head(self) -> None:
        if not self.is_mounted:
            return
        self.show_hints()
        self.query_one("#head", Static).update(safe("   ".join(filter(None, self.facts())), "dim"))

    def facts(self) -> list[str]:
        """The name of the text, where in it we are, and what is searched for."""
        if self.reading:
            return [self.text_name(), "reading…"]
        if self.lines is None:
            return [self.text_name(), "no output" if not self.store.running else "no output yet"]
        pane, lines = self.pane, self.lines
        place = plural(lines.total, "line")
        if self.only:
            place = f"{len(lines):,} of {place} contain “{self.only}”"
        elif len(lines) and pane.last_line >= 0 and pane.size.height:
            place = f"{pane.top.line + 1:,}–{pane.last_line + 1:,} of {place}"
        cut = f"(the last {size_text(lines.shown_bytes)})" if lines.cut else ""
        return [self.text_name(), place, cut, *self._states()]

    def _states(self) -> list[str]:
        pane = self.pane
        states = ["follows the end"] if pane.follows else []
        states += [] if pane.wraps else ["not wrapped"]
        if pane.search and self.hits is None:
            states.append("searching…")
        elif pane.search and self.hits is not None:
            count = "1 match" if len(self.hits) == 1 else f"{len(self.hits):,} matches"
            states.append(f"match {self.hit + 1:,} of {len(self.hits):,}" if self.hit >= 0 else count)
        return states

    # -- searching and filtering --------------------------------------------------------------------------------

    def action_search(self) -> None:
        """Opens the line that asks for a text to search for."""
        self._ask(only=False)

    def action_filter(self) -> None:
        """Opens the line that asks for the filter."""
        self._ask(only=True)

    def _ask(self, *, only: bool) -> None:
        box = self.query_one("#filter", Input)
        self._asks_only = only
        with self.prevent(Input.Changed):
            box.value = self.only if only else self.pane.search
        box.placeholder = ONLY if only else SEARCH
        box.display = True
        box.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Searches, or filters, while typing."""
        if self._asks_only:
            self._filter(event.value)
        else:
            self._search(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Back to the lines."""
        self.query_one("#filter").display = False
        self.pane.focus()

    def action_up(self) -> None:
        """Clears the search or the filter, or goes up."""
        box = self.query_one("#filter", Input)
        if box.display or self.pane.search or self.only:
            box.display = False
            self.pane.focus()
            if self.only:
                self._filter("")
            self._search("")
        else:
            super().action_up()

    def _filter(self, text: str) -> None:
        source = self.source()
        if source is None or text == self.only:
            return
        self.only = text
        self.lines = TextLines(source, text)
        self._read_first(self.lines)

    def _search(self, text: str, *, keep: bool = False) -> None:
        pane = self.pane
        pane.search = text
        pane.current = pane.current if keep else -1
        self.hit = self.hit if keep else -1
        if not text or self.lines is None:
            self.hits = NO_HITS
            pane.refresh()
        else:
            self.hits = self.hits if keep else None
            self._searched_to = self.lines.shown_bytes
            self._look_for(text, self.lines, keep)
        self._show_head()

    @work(thread=True, exclusive=True, group="search")
    def _look_for(self, text: str, lines: TextLines, keep: bool) -> None:
        hits = lines.hits(text, superseded)
        hand_over(self._searched, hits, keep)

    def _searched(self, hits: Offsets, keep: bool) -> None:
        self.hits = hits
        if not keep and len(hits) and self.lines is not None:
            first = int(np.searchsorted(hits, self.lines.start_of(min(self.pane.top.line, len(self.lines) - 1))))
            self._go_to(first % len(hits))
        self.pane.refresh()
        self._show_head()

    def action_match(self, step: int) -> None:
        """Goes to the next or the previous match, and from the last to the first."""
        if not self.pane.search:
            search, after, before = (key_of(name, self.store.keys) for name in ("search", "match(1)", "match(-1)"))
            notify(self, f"{search} searches; {after} and {before} then go from match to match.")
        elif self.hits is not None and len(self.hits):
            self._go_to((self.hit + step if self.hit >= 0 else 0 if step > 0 else -1) % len(self.hits))

    def _go_to(self, number: int) -> None:
        lines, hits = self.lines, self.hits
        if lines is None or hits is None or not len(lines):
            return
        self.hit = number
        offset = int(hits[number])
        row = lines.row_of(offset)
        before = offset - lines.start_of(row)
        column = len(lines.line(row).encode()[:before].decode("utf-8", "ignore")) if before > 0 else 0
        self.pane.reveal_match(row, column)
        self._show_head()

    def action_error(self) -> None:
        """Goes to the first line that looks like an error."""
        if self.lines is not None:
            self._find_error(self.lines)

    @work(thread=True, exclusive=True, group="error")
    def _find_error(self, lines: TextLines) -> None:
        hand_over(self._show_error, lines.first_error())

    def _show_error(self, row: int | None) -> None:
        if row is None:
            notify(self, "No line looks like an error.")
        else:
            self.pane.marked = row
            self.pane.reveal(row)
            self.pane.refresh()

    # -- the view -----------------------------------------------------------------------------------------------

    def works(self, action: Action) -> bool:
        """Whether an action does something: those of a log need lines."""
        return super().works(action) and (action not in LOG or bool(self.lines))

    def action_follow(self) -> None:
        """Follows the end, or stops."""
        self.pane.toggle_follow()

    def action_wrap(self) -> None:
        """Wraps long lines, or cuts them."""
        self.pane.toggle_wrap()
        self._show_head()

    def selected(self) -> object:
        """The line of the current match, or else the first line in view."""
        pane, lines = self.pane, self.lines
        if lines is None or not len(lines):
            return None
        return lines.line(pane.current if 0 <= pane.current < len(lines) else min(pane.top.line, len(lines) - 1))

    def texts(self) -> dict[str, str] | None:
        """The file."""
        return text_of_file(self.path) if self.path is not None else None
