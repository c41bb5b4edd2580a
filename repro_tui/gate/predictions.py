"""Whether a drift of predictions is one that was accepted: by its evidence, or because it stays within bounds.

Evidence is the digest of all differing cells: the very same drift, in every row. It needs sides that repeat themselves,
since outputs that vary never differ in the same cells again. Bounds hold for any drift up to their limits, column by
column. Rows are counted in one pair of runs, so of sides that vary only `max_abs` is bounded: by the triangle
inequality, no pair of runs is farther apart than the shown pair and the noise of both sides together.

Only `drift` can be accepted. What is undecided or not comparable is not known, and stays so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from repro_tui.gate.identity import pattern_of
from repro_tui.model.errors import Mistake, Refused
from repro_tui.model.gate import AcceptedChange
from repro_tui.model.predictions import Column, PredictionsArea
from repro_tui.support.bounds import Bound, parse_bound
from repro_tui.support.text import show

AREA = "predictions"
NUMBERS = frozenset({"value", "probability"})  # kinds of which every difference has a size, if no value is missing


def accepted_evidence(area: PredictionsArea, reason: str, until: str) -> AcceptedChange:
    """The entry that accepts this drift and no other. Raises Refused where there is none, or it never comes again."""
    _check_drift(area)
    if not is_deterministic(area):
        why = "changes from run to run, so it never differs in the same cells again"
        raise Refused(Mistake(AREA, f"{why}: accept a bound, as in --bound 'max_abs <= 0.01', or remove the noise"))
    if not area.evidence:
        why = "has differing cells that are not kept whole, so a later audit could not tell this drift from another one"
        raise Refused(Mistake(AREA, f"{why}: accept a bound, as in --bound 'flips <= 0.5 %'"))
    return AcceptedChange(AREA, reason, until, evidence=area.evidence)


def accepted_bounds(
    area: PredictionsArea, column: str, bounds: Sequence[str], reason: str, until: str
) -> AcceptedChange:
    """The entry that accepts a drift within bounds, of one column or of all ("").

    Raises Refused where this very drift is not within them.
    """
    _check_drift(area)
    entry = AcceptedChange(f"{AREA}.{pattern_of(column)}" if column else AREA, reason, until, bounds=tuple(bounds))
    parsed = _parsed(entry)
    for drifting in covered(entry, area):
        if reason_not := _why_not_within(drifting, parsed, area):
            raise Refused(Mistake(f"{AREA}.{show(drifting.name, 200)}", reason_not))
    return entry


def _check_drift(area: PredictionsArea) -> None:
    if area.verdict != "drift":
        raise Refused(Mistake(AREA, f"cannot be accepted: their verdict is {area.verdict}, and only drift can be"))


def covered(entry: AcceptedChange, area: PredictionsArea) -> tuple[Column, ...]:
    """The drifting columns that an entry is about; one that is about a vector is about its members, too."""
    if entry.path == AREA:
        return area.drifting
    named = {column.name for column in area.columns if fnmatchcase(f"{AREA}.{column.name}", entry.path)}
    named |= {member for column in area.columns if column.name in named for member in column.members}
    return tuple(column for column in area.drifting if column.name in named)


def why_not_within(entry: AcceptedChange, column: Column, area: PredictionsArea) -> str:
    """Which bound of an entry a drifting column exceeds, or why that is not known; "" where it is within all."""
    return _why_not_within(column, _parsed(entry), area)


def is_deterministic(area: PredictionsArea) -> bool:
    """Whether all runs of each side wrote the same bytes, so that one pair of runs stands for all."""
    return area.noise.deterministic_a is True and area.noise.deterministic_b is True


def _parsed(entry: AcceptedChange) -> list[Bound]:
    return [parse_bound(text) for text in entry.bounds]


def _why_not_within(column: Column, bounds: Sequence[Bound], area: PredictionsArea) -> str:
    return next(_problems(column, bounds, area), "")


def _problems(column: Column, bounds: Sequence[Bound], area: PredictionsArea) -> Iterator[str]:
    if not bounds:
        yield "no bound is given"
    for bound in bounds:
        if bound.measure == "max_abs":
            yield from _farther(column, bound, area)
        elif not is_deterministic(area):
            yield f"outputs change from run to run, and {bound.measure} are counted in one pair of runs: bound max_abs"
        else:
            yield from _more(column, bound, area)


def _farther(column: Column, bound: Bound, area: PredictionsArea) -> Iterator[str]:
    noise = 0.0 if is_deterministic(area) else column.noise_abs
    odd = column.non_finite or column.nulls_a or column.nulls_b or column.kind not in NUMBERS
    if column.max_abs is None or noise is None or odd:
        yield "max_abs is not known of all of its values: bound different"
    elif column.max_abs + 2 * noise > bound.most:
        spread = f", with the noise of both sides {column.max_abs + 2 * noise:.4g}" if noise else ""
        yield f"max_abs is {column.max_abs:.4g}{spread}, over {bound.limit}"


def _more(column: Column, bound: Bound, area: PredictionsArea) -> Iterator[str]:
    count = column.flips if bound.measure == "flips" else column.different
    if count is None or not area.matched:
        yield f"{bound.measure} are not counted of this kind of output: bound different or max_abs"
    elif count > (bound.most * area.matched if bound.is_share else bound.most):
        yield f"{count:,} of {area.matched:,} rows ({bound.measure}) are over {bound.limit}"
