"""The journal: every event of an audit, appended as it happens."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from repro_tui.model.event import Event
from repro_tui.support.plain import dumps, to_plain

if TYPE_CHECKING:
    from repro_tui.support.redact import Redactor

MOST_JOURNAL = 64 << 20  # bytes; readers refuse a longer one
MOST_LINE = 16 << 20  # bytes of an event, which may hold an area; readers skip a longer one


class Journal:
    """Appends events to journal.jsonl, whole lines only, from any thread.

    An area that is too large for a line is left to the report, and in the last quarter of the journal log lines are
    left out, which the logs of the runs have.
    """

    def __init__(self, path: Path, redactor: Redactor) -> None:
        self._redactor, self._lock = redactor, threading.Lock()
        self._began, self._torn, self._size = time.monotonic(), False, 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    @property
    def seconds(self) -> float:
        """The monotonic time since the audit began."""
        return time.monotonic() - self._began

    def _line(self, event: Event) -> bytes:
        return dumps(self._redactor.scrub_all(to_plain(event))).encode("ascii") + b"\n"

    def emit(self, event: Event) -> None:
        """Adds the time to an event, hides secrets in it, and appends it."""
        event = replace(event, seconds=round(self.seconds, 4))
        content = self._line(event)
        if len(content) > MOST_LINE:
            content = self._line(replace(event, text=event.text[:1000], detail={}))
        with self._lock:
            if self._size + len(content) > (MOST_JOURNAL // 4 * 3 if event.kind == "log" else MOST_JOURNAL):
                return
            self._size += len(content) + 1
            content = b"\n" + content if self._torn else content
            self._torn = True  # until the whole line is written: a full disk takes only a part of it
            self._torn = os.write(self._file, content) < len(content)

    def close(self) -> None:
        """Syncs the journal to disk and closes it."""
        os.fsync(self._file)
        os.close(self._file)
