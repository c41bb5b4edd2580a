"""How much of a change each factor makes, alone and together: a cooperative game over a few factors.

v(S) is the part of the change that a hybrid makes which has the factors S from B: v of none is 0, v of all is 1. The
Shapley value shares the change out; the Harsanyi dividend of a set is what its factors do only together.
Source: Harsanyi (1963), A simplified bargaining model for the n-person cooperative game; Shapley (1953).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, combinations

from repro_tui.explain.budget import BudgetSpent
from repro_tui.model.causes import Hybrid

THRESHOLD = 0.01  # of the whole change: what is less is not told
NOTHING = 1e-4  # what is less is no effect at all; where runs are noisy, more than that
ROUNDING = 1e-9
MOST_FOR_PARTITIONS = 7

Set = frozenset[str]


@dataclass(frozen=True, slots=True)
class Value:
    """What one hybrid does: its score (None: unresolved, and `why`), and whether it is B or A by the tolerances.

    `rows_as_b` is the share of the rows that moved from A to B that are as in B (None: not known).
    """

    score: float | None
    why: str = ""
    reproduces: bool = False
    restores: bool = False
    rows_as_b: float | None = None


Evaluate = Callable[[Sequence[Set]], Sequence[Value]]


@dataclass(frozen=True, slots=True)
class Attribution:
    """What the factors do. `shares` are Shapley values; `dividends` has every set whose dividend counts.

    `smallest` is the smallest set that reproduces B, `restores` the smallest sets whose reverting from B restores A.
    `groups` are factors that could not be told apart, since hybrids that would do so are unresolved; they share
    equally. What is below `threshold` is not told. `complete` is False where the budget ended before the answer was
    certain.
    """

    factors: tuple[str, ...]
    shares: dict[str, float]
    dividends: dict[Set, float]
    smallest: tuple[str, ...] = ()
    restores: tuple[tuple[str, ...], ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()
    additive: bool = False
    complete: bool = True
    threshold: float = THRESHOLD
    values: dict[Set, Value] = field(default_factory=dict)

    @property
    def interactions(self) -> dict[Set, float]:
        """The dividends of more than one factor, the largest first."""
        found = {chosen: dividend for chosen, dividend in self.dividends.items() if len(chosen) > 1}
        return dict(sorted(found.items(), key=lambda item: (-abs(item[1]), sorted(item[0]))))

    @property
    def hybrids(self) -> tuple[Hybrid, ...]:
        """The mixtures that were measured, those with little from B first; A and B themselves are none."""
        inner = [one for one in self.values if 0 < len(one) < len(self.factors)]
        return tuple(
            Hybrid(
                tuple(name for name in self.factors if name in one),
                round(value.score, 6) + 0.0,  # no minus zero
                value.rows_as_b if value.rows_as_b is None else round(value.rows_as_b, 6),
                "B" if value.reproduces else "A" if value.restores else "neither",
            )
            for one in sorted(inner, key=lambda one: (len(one), sorted(one)))
            if (value := self.values[one]).score is not None
        )

    @property
    def known_shares(self) -> dict[str, float]:
        """The shares of the factors that could be told apart: what each of the others does is not known."""
        grouped = {name for group in self.groups for name in group}
        return {name: share for name, share in self.shares.items() if name not in grouped}

    def effects(self, factor: str) -> tuple[float | None, float | None]:
        """What a factor does alone in A, and what taking it back alone undoes in B (None: not known)."""
        return _effects(self.values, self.factors, factor)

    def idle(self, factor: str) -> bool:
        """Whether a factor was seen to do nothing: every two hybrids that differ in it alone are as near to B."""
        known = [(one, self.values.get(one | {factor})) for one in self.values if factor not in one]
        pairs = [(self.values[one], other) for one, other in known if other is not None]
        return len(pairs) > 1 and all(_alike(one, other) for one, other in pairs)

    @property
    def unresolved(self) -> dict[Set, str]:
        """The hybrids that could not be built, run or measured, and why."""
        return {chosen: value.why for chosen, value in self.values.items() if value.score is None}


def _effects(values: dict[Set, Value], factors: Sequence[str], factor: str) -> tuple[float | None, float | None]:
    alone, without = (values.get(one) for one in (frozenset({factor}), frozenset(factors) - {factor}))
    rest = without.score if without else None
    return alone.score if alone else None, None if rest is None else 1.0 - rest


def _alike(one: Value, other: Value) -> bool:
    if one.score is None or other.score is None:
        return False
    same = (one.reproduces, one.restores) == (other.reproduces, other.restores)
    return same and abs(one.score - other.score) <= ROUNDING


def attribute(
    factors: Sequence[str], evaluate: Evaluate, *, threshold: float = THRESHOLD, nothing: float = NOTHING
) -> Attribution:
    """Shares the change out over the factors, with as few hybrids as it takes.

    Each factor is tried alone in A, and taken back alone from B: 2k hybrids. Where both agree and add up, that is the
    answer (`nothing` is how far values may be off), once the factors that act were seen to make B by themselves, and
    the others A: two more. Else all hybrids of the factors that did anything are evaluated, and where those do not make
    the whole change, or the others do something after all, all there are. What is said to restore A was seen to do so.
    `evaluate` is asked for many at once, never for none or
    all, and may raise BudgetSpent: then it is asked for each of these once more, which must cost nothing where it is
    known already, and the answer is the best that the values so far allow.
    """
    return _Game(tuple(factors), evaluate, threshold, nothing).attribution()


@dataclass(slots=True)
class _Game:
    factors: tuple[str, ...]
    evaluate: Evaluate
    threshold: float
    nothing: float
    values: dict[Set, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.values[frozenset()] = Value(0.0, restores=True)
        self.values[self.all] = Value(1.0, reproduces=True)

    @property
    def all(self) -> Set:
        return frozenset(self.factors)

    def attribution(self) -> Attribution:
        try:
            self._ask(chain(*((frozenset({f}), self.all - {f}) for f in self.factors)))
            if self._additive() and (found := self._of_screen()) is not None:
                return found
            active = self._active()
            return self._of_factorial(active) if active is not None else self._of_all()
        except BudgetSpent:
            return self._of_blocks(complete=False)

    def _ask(self, sets: Iterable[Set]) -> None:
        wanted = [chosen for chosen in dict.fromkeys(sets) if chosen not in self.values]
        if not wanted:
            return
        try:
            self.values.update(zip(wanted, self.evaluate(wanted), strict=True))
        except BudgetSpent:
            self._ask_for_what_is_known(wanted)
            raise

    def _ask_for_what_is_known(self, wanted: Sequence[Set]) -> None:
        """Takes what the budget sufficed for: asked one by one, these cost nothing any more."""
        for chosen in wanted:
            with suppress(BudgetSpent):
                self.values[chosen] = self.evaluate([chosen])[0]

    def _counts(self, chosen: Set, dividend: float) -> bool:
        """Whether a dividend is told: of several factors it is a sum of many values, each with its own noise."""
        return abs(dividend) > max(self.threshold, self.nothing * math.sqrt(2 ** len(chosen) - 1))

    def _score(self, chosen: Set) -> float | None:
        value = self.values.get(chosen)
        return value.score if value else None

    # -- from both ends -----------------------------------------------------------------------------------------

    def _additive(self) -> bool:
        effects = [_effects(self.values, self.factors, factor) for factor in self.factors]
        known = [(one, other) for one, other in effects if one is not None and other is not None]
        agree = all(abs(one - other) <= self.nothing for one, other in known)
        whole = abs(sum(one for one, _ in known) - 1) <= self.nothing * len(known)
        return len(known) == len(effects) and agree and whole

    def _idle(self, factor: str) -> bool:
        """Whether a factor leaves A as it is and B as it is. One whose score is 0 may still change the outputs, across
        the way from A to B."""
        return self.values[frozenset({factor})].restores and self.values[self.all - {factor}].reproduces

    def _of_screen(self) -> Attribution | None:
        """The answer where effects add up; None where the factors that act do not make B, or the others not A."""
        scores = {factor: self._score(frozenset({factor})) or 0.0 for factor in self.factors}
        shares = {factor: score / sum(scores.values()) for factor, score in scores.items()}  # one but for noise
        dividends = {frozenset({f}): share for f, share in shares.items() if self._counts(frozenset({f}), share)}
        needed = tuple(f for f in self.factors if frozenset({f}) in dividends or not self._idle(f))
        if not self._apart(frozenset(needed)):
            return None
        return Attribution(
            self.factors,
            shares,
            dividends,
            smallest=self._smallest(self.values),
            restores=self._restores(self.values),
            additive=True,
            threshold=self.threshold,
            values=self.values,
        )

    def _active(self) -> Set | None:
        """The factors that do anything at either end, where these alone make the whole change; None where not so."""
        effects = {factor: _effects(self.values, self.factors, factor) for factor in self.factors}
        if any(None in pair for pair in effects.values()):
            return None
        acting = (f for f, pair in effects.items() if any(abs(e or 0.0) > self.nothing for e in pair))
        active = frozenset(acting) | {f for f in self.factors if not self._idle(f)}
        if not active or not self._apart(active):
            return None
        others = self.all - active
        beside = [active | {factor} for factor in others]
        self._ask(beside)
        return active if all(self.values[chosen].reproduces for chosen in beside) else None

    def _apart(self, active: Set) -> bool:
        """Whether these factors alone make B, and all the others together leave A as it is."""
        self._ask([active, self.all - active])
        made, left = self.values[active], self.values[self.all - active]
        if made.score is None or left.score is None:
            return False
        near = abs(made.score - 1) <= self.nothing and abs(left.score) <= self.nothing
        return near and made.reproduces and left.restores

    # -- all hybrids of some factors ----------------------------------------------------------------------------

    def _of_factorial(self, active: Set) -> Attribution:
        """All hybrids of the active factors; and of those that are A, with the other factors from B as well: that is
        what reverting the rest from B makes."""
        names = [factor for factor in self.factors if factor in active]
        self._ask(subsets(names))
        values = {chosen: self.values[chosen] for chosen in subsets(names)}
        others = self.all - active
        restoring = self._least_reverted(values, active)
        self._ask(chosen | others for chosen in restoring)
        held = all(self.values[chosen | others].restores for chosen in restoring)
        held = held and all(self._alike(active - {factor}, self.all - {factor}) for factor in names)
        if not held or any(value.score is None for value in values.values()):
            return self._of_all()
        return self._exact(values, names)

    def _alike(self, one: Set, other: Set) -> bool:
        """Whether two hybrids are as near to B: they differ in factors that are to do nothing."""
        scores = self._score(one), self._score(other)
        return None not in scores and abs((scores[0] or 0.0) - (scores[1] or 0.0)) <= self.nothing

    def _least_reverted(self, values: dict[Set, Value], whole: Set) -> list[Set]:
        """The hybrids that are A and have as much of B as such a hybrid can."""
        found = [chosen for chosen, value in values.items() if value.restores and chosen < whole]
        return [one for one in found if not any(one < other for other in found)]

    def _of_all(self) -> Attribution:
        self._ask(subsets(self.factors))
        if any(value.score is None for value in self.values.values()):
            return self._of_blocks(complete=True)
        return self._exact(self.values, self.factors)

    def _exact(self, values: dict[Set, Value], names: Sequence[str]) -> Attribution:
        scores = {chosen: values[chosen].score or 0.0 for chosen in subsets(names)}
        found = dividends_of(scores, names)
        return Attribution(
            self.factors,
            dict.fromkeys(self.factors, 0.0) | shapley(found, names),
            {chosen: dividend for chosen, dividend in found.items() if self._counts(chosen, dividend)},
            smallest=self._smallest(values),
            restores=self._restores(self.values),
            threshold=self.threshold,
            values=self.values,
        )

    # -- where hybrids are missing ------------------------------------------------------------------------------

    def _of_blocks(self, *, complete: bool) -> Attribution:
        """The finest grouping of the factors of which every hybrid is known: inside a group nothing can be told."""
        groups = next(self._groupings())
        blocks = {" ".join(group): frozenset(group) for group in groups}
        scores = {
            chosen: self._score(frozenset().union(*(blocks[name] for name in chosen))) or 0.0
            for chosen in subsets(tuple(blocks))
        }
        found = dividends_of(scores, tuple(blocks))
        of_blocks = shapley(found, tuple(blocks))
        shares = {f: of_blocks[name] / len(block) for name, block in blocks.items() for f in block}
        dividends = {frozenset().union(*(blocks[name] for name in chosen)): d for chosen, d in found.items()}
        return Attribution(
            self.factors,
            {factor: shares[factor] for factor in self.factors},
            {chosen: dividend for chosen, dividend in dividends.items() if self._counts(chosen, dividend)},
            smallest=self._smallest(self.values),
            restores=self._restores(self.values),
            groups=tuple(group for group in groups if len(group) > 1),
            complete=complete,
            threshold=self.threshold,
            values=self.values,
        )

    def _groupings(self) -> Iterator[tuple[tuple[str, ...], ...]]:
        if len(self.factors) <= MOST_FOR_PARTITIONS:
            found = sorted(partitions(self.factors), key=len, reverse=True)
            yield from (groups for groups in found if self._all_known(groups))
        yield (self.factors,)

    def _all_known(self, groups: tuple[tuple[str, ...], ...]) -> bool:
        unions = (frozenset(chain(*chosen)) for size in range(len(groups) + 1) for chosen in combinations(groups, size))
        return all(self._score(union) is not None for union in unions)

    # -- sets ---------------------------------------------------------------------------------------------------

    def _smallest(self, values: dict[Set, Value]) -> tuple[str, ...]:
        found = [chosen for chosen, value in values.items() if value.reproduces] or [self.all]
        best = min(found, key=lambda chosen: (len(chosen), sorted(map(self.factors.index, chosen))))
        return tuple(factor for factor in self.factors if factor in best)

    def _restores(self, values: dict[Set, Value]) -> tuple[tuple[str, ...], ...]:
        """The smallest sets whose reverting was seen to make A of B; all factors together are no news."""
        reverted = [self.all - chosen for chosen, value in values.items() if value.restores]
        least = [one for one in reverted if not any(other < one for other in reverted)]
        news = (one for one in least if one and (one != self.all or len(one) == 1))
        told = (tuple(f for f in self.factors if f in one) for one in news)
        return tuple(sorted(set(told), key=lambda names: (len(names), list(map(self.factors.index, names)))))


def subsets(names: Sequence[str]) -> list[Set]:
    """Every subset, from none to all."""
    return [frozenset(chosen) for size in range(len(names) + 1) for chosen in combinations(names, size)]


def dividends_of(values: dict[Set, float], names: Sequence[str]) -> dict[Set, float]:
    """The Harsanyi dividend of every set that is not empty: its value less the dividends of its parts."""
    found = dict(values)
    for name in names:  # the fast Moebius transform, one factor at a time
        for chosen in found:
            if name in chosen:
                found[chosen] -= values_before(found, chosen, name)
    found.pop(frozenset())
    return found


def values_before(values: dict[Set, float], chosen: Set, name: str) -> float:
    """The value of a set without one of its members."""
    return values[chosen - {name}]


def shapley(dividends: dict[Set, float], names: Sequence[str]) -> dict[str, float]:
    """Every factor's share: each dividend is shared equally by the factors that make it."""
    shares = dict.fromkeys(names, 0.0)
    for chosen, dividend in dividends.items():
        for name in chosen:
            shares[name] += dividend / len(chosen)
    return shares


def partitions(names: Sequence[str]) -> Iterator[tuple[tuple[str, ...], ...]]:
    """Every way to group the names."""
    if not names:
        yield ()
        return
    first, rest = names[0], names[1:]
    for groups in partitions(rest):
        yield ((first,), *groups)
        for at, group in enumerate(groups):
            yield (*groups[:at], (first, *group), *groups[at + 1 :])
