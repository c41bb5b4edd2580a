"""The search for a cause over any function: `repro_tui.explain(a, b, evaluate)`, for other tools and for notebooks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from repro_tui.explain.budget import Budget, BudgetSpent
from repro_tui.explain.game import Attribution, Value, attribute
from repro_tui.explain.lattice import Culprits, Outcome, search
from repro_tui.explain.sentences import Names, culprits_told, factors_told, restores_told
from repro_tui.model.errors import Refused

NEAR = 0.01
MOST_SHARED = 8
_ABSENT = object()

Evaluate = Callable[[dict[str, Any]], Any]
Set = frozenset[str]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a function gives another answer for B than for A.

    Where few factors differ, `shares`, `interactions`, `smallest` and `restores` say what each does; where many do, or
    where some need others, `culprits` are the guilty ones, in groups that cannot be told apart. `runs` counts the calls
    of the function, those for A and for B with it. `sentences` say it in words.
    """

    factors: tuple[str, ...]
    attribution: Attribution | None = None
    found: Culprits | None = None
    runs: int = 0
    budget_spent: bool = False
    note: str = ""
    sentences: tuple[str, ...] = field(default=())

    @property
    def shares(self) -> dict[str, float]:
        """The Shapley share of each factor; they add up to 1."""
        return dict(self.attribution.shares) if self.attribution else {}

    @property
    def interactions(self) -> dict[Set, float]:
        """What sets of factors do only together, in parts of the whole change."""
        return self.attribution.interactions if self.attribution else {}

    @property
    def smallest(self) -> tuple[str, ...]:
        """The smallest set of factors known to give B's answer."""
        if self.attribution:
            return self.attribution.smallest
        return self.found.names if self.found and self.found.sufficient else self.factors

    @property
    def restores(self) -> tuple[tuple[str, ...], ...]:
        """The smallest sets whose reverting gives A's answer again."""
        if self.attribution:
            return self.attribution.restores
        return tuple((name,) for name in self.factors if self.found and name in self.found.restoring)

    @property
    def culprits(self) -> tuple[tuple[str, ...], ...]:
        """The guilty factors, in groups that cannot be told apart."""
        if self.found:
            return self.found.groups
        return tuple((name,) for name in self.smallest) if self.attribution else ()

    @property
    def separable(self) -> bool:
        """Whether all guilty factors could be told apart."""
        return not self.attribution.groups if self.attribution else bool(self.found and self.found.separable)

    @property
    def unresolved(self) -> dict[Set, str]:
        """The mixtures for which the function gave no answer, and why."""
        answer = self.attribution or self.found
        return dict(answer.unresolved) if answer else {}

    def to_dict(self) -> dict[str, Any]:
        """The answer as a report has it under `causes`."""
        return {
            "factors": list(self.factors),
            "smallest": list(self.smallest),
            "shares": self.shares,
            "interactions": [{"factors": sorted(s), "dividend": d} for s, d in self.interactions.items()],
            "restores": [list(names) for names in self.restores],
            "culprits": [list(names) for names in self.culprits],
            "separable": self.separable,
            "runs": self.runs,
            "unresolved": [{"from_b": sorted(s), "why": why} for s, why in self.unresolved.items()],
            "budget_spent": self.budget_spent,
            "sentences": list(self.sentences),
            "note": self.note,
        }


def explain(
    a: Mapping[str, Any],
    b: Mapping[str, Any],
    evaluate: Evaluate,
    *,
    needs: Mapping[str, Sequence[str]] | None = None,
    likely: Mapping[str, float] | None = None,
    shares: bool | None = None,
    near: float = NEAR,
    max_runs: int | None = None,
    max_seconds: float | None = None,
    workers: int = 1,
) -> Explanation:
    """Finds which of the factors in which `a` and `b` differ make `evaluate(b)` another answer than `evaluate(a)`.

    `a` and `b` map factors to any values; one that only one of them has is absent in the other. `evaluate` is called
    with mixtures of the two and returns a number, an array of numbers, or an array of labels (texts or booleans),
    always of one shape; what it raises, and None, leave that mixture unresolved. `needs` says which factors of B need
    which others of B: then only mixtures that hold to it are tried. `shares`: True for Shapley shares and interactions
    (at most 2^k calls), False for the bisection alone (about log2(n) calls for each guilty factor); None takes shares
    for up to 8 factors of which none needs another. `near` is the part of the whole change that counts as none.
    `likely` makes the bisection look there first. At most `max_runs` mixtures are tried, in `max_seconds`, and
    `workers` of them at once. Raises Refused where there is nothing to compare.
    """
    return _Explained(dict(a), dict(b), evaluate, near, Budget(max_runs, max_seconds), workers).run(
        {name: frozenset(others) for name, others in (needs or {}).items()}, likely or {}, shares
    )


