"""Which of many things are guilty, where some of them need others: a bisection over what can be installed together.

Sets of things that hold everything their members need are closed; only these can be tried. Sorted so that what is
needed comes first, every prefix is closed, so that the first guilty thing is found in about log2(n) runs; what it needs
stays with it, and the search goes on over the rest until what was kept makes the whole change.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain

from repro_tui.explain.budget import BudgetSpent

# Where a shuffled window is cut when its middle has no answer: near its ends, fewer of its things can clash.
RESHUFFLED_AT = (0.5, 0.5, 0.25, 0.75, 0.12, 0.88, 0.06, 0.94, 0.03, 0.97)
MOST_ALTERNATIVES = 2
MOST_LIKELY = 8.0

Set = frozenset[str]
Needs = Mapping[str, frozenset[str]]
Groups = list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Response:
    """What a mixture does: `state` True where it is B, False where it is not, None where nobody knows, and why.
    `restores`: it is A."""

    state: bool | None
    why: str = ""
    restores: bool = False


Test = Callable[[Sequence[Set]], Sequence[Response]]


@dataclass(frozen=True, slots=True)
class Culprits:
    """What was found. `groups` are the guilty things: one each, or several that cannot be told apart.

    `sufficient`: they make the whole change, without any other thing; `separable` is False where a group has more than
    one member. `alternatives` are other sets that make it as well; `restoring` the things which, set back alone,
    restore A. `runs` counts the mixtures that were tried; `complete` is False where the budget ended.
    """

    groups: tuple[tuple[str, ...], ...]
    sufficient: bool
    separable: bool
    alternatives: tuple[tuple[str, ...], ...]
    restoring: frozenset[str]
    unresolved: Mapping[Set, str]
    runs: int
    complete: bool

    @property
    def names(self) -> tuple[str, ...]:
        """All guilty things."""
        return tuple(name for group in self.groups for name in group)


def closure(items: Iterable[str], needs: Needs) -> Set:
    """These things with all that they need."""
    found: set[str] = set()
    pending = list(items)
    while pending:
        item = pending.pop()
        if item not in found:
            found.add(item)
            pending += needs.get(item, frozenset())
    return frozenset(found)


def dependents(items: Iterable[str], needs: Needs) -> Set:
    """These things with all that need them."""
    inverse: dict[str, set[str]] = {}
    for item, needed in needs.items():
        for other in needed:
            inverse.setdefault(other, set()).add(item)
    return closure(items, {item: frozenset(others) for item, others in inverse.items()})


def order(items: Collection[str], needs: Needs, likely: Mapping[str, float] | None = None) -> Groups:
    """The things in groups, what is needed first; a group of several is a cycle.

    What is likely to be guilty (1.0 unless `likely` says more) comes as early as it can.
    """
    names = list(items)
    members: dict[Set, list[str]] = {}
    for name in names:
        members.setdefault(closure([name], needs), []).append(name)
    likely = likely or {}

    def rank(whole: Set) -> tuple[float, ...]:
        weight = max(likely.get(name, 1.0) for name in members[whole])
        return len(whole), -weight, names.index(members[whole][0])

    return [tuple(members[whole]) for whole in sorted(members, key=rank)]


def shuffled(groups: Groups, needs: Needs, seed: int) -> Groups:
    """The groups, of which none needs a later one, in another order that holds to this."""
    mixed = random.Random(seed).sample(groups, len(groups))  # noqa: S311
    found: dict[tuple[str, ...], None] = {}
    for group in mixed:
        whole = closure(group, needs)
        found.update(dict.fromkeys(one for one in groups if one[0] in whole))
    return list(found)


def search(
    items: Sequence[str],
    needs: Needs,
    test: Test,
    *,
    likely: Mapping[str, float] | None = None,
    watch: Callable[[int], None] = lambda possible: None,
) -> Culprits:
    """Finds what makes the change: none of the things is A, all of them are B, and these two are never tried.

    `test` is asked for closed sets of things that are taken from B, and may raise BudgetSpent: then the answer is what
    is known so far. `likely` says how much likelier than others a thing is to be guilty (1.0 to 8.0), which saves runs
    where it is right and costs at most three where it is wrong. `watch` is told how many things can still be the next
    guilty one.
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
    known: dict[Set, Response] = field(default_factory=dict)
    runs: int = 0

    def __post_init__(self) -> None:
        self.known[frozenset()] = Response(False, restores=True)
        self.known[frozenset(self.items)] = Response(True)

    def run(self) -> Culprits:
        found = _Kept()
        try:
            self._until_sufficient(found, frozenset(self.items))
            if found.sufficient:
                self._minimise(found)
                self._alternatives(found)
            complete = True
        except BudgetSpent:
            complete = False
        return self._culprits(found, complete)

    def state(self, chosen: Set) -> bool | None:
        """Whether this mixture is B."""
        if chosen not in self.known:
            self.known[chosen] = self.test([chosen])[0]
            self.runs += 1
        return self.known[chosen].state

    # -- one thing after the other ------------------------------------------------------------------------------

    def _until_sufficient(self, found: _Kept, within: Set) -> None:
        """Keeps one guilty thing after the other until the kept ones make the change. `within` makes it."""
        while not self.state(found.kept):
            window = self._window(found.kept, within)
            if window is None:
                return
            found.take(window, self.needs)
            if len(window) > 1:
                found.ranges.append(tuple(window))
        found.sufficient = True

    def _window(self, kept: Set, within: Set) -> tuple[str, ...] | None:
        """The thing with which the change comes, when things are added in order; several where that is not known."""
        groups = [group for group in order(self.items, self.needs, self.likely) if within.issuperset(group)]
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

    def _halves(self, base: Set, groups: Groups) -> tuple[Groups, Groups] | None:
        """The window in two, so that it is known what the first does: shuffled where its own order has no answer."""
        at = self._middle(groups, 0.5)
        if self.state(base.union(*groups[:at])) is not None:
            return groups[:at], groups[at:]
        for seed, part in enumerate(RESHUFFLED_AT):
            mixed = shuffled(groups, self.needs, seed)
            at = self._middle(mixed, part)
            if self.state(base.union(*mixed[:at])) is not None:
                return mixed[:at], mixed[at:]
        return None

    def _middle(self, groups: Groups, part: float) -> int:
        """Where that part of what is likely lies."""
        sums = list(accumulate(self._weight(group) for group in groups))
        return 1 + min(range(len(sums) - 1), key=lambda at: abs(sums[at] - sums[-1] * part))

    def _weight(self, group: tuple[str, ...]) -> float:
        return max(min(MOST_LIKELY, self.likely.get(name, 1.0)) for name in group)

    # -- fewer, and others --------------------------------------------------------------------------------------

    def _minimise(self, found: _Kept) -> None:
        """Leaves out what can be left out: everything that is kept has to be needed, by itself or by another. What
        could not go first may go later: another that crashes without it is left out by then.
        """
        before: Set = frozenset()
        while before != found.kept:
            before = found.kept
            for name in sorted(before, key=lambda name: (-len(closure([name], self.needs)), self.items.index(name))):
                without = found.kept - dependents([name], self.needs)
                if self.state(without):
                    found.keep_only(without)

    def _alternatives(self, found: _Kept) -> None:
        """Blocks what was found, and looks whether the rest makes the change as well."""
        blocked = dependents(found.guilty, self.needs)
        for _ in range(MOST_ALTERNATIVES):
            rest = frozenset(self.items) - blocked
            if not rest or not self.state(rest):
                return
            other = _Kept()
            self._until_sufficient(other, rest)
            if not other.sufficient:
                return
            self._minimise(other)
            found.alternatives.append(tuple(name for name in self.items if name in other.kept))
            blocked |= dependents(other.guilty, self.needs)

    # -- the answer ---------------------------------------------------------------------------------------------

    def _culprits(self, found: _Kept, complete: bool) -> Culprits:
        groups = self._groups(found)
        return Culprits(
            groups=groups,
            sufficient=found.sufficient,
            separable=all(len(group) == 1 for group in groups),
            alternatives=tuple(found.alternatives),
            restoring=frozenset(name for name in found.kept if self._restores(name)),
            unresolved={chosen: outcome.why for chosen, outcome in self.known.items() if outcome.state is None},
            runs=self.runs,
            complete=complete,
        )

    def _restores(self, name: str) -> bool:
        """Whether B with this thing, and nothing else, set back is known to be A."""
        outcome = self.known.get(frozenset(self.items) - dependents([name], self.needs))
        alone = dependents([name], self.needs) == {name}
        return bool(alone and outcome and outcome.restores)

    def _groups(self, found: _Kept) -> tuple[tuple[str, ...], ...]:
        """What was kept, with that which cannot be told apart together: a cycle, a range, a thing and what it needs."""
        groups: list[set[str]] = []
        for name in self.items:
            if name not in found.kept:
                continue
            near = {name} | (closure([name], self.needs) & found.kept)
            near |= {other for window in found.ranges if name in window for other in window if other in found.kept}
            joined = [group for group in groups if not group.isdisjoint(near)]
            groups = [group for group in groups if group.isdisjoint(near)] + [near.union(*joined)]
        return tuple(tuple(name for name in self.items if name in group) for group in groups)


@dataclass(slots=True)
class _Kept:
    """What is known to be guilty so far: `guilty` the things themselves, `kept` these with what they need."""

    guilty: set[str] = field(default_factory=set)
    kept: Set = frozenset()
    ranges: list[tuple[str, ...]] = field(default_factory=list)
    alternatives: list[tuple[str, ...]] = field(default_factory=list)
    sufficient: bool = False

    def take(self, window: Iterable[str], needs: Needs) -> None:
        self.guilty |= set(window)
        self.kept |= closure(window, needs)

    def keep_only(self, kept: Set) -> None:
        self.kept = kept
        self.guilty &= kept
