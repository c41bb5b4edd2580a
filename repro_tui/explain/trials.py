"""Trials: hybrids of A and B that are run, and what their outputs show of the change.

Every level of the search requests its hybrids here: the factors, the items inside one factor, the points of a sequence
of commits or releases. The levels differ only in the parts of which a hybrid consists, and in the ends between which
its outputs are measured.
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

    `ruler` measures from A to B; `refine_ruler` replaces it where noise needs more runs of both.
    """

    pair: AuditedPair
    factors: Factors
    images: ImagePackages | None
    context: Context
    executor: Executor
    ruler: Ruler = field(init=False)

    def __post_init__(self) -> None:
        self.ruler = self.ruler_between(self.pair.predictions(0), self.pair.predictions(1))

    def refine_ruler(self) -> None:
        """Runs A and B more often where their runs scatter so much that no hybrid could be distinguished from them."""
        ruler, most = self.ruler, REPEATS[-1]
        if not ruler.noisy or ruler.half_width(most) <= NEAR_IN_NOISE or len(ruler.low) >= most:
            return
        low, high = self.executor.results(
            [self.request(frozenset()), self.request(frozenset(self.factors.names))], most
        )
        if not low.why and not high.why:
            self.ruler = self.ruler_between(low.runs, high.runs)

    def request(self, from_b: frozenset[str]) -> HybridRequest:
        """The request for the hybrid that has these factors from B."""
        sides = {frozenset(): 0, frozenset(self.factors.names): 1}
        known = self.pair.predictions(sides[from_b]) if from_b in sides else ()
        names = tuple(name for name in self.factors.names if name in from_b)
        return HybridRequest(names, lambda context: hybrid(self.parts(from_b, context), context), known)

    def parts(self, from_b: frozenset[str], context: Context) -> Parts:
        """The parts of the hybrid that has these factors from B."""
        parts = parts_of(*self.pair.workspaces, from_b)
        return replace(parts, environment=self.images.for_factors(from_b, context)) if self.images else parts

    def values(self, stage: str, requests: Sequence[HybridRequest], ruler: Ruler) -> list[Value]:
        """The values of hybrids between the ruler's ends, each written to the ledger. Raises BudgetSpent, Cancelled."""
        values = repeated(requests, ruler, self.executor.results)
        for request, value in zip(requests, values, strict=True):
            summary = describe_value(value)
            self.executor.log_hybrid(stage, request.from_b, summary, score=value.score, rows_as_b=value.rows_as_b)
        return values

    def ruler_between(self, low: Sequence[Path], high: Sequence[Path]) -> Ruler:
        """A ruler from the runs of one end to those of another."""
        return Ruler(low, high, self.pair.area.key, self.pair.columns, self.context, self.pair.noisy)

    def ends(self, factor: str, others: frozenset[str]) -> Ruler | None:
        """The ruler from the hybrid with the factors `others` from B to that with `factor` as well.

        None where one of the two does not run.
        """
        runs = REPEATS[1] if self.pair.noisy else 1
        low, high = self.executor.results([self.request(others), self.request(others | {factor})], runs)
        return None if low.why or high.why else self.ruler_between(low.runs, high.runs)


def repeated(
    requests: Sequence[HybridRequest],
    ruler: Ruler,
    results: Callable[[Sequence[HybridRequest], int], Sequence[HybridResult]],
) -> list[Value]:
    """The values of hybrids: of one run each, or where runs are noisy of 2, 5 or 10, until they are settled."""
    if not ruler.noisy:
        return [_value(result, ruler) for result in results(requests, 1)]
    values = [_value(result, ruler) for result in results(requests, REPEATS[0])]
    for before, runs in pairwise(REPEATS):
        unsettled = [index for index, value in enumerate(values) if not ruler.is_settled(value, before)]
        repeats = results([requests[index] for index in unsettled], runs) if unsettled else ()
        for index, result in zip(unsettled, repeats, strict=True):
            values[index] = _value(result, ruler)
    return values


def _value(result: HybridResult, ruler: Ruler) -> Value:
    return Value(None, result.why) if result.why else ruler.value(result.runs)


def describe_value(value: Value) -> str:
    """A value as the ledger describes it.

    What follows the last ", " says which side the outputs match: the interface shows only that in a narrow column.
    """
    if value.score is None:
        return f"unresolved: {value.why}"
    end = "is B" if value.reproduces else "is A" if value.restores else "is neither"
    rows = f" and {part(value.rows_as_b)} of the moved rows" if value.rows_as_b is not None else ""
    return f"{signed_part(value.score)} of the change{rows}, {end}"
