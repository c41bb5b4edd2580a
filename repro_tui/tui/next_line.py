"""The line at the end of the overview: what to do next, with the keys that do it, by the state of the audit."""

from __future__ import annotations

from collections.abc import Mapping

from repro_tui.model.predictions import SAME_VERDICTS
from repro_tui.model.report import Report
from repro_tui.report.next_step import can_be_searched, what_to_revert
from repro_tui.report.summary import next_of
from repro_tui.report.words import failures_of
from repro_tui.tui.actions import key_of
from repro_tui.tui.store import AuditStore

RETRY, LOG, ROWS, CAUSE = "app.run_again", "app.show('progress')", "app.show('predictions')", "app.show('cause')"


def next_line(store: AuditStore, keymap: Mapping[str, str]) -> str:
    """What to do next in one line, without its label; never empty."""
    report, log = store.report, key_of(LOG, keymap)
    if report is None and store.running:
        return f"{log} shows the steps and their logs"
    if report is None:
        return f"{log} opens the log of the step at which it ended, {key_of(RETRY, keymap)} runs the audit again"
    return "; ".join(filter(None, (_instruction(report, keymap), _keys(report, keymap))))


def _instruction(report: Report, keymap: Mapping[str, str]) -> str:
    """What is to be done outside of this screen, as the summary has it, with the values to which to revert."""
    drift = report.grade is None and report.verdict == "drift" and not list(failures_of(report.sides))
    if drift and report.causes is None and can_be_searched(report.sides):
        return f"{key_of('app.explain', keymap)} searches for the cause of the drift"
    if drift and report.causes is not None:
        reverted = what_to_revert(report.sides, report.areas, report.causes, values=True)
        if reverted:
            return reverted
    return next_of(report.summary) or "open an area"


def _keys(report: Report, keymap: Mapping[str, str]) -> str:
    """What to open or to share."""
    share = f"{key_of('app.share', keymap)} copies a summary to share"
    failures = list(failures_of(report.sides))
    if failures:
        letters, side = failures[0]
        whose = "the two sides" if len(letters) > 1 else letters
        return f"{key_of(LOG, keymap)} opens the log of {side.failed} of {whose}"
    if report.verdict in SAME_VERDICTS or report.grade is not None or report.verdict != "drift":
        return share
    if report.causes is None:
        return f"{key_of(ROWS, keymap)} opens the rows that moved"
    return f"{key_of(CAUSE, keymap)} opens the cause, {share}"
