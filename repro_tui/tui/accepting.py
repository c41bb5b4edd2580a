"""Accepts a difference from a screen: asks why and until when, shows what it will write, and writes it only then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from textual.screen import Screen

from repro_tui.model.errors import Refused
from repro_tui.model.finding import Accepted, AreaName, Finding
from repro_tui.model.gate import AcceptedChange
from repro_tui.report.acceptance import accepted_columns
from repro_tui.report.words import finding_words
from repro_tui.support.text import show
from repro_tui.tui.accept_dialog import AcceptAnswer, AcceptDialog
from repro_tui.tui.actions import key_of
from repro_tui.tui.dialogs import MessageDialog, QuestionDialog
from repro_tui.tui.store import AuditStore
from repro_tui.tui.widgets.safe import notify

if TYPE_CHECKING:
    from repro_tui.model.report import Report

DAYS = 30  # the last day that is proposed
NOT_ACCEPTED = "Not accepted"


@dataclass(frozen=True, slots=True)
class Selected:
    """What is accepted: a finding of an area, or a drift of the predictions (no finding)."""

    area: AreaName
    finding: Finding | None = None

    @property
    def pattern(self) -> str:
        """Its name, as `repro-tui accept` has it."""
        return ".".join((self.area, *(self.finding.path if self.finding else ())))


def whole_finding(store: AuditStore, area: AreaName, finding: Finding | None) -> Finding | None:
    """The finding of the report that a line on the screen is, or is a part of; None for a folder of the screen."""
    known = store.area(area)
    for candidate in known.findings if known and finding else ():
        if any(part is finding or part == finding for part in _parts(candidate)):
            return candidate
    return None


def _parts(finding: Finding) -> Iterator[Finding]:
    waiting = [finding]
    while waiting:
        part = waiting.pop()
        yield part
        waiting.extend(part.children)


def ask_and_accept(screen: Screen[None], store: AuditStore, selected: Selected) -> None:
    """Asks for a reason and a last day, then for a confirmation, and writes the entry into the policy file."""
    if store.report is None:
        notify(screen, "There is nothing to accept before the audit has finished.")
        return
    report = store.report
    if selected.finding is not None and (why := _why_not(selected.area, selected.finding)):
        screen.app.push_screen(MessageDialog(NOT_ACCEPTED, [f"{show(selected.pattern, 200)} {why}."]))
        return
    seen = finding_words(selected.finding) if selected.finding else _drift(report)
    day = datetime.fromtimestamp(store.clock.wall(), UTC).date() + timedelta(days=DAYS)
    dialog = AcceptDialog(selected.pattern, seen, day, bounded=selected.finding is None)
    screen.app.push_screen(dialog, lambda answer: _confirm(screen, store, report, selected, answer))


def _drift(report: Report) -> str:
    """What the predictions did, and what was accepted of it before."""
    return "; ".join(filter(None, (*report.summary[:1], accepted_columns(report.areas.predictions))))


def _why_not(area: AreaName, finding: Finding) -> str:
    from repro_tui.gate.identity import why_not

    return why_not(area, finding)


def _confirm(
    screen: Screen[None], store: AuditStore, report: Report, selected: Selected, answer: AcceptAnswer | None
) -> None:
    """Shows what will be written, and where; nothing is written without a yes."""
    from repro_tui.audit.accept import Acceptance, entries_of, policy_file_of
    from repro_tui.formats.policy_text import fields_of, snippet

    if answer is None:
        return
    bounds = (answer.bound,) if answer.bound else ()
    try:
        decision = Acceptance(answer.reason, answer.until, answer.owner, bounds)
        entries = entries_of(report, [selected.pattern], decision)
        file = policy_file_of(_policy_file(store), Path.cwd())
    except Refused as error:
        screen.app.push_screen(MessageDialog(NOT_ACCEPTED, [str(mistake) for mistake in error.mistakes]))
        return
    text = snippet([fields_of(entry) for entry in entries])
    question = f"Write this to {show(str(file), 200)}?"
    answers = (("w", "write it"), ("escape", "leave the file as it is"))
    screen.app.push_screen(
        QuestionDialog(question, answers, text.rstrip().split("\n")),
        lambda key: _write(screen, store, selected, entries, file) if key == "w" else None,
    )


def _policy_file(store: AuditStore) -> str:
    try:
        return store.folder.request().policy_file
    except Refused:
        return ""


def _write(
    screen: Screen[None], store: AuditStore, selected: Selected, entries: Sequence[AcceptedChange], file: Path
) -> None:
    from repro_tui.audit.accept import accept

    def work() -> None:
        try:
            accept(file, entries)
        except Refused as error:
            messages = [str(mistake) for mistake in error.mistakes]
            screen.app.call_from_thread(screen.app.push_screen, MessageDialog(NOT_ACCEPTED, messages))
            return
        screen.app.call_from_thread(_written, screen, store, selected, entries[0], file)

    screen.run_worker(work, thread=True, group="accept")


def _written(screen: Screen[None], store: AuditStore, selected: Selected, entry: AcceptedChange, file: Path) -> None:
    mark = Accepted("record", entry.reason, entry.owner, entry.until, audit=entry.audit)
    store.mark_accepted(selected.area, selected.finding, mark)
    again = f"{key_of('app.run_again', store.keys)} runs this one again"
    notify(screen, f"Written to {show(file.name, 80)}. It no longer gates from the next audit on: {again}.")
    for shown in screen.app.screen_stack:
        if hasattr(shown, "changed") and shown.is_mounted:
            shown.changed()
