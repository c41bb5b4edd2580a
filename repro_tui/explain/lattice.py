"""Which of many items are guilty, where some of them need others: a bisection over what can be installed together.

The items are differences between A and B, such as packages. A hybrid is the set of items taken from B; the rest is
A's. A hybrid is closed where it holds everything that its items need, and only closed hybrids can be tried. They form
a lattice: unions and intersections of closed hybrids are closed.

1. The items are sorted so that what is needed comes first; every prefix of that order is closed. The smallest prefix
   that is B ends with a guilty item, which a bisection finds. It is kept, with all that it needs.
2. That is repeated on top of what was kept, until the kept items alone make B.
3. Whatever can be left out of the kept items is left out, and the items that do not depend on a guilty one are tried on
   their own: where they make B as well, the search is repeated in them for an alternative.

The question is always whether a hybrid is B, never whether it differs from A: the latter would find a minor cause.

Invariants: only closed hybrids are tried, and each of them once. Where `sufficient` holds, a run has shown that the
culprits make B, and no run has shown that one of them can be left out. What is requested does not depend on the order
in which a process walks sets.

Cost: about log2(n) runs for each guilty item of n, plus a few that confirm it. Where a hybrid cannot be run, although
nothing declares why, the window is shuffled and cut at other places.

Example: items p0 to p7, p6 needs p2, and p6 is guilty. The order is p0 p1 p2 p3 p4 p5 p7 p6. {p0..p3} is not B,
{p0..p5} is not B, {p0..p5, p7} is not B: p6 is guilty. {p2, p6} is B and {p2} is not; as p6 cannot be tried without p2,
the answer is the group (p2, p6), after five runs.

Sources: the bisection over prefixes is that of `git bisect`; for the problem, and for unresolved outcomes, see Zeller
and Hildebrandt (2002), Simplifying and isolating failure-inducing input.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain

from repro_tui.explain.budget import BudgetSpent

# Where a shuffled window is cut when its middle has no answer: near its ends, fewer of its items can clash.
RESHUFFLED_AT = (0.5, 0.5, 0.25, 0.75, 0.12, 0.88, 0.06, 0.94, 0.03, 0.97)
MOST_ALTERNATIVES = 2
MOST_LIKELY = 8.0

Hybrid = frozenset[str]
Needs = Mapping[str, frozenset[str]]
Groups = list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Response:
    """What a hybrid does: `state` is True where it is B, False where it is not, None where it is not known, and `why`.

    `restores`: it is A. `only_near`: some rows are not as in B, or as in A, but too few to count.
    """

    state: bool | None
    why: str = ""
    restores: bool = False
    only_near: bool = False


Test = Callable[[Sequence[Hybrid]], Sequence[Response]]


@dataclass(frozen=True, slots=True)
class Culprits:
    """The answer of a search. `groups` are the guilty items: one each, or several that cannot be told apart.

    `sufficient`: they make the whole change, without any other item; `separable` is False where a group has more than
    one member. `alternatives` are other sets that make it as well; `restoring` the items each of which restores A when
    it alone is reverted. `unresolved` are the hybrids that could not be tried, and why. `runs` counts the hybrids
    that were tried; `complete` is False where the budget ended. `cleared` is how many items beside a single guilty one
    were seen to do nothing, all together: with it alone every row is B's, and without it A's.
    """

    groups: tuple[tuple[str, ...], ...]
    sufficient: bool
    separable: bool
    alternatives: tuple[tuple[str, ...], ...]
    restoring: frozenset[str]
    unresolved: Mapping[Hybrid, str]
    runs: int
    complete: bool
    cleared: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """All guilty items."""
        return tuple(name for group in self.groups for name in group)


def closure(items: Iterable[str], needs: Needs) -> Hybrid:
    """These items with everything that they need, directly or not."""
    closed: set[str] = set()
    pending = list(items)
    while pending:
        item = pending.pop()
        if item not in closed:
            closed.add(item)
            pending += needs.get(item, frozenset())
    return frozenset(closed)


def dependents(items: Iterable[str], needs: Needs) -> Hybrid:
    """These items with everything that needs them, directly or not."""
    needed_by: dict[str, set[str]] = {}
    for item, needed in needs.items():
        for name in needed:
            needed_by.setdefault(name, set()).add(item)
    return closure(items, {item: frozenset(names) for item, names in needed_by.items()})


def order(items: Collection[str], needs: Needs, likely: Mapping[str, float] | None = None) -> Groups:
    """The items in groups, what is needed first; a group of several is a cycle of needs.

    Items with a larger weight in `likely` (1.0 where it has none) come as early as their needs allow.
    """
    names = list(items)
    members: dict[Hybrid, list[str]] = {}
    for name in names:
        members.setdefault(closure([name], needs), []).append(name)
    likely = likely or {}

    def rank(closed: Hybrid) -> tuple[float, ...]:
        weight = max(likely.get(name, 1.0) for name in members[closed])
        return len(closed), -weight, names.index(members[closed][0])

    return [tuple(members[closed]) for closed in sorted(members, key=rank)]


def shuffled(groups: Groups, needs: Needs, seed: int) -> Groups:
    """The groups, none of which needs a later one, in a random order that keeps this property."""
    ordered: dict[tuple[str, ...], None] = {}
    for group in random.Random(seed).sample(groups, len(groups)):  # noqa: S311
        closed = closure(group, needs)
        ordered.update(dict.fromkeys(needed for needed in groups if needed[0] in closed))
    return list(ordered)


def search(
    items: Sequence[str],
    needs: Needs,
    test: Test,
    *,
    likely: Mapping[str, float] | None = None,
    watch: Callable[[int], None] = lambda possible: None,
) -> Culprits:
    """Finds the items that make the change: the empty hybrid is A, the full one is B, and these two are never tried.

    Parameters:
        items: the names of the differing items.
        needs: for an item from B, the items that must be from B, too.
        test: called with closed hybrids. It may raise BudgetSpent: the answer is then what is known so far.
        likely: how much likelier than others an item is to be guilty (1.0 to 8.0). It saves runs where it is right, and
            costs at most three where it is wrong.
        watch: called with the number of groups that can still hold the next guilty item.
    """
    inner = {item: needs.get(item, frozenset()) & frozenset(items) for item in items}
    return _Search(tuple(items), inner, test, likely or {}, watch).run()


@dataclass(slots=True)
class _Search:
    items: tuple[str, ...]
    needs: Needs
    test: Test
    likely: Mapping[str, float]
    watch: Callable[[int], None]
    known: dict[Hybrid, Response] = field(default_factory=dict)
    runs: int = 0

    def __post_init__(self) -> None:
        self.known[frozenset()] = Response(False, restores=True)
        self.known[frozenset(self.items)] = Response(True)

    def run(self) -> Culprits:
        solution = _Solution()
        try:
            self._extend(solution, frozenset(self.items))
            if solution.sufficient:
                self._minimise(solution)
                self._find_alternatives(solution)
            complete = True
        except BudgetSpent:
            complete = False
        return self._culprits(solution, complete)

    def state(self, hybrid: Hybrid) -> bool | None:
        """Whether this hybrid is B."""
        if hybrid not in self.known:
            self.known[hybrid] = self.test([hybrid])[0]
            self.runs += 1
        return self.known[hybrid].state

    # -- one guilty item after the other ------------------------------------------------------------------------

    def _extend(self, solution: _Solution, allowed: Hybrid) -> None:
        """Keeps one guilty item after the other until the kept ones are B. `allowed`, which is B, has them all."""
        while not self.state(solution.kept):
            window = self._window(solution.kept, allowed)
            if window is None:
                return
            solution.keep_window(window, self.needs)
        solution.sufficient = True

    def _window(self, kept: Hybrid, allowed: Hybrid) -> tuple[str, ...] | None:
        """The item that completes B when items are added in order; several items where that is not known."""
        groups = [group for group in order(self.items, self.needs, self.likely) if allowed.issuperset(group)]
        groups = [group for group in groups if not kept.issuperset(group)]
        base = kept
        while len(groups) > 1:
            self.watch(len(groups))
            halves = self._halves(base, groups)
            if halves is None:
                break
            lower = base.union(*halves[0])
            if self.state(lower):
                groups = halves[0]
            else:
                base, groups = lower, halves[1]
        return tuple(chain(*groups)) or None

    def _halves(self, base: Hybrid, groups: Groups) -> tuple[Groups, Groups] | None:
        """The window cut in two so that the first part has an answer, shuffled where its own order has none."""
        cut = self._cut(groups, 0.5)
        if self.state(base.union(*groups[:cut])) is not None:
            return groups[:cut], groups[cut:]
        for seed, part in enumerate(RESHUFFLED_AT):
            mixed = shuffled(groups, self.needs, seed)
            cut = self._cut(mixed, part)
            if self.state(base.union(*mixed[:cut])) is not None:
                return mixed[:cut], mixed[cut:]
        return None

    def _cut(self, groups: Groups, part: float) -> int:
        """The number of groups, at least 1 and not all, that hold about this part of the total weight."""
        sums = list(accumulate(self._weight(group) for group in groups))
        return 1 + min(range(len(sums) - 1), key=lambda index: abs(sums[index] - sums[-1] * part))

    def _weight(self, group: tuple[str, ...]) -> float:
        return max(min(MOST_LIKELY, self.likely.get(name, 1.0)) for name in group)

    # -- fewer items, and alternatives --------------------------------------------------------------------------

    def _minimise(self, solution: _Solution) -> None:
        """Leaves out what can be left out: every kept item has to be needed, by the change or by another item.

        What could not be left out at first is tried again in the next round: another item that crashes without it may
        have been left out by then.
        """
        before: Hybrid = frozenset()
        while before != solution.kept:
            before = solution.kept
            for name in sorted(before, key=lambda name: (-len(closure([name], self.needs)), self.items.index(name))):
                without = solution.kept - dependents([name], self.needs)
                if self.state(without):
                    solution.keep_only(without)

    def _find_alternatives(self, solution: _Solution) -> None:
        """Blocks the guilty items, and tests whether the rest makes the change as well."""
        blocked = dependents(solution.guilty, self.needs)
        for _ in range(MOST_ALTERNATIVES):
            rest = frozenset(self.items) - blocked
            if not rest or not self.state(rest):
                return
            alternative = _Solution()
            self._extend(alternative, rest)
            if not alternative.sufficient:
                return
            self._minimise(alternative)
            solution.alternatives.append(tuple(name for name in self.items if name in alternative.kept))
            blocked |= dependents(alternative.guilty, self.needs)

    # -- the answer ---------------------------------------------------------------------------------------------

    def _culprits(self, solution: _Solution, complete: bool) -> Culprits:
        groups = self._groups(solution)
        return Culprits(
            groups=groups,
            sufficient=solution.sufficient,
            separable=all(len(group) == 1 for group in groups),
            alternatives=tuple(solution.alternatives),
            restoring=frozenset(name for name in solution.kept if self._restores(name)),
            unresolved={hybrid: response.why for hybrid, response in self.known.items() if response.state is None},
            runs=self.runs,
            complete=complete,
            cleared=self._cleared(solution.kept) if solution.sufficient else 0,
        )

    def _restores(self, name: str) -> bool:
        """Whether B with this item reverted, and nothing else, is known to be A."""
        response = self.known.get(frozenset(self.items) - dependents([name], self.needs))
        alone = dependents([name], self.needs) == {name}
        return bool(alone and response and response.restores)

    def _cleared(self, kept: Hybrid) -> int:
        """The number of the other items, where two runs have shown that these do nothing beside the guilty one.

        None of them is cleared by itself: two that cancel each other out do nothing together.
        """
        rest = frozenset(self.items) - kept
        with_it, without = self.known.get(kept), self.known.get(rest)
        if len(kept) != 1 or with_it is None or without is None:
            return 0
        is_shown = with_it.state and without.restores and not (with_it.only_near or without.only_near)
        return len(rest) if is_shown else 0

    def _groups(self, solution: _Solution) -> tuple[tuple[str, ...], ...]:
        """The kept items, those together that cannot be told apart: a cycle, a range, an item and what it needs."""
        groups: list[set[str]] = []
        for name in self.items:
            if name not in solution.kept:
                continue
            tied = {name} | (closure([name], self.needs) & solution.kept)
            tied.update(*(solution.kept.intersection(window) for window in solution.ranges if name in window))
            joined = [group for group in groups if not group.isdisjoint(tied)]
            groups = [group for group in groups if group.isdisjoint(tied)] + [tied.union(*joined)]
        return tuple(tuple(name for name in self.items if name in group) for group in groups)


@dataclass(slots=True)
class _Solution:
    """What is known to be guilty so far: `guilty` the items themselves, `kept` these with what they need.

    `ranges` are windows of several items that could not be bisected further.
    """

    guilty: set[str] = field(default_factory=set)
    kept: Hybrid = frozenset()
    ranges: list[tuple[str, ...]] = field(default_factory=list)
    alternatives: list[tuple[str, ...]] = field(default_factory=list)
    sufficient: bool = False

    def keep_window(self, window: tuple[str, ...], needs: Needs) -> None:
        self.guilty |= set(window)
        self.kept |= closure(window, needs)
        if len(window) > 1:
            self.ranges.append(window)

    def keep_only(self, kept: Hybrid) -> None:
        self.kept = kept
        self.guilty &= kept
