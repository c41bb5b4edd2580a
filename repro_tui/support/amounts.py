"""How much a run or a build has written, measured while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from repro_tui.support.walks import check_depth, entries_of


@dataclass(frozen=True, slots=True)
class Amount:
    """How much was written: bytes on the disk, and files and folders."""

    size: int = 0
    files: int = 0

    def __add__(self, added: Amount) -> Amount:
        return Amount(self.size + added.size, self.files + added.files)


def amount_in(*folders: Path) -> Amount:
    """What folders hold, as far as they can be entered. Raises Inconclusive where they are nested too deeply."""
    size = files = 0
    pending = [(str(folder), 0) for folder in folders]
    while pending:
        current, depth = pending.pop()
        check_depth(depth, current)
        with suppress(OSError), entries_of(current, current) as entries:
            for entry in entries:
                files += 1
                if entry.is_dir(follow_symlinks=False):
                    pending.append((entry.path, depth + 1))
                size += entry.stat(follow_symlinks=False).st_blocks * 512
    return Amount(size, files)


@dataclass(slots=True)
class Pace:
    """Paces a measurement that every poll asks for: once a second at most, and in at most 5% of the time."""

    due: float = 0.0

    def measure(self, take: Callable[[], None], *, now: bool = False) -> None:
        """Calls `take` if it is due, or in any case with `now`. Raises what it raises."""
        began = time.monotonic()
        if now or began >= self.due:
            take()
            ended = time.monotonic()
            self.due = ended + max(1.0, 20 * (ended - began))
