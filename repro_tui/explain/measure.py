"""What a hybrid's outputs show: how much of the change it makes, and whether it is A or B.

A ruler measures between two ends: A and B at first, and two hybrids inside a factor. A run is projected on the line
from the first run of the low end to the first run of the high end (`compare.projection`): its score is 0 at the low
end, 1 at the high end, and need not lie between them.

Without noise one run decides: a hybrid is an end where every row agrees within the tolerances, or where its distance is
at most 1 % of the whole length.

Where runs of one side differ from each other, the further runs of both ends calibrate the ruler. Their mean scores say
where 0 and 1 lie, and their pooled standard deviation s how far one run scatters. The score of n runs then has the
half-width 3 * s * sqrt(1/n + 1/m), with m further runs at an end: a hybrid is repeated (2, 5, 10 runs) until the
interval lies at an end, or clearly off both.

Example: s = 0.05 and m = 4. Two runs give 3 * 0.05 * sqrt(1/2 + 1/4) = 0.13, so that a score of 0.95 is at B, 0.5 is
neither, and 0.85 needs more runs. Five runs give 0.10.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from repro_tui.compare.projection import ProjectedColumn, Projection, Projector
from repro_tui.explain.game import NEGLIGIBLE, Value
from repro_tui.model.errors import Inconclusive
from repro_tui.support.context import Context

NEAR = 0.01  # of the whole length: what is nearer to an end counts as that end
NEAR_IN_NOISE, WIDE, SIGMAS = 0.1, 0.2, 3.0
SURE = 0.99  # confidence that two ends differ by more than noise
REPEATS = (2, 5, 10)  # runs of a hybrid where runs are noisy


@dataclass(slots=True)
class Ruler:
    """The line from one end to the other, given by the normalised predictions of the runs of both.

    `key` and `columns` say how rows are matched and which output columns are measured. `noisy`: runs of one deployment
    differ from each other. `low_score` and `high_score` are where the ends lie (0 and 1 without noise), and `spread` is
    the standard deviation of one run's score, in units of the length between them.
    """

    low: Sequence[Path]
    high: Sequence[Path]
    key: tuple[str, ...]
    columns: Sequence[ProjectedColumn]
    context: Context
    noisy: bool = False
    low_score: float = field(default=0.0, init=False)
    high_score: float = field(default=1.0, init=False)
    spread: float = field(default=0.0, init=False)
    _scatter: float = field(default=0.0, init=False)
    _projector: Projector = field(init=False)

    def __post_init__(self) -> None:
        scratch, memory = self.context.cache.temporary(), self.context.settings.memory_limit
        self._projector = Projector(self.low[0], self.high[0], self.key, self.columns, scratch, memory)
        if not self.noisy:
            return
        low = [self.project(run).score for run in self.low[1:]]  # the first runs lie at 0 and 1 by definition
        high = [self.project(run).score for run in self.high[1:]]
        self.low_score, self.high_score = statistics.fmean(low or [0.0]), statistics.fmean(high or [1.0])
        length = abs(self.high_score - self.low_score) or 1.0
        variances = [statistics.variance(scores) for scores in (low, high) if len(scores) > 1]
        self._scatter = math.sqrt(statistics.fmean(variances)) if variances else 0.0
        self.spread = self._scatter / length

    @property
    def ends_differ(self) -> bool:
        """Whether the two ends differ: at all, or where runs are noisy by more than noise explains.

        The first run of each end defined the line, and only the others are tested, one-sided by Student's t: a search
        between ends that only noise separates would always name a cause.
        """
        from scipy.special import stdtrit

        if not self.noisy:
            return not self.project(self.high[0]).is_a
        freedom = len(self.low) + len(self.high) - 4  # of each end one run defined the line, and one is for the mean
        if freedom < 1:
            return False
        error = self._scatter * math.sqrt(1 / (len(self.low) - 1) + 1 / (len(self.high) - 1))
        return self.high_score - self.low_score > float(stdtrit(freedom, SURE)) * error

    def project(self, run: Path) -> Projection:
        """One run between the ends. Raises Inconclusive where its outputs cannot be measured."""
        return self._projector.project(run)

    def value(self, runs: Sequence[Path]) -> Value:
        """The value of a hybrid with these runs; unresolved where its outputs cannot be measured.

        Rows as in B are counted only without noise: with noise, not even the next run of B has B's rows.
        """
        try:
            projections = [self.project(run) for run in runs]
        except Inconclusive as error:
            return Value(None, str(error))
        if not self.noisy:
            first = projections[0]
            as_a, as_b = first.is_a or first.from_a <= NEAR, first.is_b or first.from_b <= NEAR
            exact = first.is_b if as_b else first.is_a
            only_near = (as_a or as_b) and not exact
            return Value(first.score, "", as_b, as_a and not as_b, first.rows_as_b, only_near)
        mean = statistics.fmean(projection.score for projection in projections)
        score = (mean - self.low_score) / ((self.high_score - self.low_score) or 1.0)
        near = min(0.5, max(NEAR_IN_NOISE, self.half_width(len(runs))))  # never nearer to the opposite end
        return Value(score, reproduces=abs(score - 1) <= near, restores=abs(score) <= near, only_near=True)

    def half_width(self, runs: int) -> float:
        """Half of the interval, in units of the score, in which the mean of that many runs lies.

        The ends are as uncertain as their own runs, and have their part in it.
        """
        end_runs = max(1, min(len(self.low), len(self.high)) - 1)
        return SIGMAS * self.spread * math.sqrt(1 / runs + 1 / end_runs)

    @property
    def negligible(self) -> float:
        """The score that counts as no effect: how far a hybrid may be off with as many runs as it gets."""
        if not self.noisy:
            return NEGLIGIBLE
        widths = [self.half_width(runs) for runs in REPEATS]
        return max(NEGLIGIBLE, next((width for width in widths if width <= WIDE), widths[-1]))

    def is_settled(self, value: Value, runs: int) -> bool:
        """Whether more runs are unlikely to change what a hybrid is: at an end, or clearly at neither."""
        if not self.noisy or value.score is None:
            return True
        width = self.half_width(runs)
        return width <= WIDE and not any(
            abs(abs(value.score - end) - max(NEAR_IN_NOISE, width)) < width / 2 for end in (0.0, 1.0)
        )
