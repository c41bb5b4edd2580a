"""The search for a cause over any function: `repro_tui.explain(a, b, evaluate)`, for other tools and for notebooks.

It is the search of an audit with calls in place of runs: few factors are attributed (`game`), many are bisected
(`lattice`). Answers are measured as the outputs of deployments are (`distances`). Every hybrid is called at most once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from repro_tui.explain.budget import Budget, BudgetSpent
from repro_tui.explain.distances import AnswerEnds, as_array
from repro_tui.explain.game import Attribution, Value, attribute
from repro_tui.explain.lattice import Culprits, Response, search
from repro_tui.explain.sentences import FactorNaming, culprit_sentences, factor_sentences, restoring_sentences
from repro_tui.model.errors import Refused
from repro_tui.support.text import show

if TYPE_CHECKING:
    from repro_tui.explain.distances import Answer

MOST_SHARED = 8  # factors for which shares are computed by default
_ABSENT = object()

T = TypeVar("T")
Evaluate = Callable[[dict[str, T]], object]
FactorSet = frozenset[str]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a function returns a different answer for B than for A.

    Where few factors differ, `shares`, `interactions`, `smallest` and `restores` say what each does (`attribution`).
    Where many differ, or where some need others, `culprits` are the guilty ones, in groups that cannot be told apart
    (`bisection`). `sides` are A and B. `runs` counts the calls of the function, including those for A and B.
    `budget_spent`: the budget ended the search. `note` says why there is no answer, where there is none. `sentences`
    are the answer as text.
    """

    factors: tuple[str, ...]
    sides: tuple[Mapping[str, object], Mapping[str, object]] = ({}, {})
    attribution: Attribution | None = None
    bisection: Culprits | None = None
    runs: int = 0
    budget_spent: bool = False
    note: str = ""
    sentences: tuple[str, ...] = field(default=())

    @property
    def shares(self) -> dict[str, float]:
        """The Shapley share of each factor; they add up to 1. Factors that cannot be told apart have none."""
        return self.attribution.known_shares if self.attribution else {}

    @property
    def interactions(self) -> dict[FactorSet, float]:
        """What sets of factors do only together, as parts of the whole change (1.0)."""
        return self.attribution.interactions if self.attribution else {}

    @property
    def smallest(self) -> tuple[str, ...]:
        """The smallest set of factors known to give B's answer."""
        if self.attribution:
            return self.attribution.smallest
        if self.bisection:
            return self.bisection.names if self.bisection.sufficient else self.factors
        return ()

    @property
    def restores(self) -> tuple[tuple[str, ...], ...]:
        """The smallest sets of factors that give A's answer again when they are reverted."""
        if self.attribution:
            return self.attribution.restores
        return tuple((name,) for name in self.factors if self.bisection and name in self.bisection.restoring)

    @property
    def culprits(self) -> tuple[tuple[str, ...], ...]:
        """The guilty factors, in groups that cannot be told apart."""
        if self.bisection:
            return self.bisection.groups
        return tuple((name,) for name in self.smallest) if self.attribution else ()

    @property
    def separable(self) -> bool:
        """Whether all guilty factors could be told apart."""
        return not self.attribution.groups if self.attribution else bool(self.bisection and self.bisection.separable)

    @property
    def unresolved(self) -> dict[FactorSet, str]:
        """The hybrids for which the function returned no answer, and why."""
        answer = self.attribution or self.bisection
        return dict(answer.unresolved) if answer else {}

    def to_dict(self) -> dict[str, object]:
        """The answer as a JSON object of the shape of `causes` in a report."""
        return {
            "factors": list(self.factors),
            "smallest": list(self.smallest),
            "shares": self.shares,
            "interactions": [{"factors": sorted(s), "dividend": d} for s, d in self.interactions.items()],
            "restores": [list(names) for names in self.restores],
            "culprits": [self._culprit(name) for group in self.culprits for name in group],
            "hybrids": [asdict(hybrid) for hybrid in self.attribution.hybrids] if self.attribution else [],
            "separable": self.separable,
            "runs": self.runs,
            "cached": 0,
            "unresolved": [{"from_b": sorted(s), "why": why} for s, why in self.unresolved.items()],
            "budget_spent": self.budget_spent,
            "sentences": list(self.sentences),
            "note": self.note,
            "remarks": [],
            "noise": 0.0,
        }

    def _culprit(self, name: str) -> dict[str, object]:
        a, b = (_json_value(side.get(name)) for side in self.sides)
        sufficient, alone = self.smallest == (name,), (name,) in self.restores
        cleared = self.bisection.cleared if self.bisection else 0
        return {
            "factor": name,
            "path": [],
            "a": a,
            "b": b,
            "sufficient": sufficient,
            "alone": alone,
            "cleared": cleared,
        }


def explain_function(
    a: Mapping[str, T],
    b: Mapping[str, T],
    evaluate: Evaluate[T],
    *,
    needs: Mapping[str, Sequence[str]] | None,
    likely: Mapping[str, float] | None,
    shares: bool | None,
    near: float,
    max_runs: int | None,
    max_seconds: float | None,
    workers: int,
) -> Explanation:
    """Implements `repro_tui.explain`, which documents the parameters and has their defaults."""
    needed = {name: frozenset(names) for name, names in (needs or {}).items()}
    budget = Budget(max_runs, max_seconds)
    return _FunctionSearch(dict(a), dict(b), evaluate, needed, near, budget, workers).run(likely or {}, shares)


