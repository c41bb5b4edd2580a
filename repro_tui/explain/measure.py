"""What a hybrid's outputs say: how much of the change it makes, and whether it is A or B.

The ends of a search are A and B at first, and two hybrids inside a factor. Where runs of one side differ from each
other, the scores of the ends' own further runs say where 0 and 1 lie and how far single runs scatter.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from repro_tui.compare.projection import ProjectedColumn, Projection, Projector
from repro_tui.explain.game import NOTHING, Value
from repro_tui.model.errors import Inconclusive
from repro_tui.support.context import Context

NEAR = 0.01  # of the whole way: what is nearer to an end is that end
NEAR_IN_NOISE, WIDE, SIGMAS = 0.1, 0.2, 3.0
SURE = 0.99  # that noise does not tell two ends apart
REPEATS = (2, 5, 10)


@dataclass(slots=True)
class Ruler:
    """The way from one end to the other. `noisy`: runs of one deployment differ from each other."""

    low: Sequence[Path]
    high: Sequence[Path]
    key: tuple[str, ...]
    columns: Sequence[ProjectedColumn]
    context: Context
    noisy: bool = False
    zero: float = field(default=0.0, init=False)
    one: float = field(default=1.0, init=False)
    spread: float = field(default=0.0, init=False)
    _scatter: float = field(default=0.0, init=False)
    _projector: Projector = field(init=False)

    def __post_init__(self) -> None:
        scratch, memory = self.context.cache.temporary(), self.context.settings.memory_limit
        self._projector = Projector(self.low[0], self.high[0], self.key, self.columns, scratch, memory)
        if not self.noisy:
            return
        low = [self.project(run).score for run in self.low[1:]]
        high = [self.project(run).score for run in self.high[1:]]
        self.zero, self.one = statistics.fmean(low or [0.0]), statistics.fmean(high or [1.0])
        way = abs(self.one - self.zero) or 1.0
        pools = [statistics.variance(runs) for runs in (low, high) if len(runs) > 1]
        self._scatter = math.sqrt(statistics.fmean(pools)) if pools else 0.0
        self.spread = self._scatter / way

    @property
    def apart(self) -> bool:
        """Whether the two ends differ: at all, or where runs are noisy by more than their own runs do.

        What was noticed in one pair of runs is looked for in the others, by Student's t: a search between ends that
        only noise tells apart would find a cause, whatever it is.
        """
        from scipy.special import stdtrit

        if not self.noisy:
            return not self.project(self.high[0]).is_a
        free = len(self.low) + len(self.high) - 4  # of each side one run laid out the way, and one is for the mean
        if free < 1:
            return False
        error = self._scatter * math.sqrt(1 / (len(self.low) - 1) + 1 / (len(self.high) - 1))
        return self.one - self.zero > float(stdtrit(free, SURE)) * error

    def project(self, run: Path) -> Projection:
        """One run between the ends."""
        return self._projector.project(run)

    def value(self, runs: Sequence[Path]) -> Value:
        """The value of a hybrid with these runs; unresolved where its outputs cannot be measured.

        Rows are counted where runs repeat themselves: else not even B's own next run has B's rows.
        """
        try:
            found = [self.project(run) for run in runs]
        except Inconclusive as error:
            return Value(None, str(error))
        if not self.noisy:
            first = found[0]
            as_a, as_b = first.is_a or first.from_a <= NEAR, first.is_b or first.from_b <= NEAR
            return Value(first.score, reproduces=as_b, restores=as_a and not as_b, rows_as_b=first.rows_as_b)
        score = (statistics.fmean(one.score for one in found) - self.zero) / ((self.one - self.zero) or 1.0)
        near = min(0.5, max(NEAR_IN_NOISE, self.width(len(runs))))  # never nearer to the other end
        return Value(score, reproduces=abs(score - 1) <= near, restores=abs(score) <= near)

    def width(self, runs: int) -> float:
        """Half of the interval in which a score of that many runs lies; the ends are as uncertain as their runs."""
        of_ends = max(1, min(len(self.low), len(self.high)) - 1)
        return SIGMAS * self.spread * math.sqrt(1 / runs + 1 / of_ends)

    @property
    def nothing(self) -> float:
        """The score that is no effect: what hybrids may be off with as many runs as they get."""
        if not self.noisy:
            return NOTHING
        widths = [self.width(runs) for runs in REPEATS]
        return max(NOTHING, next((width for width in widths if width <= WIDE), widths[-1]))

    def clear(self, value: Value, runs: int) -> bool:
        """Whether more runs could change what is said of a hybrid: at an end, or surely at neither."""
        if not self.noisy or value.score is None:
            return True
        wide = self.width(runs)
        return wide <= WIDE and not any(
            abs(abs(value.score - end) - max(NEAR_IN_NOISE, wide)) < wide / 2 for end in (0.0, 1.0)
        )
