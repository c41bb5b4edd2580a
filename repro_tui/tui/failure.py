"""What is known of a failure: which side and step, the error, why, what to do, and where its log has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from repro_tui.model.finding import AreaName, Finding
from repro_tui.model.report import Report, SideReport
from repro_tui.model.run import Run, RunStatus
from repro_tui.report.words import SEVERITY_ORDER, failures_of, nothing_was_run
from repro_tui.support.space import remedy
from repro_tui.support.text import show
from repro_tui.tui.actions import area_key, key_of
from repro_tui.tui.clock import duration
from repro_tui.tui.logs import ENGINE, failed_step, log_of
from repro_tui.tui.store import AuditStore
from repro_tui.tui.text_lines import TextLines

if TYPE_CHECKING:
    from repro_tui.support.tracebacks import LoggedError

DECLARED: tuple[AreaName, ...] = ("parameters", "environment", "data", "code")
ENDINGS: dict[RunStatus, str] = {
    "timed-out": "ran out of time",
    "out-of-memory": "ran out of memory",
    "no-output": "wrote no output",
    "unreadable-output": "wrote an output that cannot be read",
}
SHORTEST_S = 0.1
QUOTED = ("; its error: ", "; its last output: ")  # from there on, a reason repeats the log


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure. `letters` are the sides that failed alike ("A", "B", "AB"; "": the audit), `step` is its name.

    `title` is the sentence about it, `reason` and `do` are those of the report. `side` is the side of the log, as the
    journal calls it. `calm`: nothing failed, there was only nothing to run; `stopped`: the audit was stopped.
    """

    letters: str
    step: str
    title: str
    reason: str
    do: str
    side: str = ""
    calm: bool = False
    stopped: bool = False


def failures(store: AuditStore) -> list[Failure]:
    """What failed in an audit that has ended; nothing where both sides were run, or while it is running."""
    if store.running:
        return []
    report = store.report
    if report is None:
        return [_unfinished(store)]
    failed = [_of_side(store, report, letters, side) for letters, side in failures_of(report.sides)]
    if not failed and report.grade is None and nothing_was_run(report.sides) and report.areas.predictions.rows is None:
        area = report.areas.predictions
        return [Failure("", "", f"{area.what[:1].upper()}{area.what[1:]}", "", area.do, calm=True)]
    return failed


def ending(store: AuditStore) -> str:
    """How an audit has just ended, for a reader of another of its screens, and which key shows the rest."""
    failed, key = failures(store), area_key("overview", store.keys)
    if not failed:
        return f"The audit has finished: {key} shows its verdict."
    if failed[0].calm:
        return f"The audit has ended, and nothing was run: {key} shows why."
    return f"The audit {'was stopped' if failed[0].stopped else 'has failed'}: {key} shows where."


def _unfinished(store: AuditStore) -> Failure:
    """The end of an audit without a report: it was stopped, or its engine was lost."""
    side, step = failed_step(store) or store.last_step
    where = f" at {side.upper()} {step}".replace("  ", " ") if step else " at its start"
    reason = store.problem or store.last_words
    stopped = reason.startswith("stopped by signal")
    key = key_of("app.run_again", store.keys)
    again = f"run the audit again ({key}): what was built is reused from the cache"
    log = store.folder.engine_log
    see = again if stopped or log is None else f"see {store.shown_folder}/{log.name}, and {again}"
    title = "The audit was stopped" if stopped else "The audit ended without a report"
    lost = "" if reason else "its engine has ended without giving a reason: it was killed, or the machine was restarted"
    return Failure("", step or ENGINE, title + where, reason or lost, remedy(reason, see), side, stopped=stopped)


def _of_side(store: AuditStore, report: Report, letters: str, side: SideReport) -> Failure:
    run = next((run for run in reversed(side.runs) if f"run {run.number}" == side.failed), None)
    ending = ENDINGS.get(run.status, "failed") if run is not None else "failed"
    subject = "A and B" if len(letters) > 1 else letters
    took = _took(store, letters, side, run)
    title = f"{subject} {ending} at {side.failed}{took}"
    again = f"run the audit again ({key_of('app.run_again', store.keys)})"
    do = side.do or ("see its log" if log_of(store, letters[0].lower(), side.failed) else again)
    return Failure(letters, side.failed, title, side.what, do, letters[0].lower())


def _took(store: AuditStore, letters: str, side: SideReport, run: Run | None) -> str:
    if len(letters) > 1:
        return ""
    step = store.steps.get((letters.lower(), side.failed))
    seconds = run.seconds if run is not None else step.seconds if step is not None else 0.0
    return f" after {duration(seconds)}" if seconds >= SHORTEST_S else ""


def reason_text(failure: Failure, error: LoggedError | None) -> str:
    """The reason; without what the log's error, which is shown beside it, says already."""
    reason = failure.reason
    for mark in QUOTED if error is not None else ():
        reason = reason.partition(mark)[0]
    if error is not None and reason.endswith(error.text):  # "x cannot be built: " and the last lines of its build
        reason = reason.removesuffix(error.text).partition(": ")[0]
    return reason


def log_lines(store: AuditStore, failure: Failure, side: str = "") -> tuple[str, str, TextLines] | None:
    """The log of a failure: its side, its step, and its lines; the engine's own where the step has none; else None."""
    if failure.calm:
        return None
    places = [(side or failure.side, failure.step)]
    if not side:
        known = failed_step(store)
        places += [known] if known is not None and known[0] in (failure.side, "") else []
        places += [("", failure.step), ("", ENGINE)]
    for letter, name in places:
        source = log_of(store, letter, name)
        if source is not None and source.size():
            return letter, name, TextLines(source)
    return None


def declared_differences(store: AuditStore) -> list[tuple[AreaName, Finding]]:
    """What is declared, or was built, differently on both sides: the most severe first."""
    differences = [
        (name, finding)
        for name in DECLARED
        if (area := store.area(name)) is not None
        for finding in area.findings
        if finding.change != "same"
    ]
    return sorted(differences, key=lambda item: (item[1].change == "unknown", SEVERITY_ORDER[item[1].severity]))


def why_not_compared(store: AuditStore) -> str:
    """Why there are no compared predictions, in a sentence; "" where predictions were compared.

    A screen that shows rows and cells shows this in their place: an empty table would look as if nothing differed.
    """
    area = store.predictions()
    if area is not None and area.rows is not None:
        return ""
    if store.running:
        return "not compared yet: the audit is running"
    failed = failures(store)
    if not failed:
        reason = area.what if area is not None else ""
        return f"the predictions were not compared{f': {show(reason, 600)}' if reason else ''}"
    return f"the predictions were not compared: {'; '.join(_brief(failure) for failure in failed)}"


def _brief(failure: Failure) -> str:
    if failure.calm:
        return failure.title[:1].lower() + failure.title[1:]
    return failure.title[0].lower() + failure.title[1:] if failure.title.startswith("The ") else failure.title
