"""Where on a way the change comes: commits or releases in their order, bisected as `git bisect` does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from repro_tui.explain.budget import BudgetSpent
from repro_tui.explain.lattice import Response

Test = Callable[[Sequence[int]], Sequence[Response]]


@dataclass(frozen=True, slots=True)
class Change:
    """The change came between these two points of the way. `exact`: they are neighbours.

    `skipped` are the points between them that could not be tried; `complete` is False where the budget ended.
    """

    before: int
    after: int
    skipped: tuple[int, ...]
    runs: int
    complete: bool

    @property
    def exact(self) -> bool:
        """Whether it is known between which two neighbours it came."""
        return self.after - self.before == 1


def last_change(points: int, test: Test, watch: Callable[[int], None] = lambda possible: None) -> Change:
    """Bisects a way of that many points, of which the first is A and the last is B: these are never tried.

    A way may come to B more than once, where a change was undone and made again: what makes the last point B is the
    last time. So what lies behind a found change is looked at too, from the end in ever longer steps. Points that
    cannot be tried are skipped; where only such are left, the answer is a range. `watch` is told how many steps can
    still be the one.
    """
    return _Walk(points, test, watch).change()


@dataclass(slots=True)
class _Walk:
    points: int
    test: Test
    watch: Callable[[int], None]
    known: dict[int, bool | None] = field(default_factory=dict)
    low: int = 0
    high: int = 0

    def change(self) -> Change:
        self.high = self.points - 1
        try:
            self._bisect()
            while (undone := self._undone()) is not None:
                later = (at for at, state in self.known.items() if state and at > undone)
                self.low, self.high = undone, min(later, default=self.points - 1)
                self._bisect()
            complete = True
        except BudgetSpent:
            complete = False
        skipped = sorted(at for at, state in self.known.items() if state is None and self.low < at < self.high)
        return Change(self.low, self.high, tuple(skipped), len(self.known), complete)

    def _state(self, at: int) -> bool | None:
        if at not in self.known:
            self.known[at] = self.test([at])[0].state
        return self.known[at]

    def _bisect(self) -> None:
        while found := [at for at in range(self.low + 1, self.high) if self.known.get(at, False) is not None]:
            self.watch(self.high - self.low)
            at = min(found, key=lambda place: (abs(2 * place - self.low - self.high), place))
            state = self._state(at)
            if state:
                self.high = at
            elif state is False:
                self.low = at

    def _undone(self) -> int | None:
        """A point behind the change that is not B; None where none of those looked at is one."""
        step = 1
        while (at := self.points - 1 - step) > self.high:
            if self._state(at) is False:
                return at
            step *= 2
        return None
