"""Judges an audit: marks what was accepted or is known, and decides the exit status over the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from repro_tui.gate.accepted import AcceptanceBook, with_accepted, with_accepted_predictions
from repro_tui.gate.baseline import Baseline, count_known, with_known, with_known_predictions
from repro_tui.gate.status import exit_status, open_counts
from repro_tui.model.finding import AreaName
from repro_tui.model.gate import AcceptedChange, GateReport
from repro_tui.model.report import Areas

STATIC: tuple[AreaName, ...] = ("code", "environment", "parameters", "data")


@dataclass(frozen=True, slots=True)
class GateDecision:
    """The areas with their marks, the exit status, and how it came about."""

    areas: Areas
    exit_status: int
    gate: GateReport


@dataclass(frozen=True, slots=True)
class Gate:
    """What an audit is judged by.

    `fail_on` are the gated areas as they were named, `file` is the policy file for people ("": none), `accepted` its
    accepted changes, `today` the day of the audit (UTC, YYYY-MM-DD), and `baseline` the earlier report, if any.
    """

    fail_on: tuple[str, ...] = ("predictions",)
    file: str = ""
    accepted: Sequence[AcceptedChange] = ()
    today: str = ""
    baseline: Baseline | None = None

    def judge(self, areas: Areas) -> GateDecision:
        """The judgement of an audit."""
        book = AcceptanceBook(self.accepted, self.today)
        marked = {name: with_accepted(name, getattr(areas, name), book) for name in STATIC}
        predictions = with_accepted_predictions(areas.predictions, book)
        if self.baseline is not None:
            marked = {name: with_known(name, area, self.baseline) for name, area in marked.items()}
            predictions = with_known_predictions(predictions, self.baseline)
        judged = Areas(marked["code"], marked["environment"], marked["parameters"], marked["data"], predictions)
        gate = GateReport(
            self.file,
            self.fail_on,
            book.changes(),
            self.baseline.report.audit.id if self.baseline else "",
            count_known(judged) if self.baseline else 0,
            open_counts(judged),
        )
        return GateDecision(judged, exit_status(judged, predictions.verdict, self.fail_on), gate)
