"""Follows a running audit by its journal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from repro_tui.audit.folder import AuditFolder
from repro_tui.audit.launch import stop
from repro_tui.model.errors import Inconclusive
from repro_tui.model.event import Event
from repro_tui.support.space import full_disk, remedy
from repro_tui.support.text import show

if TYPE_CHECKING:
    from repro_tui.model.report import Report

POLL_S = 0.02


def follow_events(folder: AuditFolder) -> Iterator[list[Event]]:
    """Yields the journal's events in batches as they are written (some are empty), until the engine has ended."""
    offset, last = 0, False
    while True:
        events, offset = folder.events(offset)
        yield events
        if last:
            return
        if any(event.kind == "end" for event in events):
            while folder.engine_alive():  # its last event is written: it is about to exit
                time.sleep(POLL_S / 4)
            return
        last = not folder.engine_alive()  # then read once more what it wrote before it ended
        if not last:
            time.sleep(POLL_S)


def report_of(folder: AuditFolder) -> Report:
    """Waits for the report. Raises Inconclusive if the engine ends without one; an interrupt stops the engine."""
    try:
        for _ in follow_events(folder):
            pass
    except KeyboardInterrupt:
        stop(folder)
        raise
    report = folder.report()
    if report is None:
        message, do, _ = how_it_died(folder)
        raise Inconclusive(message, do)
    return report


def how_it_died(folder: AuditFolder) -> tuple[str, str, int]:
    """The message, remedy and exit status for an engine that ended without a report: its step, and why if known."""
    events, _ = folder.events()
    end = next((event for event in events if event.kind == "end"), None)
    steps = [event for event in events if event.kind == "step"]
    where = f"{steps[-1].side.upper()} {steps[-1].step}".strip() if steps else "its start"
    reason = (end.text if end else "") or full_disk(folder.path)
    why = f": {reason}" if reason else ""
    message = f"the audit ended without a report at {show(where)}{show(why)}"
    status = end.detail.get("exit_status") if end else None
    log = folder.engine_log
    again = f"{f'see {show(str(log), 500)}; ' if log else ''}run the audit again to continue from the cache"
    do = remedy(reason, again)
    return message, do, status if isinstance(status, int) and 0 <= status < 256 else 3
