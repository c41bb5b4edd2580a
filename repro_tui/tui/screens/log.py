"""The screen of a step's log, full size: live while the step runs, of either side."""

from __future__ import annotations

from repro_tui.tui.actions import AUDIT, GLOBAL, LOG, SIDE, bindings
from repro_tui.tui.editor import text_of_file
from repro_tui.tui.logs import log_file, log_of
from repro_tui.tui.screens.text import TextScreen
from repro_tui.tui.store import AuditStore
from repro_tui.tui.text_lines import TextBytes
from repro_tui.tui.widgets.safe import notify


class LogScreen(TextScreen):
    """The log of one step of one side ("" for a step of both), from a line on, or at its end."""

    CSS_PATH = "text.tcss"
    BINDINGS = bindings(GLOBAL, AUDIT, LOG, SIDE)
    title_text = "Log"
    hints = (*LOG[:5], *SIDE, *LOG[5:])

    def __init__(self, store: AuditStore, side: str, step: str, *, at: int | None = None) -> None:
        super().__init__(store, log_file(store, side, step))
        self.side, self.step, self.at = side, step, at

    def source(self) -> TextBytes | None:
        """The log: a file, or what the journal has of the step."""
        self.path = log_file(self.store, self.side, self.step)
        return log_of(self.store, self.side, self.step)

    def text_name(self) -> str:
        """The step and its side, and how it goes."""
        status = self.store.steps.get((self.side, self.step))
        state = "running" if status is not None and status.running and self.store.running else ""
        return " ".join(filter(None, (self.side.upper(), self.step, f"({state})" if state else "")))

    def start(self) -> tuple[int | None, bool]:
        """The wanted line, or the error; else the end, which is followed while the step is running."""
        step = self.store.steps.get((self.side, self.step))
        if self.at is not None:
            self.pane.marked = self.at
            return self.at, False
        failed = step is not None and step.status == "failed"
        error = self.lines.last_error() if failed and self.lines is not None else None
        if error is not None:
            self.pane.marked = error.line
            return error.line, False
        return None, True

    def action_side(self) -> None:
        """Shows the other side's log."""
        other_side = {"a": "b", "b": "a"}.get(self.side, "")
        if not other_side:
            notify(self, f"{self.step} is a step of both sides, with one log.")
        elif (other_side, self.step) not in self.store.steps:
            notify(self, f"{other_side.upper()} has no step {self.step}.")
        else:
            self.side, self.at, self.lines = other_side, None, None
            self.pane.marked = -1
            self.pane.show_text(None)
            self.changed()

    def texts(self) -> dict[str, str] | None:
        """The whole log, for the editor."""
        if self.path is not None:
            return text_of_file(self.path)
        step = self.store.steps.get((self.side, self.step))
        return {f"{self.step}.log": step.log.content.decode("utf-8", "replace")} if step is not None else None