@dataclass(slots=True)
class _Explained:
    a: dict[str, Any]
    b: dict[str, Any]
    evaluate: Evaluate
    near: float
    budget: Budget
    workers: int
    low: Any = None
    high: Any = None

    def run(self, needs: Mapping[str, Set], likely: Mapping[str, float], shares: bool | None) -> Explanation:
        factors = tuple(name for name in {**self.a, **self.b} if self._differs(name))
        self.low, self.high = self._end(self.a, "A"), self._end(self.b, "B")
        if not factors or _way(self.low, self.high) == 0:
            note = "nothing differs" if not factors else "both give the same answer: there is nothing to explain"
            return Explanation(factors, runs=self.budget.used, note=note, sentences=(f"{note.capitalize()}.",))
        if shares if shares is not None else len(factors) <= MOST_SHARED and not needs:
            return self._shared(factors)
        return self._searched(factors, needs, likely)

    def _shared(self, factors: tuple[str, ...]) -> Explanation:
        found = attribute(factors, self._values)
        names = Names(plain=True)
        told = (*factors_told(found, names), *restores_told(found.restores, names))
        return Explanation(factors, found, None, self.budget.used, self.budget.spent, sentences=told)

    def _searched(self, factors: tuple[str, ...], needs: Mapping[str, Set], likely: Mapping[str, float]) -> Explanation:
        def test(sets: Sequence[Set]) -> list[Outcome]:
            values = self._values(sets)
            return [Outcome(None if v.score is None else v.reproduces, v.why, v.restores) for v in values]

        found = search(factors, needs, test, likely=likely)
        told = tuple(culprits_told(found, len(factors)))
        return Explanation(factors, None, found, self.budget.used, self.budget.spent, sentences=told)

    # -- calls --------------------------------------------------------------------------------------------------

    def _differs(self, name: str) -> bool:
        one, other = self.a.get(name, _ABSENT), self.b.get(name, _ABSENT)
        same = one is other or (type(one) is type(other) and bool(one == other))
        return not same

    def _end(self, values: dict[str, Any], side: str) -> Any:
        self.budget.used += 1
        answer = self.evaluate(dict(values))
        if answer is None:
            raise Refused(f"evaluate gives no answer for {side}: there is nothing to compare")
        return _array(answer)

    def _values(self, sets: Sequence[Set]) -> list[Value]:
        for _ in sets:
            self.budget.take()
        with ThreadPoolExecutor(max(1, self.workers)) as pool:
            return list(pool.map(self._value, sets))

    def _value(self, from_b: Set) -> Value:
        mixed = {
            name: self.b.get(name, _ABSENT) if name in from_b else self.a.get(name, _ABSENT) for name in self._all()
        }
        try:
            answer = self.evaluate({name: value for name, value in mixed.items() if value is not _ABSENT})
        except BudgetSpent:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a mixture does is an answer: it does not work
            return Value(None, f"{type(error).__name__}: {error}")
        return Value(None, "no answer") if answer is None else self._measured(_array(answer))

    def _all(self) -> list[str]:
        return list({**self.a, **self.b})

    def _measured(self, answer: Any) -> Value:
        if answer.shape != self.high.shape:
            return Value(None, f"its answer has the shape {answer.shape}, and that of B {self.high.shape}")
        whole, to_a, to_b = _way(self.low, self.high), _way(self.low, answer), _way(answer, self.high)
        score = (whole + to_a - to_b) / (2 * whole)  # <s - a, b - a> / |b - a|^2
        near = [math.sqrt(way / whole) <= self.near for way in (to_a, to_b)]
        return Value(score, reproduces=near[1], restores=near[0] and not near[1])


def _array(answer: Any) -> Any:
    import numpy as np

    found = np.asarray(answer)
    if found.dtype.kind in "iuf":
        return found.astype(np.float64)
    return found.astype(str) if found.dtype.kind in "bUO" else found


def _way(one: Any, other: Any) -> float:
    """|other - one|^2; labels are one-hot."""
    import numpy as np

    if one.shape != other.shape or one.dtype.kind != other.dtype.kind:
        raise Refused(f"the answers are of other shapes or kinds: {one.shape} and {other.shape}")
    if one.dtype.kind != "f":
        return 2.0 * float(np.count_nonzero(one != other))
    delta = np.where((one == other) | (np.isnan(one) & np.isnan(other)), 0.0, other - one)
    return float(np.sum(np.square(delta)))
