"""The reports of audits that have none: of those that could not be started, and of those whose engine ended early."""

from __future__ import annotations

from repro_tui.audit.folder import AuditFolder
from repro_tui.audit.follow import how_it_died
from repro_tui.model.errors import Inconclusive, ReproError
from repro_tui.model.finding import Area
from repro_tui.model.gate import GateReport
from repro_tui.model.predictions import PredictionsArea
from repro_tui.model.report import Areas, AuditInfo, Report, SideReport, Sides, Tool
from repro_tui.support.redact import strip_urls
from repro_tui.support.text import show
from repro_tui.version import __version__


def unstarted_report(references: tuple[str, str], error: Inconclusive) -> Report:
    """The report of an audit that ended before there was a folder for it: nothing was rebuilt, run or compared."""
    names = (show(strip_urls(references[0]), 200), show(strip_urls(references[1]), 200))
    return _report(AuditInfo("", "", "", 0.0), names, ("record", error.what, error.do))


def dead_report(folder: AuditFolder) -> Report:
    """The report of an audit whose engine ended without one, with the step at which it ended."""
    message, do, _ = how_it_died(folder)
    events, _ = folder.events()
    steps = [event.step for event in events if event.kind == "step"]
    try:
        request = folder.request()
        info, names = AuditInfo(request.id, str(folder.path), request.started, 0.0), (request.a.name, request.b.name)
        gate = GateReport(fail_on=request.settings.fail_on)
    except ReproError:
        info, names, gate = AuditInfo(folder.path.name, str(folder.path), "", 0.0), ("A", "B"), GateReport()
    return _report(info, (show(names[0]), show(names[1])), (steps[-1] if steps else "start", message, do), gate)


def _report(
    info: AuditInfo, names: tuple[str, str], failure: tuple[str, str, str], gate: GateReport | None = None
) -> Report:
    from repro_tui.report.summary import summarise

    step, reason, do = failure
    a, b = (SideReport(name, reference=name, failed=step, what=reason, do=do) for name in names)
    counts = {"added": 0, "removed": 0, "changed": 0, "unknown": 0, "same": 0}
    unknown = Area("unknown", counts, basis="declared")
    predictions = PredictionsArea("unknown", "not-comparable", what=reason, do=do)
    areas = Areas(unknown, unknown, unknown, unknown, predictions)
    summary = summarise(Sides(a, b), areas, "not-comparable")
    return Report(
        1,
        Tool("repro-tui", __version__),
        info,
        "not-comparable",
        3,
        summary.sentences,
        Sides(a, b),
        areas,
        notes=summary.notes,
        gate=gate or GateReport(),
    )
