"""The time of an audit as the interface shows it: by the wall, and not by the events of its journal.

The engine's seconds are monotonic seconds of another process. They are tied to this process whenever an event is read:
the file's time of change says how long ago the event was written. From there on, our own monotonic clock counts, which
stops with the engine's where the machine is suspended, and does not jump where somebody sets the wall clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

BEATS = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
BEATS_PER_S = 5
JUST_NOW_S = 60
READING_S = 2
DAYS = 30  # from then on, an age is a date


@dataclass(frozen=True, slots=True)
class WallClock:
    """Two clocks in seconds: `wall` since 1970, for comparing with files, and `ticks`, which only ever goes forward."""

    wall: Callable[[], float] = time.time
    ticks: Callable[[], float] = time.monotonic

    def beat(self, per_second: int = BEATS_PER_S) -> str:
        """The glyph of something that is running; it changes `per_second` times a second."""
        return BEATS[int(self.ticks() * per_second) % len(BEATS)]


@dataclass(slots=True)
class AuditClock:
    """The seconds of an audit's journal, as they go on between its events."""

    clock: WallClock
    seconds: float = 0.0  # of the journal, at our `ticks`
    ticks: float = 0.0
    is_set: bool = False

    def set(self, seconds: float, changed: float) -> None:
        """Ties both: an event of these seconds was the last one when the file was changed, at that wall time."""
        now, shown = seconds + max(0.0, self.clock.wall() - changed), self.now()
        # Not backwards by the moment that reading takes; but after a suspension the journal is right.
        self.seconds = shown if 0 < shown - now < READING_S else now
        self.ticks, self.is_set = self.clock.ticks(), True

    def now(self) -> float:
        """The seconds of the audit now."""
        return self.seconds + max(0.0, self.clock.ticks() - self.ticks) if self.is_set else 0.0


def duration(seconds: float) -> str:
    """A duration with the two units that matter: `0.4 s`, `42 s`, `3 min 12 s`, `2 h 5 min`, `3 d 4 h`."""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def about(seconds: float) -> str:
    """An estimate with one unit: `8 s`, `3 min`, `2 h`."""
    whole = max(1, round(seconds))
    if whole < 100:
        return f"{whole} s"
    return f"{round(whole / 60)} min" if whole < 5400 else f"{round(whole / 3600)} h"


def age(started: str, wall: float) -> str:
    """How long ago an audit was started, in one unit; `started` is its UTC time, "" where it is not known."""
    try:
        began = datetime.fromisoformat(started)
    except ValueError:
        return ""
    began = began if began.tzinfo else began.replace(tzinfo=UTC)
    seconds = wall - began.timestamp()
    if seconds < JUST_NOW_S:
        return "just now" if seconds > -JUST_NOW_S else f"{began:%Y-%m-%d}"
    for unit, length, end in (("min", 60, 3600), ("h", 3600, 86400), ("d", 86400, DAYS * 86400)):
        if seconds < end:
            return f"{int(seconds // length)} {unit} ago"
    return f"{began:%Y-%m-%d}"
