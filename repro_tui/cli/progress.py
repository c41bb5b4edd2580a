"""Progress on standard error: a live display on a terminal, plain lines elsewhere, nothing with --quiet."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from repro_tui.model.event import Event
from repro_tui.support.text import show

if TYPE_CHECKING:
    from rich.table import Table


class Progress(Protocol):
    """A display of the events of an audit's journal."""

    def show_events(self, events: list[Event]) -> None:
        """Shows these events, which follow those of the call before."""
        ...


class Silent:
    """Shows nothing."""

    def show_events(self, events: list[Event]) -> None:
        """Shows nothing."""


class Lines:
    """Prints one plain line for each step that ended, and for each warning."""

    def __init__(self) -> None:
        self._began: dict[tuple[str, str], float] = {}

    def show_events(self, events: list[Event]) -> None:
        """Prints the lines of these events."""
        for event in events:
            if event.kind == "warning":
                self._print(f"{_step_name(event)}: warning: {event.text}")
            elif event.kind == "step":
                self._step(event)

    def _step(self, event: Event) -> None:
        if event.status == "started":
            self._began[event.side, event.step] = event.seconds
        elif event.status in ("done", "cached", "failed", "skipped"):
            seconds = event.seconds - self._began.get((event.side, event.step), event.seconds)
            remark = {"cached": "from the cache, ", "failed": "FAILED, "}.get(event.status, "")
            self._print(f"{_step_name(event)}: {event.text or 'done'} ({remark}{seconds:.1f} s)")

    def _print(self, text: str) -> None:
        print(f"| {show(text, 1000)}", file=sys.stderr, flush=True)


def _step_name(event: Event) -> str:
    return f"{event.side.upper()} {event.step}" if event.side else event.step


class Live:
    """A live table of both sides' steps, drawn five times a second."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live as Display

        self.steps: dict[tuple[str, str], tuple[str, str, float]] = {}
        self.began: dict[tuple[str, str], float] = {}
        self.seen: dict[tuple[str, str], float] = {}  # when its last event was read, of our own monotonic clock
        self.display = Display(
            console=Console(stderr=True), refresh_per_second=5, transient=True, get_renderable=self.draw
        )

    def show_events(self, events: list[Event]) -> None:
        """Adds these events to the table, which the display redraws at its own rate."""
        for event in events:
            if event.kind != "step":
                continue
            step = (event.side, event.step)
            if event.status == "started":
                self.began[step] = event.seconds
            text = event.text or self.steps.get(step, ("", "", 0.0))[1]
            self.steps[step] = (event.status, text, event.seconds - self.began.get(step, event.seconds))
            self.seen[step] = time.monotonic()

    def _seconds(self, step: tuple[str, str], status: str, seconds: float) -> float:
        """The seconds that a step has taken: while it runs, they go on without events."""
        return seconds + time.monotonic() - self.seen[step] if status in ("started", "progress") else seconds

    def draw(self) -> Table:
        """The current table."""
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 1), expand=False)
        for _ in range(4):
            table.add_column(no_wrap=True, overflow="ellipsis")
        glyphs = {"started": "…", "progress": "…", "done": "✓", "cached": "✓", "failed": "!", "skipped": "-"}
        for (side, step), (status, text, until) in list(self.steps.items()):
            seconds = self._seconds((side, step), status, until)
            style = {"failed": "bold red", "started": "cyan", "progress": "cyan"}.get(status, "")
            cells = (glyphs.get(status, "?"), f"{side.upper()} {step}".strip(), f"{seconds:.1f} s", show(text, 120))
            table.add_row(*(Text(cell, style=style) for cell in cells))
        return table


@contextmanager
def progress_for(quiet: bool) -> Iterator[Progress]:
    """The progress display for standard error: a live table on a terminal, lines elsewhere, nothing when quiet."""
    if quiet:
        yield Silent()
    elif sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        live = Live()
        with live.display:
            yield live
    else:
        yield Lines()
