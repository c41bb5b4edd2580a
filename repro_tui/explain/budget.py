"""What a search may cost, in predict runs and in time."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field

from repro_tui.model.errors import Refused

_TEXT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600}
_RUNS = ("", "run", "runs")


class BudgetSpent(Exception):
    """There is no budget left for what has to be run next: the answer so far is the answer."""


@dataclass(slots=True)
class Budget:
    """At most `runs` runs and `seconds` seconds from now on; None is no limit."""

    runs: int | None = None
    seconds: float | None = None
    used: int = 0
    spent: bool = False
    _began: float = field(default_factory=time.monotonic)

    def take(self) -> None:
        """Takes one run from the budget. Raises BudgetSpent where there is none."""
        late = self.seconds is not None and time.monotonic() - self._began >= self.seconds
        if late or (self.runs is not None and self.used >= self.runs):
            self.spent = True
            raise BudgetSpent
        self.used += 1

    @property
    def left(self) -> str:
        """What is left, in words; "" where there is no limit."""
        found = []
        if self.runs is not None:
            found.append(f"{max(0, self.runs - self.used)} runs")
        if self.seconds is not None:
            found.append(f"{max(0.0, self.seconds - (time.monotonic() - self._began)):.0f} s")
        return " and ".join(found)


def parse_budget(text: str) -> Budget:
    """A budget as it is typed: `40` or `40runs`, `90s`, `15m`, `2h`. Raises Refused."""
    match = _TEXT.fullmatch(text.lower())
    number, unit = (float(match[1]), match[2]) if match else (0.0, "")
    if match and unit in _SECONDS and number > 0:
        return Budget(seconds=number * _SECONDS[unit])
    if match and unit in _RUNS and number >= 1 and number == int(number):
        return Budget(runs=int(number))
    raise Refused(f"--explain-budget: {text!r} is neither a number of runs, such as 40, nor a time, such as 15m")