@dataclass(slots=True)
class _FunctionSearch(Generic[T]):
    a: dict[str, T]
    b: dict[str, T]
    evaluate: Evaluate[T]
    needs: Mapping[str, FactorSet]
    near: float
    budget: Budget
    workers: int
    calls: int = 0
    ends: AnswerEnds = field(init=False)
    known: dict[FactorSet, Value] = field(default_factory=dict)

    def run(self, likely: Mapping[str, float], shares: bool | None) -> Explanation:
        factors = tuple(name for name in {**self.a, **self.b} if self._differs(name))
        self.ends = AnswerEnds.between(self._answer_for(self.a, "A"), self._answer_for(self.b, "B"))
        if not factors or self.ends.whole == 0:
            note = "A and B give the same answer: there is nothing to explain" if factors else "no factor differs"
            sentence = f"{note[:1].upper()}{note[1:]}."
            return Explanation(factors, (self.a, self.b), runs=self.calls, note=note, sentences=(sentence,))
        if shares if shares is not None else len(factors) <= MOST_SHARED and not self.needs:
            return self._attributed(factors)
        return self._bisected(factors, likely)

    def _attributed(self, factors: tuple[str, ...]) -> Explanation:
        attribution = attribute(factors, self._values)
        names = FactorNaming(plain=True)
        return Explanation(
            factors,
            (self.a, self.b),
            attribution=attribution,
            runs=self.calls,
            budget_spent=self.budget.spent,
            sentences=(*factor_sentences(attribution, names), *restoring_sentences(attribution.restores, names)),
        )

    def _bisected(self, factors: tuple[str, ...], likely: Mapping[str, float]) -> Explanation:
        def test(hybrids: Sequence[FactorSet]) -> list[Response]:
            values = self._values(hybrids)
            return [Response(None if v.score is None else v.reproduces, v.why, v.restores, v.only_near) for v in values]

        culprits = search(factors, self.needs, test, likely=likely)
        return Explanation(
            factors,
            (self.a, self.b),
            bisection=culprits,
            runs=self.calls,
            budget_spent=self.budget.spent,
            sentences=tuple(culprit_sentences(culprits, len(factors))),
        )

    # -- calls --------------------------------------------------------------------------------------------------

    def _differs(self, name: str) -> bool:
        """Whether a factor is not the very same on both sides: 0.0 and -0.0 differ, and so do [1] and [True]."""
        a, b = self.a.get(name, _ABSENT), self.b.get(name, _ABSENT)
        if a is b:
            return False
        try:
            return type(a) is not type(b) or not bool(a == b) or repr(a) != repr(b)
        except (TypeError, ValueError):  # the comparison of arrays or frames is not a single truth value
            return True

    def _answer_for(self, values: Mapping[str, T], side: str) -> Answer:
        self.calls += 1
        answer = self.evaluate(dict(values))
        if answer is None:
            raise Refused(
                f"evaluate returned None for {side}: "
                "it must return a number, an array of numbers or an array of labels for both sides"
            )
        return as_array(answer)

    def _values(self, hybrids: Sequence[FactorSet]) -> list[Value]:
        """The values of hybrids, as far as the budget allows. Raises BudgetSpent where one of them is missing."""
        affordable = self._affordable([hybrid for hybrid in hybrids if hybrid not in self.known])
        with ThreadPoolExecutor(max(1, self.workers)) as pool:
            self.known.update(zip(affordable, pool.map(self._value, affordable), strict=True))
        if any(hybrid not in self.known for hybrid in hybrids):
            raise BudgetSpent
        return [self.known[hybrid] for hybrid in hybrids]

    def _affordable(self, hybrids: Sequence[FactorSet]) -> list[FactorSet]:
        """The hybrids for which the budget is spent; one that violates `needs` is unresolved without a call."""
        affordable: list[FactorSet] = []
        for hybrid in hybrids:
            broken = next((name for name in sorted(hybrid) if not self._needed(name) <= hybrid), None)
            if broken is not None:
                missing = ", ".join(sorted(self._needed(broken) - hybrid))
                self.known[hybrid] = Value(None, f"{broken} needs {missing}")
                continue
            with suppress(BudgetSpent):
                self.budget.spend_run()
                affordable.append(hybrid)
        self.calls += len(affordable)
        return affordable

    def _needed(self, name: str) -> FactorSet:
        return frozenset(needed for needed in self.needs.get(name, ()) if self._differs(needed))

    def _value(self, from_b: FactorSet) -> Value:
        sides = {name: self.b if name in from_b else self.a for name in {**self.a, **self.b}}
        hybrid = {name: side[name] for name, side in sides.items() if name in side}
        try:
            answer = self.evaluate(hybrid)
            return Value(None, "evaluate returned None") if answer is None else self._measured(as_array(answer))
        except Exception as error:  # noqa: BLE001 - whatever a hybrid raises is an answer: it does not work
            return Value(None, f"{type(error).__name__}: {error}")

    def _measured(self, answer: Answer) -> Value:
        score, from_a, from_b = self.ends.measure(answer)
        if not math.isfinite(score):
            return Value(None, "its answer has NaN or infinity where the answers for A and B do not")
        reproduces, restores = from_b <= self.near, from_a <= self.near < from_b
        only_near = bool(from_b if reproduces else from_a) and (reproduces or restores)
        return Value(score, reproduces=reproduces, restores=restores, only_near=only_near)


def _json_value(value: object) -> object:
    """A value for JSON; as text where it has no JSON form of its own."""
    plain = value is None or isinstance(value, (bool, int, str)) or (isinstance(value, float) and math.isfinite(value))
    return value if plain else show(repr(value), 200)
