"""The report of an audit, exactly as it is written to report.json (schema 1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from repro_tui.model.causes import Causes
from repro_tui.model.finding import Area
from repro_tui.model.gate import GateReport
from repro_tui.model.grade import Grade
from repro_tui.model.missing import Missing
from repro_tui.model.part import Part
from repro_tui.model.predictions import PredictionsArea, Verdict
from repro_tui.model.run import Isolation, Run


@dataclass(frozen=True, slots=True)
class Tool:
    """The program that wrote the report."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class AuditInfo:
    """The audit's id, its folder when it was written, its start (UTC) and the duration of its stages."""

    id: str
    folder: str
    started: str
    seconds: float
    seconds_by_stage: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SideReport:
    """One side: its record (redacted), how it was rebuilt, how its runs ended, and the isolation obtained.

    `failed` names the step at which the side failed ("" if it did not), with `what` (the reason) and `do` (the remedy).
    """

    name: str
    reference: str = ""
    record: dict[str, Any] = field(default_factory=dict)
    missing: tuple[Missing, ...] = ()
    rebuild: tuple[Part, ...] = ()
    runs: tuple[Run, ...] = ()
    isolation: Isolation | None = None
    failed: str = ""
    what: str = ""
    do: str = ""


@dataclass(frozen=True, slots=True)
class Sides:
    """A, the baseline, and B, the candidate."""

    a: SideReport
    b: SideReport


@dataclass(frozen=True, slots=True)
class Areas:
    """The five areas."""

    code: Area
    environment: Area
    parameters: Area
    data: Area
    predictions: PredictionsArea


@dataclass(frozen=True, slots=True)
class Report:
    """The result of an audit. `summary` is at most five plain sentences: the verdict first, what to do next last.

    `gate` says how the exit status was decided, and what came of each accepted change.

    `notes` are the sentences that say more than these: noise, slices, accuracy, what `--stress` moved.

    Every path is relative to the audit's folder, so that the folder can be copied. `grade` is None for audits; in a
    verification, A is what was recorded and B what was rebuilt.
    """

    schema: int
    tool: Tool
    audit: AuditInfo
    verdict: Verdict
    exit_status: int
    summary: tuple[str, ...]
    sides: Sides
    areas: Areas
    causes: Causes | None = None
    grade: Grade | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    gate: GateReport = field(default_factory=GateReport)
