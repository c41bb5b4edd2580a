"""Where in a sequence the change comes: commits or releases in their order, bisected as `git bisect` does it.

The points of the sequence are numbered from 0, which is A, to the last, which is B. The answer is the last index at
which the state turns from "not B" to "B", and after which every point that was tried is B.

A sequence may turn to B more than once, where a change was made, undone and made again. A plain bisection finds any of
these turns. So the points after it are probed from the end backwards, in steps that double (1, 2, 4, ...); where one of
them is not B, the bisection is repeated from there.

Points that cannot be tried are skipped; where only such points are left, the answer is a range.

Cost: about log2(n) tests for a bisection and log2(n) for the probes after it.

Example: A . . . B with the states A A B A B: a bisection tests index 2 (B), then 1 (not B), and would answer 2. The
probe at index 3 is not B, so the turn is at index 4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from repro_tui.explain.budget import BudgetSpent
from repro_tui.explain.lattice import Response

Test = Callable[[Sequence[int]], Sequence[Response]]


@dataclass(frozen=True, slots=True)
class Change:
    """The change came between the points with the indices `before` and `after`.

    `skipped` are the points between them that could not be tried; `runs` counts the points that were requested;
    `complete` is False where the budget ended.
    """

    before: int
    after: int
    skipped: tuple[int, ...]
    runs: int
    complete: bool

    @property
    def exact(self) -> bool:
        """Whether the two points are neighbours."""
        return self.after - self.before == 1


def last_change(points: int, test: Test, watch: Callable[[int], None] = lambda possible: None) -> Change:
    """Bisects a sequence of that many points, the first of which is A and the last is B; these two are never tested.

    `test` is called with indices, and may raise BudgetSpent: the answer is then the range that is known so far. `watch`
    is called with the number of steps that can still be the change.
    """
    return _Bisection(points, test, watch).change()


@dataclass(slots=True)
class _Bisection:
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
                later = (index for index, state in self.known.items() if state and index > undone)
                self.low, self.high = undone, min(later, default=self.points - 1)
                self._bisect()
            complete = True
        except BudgetSpent:
            complete = False
        skipped = sorted(index for index, state in self.known.items() if state is None and self.low < index < self.high)
        return Change(self.low, self.high, tuple(skipped), len(self.known), complete)

    def _state(self, index: int) -> bool | None:
        if index not in self.known:
            self.known[index] = self.test([index])[0].state
        return self.known[index]

    def _bisect(self) -> None:
        """Narrows the range; points that are known to have no answer are passed over."""
        while inner := [i for i in range(self.low + 1, self.high) if self.known.get(i, False) is not None]:
            self.watch(self.high - self.low)
            middle = min(inner, key=lambda index: (abs(2 * index - self.low - self.high), index))
            state = self._state(middle)
            if state:
                self.high = middle
            elif state is False:
                self.low = middle

    def _undone(self) -> int | None:
        """A point after the change that is not B; None where no probe shows one."""
        step = 1
        while (index := self.points - 1 - step) > self.high:
            if self._state(index) is False:
                return index
            step *= 2
        return None
