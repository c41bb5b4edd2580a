"""Reads a container's output while it runs."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from repro_tui.execute.runlog import RunLog
from repro_tui.support.process import LINE_LIMIT

FINISH_S = 10.0


class LogReader(threading.Thread):
    """A thread that gives a container's lines to its log, each cut at 4 KiB, until the container has ended."""

    def __init__(self, stream: Iterable[bytes], log: RunLog) -> None:
        """`stream` has to be opened before the container is started: one that is opened after its end never ends."""
        super().__init__(daemon=True, name="container-log")
        self._log, self._stream = log, stream
        self._line = bytearray()
        self._ended = threading.Event()

    def run(self) -> None:
        """Follows the log; whatever breaks the stream, the container's own end is what counts."""
        import requests
        from docker.errors import DockerException

        try:
            for chunk in self._stream:
                self._take(chunk)
        except (DockerException, requests.RequestException, OSError, ValueError) as error:
            if not self._ended.is_set():
                self._log.line(f"(the log's stream broke: {type(error).__name__})")
        if self._line:
            self._log.line(self._line.decode("utf-8", "replace"))

    def _take(self, chunk: bytes) -> None:
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            self._line += line[: LINE_LIMIT - len(self._line)]
            self._log.line(self._line.decode("utf-8", "replace"))
            self._line.clear()
        self._line += rest[: LINE_LIMIT - len(self._line)]

    def finish(self) -> None:
        """Waits for the last lines of a container that has ended."""
        self._ended.set()
        self.join(FINISH_S)
