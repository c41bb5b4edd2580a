"""The steps of an audit as rows of a table, A beside B: how far each is, and how long it has taken or still takes."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from repro_tui.tui.clock import about, duration
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.safe import text_of

GLYPHS = {"done": "✓", "cached": "✓", "failed": "!", "skipped": "-", "": " "}
STYLES = {"failed": "bad loud", "started": "busy", "progress": "busy", "cached": "good", "done": "good"}
FIRST = ("code", "environment", "data", "parameters")
BEFORE = ("declared", "compare declared")
NOW = "…"  # what runs no longer although it has not ended: its engine is gone
LONGEST = 300  # characters of a step's text


class Steps:
    """The steps as rows, A beside B; a step of both sides stands under A, and its text goes on under B."""

    def __init__(self, store: AuditStore) -> None:
        self.store = store
        names = dict.fromkeys((*BEFORE, *FIRST, *sorted(dict.fromkeys(step for _, step in store.steps), key=_order)))
        known = {step for _, step in store.steps}
        self.names = [name for name in names if name in known or name in FIRST]

    def __len__(self) -> int:
        return len(self.names)

    def sides(self, row: int) -> list[str]:
        """The sides ("a", "b", or "" for both) that have this step."""
        return [side for side in ("", "a", "b") if (side, self.names[row]) in self.store.steps]

    def running(self) -> list[int]:
        """The rows of the steps that are running."""
        store = self.store
        names = {name for (_, name), step in store.steps.items() if step.running and store.running}
        return [row for row, name in enumerate(self.names) if name in names]

    def cells(self, row: int, widths: Sequence[int]) -> Sequence[Text]:
        """Step, A, B."""
        name = self.names[row]
        both = ("", name) in self.store.steps
        if both:
            return (Text(name), *_over_both(self._state("", name, LONGEST), widths[1], widths[2]))
        return (Text(name), self._state("a", name, widths[1]), self._state("b", name, widths[2]))

    def _state(self, side: str, name: str, width: int) -> Text:
        store = self.store
        step = store.steps.get((side, name))
        if step is None:
            return Text("")
        running = step.running and store.running
        glyph = store.clock.beat() if running else NOW if step.running else GLYPHS.get(step.status, "?")
        cached = "cache " if step.status == "cached" else ""
        head = f"{glyph} {_time(store.seconds_of(step)):>7}  {cached}"
        left = store.seconds_left(side, name) if running else None
        extent = f"{step.done:,}/{step.total:,} " if running and step.total else ""
        extent += f"~{about(left)} left " if left else ""
        text = text_of(step.text, max(4, width - len(head) - len(extent))).plain
        return Text(head + extent + text, style=STYLES.get(step.status, ""))


def _over_both(text: Text, first: int, second: int) -> tuple[Text, Text]:
    """A text in two cells beside each other, cut between words: what is not of one side has the room of both."""
    if len(text) <= first:
        return text, Text("")
    cut = text.plain.rfind(" ", 0, first + 1)
    cut = cut if cut > 0 else first
    rest = text[cut:]
    return text[:cut], text_of(rest.plain.lstrip(), second, str(text.style))


def _time(seconds: float) -> str:
    """A duration in at most seven cells."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    return duration(seconds).replace(" min", "m").replace(" h", "h").replace(" s", "s")


def _order(name: str) -> tuple[int, int]:
    number = int(name.rpartition(" ")[2]) if name.startswith("run ") and name.rpartition(" ")[2].isdigit() else 0
    return (0 if name in FIRST else 1 if name.startswith("run") else 2, number)
