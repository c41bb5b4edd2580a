"""Findings, and the areas that hold them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

AreaName = Literal["code", "environment", "parameters", "data", "predictions"]
AREAS: tuple[AreaName, ...] = ("code", "environment", "parameters", "data", "predictions")
Change = Literal["added", "removed", "changed", "unknown", "same"]
Severity = Literal["info", "notice", "important"]
AreaStatus = Literal["same", "different", "unknown", "not-recorded"]
Basis = Literal["declared", "built"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """Why a difference does not gate: a person has accepted it, or the report that this audit is measured by has it.

    `by` is `record` (an `[[accepted]]` of the policy file) or `baseline`; `until` is the last day (UTC, YYYY-MM-DD; "":
    no end) and `audit` the audit that it was seen in. An acceptance that has `expired` only explains: it gates again.
    """

    by: Literal["record", "baseline"]
    reason: str
    owner: str = ""
    until: str = ""
    expired: bool = False
    audit: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One compared thing: its path in the area, what changed from `a` to `b`, and the findings below it.

    `a` and `b` are plain JSON values (absent: None). `change` is `same` only if all findings were requested. `basis` is
    set where what the records declare and what the builds show differ: it says which of the two this finding is.
    `accepted` is set where exactly this change was accepted or is known.
    """

    path: tuple[str, ...]
    change: Change
    a: Any = None
    b: Any = None
    severity: Severity = "notice"
    note: str = ""
    children: tuple[Finding, ...] = ()
    basis: Basis | None = None
    accepted: Accepted | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether it does not gate, because it was accepted and that has not expired."""
        return self.accepted is not None and not self.accepted.expired


@dataclass(frozen=True, slots=True)
class Area:
    """The findings of one area. `counts` has at least added, removed, changed, same and unknown.

    `basis` is `declared` where only the records and their commits were compared, and `built` where what was rebuilt of
    both sides was. `note` is what a reader of this area has to know of another one.
    """

    status: AreaStatus
    counts: dict[str, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    basis: Basis = "built"
    note: str = ""


def open_differences(area: Area) -> int:
    """How many differences of an area are neither accepted nor known; what is not listed counts as open."""
    differences = sum(area.counts.get(change, 0) for change in ("added", "removed", "changed"))
    listed = [finding for finding in area.findings if finding.change not in ("same", "unknown")]
    return max(differences, len(listed)) - sum(finding.is_accepted for finding in listed)


def area_of(findings: tuple[Finding, ...], same: int, *, unknown_reason: bool = False) -> Area:
    """The area of these findings: unknown never counts as same, and a difference outweighs an unknown."""
    counts = {"added": 0, "removed": 0, "changed": 0, "unknown": 0, "same": same}
    for finding in findings:
        counts[finding.change] += 1
    if counts["added"] + counts["removed"] + counts["changed"]:
        status: AreaStatus = "different"
    else:
        status = "unknown" if counts["unknown"] or unknown_reason else "same"
    return Area(status, counts, findings)


def not_recorded() -> Area:
    """The area if neither record has anything in it, which is no evidence that the sides are the same."""
    counts = {"added": 0, "removed": 0, "changed": 0, "unknown": 0, "same": 0}
    return Area("not-recorded", counts, (), basis="declared")
