"""Trials: hybrids of A and B that are run, and what their outputs say of the change.

Every level of the search asks here: the factors, the things inside one, the points of a way. What differs is of which
parts a hybrid is made, and between which ends its outputs are measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from repro_tui.explain.execution import Executor, HybridRequest, HybridResult
from repro_tui.explain.factors import Factors, parts_of
from repro_tui.explain.game import Value
from repro_tui.explain.inside.image_packages import ImagePackages
from repro_tui.explain.measure import NEAR_IN_NOISE, REPEATS, Ruler
from repro_tui.explain.pair import AuditedPair
from repro_tui.rebuild.hybrid import Parts, hybrid
from repro_tui.support.context import Context
from repro_tui.support.text import part, signed_part


@dataclass(slots=True)
class Trials:
    """The hybrids of one pair. `images`: the two sides' images, where their packages can be exchanged.

    `ruler` measures the way from A to B; it is replaced by a finer one where noise wants more runs (`steady`).
    """

    pair: AuditedPair
    factors: Factors
    images: ImagePackages | None
    context: Context
    executor: Executor
    ruler: Ruler = field(init=False)

    def __post_init__(self) -> None:
        self.ruler = self.ruler_between(self.pair.predictions(0), self.pair.predictions(1))

    def steady(self) -> None:
        """Runs A and B more often where their own runs scatter so much that no hybrid could be told from them."""
        if self.ruler.noisy and self.ruler.width(REPEATS[-1]) > NEAR_IN_NOISE and len(self.ruler.low) < REPEATS[-1]:
            ends = [self.asked(frozenset()), self.asked(frozenset(self.factors.names))]
            low, high = self.executor.outcomes(ends, REPEATS[-1])
            if not low.why and not high.why:
                self.ruler = self.ruler_between(low.runs, high.runs)

    def asked(self, from_b: frozenset[str]) -> HybridRequest:
        """The hybrid that has these factors from B."""
        known = {frozenset(): 0, frozenset(self.factors.names): 1}
        runs = self.pair.predictions(known[from_b]) if from_b in known else ()
        return HybridRequest(
            tuple(n for n in self.factors.names if n in from_b), lambda c: hybrid(self.parts(from_b, c), c), runs
        )

    def parts(self, from_b: frozenset[str], context: Context) -> Parts:
        """The parts of that hybrid."""
        parts = parts_of(*self.pair.workspaces, from_b)
        return replace(parts, environment=self.images.chosen(from_b, context)) if self.images else parts

    def values(self, stage: str, asked: Sequence[HybridRequest], ruler: Ruler) -> list[Value]:
        """The values of hybrids between the ruler's ends: more runs where noise leaves one of them open."""
        found = repeated(asked, ruler, self.executor.outcomes)
        for one, value in zip(asked, found, strict=True):
            self.executor.tell(stage, one.from_b, told(value), score=value.score, rows_as_b=value.rows_as_b)
        return found

    def ruler_between(self, low: Sequence[Path], high: Sequence[Path]) -> Ruler:
        """The way from some runs to others."""
        return Ruler(low, high, self.pair.area.key, self.pair.columns, self.context, self.pair.noisy)

    def ends(self, factor: str, others: frozenset[str]) -> Ruler | None:
        """The way from a hybrid without this factor of B to the one with it; None where one of them does not run."""
        wanted = REPEATS[1] if self.pair.noisy else 1
        low, high = self.executor.outcomes([self.asked(others), self.asked(others | {factor})], wanted)
        return None if low.why or high.why else self.ruler_between(low.runs, high.runs)


def repeated(
    asked: Sequence[HybridRequest],
    ruler: Ruler,
    outcomes: Callable[[Sequence[HybridRequest], int], Sequence[HybridResult]],
) -> list[Value]:
    """The values of hybrids: of one run each, or where runs are noisy of 2, 5 or 10, as many as it takes to be sure."""
    if not ruler.noisy:
        return [_value(outcome, ruler) for outcome in outcomes(asked, 1)]
    found = [_value(outcome, ruler) for outcome in outcomes(asked, REPEATS[0])]
    for before, wanted in pairwise(REPEATS):
        again = [at for at, value in enumerate(found) if not ruler.clear(value, before)]
        measured = outcomes([asked[at] for at in again], wanted) if again else ()
        for at, outcome in zip(again, measured, strict=True):
            found[at] = _value(outcome, ruler)
    return found


def _value(outcome: HybridResult, ruler: Ruler) -> Value:
    return Value(None, outcome.why) if outcome.why else ruler.value(outcome.runs)


def told(value: Value) -> str:
    """A value in words, for the ledger."""
    if value.score is None:
        return f"unresolved: {value.why}"
    end = "is B" if value.reproduces else "is A" if value.restores else "is neither"
    rows = f" and {part(value.rows_as_b)} of the moved rows" if value.rows_as_b is not None else ""
    return f"{signed_part(value.score)} of the change{rows}, {end}"
