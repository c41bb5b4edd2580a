"""The cancel token: one thread-safe flag that every wait polls or blocks on."""

from __future__ import annotations

import threading

from repro_tui.model.errors import Cancelled


class CancelToken:
    """Set once, by a signal or the user interface; every wait checks it."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._signal = 2

    def cancel(self, signal_number: int = 2) -> None:
        """Requests that all running work stops; safe to call from a signal handler."""
        self._signal = signal_number
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether a stop was requested."""
        return self._event.is_set()

    def check(self) -> None:
        """Raises Cancelled if a stop was requested."""
        if self.cancelled:
            raise Cancelled(self._signal)

    def wait(self, seconds: float) -> None:
        """Sleeps at most this long; raises Cancelled as soon as a stop is requested."""
        self._event.wait(seconds)
        self.check()
