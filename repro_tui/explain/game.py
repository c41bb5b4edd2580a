"""How much of a change each factor makes, alone and together with others: a cooperative game over a few factors.

The factors are the players. A coalition S is a set of factors taken from B; its hybrid has these from B and the rest
from A. v(S) is the part of the change that this hybrid makes: v of no factor is 0 (A), v of all is 1 (B).

- The Harsanyi dividend d(S) is what the factors of S do only together: v(S) less the dividends of all its subsets.
- The Shapley value of a factor is its share of the change: every dividend is split equally among its members.

Invariants: the shares add up to v(all) = 1, a factor that changes no hybrid has share 0, and every claim of the answer
(`smallest`, `restores`) is a hybrid that was run.

Cost, in hybrids of k factors: 2k where the effects add up, plus two that confirm it; else 2^j for the j factors that
have an effect, plus a few checks; 2^k - 2 at worst. Hybrids that cannot be run leave groups of factors that cannot be
told apart: the finest partition of the factors in which every union of blocks is known is attributed instead.

Example: v({}) = v({x}) = v({y}) = 0 and v({x, y}) = 1, as where new code reads a new parameter. Then d({x}) = d({y}) =
0 and d({x, y}) = 1, the shares are 0.5 each, and reverting either factor alone restores A.

Sources: `coalitions` has the definitions and the literature.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, combinations

from repro_tui.explain.budget import BudgetSpent
from repro_tui.explain.coalitions import Coalition, dividends_of, partitions, shapley, subsets
from repro_tui.model.causes import Hybrid

THRESHOLD = 0.01  # of the whole change: smaller dividends are not reported
NEGLIGIBLE = 1e-4  # smaller effects count as none; where runs are noisy, the limit is higher
ROUNDING = 1e-9
MOST_FOR_PARTITIONS = 7  # 877 partitions; 8 factors have 4,140


@dataclass(frozen=True, slots=True)
class Value:
    """What one hybrid does.

    `score` is the part of the change that it makes (None: unresolved, and `why`). `reproduces` and `restores` say
    whether its outputs are B's or A's, `only_near` where some rows are off by more than the tolerances, and by too
    little of the change to count. `rows_as_b` is the share, 0 to 1, of the rows that moved from A to B which are as in
    B (None: not known).
    """

    score: float | None
    why: str = ""
    reproduces: bool = False
    restores: bool = False
    rows_as_b: float | None = None
    only_near: bool = False


Evaluate = Callable[[Sequence[Coalition]], Sequence[Value]]


@dataclass(frozen=True, slots=True)
class Attribution:
    """What the factors do, in parts of the whole change (1.0).

    `shares` are Shapley values; `dividends` has every coalition whose dividend exceeds `threshold`. `smallest` is the
    smallest coalition that reproduces B, `restores` the smallest coalitions that restore A when they are reverted from
    B. `groups` are factors that cannot be told apart, because the hybrids that would do so are unresolved; the members
    of a group share equally. `additive`: the effects add up, and not all hybrids were evaluated. `complete` is False
    where the budget ended before the answer was certain. `values` has every hybrid that was evaluated, with A and B.
    `negligible` is how far measured values may be off.
    """

    factors: tuple[str, ...]
    shares: dict[str, float]
    dividends: dict[Coalition, float]
    smallest: tuple[str, ...] = ()
    restores: tuple[tuple[str, ...], ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()
    additive: bool = False
    complete: bool = True
    threshold: float = THRESHOLD
    values: dict[Coalition, Value] = field(default_factory=dict)
    negligible: float = NEGLIGIBLE

    @property
    def interactions(self) -> dict[Coalition, float]:
        """The dividends of more than one factor, the largest first."""
        joint = {coalition: dividend for coalition, dividend in self.dividends.items() if len(coalition) > 1}
        return dict(sorted(joint.items(), key=lambda item: (-abs(item[1]), sorted(item[0]))))

    @property
    def hybrids(self) -> tuple[Hybrid, ...]:
        """The hybrids that were measured, those with the fewest factors from B first; A and B are not hybrids."""
        inner = [coalition for coalition in self.values if 0 < len(coalition) < len(self.factors)]
        return tuple(
            Hybrid(
                _in_order(self.factors, coalition),
                round(value.score, 6) + 0.0,  # no minus zero
                value.rows_as_b if value.rows_as_b is None else round(value.rows_as_b, 6),
                "B" if value.reproduces else "A" if value.restores else "neither",
                (value.reproduces or value.restores) and not value.only_near,
            )
            for coalition in sorted(inner, key=lambda coalition: (len(coalition), sorted(coalition)))
            if (value := self.values[coalition]).score is not None
        )

    @property
    def known_shares(self) -> dict[str, float]:
        """The shares of the factors that could be told apart; the share of each factor in a group is not known."""
        grouped = {name for group in self.groups for name in group}
        return {name: share for name, share in self.shares.items() if name not in grouped}

    def effects(self, factor: str) -> tuple[float | None, float | None]:
        """The effect of a factor at both ends: added alone to A, and removed alone from B (None: not known)."""
        return _effects(self.values, self.factors, factor)

    def idle(self, factor: str) -> bool:
        """Whether a factor was seen to have no effect: no two hybrids that differ in it alone differ in their outputs.

        One pair is not enough for that statement, and neither is a hybrid that is only near A or B: a factor may move a
        few rows by little, at a right angle to the change, where its score is 0.
        """
        without = [coalition for coalition in self.values if factor not in coalition]
        pairs = [(self.values[c], self.values[c | {factor}]) for c in without if c | {factor} in self.values]
        return len(pairs) > 1 and all(_are_equal(before, after) for before, after in pairs)

    @property
    def unresolved(self) -> dict[Coalition, str]:
        """The hybrids that could not be built, run or measured, and why."""
        return {coalition: value.why for coalition, value in self.values.items() if value.score is None}


def _in_order(factors: Sequence[str], coalition: Collection[str]) -> tuple[str, ...]:
    return tuple(factor for factor in factors if factor in coalition)


def _effects(
    values: Mapping[Coalition, Value], factors: Sequence[str], factor: str
) -> tuple[float | None, float | None]:
    alone, without = values.get(frozenset({factor})), values.get(frozenset(factors) - {factor})
    rest = without.score if without else None
    return alone.score if alone else None, None if rest is None else 1.0 - rest


def _are_equal(left: Value, right: Value) -> bool:
    if left.score is None or right.score is None or left.only_near or right.only_near:
        return False
    same = (left.reproduces, left.restores) == (right.reproduces, right.restores)
    return same and abs(left.score - right.score) <= ROUNDING


def attribute(
    factors: Sequence[str], evaluate: Evaluate, *, threshold: float = THRESHOLD, negligible: float = NEGLIGIBLE
) -> Attribution:
    """Divides the change among the factors, with as few hybrids as possible.

    1. Screening: each factor is added alone to A, and removed alone from B: 2k hybrids. Where both effects agree and
       all add up to the whole, that is the answer, once two more hybrids have shown that the active factors alone make
       B and that the others alone leave A unchanged.
    2. Otherwise every hybrid of the active factors is evaluated, with checks that the others have no effect.
    3. Where a check fails, every hybrid of all factors is evaluated.

    Parameters:
        factors: their names, in the order of the report.
        evaluate: called with several coalitions at once, never with the empty or the full one. It may raise
            BudgetSpent; it is then called once more for each single coalition, which must cost nothing where the value
            is already known, and the answer is the best that the known values allow.
        threshold: dividends up to this part of the change are left out of the answer.
        negligible: how far measured values may be off.
    """
    return _Game(tuple(factors), evaluate, threshold, negligible).attribution()


@dataclass(slots=True)
class _Game:
    factors: tuple[str, ...]
    evaluate: Evaluate
    threshold: float
    negligible: float
    values: dict[Coalition, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.values[frozenset()] = Value(0.0, restores=True)
        self.values[self.all] = Value(1.0, reproduces=True)

    @property
    def all(self) -> Coalition:
        return frozenset(self.factors)

    def attribution(self) -> Attribution:
        try:
            self._request(chain(*((frozenset({f}), self.all - {f}) for f in self.factors)))
            if self._is_additive() and (additive := self._from_screening()) is not None:
                return additive
            active = self._active()
            return self._from_factorial(active) if active is not None else self._from_all_hybrids()
        except BudgetSpent:
            return self._from_blocks(complete=False)

    def _request(self, coalitions: Iterable[Coalition]) -> None:
        """Evaluates those that are not known yet."""
        missing = [coalition for coalition in dict.fromkeys(coalitions) if coalition not in self.values]
        if not missing:
            return
        try:
            self.values.update(zip(missing, self.evaluate(missing), strict=True))
        except BudgetSpent:
            self._collect_paid(missing)
            raise

    def _collect_paid(self, missing: Sequence[Coalition]) -> None:
        """Keeps what the budget sufficed for: requested one by one, these hybrids cost nothing any more."""
        for coalition in missing:
            with suppress(BudgetSpent):
                self.values[coalition] = self.evaluate([coalition])[0]

    def _counts(self, coalition: Coalition, dividend: float) -> bool:
        """Whether a dividend is reported. A dividend of several factors sums many values, each with its own noise."""
        return abs(dividend) > max(self.threshold, self.negligible * math.sqrt(2 ** len(coalition) - 1))

    def _score(self, coalition: Coalition) -> float | None:
        value = self.values.get(coalition)
        return value.score if value else None

    # -- screening from both ends -------------------------------------------------------------------------------

    def _is_additive(self) -> bool:
        effects = [_effects(self.values, self.factors, factor) for factor in self.factors]
        known = [(alone, removed) for alone, removed in effects if alone is not None and removed is not None]
        agree = all(abs(alone - removed) <= self.negligible for alone, removed in known)
        whole = abs(sum(alone for alone, _ in known) - 1) <= self.negligible * len(known)
        return len(known) == len(effects) and agree and whole

    def _is_idle(self, factor: str) -> bool:
        """Whether a factor leaves A unchanged, and its removal B.

        A score of 0 is not enough: a factor may move the outputs at a right angle to the change from A to B.
        """
        return self.values[frozenset({factor})].restores and self.values[self.all - {factor}].reproduces

    def _from_screening(self) -> Attribution | None:
        """The answer where effects add up; None where the active factors do not make B, or the others change A."""
        scores = {factor: self._score(frozenset({factor})) or 0.0 for factor in self.factors}
        shares = {
            factor: score / sum(scores.values()) for factor, score in scores.items()
        }  # the sum is 1 but for noise
        dividends = {frozenset({f}): share for f, share in shares.items() if self._counts(frozenset({f}), share)}
        active = frozenset(f for f in self.factors if frozenset({f}) in dividends or not self._is_idle(f))
        if not self._suffice(active):
            return None
        return Attribution(
            self.factors,
            shares,
            dividends,
            smallest=self._smallest(self.values),
            restores=self._restores(self.values),
            additive=True,
            threshold=self.threshold,
            negligible=self.negligible,
            values=self.values,
        )

    def _active(self) -> Coalition | None:
        """The factors that have an effect at either end; None where these alone do not make the whole change."""
        effects = {factor: _effects(self.values, self.factors, factor) for factor in self.factors}
        if any(None in pair for pair in effects.values()):
            return None
        acting = (f for f, pair in effects.items() if any(abs(effect or 0.0) > self.negligible for effect in pair))
        active = frozenset(acting) | {f for f in self.factors if not self._is_idle(f)}
        if not active or not self._suffice(active):
            return None
        extended = [active | {factor} for factor in self.all - active]
        self._request(extended)
        return active if all(self.values[coalition].reproduces for coalition in extended) else None

    def _suffice(self, active: Coalition) -> bool:
        """Whether these factors alone make B, and all the others together leave A unchanged."""
        self._request([active, self.all - active])
        with_active, with_others = self.values[active], self.values[self.all - active]
        if with_active.score is None or with_others.score is None:
            return False
        near = abs(with_active.score - 1) <= self.negligible and abs(with_others.score) <= self.negligible
        return near and with_active.reproduces and with_others.restores

    # -- all hybrids of some factors ----------------------------------------------------------------------------

    def _from_factorial(self, active: Coalition) -> Attribution:
        """The answer from all hybrids of the active factors.

        Those that restore A are evaluated with the idle factors from B, too: that is the hybrid that a user gets who
        reverts the rest.
        """
        names = _in_order(self.factors, active)
        self._request(subsets(names))
        values = {coalition: self.values[coalition] for coalition in subsets(names)}
        idle = self.all - active
        restoring = self._largest_restoring(values, active)
        self._request(coalition | idle for coalition in restoring)
        confirmed = all(self.values[coalition | idle].restores for coalition in restoring)
        confirmed = confirmed and all(self._have_equal_scores(active - {f}, self.all - {f}) for f in names)
        if not confirmed or any(value.score is None for value in values.values()):
            return self._from_all_hybrids()
        return self._exact(values, names)

    def _have_equal_scores(self, left: Coalition, right: Coalition) -> bool:
        """Whether two hybrids that differ in idle factors only have the same score."""
        scores = self._score(left), self._score(right)
        return None not in scores and abs((scores[0] or 0.0) - (scores[1] or 0.0)) <= self.negligible

    def _largest_restoring(self, values: Mapping[Coalition, Value], whole: Coalition) -> list[Coalition]:
        """The hybrids that are A although no further factor could come from B."""
        restoring = [coalition for coalition, value in values.items() if value.restores and coalition < whole]
        return [coalition for coalition in restoring if not any(coalition < larger for larger in restoring)]

    def _from_all_hybrids(self) -> Attribution:
        self._request(subsets(self.factors))
        if any(value.score is None for value in self.values.values()):
            return self._from_blocks(complete=True)
        return self._exact(self.values, self.factors)

    def _exact(self, values: Mapping[Coalition, Value], names: Sequence[str]) -> Attribution:
        scores = {coalition: values[coalition].score or 0.0 for coalition in subsets(names)}
        dividends = dividends_of(scores, names)
        return Attribution(
            self.factors,
            dict.fromkeys(self.factors, 0.0) | shapley(dividends, names),
            {coalition: dividend for coalition, dividend in dividends.items() if self._counts(coalition, dividend)},
            smallest=self._smallest(values),
            restores=self._restores(self.values),
            threshold=self.threshold,
            negligible=self.negligible,
            values=self.values,
        )

    # -- where hybrids are missing ------------------------------------------------------------------------------

    def _from_blocks(self, *, complete: bool) -> Attribution:
        """The answer over the finest partition of which every hybrid is known; members of a block share equally."""
        groups = next(self._known_partitions())
        blocks = {" ".join(group): frozenset(group) for group in groups}

        def union(names: Coalition) -> Coalition:
            return frozenset().union(*(blocks[name] for name in names))

        scores = {coalition: self._score(union(coalition)) or 0.0 for coalition in subsets(tuple(blocks))}
        dividends = dividends_of(scores, tuple(blocks))
        block_shares = shapley(dividends, tuple(blocks))
        shares = {f: block_shares[name] / len(block) for name, block in blocks.items() for f in block}
        by_factors = {union(coalition): dividend for coalition, dividend in dividends.items()}
        return Attribution(
            self.factors,
            {factor: shares[factor] for factor in self.factors},
            {coalition: dividend for coalition, dividend in by_factors.items() if self._counts(coalition, dividend)},
            smallest=self._smallest(self.values),
            restores=self._restores(self.values),
            groups=tuple(group for group in groups if len(group) > 1),
            complete=complete,
            threshold=self.threshold,
            negligible=self.negligible,
            values=self.values,
        )

    def _known_partitions(self) -> Iterator[tuple[tuple[str, ...], ...]]:
        """The partitions of which every hybrid is known, the finest first; all factors in one block at last."""
        if len(self.factors) <= MOST_FOR_PARTITIONS:
            finest_first = sorted(partitions(self.factors), key=len, reverse=True)
            yield from (groups for groups in finest_first if self._is_known(groups))
        yield (self.factors,)

    def _is_known(self, groups: tuple[tuple[str, ...], ...]) -> bool:
        unions = (frozenset(chain(*blocks)) for size in range(len(groups) + 1) for blocks in combinations(groups, size))
        return all(self._score(union) is not None for union in unions)

    # -- what makes B, and what restores A ----------------------------------------------------------------------

    def _smallest(self, values: Mapping[Coalition, Value]) -> tuple[str, ...]:
        reproducing = [coalition for coalition, value in values.items() if value.reproduces] or [self.all]
        smallest = min(reproducing, key=lambda c: (len(c), sorted(map(self.factors.index, c))))
        return _in_order(self.factors, smallest)

    def _restores(self, values: Mapping[Coalition, Value]) -> tuple[tuple[str, ...], ...]:
        """The smallest coalitions whose reverting was seen to restore A.

        That reverting all of several factors restores A is true of any audit, and left out.
        """
        reverted = [self.all - coalition for coalition, value in values.items() if value.restores]
        least = [coalition for coalition in reverted if not any(smaller < coalition for smaller in reverted)]
        informative = {_in_order(self.factors, c) for c in least if c and (c != self.all or len(c) == 1)}
        return tuple(sorted(informative, key=lambda names: (len(names), list(map(self.factors.index, names)))))
