"""Reads a container's output while it runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

from repro_tui.clients.docker_engine import engine_address
from repro_tui.clients.docker_errors import lost_connection
from repro_tui.execute.runlog import RunLog
from repro_tui.model.errors import Inconclusive
from repro_tui.support.lines import LineCutter

FINISH_S = 10.0
LOST_S = 2.0  # when a container ends, its stream ends a little before the engine reports the end


class LogReader(threading.Thread):
    """A thread that copies a container's lines to its log, each cut at 4 KiB, until the container has ended."""

    def __init__(self, stream: Iterable[bytes], log: RunLog) -> None:
        """`stream` must be opened before the container is started: a stream opened after its end never ends."""
        super().__init__(daemon=True, name="container-log")
        self._log, self._stream = log, stream
        self._lines = LineCutter(log.line)
        self._ended = threading.Event()
        self.lost: float | None = None

    def run(self) -> None:
        """Copies the stream; if it breaks, the run goes on, since only the end of the container counts."""
        try:
            for chunk in self._stream:
                self._lines.add(chunk)
        except (Inconclusive, OSError, ValueError) as error:
            if not self._ended.is_set():
                self._log.line(f"(the log stream broke: {error})")
        self._lines.finish()
        self.lost = time.monotonic()

    def check(self) -> None:
        """Raises Inconclusive if the stream ended some time ago; called only while its container is running."""
        if self.lost is not None and time.monotonic() - self.lost > LOST_S:
            raise lost_connection(engine_address(), "during the run, and with it the log")

    def finish(self) -> None:
        """Waits for the last lines of a container that has ended."""
        self._ended.set()
        self.join(FINISH_S)
