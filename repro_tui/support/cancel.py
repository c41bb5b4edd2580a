"""The cancel token: one thread-safe flag that every wait polls or blocks on."""

from __future__ import annotations

import threading
import time

from repro_tui.model.errors import Cancelled, Ended

LONGEST_WAIT_S = 0.1


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

    def child(self) -> ChildToken:
        """A token for a part of the work, which ends with this one and can also be ended by itself."""
        return ChildToken(self)

    def wait(self, seconds: float) -> None:
        """Sleeps at most this long; raises Cancelled as soon as a stop is requested."""
        self._event.wait(seconds)
        self.check()


class ChildToken(CancelToken):
    """The token of a part of the work: cancelled with its parent, or ended by itself with a reason."""

    def __init__(self, parent: CancelToken) -> None:
        super().__init__()
        self._parent, self._reason = parent, ""

    def end(self, reason: str) -> None:
        """Requests that this part of the work stops; its waits raise Ended."""
        self._reason = reason
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether a stop of this part or of the whole was requested."""
        return self._event.is_set() or self._parent.cancelled

    def check(self) -> None:
        """Raises Cancelled if a stop of the whole was requested, Ended if only this part was ended."""
        self._parent.check()
        if self._event.is_set():
            raise Ended(self._reason)

    def wait(self, seconds: float) -> None:
        """Sleeps at most this long; raises Cancelled or Ended as soon as a stop is requested."""
        until = time.monotonic() + seconds
        while not self.cancelled and (left := until - time.monotonic()) > 0:
            self._event.wait(min(left, LONGEST_WAIT_S))
        self.check()
