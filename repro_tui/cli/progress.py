"""Progress on standard error: a live display on a terminal, plain lines elsewhere, nothing with --quiet."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from repro_tui.model.event import Event
from repro_tui.support.text import show

if TYPE_CHECKING:
    from rich.table import Table


class Progress(Protocol):
    """Takes events as they are read from the journal."""

    def take(self, events: list[Event]) -> None:
        """Shows what happened."""
        ...


class Silent:
    """Shows nothing."""

    def take(self, events: list[Event]) -> None:
        """Shows nothing."""


class Lines:
    """One plain line for each step that ended."""

    def __init__(self) -> None:
        self._began: dict[tuple[str, str], float] = {}

    def take(self, events: list[Event]) -> None:
        """Prints the lines of these events."""
        for event in events:
            if event.kind == "warning":
                self._print(f"{_where(event)}: warning: {event.text}")
            elif event.kind == "step":
                self._step(event)

    def _step(self, event: Event) -> None:
        if event.status == "started":
            self._began[event.side, event.step] = event.seconds
        elif event.status in ("done", "cached", "failed", "skipped"):
            seconds = event.seconds - self._began.get((event.side, event.step), event.seconds)
            how = {"cached": "from the cache, ", "failed": "FAILED, "}.get(event.status, "")
            self._print(f"{_where(event)}: {event.text or 'done'} ({how}{seconds:.1f} s)")

    def _print(self, text: str) -> None:
        print(f"| {show(text, 1000)}", file=sys.stderr, flush=True)


def _where(event: Event) -> str:
    return f"{event.side.upper()} {event.step}" if event.side else event.step


class Live:
    """A table of both sides' steps, drawn at most five times a second."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live as Display

        self.steps: dict[tuple[str, str], tuple[str, str, float]] = {}
        self.began: dict[tuple[str, str], float] = {}
        self.display = Display(
            console=Console(stderr=True), refresh_per_second=5, transient=True, get_renderable=self.draw
        )

    def take(self, events: list[Event]) -> None:
        """Takes these events into the table."""
        for event in events:
            if event.kind != "step":
                continue
            place = (event.side, event.step)
            if event.status == "started":
                self.began[place] = event.seconds
            text = event.text or self.steps.get(place, ("", "", 0.0))[1]
            self.steps[place] = (event.status, text, event.seconds - self.began.get(place, event.seconds))

    def draw(self) -> Table:
        """The table as it stands."""
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 1), expand=False)
        for _ in range(4):
            table.add_column(no_wrap=True, overflow="ellipsis")
        glyphs = {"started": "…", "progress": "…", "done": "✓", "cached": "✓", "failed": "!", "skipped": "-"}
        for (side, step), (status, text, seconds) in list(self.steps.items()):
            style = {"failed": "bold red", "started": "cyan", "progress": "cyan"}.get(status, "")
            cells = (glyphs.get(status, "?"), f"{side.upper()} {step}".strip(), f"{seconds:.1f} s", show(text, 120))
            table.add_row(*(Text(cell, style=style) for cell in cells))
        return table


@contextmanager
def progress_for(quiet: bool) -> Iterator[Progress]:
    """The progress that fits where standard error goes."""
    if quiet:
        yield Silent()
    elif sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        live = Live()
        with live.display:
            yield live
    else:
        yield Lines()
