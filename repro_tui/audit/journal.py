"""The journal: every event of an audit, appended as it happens."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

from repro_tui.model.event import Event
from repro_tui.support.plain import dumps, to_plain
from repro_tui.support.redact import Redactor


class Journal:
    """Appends events to journal.jsonl, whole lines only, from any thread."""

    def __init__(self, path: Path, redactor: Redactor) -> None:
        self._redactor, self._lock = redactor, threading.Lock()
        self._began, self._torn = time.monotonic(), False
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    @property
    def seconds(self) -> float:
        """The monotonic time since the audit began."""
        return time.monotonic() - self._began

    def emit(self, event: Event) -> None:
        """Adds the time to an event, hides secrets in it, and appends it."""
        timed = to_plain(replace(event, seconds=round(self.seconds, 4)))
        line = dumps(self._redactor.scrub_all(timed)) + "\n"
        with self._lock:
            content = line.encode("ascii")
            content = b"\n" + content if self._torn else content
            self._torn = True  # until the whole line is written: a full disk takes only a part of it
            self._torn = os.write(self._file, content) < len(content)

    def close(self) -> None:
        """Syncs the journal to disk and closes it."""
        os.fsync(self._file)
        os.close(self._file)
