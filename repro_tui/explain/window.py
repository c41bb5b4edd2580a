"""Where on a way the change comes: commits or releases in their order, bisected as `git bisect` does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from repro_tui.explain.budget import BudgetSpent
from repro_tui.explain.lattice import Outcome

Test = Callable[[Sequence[int]], Sequence[Outcome]]


@dataclass(frozen=True, slots=True)
class Change:
    """The change came between these two points of the way. `exact`: they are neighbours.

    `skipped` are the points between them that could not be tried; `complete` is False where the budget ended.
    """

    before: int
    after: int
    skipped: tuple[int, ...] = ()
    runs: int = 0
    complete: bool = True

    @property
    def exact(self) -> bool:
        """Whether it is known between which two neighbours it came."""
        return self.after - self.before == 1


def first_change(points: int, test: Test, watch: Callable[[int], None] = lambda possible: None) -> Change:
    """Bisects a way of that many points, of which the first is A and the last is B: these are never tried.

    Points that cannot be tried are skipped; where only such are left, the answer is a range. `watch` is told how many
    steps can still be the one.
    """
    low, high, skipped, runs = 0, points - 1, set[int](), 0
    try:
        while open_points := [at for at in range(low + 1, high) if at not in skipped]:
            watch(high - low)
            at = min(open_points, key=lambda place: (abs(2 * place - low - high), place))
            outcome = test([at])[0]
            runs += 1
            if outcome.state is None:
                skipped.add(at)
            elif outcome.state:
                high = at
            else:
                low = at
        complete = True
    except BudgetSpent:
        complete = False
    return Change(low, high, tuple(sorted(at for at in skipped if low < at < high)), runs, complete)
