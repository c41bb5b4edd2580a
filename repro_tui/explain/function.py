"""The search for a cause over any function: `repro_tui.explain(a, b, evaluate)`, for other tools and for notebooks."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from numbers import Number
from typing import Any

from repro_tui.explain.budget import Budget, BudgetSpent
from repro_tui.explain.game import Attribution, Value, attribute
from repro_tui.explain.lattice import Culprits, Response, search
from repro_tui.explain.sentences import Names, culprits_told, factors_told, restores_told
from repro_tui.model.errors import Refused
from repro_tui.support.text import show

NEAR = 0.01
FLOAT = 8  # bytes
EXACT = 2**53  # whole numbers beyond it are not all floats
MOST = sys.float_info.max
MOST_SHARED = 8
_ABSENT = object()

Evaluate = Callable[[dict[str, Any]], Any]
Set = frozenset[str]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a function gives another answer for B than for A.

    Where few factors differ, `shares`, `interactions`, `smallest` and `restores` say what each does; where many do, or
    where some need others, `culprits` are the guilty ones, in groups that cannot be told apart. `sides` are A and B.
    `runs` counts the calls of the function, those for A and for B with it. `sentences` say it in words.
    """

    factors: tuple[str, ...]
    sides: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {})
    attribution: Attribution | None = None
    found: Culprits | None = None
    runs: int = 0
    budget_spent: bool = False
    note: str = ""
    sentences: tuple[str, ...] = field(default=())

    @property
    def shares(self) -> dict[str, float]:
        """The Shapley share of each factor; they add up to 1, and factors that cannot be told apart have none."""
        return self.attribution.known_shares if self.attribution else {}

    @property
    def interactions(self) -> dict[Set, float]:
        """What sets of factors do only together, in parts of the whole change."""
        return self.attribution.interactions if self.attribution else {}

    @property
    def smallest(self) -> tuple[str, ...]:
        """The smallest set of factors known to give B's answer."""
        if self.attribution:
            return self.attribution.smallest
        if self.found:
            return self.found.names if self.found.sufficient else self.factors
        return ()

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
            "culprits": [self._culprit(name) for group in self.culprits for name in group],
            "hybrids": [asdict(one) for one in self.attribution.hybrids] if self.attribution else [],
            "separable": self.separable,
            "runs": self.runs,
            "cached": 0,
            "unresolved": [{"from_b": sorted(s), "why": why} for s, why in self.unresolved.items()],
            "budget_spent": self.budget_spent,
            "sentences": list(self.sentences),
            "note": self.note,
        }

    def _culprit(self, name: str) -> dict[str, Any]:
        """One guilty factor as a report has it; what is no JSON value is told in words."""
        a, b = (_told(side.get(name)) for side in self.sides)
        sufficient, alone = self.smallest == (name,), (name,) in self.restores
        return {"factor": name, "path": [], "a": a, "b": b, "sufficient": sufficient, "alone": alone}


