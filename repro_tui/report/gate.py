"""The exit status: 0 no difference in the gated areas, 1 a difference there, 3 inconclusive."""

from __future__ import annotations

from repro_tui.model.finding import AREAS, AreaStatus
from repro_tui.model.predictions import Verdict
from repro_tui.model.report import Areas, Report
from repro_tui.support.text import quote

SAME, DIFFERENT, INCONCLUSIVE = 0, 1, 3
UNDECIDED: tuple[Verdict, ...] = ("not-comparable", "undecided")


def gated(fail_on: tuple[str, ...]) -> tuple[str, ...]:
    """The areas whose differences decide the exit status, with `any` and `none` expanded."""
    if "none" in fail_on:
        return ()
    return tuple(AREAS) if "any" in fail_on else fail_on


def exit_status(areas: Areas, verdict: Verdict, fail_on: tuple[str, ...]) -> int:
    """The exit status of an audit: SAME, DIFFERENT or INCONCLUSIVE.

    An audit whose predictions could not be judged is inconclusive whichever areas are gated. So is one where a gated
    area is unknown, or where `fail_on` names an area that neither record lists (`any` does not name it).
    """
    if verdict in UNDECIDED:
        return INCONCLUSIVE
    statuses: dict[str, AreaStatus] = {name: getattr(areas, name).status for name in gated(fail_on)}
    if "different" in statuses.values():
        return DIFFERENT
    named = {status for name, status in statuses.items() if name in fail_on}
    return INCONCLUSIVE if "unknown" in statuses.values() or "not-recorded" in named else SAME


def contradiction(report: Report) -> str:
    """What is wrong with the exit status of a report that others may have written ("": nothing).

    A process that is to end with a status of 256 ends with 0, which would mean that there is no difference.
    """
    if report.exit_status not in (SAME, DIFFERENT, INCONCLUSIVE):
        return f"its exit_status is {quote(report.exit_status)}, not 0, 1 or 3"
    if report.grade is None and report.verdict in UNDECIDED and report.exit_status != INCONCLUSIVE:
        return f"its exit_status is {report.exit_status}, but its verdict is {report.verdict}"
    return ""
