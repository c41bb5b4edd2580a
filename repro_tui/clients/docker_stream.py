"""Long calls of the engine's API whose events can be waited for, and which can be stopped while they are silent."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from http.client import HTTPConnection

    from docker.api.client import APIClient

POLL_S = 0.2


def engine_events(
    api: APIClient, call: Callable[[], Iterable[Any]], check: Callable[[], None]
) -> Iterator[dict[str, Any]]:
    """The events of a call, such as a build.

    `check` is called several times a second; where it raises an error, the connection is closed, and the engine stops
    what it was asked for. Raises what the call raises, such as Inconclusive where the connection is lost.
    """
    reader = _EventReader(api, call)
    reader.start()
    try:
        while True:
            check()
            try:
                event = reader.events.get(timeout=POLL_S)
            except queue.Empty:
                continue
            if event is None:
                break
            yield event
    finally:
        reader.stop()
    if reader.error is not None:
        raise reader.error


class _EventReader(threading.Thread):
    def __init__(self, api: APIClient, call: Callable[[], Iterable[Any]]) -> None:
        super().__init__(daemon=True, name="engine-events")
        self.error: Exception | None = None
        self.events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._api, self._call = api, call
        self._connections: list[HTTPConnection] = []

    def run(self) -> None:
        """Reads until the call or the connection ends; None is the last event."""
        try:
            with self._noted_connections():
                for event in self._call():
                    self.events.put(event)
        except Exception as error:  # noqa: BLE001 - raised again by the thread that reads the events
            self.error = error
        finally:
            self.events.put(None)

    @contextlib.contextmanager
    def _noted_connections(self) -> Iterator[None]:
        """Notes the connections that are used in the block: requests says nothing of one before its answer."""
        adapter: Any = self._api.get_adapter(self._api.base_url)

        def pool_with_notes(url: str, proxies: object = None) -> Any:
            pool = type(adapter).get_connection(adapter, url, proxies)
            taken = type(pool)._get_conn

            def note(timeout: float | None = None) -> HTTPConnection:
                self._connections.append(taken(pool, timeout))
                return self._connections[-1]

            pool._get_conn = note
            return pool

        adapter.get_connection = pool_with_notes
        try:
            yield
        finally:
            del adapter.get_connection

    def stop(self) -> None:
        """Closes the connection of a call that is still running."""
        for connection in self._connections if self.is_alive() else ():
            with contextlib.suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        self.join(5)
