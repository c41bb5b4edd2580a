"""The log of one run: its output up to a bound, and its last lines.

Control characters are made visible in it, so that `cat` executes none. The output with its control characters, but
without secrets, is only kept on request, in a second file.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from pathlib import Path

from repro_tui.support.context import Step
from repro_tui.support.redact import Redactor
from repro_tui.support.text import clean_line, show

TAIL = 20
LINES_PER_SECOND = 20


class RunLog:
    """Writes the output up to `most` characters, then keeps only the last lines; secrets are hidden.

    With `raw_logs` of the settings, `run-N.raw` has the lines as they were printed.
    """

    def __init__(self, path: Path, most: int, redactor: Redactor, step: Step) -> None:
        self.path, self._most, self._redactor, self._step = path, most, redactor, step
        # Line by line: who reads along wants the last line before a step hangs, and not the last full buffer.
        self._file = path.open("w", buffering=1, encoding="utf-8", errors="backslashreplace")
        raw = path.with_suffix(".raw") if step.context.settings.raw_logs else Path(os.devnull)
        self._raw = raw.open("w", encoding="utf-8", errors="surrogateescape")
        self._written = self._left_out = 0
        self._last: deque[str] = deque(maxlen=200)
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._second, self._shown = 0, 0
        self._lock = threading.Lock()

    def line(self, text: str) -> None:
        """Adds one line of the run's output, from any thread."""
        text = self._redactor.scrub(text)
        with self._lock:
            if self._written < self._most:
                self._raw.write(text + "\n")
            self._add(clean_line(text))

    def _add(self, text: str) -> None:
        if text.strip():
            self._tail.append(text)
        if self._written < self._most:
            self._written += self._file.write(text + "\n")
        else:
            self._left_out += 1
            self._last.append(text)
        self._show_live(text)

    def _show_live(self, text: str) -> None:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._shown = second, 0
        self._shown += 1
        if self._shown <= LINES_PER_SECOND:
            self._step.log(show(text, 500))

    @property
    def tail(self) -> tuple[str, ...]:
        """The last lines that are not blank, safe to show."""
        return tuple(show(line, 500) for line in self._tail)

    def close(self) -> None:
        """Writes the last lines, with a note of how many were left out, and closes the log."""
        if self._left_out:
            self._file.write(f"… ({self._left_out - len(self._last):,} lines left out)\n")
            self._file.writelines(line + "\n" for line in self._last)
        self._file.close()
        self._raw.close()
