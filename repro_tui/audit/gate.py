"""The policy of an audit: its settings below those that the user gave, and the judgement at the end."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from repro_tui.audit.folder import open_folder, read_report, report_file
from repro_tui.model.errors import Mistake, Refused
from repro_tui.model.request import GateSettings, Policy, Request, Settings, Tolerance
from repro_tui.support.text import show

if TYPE_CHECKING:
    from repro_tui.gate.baseline import Baseline
    from repro_tui.gate.judge import GateDecision
    from repro_tui.model.report import Areas, Report
    from repro_tui.support.context import Context


@dataclass(frozen=True, slots=True)
class Terms:
    """What an audit is judged by: the policy, the settings that the user gave over it (GIVEN), and the baseline."""

    policy: Policy = field(default_factory=Policy)
    given: tuple[str, ...] = ()
    baseline: str = ""


# The settings of the command line that `[gate]` may have, and the fields that each stands for.
GIVEN = {
    "fail_on": ("fail_on",),
    "explain": ("explain", "explain_masked"),
    "explain_budget": ("explain_runs", "explain_seconds"),
    "repeat": ("repeat",),
    "isolation": ("isolation",),
    "atol": (),
    "rtol": (),
    "column_tolerance": (),
}


def with_gate(settings: Settings, gate: GateSettings, given: Collection[str]) -> Settings:
    """The settings with those of `[gate]` where the user gave none; `given` are the names of what was given (GIVEN).

    A tolerance for all columns that was given goes before all tolerances of the gate, one of a column before its own.
    """
    over: dict[str, object] = {}
    for name, places in GIVEN.items():
        values = {place: getattr(gate, place, None) for place in places}
        if name not in given:
            over |= {place: value for place, value in values.items() if value is not None}
    whole = not {"atol", "rtol"} & set(given)
    if whole and gate.tolerance != Tolerance():
        over["tolerance"] = gate.tolerance
    if whole and gate.column_tolerances:
        over["column_tolerances"] = gate.column_tolerances | settings.column_tolerances
    return replace(settings, **over)  # type: ignore[arg-type]


def without_gate(settings: Settings, given: Collection[str]) -> Settings:
    """The settings without what a gate has added to them, to be laid over another one."""
    plain = Settings()
    names = {place for name, places in GIVEN.items() if name not in given for place in places}
    names |= {"tolerance"} if not {"atol", "rtol"} & set(given) else set()
    names |= {"column_tolerances"} if "column_tolerance" not in given else set()
    return replace(settings, **{item.name: getattr(plain, item.name) for item in fields(plain) if item.name in names})


def terms_of(references: Sequence[str], here: Path, given: Collection[str], baseline: str) -> Terms:
    """The terms of an audit of these references, as they are now. Raises Refused with every mistake in the policy."""
    from repro_tui.sources.policy import policy_of

    return Terms(policy_of(references, here), tuple(sorted(given)), baseline and _baseline_file(baseline, here))


def _baseline_file(text: str, here: Path) -> str:
    """The report that a baseline names. Raises Refused where that is none, or one of a verification."""
    file = report_file(text, here)
    try:
        report = read_report(file)
    except Refused as error:
        raise Refused(Mistake("--baseline", str(error))) from error
    if report.grade is not None:
        raise Refused(Mistake("--baseline", f"{show(text, 200)} is a verification: name the report of an audit"))
    return str(file.absolute())


def judged(areas: Areas, request: Request, folder: Path, context: Context) -> tuple[GateDecision, list[str]]:
    """The judgement of an audit, and warnings of what it could not be measured by."""
    from repro_tui.gate.judge import Gate

    if areas.predictions.verdict == "drift":
        from repro_tui.compare.evidence import with_evidence

        areas = replace(areas, predictions=with_evidence(areas.predictions, folder, context))
    baseline, warnings = _baseline(areas, request, folder, context)
    file = _shown_file(request.policy_file, request.here)
    gate = Gate(request.settings.fail_on, file, request.accepted, request.started[:10], baseline)
    return gate.judge(areas), warnings


def _baseline(areas: Areas, request: Request, folder: Path, context: Context) -> tuple[Baseline | None, list[str]]:
    from repro_tui.gate.baseline import Baseline

    if not request.baseline:
        return None, []
    file = Path(request.baseline)
    try:
        report = read_report(file)
    except Refused as error:
        return None, [f"everything gates, because the baseline was lost during the audit: {error}"]
    if areas.predictions.verdict != "drift" or not _is_its_folder(file, report):
        return Baseline(report), []
    from repro_tui.compare.evidence import new_cells

    cells = new_cells(areas.predictions, folder, report.areas.predictions, file.parent, context)
    return Baseline(report, cells), []


def _is_its_folder(file: Path, report: Report) -> bool:
    """Whether a report lies in the folder of its audit, so that the cells beside it are its own."""
    try:
        return file.name == "report.json" and open_folder(file.parent).request().id == report.audit.id
    except Refused:
        return False


def _shown_file(file: str, here: str) -> str:
    """The policy file relative to where the audit was started, if it is below."""
    path = Path(file)
    return str(path.relative_to(here) if file and here and path.is_relative_to(here) else file)
