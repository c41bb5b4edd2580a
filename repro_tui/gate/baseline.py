"""Marks what is known from an earlier report, so that only what is new or worse gates.

A finding is known where the report has the same change, whole. A drift is known where both sides repeat themselves and
no cell differs that did not differ in the same way before: cells that have become equal are no news. Without the cells
of the earlier audit, only the very same drift is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from repro_tui.gate.identity import is_exact, same_change
from repro_tui.gate.predictions import is_deterministic
from repro_tui.model.finding import Accepted, Area, AreaName, Finding
from repro_tui.model.predictions import Column, PredictionsArea
from repro_tui.model.report import Areas, Report


@dataclass(frozen=True, slots=True)
class Baseline:
    """An earlier report, and which columns have differing cells that it does not have: their number by column.

    `new_cells` is None where the cells of that audit are not there, or are not whole.
    """

    report: Report
    new_cells: Mapping[str, int] | None = field(default=None)

    @property
    def mark(self) -> Accepted:
        """The mark of what is in it."""
        audit = self.report.audit
        return Accepted("baseline", f"known from audit {audit.id} of {audit.started[:10]}", audit=audit.id)


def with_known(name: AreaName, area: Area, baseline: Baseline) -> Area:
    """The area with the findings marked that the baseline has, too; a mark that has expired gives way."""
    before: dict[tuple[str, ...], Finding] = {f.path: f for f in getattr(baseline.report.areas, name).findings}
    return replace(area, findings=tuple(_marked(name, finding, before, baseline.mark) for finding in area.findings))


def _marked(name: AreaName, finding: Finding, before: Mapping[tuple[str, ...], Finding], mark: Accepted) -> Finding:
    old = before.get(finding.path)
    if finding.change in ("same", "unknown") or finding.is_accepted or old is None or not is_exact(name, finding):
        return finding
    return replace(finding, accepted=mark) if same_change(name, finding, old) else finding


def with_known_predictions(area: PredictionsArea, baseline: Baseline) -> PredictionsArea:
    """The predictions with the drift marked that the baseline has, too."""
    old = baseline.report.areas.predictions
    both = area.verdict == old.verdict == "drift" and is_deterministic(area) and is_deterministic(old)
    if not both or area.is_accepted:
        return area
    if area.evidence and area.evidence == old.evidence:
        return replace(area, accepted=baseline.mark)
    cells = baseline.new_cells
    if cells is None:
        return area
    drifting = {column.name for column in old.drifting}
    columns = tuple(
        replace(column, accepted=baseline.mark)
        if column.verdict == "drift"
        and column.name in drifting
        and not column.is_accepted
        and not any(cells.get(name, 0) for name in _cells_of(column))
        else column
        for column in area.columns
    )
    return replace(area, columns=columns)


def _cells_of(column: Column) -> tuple[str, ...]:
    """The columns whose cells are those of a column: a vector has none of its own."""
    return column.members or (column.name,)


def count_known(areas: Areas) -> int:
    """How many differences do not gate because a baseline has them."""
    findings = [f for area in (areas.code, areas.environment, areas.parameters, areas.data) for f in area.findings]
    marks = [finding.accepted for finding in findings]
    marks += [areas.predictions.accepted, *(column.accepted for column in areas.predictions.columns)]
    return sum(mark is not None and mark.by == "baseline" for mark in marks)
