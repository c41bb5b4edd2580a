"""The exit status: 0 no difference in the gated areas, 1 a difference there, 3 inconclusive.

Differences that were accepted or are known do not count; what is unknown always does: nothing accepts it away.
"""

from __future__ import annotations

from repro_tui.model.finding import Area, open_differences
from repro_tui.model.gate import gated
from repro_tui.model.predictions import PredictionsArea, Verdict
from repro_tui.model.report import Areas, Report
from repro_tui.support.text import quote

SAME, DIFFERENT, INCONCLUSIVE = 0, 1, 3
UNDECIDED: tuple[Verdict, ...] = ("not-comparable", "undecided")


def exit_status(areas: Areas, verdict: Verdict, fail_on: tuple[str, ...]) -> int:
    """The exit status of an audit: SAME, DIFFERENT or INCONCLUSIVE.

    An audit whose predictions could not be judged is inconclusive whichever areas are gated. So is one where a gated
    area is unknown, or where `fail_on` names an area that neither record lists (`any` does not name it).
    """
    if verdict in UNDECIDED:
        return INCONCLUSIVE
    statuses = [_status_of(getattr(areas, name), named=name in fail_on) for name in gated(fail_on)]
    return next((status for status in (DIFFERENT, INCONCLUSIVE) if status in statuses), SAME)


def _status_of(area: Area | PredictionsArea, *, named: bool) -> int:
    """The exit status that one gated area asks for; `named`: not only by `any`."""
    if area.status == "same":
        return SAME
    if area.status == "not-recorded":
        return INCONCLUSIVE if named else SAME
    if area.status == "unknown":
        return INCONCLUSIVE
    if isinstance(area, PredictionsArea):
        return _of_drift(area)
    if open_differences(area):
        return DIFFERENT
    unknown = area.counts.get("unknown", 0) or any(finding.change == "unknown" for finding in area.findings)
    return INCONCLUSIVE if unknown else SAME


def _of_drift(area: PredictionsArea) -> int:
    """Of an accepted drift, a column that is undecided is left: beside a drift that gates it does not matter."""
    if not area.is_accepted:
        return DIFFERENT
    left = any(column.verdict in UNDECIDED for column in area.columns)
    return INCONCLUSIVE if left else SAME


def open_counts(areas: Areas) -> dict[str, int]:
    """The number of differences of each area that are neither accepted nor known; of predictions: drifting columns."""
    static = {name: open_differences(getattr(areas, name)) for name in ("code", "environment", "parameters", "data")}
    area = areas.predictions
    drifting = 0 if area.is_accepted else sum(not column.is_accepted for column in area.drifting)
    gates = area.status == "different" and not area.is_accepted
    return static | {"predictions": max(drifting, int(gates))}


def contradiction(report: Report) -> str:
    """What is wrong with the exit status of a report that others may have written ("": nothing).

    A process that is to end with a status of 256 ends with 0, which would mean that there is no difference.
    """
    if report.exit_status not in (SAME, DIFFERENT, INCONCLUSIVE):
        return f"its exit_status is {quote(report.exit_status)}, not 0, 1 or 3"
    if report.grade is None and report.verdict in UNDECIDED and report.exit_status != INCONCLUSIVE:
        return f"its exit_status is {report.exit_status}, but its verdict is {report.verdict}"
    return ""