def explain_function(
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
    """What `repro_tui.explain` does."""
    closed = {name: frozenset(others) for name, others in (needs or {}).items()}
    budget = Budget(max_runs, max_seconds)
    return _Explained(dict(a), dict(b), evaluate, closed, near, budget, workers).run(likely or {}, shares)


@dataclass(slots=True)
class _Explained:
    a: dict[str, Any]
    b: dict[str, Any]
    evaluate: Evaluate
    needs: Mapping[str, Set]
    near: float
    budget: Budget
    workers: int
    low: Any = None
    high: Any = None
    unit: float = 1.0
    whole: float = 0.0
    calls: int = 0
    known: dict[Set, Value] = field(default_factory=dict)

    def run(self, likely: Mapping[str, float], shares: bool | None) -> Explanation:
        factors = tuple(name for name in {**self.a, **self.b} if self._differs(name))
        self.low, self.high = self._end(self.a, "A"), self._end(self.b, "B")
        self.unit = _unit(self.low, self.high)
        self.whole = _way(self.low, self.high, self.unit)
        if not math.isfinite(self.whole):
            raise Refused("the answers for A and B have NaN or infinity in different places: they cannot be measured")
        if not factors or self.whole == 0:
            note = "nothing differs" if not factors else "both give the same answer: there is nothing to explain"
            return Explanation(factors, (self.a, self.b), runs=self.calls, note=note, sentences=(f"{_start(note)}.",))
        if shares if shares is not None else len(factors) <= MOST_SHARED and not self.needs:
            return self._shared(factors)
        return self._searched(factors, likely)

    def _shared(self, factors: tuple[str, ...]) -> Explanation:
        found = attribute(factors, self._values)
        names = Names(plain=True)
        told = (*factors_told(found, names), *restores_told(found.restores, names))
        return self._explanation(factors, told, attribution=found)

    def _searched(self, factors: tuple[str, ...], likely: Mapping[str, float]) -> Explanation:
        def test(sets: Sequence[Set]) -> list[Response]:
            values = self._values(sets)
            return [Response(None if v.score is None else v.reproduces, v.why, v.restores) for v in values]

        found = search(factors, self.needs, test, likely=likely)
        return self._explanation(factors, tuple(culprits_told(found, len(factors))), found=found)

    def _explanation(self, factors: tuple[str, ...], told: tuple[str, ...], **answer: Any) -> Explanation:
        spent = self.budget.spent
        return Explanation(factors, (self.a, self.b), runs=self.calls, budget_spent=spent, sentences=told, **answer)

    # -- calls --------------------------------------------------------------------------------------------------

    def _differs(self, name: str) -> bool:
        """Whether a factor is not the very same on both sides, as 0.0 and -0.0, or [1] and [True], are not."""
        one, other = self.a.get(name, _ABSENT), self.b.get(name, _ABSENT)
        if one is other:
            return False
        try:
            return type(one) is not type(other) or not bool(one == other) or repr(one) != repr(other)
        except (TypeError, ValueError):  # arrays and frames: whether they are the same is not one answer
            return True

    def _end(self, values: dict[str, Any], side: str) -> Any:
        self.calls += 1
        answer = self.evaluate(dict(values))
        if answer is None:
            raise Refused(f"evaluate gives no answer for {side}: there is nothing to compare")
        return _array(answer)

    def _values(self, sets: Sequence[Set]) -> list[Value]:
        """The values of mixtures, as far as the budget goes. Raises BudgetSpent where one is left out."""
        taken = self._taken([chosen for chosen in sets if chosen not in self.known])
        with ThreadPoolExecutor(max(1, self.workers)) as pool:
            self.known.update(zip(taken, pool.map(self._value, taken), strict=True))
        if any(chosen not in self.known for chosen in sets):
            raise BudgetSpent
        return [self.known[chosen] for chosen in sets]

    def _taken(self, wanted: Sequence[Set]) -> list[Set]:
        """Those for which there is budget; what cannot be tried needs none."""
        taken: list[Set] = []
        for chosen in wanted:
            clash = next((name for name in sorted(chosen) if not self._needed(name) <= chosen), None)
            if clash is not None:
                self.known[chosen] = Value(None, f"{clash} needs {', '.join(sorted(self._needed(clash) - chosen))}")
                continue
            with suppress(BudgetSpent):
                self.budget.take()
                taken.append(chosen)
        self.calls += len(taken)
        return taken

    def _needed(self, name: str) -> Set:
        return frozenset(other for other in self.needs.get(name, ()) if self._differs(other))

    def _value(self, from_b: Set) -> Value:
        mixed = {
            name: side[name] for name in {**self.a, **self.b} if name in (side := self.b if name in from_b else self.a)
        }
        try:
            answer = self.evaluate(mixed)
            return Value(None, "no answer") if answer is None else self._measured(_array(answer))
        except Exception as error:  # noqa: BLE001 - whatever a mixture does is an answer: it does not work
            return Value(None, f"{type(error).__name__}: {error}")

    def _measured(self, answer: Any) -> Value:
        whole = self.whole
        to_a, to_b = (_way(one, other, self.unit) for one, other in ((self.low, answer), (answer, self.high)))
        score = (whole + to_a - to_b) / (2 * whole)  # <s - a, b - a> / |b - a|^2
        if not math.isfinite(score):
            return Value(None, "its answer has NaN or infinity where those of A and B have none")
        near = [math.sqrt(way / whole) <= self.near for way in (to_a, to_b)]
        return Value(score, reproduces=near[1], restores=near[0] and not near[1])


def _start(text: str) -> str:
    return text[:1].upper() + text[1:]


def _told(value: Any) -> Any:
    return (
        value if value is None or isinstance(value, (bool, int, str)) or _is_finite(value) else show(repr(value), 200)
    )


def _is_finite(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _array(answer: Any) -> Any:
    """An answer as an array of numbers, each as exact as it was given, or of labels: `_is_numeric` says which."""
    import numpy as np

    given = np.asarray(answer)
    if given.dtype.kind in "mM":
        whole = given.astype(f"{given.dtype.kind}8[ns]")
        return np.where(np.isnat(whole), np.nan, whole.astype(np.int64).astype(object))
    if given.dtype.kind == "c":
        return np.stack([given.real, given.imag], axis=-1)
    small = given.dtype.kind in "iu" or (given.dtype.kind == "f" and not (np.abs(given) >= EXACT).any())
    if small or isinstance(answer, np.ndarray | np.generic):
        return given
    exact = np.asarray(answer, dtype=object)  # of a list numpy makes floats of whole numbers beside floats
    return exact if exact.shape == given.shape else given.astype(object)


def _is_numeric(found: Any) -> bool:
    return found.dtype.kind in "iuf" or (
        found.dtype.kind == "O" and all(isinstance(one, Number) and not isinstance(one, bool) for one in found.flat)
    )


def _delta(one: Any, other: Any) -> Any:
    """other - one, exactly, in floats: numbers that no float keeps are subtracted before they become one."""
    import numpy as np

    if one.shape != other.shape or _is_numeric(one) != _is_numeric(other):
        raise Refused(f"the answers are of other shapes or kinds: {one.shape} and {other.shape}")
    a, b = _floats(one), _floats(other)
    if a is not None and b is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            finite = np.isfinite(a) & np.isfinite(b)
            delta = np.where(finite, np.clip(b - a, -MOST, MOST), np.nan)
        return np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, delta)
    if one.dtype.kind in "iu" and other.dtype.kind in "iu":
        return np.asarray(other.astype(object) - one.astype(object)).astype(np.float64)
    pairs = [_difference(x, y) for x, y in zip(one.flat, other.flat, strict=True)]
    return np.asarray(pairs, dtype=np.float64).reshape(one.shape)


def _floats(found: Any) -> Any:
    """Numbers as floats; None where one would lose digits."""
    import numpy as np

    if found.dtype.kind == "f":
        return found.astype(np.float64) if found.dtype.itemsize <= FLOAT else None
    large = found.dtype.kind == "O" or (found.size and max(abs(int(found.min())), abs(int(found.max()))) > EXACT)
    return None if large else found.astype(np.float64)


def _difference(one: Any, other: Any) -> float:
    """The difference of two numbers of any kind."""
    if not (math.isfinite(one) and math.isfinite(other)):
        return 0.0 if _are_same(one, other) else math.nan
    exact = _fraction(other) - _fraction(one)
    size = float(abs(exact)) if abs(exact) < MOST else MOST
    return size if exact >= 0 else -size


def _fraction(value: Any) -> Fraction:
    """A number with all of its digits."""
    ratio = getattr(value, "as_integer_ratio", None)
    return Fraction(*map(int, ratio())) if ratio else Fraction(int(value))


def _are_same(one: Any, other: Any) -> bool:
    """Whether two values are equal; what stands for nothing, as NaN does, is itself."""
    return bool(one == other or (one != one and other != other))


def _is_unlike(one: Any, other: Any) -> bool:
    """Whether two labels are two."""
    return type(one) is not type(other) or not _are_same(one, other)


def _unit(one: Any, other: Any) -> float:
    """What differences are told in, so that no square of one is too large or too small for a float."""
    import numpy as np

    if not _is_numeric(one):
        return 1.0
    sizes = np.abs(_delta(one, other))
    largest = float(np.max(sizes[np.isfinite(sizes)], initial=0.0))
    return largest or 1.0


def _way(one: Any, other: Any, unit: float) -> float:
    """|other - one|^2 in squares of the unit; labels are one-hot."""
    import numpy as np

    if one.shape == other.shape and not _is_numeric(one) and not _is_numeric(other):
        if one.dtype.kind == other.dtype.kind != "O":
            return 2.0 * float(np.count_nonzero(one != other))
        return 2.0 * sum(_is_unlike(x, y) for x, y in zip(one.flat, other.flat, strict=True))
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.sum(np.square(_delta(one, other) / unit)))
