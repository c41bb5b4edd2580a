"""What a search may cost, in predict runs and in time."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from repro_tui.support.text import plural


class BudgetSpent(Exception):
    """The budget does not allow the next run: the answer so far is the answer."""


@dataclass(slots=True)
class Budget:
    """At most `runs` runs, and none that starts later than `seconds` seconds from now; None is no limit.

    `used` counts the runs that were started, `spent` says whether one was denied.
    """

    runs: int | None = None
    seconds: float | None = None
    used: int = 0
    spent: bool = False
    _began: float = field(default_factory=time.monotonic)

    def spend_run(self) -> None:
        """Takes one run from the budget. Raises BudgetSpent where none is left."""
        late = self.seconds is not None and time.monotonic() - self._began >= self.seconds
        if late or (self.runs is not None and self.used >= self.runs):
            self.spent = True
            raise BudgetSpent
        self.used += 1

    @property
    def left(self) -> str:
        """What is left, as text; "" where there is no limit."""
        parts = []
        if self.runs is not None:
            parts.append(plural(max(0, self.runs - self.used), "run"))
        if self.seconds is not None:
            parts.append(f"{max(0.0, self.seconds - (time.monotonic() - self._began)):.0f} s")
        return " and ".join(parts)
